//! Running recorded traffic again: the same inputs through the plugins, to see whether the same follows.
//!
//! Each start of a manager leaves a [`StartNote`] in the journal with everything that verdicts depend on: components,
//! handlers, policies, digests. So the journal alone says what to run. What operators and the manager itself did is not
//! run again but taken over as recorded. Native plugins and failures by CPU time may differ, as they may in life.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    config::{ComponentConfig, HandlerConfig, PluginSource, PluginsConfig, PolicyConfig, PolicyMode, limits},
    dispatch::{Registry, registry::shard_of},
    model::{Catalogue, ComponentRef, Symbol, SymbolTable, Timestamp},
    plugin::{PluginError, PluginHost},
    shard::core::{ShardCore, Surroundings, Worked},
    storage::{
        error::StorageError,
        record::{BatchRecord, Cause},
        replay::{Difference, Reexecute, Replay},
    },
    telemetry::metrics::Metrics,
};

use super::plugins::{self, Plugins};

/// What a start leaves in the journal.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StartNote {
    /// Version of the program.
    pub version: String,
    /// Manager ID.
    pub manager: String,
    /// Domain.
    pub domain: String,
    /// Number of shards until the next start.
    pub shards: usize,
    /// `plugins.state_per_component`
    pub state_per_component: usize,
    /// `[[components]]`
    pub components: Vec<ComponentConfig>,
    /// `[[handlers]]` and the standard ones.
    pub handlers: Vec<HandlerConfig>,
    /// `[[policies]]`
    pub policies: Vec<PolicyConfig>,
    /// From when the silence of components counts.
    pub started: Timestamp,
    /// SHA-256 of the plugins in force.
    pub digests: BTreeMap<String, String>,
}

/// Why recorded traffic cannot be run again.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The journal.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The plugin engine or a folder for compiled code.
    #[error("cannot start the plugin engine")]
    Engine(#[source] PluginError),
    /// A temporary folder.
    #[error("cannot make a temporary folder")]
    Folder(#[source] std::io::Error),
}

/// What came out.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Replayed {
    /// Batches compared.
    pub batches: u64,
    /// Reports run again.
    pub reports: u64,
    /// Starts of a manager found on the way.
    pub starts: u64,
    /// Plugins that are not those of the record, or could not be loaded; differences are to be expected.
    pub notes: Vec<String>,
}

/// Runs the journal of a data directory that no manager uses, and tells each difference.
pub fn check(data_dir: &Path, tell: impl FnMut(Difference)) -> Result<Replayed, ReplayError> {
    let symbols = all_symbols(data_dir)?;
    let mut replay = Replay::open(data_dir)?;
    let cache = tempfile::tempdir().map_err(ReplayError::Folder)?;
    let metrics = Arc::new(Metrics::default());
    let host = PluginHost::new(&plugin_limits(cache.path()), Arc::clone(&metrics)).map_err(ReplayError::Engine)?;
    let mut again = Again { symbols, metrics, host, running: None, result: Replayed::default() };
    again.begin(&replay);
    let batches = replay.check(&mut again, tell)?;
    Ok(Replayed { batches, ..again.result })
}

/// Every symbol of the journal, under its number.
fn all_symbols(data_dir: &Path) -> Result<Arc<SymbolTable>, StorageError> {
    let mut replay = Replay::open(data_dir)?;
    while replay.next_batch()?.is_some() {}
    let table = SymbolTable::new();
    for text in replay.symbols().from(1) {
        table.intern(&text);
    }
    Catalogue::get().intern(&table);
    Ok(Arc::new(table))
}

fn plugin_limits(cache_dir: &Path) -> PluginsConfig {
    PluginsConfig {
        // Each is pinned to the digest of the record, see `pinned`.
        allow_native: true,
        cache_dir: cache_dir.to_path_buf(),
        cpu_time: limits::PLUGIN_CPU_TIME,
        memory: limits::PLUGIN_MEMORY,
        state_per_component: limits::PLUGIN_STATE_PER_COMPONENT,
        log_lines_per_second: limits::PLUGIN_LOG_LINES_PER_SECOND,
    }
}

/// Components that are expected to report, and how often.
pub fn expected<'a>(
    components: &'a [ComponentConfig],
    symbols: &'a SymbolTable,
) -> impl Iterator<Item = (Symbol, i64)> + 'a {
    components.iter().filter_map(|config| {
        let interval = config.expected_interval?.as_millis();
        Some((symbols.intern(&config.component.to_string()), i64::try_from(interval).unwrap_or(i64::MAX)))
    })
}

