//! `qkdnm config schema`: asks the plugins for their schemas and prints the whole.

use std::{path::Path, sync::Arc};

use super::{CommandError, CommandResult, Exit, Output, sound};
use crate::{
    config::{
        Loaded, PluginKind, PluginSource, PluginsConfig, limits,
        origin::Document,
        schema::{PluginSchema, schema},
    },
    model::ReferencePoint,
    plugin::{PluginDescription, PluginHost},
    telemetry::metrics::Metrics,
};

/// Prints the schema; with a file, also for the plugins that it names.
pub(super) fn print(part: bool, file: Option<&Path>, output: &mut Output<'_>) -> CommandResult {
    let loaded = match file.map(sound).transpose() {
        Ok(loaded) => loaded,
        Err(exit) => return Ok(exit),
    };
    let schemas = plugins(loaded.as_ref()).map_err(CommandError::usage)?;
    output.document(&schema(&schemas, part))?;
    Ok(Exit::Success)
}

/// The schemas of the plugins inside the binary, and of those that a configuration names.
fn plugins(loaded: Option<&Loaded>) -> Result<Vec<PluginSchema>, anyhow::Error> {
    let config = loaded.map(|loaded| &loaded.config);
    // Nothing is changed: compiled code goes to a folder that is gone afterwards, unless there is a cache already.
    let temporary = tempfile::tempdir()?;
    let limits = match config {
        Some(config) if config.plugins.cache_dir.exists() => config.plugins.clone(),
        Some(config) => PluginsConfig { cache_dir: temporary.path().to_path_buf(), ..config.plugins.clone() },
        None => PluginsConfig {
            allow_native: false,
            require_signature: false,
            trusted_keys: Vec::new(),
            cache_dir: temporary.path().to_path_buf(),
            cpu_time: limits::PLUGIN_CPU_TIME,
            wall_time: limits::PLUGIN_WALL_TIME,
            memory: limits::PLUGIN_MEMORY,
            table_elements: limits::PLUGIN_TABLE_ELEMENTS,
            answer_size: limits::PLUGIN_ANSWER_BYTES,
            state_per_component: limits::PLUGIN_STATE_PER_COMPONENT,
            log_lines_per_second: limits::PLUGIN_LOG_LINES_PER_SECOND,
        },
    };
    let host = PluginHost::new(&limits, Arc::new(Metrics::default()))?;
    let mut sources: Vec<(PluginKind, PluginSource, String)> = PluginHost::builtin_names()
        // These are configured in files of their own.
        .filter(|name| !PluginHost::is_exchange(name))
        .map(|name| {
            let is_handler = name.parse::<ReferencePoint>().is_ok();
            let kind = if is_handler { PluginKind::Handler } else { PluginKind::Policy };
            let source = PluginSource::Builtin(name.to_owned());
            (kind, source.clone(), source.to_string())
        })
        .collect();
    sources.extend(loaded.into_iter().flat_map(named));
    let mut schemas: Vec<PluginSchema> = Vec::new();
    for (kind, source, plugin) in sources {
        let PluginDescription { summary, schema, .. } = match kind {
            PluginKind::Handler => host.describe_handler(&source)?,
            PluginKind::Policy | PluginKind::Exchange => host.describe_policy(&source)?,
            PluginKind::Collector => host.describe_collector(&source)?,
        };
        if !schemas.iter().any(|known| known.kind == kind && known.plugin == plugin) {
            schemas.push(PluginSchema { kind, plugin, summary, schema });
        }
    }
    Ok(schemas)
}

/// The plugins of a file, each with the text that names it there.
fn named(loaded: &Loaded) -> Vec<(PluginKind, PluginSource, String)> {
    let written = Document::written(loaded).configuration;
    let text = |list: &str, index: usize| {
        written.pointer(&format!("/{list}/{index}/plugin")).and_then(|text| text.as_str()).map(str::to_owned)
    };
    // The standard handlers stand behind those of the file, and are known already.
    let handlers = loaded
        .config
        .handlers
        .iter()
        .enumerate()
        .filter_map(|(index, one)| Some((PluginKind::Handler, one.plugin.clone(), text("handlers", index)?)));
    let policies = loaded
        .config
        .policies
        .iter()
        .enumerate()
        .filter_map(|(index, one)| Some((PluginKind::Policy, one.plugin.clone(), text("policies", index)?)));
    let collectors = loaded
        .config
        .collectors
        .iter()
        .enumerate()
        .filter_map(|(index, one)| Some((PluginKind::Collector, one.plugin.clone(), text("collectors", index)?)));
    handlers.chain(policies).chain(collectors).collect()
}
