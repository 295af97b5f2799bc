//! Plugins and interfaces as the API shows them: what was configured, and what is loaded and served for it.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Instant};

use super::{collectors::Collectors, plugins::Plugins};
use crate::{
    api::views::{
        ComponentCount, FailureView, HandlerView, InstanceActivityView, InterfaceView, PluginActivityView,
        PluginCounters, PluginView, PolicyView, QuarantineView,
    },
    config::{Config, KeyExchange},
    model::{ReferencePoint, Timestamp},
    plugin::{Identity, LoadedHandler, LoadedPolicy, PluginDescription, signature::Signature},
    shard::{ActiveHandler, ActivePolicy},
    storage::{
        error::StorageError,
        record::Quarantined,
        state_db::{StateDb, state_db_path},
    },
    telemetry::{metrics::Metrics, plugin_calls::Activity},
};

/// Plugins that are loaded, each with who uses it.
pub(super) fn plugins(plugins: &Plugins, collectors: &Collectors) -> Vec<PluginView> {
    let mut views: Vec<PluginView> = Vec::new();
    let mut add = |role: &str, user: &str, plugin: String, identity: &Identity, description: &PluginDescription| {
        let known =
            views.iter_mut().find(|view| view.role == role && view.plugin == plugin && view.sha256 == identity.digest);
        match known {
            Some(view) => view.used_by.push(user.to_owned()),
            None => views.push(PluginView {
                plugin,
                sha256: identity.digest.clone(),
                signed_by: signed_by(identity),
                signature: signature(identity),
                role: role.to_owned(),
                name: description.name.clone(),
                version: description.version.clone(),
                summary: description.summary.clone(),
                schema: description.schema.clone(),
                used_by: vec![user.to_owned()],
            }),
        }
    };
    for (active, loaded) in plugins.set.handlers.iter().zip(&plugins.handlers) {
        add("handler", &active.config.name, active.config.plugin.to_string(), loaded.identity(), loaded.description());
    }
    for (active, loaded) in plugins.set.policies.iter().zip(&plugins.policies) {
        add("policy", &active.config.name, active.config.plugin.to_string(), loaded.identity(), loaded.description());
    }
    for loaded in &plugins.exchange {
        add("exchange", loaded.name(), loaded.plugin().to_owned(), loaded.identity(), loaded.description());
    }
    for (config, loaded) in collectors.loaded() {
        add("collector", &config.name, config.plugin.to_string(), loaded.identity(), loaded.description());
    }
    views
}

fn signed_by(identity: &Identity) -> Option<String> {
    match &identity.signature {
        Some(Signature::Of { kid, .. }) => Some(kid.clone()),
        _ => None,
    }
}

fn signature(identity: &Identity) -> String {
    let inside = || "inside the manager's binary, approved with it".to_owned();
    identity.signature.as_ref().map_or_else(inside, ToString::to_string)
}

/// Handlers that are loaded, and what they did.
pub(super) fn handlers(plugins: &Plugins, metrics: &Metrics) -> Vec<HandlerView> {
    let view = |(active, loaded): (&ActiveHandler, &Arc<LoadedHandler>)| HandlerView {
        name: active.config.name.clone(),
        reference_point: active.config.reference_point,
        plugin: active.config.plugin.to_string(),
        version: loaded.description().version.clone(),
        sha256: loaded.digest().to_owned(),
        on_failure: active.config.on_failure,
        then: active.config.then.clone(),
        counters: counters(metrics, &active.config.name),
        last_failure: last_failure(metrics, &active.config.name),
    };
    plugins.set.handlers.iter().zip(&plugins.handlers).map(view).collect()
}

/// Policies that are loaded, and what they did.
pub(super) fn policies(plugins: &Plugins, metrics: &Metrics) -> Vec<PolicyView> {
    let view = |(active, loaded): (&ActivePolicy, &Arc<LoadedPolicy>)| PolicyView {
        name: active.config.name.clone(),
        function: active.config.function,
        plugin: active.config.plugin.to_string(),
        version: loaded.description().version.clone(),
        sha256: loaded.digest().to_owned(),
        mode: active.config.mode,
        applies_to: (&active.config.applies_to).into(),
        config: active.config.config.clone(),
        counters: counters(metrics, &active.config.name),
        last_failure: last_failure(metrics, &active.config.name),
    };
    plugins.set.policies.iter().zip(&plugins.policies).map(view).collect()
}

/// What a plugin did since the manager started.
fn counters(metrics: &Metrics, plugin: &str) -> PluginCounters {
    metrics.plugins.get(plugin).map_or_else(PluginCounters::default, |counted| counted.value().as_ref().into())
}

