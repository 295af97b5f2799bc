//! Makes plugins ready: found, compiled (or taken from the cache), described, configured once in a throw-away instance
//! to see every problem before anything changes, and bound to this manager's symbols.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use serde_json::Value;
use wasmtime::{
    Engine,
    component::{Component, HasSelf, InstancePre, Linker},
};

use super::{
    LoadedHandler, LoadedPolicy, PluginError, PluginFailure,
    artifact::Artifact,
    bindings::handler::qkdn::manager::{host, types},
    cache::CodeCache,
    engine,
    instance::{Guest, Setup, shortened},
    log_gate::LogGate,
    schema,
};
use crate::{
    config::{HandlerConfig, PluginSource, PluginsConfig, PolicyConfig, limits},
    model::SymbolTable,
    telemetry::metrics::Metrics,
};

/// What a plugin says about itself.
#[derive(Clone, Debug, PartialEq)]
pub struct PluginDescription {
    /// Its name; not the configured one.
    pub name: String,
    /// Its version.
    pub version: String,
    /// One sentence.
    pub summary: String,
    /// JSON Schema of its configuration.
    pub schema: Value,
    /// Further facts.
    pub extra: Vec<(String, String)>,
}

/// Loads plugins. One for the whole manager.
pub struct PluginHost {
    engine: Engine,
    linker: Linker<Guest>,
    cache: CodeCache,
    config: PluginsConfig,
    metrics: Arc<Metrics>,
    compiled: Mutex<HashMap<String, Weak<Compiled>>>,
}

impl std::fmt::Debug for PluginHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PluginHost").field("config", &self.config).finish_non_exhaustive()
    }
}

/// Machine code, shared by every configured plugin with the same bytes.
pub(super) struct Compiled {
    digest: String,
    component: Component,
}

/// A plugin on its way to [`LoadedHandler`] or [`LoadedPolicy`], and what remains the same there.
pub(super) struct Loading {
    /// The configured name.
    pub(super) name: Arc<str>,
    /// `builtin:mq`, or the file's path.
    pub(super) artifact: String,
    /// Kept alive, so that equal plugins find it.
    pub(super) compiled: Arc<Compiled>,
    /// What its instances need.
    pub(super) setup: Setup,
    /// The plugin's configuration.
    pub(super) config: Value,
    /// The same as text.
    pub(super) config_text: String,
}

impl PluginHost {
    /// Starts the engine and opens the cache of compiled code.
    pub fn new(config: &PluginsConfig, metrics: Arc<Metrics>) -> Result<Arc<Self>, PluginError> {
        let failed = |error: wasmtime::Error| PluginError::StartEngine(format!("{error:#}"));
        let engine = engine::start().map_err(failed)?;
        let mut linker = Linker::new(&engine);
        host::add_to_linker::<_, HasSelf<_>>(&mut linker, |guest: &mut Guest| guest).map_err(failed)?;
        let cache = CodeCache::open(&config.cache_dir, &engine);
        Ok(Arc::new(Self { engine, linker, cache, config: config.clone(), metrics, compiled: Mutex::default() }))
    }

    /// Names of the plugins inside this binary, as in `builtin:mq`.
    pub fn builtin_names() -> impl Iterator<Item = &'static str> {
        super::artifact::builtin_names()
    }

    /// Loads a handler and checks its configuration. `symbols` must hold the catalogue.
    pub fn load_handler(
        &self,
        config: &HandlerConfig,
        symbols: &SymbolTable,
    ) -> Result<Arc<LoadedHandler>, PluginError> {
        let loading = self.start_loading(&config.name, &config.plugin, config.sha256.as_deref(), &config.config)?;
        let pre = self.link(&loading)?;
        LoadedHandler::load(loading, pre, config.reference_point, symbols)
    }

    /// Loads a policy and checks its configuration. `symbols` must hold the catalogue.
    pub fn load_policy(&self, config: &PolicyConfig, symbols: &SymbolTable) -> Result<Arc<LoadedPolicy>, PluginError> {
        let loading = self.start_loading(&config.name, &config.plugin, config.sha256.as_deref(), &config.config)?;
        let pre = self.link(&loading)?;
        LoadedPolicy::load(loading, pre, symbols)
    }

    fn start_loading(
        &self,
        plugin: &str,
        source: &PluginSource,
        pinned: Option<&str>,
        config: &Value,
    ) -> Result<Loading, PluginError> {
        let artifact = Artifact::find(plugin, source, pinned)?;
        let text = artifact.text.clone();
        let compiled = self.compile(artifact).map_err(|problem| PluginError::Unusable {
            plugin: plugin.to_owned(),
            artifact: text.clone(),
            problem,
        })?;
        let config = if config.is_null() { Value::Object(serde_json::Map::new()) } else { config.clone() };
        let name: Arc<str> = Arc::from(plugin);
        let counters = Arc::clone(self.metrics.plugins.entry(plugin.to_owned()).or_default().value());
        let setup = Setup {
            name: Arc::clone(&name),
            cpu_time: self.config.cpu_time,
            memory: self.config.memory,
            log: Arc::new(LogGate::new(self.config.log_lines_per_second)),
            counters,
        };
        Ok(Loading { name, artifact: text, compiled, setup, config_text: config.to_string(), config })
    }

    /// Equal bytes are compiled once, also when several ask at the same time.
    fn compile(&self, artifact: Artifact) -> Result<Arc<Compiled>, String> {
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = compiled.get(&artifact.digest).and_then(Weak::upgrade) {
            return Ok(found);
        }
        compiled.retain(|_, code| code.strong_count() > 0);
        let digest = artifact.digest.clone();
        let component = self.cache.component(&self.engine, &digest, || artifact.into_component())?;
        let new = Arc::new(Compiled { digest: digest.clone(), component });
        compiled.insert(digest, Arc::downgrade(&new));
        Ok(new)
    }

    fn link(&self, loading: &Loading) -> Result<InstancePre<Guest>, PluginError> {
        self.linker.instantiate_pre(&loading.compiled.component).map_err(|error| {
            let text = format!("{error:#}");
            let what = if text.contains("`wasi:") {
                "imports WASI, and the manager gives plugins nothing of it: build it for wasm32-unknown-unknown"
            } else {
                "imports what the manager does not give plugins (it gives qkdn:manager/host@0.1.0)"
            };
            loading.unusable(format!("{what} ({text})"))
        })
    }
}

