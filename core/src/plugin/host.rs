//! Makes plugins ready: found, compiled (or taken from the cache), described, configured once in a throw-away instance
//! to see every problem before anything changes, and bound to this manager's symbols.

use std::sync::{Arc, atomic::AtomicU64};

use serde_json::Value;

use super::{
    LoadedCollector, LoadedExchange, LoadedHandler, LoadedPolicy, PluginError, PluginFailure,
    artifact::{Artifact, Form},
    log_gate::LogGate,
    native, schema,
    setup::{Setup, shortened},
    signature::{Signature, signature_of, trusted_keys},
    wasm::{self, wit::types},
};
use crate::{
    config::{CollectorConfig, ExchangeConfig, HandlerConfig, PluginSource, PluginsConfig, PolicyConfig, limits},
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
    pub(super) components: Arc<wasm::Runtime>,
    config: PluginsConfig,
    metrics: Arc<Metrics>,
    instructions: Option<Arc<AtomicU64>>,
}

impl std::fmt::Debug for PluginHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PluginHost").field("config", &self.config).finish_non_exhaustive()
    }
}

/// What a plugin is known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// SHA-256 of its bytes, lower-case hex.
    pub digest: String,
    /// Whose signature it carries. `None`: it is inside this binary and needs none.
    pub signature: Option<Signature>,
}

