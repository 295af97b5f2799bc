//! Running recorded traffic again: the same inputs through the plugins, to see whether the same follows.
//!
//! Each start of a manager leaves a [`StartNote`] in the journal with everything that verdicts depend on: components,
//! handlers, policies, digests; and each shard another one where it takes over a changed configuration. So the journal alone
//! says what to run. What operators and the manager itself did is not
//! run again but taken over as recorded. Native plugins and failures by CPU time may differ, as they may in life.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    config::{
        ComponentConfig, Enrolment, HandlerConfig, PluginSource, PluginsConfig, PolicyConfig, PolicyMode, limits,
    },
    dispatch::{Registry, Rules},
    model::{Catalogue, ComponentRef, SymbolTable, Timestamp},
    plugin::{PluginError, PluginHost},
    shard::{
        ShardConfig,
        core::{ShardCore, Surroundings, Worked},
    },
    storage::{
        error::StorageError,
        record::{BatchRecord, Cause},
        replay::{Difference, Reexecute, Replay},
    },
    telemetry::metrics::Metrics,
};

use super::{in_force::expected, plugins};

/// What a start, and each shard at a change of the configuration, leaves in the journal.
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
    /// `manager.enrolment`; journals of earlier versions do not have it.
    #[serde(default)]
    pub enrolment: Option<Enrolment>,
    /// `[[components]]`
    pub components: Vec<ComponentConfig>,
    /// `[[handlers]]` and the standard ones.
    pub handlers: Vec<HandlerConfig>,
    /// `[[policies]]`
    pub policies: Vec<PolicyConfig>,
    /// Since when: the silence of components counts from here on.
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
    /// Changes of the configuration found on the way.
    pub reloads: u64,
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
    let mut again = Again { symbols, metrics, host, running: None, generation: 0, result: Replayed::default() };
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

