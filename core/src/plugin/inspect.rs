//! Everything that is to be known about a plugin before an operator configures it: what it is, what it says about itself, and
//! whether the manager would load it.
//!
//! In: where the plugin is, and a configuration to try it with. Out: [`Inspected`]; what is wrong is in the words that the
//! manager would say at a start, since it is found by the same code. Nothing here runs a plugin on reports.

use std::{error::Error as _, sync::Arc};

use serde_json::Value;

use super::{
    LoadedHandler, LoadedPolicy, PluginDescription, PluginError, PluginHost,
    artifact::{Artifact, Form},
    signature::claimed,
    wasm::Shape,
};
use crate::{
    config::{
        ComponentMatch, FcapsFunction, HandlerConfig, OnFailure, PluginKind, PluginSource, PolicyConfig, PolicyMode,
    },
    model::{Catalogue, ComponentId, ComponentRef, ReferencePoint, Symbol, SymbolTable},
};

/// Interfaces of the contract, and what a plugin is that exports them.
const ROLES: [(&str, PluginKind); 4] = [
    ("qkdn:manager/handler@", PluginKind::Handler),
    ("qkdn:manager/policy@", PluginKind::Policy),
    ("qkdn:manager/exchange@", PluginKind::Exchange),
    ("qkdn:manager/collector@", PluginKind::Collector),
];

/// What a plugin is.
#[derive(Debug)]
pub struct Inspected {
    /// `builtin:mq`, or the file's path.
    pub artifact: String,
    /// SHA-256 of its bytes, lower-case hex.
    pub digest: String,
    /// What the signature beside it says, not checked. `None`: it is inside this binary.
    pub signature: Option<String>,
    /// Its size.
    pub bytes: usize,
    /// A core module, which the manager makes a component of when it loads it.
    pub is_core_module: bool,
    /// What it exports of the contract, with the version: `qkdn:manager/policy@0.1.0`.
    pub interface: Option<String>,
    /// What it is, as its exports say.
    pub role: Option<PluginKind>,
    /// What it imports.
    pub imports: Vec<String>,
    /// What it says about itself.
    pub description: Option<PluginDescription>,
    /// What became of the configuration; `None` if it did not come to that.
    pub configured: Option<Configured>,
    /// Why the manager would not load it, whatever its configuration.
    pub problem: Option<String>,
}

/// What a plugin made of a configuration.
#[derive(Debug, Default)]
pub struct Configured {
    /// What it asks for, as names and values in the order of the contract.
    pub needs: Vec<(&'static str, String)>,
    /// What it or its schema finds wrong: JSON Pointer and message.
    pub problems: Vec<(String, String)>,
}

impl PluginHost {
    /// Finds out what a plugin is, and tries it with a configuration; a handler as one of this reference point.
    ///
    /// # Errors
    /// If there is nothing to be inspected: it cannot be read, or is a native library.
    pub fn inspect(
        &self,
        source: &PluginSource,
        point: ReferencePoint,
        config: &Value,
    ) -> Result<Inspected, PluginError> {
        let name = source.to_string();
        let artifact = Artifact::find(&name, source, None)?;
        let unusable = |problem| PluginError::Unusable { plugin: name.clone(), artifact: name.clone(), problem };
        if artifact.form == Form::Library {
            let problem = "is a native library: it runs as part of the manager, and is not started to be looked at";
            return Err(unusable(problem.to_owned()));
        }
        let mut inspected = Inspected {
            artifact: artifact.text.clone(),
            digest: artifact.digest.clone(),
            signature: match source {
                PluginSource::File(path) | PluginSource::Native(path) => Some(claimed(path)),
                PluginSource::Builtin(_) => None,
            },
            bytes: artifact.bytes.len(),
            is_core_module: artifact.bytes.starts_with(b"\0asm\x01\0\0\0"),
            interface: None,
            role: None,
            imports: Vec::new(),
            description: None,
            configured: None,
            problem: None,
        };
        match self.components.shape(artifact) {
            Ok(Shape { imports, exports }) => {
                let roles = ROLES.iter().flat_map(|(prefix, role)| {
                    exports.iter().filter(move |name| name.starts_with(prefix)).map(move |name| (name, *role))
                });
                (inspected.interface, inspected.role) =
                    roles.into_iter().next().map(|(name, role)| (name.clone(), role)).unzip();
                inspected.imports = imports;
                self.question(source, point, config, &mut inspected);
            }
            Err(problem) => inspected.problem = Some(told(&unusable(problem))),
        }
        Ok(inspected)
    }

    /// A plugin as a component, as the manager makes one of a core module before it loads it.
    ///
    /// # Errors
    /// If it cannot be read or is no plugin.
    pub fn component(&self, source: &PluginSource) -> Result<Vec<u8>, PluginError> {
        let name = source.to_string();
        let artifact = Artifact::find(&name, source, None)?;
        let text = artifact.text.clone();
        artifact.into_component().map_err(|problem| PluginError::Unusable { plugin: name, artifact: text, problem })
    }

