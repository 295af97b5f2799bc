//! The policy with the SDK's manager around it: no library is loaded here.

use super::*;
use qkdn_plugin::testing::{Event, PolicyHost};
use serde_json::json;

fn host() -> PolicyHost<Shift> {
    PolicyHost::new(&json!({ "value": "qber_ratio", "expected": 0.03, "slack": 0.002, "decide_at": 0.01 })).unwrap()
}

fn report(host: &mut PolicyHost<Shift>, qber: f64, times: usize) -> Vec<Event> {
    (0..times).flat_map(|_| host.send("mq/alice", "", &[("qber_ratio", qber)])).collect()
}

#[test]
fn a_small_lasting_shift_is_noticed_and_its_end_too() {
    let mut host = host();
    assert_eq!(report(&mut host, 0.031, 100), [], "within the slack");
    let raised = report(&mut host, 0.035, 10);
    assert!(
        matches!(&raised[..], [Event::Raised(key, alarm)] if key.alarm_type == ALARM_TYPE && alarm.observed == Some(0.035))
    );
    let cleared = report(&mut host, 0.03, 100);
    assert!(matches!(&cleared[..], [Event::Cleared(..)]), "{cleared:?}");
}