/// A plugin's last failed call.
fn last_failure(metrics: &Metrics, plugin: &str) -> Option<FailureView> {
    let (at, text) = metrics.plugins.get(plugin)?.last_failure.load_full()?.as_ref().clone();
    Some(FailureView { time: Timestamp::of(at), text })
}

/// What calls of plugins cost.
pub(super) fn activity(plugins: &Plugins, collectors: &Collectors, metrics: &Metrics) -> Vec<PluginActivityView> {
    let handlers = plugins.set.handlers.iter().zip(&plugins.handlers).map(|(active, loaded)| {
        (
            "handler",
            active.config.name.as_str(),
            active.config.plugin.to_string(),
            loaded.description(),
            loaded.digest(),
        )
    });
    let policies = plugins.set.policies.iter().zip(&plugins.policies).map(|(active, loaded)| {
        ("policy", active.config.name.as_str(), active.config.plugin.to_string(), loaded.description(), loaded.digest())
    });
    let exchange = plugins
        .exchange
        .iter()
        .map(|loaded| ("exchange", loaded.name(), loaded.plugin().to_owned(), loaded.description(), loaded.digest()));
    let collectors = collectors.loaded().map(|(config, loaded)| {
        ("collector", config.name.as_str(), config.plugin.to_string(), loaded.description(), loaded.digest())
    });
    let now = Instant::now();
    let view = |(role, name, plugin, description, digest): (&str, &str, String, &PluginDescription, &str)| {
        let counted = metrics.plugins.get(name).map(|counted| Arc::clone(counted.value())).unwrap_or_default();
        let (mut sum, mut instances) = (Activity::default(), Vec::new());
        for (instance, numbers) in counted.instances() {
            let activity = numbers.activity();
            sum.add(&activity);
            let busy_ms = numbers.busy(now).map(|busy| u64::try_from(busy.as_millis()).unwrap_or(u64::MAX));
            instances.push(InstanceActivityView {
                instance: instance.to_string(),
                busy_ms,
                activity: (&activity).into(),
            });
        }
        PluginActivityView {
            name: name.to_owned(),
            role: role.to_owned(),
            plugin,
            version: description.version.clone(),
            sha256: digest.to_owned(),
            former_version: plugins.versions.former.get(name).map(|former| former.version.number().to_owned()),
            held_back_sha256: plugins.versions.held_back.get(name).cloned(),
            total: (&sum).into(),
            log_lines_dropped: counted.log_lines_dropped.get(),
            capability_refusals: counted.capability_refusals.get(),
            verdicts_dropped: counted.verdicts_dropped.get(),
            samples_not_shown: counted.samples_crowded_out.get(),
            last_failure: last_failure(metrics, name),
            instances,
        }
    };
    handlers.chain(policies).chain(exchange).chain(collectors).map(view).collect()
}

/// Reports that plugins could not take, the newest first. What came a moment ago may be there a moment later.
pub(super) fn quarantine(data_dir: &Path) -> Result<Vec<QuarantineView>, StorageError> {
    let kept =
        StateDb::open_read_only(&state_db_path(data_dir))?.map_or_else(|| Ok(Vec::new()), |db| db.quarantined())?;
    let view = |kept: Quarantined| {
        let Quarantined { plugin, component, time, failure, report } = kept;
        QuarantineView { time, plugin, component, failure, report }
    };
    Ok(kept.into_iter().rev().map(view).collect())
}

/// Interfaces of the configuration with what came over them; `counts` by reference point in the order of all.
pub(super) fn interfaces(
    config: &Config,
    addresses: &[(ReferencePoint, Vec<SocketAddr>)],
    counts: &[ComponentCount],
    metrics: &Metrics,
) -> Vec<InterfaceView> {
    let view = |(position, point): (usize, ReferencePoint)| {
        let interface = config.interfaces.iter().find(|interface| interface.reference_point == point)?;
        let counted = metrics.interface(point);
        Some(InterfaceView {
            reference_point: point,
            listen: addresses
                .iter()
                .find(|(other, _)| *other == point)
                .map_or_else(Vec::new, |(_, addresses)| addresses.clone()),
            key_exchange: match interface.tls.key_exchange {
                KeyExchange::HybridRequired => "hybrid-required",
                KeyExchange::HybridPreferred => "hybrid-preferred",
                KeyExchange::Classical => "classical",
            }
            .to_owned(),
            components: counts.get(position).copied().unwrap_or_default(),
            connections: counted.connections.get(),
            max_connections: interface.max_connections,
            lines: counted.lines.get(),
            accepted: counted.accepted.get(),
            refused: counted.refused.iter().map(|counter| counter.get()).sum(),
        })
    };
    ReferencePoint::ALL.into_iter().enumerate().filter_map(view).collect()
}
