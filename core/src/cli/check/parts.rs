//! What only the parts that use it can say of a configuration: plugins are loaded and configured in their sandbox,
//! certificates and keys are read. Nothing is opened or changed.

use std::sync::Arc;

use crate::{
    clock::wall_time,
    config::{
        InterfaceConfig, Loaded, PluginConfigProblem, PluginSource, PluginsConfig, PolicyConfig,
        exporter::SecretSource,
        load::PluginKind,
        problem::{Level, Problem},
        reader::resembling,
        source::Place,
    },
    manager::{
        collectors::load_hosts,
        exporters::load_credentials,
        federation::membership::{membership, trust_sources},
    },
    model::{Catalogue, ComponentId, ComponentRef, ReferencePoint, SymbolTable},
    net::{InterfaceTrust, TrustWarning, credentials::odd_name},
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
            Err(error) => problems.extend(error.problems.iter().map(|problem| {
                let (place, whose) = place_of(loaded, interface.reference_point, problem.key());
                located(place, format!("{whose}{problem}"))
            })),
        }
    }
    problems.extend(own_names(loaded));
    problems.extend(alarm_types(loaded));
    problems.extend(exporters(loaded));
    problems.extend(collectors(loaded));
    if let Err(keys) = membership(&loaded.config) {
        // A file that is not there was named already.
        let there = keys.into_iter().filter(|problem| problem.path.exists());
        problems.extend(there.map(|problem| Problem::nowhere(problem.to_string())));
    }
    problems
}

/// Where a key of an interface's TLS is written: in its own table, or for all interfaces, where the problem is then one of
/// all; and the beginning of a sentence about it.
fn place_of(loaded: &Loaded, point: ReferencePoint, key: &str) -> (Option<Place>, String) {
    match loaded.place_of(&["interfaces", point.as_str(), key]) {
        Some(own) => (Some(own), format!("interface {point}: ")),
        None => (loaded.place_of(&["tls", key]), String::new()),
    }
}

fn located(place: Option<Place>, message: String) -> Problem {
    match place {
        Some(place) => Problem::error(place, message),
        None => Problem::nowhere(message),
    }
}

/// Certificates of the manager that name somebody else.
fn own_names(loaded: &Loaded) -> Vec<Problem> {
    let config = &loaded.config;
    let Ok(id) = ComponentId::new(&config.manager.id) else { return Vec::new() };
    let manager = ComponentRef::new(ReferencePoint::Mx, id);
    let odd = |interface: &InterfaceConfig| {
        let point = interface.reference_point;
        let needs_name = point == ReferencePoint::Mx && !config.peers.is_empty();
        let text = odd_name(&interface.tls.certificate, &manager, needs_name)?;
        let (place, whose) = place_of(loaded, point, "certificate");
        let problem = located(place, format!("{whose}{text}"));
        let help = format!(
            "issue one for it: `qkdnm pki issue PKI --reference-point mx --component-id {}`; or correct manager.id",
            config.manager.id
        );
        Some(Problem { level: Level::Warning, ..problem }.help(help))
    };
    config.interfaces.iter().filter_map(odd).collect()
}

/// Alarm types of policies that are almost one of the catalogue: they work, and are probably slips.
fn alarm_types(loaded: &Loaded) -> Vec<Problem> {
    let known: Vec<&str> = Catalogue::get().alarms.iter().map(|known| known.id.as_str()).collect();
    let slip = |policy: &PolicyConfig| {
        let written = policy.config.get("alarm_type")?.as_str()?;
        let near = (!known.contains(&written)).then(|| resembling(written, &known)).flatten()?;
        let message = format!("policy `{}`: the catalogue has no alarm type `{written}`", policy.name);
        let place = loaded.locate(PluginKind::Policy, &policy.name, Some("/alarm_type"));
        let help = format!("did you mean `{near}`? A type of your own may be called as you like");
        Some(Problem { level: Level::Warning, ..located(place, message) }.help(help))
    };
    loaded.config.policies.iter().filter_map(slip).collect()
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

/// Certificates and keys of collectors' hosts.
fn collectors(loaded: &Loaded) -> Vec<Problem> {
    let mut problems = Vec::new();
    for config in &loaded.config.collectors {
        // A file that is not there was named already.
        if config.tls_files().any(|path| !path.exists()) {
            continue;
        }
        let of = |text: String| Problem::nowhere(format!("collector {}: {text}", config.name));
        let (loaded, warnings) = load_hosts(config);
        problems.extend(warnings.into_iter().map(|text| Problem { level: Level::Warning, ..of(text) }));
        problems.extend(loaded.err().into_iter().flatten().map(of));
    }
    problems
}

/// Loads every handler, policy, exchange policy and collector; all complaints.
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
    // A file that is not there was named already.
    let is_there = |source: &PluginSource| match source {
        PluginSource::File(path) | PluginSource::Native(path) => path.exists(),
        PluginSource::Builtin(_) => true,
    };
    let handlers = config.handlers.iter().filter(|handler| is_there(&handler.plugin)).filter_map(|handler| {
        host.load_handler(handler, &symbols).err().map(|error| error.complaints(PluginKind::Handler, &handler.name))
    });
    let policies = config.policies.iter().filter(|policy| is_there(&policy.plugin)).filter_map(|policy| {
        host.load_policy(policy, &symbols).err().map(|error| error.complaints(PluginKind::Policy, &policy.name))
    });
    let exchange = config.exchange.iter().filter_map(|policy| {
        host.load_exchange(policy).err().map(|error| error.complaints(PluginKind::Exchange, &policy.name()))
    });
    let collectors = config.collectors.iter().filter(|one| is_there(&one.plugin)).filter_map(|one| {
        host.load_collector(one).err().map(|error| error.complaints(PluginKind::Collector, &one.name))
    });
    handlers.chain(policies).chain(exchange).chain(collectors).flatten().collect()
}
