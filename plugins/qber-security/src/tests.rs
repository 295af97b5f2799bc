//! The policy with a manager around it.

use std::time::Duration;

use proptest::prelude::*;
use qkdn_plugin::testing::{Event, PolicyHost, Reading};
use serde_json::{Value, json};

use super::QberSecurity;

type Host = PolicyHost<QberSecurity>;

fn host(config: Value) -> Host {
    Host::new(&config).expect("a good configuration")
}

fn told(event: &Event) -> String {
    match event {
        Event::Raised(key, alarm) => format!("raised {} {}", alarm.severity, key.alarm_type),
        Event::Changed(key, alarm) => format!("changed {} {}", alarm.severity, key.alarm_type),
        Event::Cleared(key, _) => format!("cleared {}", key.alarm_type),
    }
}

/// A report of QBER and detection rate; without the rate where it is 0.
fn send(host: &mut Host, qber: f64, rate: f64) -> Vec<String> {
    let events = if rate > 0.0 {
        host.send("mq/qm-1", "", &[("qber_ratio", qber), ("detection_rate_cps", rate)])
    } else {
        host.send("mq/qm-1", "", &[("qber_ratio", qber)])
    };
    let told = events.iter().map(told).collect();
    host.advance(Duration::from_secs(1));
    told
}

fn times(host: &mut Host, count: usize, qber: f64, rate: f64) -> Vec<String> {
    (0..count).flat_map(|_| send(host, qber, rate)).collect()
}

fn learnt(config: Value, rate: f64) -> Host {
    let mut host = host(config);
    assert!(times(&mut host, 30, 0.02, rate).is_empty());
    host
}

#[test]
fn errors_with_steady_counts_are_possible_interception() {
    let mut host = learnt(json!({}), 50_000.0);
    assert!(times(&mut host, 2, 0.05, 49_000.0).is_empty(), "confirmed by three reports");
    assert_eq!(times(&mut host, 3, 0.05, 49_000.0), ["raised critical possible-interception"]);
    let alarm = host.alarms().values().next().expect("one is raised");
    let evidence: Vec<_> = alarm.evidence.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(
        evidence,
        [
            "QBER=5.00 %",
            "usual QBER=2.00 %",
            "rising above=3.00 %",
            "count=49000",
            "usual count=50000.0",
            "counts steady within=20.00 %",
            "reports in a row=3",
            "learnt from reports=30",
        ]
    );
    assert_eq!(times(&mut host, 3, 0.02, 50_000.0), ["cleared possible-interception"]);
}

#[test]
fn errors_with_falling_counts_are_loss_and_with_more_counts_light() {
    let mut host = learnt(json!({}), 50_000.0);
    assert_eq!(times(&mut host, 3, 0.04, 20_000.0), ["raised major quantum-channel-loss-high"]);
    assert_eq!(
        times(&mut host, 3, 0.04, 50_000.0),
        ["cleared quantum-channel-loss-high", "raised critical possible-interception"]
    );
    let mut host = learnt(json!({}), 50_000.0);
    assert_eq!(times(&mut host, 3, 0.04, 90_000.0), ["raised critical possible-interception"]);
    assert!(host.alarms().values().next().expect("one").text.contains("light"));
}

#[test]
fn counts_behind_a_qber_in_its_report_belong_to_it() {
    let mut host = learnt(json!({ "confirm": 1 }), 50_000.0);
    // In one call, as the manager hands over what waits: the loss shows in both.
    host.report("mq/qm-1", "", &[("qber_ratio", 0.021), ("detection_rate_cps", 50_000.0)]);
    host.report("mq/qm-1", "", &[("qber_ratio", 0.05), ("detection_rate_cps", 10_000.0)]);
    let events: Vec<_> = host.run().iter().map(told).collect();
    assert_eq!(events, ["raised major quantum-channel-loss-high"]);
}

#[test]
fn without_counts_it_cannot_be_told_and_is_said_so() {
    let mut host = learnt(json!({}), 0.0);
    assert_eq!(times(&mut host, 3, 0.05, 0.0), ["raised major qber-threshold-exceeded"]);
    assert!(host.alarms().values().next().expect("one").text.contains("no counts are reported"));
}

#[test]
fn above_the_level_of_no_key_nothing_is_compared() {
    let mut host = host(json!({}));
    assert_eq!(send(&mut host, 0.12, 0.0), ["raised critical qber-threshold-exceeded"]);
    assert!(send(&mut host, 0.13, 0.0).is_empty());
    assert_eq!(send(&mut host, 0.10, 0.0), ["cleared qber-threshold-exceeded"]);
}

