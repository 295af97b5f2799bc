//! `qkdnm plugin inspect`: what a plugin is, for people and for programs.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;

use super::{configuration, sandbox, source};
use crate::{
    cli::{CommandError, CommandResult, Exit, Output},
    config::{PluginKind, PluginSource},
    model::ReferencePoint,
    plugin::{Configured, Inspected},
};

/// Arguments of `plugin inspect`.
#[derive(Debug, clap::Args)]
pub struct InspectArgs {
    /// Files of plugins (.wasm), or builtin:NAME.
    #[arg(required = true, value_name = "FILE")]
    plugins: Vec<String>,
    /// The plugin's configuration, as it stands in the `config` of its entry, to try it with.
    #[arg(long, value_name = "FILE.toml")]
    config: Option<PathBuf>,
    /// For a handler: the reference point that it is to be of.
    #[arg(long, value_name = "POINT")]
    reference_point: Option<ReferencePoint>,
}

/// What is said of a plugin, for programs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Shown {
    plugin: String,
    sha256: String,
    signature: Option<String>,
    bytes: usize,
    form: &'static str,
    role: Option<&'static str>,
    interface: Option<String>,
    imports: Vec<String>,
    name: Option<String>,
    version: Option<String>,
    summary: Option<String>,
    extra: Vec<[String; 2]>,
    config_schema: Option<Value>,
    needs: serde_json::Map<String, Value>,
    loads: bool,
    problems: Vec<String>,
}

pub(super) fn run(args: &InspectArgs, output: &mut Output<'_>) -> CommandResult {
    let config = configuration(args.config.as_deref())?;
    let sandbox = sandbox()?;
    let mut all_load = true;
    let mut shown = Vec::new();
    for text in &args.plugins {
        let plugin = source(text);
        let point = args.reference_point.unwrap_or_else(|| point_of(&plugin));
        let inspected = sandbox.host().inspect(&plugin, point, &config).map_err(CommandError::usage)?;
        all_load &= loads(&inspected, args.config.is_some());
        if output.is_data() {
            shown.push(document(inspected, args.config.is_some()));
        } else {
            if text != args.plugins.first().unwrap_or(text) {
                output.line("")?;
            }
            show(&inspected, args.config.is_some(), output)?;
        }
    }
    if output.is_data() {
        output.document(&shown)?;
    }
    Ok(if all_load { Exit::Success } else { Exit::Failure })
}

/// The standard handlers are named after their reference points.
fn point_of(plugin: &PluginSource) -> ReferencePoint {
    let PluginSource::Builtin(name) = plugin else { return ReferencePoint::Mk };
    name.parse().unwrap_or(ReferencePoint::Mk)
}

/// Whether the manager would load it. That it wants to be configured is nothing wrong, unless that was tried.
pub(super) fn loads(inspected: &Inspected, is_config_given: bool) -> bool {
    let refused = |configured: &Configured| !configured.problems.is_empty();
    inspected.problem.is_none() && !(is_config_given && inspected.configured.as_ref().is_some_and(refused))
}

const fn role_word(role: PluginKind) -> &'static str {
    match role {
        PluginKind::Handler => "handler",
        PluginKind::Policy => "policy",
        PluginKind::Exchange => "exchange policy",
        PluginKind::Collector => "collector",
    }
}

fn problems(inspected: &Inspected) -> Vec<String> {
    let refused = inspected.configured.iter().flat_map(|configured| &configured.problems);
    let refused = refused.map(|(at, message)| if at.is_empty() { message.clone() } else { format!("{at}: {message}") });
    inspected.problem.iter().cloned().chain(refused).collect()
}

