//! What only the parts that use it can say of a configuration: plugins are loaded and configured in their sandbox,
//! certificates and keys are read. Nothing is opened or changed.

use std::sync::Arc;

use crate::{
    clock::wall_time,
    config::{
        Loaded, PluginConfigProblem, PluginsConfig,
        exporter::SecretSource,
        load::PluginKind,
        problem::{Level, Problem},
    },
    manager::{
        exporters::load_credentials,
        federation::membership::{membership, trust_sources},
    },
    model::{Catalogue, SymbolTable},
    net::{InterfaceTrust, TrustWarning},
    plugin::PluginHost,
    telemetry::metrics::Metrics,
};

/// Everything that the parts find wrong.
#[must_use]
pub(super) fn problems(loaded: &Loaded) -> Vec<Problem> {
    let mut problems = loaded.complaints(&plugins(loaded));
    for interface in &loaded.config.interfaces {
        let read = |path: &std::path::PathBuf| path.exists();
        // A file that is not there was named already.
        if !read(&interface.tls.certificate)
            || !read(&interface.tls.private_key)
            || !interface.tls.trust_anchors.iter().all(read)
        {
            continue;
        }
        let clock = Arc::new(wall_time);
        let peers = trust_sources(&loaded.config, interface.reference_point);
        match InterfaceTrust::load(interface.reference_point, &interface.tls, &peers, &loaded.config.components, clock)
        {
            Ok((_, warnings)) => problems.extend(warnings.into_iter().map(|TrustWarning(text)| Problem {
                level: Level::Warning,
                ..Problem::nowhere(format!("interface {}: {text}", interface.reference_point))
            })),
            Err(error) => problems.push(Problem::nowhere(error.to_string())),
        }
    }
    problems.extend(exporters(loaded));
    if let Err(keys) = membership(&loaded.config) {
        // A file that is not there was named already.
        let there = keys.into_iter().filter(|problem| problem.path.exists());
        problems.extend(there.map(|problem| Problem::nowhere(problem.to_string())));
    }
    problems
}

/// Secrets and certificates of exporters.
fn exporters(loaded: &Loaded) -> Vec<Problem> {
    let mut problems = Vec::new();
    for config in &loaded.config.exporters {
        let of = |text: String| Problem::nowhere(format!("exporter {}: {text}", config.name));
        let tls = config.tls.iter().flat_map(|tls| {
            let own = tls.client.iter().flat_map(|(certificate, key)| [certificate, key]);
            tls.trust_anchors.iter().chain(own)
        });
        let secret = config.secret.iter().filter_map(|secret| match secret {
            SecretSource::File(path) => Some(path),
            SecretSource::Environment(_) => None,
        });
        // A file that is not there was named already.
        if tls.chain(secret).any(|path| !path.exists()) {
            continue;
        }
        let (loaded, warnings) = load_credentials(config);
        problems.extend(warnings.into_iter().map(|text| Problem { level: Level::Warning, ..of(text) }));
        problems.extend(loaded.err().into_iter().flatten().map(of));
    }
    problems
}

/// Loads every handler, policy and exchange policy; all complaints.
fn plugins(loaded: &Loaded) -> Vec<PluginConfigProblem> {
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
            Err(error) => return error.complaints(PluginKind::Handler, ""),
        };
    let symbols = SymbolTable::new();
    Catalogue::get().intern(&symbols);
    let handlers = config.handlers.iter().filter_map(|handler| {
        host.load_handler(handler, &symbols).err().map(|error| error.complaints(PluginKind::Handler, &handler.name))
    });
    let policies = config.policies.iter().filter_map(|policy| {
        host.load_policy(policy, &symbols).err().map(|error| error.complaints(PluginKind::Policy, &policy.name))
    });
    let exchange = config.exchange.iter().filter_map(|policy| {
        host.load_exchange(policy).err().map(|error| error.complaints(PluginKind::Exchange, &policy.name()))
    });
    handlers.chain(policies).chain(exchange).flatten().collect()
}
