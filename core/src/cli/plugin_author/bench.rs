//! `qkdnm plugin bench`: what a plugin costs a report, beside the empty plugin of its role.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::{
    configuration, sandbox, source,
    test::{config_for, lines, name_of, point_of, recordings, role},
};
use crate::{
    cli::{CommandResult, Exit, Output},
    config::{PluginKind, PluginSource},
    manager::trial::{Cost, Setting},
    model::{Catalogue, ReferencePoint},
};

/// Arguments of `plugin bench`.
#[derive(Debug, clap::Args)]
pub struct BenchArgs {
    /// File of the plugin (.wasm), or builtin:NAME.
    #[arg(value_name = "FILE")]
    plugin: String,
    /// A recording whose reports it is given; by default the first in the folder `recordings` beside the plugin.
    #[arg(long, value_name = "FILE")]
    recording: Option<PathBuf>,
    /// The plugin's configuration; by default NAME.POINT.toml beside the recording, if there is one.
    #[arg(long, value_name = "FILE.toml")]
    config: Option<PathBuf>,
}

pub(super) fn run(args: &BenchArgs, output: &mut Output<'_>) -> CommandResult {
    let plugin = source(&args.plugin);
    let sandbox = sandbox()?;
    let role = role(&plugin, &sandbox)?;
    let named: Vec<PathBuf> = args.recording.iter().cloned().collect();
    let name = name_of(&plugin);
    let (point, config, lines) = match (&plugin, named.is_empty()) {
        (PluginSource::Builtin(_), true) => {
            let point = name.parse().unwrap_or(ReferencePoint::Mk);
            (point, configuration(args.config.as_deref())?, made_up((role == PluginKind::Handler).then_some(point)))
        }
        _ => {
            let recording = recordings(&plugin, &named)?.remove(0);
            let lines = lines(&recording)?.into_iter().map(|(_, line)| line).collect();
            (point_of(&recording)?, config_for(args.config.as_deref(), &recording)?, lines)
        }
    };
    let setting = Setting { plugin: &plugin, role, name: &name, point, config: &config, forgetful: false };
    let costs = sandbox.measure(&setting, &lines)?;
    if output.is_data() {
        output.document(&costs)?;
        return Ok(Exit::Success);
    }
    let headings = [
        "PLUGIN",
        "A REPORT ALONE",
        "INSTRUCTIONS",
        "CALLS A SECOND",
        "A REPORT OF 64",
        "INSTRUCTIONS",
        "REPORTS A SECOND",
        "MEMORY",
    ];
    output.table(headings, costs.iter().map(row).collect())?;
    let [own, empty] = &costs;
    let (alone, together) = (own.alone_ns - empty.alone_ns, own.together_ns - empty.together_ns);
    output.line(&format!(
        "Its own share of a report: {} and {} WebAssembly instructions alone, {} and {} with 64 in a call.",
        share(alone),
        own.alone_instructions.saturating_sub(empty.alone_instructions),
        share(together),
        own.together_instructions.saturating_sub(empty.together_instructions)
    ))?;
    if cfg!(debug_assertions) {
        output.line("This qkdnm was built without optimisation: a manager as operators have it is faster.")?;
    }
    Ok(Exit::Success)
}

/// What is above the empty plugin, if there is anything.
fn share(nanoseconds: f64) -> String {
    if nanoseconds > 0.0 { format!("{nanoseconds:.0} ns") } else { "too little to be told apart".to_owned() }
}

fn row(cost: &Cost) -> [String; 8] {
    let memory = cost.memory.map_or_else(|| "-".to_owned(), |bytes| format!("{} KiB", bytes / 1_024));
    [
        cost.plugin.clone(),
        format!("{:.0} ns", cost.alone_ns),
        cost.alone_instructions.to_string(),
        format!("{:.0}", 1e9 / cost.alone_ns),
        format!("{:.0} ns", cost.together_ns),
        cost.together_instructions.to_string(),
        format!("{:.0}", 1e9 / cost.together_ns),
        memory,
    ]
}

/// Reports of 64 components, each with every value of the catalogue that is expected on a reference point; for a policy, which
/// may watch any, with all.
fn made_up(point: Option<ReferencePoint>) -> Vec<String> {
    let is_expected = |points: &[String]| point.is_none_or(|point| points.iter().any(|of| of == point.as_str()));
    let catalogue = Catalogue::get();
    let numbers = catalogue.performance.iter().filter(|value| is_expected(&value.points));
    let numbers: Map<String, Value> = numbers.map(|value| (value.name.clone(), 0.5.into())).collect();
    let states = catalogue.state.iter().filter(|value| is_expected(&value.points));
    let word = |words: &[String]| words.first().map_or(Value::Bool(false), |word| Value::String(word.clone()));
    let states: Map<String, Value> = states.map(|value| (value.name.clone(), word(&value.words))).collect();
    let line = |number: usize| {
        json!({
            "messageType": "statusReport",
            "componentId": format!("component-{number}"),
            "extension": [{ "type": "performance", "values": numbers }, { "type": "state", "values": states }],
        })
    };
    (1..=64).map(|number| line(number).to_string()).collect()
}