#[test]
fn a_patient_attacker_cannot_teach_a_high_qber() {
    let mut host = learnt(json!({}), 50_000.0);
    let mut qber = 0.02_f64;
    let mut seen = Vec::new();
    for _ in 0..20_000 {
        qber += 0.000_01;
        seen.extend(send(&mut host, qber.min(0.1), 50_000.0));
    }
    assert_eq!(seen.first().map(String::as_str), Some("raised critical possible-interception"));
}

#[test]
fn tampering_is_raised_by_flags() {
    let mut host = host(json!({}));
    let mut flag = |name: &str, is: bool| -> Vec<String> {
        host.send("mops/l-1", "", &[(name, Reading::Flag(is))]).iter().map(told).collect()
    };
    assert!(flag("tamper_detected", false).is_empty());
    assert_eq!(flag("tamper_detected", true), ["raised critical tamper-detected"]);
    assert_eq!(flag("enclosure_open", true), ["raised major tamper-detected"]);
    assert!(flag("enclosure_open", true).is_empty());
    assert_eq!(flag("tamper_detected", false), ["cleared tamper-detected"]);
    assert_eq!(host.alarms().len(), 1);
}

#[test]
fn failed_authentications_are_counted_and_forgotten() {
    let mut host = host(json!({ "failures": 2, "major_failures": 4, "window": "1min", "quiet_time": "10min" }));
    let failed = json!({ "type": "event", "name": "authentication-failed", "reason": "bad tag" });
    let seen: Vec<_> = (0..5).flat_map(|_| host.send_object("mk/km-1", &failed)).map(|event| told(&event)).collect();
    assert_eq!(seen, ["raised warning authentication-failed", "changed major authentication-failed"]);
    let later: Vec<_> = host.advance(Duration::from_secs(601)).iter().map(told).collect();
    assert_eq!(later, ["cleared authentication-failed"]);
    assert!(host.send_object("mk/km-1", &failed).is_empty(), "one alone is none");
    host.advance(Duration::from_secs(120));
    assert!(host.send_object("mk/km-1", &failed).is_empty(), "another window");
}

#[test]
fn other_security_events_are_told_and_others_not() {
    let mut host = host(json!({ "quiet_time": "10min" }));
    let event = |name: &str, security: bool| json!({ "type": "event", "name": name, "security": security });
    assert!(host.send_object("mk/km-1", &event("restarted", false)).is_empty());
    let seen: Vec<_> = host.send_object("mk/km-1", &event("seal-broken", true)).iter().map(told).collect();
    assert_eq!(seen, ["raised warning security-event"]);
    let later: Vec<_> = host.advance(Duration::from_secs(600)).iter().map(told).collect();
    assert_eq!(later, ["cleared security-event"]);
}

#[test]
fn every_problem_is_told_with_its_place() {
    let config = json!({ "rise": 0, "usual_at_most": 0.2, "failures": 0, "major_failures": 0, "learning_rate": 2 });
    let problems = Host::new(&config).err().expect("there are problems");
    let mut places: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
    places.sort_unstable();
    assert_eq!(places, ["/failures", "/learning_rate", "/rise", "/usual_at_most"]);
}

#[test]
fn the_shipped_file_is_a_good_configuration() {
    let file: toml::Table = include_str!("../../../config/policies/qber-security.toml").parse().expect("TOML");
    host(serde_json::to_value(&file["policies"][0]["config"]).expect("as JSON"));
}

proptest! {
    /// What comes of a conversation does not depend on how it is cut into calls.
    #[test]
    fn cutting_into_calls_changes_nothing(reports in prop::collection::vec((0_u8..4, 0_u8..3, any::<bool>()), 1..80)) {
        let config = json!({ "warm_up": 5, "confirm": 2 });
        let (mut whole, mut cut) = (host(config.clone()), host(config));
        for &(qber, rate, ends) in &reports {
            let values = [("qber_ratio", 0.02 + f64::from(qber) * 0.02), ("detection_rate_cps", 100.0 + f64::from(rate) * 60.0)];
            whole.report("mq/qm-1", "", &values);
            cut.report("mq/qm-1", "", &values);
            if ends {
                cut.run();
            }
        }
        whole.run();
        cut.run();
        prop_assert_eq!(whole.alarms(), cut.alarms());
        prop_assert_eq!(whole.state("mq/qm-1", ""), cut.state("mq/qm-1", ""));
    }

    /// Steady reports never raise anything, whatever their level below the one of no key.
    #[test]
    fn what_does_not_change_is_no_alarm(qber in 0.001_f64..0.05, rate in 1.0_f64..1e9, count in 1_usize..80) {
        let mut host = host(json!({}));
        prop_assert!(times(&mut host, count, qber, rate).is_empty());
    }
}