/// Handlers and policies as recorded, native ones pinned to their digest: no other code is run for a record's sake.
fn pinned(note: &StartNote) -> (Vec<HandlerConfig>, Vec<PolicyConfig>) {
    let pin = |name: &str| Some(note.digests.get(name).cloned().unwrap_or_else(|| "unknown".to_owned()));
    let (mut handlers, mut policies) = (note.handlers.clone(), note.policies.clone());
    for handler in handlers.iter_mut().filter(|handler| is_native(&handler.plugin)) {
        handler.sha256 = pin(&handler.name);
    }
    for policy in policies.iter_mut().filter(|policy| is_native(&policy.plugin)) {
        policy.sha256 = pin(&policy.name);
    }
    (handlers, policies)
}

const fn is_native(plugin: &PluginSource) -> bool {
    matches!(plugin, PluginSource::Native(_))
}

fn natives(note: &StartNote) -> impl Iterator<Item = &str> {
    let handlers =
        note.handlers.iter().filter(|handler| is_native(&handler.plugin)).map(|handler| handler.name.as_str());
    let in_force = note.policies.iter().filter(|policy| policy.mode != PolicyMode::Off);
    handlers.chain(in_force.filter(|policy| is_native(&policy.plugin)).map(|policy| policy.name.as_str()))
}

struct Run {
    core: ShardCore,
    plugins: Plugins,
    shards: usize,
}

struct Again {
    symbols: Arc<SymbolTable>,
    metrics: Arc<Metrics>,
    host: Arc<PluginHost>,
    running: Option<Run>,
    result: Replayed,
}

impl Again {
    /// The state of a checkpoint waits for the plugins of the first start note; a journal from its beginning has none.
    fn begin(&mut self, replay: &Replay) {
        if !replay.state().components.is_empty() {
            self.result.notes.push(
                "the journal's beginning is gone: run again from a checkpoint, whose start note is gone too".to_owned(),
            );
        }
    }

    fn start(&mut self, note: &StartNote) {
        self.result.starts += 1;
        let (handlers, policies) = pinned(note);
        for name in natives(note) {
            self.result.notes.push(format!("plugin {name} is native: equal input need not give equal output"));
        }
        let plugins = match plugins::load(&handlers, &policies, &self.host, &self.symbols) {
            Ok(plugins) => plugins,
            Err(errors) => {
                self.result.notes.extend(errors.iter().map(ToString::to_string));
                self.running = None;
                return;
            }
        };
        for (name, digest) in plugins.digests() {
            if note.digests.get(&name).is_some_and(|recorded| *recorded != digest) {
                self.result.notes.push(format!("plugin {name} is not the one that was recorded (its SHA-256 differs)"));
            }
        }
        let registry = Arc::new(Registry::new(Arc::clone(&self.symbols), 1));
        for text in self.symbols.from(1) {
            let Ok(component) = text.parse::<ComponentRef>() else { continue };
            let listed = note.components.iter().find(|config| config.component == component);
            registry.admit(&component, || plugins.card(&component, listed));
        }
        let around = Surroundings {
            symbols: Arc::clone(&self.symbols),
            registry,
            metrics: Arc::clone(&self.metrics),
            manager: Arc::from(format!("mx/{}", note.manager)),
            next_alarm_id: Arc::default(),
            state_per_component: note.state_per_component,
        };
        let mut core = ShardCore::new(0, around, &plugins.set);
        if let Some(before) = self.running.take() {
            core.succeed(before.core);
        }
        core.expect_reports(expected(&note.components, &self.symbols), note.started);
        self.running = Some(Run { core, plugins, shards: note.shards });
    }
}

impl Reexecute for Again {
    fn batch(&mut self, input: &BatchRecord) -> BatchRecord {
        if input.cause == Cause::Start {
            match serde_json::from_str(&input.note) {
                Ok(note) => self.start(&note),
                Err(error) => self.result.notes.push(format!("a start note cannot be read: {error}")),
            }
            return input.clone();
        }
        let symbols = Arc::clone(&self.symbols);
        let Some(Run { core, plugins, shards }) = &mut self.running else { return input.clone() };
        let worked = match input.cause {
            Cause::Reports => {
                let handler = plugins.set.handlers.iter().position(|handler| handler.symbol == input.handler);
                self.result.reports += input.input.len() as u64;
                handler.map(|handler| core.reports(input.input.clone(), handler, input.time))
            }
            Cause::Tick => {
                let of_shard =
                    |component: u32| shard_of(&symbols.text(Symbol(component)), *shards) == usize::from(input.shard);
                core.tick(input.time, of_shard)
            }
            Cause::Manager | Cause::Operator | Cause::Start => {
                for alarm in &input.effects.alarms {
                    core.restore_alarm(Arc::new(alarm.clone()));
                }
                return input.clone();
            }
        };
        let empty = || BatchRecord { effects: crate::storage::record::Effects::default(), ..input.clone() };
        worked.map_or_else(empty, |Worked { record, .. }| BatchRecord { shard: input.shard, ..record })
    }
}