pub(super) fn plugin_limits(cache_dir: &Path) -> PluginsConfig {
    PluginsConfig {
        // Each is pinned to the digest of the record, see `pinned`.
        allow_native: true,
        require_signature: false,
        trusted_keys: Vec::new(),
        cache_dir: cache_dir.to_path_buf(),
        cpu_time: limits::PLUGIN_CPU_TIME,
        wall_time: limits::PLUGIN_WALL_TIME,
        memory: limits::PLUGIN_MEMORY,
        table_elements: limits::PLUGIN_TABLE_ELEMENTS,
        answer_size: limits::PLUGIN_ANSWER_BYTES,
        state_per_component: limits::PLUGIN_STATE_PER_COMPONENT,
        log_lines_per_second: limits::PLUGIN_LOG_LINES_PER_SECOND,
    }
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

/// A start and what came after it: its shards, each as it was, since they change their configuration one by one.
struct Run {
    cores: Vec<ShardCore>,
    /// Configuration of the latest note, with the note: all shards leave the same one.
    latest: (String, Arc<ShardConfig>),
    /// Configuration of each shard.
    configs: Vec<Arc<ShardConfig>>,
}

struct Again {
    symbols: Arc<SymbolTable>,
    metrics: Arc<Metrics>,
    host: Arc<PluginHost>,
    running: Option<Run>,
    generation: u64,
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

    /// Loads what a note says; `None`, noted, if that cannot be.
    fn load(&mut self, text: &str, note: &StartNote) -> Option<Arc<ShardConfig>> {
        let (handlers, policies) = pinned(note);
        for name in natives(note) {
            self.result.notes.push(format!("plugin {name} is native: equal input need not give equal output"));
        }
        let plugins = match plugins::load(&handlers, &policies, &self.host, &self.symbols, None) {
            Ok(plugins) => plugins,
            Err(errors) => {
                self.result.notes.extend(errors.iter().map(|problem| problem.error.to_string()));
                return None;
            }
        };
        for (name, digest) in plugins.digests() {
            if note.digests.get(&name).is_some_and(|recorded| *recorded != digest) {
                self.result.notes.push(format!("plugin {name} is not the one that was recorded (its SHA-256 differs)"));
            }
        }
        self.generation += 1;
        let on = policies.iter().filter(|policy| policy.mode != PolicyMode::Off);
        let enrolment = note.enrolment.unwrap_or(Enrolment::Certificate);
        Some(Arc::new(ShardConfig {
            generation: self.generation,
            rules: Arc::new(Rules::new(enrolment, &note.components, handlers.iter(), on)),
            expected: expected(&note.components, &self.symbols).collect(),
            state_per_component: note.state_per_component,
            since: note.started,
            note: text.into(),
            plugins: plugins.set,
        }))
    }

    fn start(&mut self, text: &str, note: &StartNote) {
        self.result.starts += 1;
        let before = self.running.take().map(|run| run.cores).unwrap_or_default();
        let Some(config) = self.load(text, note) else { return };
        let registry = Arc::new(Registry::new(Arc::clone(&self.symbols), note.shards));
        for text in self.symbols.from(1) {
            let Ok(component) = text.parse::<ComponentRef>() else { continue };
            registry.admit(&component, || config.rules.card(&component));
        }
        let around = Surroundings {
            symbols: Arc::clone(&self.symbols),
            registry,
            metrics: Arc::clone(&self.metrics),
            manager: Arc::from(format!("mx/{}", note.manager)),
            next_alarm_id: Arc::default(),
            shards: note.shards,
        };
        let core = |number: usize| {
            let number = u16::try_from(number).unwrap_or(u16::MAX);
            let mut core = ShardCore::new(number, around.clone(), Arc::clone(&config));
            core.succeed(&before);
            core.expect_reports(note.started);
            core
        };
        let cores: Vec<_> = (0..note.shards).map(core).collect();
        let configs = vec![Arc::clone(&config); cores.len()];
        self.running = Some(Run { cores, latest: (text.to_owned(), config), configs });
    }

    /// A shard takes over another configuration.
    fn reload(&mut self, input: &BatchRecord, note: &StartNote) -> Option<Worked> {
        let mut run = self.running.take()?;
        if run.latest.0 != input.note {
            self.result.reloads += 1;
            // Without its plugins nothing can be run again until the next start.
            run.latest = (input.note.clone(), self.load(&input.note, note)?);
        }
        let run = self.running.insert(run);
        let shard = usize::from(input.shard);
        *run.configs.get_mut(shard)? = Arc::clone(&run.latest.1);
        Some(run.cores.get_mut(shard)?.switch(&run.latest.1, input.time).0)
    }

    fn note(&mut self, input: &BatchRecord) -> Option<StartNote> {
        let note = serde_json::from_str(&input.note);
        note.map_err(|error| self.result.notes.push(format!("a note of the configuration cannot be read: {error}")))
            .ok()
    }
}

impl Reexecute for Again {
    fn batch(&mut self, input: &BatchRecord) -> BatchRecord {
        if input.cause == Cause::Start {
            if let Some(note) = self.note(input) {
                self.start(&input.note, &note);
            }
            return input.clone();
        }
        let worked = if input.cause == Cause::Reload {
            let Some(note) = self.note(input) else { return input.clone() };
            self.reload(input, &note)
        } else {
            let Some(run) = &mut self.running else { return input.clone() };
            let shard = usize::from(input.shard);
            let (Some(core), Some(config)) = (run.cores.get_mut(shard), run.configs.get(shard)) else {
                return input.clone();
            };
            match input.cause {
                Cause::Reports => {
                    let handlers = &config.plugins.handlers;
                    let handler = handlers.iter().position(|handler| handler.symbol == input.handler);
                    self.result.reports += input.input.len() as u64;
                    handler.map(|handler| core.reports(input.input.clone(), handler, input.time))
                }
                Cause::Tick => core.tick(input.time, |_| true),
                Cause::Manager | Cause::Operator | Cause::Start | Cause::Reload | Cause::Decision => {
                    for alarm in &input.effects.alarms {
                        core.restore_alarm(Arc::new(alarm.clone()));
                    }
                    return input.clone();
                }
            }
        };
        if self.running.is_none() {
            return input.clone();
        }
        let empty = || BatchRecord { effects: crate::storage::record::Effects::default(), ..input.clone() };
        worked.map_or_else(empty, |Worked { record, .. }| record)
    }
}