impl Loading {
    /// SHA-256 of the plugin, lower-case hex.
    pub(super) fn digest(&self) -> &str {
        &self.compiled.digest
    }

    /// The plugin cannot be used.
    pub(super) fn unusable(&self, problem: String) -> PluginError {
        PluginError::Unusable { plugin: self.name.to_string(), artifact: self.artifact.clone(), problem }
    }

    /// The component lacks the export of the world that was asked for.
    pub(super) fn wrong_world(&self, wanted: &str, error: &wasmtime::Error) -> PluginError {
        let component = &self.compiled.component;
        let kind = component.component_type();
        let exports: Vec<&str> = kind.exports(component.engine()).map(|(name, _)| name).collect();
        let found = if exports.is_empty() { "nothing".to_owned() } else { exports.join(", ") };
        let hint = match wanted {
            "handler" if exports.iter().any(|name| name.starts_with("qkdn:manager/policy@")) => {
                ": it is a policy and belongs into [[policies]]"
            }
            "policy" if exports.iter().any(|name| name.starts_with("qkdn:manager/handler@")) => {
                ": it is a handler and belongs into [[handlers]]"
            }
            _ => "",
        };
        self.unusable(format!("does not export qkdn:manager/{wanted}@0.1.0; it exports {found}{hint} ({error:#})"))
    }

    /// A call failed.
    pub(super) fn failed(&self, function: &'static str, failure: PluginFailure) -> PluginError {
        PluginError::Call { plugin: self.name.to_string(), artifact: self.artifact.clone(), function, failure }
    }

    /// Problems of the configuration, if there are any.
    pub(super) fn refuse(&self, mut problems: Vec<(String, String)>) -> Result<(), PluginError> {
        if problems.is_empty() {
            return Ok(());
        }
        problems.truncate(limits::PLUGIN_CONFIGURATION_PROBLEMS);
        Err(PluginError::Configuration { plugin: self.name.to_string(), problems })
    }

    /// The description, its schema parsed and the configuration checked with it.
    pub(super) fn described(&self, told: types::Description) -> Result<PluginDescription, PluginError> {
        let schema = schema::parse(&told.config_schema).map_err(|problem| self.unusable(problem))?;
        let problems = schema::problems(&schema, &self.config).map_err(|problem| self.unusable(problem))?;
        self.refuse(problems)?;
        let short = |text| shortened(text, limits::PLUGIN_IDENTIFIER_BYTES);
        Ok(PluginDescription {
            name: short(told.name),
            version: short(told.version),
            summary: shortened(told.summary, limits::PLUGIN_TEXT_BYTES),
            schema,
            extra: told.extra.into_iter().map(|(name, value)| (short(name), short(value))).collect(),
        })
    }

    /// Problems that the plugin's own `configure` found.
    pub(super) fn configured<T>(&self, answer: Result<T, Vec<types::Problem>>) -> Result<T, PluginError> {
        answer.map_err(|problems| {
            let mut problems: Vec<_> = problems.into_iter().map(|problem| (problem.path, problem.message)).collect();
            if problems.is_empty() {
                problems.push((String::new(), "the plugin refuses it and does not say why".to_owned()));
            }
            problems.truncate(limits::PLUGIN_CONFIGURATION_PROBLEMS);
            PluginError::Configuration { plugin: self.name.to_string(), problems }
        })
    }
}
