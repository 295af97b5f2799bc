//! What each part costs: every handler and policy and the history of values by itself, then all together.
//!
//! A handler is measured on its own reference point's reports against a floor on the same reports; a policy and the history
//! are what a manager with them takes more than one without, on reports of all reference points. Parts share work (one
//! call passes what several want), so that their sum need not be the whole.

use serde::Serialize;

use super::{
    ingest::{Bench, median},
    server::Server,
    site::Setup,
};
use crate::model::ReferencePoint;

/// One line of the table.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// What was on, or what was added.
    pub what: String,
    /// CPU time a report, or what was added to it, microseconds.
    pub cpu_us_per_report: f64,
    /// The same, of the floor for the same reports.
    pub of_floor: f64,
}

/// A policy as it is measured.
pub struct SixPolicies {
    name: &'static str,
    function: &'static str,
    config: &'static str,
}

impl SixPolicies {
    /// As a `[[policies]]` table.
    #[must_use]
    pub fn table(&self) -> String {
        self.entry(self.name, &format!("builtin:{}", self.name))
    }

    /// The same under another name and with another plugin.
    #[must_use]
    pub fn entry(&self, name: &str, plugin: &str) -> String {
        let Self { function, config, .. } = self;
        format!(
            "[[policies]]\nname = \"{name}\"\nfunction = \"{function}\"\nplugin = \"{plugin}\"\nconfig = {config}\n"
        )
    }

    /// As tables call it.
    #[must_use]
    pub fn called(&self) -> String {
        format!("policy `{}`", self.name)
    }

    /// Its name, and what it is configured with.
    pub fn parts(&self) -> anyhow::Result<(&'static str, serde_json::Value)> {
        let table: std::collections::BTreeMap<String, serde_json::Value> =
            toml::from_str(&format!("config = {}", self.config))?;
        Ok((self.name, table.into_values().next().unwrap_or_default()))
    }
}

/// The shipped policies, each watching what the reports bring.
pub const POLICIES: [SixPolicies; 6] = [
    SixPolicies { name: "state", function: "fault", config: "{}" },
    SixPolicies {
        name: "configuration-drift",
        function: "configuration",
        config: "{ baseline = { components = [{ component = \"mq/mq-0\", values = { software_version = \"2.4.1\" } }] } }",
    },
    SixPolicies { name: "key-usage", function: "accounting", config: "{ per = \"application\" }" },
    SixPolicies {
        name: "threshold",
        function: "performance",
        config: "{ value = \"key_store_fill_ratio\", raise_below = 0.2, clear_above = 0.3, severity = \"minor\", alarm_type = \"key-store-low\" }",
    },
    SixPolicies { name: "key-store-forecast", function: "performance", config: "{}" },
    SixPolicies { name: "qber-security", function: "security", config: "{}" },
];

/// What a server takes for a report, by round.
#[derive(Default)]
struct Taken(Vec<f64>);

/// Measures everything by itself, in as many rounds as asked for.
pub fn measure(bench: &mut Bench<'_>, floor: &Server, runtime: &tokio::runtime::Runtime) -> anyhow::Result<Vec<Cost>> {
    let setup = |name: &str, policies: String, history: bool, bench: &Bench<'_>| {
        let durability = bench.options.durability.clone();
        bench.site.configure(&Setup { name: name.to_owned(), policies, durability, history, ..Setup::default() })
    };
    let bare = setup("bare", String::new(), false, bench)?;
    let mut added = Vec::new();
    for policy in &POLICIES {
        let config = setup(policy.name, policy.table(), false, bench)?;
        added.push((format!("+ policy `{}`", policy.name), config, Taken::default()));
    }
    let history = setup("history", String::new(), true, bench)?;
    added.push(("+ history of values".to_owned(), history, Taken::default()));

    let (mut floor_mixed, mut bare_mixed) = (Taken::default(), Taken::default());
    let mut handlers = ReferencePoint::ALL.map(|point| (point, Taken::default(), Taken::default()));
    for number in 1..=bench.options.rounds {
        eprintln!("costs, round {number} of {}", bench.options.rounds);
        floor_mixed.0.push(runtime.block_on(bench.cpu(floor, None))?.0);
        {
            let manager = Server::manager(&bench.site, &bare)?;
            bare_mixed.0.push(runtime.block_on(bench.cpu(&manager, None))?.0);
            for (point, of_floor, of_manager) in &mut handlers {
                of_floor.0.push(runtime.block_on(bench.cpu(floor, Some(*point)))?.0);
                of_manager.0.push(runtime.block_on(bench.cpu(&manager, Some(*point)))?.0);
            }
        }
        for (_, config, taken) in &mut added {
            let manager = Server::manager(&bench.site, config)?;
            taken.0.push(runtime.block_on(bench.cpu(&manager, None))?.0);
        }
    }
    let (floor_mixed, bare_mixed) = (median(floor_mixed.0), median(bare_mixed.0));
    let mut costs = Vec::new();
    for (point, of_floor, of_manager) in handlers {
        let (of_floor, of_manager) = (median(of_floor.0), median(of_manager.0));
        costs.push(Cost {
            what: format!("handler `{point}`, its own reports, no policy"),
            cpu_us_per_report: of_manager,
            of_floor: of_manager / of_floor,
        });
    }
    costs.push(Cost {
        what: "all seven handlers, reports of all, no policy".to_owned(),
        cpu_us_per_report: bare_mixed,
        of_floor: bare_mixed / floor_mixed,
    });
    for (what, _, taken) in added {
        let more = median(taken.0) - bare_mixed;
        costs.push(Cost { what, cpu_us_per_report: more, of_floor: more / floor_mixed });
    }
    Ok(costs)
}