    /// What it says about itself, and what it makes of the configuration.
    fn question(&self, source: &PluginSource, point: ReferencePoint, config: &Value, inspected: &mut Inspected) {
        let described = match inspected.role {
            Some(PluginKind::Policy) => self.describe_policy(source),
            Some(PluginKind::Exchange) => self.describe_exchange(source),
            Some(PluginKind::Collector) => self.describe_collector(source),
            // What is no plugin at all is told so by the way of a handler.
            Some(PluginKind::Handler) | None => self.describe_handler(source),
        };
        match described {
            Ok(description) => inspected.description = Some(description),
            Err(error) => return inspected.problem = Some(told(&error)),
        }
        let symbols = SymbolTable::new();
        Catalogue::get().intern(&symbols);
        let needs = match inspected.role {
            Some(PluginKind::Policy) => self
                .load_policy(&policy_config(&source.to_string(), source, config), &symbols)
                .map(|loaded| policy_needs(&loaded, &symbols)),
            Some(PluginKind::Handler) => self
                .load_handler(&handler_config(&source.to_string(), source, point, config), &symbols)
                .map(|loaded| handler_needs(&loaded, &symbols)),
            Some(PluginKind::Exchange) => self.configure_exchange(source, config).map(|()| Vec::new()),
            Some(PluginKind::Collector) => self
                .load_collector(&collector_config(&source.to_string(), source, point, config))
                .map(|loaded| vec![("http", loaded.hosts().collect::<Vec<_>>().join(", "))]),
            None => return,
        };
        match needs {
            Ok(needs) => inspected.configured = Some(Configured { needs, problems: Vec::new() }),
            Err(PluginError::Configuration { problems, .. }) => {
                inspected.configured = Some(Configured { needs: Vec::new(), problems });
            }
            Err(error) => inspected.problem = Some(told(&error)),
        }
    }

    fn describe_exchange(&self, source: &PluginSource) -> Result<PluginDescription, PluginError> {
        let (artifact, loading) = self.begin(&source.to_string(), source, None, &Value::Null)?;
        let start = self.components.exchange(artifact).map_err(|problem| loading.unusable(problem))?;
        let mut instance = start(&loading.setup).map_err(|failure| loading.failed("start", failure))?;
        loading.description(instance.describe().map_err(|failure| loading.failed("describe", failure))?)
    }

    fn configure_exchange(&self, source: &PluginSource, config: &Value) -> Result<(), PluginError> {
        let (artifact, loading) = self.begin(&source.to_string(), source, None, config)?;
        let start = self.components.exchange(artifact).map_err(|problem| loading.unusable(problem))?;
        super::LoadedExchange::load(loading, start).map(drop)
    }
}

/// The entry of a policy that watches everybody.
#[must_use]
pub fn policy_config(name: &str, plugin: &PluginSource, config: &Value) -> PolicyConfig {
    PolicyConfig {
        name: name.to_owned(),
        function: FcapsFunction::Fault,
        plugin: plugin.clone(),
        sha256: None,
        applies_to: ComponentMatch::default(),
        mode: PolicyMode::Active,
        config: config.clone(),
    }
}

/// The entry of a handler of everybody at a reference point.
#[must_use]
pub fn handler_config(name: &str, plugin: &PluginSource, point: ReferencePoint, config: &Value) -> HandlerConfig {
    HandlerConfig {
        name: name.to_owned(),
        reference_point: point,
        matches: ComponentMatch::default(),
        plugin: plugin.clone(),
        sha256: None,
        on_failure: OnFailure::Reject,
        then: None,
        allow_key_names: Vec::new(),
        config: config.clone(),
    }
}

/// The entry of a collector for some component of a reference point.
#[must_use]
pub(super) fn collector_config(
    name: &str,
    plugin: &PluginSource,
    point: ReferencePoint,
    config: &Value,
) -> crate::config::CollectorConfig {
    let component = ComponentId::new("example").map(|id| ComponentRef { reference_point: point, id });
    crate::config::CollectorConfig {
        name: name.to_owned(),
        components: component.into_iter().collect(),
        plugin: plugin.clone(),
        sha256: None,
        http: Vec::new(),
        interval: crate::config::limits::COLLECTOR_INTERVAL,
        timeout: crate::config::limits::COLLECTOR_TIMEOUT,
        retry_max: crate::config::limits::COLLECTOR_RETRY_MAX,
        config: config.clone(),
    }
}

/// An error with its causes, as one text.
fn told(error: &PluginError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

fn texts<'a>(numbers: impl IntoIterator<Item = &'a u32>, symbols: &SymbolTable) -> String {
    let texts: Vec<_> = numbers.into_iter().map(|number| symbols.text(Symbol(*number)).to_string()).collect();
    texts.join(", ")
}

fn handler_needs(loaded: &Arc<LoadedHandler>, symbols: &SymbolTable) -> Vec<(&'static str, String)> {
    let needs = loaded.needs();
    let objects: Vec<_> = needs.objects.iter().map(|kind| kind.as_str()).collect();
    vec![
        ("names and words", texts(loaded.named(), symbols)),
        ("objects", objects.join(", ")),
        ("raw extensions", if needs.raw { "yes" } else { "" }.to_owned()),
    ]
}

fn policy_needs(loaded: &Arc<LoadedPolicy>, symbols: &SymbolTable) -> Vec<(&'static str, String)> {
    let needs = loaded.needs();
    let objects: Vec<_> = needs.objects.iter().map(|kind| kind.as_str()).collect();
    let subject = if needs.per_component { "component" } else { "component and resource" };
    let state = match needs.state_width {
        0 => String::new(),
        width => format!("{width} values for each {subject}"),
    };
    vec![
        ("names", texts(needs.names.iter().map(|symbol| &symbol.0), symbols)),
        ("objects", objects.join(", ")),
        ("state", state),
    ]
}
