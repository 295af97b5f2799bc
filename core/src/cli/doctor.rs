//! `qkdnm doctor`: what is the matter with a manager, and what to try, in one look.
//!
//! In: what the API says of health, components, interfaces, plugins, exporters and alarms. Out: findings, the worst first, each with what
//! to do next. Decides nothing by itself that the manager does not know; `check` looks at configurations, this at a manager
//! that runs.

use serde::Serialize;

use super::{ApiArgs, Client, CommandResult, Exit, Output};
use crate::{
    alarm::AlarmSummary,
    api::{
        Page,
        views::{
            ComponentSummary, ExporterState, ExporterView, HandlerView, Health, InterfaceView, PluginCounters,
            PolicyView, ReloadResult, ReloadStatusView,
        },
    },
    model::Severity,
};

/// Components looked at, at most.
const MOST_COMPONENTS: usize = 10_000;
/// Components named in a finding.
const NAMED: usize = 5;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Grade {
    /// Something does not work.
    Wrong,
    /// Something deserves a look.
    Attention,
    /// As it should be.
    Good,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Finding {
    grade: Grade,
    /// What was looked at.
    about: &'static str,
    /// What was found.
    says: String,
    /// What to try; empty where there is nothing to do.
    #[serde(rename = "try")]
    advice: String,
}

impl Finding {
    fn good(about: &'static str, says: impl Into<String>) -> Self {
        Self { grade: Grade::Good, about, says: says.into(), advice: String::new() }
    }

    fn new(grade: Grade, about: &'static str, says: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { grade, about, says: says.into(), advice: advice.into() }
    }
}

pub(super) fn run(api: &ApiArgs, output: &mut Output<'_>) -> CommandResult {
    let client = Client::new(api)?;
    let health: Health = client.get("/api/v1/health", &[])?;
    let components: Page<ComponentSummary> = client.list("/api/v1/components", &[], MOST_COMPONENTS)?;
    let interfaces: Page<InterfaceView> = client.get("/api/v1/interfaces", &[])?;
    let handlers: Page<HandlerView> = client.get("/api/v1/handlers", &[])?;
    let policies: Page<PolicyView> = client.get("/api/v1/policies", &[])?;
    let exporters: Page<ExporterView> = client.get("/api/v1/exporters", &[])?;
    let configuration: ReloadStatusView = client.get("/api/v1/configuration/reload", &[])?;
    let plugins = handlers.items.iter().map(|handler| ("handler", handler.name.as_str(), &handler.counters));
    let plugins = plugins.chain(policies.items.iter().map(|policy| ("policy", policy.name.as_str(), &policy.counters)));
    let mut findings = vec![of_manager(&health), of_version(&health), of_configuration(&configuration)];
    findings.extend(of_interfaces(&interfaces.items));
    findings.extend(of_components(&components.items, health.uptime_seconds));
    findings.extend(of_plugins(plugins));
    findings.push(of_policies(&policies.items));
    findings.extend(of_exporters(&exporters.items));
    findings.push(of_alarms(&health.alarms));
    findings.sort_by_key(|finding| finding.grade);
    let worst = findings.first().map_or(Grade::Good, |finding| finding.grade);
    if output.is_data() {
        output.document(&findings)?;
    } else {
        show(&findings, output)?;
    }
    Ok(if worst == Grade::Wrong { Exit::Failure } else { Exit::Success })
}

fn show(findings: &[Finding], output: &mut Output<'_>) -> std::io::Result<()> {
    for Finding { grade, about, says, advice } in findings {
        let sign = match grade {
            Grade::Wrong => "WRONG ",
            Grade::Attention => "look  ",
            Grade::Good => "good  ",
        };
        output.line(&format!("{sign} {about}: {says}"))?;
        if !advice.is_empty() {
            output.line(&format!("        try: {advice}"))?;
        }
    }
    Ok(())
}

fn of_manager(health: &Health) -> Finding {
    let who = format!("{} of domain {}, version {}", health.manager, health.domain, health.version);
    if health.ready {
        return Finding::good("manager", format!("{who}, takes reports and stores them"));
    }
    let advice =
        "look at the manager's log; `df -h` for the disk of `manager.data_dir`; `qkdnm storage check` on a copy of it";
    Finding::new(Grade::Wrong, "manager", format!("{who}, is not ready: {}", health.reasons.join(" ")), advice)
}

fn of_configuration(status: &ReloadStatusView) -> Finding {
    let about = "configuration";
    let refused = status.last.as_ref().filter(|last| last.result == ReloadResult::Refused);
    match (refused, status.files_differ) {
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

fn of_version(health: &Health) -> Finding {
    let own = env!("CARGO_PKG_VERSION");
    if health.version == own {
        return Finding::good("version", format!("this command and the manager are both {own}"));
    }
    let says = format!("this command is {own}, the manager {}", health.version);
    Finding::new(Grade::Attention, "version", says, "use the command that came with the manager")
}

fn of_interfaces(interfaces: &[InterfaceView]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for interface in interfaces {
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
            let advice = "see why: qkdnm audit show, qkdnm report list --component COMPONENT";
            findings.push(Finding::new(Grade::Attention, "refusals", says, advice));
        }
    }
    if findings.is_empty() {
        let points: Vec<String> = interfaces.iter().map(|interface| interface.reference_point.to_string()).collect();
        findings.push(Finding::good("interfaces", format!("{} served, few refusals", points.join(", "))));
    }
    findings
}

fn of_components(components: &[ComponentSummary], uptime_seconds: u64) -> Vec<Finding> {
    let configured: Vec<&ComponentSummary> = components.iter().filter(|component| component.configured).collect();
    let named = |list: &[&&ComponentSummary]| {
        let names: Vec<String> = list.iter().take(NAMED).map(|component| component.component.to_string()).collect();
        let more = list.len().saturating_sub(NAMED);
        if more == 0 { names.join(", ") } else { format!("{} and {more} more", names.join(", ")) }
    };
    let never: Vec<_> = configured.iter().filter(|component| component.last_report.is_none()).collect();
    let away: Vec<_> = configured
        .iter()
        .filter(|component| component.connection_count == 0 && component.last_report.is_some())
        .collect();
    let mut findings = Vec::new();
    if !never.is_empty() {
        let says = format!("{} of {} never reported: {}", never.len(), configured.len(), named(&never));
        let advice = "is it switched on and pointed here? A refused certificate is told in `qkdnm audit show`";
        let grade =
            if never.len() == configured.len() && uptime_seconds > 60 { Grade::Wrong } else { Grade::Attention };
        findings.push(Finding::new(grade, "components", says, advice));
    }
    if !away.is_empty() {
        let says =
            format!("{} of {} reported and are not connected now: {}", away.len(), configured.len(), named(&away));
        let advice =
            "when did it last report? qkdnm component show COMPONENT; `expected_interval` raises an alarm by itself";
        findings.push(Finding::new(Grade::Attention, "components", says, advice));
    }
    if findings.is_empty() {
        findings.push(Finding::good("components", format!("all {} configured ones are connected", configured.len())));
    }
    findings
}

fn of_plugins<'a>(plugins: impl Iterator<Item = (&'static str, &'a str, &'a PluginCounters)>) -> Vec<Finding> {
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

fn of_policies(policies: &[PolicyView]) -> Finding {
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

fn of_exporters(exporters: &[ExporterView]) -> Vec<Finding> {
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
            let says = format!("the target of {name} refused {} events, which are parked", one.parked);
            let advice = format!("see why: qkdnm exporter show {name}; send them again: qkdnm exporter retry {name}");
            findings.push(Finding::new(Grade::Attention, "exporters", says, advice));
        }
    }
    if findings.is_empty() && !exporters.is_empty() {
        findings.push(Finding::good("exporters", format!("{} reach their targets", exporters.len())));
    }
    findings
}

