//! The configuration as the manager uses it, written out again: every default filled in, files and environment joined,
//! paths in full. As values under the names of the contract (`super::contract`), so that the same can be shown as TOML,
//! answered as JSON and compared with another.
//!
//! In: a [`Config`]. Out: JSON whose shape is that of `manager.toml`. It is complete, secrets included: whoever shows it
//! takes [`super::secrets::hidden`] first.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    CollectorConfig, ComponentConfig, ComponentMatch, Config, FederationConfig, HandlerConfig, HostConfig,
    IdentityRule, InterfaceConfig, PeerConfig, PluginSource, PolicyConfig, SeesRule, SubscriptionConfig, TlsConfig,
    TokenConfig,
    exporter::{ExporterConfig, ExporterFilter, SecretSource},
    federation::{LinkConfig, OriginConfig, ServiceConfig, SettlementConfig},
    quantity::{show_duration, show_size},
    subscription::{EventConfig, ThresholdConfig},
};
use crate::model::{ComponentRef, ReferencePoint};

/// Everything that holds. `here` is the working directory, which paths from the environment are relative to. The standard
/// handlers, which stand in no file, are not among `handlers`.
#[must_use]
pub fn values(config: &Config, here: &Path) -> Value {
    let shown = Shown { here };
    let own = config.handlers.iter().filter(|one| !is_standard(&one.name));
    let list = |items: Vec<Value>| if items.is_empty() { Value::Null } else { Value::Array(items) };
    let interfaces: Map<String, Value> =
        config.interfaces.iter().map(|one| (one.reference_point.to_string(), shown.interface(one))).collect();
    present(json!({
        "manager": {
            "id": config.manager.id,
            "domain": config.manager.domain,
            "data_dir": shown.path(&config.manager.data_dir),
            "shards": config.manager.shards,
            "enrolment": config.manager.enrolment,
            "reload_on_change": config.manager.reload_on_change,
        },
        "log": { "format": if config.log.json { "json" } else { "text" }, "level": config.log.level },
        "tls": shown.tls(&config.tls),
        "interfaces": if interfaces.is_empty() { Value::Null } else { Value::Object(interfaces) },
        "components": list(config.components.iter().map(component).collect()),
        "handlers": list(own.map(|one| shown.handler(one)).collect()),
        "policies": list(config.policies.iter().map(|one| shown.policy(one)).collect()),
        "collectors": list(config.collectors.iter().map(|one| shown.collector(one)).collect()),
        "subscriptions": list(config.subscriptions.iter().map(subscription).collect()),
        "exporters": list(config.exporters.iter().map(|one| shown.exporter(one)).collect()),
        "federation": config.federation.as_ref().map(|one| shown.federation(one)),
        "peers": list(config.peers.iter().map(|one| shown.peer(one)).collect()),
        "plugins": {
            "allow_native": config.plugins.allow_native,
            "require_signature": config.plugins.require_signature,
            "trusted_keys": shown.paths(&config.plugins.trusted_keys),
            "cache_dir": shown.path(&config.plugins.cache_dir),
            "cpu_time": show_duration(config.plugins.cpu_time),
            "wall_time": show_duration(config.plugins.wall_time),
            "memory": show_size(config.plugins.memory as u64),
            "table_elements": config.plugins.table_elements,
            "answer_size": show_size(config.plugins.answer_size as u64),
            "state_per_component": show_size(config.plugins.state_per_component as u64),
            "log_lines_per_second": config.plugins.log_lines_per_second,
        },
        "storage": {
            "durability": config.storage.durability,
            "journal_retention": show_duration(config.storage.journal_retention),
            "journal_max_size": show_size(config.storage.journal_max_size),
            "journal_segment_size": show_size(config.storage.journal_segment_size),
            "history": {
                "raw": kept(config.storage.history.raw),
                "minute": kept(config.storage.history.minute),
                "hour": kept(config.storage.history.hour),
            },
        },
        "api": {
            "listen": config.api.listen,
            "read_without_token": config.api.read_without_token,
            "tokens": list(config.api.tokens.iter().map(token).collect()),
        },
    }))
}

