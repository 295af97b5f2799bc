//! Plugins and interfaces as the API shows them: what was configured, and what is loaded and served for it.

use std::{net::SocketAddr, sync::Arc};

use super::plugins::Plugins;
use crate::{
    api::views::{ComponentCount, FailureView, HandlerView, InterfaceView, PluginCounters, PluginView, PolicyView},
    config::{Config, KeyExchange},
    model::{ReferencePoint, Timestamp},
    plugin::{Identity, LoadedHandler, LoadedPolicy, PluginDescription, signature::Signature},
    shard::{ActiveHandler, ActivePolicy},
    telemetry::metrics::Metrics,
};

/// Plugins that are loaded, each with who uses it.
pub(super) fn plugins(plugins: &Plugins) -> Vec<PluginView> {
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
