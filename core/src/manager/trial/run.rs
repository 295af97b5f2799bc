//! One plugin in a shard of its own: lines in, what followed out.
//!
//! A policy stands behind the standard handler of the reference point, a handler before it, as in a manager. The time is that
//! of the reports; on the way from one to the next, timers fire when they are due.

use std::sync::{Arc, atomic::AtomicU64};

use serde::Deserialize;
use serde_json::Value;

use super::{
    Sandbox, TrialError, forgetful,
    stage::Stage,
    words::{self, Followed},
};
use crate::{
    config::{Enrolment, PluginKind, PluginSource},
    dispatch::{ComponentEntry, Registry, Rules},
    manager::plugins::{self, Plugins},
    model::{
        Catalogue, ComponentId, ComponentRef, ReasonCode, ReferencePoint, Refusal, ReportBatch, SymbolTable, Timestamp,
    },
    plugin::{handler_config, policy_config},
    shard::{
        ShardConfig,
        core::{ShardCore, Surroundings},
    },
    wire::{DecodeOptions, Decoded, Decoder, decode::key_material_refusal},
};

/// Where a recording begins that has no times: 2026-01-01T00:00:00Z.
const START: Timestamp = Timestamp(1_767_225_600_000);

/// What is tried.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// Where the plugin is.
    pub plugin: &'a PluginSource,
    /// What it is.
    pub role: PluginKind,
    /// Name that it is configured under.
    pub name: &'a str,
    /// Reference point of the reports.
    pub point: ReferencePoint,
    /// Its configuration.
    pub config: &'a Value,
    /// Whether each call has a new instance.
    pub forgetful: bool,
}

/// A plugin on trial.
pub struct Trial {
    pub(super) plugins: Plugins,
    pub(super) symbols: Arc<SymbolTable>,
    registry: Arc<Registry>,
    config: Arc<ShardConfig>,
    stage: Stage,
    decoder: Decoder,
    point: ReferencePoint,
    keep_raw: bool,
}

impl std::fmt::Debug for Trial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trial").field("point", &self.point).field("now", &self.stage.now()).finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Loads a handler or policy as a manager would, for reports of one reference point.
    ///
    /// # Errors
    /// Everything that a manager would find wrong with it.
    pub fn trial(&self, setting: &Setting<'_>) -> Result<Trial, TrialError> {
        let Setting { plugin, role, name, point, config, forgetful: is_forgetful } = *setting;
        let symbols = Arc::new(SymbolTable::new());
        Catalogue::get().intern(&symbols);
        let standard = PluginSource::Builtin(point.as_str().to_owned());
        let standard = handler_config(&format!("{point}-standard"), &standard, point, &Value::Null);
        let (handlers, policies) = match role {
            PluginKind::Handler => (vec![handler_config(name, plugin, point, config), standard], Vec::new()),
            PluginKind::Policy | PluginKind::Exchange | PluginKind::Collector => {
                (vec![standard], vec![policy_config(name, plugin, config)])
            }
        };
        let mut plugins =
            plugins::load(&handlers, &policies, self.host(), &symbols, None).map_err(TrialError::not_loaded)?;
        if is_forgetful {
            let Plugins { set, handlers, policies, .. } = &mut plugins;
            set.handlers.iter_mut().zip(handlers).for_each(|(active, loaded)| forgetful::handler(active, loaded));
            set.policies.iter_mut().zip(policies).for_each(|(active, loaded)| forgetful::policy(active, loaded));
        }
        let registry = Arc::new(Registry::new(Arc::clone(&symbols), 1));
        let config = Arc::new(ShardConfig {
            generation: 1,
            rules: Arc::new(Rules::new(Enrolment::Certificate, &[], handlers.iter(), policies.iter())),
            expected: Arc::from([]),
            state_per_component: crate::config::limits::PLUGIN_STATE_PER_COMPONENT,
            since: START,
            note: Arc::from(""),
            plugins: plugins.set.clone(),
        });
        let around = Surroundings {
            symbols: Arc::clone(&symbols),
            registry: Arc::clone(&registry),
            metrics: Arc::clone(&self.metrics),
            manager: Arc::from("mx/trial"),
            next_alarm_id: Arc::new(AtomicU64::new(1)),
            shards: 1,
        };
        Ok(Trial {
            stage: Stage::new(ShardCore::new(0, around, Arc::clone(&config)), Arc::clone(&symbols), START),
            keep_raw: plugins.handlers.first().is_some_and(|handler| handler.needs().raw),
            plugins,
            symbols,
            registry,
            config,
            decoder: Decoder::new(),
            point,
        })
    }
}

/// What is looked at of a line before it is decoded.
#[derive(Deserialize)]
struct Timed {
    #[serde(default)]
    time: Option<String>,
}

impl Trial {
    /// Takes a line as a component would send it; `number` is its place in the recording.
    pub fn line(&mut self, number: usize, line: &str) -> Followed {
        let mut followed = Followed::default();
        let time = serde_json::from_str::<Timed>(line).ok().and_then(|timed| timed.time);
        let time = time.and_then(|time| Timestamp::parse(&time)).unwrap_or(self.stage.now());
        self.stage.until(time, &mut followed);
        let now = self.stage.now();
        let mut batch = ReportBatch::default();
        match self.decode(line, &mut batch) {
            Ok(entry) => {
                let handler = entry.card.load().handler;
                let unknown: Vec<_> = self.decoder.notes().unknown.iter().map(|word| word.text.clone()).collect();
                let worked = self.stage.report(batch, handler);
                let answer = words::answer(&worked.record);
                followed.line(format!("{now} line {number}, {}: {answer}", entry.component));
                if !unknown.is_empty() {
                    followed.detail(format!("not in the catalogue, kept as text: {}", unknown.join(", ")));
                }
                self.stage.tell(worked, &mut followed);
            }
            Err(refusal) => followed.line(format!("{now} line {number}: {refusal}")),
        }
        followed
    }

    /// Reads a report into a batch, as a connection does.
    pub(super) fn decode(&mut self, line: &str, batch: &mut ReportBatch) -> Result<Arc<ComponentEntry>, Refusal> {
        let options =
            DecodeOptions { symbols: &self.symbols, now: self.stage.now(), keep_raw: self.keep_raw, exchange: false };
        let decoded = self.decoder.decode(line.as_bytes(), batch, &options);
        let component_id = match decoded {
            Decoded::Report { component_id, .. } => component_id,
            Decoded::Malformed { reason, .. } => return Err(Refusal::new(ReasonCode::Malformed, reason)),
            Decoded::TooLarge { reason, .. } => return Err(Refusal::new(ReasonCode::TooLarge, reason)),
            _ => {
                let sentence = "a recording has messages of the type statusReport";
                return Err(Refusal::new(ReasonCode::Unsupported, sentence));
            }
        };
        let id =
            ComponentId::new(&component_id).map_err(|error| Refusal::new(ReasonCode::Malformed, error.to_string()))?;
        if let Some(path) = self.decoder.notes().key_material.first() {
            return Err(Refusal::new(ReasonCode::Rejected, key_material_refusal(path)));
        }
        let component = ComponentRef::new(self.point, id);
        let entry = self.registry.admit(&component, || self.config.rules.card(&component));
        if let Some(head) = batch.reports.last_mut() {
            head.component = entry.symbol.0;
        }
        self.decoder.bind_resources(batch, &mut |text| entry.resource(text, &self.symbols));
        Ok(entry)
    }
}
