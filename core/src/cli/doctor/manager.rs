//! What is the matter with the manager itself: storage, configuration, doors, plugins, exporters.

use super::{Finding, Grade};
use crate::api::views::{
    CollectorState, CollectorView, ExporterState, ExporterView, Health, InterfaceView, PluginCounters, PolicyView,
    ReloadResult, ReloadStatusView,
};

pub(super) fn of_manager(health: &Health) -> Finding {
    let who = format!("{} of domain {}, version {}", health.manager, health.domain, health.version);
    if health.ready {
        return Finding::good("manager", format!("{who}, takes reports and stores them"));
    }
    let advice = "look at the manager's log; `df -h` for the disk of `manager.data_dir`; `qkdnm storage verify`";
    Finding::new(Grade::Wrong, "manager", format!("{who}, is not ready: {}", health.reasons.join(" ")), advice)
}

pub(super) fn of_configuration(status: &ReloadStatusView) -> Finding {
    let about = "configuration";
    let refused = status.last.as_ref().filter(|last| last.result == ReloadResult::Refused);
    let restart: Vec<&str> = refused
        .iter()
        .flat_map(|last| last.needs_restart.as_array().into_iter().flatten())
        .filter_map(|setting| setting["key"].as_str())
        .collect();
    let errors = refused.iter().flat_map(|last| &last.problems).filter(|problem| problem["level"] == "error").count();
    match (refused, status.files_differ) {
        // Nothing is wrong with the files: there is nothing to correct.
        (Some(_), true) if !restart.is_empty() && errors <= restart.len() => Finding::new(
            Grade::Attention,
            about,
            format!("the files are right and wait for a restart: {} is read at a start only", restart.join(", ")),
            "restart the manager; until then it goes on under the former configuration",
        ),
        (Some(last), true) => Finding::new(
            Grade::Wrong,
            about,
            format!("the files were refused, the former ones are in force: {}", last.summary),
            "correct the files and `qkdnm config reload`; `qkdnm config reload --dry-run` names every problem",
        ),
        (_, true) => Finding::new(
            Grade::Attention,
            about,
            "the files are other ones than those in force",
            "`qkdnm config reload --dry-run` says what would change, `qkdnm config reload` takes it over",
        ),
        (_, false) => Finding::good(about, format!("the files are in force, since {}", status.since)),
    }
}

pub(super) fn of_version(health: &Health) -> Finding {
    let own = env!("CARGO_PKG_VERSION");
    if health.version == own {
        return Finding::good("version", format!("this command and the manager are both {own}"));
    }
    let says = format!("this command is {own}, the manager {}", health.version);
    Finding::new(Grade::Attention, "version", says, "use the command that came with the manager")
}

pub(super) fn of_interfaces(interfaces: &[InterfaceView]) -> Vec<Finding> {
    let (mut findings, mut refused) = (Vec::new(), 0);
    for interface in interfaces {
        refused += interface.refused;
        let point = interface.reference_point;
        if interface.connections.saturating_mul(10) >= interface.max_connections as u64 * 9 {
            let says = format!("{point} has {} of {} connections", interface.connections, interface.max_connections);
            let advice =
                format!("raise `max_connections` in [interfaces.{point}], or look who connects: qkdnm component list");
            findings.push(Finding::new(Grade::Attention, "connections", says, advice));
        }
        let all = interface.accepted + interface.refused;
        if interface.refused > 0 && interface.refused.saturating_mul(20) >= all {
            let says = format!("{point} refused {} of {all} reports and requests since the start", interface.refused);
            let advice = "see why: the manager's log; `qkdnm audit list --kind refused`; `qkdnm report list --component \
                          COMPONENT` for what a handler refused";
            findings.push(Finding::new(Grade::Attention, "refusals", says, advice));
        }
    }
    if findings.is_empty() {
        let points: Vec<String> = interfaces.iter().map(|interface| interface.reference_point.to_string()).collect();
        let refused = match refused {
            0 => "nothing refused".to_owned(),
            1 => "1 message refused since the start".to_owned(),
            number => format!("{number} messages refused since the start, which is little"),
        };
        let served = if points.is_empty() { "none is".to_owned() } else { points.join(", ") };
        findings.push(Finding::good("interfaces", format!("{served} served, {refused}")));
    }
    findings
}

pub(super) fn of_plugins<'a>(
    plugins: impl Iterator<Item = (&'static str, &'a str, &'a PluginCounters)>,
) -> Vec<Finding> {
    let (mut findings, mut count) = (Vec::new(), 0);
    for (role, name, counters) in plugins {
        count += 1;
        if counters.failures > 0 {
            let says = format!("{role} {name} failed in {} of {} calls", counters.failures, counters.calls);
            let advice = "its trace is in the alarm about it (qkdnm alarm list) and in the log under `plugin`";
            findings.push(Finding::new(Grade::Wrong, "plugins", says, advice));
        }
        if counters.log_lines_dropped > 0 {
            let says = format!("{role} {name} logs more than plugins.log_lines_per_second allows");
            let advice = "ask its author, or raise plugins.log_lines_per_second";
            findings.push(Finding::new(Grade::Attention, "plugins", says, advice));
        }
    }
    if findings.is_empty() {
        findings.push(Finding::good("plugins", format!("none of {count} ever failed")));
    }
    findings
}