fn of_alarms(alarms: &AlarmSummary) -> Finding {
    let standing = |severity: Severity| {
        alarms.0.iter().find(|count| count.severity == severity).map_or(0, |count| count.not_cleared_not_closed)
    };
    let told: Vec<String> = Severity::ALL
        .into_iter()
        .rev()
        .filter(|severity| standing(*severity) > 0)
        .map(|severity| format!("{} {severity}", standing(severity)))
        .collect();
    if told.is_empty() {
        return Finding::good("alarms", "none stands");
    }
    let grade = if standing(Severity::Critical) > 0 { Grade::Wrong } else { Grade::Attention };
    Finding::new(
        grade,
        "alarms",
        format!("{} stand", told.join(", ")),
        "qkdnm alarm list, the worst first; `alarm show N` says what to do",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    fn component(text: &str, connections: usize, reported: bool) -> ComponentSummary {
        let mut summary = ComponentSummary::new(text.parse().unwrap());
        summary.configured = true;
        summary.connection_count = connections;
        summary.last_report = reported.then_some(Timestamp(1));
        summary
    }

    #[test]
    fn components_that_are_missing_are_told_apart_from_those_that_left() {
        let all = [component("mq/a", 1, true), component("mq/b", 0, true), component("mq/c", 0, false)];
        let findings = of_components(&all, 600);
        let says: Vec<&str> = findings.iter().map(|finding| finding.says.as_str()).collect();
        assert_eq!(says, ["1 of 3 never reported: mq/c", "1 of 3 reported and are not connected now: mq/b"]);
        assert!(findings.iter().all(|finding| finding.grade == Grade::Attention && !finding.advice.is_empty()));
        assert_eq!(of_components(&all[..1], 600)[0].grade, Grade::Good);
        assert_eq!(of_components(&all[2..], 600)[0].grade, Grade::Wrong, "nobody ever reported");
        assert_eq!(of_components(&all[2..], 6)[0].grade, Grade::Attention, "it has only just begun");
    }

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
        let few = InterfaceView { refused: 1, ..interface };
        assert_eq!(of_interfaces(&[few])[0].grade, Grade::Good);
    }
}
