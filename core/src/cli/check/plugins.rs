//! What plugins find wrong with their entries: each is loaded and configured as the manager would, in its own sandbox.

use std::sync::Arc;

use crate::{
    config::{Loaded, PluginConfigProblem, PluginsConfig, load::PluginKind},
    model::{Catalogue, SymbolTable},
    plugin::{PluginError, PluginHost},
    telemetry::metrics::Metrics,
};

/// Loads every handler and policy; all complaints.
#[must_use]
pub fn complaints(loaded: &Loaded) -> Vec<PluginConfigProblem> {
    let config = &loaded.config;
    // A check changes nothing: compiled code goes to a folder that is gone afterwards, unless there is a cache already.
    let temporary = tempfile::tempdir().ok();
    let cache_dir = match &temporary {
        Some(folder) if !config.plugins.cache_dir.exists() => folder.path().to_path_buf(),
        _ => config.plugins.cache_dir.clone(),
    };
    let host =
        match PluginHost::new(&PluginsConfig { cache_dir, ..config.plugins.clone() }, Arc::new(Metrics::default())) {
            Ok(host) => host,
            Err(error) => return complaint(PluginKind::Handler, "", &error),
        };
    let symbols = SymbolTable::new();
    Catalogue::get().intern(&symbols);
    let handlers = config.handlers.iter().filter_map(|handler| {
        host.load_handler(handler, &symbols).err().map(|error| complaint(PluginKind::Handler, &handler.name, &error))
    });
    let policies = config.policies.iter().filter_map(|policy| {
        host.load_policy(policy, &symbols).err().map(|error| complaint(PluginKind::Policy, &policy.name, &error))
    });
    handlers.chain(policies).flatten().collect()
}

fn complaint(kind: PluginKind, name: &str, error: &PluginError) -> Vec<PluginConfigProblem> {
    let problem = |pointer, message| PluginConfigProblem { kind, name: name.to_owned(), pointer, message };
    match error {
        PluginError::Configuration { problems, .. } => {
            problems.iter().map(|(pointer, message)| problem(Some(pointer.clone()), message.clone())).collect()
        }
        other => {
            let mut message = other.to_string();
            let mut source = std::error::Error::source(other);
            while let Some(cause) = source {
                message = format!("{message}: {cause}");
                source = cause.source();
            }
            vec![problem(None, message)]
        }
    }
}