/// Whether a handler is one of those that are there by themselves; nobody else may have such a name.
fn is_standard(name: &str) -> bool {
    name.strip_suffix("-standard").is_some_and(|point| point.parse::<ReferencePoint>().is_ok())
}

/// Without the keys that are absent (null) here. What a plugin is configured with is not looked into: null may be a value.
fn present(value: Value) -> Value {
    match value {
        Value::Object(map) => map
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| if key == "config" { (key, value) } else { (key, present(value)) })
            .collect(),
        Value::Array(items) => items.into_iter().map(present).collect(),
        other => other,
    }
}

/// A list that is shown only where it restricts something.
fn restricting<T: Serialize>(list: &[T]) -> Value {
    if list.is_empty() { Value::Null } else { json!(list) }
}

/// A text that is shown only where there is one.
fn restricting_text(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { text.into() }
}

/// Zero is a duration like others, in a unit that people know.
fn kept(duration: Duration) -> String {
    if duration.is_zero() { "0s".to_owned() } else { show_duration(duration) }
}

fn time(duration: Option<Duration>) -> Value {
    duration.map_or(Value::Null, |duration| show_duration(duration).into())
}

/// Shows paths in full.
struct Shown<'a> {
    here: &'a Path,
}

/// Components, and a part of each, as written.
fn named(from: &[(ComponentRef, String)]) -> Vec<String> {
    let source = |(component, part): &(ComponentRef, String)| {
        if part.is_empty() { component.to_string() } else { format!("{component} {part}") }
    };
    from.iter().map(source).collect()
}