pub(super) fn document(inspected: Inspected, is_config_given: bool) -> Shown {
    let loads = loads(&inspected, is_config_given);
    let problems = problems(&inspected);
    let needs = inspected.configured.map(|configured| configured.needs).unwrap_or_default();
    let needs = needs.into_iter().filter(|(_, text)| !text.is_empty());
    let (name, version, summary, schema, extra) = match inspected.description {
        Some(told) => (Some(told.name), Some(told.version), Some(told.summary), Some(told.schema), told.extra),
        None => (None, None, None, None, Vec::new()),
    };
    Shown {
        plugin: inspected.artifact,
        sha256: inspected.digest,
        signature: inspected.signature,
        bytes: inspected.bytes,
        form: form(inspected.is_core_module),
        role: inspected.role.map(role_word),
        interface: inspected.interface,
        imports: inspected.imports,
        name,
        version,
        summary,
        extra: extra.into_iter().map(|(name, value)| [name, value]).collect(),
        config_schema: schema,
        needs: needs.map(|(name, text)| (name.replace(' ', "_"), Value::String(text))).collect(),
        loads,
        problems,
    }
}

const fn form(is_core_module: bool) -> &'static str {
    if is_core_module { "core module" } else { "component" }
}

/// For people, the schema in short.
pub(super) fn show(inspected: &Inspected, is_config_given: bool, output: &mut Output<'_>) -> std::io::Result<()> {
    let role = inspected.role.map_or("none of the contract", role_word);
    let interface = inspected.interface.as_deref().unwrap_or("exports no interface of it");
    let mut fields = vec![
        ("Plugin", inspected.artifact.clone()),
        ("Role", format!("{role} ({interface})")),
        ("Imports", if inspected.imports.is_empty() { "nothing".to_owned() } else { inspected.imports.join(", ") }),
    ];
    if let Some(told) = &inspected.description {
        fields.extend([
            ("Name", told.name.clone()),
            ("Version", told.version.clone()),
            ("Summary", told.summary.clone()),
        ]);
        fields.extend(told.extra.iter().map(|(name, value)| ("Further", format!("{name} = {value}"))));
        fields.push(("Configuration", keys(&told.schema)));
    }
    let needs = inspected.configured.iter().flat_map(|configured| &configured.needs);
    let needs: Vec<_> =
        needs.filter(|(_, text)| !text.is_empty()).map(|(name, text)| format!("{name}: {}", in_short(text))).collect();
    fields.extend([
        ("Needs", needs.join("; ")),
        ("SHA-256", inspected.digest.clone()),
        ("Signature", inspected.signature.clone().unwrap_or_default()),
        ("Size", format!("{} bytes, {}", inspected.bytes, form(inspected.is_core_module))),
    ]);
    let refused = inspected.configured.as_ref().is_some_and(|configured| !configured.problems.is_empty());
    let verdict = match (&inspected.problem, refused, is_config_given) {
        (Some(_), _, _) => "no",
        (None, true, true) => "not with this configuration",
        (None, true, false) => "yes, with a configuration that it takes (--config tries one); of an empty one it says:",
        (None, false, true) => "yes, with this configuration",
        (None, false, false) => "yes, without any configuration",
    };
    fields.push(("Loads", verdict.to_owned()));
    output.fields(&fields)?;
    for problem in problems(inspected) {
        for line in problem.lines() {
            output.line(&format!("  {line}"))?;
        }
    }
    Ok(())
}

/// The first few of a list, and how many there are.
fn in_short(list: &str) -> String {
    const FEW: usize = 8;
    let items: Vec<&str> = list.split(", ").collect();
    match items.get(..FEW) {
        Some(few) if items.len() > FEW => format!("{} and {} more", few.join(", "), items.len() - FEW),
        _ => list.to_owned(),
    }
}

/// The keys of a configuration, those that have to be there marked.
fn keys(schema: &Value) -> String {
    let Some(properties) = schema.get("properties").and_then(Value::as_object).filter(|keys| !keys.is_empty()) else {
        return "none".to_owned();
    };
    let required = schema.get("required").and_then(Value::as_array);
    let is_required = |key: &str| required.is_some_and(|list| list.iter().any(|one| one == key));
    let key = |(key, value): (&String, &Value)| {
        let kind = value.get("type").and_then(Value::as_str).map(str::to_owned);
        let facts: Vec<String> = kind.into_iter().chain(is_required(key).then(|| "required".to_owned())).collect();
        if facts.is_empty() { key.clone() } else { format!("{key} ({})", facts.join(", ")) }
    };
    properties.iter().map(key).collect::<Vec<_>>().join(", ")
}