/// A plugin on its way to [`LoadedHandler`], [`LoadedPolicy`] or [`LoadedExchange`], and what remains the same there.
pub(super) struct Loading {
    /// The configured name.
    pub(super) name: Arc<str>,
    /// `builtin:mq`, or the file's path.
    pub(super) artifact: String,
    /// What it is known by.
    pub(super) identity: Identity,
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
        let components = wasm::Runtime::start(&config.cache_dir, false).map_err(PluginError::StartEngine)?;
        Ok(Arc::new(Self { components: Arc::new(components), config: config.clone(), metrics, instructions: None }))
    }

    /// One whose plugins count the instructions that they run, all together; they are slower for it, and measured by nothing else.
    pub fn counting(config: &PluginsConfig) -> Result<(Arc<Self>, Arc<AtomicU64>), PluginError> {
        let components = wasm::Runtime::start(&config.cache_dir, true).map_err(PluginError::StartEngine)?;
        let counter = Arc::new(AtomicU64::new(0));
        let (metrics, instructions) = (Arc::default(), Some(Arc::clone(&counter)));
        Ok((
            Arc::new(Self { components: Arc::new(components), config: config.clone(), metrics, instructions }),
            counter,
        ))
    }

    /// One with other limits, on the same engine and the same cache of compiled code.
    #[must_use]
    pub fn with_limits(&self, config: &PluginsConfig) -> Arc<Self> {
        let (components, metrics) = (Arc::clone(&self.components), Arc::clone(&self.metrics));
        Arc::new(Self { components, config: config.clone(), metrics, instructions: self.instructions.clone() })
    }

    /// What a plugin is known by as it is found now.
    ///
    /// # Errors
    /// If it cannot be read, or a signature is needed and missing.
    pub fn identity(&self, name: &str, source: &PluginSource) -> Result<Identity, PluginError> {
        let artifact = Artifact::find(name, source, None)?;
        let signature = self.signature(name, source, &artifact)?;
        Ok(Identity { digest: artifact.digest, signature })
    }

    /// Names of the plugins inside this binary, as in `builtin:mq`.
    pub fn builtin_names() -> impl Iterator<Item = &'static str> {
        super::artifact::builtin_names()
    }

    /// Those of them that are exchange policies; handlers are named after reference points, and the rest are FCAPS policies.
    #[must_use]
    pub fn is_exchange(builtin: &str) -> bool {
        builtin == "disclosure"
    }

    /// Loads a handler and checks its configuration. `symbols` must hold the catalogue.
    pub fn load_handler(
        &self,
        config: &HandlerConfig,
        symbols: &SymbolTable,
    ) -> Result<Arc<LoadedHandler>, PluginError> {
        let (artifact, loading) = self.begin(&config.name, &config.plugin, config.sha256.as_deref(), &config.config)?;
        let start = match artifact.form {
            Form::Component => self.components.handler(artifact),
            Form::Library => native::handler(artifact, &self.config),
        };
        let start = start.map_err(|problem| loading.unusable(problem))?;
        LoadedHandler::load(loading, start, config.reference_point, symbols)
    }

    /// Loads a policy and checks its configuration. `symbols` must hold the catalogue.
    pub fn load_policy(&self, config: &PolicyConfig, symbols: &SymbolTable) -> Result<Arc<LoadedPolicy>, PluginError> {
        let (artifact, loading) = self.begin(&config.name, &config.plugin, config.sha256.as_deref(), &config.config)?;
        let start = match artifact.form {
            Form::Component => self.components.policy(artifact),
            Form::Library => native::policy(artifact, &self.config),
        };
        let start = start.map_err(|problem| loading.unusable(problem))?;
        LoadedPolicy::load(loading, start, symbols)
    }

    /// Loads an exchange policy and checks its configuration.
    pub fn load_exchange(&self, config: &ExchangeConfig) -> Result<Arc<LoadedExchange>, PluginError> {
        let (artifact, loading) =
            self.begin(&config.name(), &config.plugin, config.sha256.as_deref(), &config.config)?;
        let start = match artifact.form {
            Form::Component => self.components.exchange(artifact),
            Form::Library => Err(
                "is a native library: what stands at the border of the domain has limits, so it has to be WebAssembly"
                    .to_owned(),
            ),
        };
        let start = start.map_err(|problem| loading.unusable(problem))?;
        LoadedExchange::load(loading, start)
    }

    /// Loads a collector and checks its configuration.
    pub fn load_collector(&self, config: &CollectorConfig) -> Result<Arc<LoadedCollector>, PluginError> {
        let (artifact, loading) = self.begin(&config.name, &config.plugin, config.sha256.as_deref(), &config.config)?;
        let start = match artifact.form {
            Form::Component => self.components.collector(artifact),
            Form::Library => {
                Err("is a native library: what speaks with devices has limits, so it has to be WebAssembly".to_owned())
            }
        };
        let start = start.map_err(|problem| loading.unusable(problem))?;
        let components = config.components.iter().map(ToString::to_string).collect();
        LoadedCollector::load(loading, start, components)
    }

    /// What a collector says about itself, whatever it is going to be configured with.
    pub fn describe_collector(&self, source: &PluginSource) -> Result<PluginDescription, PluginError> {
        let (artifact, loading) = self.begin(&source.to_string(), source, None, &Value::Null)?;
        let start = self.components.collector(artifact).map_err(|problem| loading.unusable(problem))?;
        let mut instance = start(&loading.setup).map_err(|failure| loading.failed("start", failure))?;
        loading.description(instance.describe().map_err(|failure| loading.failed("describe", failure))?)
    }

    /// What a handler says about itself, whatever it is going to be configured with.
    pub fn describe_handler(&self, source: &PluginSource) -> Result<PluginDescription, PluginError> {
        let (artifact, loading) = self.begin(&source.to_string(), source, None, &Value::Null)?;
        let start = match artifact.form {
            Form::Component => self.components.handler(artifact),
            Form::Library => native::handler(artifact, &self.config),
        };
        let start = start.map_err(|problem| loading.unusable(problem))?;
        let mut instance = start(&loading.setup).map_err(|failure| loading.failed("start", failure))?;
        loading.description(instance.describe().map_err(|failure| loading.failed("describe", failure))?)
    }

    /// What a policy says about itself, whatever it is going to be configured with.
    pub fn describe_policy(&self, source: &PluginSource) -> Result<PluginDescription, PluginError> {
        let (artifact, loading) = self.begin(&source.to_string(), source, None, &Value::Null)?;
        let start = match artifact.form {
            Form::Component => self.components.policy(artifact),
            Form::Library => native::policy(artifact, &self.config),
        };
        let start = start.map_err(|problem| loading.unusable(problem))?;
        let mut instance = start(&loading.setup).map_err(|failure| loading.failed("start", failure))?;
        loading.description(instance.describe().map_err(|failure| loading.failed("describe", failure))?)
    }

    /// Whose signature a plugin carries; an error where one is needed and missing. What is inside the binary was approved with it.
    fn signature(
        &self,
        plugin: &str,
        source: &PluginSource,
        artifact: &Artifact,
    ) -> Result<Option<Signature>, PluginError> {
        let (PluginSource::File(path) | PluginSource::Native(path)) = source else { return Ok(None) };
        let trusted = trusted_keys(&self.config.trusted_keys).map_err(|problems| {
            let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
            PluginError::TrustedKeys(texts.join("; "))
        })?;
        let signature = signature_of(path, &artifact.digest, &trusted);
        match signature {
            Signature::Of { .. } => Ok(Some(signature)),
            _ if self.config.require_signature => Err(PluginError::NotSigned {
                plugin: plugin.to_owned(),
                artifact: artifact.text.clone(),
                path: path.clone(),
                signature,
            }),
            Signature::None | Signature::Worthless(_) => {
                if matches!(signature, Signature::Worthless(_)) && !trusted.is_empty() {
                    tracing::warn!(plugin, path = %path.display(), "A plugin is loaded although {signature}.");
                }
                Ok(Some(signature))
            }
        }
    }

    pub(super) fn begin(
        &self,
        plugin: &str,
        source: &PluginSource,
        pinned: Option<&str>,
        config: &Value,
    ) -> Result<(Artifact, Loading), PluginError> {
        let artifact = Artifact::find(plugin, source, pinned)?;
        let signature = self.signature(plugin, source, &artifact)?;
        let config = if config.is_null() { Value::Object(serde_json::Map::new()) } else { config.clone() };
        let name: Arc<str> = Arc::from(plugin);
        let counters = Arc::clone(self.metrics.plugins.entry(plugin.to_owned()).or_default().value());
        let setup = Setup {
            name: Arc::clone(&name),
            cpu_time: self.config.cpu_time,
            wall_time: self.config.wall_time,
            memory: self.config.memory,
            table_elements: self.config.table_elements,
            answer_size: self.config.answer_size,
            log: Arc::new(LogGate::new(self.config.log_lines_per_second)),
            is_rehearsing: false,
            instructions: self.instructions.clone(),
            counters,
        };
        let loading = Loading {
            name,
            artifact: artifact.text.clone(),
            identity: Identity { digest: artifact.digest.clone(), signature },
            setup,
            config_text: config.to_string(),
            config,
        };
        Ok((artifact, loading))
    }
}

/// Why an instance cannot be had: its plugin took this configuration when it was loaded, and does not now.
pub(super) fn refused_after_all(problems: &[types::Problem]) -> PluginFailure {
    let first = problems.first().map_or("no reason given", |problem| problem.message.as_str());
    PluginFailure::Instantiate(format!("refuses the configuration that it accepted before: {first}"))
}

impl Loading {
    /// The plugin cannot be used.
    pub(super) fn unusable(&self, problem: String) -> PluginError {
        PluginError::Unusable { plugin: self.name.to_string(), artifact: self.artifact.clone(), problem }
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
        let description = self.description(told)?;
        let problems = schema::problems(&description.schema, &self.config).map_err(|problem| self.unusable(problem))?;
        self.refuse(problems)?;
        Ok(description)
    }

    /// The description, its schema parsed.
    pub(super) fn description(&self, told: types::Description) -> Result<PluginDescription, PluginError> {
        let schema = schema::parse(&told.config_schema).map_err(|problem| self.unusable(problem))?;
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
