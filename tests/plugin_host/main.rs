//! The plugin host with real guests: that good ones are served, and that bad ones are told apart, bounded, and do not
//! stop the next call.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod collectors;
mod devices;
mod exchange;
mod failures;
mod golden;
mod handlers;
mod loading;
mod native;
mod policies;

use std::{path::Path, sync::Arc, time::Duration};

use harness::guests;
use qkdn_manager::{
    config::{
        ComponentMatch, FcapsFunction, HandlerConfig, OnFailure, PluginSource, PluginsConfig, PolicyConfig, PolicyMode,
    },
    model::{Catalogue, ReferencePoint, ReportBatch, ReportHead, SampleKind, Symbol, SymbolTable, report_batch},
    plugin::{FcapsPolicy, InterfaceHandler, LoadedHandler, LoadedPolicy, Observations, PluginError, PluginHost},
    telemetry::metrics::Metrics,
};
use serde_json::Value;

/// The value that sets a test guest's misbehaviour off.
const MARKER: f64 = 666.0;

/// A host whose compiled code is kept from run to run, unless a test changes that.
struct Bench {
    host: Arc<PluginHost>,
    metrics: Arc<Metrics>,
    symbols: SymbolTable,
    directory: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut PluginsConfig)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = settings(directory.path());
        config.cache_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugin-cache");
        change(&mut config);
        let metrics = Arc::new(Metrics::default());
        let host = PluginHost::new(&config, Arc::clone(&metrics)).unwrap();
        let symbols = SymbolTable::new();
        Catalogue::get().intern(&symbols);
        Self { host, metrics, symbols, directory }
    }

    fn load_handler(&self, config: Value) -> Result<Arc<LoadedHandler>, PluginError> {
        self.host.load_handler(&handler_config(config), &self.symbols)
    }

    fn load_policy(&self, config: Value) -> Result<Arc<LoadedPolicy>, PluginError> {
        self.host.load_policy(&policy_config(config), &self.symbols)
    }

    fn handler(&self, config: Value) -> Box<dyn InterfaceHandler> {
        self.load_handler(config).unwrap().instantiate().unwrap()
    }

    fn policy(&self, config: Value) -> Box<dyn FcapsPolicy> {
        self.load_policy(config).unwrap().instantiate().unwrap()
    }

    fn symbol(&self, name: &str) -> Symbol {
        self.symbols.find(name).unwrap()
    }

    /// One report for each list of QBER values.
    fn reports(&self, qbers: &[&[f64]]) -> ReportBatch {
        let mut batch = ReportBatch::default();
        for qber in qbers {
            for value in *qber {
                batch.names.push(self.symbol("qber_ratio").0);
                batch.resources.push(0);
                batch.values.push(*value);
                batch.flags.push(report_batch::sample_flags(SampleKind::Number, 3));
            }
            let samples_end = u32::try_from(batch.values.len()).unwrap();
            batch.reports.push(ReportHead { component: 100, samples_end, ..ReportHead::default() });
        }
        batch
    }

    /// One sample for each value, in turn for `subjects` subjects whose state is as given.
    fn observations(&self, subjects: u32, state: &[f64], values: &[f64]) -> Observations {
        let samples = u32::try_from(values.len()).unwrap();
        Observations {
            now: 1_000_000,
            components: (0..subjects).map(|subject| 100 + subject).collect(),
            resources: vec![0; subjects as usize],
            state: state.to_vec(),
            subject: (0..samples).map(|sample| sample % subjects).collect(),
            names: vec![self.symbol("qber_ratio").0; values.len()],
            values: values.to_vec(),
            sample_resources: vec![0; values.len()],
            objects: Vec::new(),
        }
    }
}

fn settings(directory: &Path) -> PluginsConfig {
    PluginsConfig {
        require_signature: false,
        trusted_keys: Vec::new(),
        allow_native: false,
        cache_dir: directory.join("cache"),
        cpu_time: Duration::from_millis(50),
        wall_time: Duration::from_secs(60),
        memory: 32 << 20,
        table_elements: 100_000,
        answer_size: 1 << 20,
        state_per_component: 4096,
        log_lines_per_second: 20,
    }
}

fn handler_config(config: Value) -> HandlerConfig {
    HandlerConfig {
        name: "test-handler".to_owned(),
        reference_point: ReferencePoint::Mq,
        matches: ComponentMatch::default(),
        plugin: PluginSource::File(guests::wasm("guest-handler")),
        sha256: None,
        on_failure: OnFailure::Reject,
        then: None,
        allow_key_names: Vec::new(),
        config,
    }
}

fn policy_config(config: Value) -> PolicyConfig {
    PolicyConfig {
        name: "test-policy".to_owned(),
        function: FcapsFunction::Performance,
        plugin: PluginSource::File(guests::wasm("guest-policy")),
        sha256: None,
        applies_to: ComponentMatch::default(),
        mode: PolicyMode::Active,
        config,
    }
}