impl Shown<'_> {
    fn path(&self, path: &Path) -> String {
        self.here.join(path).display().to_string()
    }

    fn paths(&self, paths: &[PathBuf]) -> Vec<String> {
        paths.iter().map(|path| self.path(path)).collect()
    }

    fn tls(&self, tls: &TlsConfig) -> Value {
        json!({
            "certificate": self.path(&tls.certificate),
            "private_key": self.path(&tls.private_key),
            "trust_anchors": self.paths(&tls.trust_anchors),
            "revocation_lists": self.paths(&tls.revocation_lists),
            "key_exchange": tls.key_exchange,
            "allow_tls12": tls.allow_tls12,
        })
    }

    fn federation(&self, one: &FederationConfig) -> Value {
        let link = |link: &LinkConfig| json!({ "name": link.name, "domain": link.domain, "from": named(&link.from) });
        let service = |service: &ServiceConfig| {
            json!({
                "name": service.name,
                "domains": service.domains,
                "from": named(&service.from),
                "key_rate": service.key_rate,
                "without_key": service.without_key.map(show_duration),
                "availability": service.availability,
                "window": show_duration(service.window),
            })
        };
        let settlement =
            |one: &SettlementConfig| json!({ "domain": one.domain, "peers": one.peers, "period": one.period });
        let tables = |tables: Vec<Value>| if tables.is_empty() { Value::Null } else { tables.into() };
        let origins: Vec<Value> = one.origins.iter().map(|origin| self.origin(origin)).collect();
        json!({
            "name": one.name,
            "area": restricting_text(&one.area),
            "role": one.role,
            "signing_key": self.path(&one.signing_key),
            "key_generation": one.key_generation,
            "min_epoch": one.min_epoch,
            "refresh": show_duration(one.refresh),
            "disclose": one.disclose,
            "disclose_area": one.disclose_area,
            "disclose_aggregators": one.disclose_aggregators,
            "export": self.paths(&one.export),
            "import": self.paths(&one.import),
            "origins": if origins.is_empty() { Value::Null } else { origins.into() },
            "links": tables(one.links.iter().map(link).collect()),
            "key_relations": tables(one.key_relations.iter().map(link).collect()),
            "services": tables(one.services.iter().map(service).collect()),
            "settlements": tables(one.settlements.iter().map(settlement).collect()),
        })
    }

    fn origin(&self, one: &OriginConfig) -> Value {
        json!({
            "domain": one.domain,
            "area": restricting_text(&one.area),
            "role": one.role,
            "key_generation": one.key_generation,
            "min_epoch": one.min_epoch,
            "signing_keys": self.paths(&one.signing_keys),
        })
    }

    fn peer(&self, one: &PeerConfig) -> Value {
        let mut value = json!({
            "id": one.id,
            "address": one.address,
            "trust_anchors": self.paths(&one.trust_anchors),
            "revocation_lists": self.paths(&one.revocation_lists),
            "export": self.paths(&one.export),
            "import": self.paths(&one.import),
            "pseudonym_key": one.pseudonym_key.as_ref().map(|path| self.path(path)),
            "requests": one.requests.iter().map(|kind| kind.configured()).collect::<Vec<_>>(),
        });
        if let (Some(value), Value::Object(origin)) = (value.as_object_mut(), self.origin(&one.origin)) {
            value.extend(origin);
        }
        value
    }

    fn interface(&self, one: &InterfaceConfig) -> Value {
        let mut value = json!({
            "listen": one.listen,
            "max_connections": one.max_connections,
            "max_connections_per_identity": one.max_connections_per_identity,
            "max_line_bytes": one.max_line_bytes,
            "max_in_flight": one.max_in_flight,
            "handshake_timeout": show_duration(one.handshake_timeout),
            "idle_timeout": show_duration(one.idle_timeout),
            "request_timeout": show_duration(one.request_timeout),
        });
        if let (Value::Object(keys), Value::Object(tls)) = (&mut value, self.tls(&one.tls)) {
            keys.extend(tls);
        }
        value
    }

    fn source(&self, source: &PluginSource) -> String {
        match source {
            PluginSource::Builtin(name) => format!("builtin:{name}"),
            PluginSource::File(path) => self.path(path),
            PluginSource::Native(path) => format!("native:{}", self.path(path)),
        }
    }

    fn handler(&self, one: &HandlerConfig) -> Value {
        json!({
            "name": one.name,
            "reference_point": one.reference_point,
            "match": matching(&one.matches),
            "plugin": self.source(&one.plugin),
            "sha256": one.sha256,
            "on_failure": one.on_failure,
            "then": one.then,
            "allow_key_names": one.allow_key_names,
            "config": one.config,
        })
    }

    fn policy(&self, one: &PolicyConfig) -> Value {
        json!({
            "name": one.name,
            "function": one.function,
            "plugin": self.source(&one.plugin),
            "sha256": one.sha256,
            "applies_to": matching(&one.applies_to),
            "mode": one.mode,
            "config": one.config,
        })
    }

    fn collector(&self, one: &CollectorConfig) -> Value {
        let host = |host: &HostConfig| {
            let (scheme, tls) = (if host.url.https { "https" } else { "http" }, host.tls.as_ref());
            let client = tls.and_then(|tls| tls.client.as_ref());
            json!({
                "name": host.name,
                "url": format!("{scheme}://{}{}", host.url.authority(), host.url.path),
                "trust_anchors": tls.map(|tls| self.paths(&tls.trust_anchors)),
                "certificate": client.map(|(certificate, _)| self.path(certificate)),
                "private_key": client.map(|(_, key)| self.path(key)),
                "allow_tls12": tls.map(|tls| tls.allow_tls12),
            })
        };
        let hosts: Vec<Value> = one.http.iter().map(host).collect();
        json!({
            "name": one.name,
            "components": one.components.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "plugin": self.source(&one.plugin),
            "sha256": one.sha256,
            "http": if hosts.is_empty() { Value::Null } else { hosts.into() },
            "interval": show_duration(one.interval),
            "timeout": show_duration(one.timeout),
            "retry_max": show_duration(one.retry_max),
            "config": one.config,
        })
    }

    fn exporter(&self, one: &ExporterConfig) -> Value {
        let tls = one.tls.as_ref();
        let client = tls.and_then(|tls| tls.client.as_ref());
        let (file, variable) = match &one.secret {
            Some(SecretSource::File(path)) => (Some(self.path(path)), None),
            Some(SecretSource::Environment(name)) => (None, Some(name)),
            None => (None, None),
        };
        let is_alertmanager = one.kind == super::exporter::ExporterKind::Alertmanager;
        let scheme = if one.url.https { "https" } else { "http" };
        json!({
            "name": one.name,
            "kind": one.kind,
            "url": format!("{scheme}://{}{}", one.url.authority(), one.url.path),
            "filter": filter(&one.filter),
            "secret_file": file,
            "secret_env": variable,
            "trust_anchors": tls.map(|tls| self.paths(&tls.trust_anchors)),
            "certificate": client.map(|(certificate, _)| self.path(certificate)),
            "private_key": client.map(|(_, key)| self.path(key)),
            "allow_tls12": tls.map(|tls| tls.allow_tls12),
            "timeout": show_duration(one.timeout),
            "retry_min": show_duration(one.retry_min),
            "retry_max": show_duration(one.retry_max),
            "batch_size": one.batch_size,
            "outbox": one.outbox,
            "refused_after": one.refused_after,
            "unreachable_after": show_duration(one.unreachable_after),
            "resend_interval": is_alertmanager.then(|| show_duration(one.resend_interval)),
        })
    }
}

