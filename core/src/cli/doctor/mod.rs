//! `qkdnm doctor`: what is the matter with a manager, and what to try, in one look.
//!
//! In: what the API says of health, components, interfaces, plugins, exporters, peers and alarms. Out: findings, the worst
//! first, each with what to do next. [`manager`] looks at the manager and its parts, [`network`] at what it manages,
//! [`peers`] at other domains. Decides nothing by itself that the manager does not know; `check` looks at
//! configurations, this at a manager that runs.

mod manager;
mod network;
mod peers;

use serde::Serialize;

use super::{ApiArgs, Client, CommandResult, Exit, Output};
use crate::{
    api::{
        Page,
        csv::Tabular,
        views::{
            AlarmView, CollectorView, ComponentDetail, ComponentSummary, DomainView, ExporterView, HandlerView, Health,
            InterfaceView, PeerView, PolicyView, ReloadStatusView,
        },
    },
    cli::client::component_path,
};

/// Components, and alarms, looked at at most.
const MOST_LOOKED_AT: usize = 10_000;
/// Things named in a finding.
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

impl Tabular for Finding {
    const COLUMNS: &'static [&'static str] = &["grade", "about", "says", "try"];
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
    let mut findings = findings(&client)?;
    findings.sort_by_key(|finding| finding.grade);
    let worst = findings.first().map_or(Grade::Good, |finding| finding.grade);
    if output.is_data() {
        output.items(&findings)?;
    } else {
        show(&findings, output)?;
    }
    Ok(if worst == Grade::Wrong { Exit::Failure } else { Exit::Success })
}

fn findings(client: &Client) -> anyhow::Result<Vec<Finding>> {
    let health: Health = client.get("/api/v1/health", &[])?;
    let components: Page<ComponentSummary> = client.list("/api/v1/components", &[], MOST_LOOKED_AT)?;
    let interfaces: Page<InterfaceView> = client.get("/api/v1/interfaces", &[])?;
    let handlers: Page<HandlerView> = client.get("/api/v1/handlers", &[])?;
    let policies: Page<PolicyView> = client.get("/api/v1/policies", &[])?;
    let collectors: Page<CollectorView> = client.get("/api/v1/collectors", &[])?;
    let exporters: Page<ExporterView> = client.get("/api/v1/exporters", &[])?;
    let configuration: ReloadStatusView = client.get("/api/v1/configuration/reload", &[])?;
    let peers: Page<PeerView> = client.get("/api/v1/peers", &[])?;
    let domains: Page<DomainView> = client.get("/api/v1/domains", &[])?;
    let raised = [("cleared", "false".to_owned())];
    let alarms: Page<AlarmView> = client.list("/api/v1/alarms", &raised, MOST_LOOKED_AT)?;
    let slips = components.items.iter().filter(|component| component.likely_slips > 0).take(NAMED);
    let slips: Vec<ComponentDetail> =
        slips.map(|one| client.get(&component_path(&one.component), &[])).collect::<anyhow::Result<_>>()?;

    let plugins = handlers.items.iter().map(|handler| ("handler", handler.name.as_str(), &handler.counters));
    let plugins = plugins.chain(policies.items.iter().map(|policy| ("policy", policy.name.as_str(), &policy.counters)));
    let mut findings =
        vec![manager::of_manager(&health), manager::of_version(&health), manager::of_configuration(&configuration)];
    findings.extend(manager::of_interfaces(&interfaces.items));
    findings.extend(network::of_components(&components.items, health.uptime_seconds));
    findings.extend(network::of_unlisted(&alarms.items));
    findings.extend(network::of_slips(&slips));
    findings.extend(manager::of_plugins(plugins));
    findings.push(manager::of_policies(&policies.items));
    findings.extend(manager::of_collectors(&collectors.items));
    findings.extend(manager::of_exporters(&exporters.items));
    findings.extend(peers::of_peers(&peers.items, &domains.items));
    findings.extend(peers::of_permissions(&peers.items));
    findings.push(network::of_alarms(&health.alarms, &alarms.items));
    Ok(findings)
}

/// Names, the first few of them.
fn named(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(NAMED);
    let names: Vec<String> = names.take(NAMED).collect();
    if more == 0 { names.join(", ") } else { format!("{} and {more} more", names.join(", ")) }
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
            for (at, line) in advice.lines().enumerate() {
                output.line(&format!("        {}{line}", if at == 0 { "try: " } else { "     " }))?;
            }
        }
    }
    Ok(())
}