pub(super) fn of_policies(policies: &[PolicyView]) -> Finding {
    if policies.is_empty() {
        let advice = "add [[policies]]; config/policies has one for each FCAPS function";
        return Finding::new(
            Grade::Attention,
            "policies",
            "none is configured, so that no report raises an alarm",
            advice,
        );
    }
    Finding::good("policies", format!("{} watch", policies.len()))
}

pub(super) fn of_collectors(collectors: &[CollectorView]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for one in collectors {
        let name = &one.name;
        if one.state == CollectorState::Failing {
            let why = one.last_error.as_deref().unwrap_or_default();
            let says = format!("collector {name} fails: {why}");
            let advice = format!("qkdnm collector show {name}; is the device up, its address and certificate right?");
            findings.push(Finding::new(Grade::Wrong, "collectors", says, advice));
        }
        if let Some(refusal) = &one.last_refusal {
            let says = format!("a request of collector {name} was refused: {refusal}");
            let advice = format!("qkdnm collector show {name}; grant what it needs, or ask whoever made the plugin");
            findings.push(Finding::new(Grade::Attention, "collectors", says, advice));
        }
    }
    if findings.is_empty() && !collectors.is_empty() {
        findings.push(Finding::good("collectors", format!("{} reach their devices", collectors.len())));
    }
    findings
}

pub(super) fn of_exporters(exporters: &[ExporterView]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for one in exporters {
        let name = &one.name;
        let error = one.last_error.as_deref().unwrap_or("no answer");
        let grade = match one.state {
            ExporterState::Unreachable => Some(Grade::Wrong),
            ExporterState::Retrying => Some(Grade::Attention),
            ExporterState::New | ExporterState::Working => None,
        };
        if let Some(grade) = grade {
            let says = format!("{name} does not reach {} ({error}); {} events wait", one.url, one.pending);
            let advice = format!("qkdnm exporter test {name}; is the target up, its certificate and the secret right?");
            findings.push(Finding::new(grade, "exporters", says, advice));
        }
        if one.parked > 0 {
            let says = format!("the target of {name} refused events; parked: {}", one.parked);
            let advice = format!("see why: qkdnm exporter show {name}; send them again: qkdnm exporter retry {name}");
            findings.push(Finding::new(Grade::Attention, "exporters", says, advice));
        }
    }
    if findings.is_empty() && !exporters.is_empty() {
        findings.push(Finding::good("exporters", format!("{} reach their targets", exporters.len())));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exporter_that_reaches_nobody_is_wrong_and_parked_events_deserve_a_look() {
        let text = r#"{"name":"noc","kind":"webhook","url":"u","state":"unreachable","cursor":"1.0","delivered":"1.0",
            "pending":4,"parked":1,"firing":0,"eventsDelivered":9,"requestsFailed":2,"superseded":0,"lastSuccess":null,
            "failingSince":null,"lastError":"status 503","lastErrorTime":null,"nextAttempt":null}"#;
        let mut one: ExporterView = serde_json::from_str(text).unwrap();
        let grades: Vec<Grade> = of_exporters(std::slice::from_ref(&one)).iter().map(|found| found.grade).collect();
        assert_eq!(grades, [Grade::Wrong, Grade::Attention]);
        (one.state, one.parked) = (ExporterState::Working, 0);
        assert_eq!(of_exporters(&[one])[0].grade, Grade::Good);
        assert!(of_exporters(&[]).is_empty());
    }

    #[test]
    fn a_plugin_that_failed_and_many_refusals_are_seen() {
        let failing = PluginCounters { calls: 9, failures: 2, ..PluginCounters::default() };
        let found = of_plugins([("policy", "qber", &failing)].into_iter());
        assert_eq!((found[0].grade, found[0].says.as_str()), (Grade::Wrong, "policy qber failed in 2 of 9 calls"));
        let interface = InterfaceView {
            reference_point: crate::model::ReferencePoint::Mk,
            listen: Vec::new(),
            key_exchange: String::new(),
            components: crate::api::views::ComponentCount::default(),
            connections: 1,
            max_connections: 10,
            lines: 0,
            accepted: 90,
            refused: 10,
        };
        assert_eq!(of_interfaces(std::slice::from_ref(&interface))[0].about, "refusals");
        let mut few = InterfaceView { refused: 1, ..interface };
        assert_eq!(of_interfaces(std::slice::from_ref(&few))[0].says, "mk served, 1 message refused since the start");
        few.refused = 0;
        assert_eq!(of_interfaces(&[few])[0].says, "mk served, nothing refused");
    }

    #[test]
    fn files_that_only_wait_for_a_restart_need_no_correction() {
        let text = r#"{"generation":1,"since":"2026-01-01T00:00:00Z","filesDiffer":true,"reloadsOnChange":true,"last":{
            "result":"refused","time":"2026-01-01T00:00:00Z","generation":1,"by":"files","summary":"1 error","change":null,
            "problems":[{"level":"error","message":"[federation] is new"}],
            "needsRestart":[{"key":"federation","running":"none","file":"one"}],"connectionsClosed":0,"tookMs":1.0,"heldMs":0.0}}"#;
        let mut status: ReloadStatusView = serde_json::from_str(text).unwrap();
        let found = of_configuration(&status);
        assert!(found.grade == Grade::Attention && found.advice.starts_with("restart the manager"), "{found:?}");
        let last = status.last.as_mut().unwrap();
        last.problems.push(serde_json::json!({ "level": "error", "message": "no such file" }));
        assert!(of_configuration(&status).advice.starts_with("correct the files"));
    }
}