fn component(one: &ComponentConfig) -> Value {
    let identity = match &one.identity {
        IdentityRule::San(text) => json!({ "san": text }),
        IdentityRule::Fingerprint(digits) => json!({ "fingerprint": format!("sha256:{digits}") }),
        IdentityRule::Subject(text) => json!({ "subject": text }),
    };
    json!({
        "id": one.component.id.as_str(),
        "reference_point": one.component.reference_point,
        "identity": identity,
        "vendor": one.vendor,
        "model": one.model,
        "version": one.version,
        "site": one.site,
        "tags": one.tags,
        "expected_interval": time(one.expected_interval),
        "dial": one.dial,
        "sees": one.sees.iter().map(sees).collect::<Vec<_>>(),
    })
}

fn sees(rule: &SeesRule) -> Value {
    json!({
        "components": rule.components,
        "resources": restricting(&rule.resources),
        "types": restricting(&rule.types),
        "names": restricting(&rule.names),
    })
}

/// Tables one of which has to match, or none of which may; an empty one stays, since it matches everything.
fn parts(rules: &[ComponentMatch]) -> Value {
    let one = |rule| match matching(rule) {
        Value::Null => json!({}),
        value => value,
    };
    if rules.is_empty() { Value::Null } else { rules.iter().map(one).collect() }
}

fn matching(rule: &ComponentMatch) -> Value {
    let value = json!({
        "reference_point": restricting(&rule.reference_points),
        "id": restricting(&rule.id),
        "vendor": restricting(&rule.vendor),
        "model": restricting(&rule.model),
        "version": restricting(&rule.version),
        "site": restricting(&rule.site),
        "tags": restricting(&rule.tags),
        "any": parts(&rule.any),
        "not": parts(&rule.not),
    });
    nothing_is_null(value)
}

fn filter(filter: &ExporterFilter) -> Value {
    let value = json!({
        "severity_at_least": filter.severity_at_least,
        "functions": restricting(&filter.functions),
        "alarm_types": restricting(&filter.alarm_types),
        "reference_points": restricting(&filter.reference_points),
        "components": restricting(&filter.components),
    });
    nothing_is_null(value)
}

/// A table in which no key is given says nothing.
fn nothing_is_null(value: Value) -> Value {
    match present(value) {
        Value::Object(map) if map.is_empty() => Value::Null,
        value => value,
    }
}

fn subscription(one: &SubscriptionConfig) -> Value {
    json!({
        "name": one.name,
        "applies_to": matching(&one.applies_to),
        "events": one.events.iter().map(event).collect::<Vec<_>>(),
        "method": one.method,
        "period": time(one.period),
        "thresholds": if one.thresholds.is_empty() { Value::Null } else { one.thresholds.iter().map(threshold).collect() },
        "dampening": time(one.dampening),
        "immediate": one.immediate,
        "durable": one.durable,
        "poll_interval": time(one.poll_interval),
    })
}

fn event(one: &EventConfig) -> Value {
    json!({
        "types": restricting(&one.types),
        "names": restricting(&one.names),
        "resources": restricting(&one.resources),
    })
}

fn threshold(one: &ThresholdConfig) -> Value {
    json!({ "name": one.name, "level": one.level, "direction": one.direction, "hysteresis": one.hysteresis })
}

fn token(one: &TokenConfig) -> Value {
    json!({ "name": one.name, "sha256": one.sha256, "role": one.role, "expires": one.expires })
}
