//! What the work of a plugin costs without a plugin: a function of the manager's own that is given the same reports, as
//! the floor that plugins are measured against; what loading one costs; and how many reports of a recording one is shown.
//!
//! The handler looks up each sample's limits and reads each object; the policy compares each sample with a level and keeps what it
//! found, as `standard` and `threshold` do. Neither is of any use to a manager.

use std::time::Instant;

use super::{
    Sandbox, Setting, TrialError,
    measure::{Cost, Measured, ROUNDS, is_for, measured, median},
};
use crate::{
    config::{PluginKind, PluginSource, limits::BATCH_REPORTS},
    model::{Catalogue, ReportBatch, SymbolTable},
    plugin::{
        FcapsPolicy, Handled, InterfaceHandler, Observations, Outcome, PluginFailure, builtin_bytes, handler_config,
        policy_config,
    },
};

struct FloorHandler {
    /// By symbol; the catalogue has the lowest ones.
    limits: Vec<(f64, f64)>,
}

impl FloorHandler {
    fn new(symbols: &SymbolTable) -> Self {
        let mut limits = Vec::new();
        for value in &Catalogue::get().performance {
            let Some(symbol) = symbols.find(&value.name) else { continue };
            if limits.len() <= symbol.index() {
                limits.resize(symbol.index() + 1, (f64::NEG_INFINITY, f64::INFINITY));
            }
            if let Some(place) = limits.get_mut(symbol.index()) {
                *place = (value.min.unwrap_or(f64::NEG_INFINITY), value.max.unwrap_or(f64::INFINITY));
            }
        }
        Self { limits }
    }
}

impl InterfaceHandler for FloorHandler {
    fn handle(&mut self, reports: &ReportBatch) -> Result<Handled, PluginFailure> {
        let mut handled = Handled::default();
        for report in 0..reports.len() {
            let range = reports.samples(report);
            let names = reports.names.get(range.clone()).unwrap_or_default();
            let values = reports.values.get(range).unwrap_or_default();
            let is_out = |(name, value): (&u32, &f64)| {
                self.limits.get(*name as usize).is_some_and(|(least, most)| value < least || value > most)
            };
            if names.iter().zip(values).any(is_out) {
                handled.refusals.push((u32::try_from(report).unwrap_or(u32::MAX), "out of range".to_owned()));
            }
        }
        for object in &reports.objects {
            if serde_json::from_str::<serde_json::Value>(reports.object_text(object)).is_err() {
                handled.refusals.push((object.report, "no JSON".to_owned()));
            }
        }
        Ok(handled)
    }
}

struct FloorPolicy;

impl FcapsPolicy for FloorPolicy {
    fn evaluate(&mut self, seen: &Observations) -> Result<Outcome, PluginFailure> {
        let mut outcome = Outcome { state: seen.state.clone(), ..Outcome::default() };
        let width = seen.state.len().checked_div(seen.components.len()).unwrap_or(0);
        for (subject, value) in seen.subject.iter().zip(&seen.values) {
            if let Some(state) = outcome.state.get_mut(*subject as usize * width) {
                *state = if *value > 1e300 { 1.0 } else { 0.0 };
            }
        }
        Ok(outcome)
    }

    fn on_time(&mut self, due: &Observations) -> Result<Outcome, PluginFailure> {
        self.evaluate(due)
    }
}

impl Sandbox {
    /// Measures the manager's own function for a role, given what the plugin of the setting is given.
    ///
    /// # Errors
    /// As [`Self::measure`].
    pub fn measure_floor(&self, setting: &Setting<'_>, lines: &[String]) -> Result<Cost, TrialError> {
        let trial = self.trial(setting)?;
        let handler = FloorHandler::new(&trial.symbols);
        let mut native = match measured(trial, lines)? {
            Measured::Handler(_, batches) => Measured::Handler(Box::new(handler), batches),
            Measured::Policy(_, seen) => Measured::Policy(Box::new(FloorPolicy), seen),
        };
        let (mut alone, mut together) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            alone.push(native.time(0).map_err(TrialError::Failed)?);
            together.push(native.time(1).map_err(TrialError::Failed)?);
        }
        #[expect(clippy::cast_precision_loss, reason = "64")]
        let together_ns = median(together) / BATCH_REPORTS as f64;
        Ok(Cost { plugin: "native function".to_owned(), alone_ns: median(alone), together_ns, ..Cost::default() })
    }

    /// Of these reports, how many a plugin is shown: a handler all, a policy those with something that it asks for.
    ///
    /// # Errors
    /// If it cannot be loaded.
    pub fn shown(&self, setting: &Setting<'_>, lines: &[String]) -> Result<usize, TrialError> {
        let mut trial = self.trial(setting)?;
        let policy = trial.plugins.policies.first().cloned();
        let mut shown = 0;
        for line in lines {
            let mut report = ReportBatch::default();
            shown += usize::from(trial.decode(line, &mut report).is_ok() && is_for(policy.as_ref(), &report));
        }
        Ok(shown)
    }

    /// Milliseconds until a plugin is loaded and checked: compiled, if this sandbox has not had it yet.
    ///
    /// # Errors
    /// Everything that a manager would find wrong with it.
    pub fn load_ms(&self, setting: &Setting<'_>) -> Result<f64, TrialError> {
        let Setting { plugin, role, name, point, config, .. } = *setting;
        let symbols = SymbolTable::new();
        Catalogue::get().intern(&symbols);
        let begun = Instant::now();
        let loaded = if role == PluginKind::Handler {
            self.host().load_handler(&handler_config(name, plugin, point, config), &symbols).map(drop)
        } else {
            self.host().load_policy(&policy_config(name, plugin, config), &symbols).map(drop)
        };
        loaded.map_err(|error| TrialError::NotLoaded(error.to_string()))?;
        Ok(begun.elapsed().as_secs_f64() * 1e3)
    }
}

/// A plugin inside this binary as a file's content that no other has: `number` is in a custom section, which means nothing.
#[must_use]
pub fn variant(plugin: &PluginSource, number: u32) -> Option<Vec<u8>> {
    let PluginSource::Builtin(name) = plugin else { return None };
    let mut bytes = builtin_bytes(name)?.to_vec();
    let section = [b"\x05bench".as_slice(), &number.to_le_bytes()].concat();
    bytes.extend([0, u8::try_from(section.len()).ok()?]);
    bytes.extend(section);
    Some(bytes)
}
