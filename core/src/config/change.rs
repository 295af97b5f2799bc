//! What is different between two configurations: what a reload will do, before it is done.
//!
//! Pure: in go two checked configurations, out comes which tables were added, changed and removed, which single keys have
//! other values, and which of those are read at a start only. Values are told of the latter alone, and none of them is
//! secret; of everything else only names.

use std::fmt;

use serde::Serialize;

use super::{
    ComponentConfig, Config, FederationConfig, HandlerConfig, InterfaceConfig, PeerConfig, PolicyConfig,
    SubscriptionConfig, TokenConfig,
    federation::{LinkConfig, OriginConfig, ServiceConfig},
};

/// The tables of one list that differ, each by its name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    /// In the new one only.
    pub added: Vec<String>,
    /// In both, with the keys that differ.
    pub changed: Vec<Changed>,
    /// In the old one only.
    pub removed: Vec<String>,
    /// Those in both stand in another order, where order matters.
    pub reordered: bool,
}

/// A table that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// Its name.
    pub name: String,
    /// The keys that differ.
    pub keys: Vec<&'static str>,
}

/// A single key whose value differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// As in the file: `manager.data_dir`.
    pub key: &'static str,
    /// The value in force.
    pub running: String,
    /// The value in the new one.
    pub file: String,
}

impl Setting {
    /// Stands for the value where the whole table is not there.
    const NO_TABLE: &str = "no such table";

    /// What is different, and that it takes a restart.
    #[must_use]
    pub fn sentence(&self) -> String {
        let Self { key, running, file } = self;
        if running == Self::NO_TABLE {
            return format!("[{key}] is new, and is read at a start only: restart the manager");
        }
        if file == Self::NO_TABLE {
            return format!("[{key}] is gone, and is read at a start only: restart the manager");
        }
        format!("`{key}` is read at a start only; the manager runs with {running}, and the files say {file}")
    }
}

/// Everything that differs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// `[[components]]`
    pub components: Listed,
    /// `[[handlers]]`
    pub handlers: Listed,
    /// `[[policies]]`
    pub policies: Listed,
    /// `[interfaces.*]`
    pub interfaces: Listed,
    /// `[[subscriptions]]`
    pub subscriptions: Listed,
    /// `[[peers]]`
    pub peers: Listed,
    /// `[[federation.origins]]`
    pub origins: Listed,
    /// `[[federation.links]]`
    pub links: Listed,
    /// `[[federation.key_relations]]`
    pub key_relations: Listed,
    /// `[[federation.services]]`
    pub services: Listed,
    /// `[[federation.settlements]]`
    pub settlements: Listed,
    /// `[[api.tokens]]`
    pub tokens: Listed,
    /// Single keys that are taken over.
    pub settings: Vec<&'static str>,
    /// Single keys that are read at a start only.
    pub needs_restart: Vec<Setting>,
    /// Files with another content: plugins, certificates, keys, lists. Filled in by who reads files.
    pub files: Vec<String>,
}

impl Listed {
    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty() && !self.reordered
    }

    fn between<T>(
        was: &[T],
        is: &[T],
        name: impl Fn(&T) -> String,
        keys: impl Fn(&T, &T) -> Vec<&'static str>,
        ordered: bool,
    ) -> Self {
        let names = |list: &[T]| list.iter().map(&name).collect::<Vec<String>>();
        let (names_before, names_now) = (names(was), names(is));
        let before: std::collections::HashMap<&str, &T> =
            names_before.iter().map(String::as_str).zip(was.iter()).collect();
        let now: std::collections::HashSet<&str> = names_now.iter().map(String::as_str).collect();
        let mut listed = Self::default();
        for (name, new) in names_now.iter().zip(is) {
            match before.get(name.as_str()) {
                None => listed.added.push(name.clone()),
                Some(old) => {
                    let keys = keys(old, new);
                    if !keys.is_empty() {
                        listed.changed.push(Changed { name: name.clone(), keys });
                    }
                }
            }
        }
        listed.removed = names_before.iter().filter(|name| !now.contains(name.as_str())).cloned().collect();
        let kept_before = names_before.iter().filter(|name| now.contains(name.as_str()));
        let kept_now = names_now.iter().filter(|name| before.contains_key(name.as_str()));
        listed.reordered = ordered && !kept_before.eq(kept_now);
        listed
    }

    fn tell(&self, kind: &str, f: &mut Telling<'_, '_>) -> fmt::Result {
        for name in &self.added {
            f.tell(format_args!("{kind} {name} added"))?;
        }
        for Changed { name, keys } in &self.changed {
            f.tell(format_args!("{kind} {name} changed ({})", keys.join(", ")))?;
        }
        for name in &self.removed {
            f.tell(format_args!("{kind} {name} removed"))?;
        }
        if self.reordered { f.tell(format_args!("order of [[{kind}]] changed")) } else { Ok(()) }
    }
}

/// Compares fields by name; each that differs is named as its key.
macro_rules! differing {
    ($was:expr, $is:expr, $($field:ident),+ $(,)?) => {{
        let mut keys: Vec<&'static str> = Vec::new();
        $(if $was.$field != $is.$field { keys.push(stringify!($field)); })+
        keys
    }};
}

fn component_keys(was: &ComponentConfig, is: &ComponentConfig) -> Vec<&'static str> {
    differing!(was, is, identity, vendor, model, version, site, tags, expected_interval, dial, sees)
}

fn handler_keys(was: &HandlerConfig, is: &HandlerConfig) -> Vec<&'static str> {
    let mut keys = differing!(was, is, reference_point, plugin, sha256, on_failure, then, allow_key_names, config);
    keys.extend((was.matches != is.matches).then_some("match"));
    keys
}

fn policy_keys(was: &PolicyConfig, is: &PolicyConfig) -> Vec<&'static str> {
    differing!(was, is, function, plugin, sha256, applies_to, mode, config)
}

fn interface_keys(was: &InterfaceConfig, is: &InterfaceConfig) -> Vec<&'static str> {
    let mut keys = differing!(
        was,
        is,
        listen,
        max_connections,
        max_connections_per_identity,
        max_line_bytes,
        max_in_flight,
        handshake_timeout,
        idle_timeout,
        request_timeout,
    );
    let (was, is) = (&was.tls, &is.tls);
    keys.extend(differing!(
        was,
        is,
        certificate,
        private_key,
        trust_anchors,
        revocation_lists,
        key_exchange,
        allow_tls12
    ));
    keys
}

fn subscription_keys(was: &SubscriptionConfig, is: &SubscriptionConfig) -> Vec<&'static str> {
    differing!(was, is, applies_to, events, method, period, thresholds, dampening, immediate, durable, poll_interval)
}

fn token_keys(was: &TokenConfig, is: &TokenConfig) -> Vec<&'static str> {
    differing!(was, is, sha256, role, expires)
}

/// Keys that are read at a start only, as in the file.
const READ_AT_START: [&str; 17] = [
    "manager.id",
    "manager.domain",
    "manager.data_dir",
    "manager.shards",
    "log.format",
    "plugins.cache_dir",
    "storage.durability",
    "storage.journal_segment_size",
    "storage.history.raw",
    "storage.history.minute",
    "storage.history.hour",
    "api.listen",
    "api.read_without_token",
    "collectors",
    "exporters",
    "federation.name",
    "federation.refresh",
];

/// Whether a key, such as `log.format`, is read at a start only. Of a list each table and key counts: `exporters[noc].url`.
#[must_use]
pub fn is_read_at_start(key: &str) -> bool {
    READ_AT_START
        .iter()
        .any(|known| key.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with(['[', '.'])))
}

/// Keys that are read at a start only.
fn read_at_start(was: &Config, is: &Config) -> Vec<Setting> {
    let mut settings = Vec::new();
    let mut compare = |key, running: String, file: String| {
        if running != file {
            settings.push(Setting { key, running, file });
        }
    };
    let path = |path: &std::path::Path| path.display().to_string();
    let (m, n) = (&was.manager, &is.manager);
    compare("manager.id", m.id.clone(), n.id.clone());
    compare("manager.domain", m.domain.clone(), n.domain.clone());
    compare("manager.data_dir", path(&m.data_dir), path(&n.data_dir));
    compare("manager.shards", m.shards.to_string(), n.shards.to_string());
    let form = |json: bool| if json { "json" } else { "text" }.to_owned();
    compare("log.format", form(was.log.json), form(is.log.json));
    compare("plugins.cache_dir", path(&was.plugins.cache_dir), path(&is.plugins.cache_dir));
    let (s, t) = (&was.storage, &is.storage);
    let word = |value: super::Durability| match value {
        super::Durability::Sync => "sync".to_owned(),
        super::Durability::Os => "os".to_owned(),
    };
    compare("storage.durability", word(s.durability), word(t.durability));
    let size = |bytes: u64| super::quantity::show_size(bytes);
    let time = |time: std::time::Duration| super::quantity::show_duration(time);
    compare("storage.journal_segment_size", size(s.journal_segment_size), size(t.journal_segment_size));
    compare("storage.history.raw", time(s.history.raw), time(t.history.raw));
    compare("storage.history.minute", time(s.history.minute), time(t.history.minute));
    compare("storage.history.hour", time(s.history.hour), time(t.history.hour));
    compare("api.listen", was.api.listen.to_string(), is.api.listen.to_string());
    let readers = |config: &Config| config.api.read_without_token.as_str().to_owned();
    compare("api.read_without_token", readers(was), readers(is));
    if was.collectors != is.collectors {
        let names =
            |config: &Config| config.collectors.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(", ");
        let (running, file) = (format!("as started ({})", names(was)), format!("as in the file ({})", names(is)));
        settings.push(Setting { key: "collectors", running, file });
    }
    if was.exporters != is.exporters {
        // Names only: addresses and files are nobody's business in a refusal.
        let names =
            |config: &Config| config.exporters.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(", ");
        let (running, file) = (format!("as started ({})", names(was)), format!("as in the file ({})", names(is)));
        settings.push(Setting { key: "exporters", running, file });
    }
    let table = |config: &Config| config.federation.as_ref().map_or(Setting::NO_TABLE, |_| "[federation]").to_owned();
    if let (Some(was), Some(is)) = (&was.federation, &is.federation) {
        let mut federated = |key, running: String, file: String| {
            if running != file {
                settings.push(Setting { key, running, file });
            }
        };
        federated("federation.name", was.name.clone(), is.name.clone());
        let time = super::quantity::show_duration;
        federated("federation.refresh", time(was.refresh), time(is.refresh));
    } else if was.federation.is_some() != is.federation.is_some() {
        settings.push(Setting { key: "federation", running: table(was), file: table(is) });
    }
    settings
}

fn origins(config: &Config) -> &[OriginConfig] {
    config.federation.as_ref().map(|one| one.origins.as_slice()).unwrap_or_default()
}

fn listed<T>(config: &Config, list: impl Fn(&FederationConfig) -> &Vec<T>) -> &[T] {
    config.federation.as_ref().map(|one| list(one).as_slice()).unwrap_or_default()
}

fn link_lists(was: &Config, is: &Config, list: impl Fn(&FederationConfig) -> &Vec<LinkConfig>) -> Listed {
    let keys = |was: &LinkConfig, is: &LinkConfig| differing!(was, is, domain, from);
    Listed::between(listed(was, &list), listed(is, &list), |one| one.name.clone(), keys, false)
}

fn service_keys(was: &ServiceConfig, is: &ServiceConfig) -> Vec<&'static str> {
    differing!(was, is, domains, from, key_rate, without_key, availability, window)
}

fn peer_keys(was: &PeerConfig, is: &PeerConfig) -> Vec<&'static str> {
    let mut keys =
        differing!(was, is, address, trust_anchors, revocation_lists, export, import, pseudonym_key, requests);
    keys.extend(origin_keys(&was.origin, &is.origin));
    keys
}

fn origin_keys(was: &OriginConfig, is: &OriginConfig) -> Vec<&'static str> {
    differing!(was, is, domain, area, role, key_generation, min_epoch, signing_keys)
}

fn taken_over(was: &Config, is: &Config) -> Vec<&'static str> {
    let mut keys = Vec::new();
    let mut compare = |key, differs: bool| {
        if differs {
            keys.push(key);
        }
    };
    compare("manager.enrolment", was.manager.enrolment != is.manager.enrolment);
    compare("manager.reload_on_change", was.manager.reload_on_change != is.manager.reload_on_change);
    compare("log.level", was.log.level != is.log.level);
    let ours = |config: &Config| {
        let of = |one: &FederationConfig| {
            let disclosed = [&one.disclose, &one.disclose_area, &one.disclose_aggregators].map(Clone::clone);
            let border = (disclosed, one.export.clone(), one.import.clone());
            (one.area.clone(), one.role, one.key_generation, one.min_epoch, one.signing_key.clone(), border)
        };
        config.federation.as_ref().map(of)
    };
    compare("federation", ours(was) != ours(is));
    compare("exchange policies", was.exchange != is.exchange);
    let (s, t) = (&was.storage, &is.storage);
    compare("storage.journal_retention", s.journal_retention != t.journal_retention);
    compare("storage.journal_max_size", s.journal_max_size != t.journal_max_size);
    let (p, q) = (&was.plugins, &is.plugins);
    compare("plugins.allow_native", p.allow_native != q.allow_native);
    compare("plugins.require_signature", p.require_signature != q.require_signature);
    compare("plugins.trusted_keys", p.trusted_keys != q.trusted_keys);
    compare("plugins.cpu_time", p.cpu_time != q.cpu_time);
    compare("plugins.wall_time", p.wall_time != q.wall_time);
    compare("plugins.table_elements", p.table_elements != q.table_elements);
    compare("plugins.answer_size", p.answer_size != q.answer_size);
    compare("plugins.memory", p.memory != q.memory);
    compare("plugins.state_per_component", p.state_per_component != q.state_per_component);
    compare("plugins.log_lines_per_second", p.log_lines_per_second != q.log_lines_per_second);
    keys
}

impl Change {
    /// What is different in `is`.
    #[must_use]
    pub fn between(was: &Config, is: &Config) -> Self {
        let component = |one: &ComponentConfig| one.component.to_string();
        let interface = |one: &InterfaceConfig| one.reference_point.to_string();
        Self {
            components: Listed::between(&was.components, &is.components, component, component_keys, false),
            handlers: Listed::between(&was.handlers, &is.handlers, |one| one.name.clone(), handler_keys, true),
            policies: Listed::between(&was.policies, &is.policies, |one| one.name.clone(), policy_keys, true),
            interfaces: Listed::between(&was.interfaces, &is.interfaces, interface, interface_keys, false),
            subscriptions: Listed::between(
                &was.subscriptions,
                &is.subscriptions,
                |one| one.name.clone(),
                subscription_keys,
                false,
            ),
            peers: Listed::between(&was.peers, &is.peers, |one| one.id.clone(), peer_keys, false),
            origins: Listed::between(origins(was), origins(is), |one| one.domain.clone(), origin_keys, false),
            links: link_lists(was, is, |one| &one.links),
            key_relations: link_lists(was, is, |one| &one.key_relations),
            services: Listed::between(
                listed(was, |one| &one.services),
                listed(is, |one| &one.services),
                |one| one.name.clone(),
                service_keys,
                false,
            ),
            settlements: Listed::between(
                listed(was, |one| &one.settlements),
                listed(is, |one| &one.settlements),
                |one| one.domain.clone(),
                |was, is| differing!(was, is, peers, period),
                false,
            ),
            tokens: Listed::between(&was.api.tokens, &is.api.tokens, |one| one.name.clone(), token_keys, false),
            settings: taken_over(was, is),
            needs_restart: read_at_start(was, is),
            files: Vec::new(),
        }
    }

    /// Whether nothing is different.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether handlers, policies or what they see are different, so that shards have something to take over.
    #[must_use]
    pub fn concerns_shards(&self) -> bool {
        let lists = [&self.components, &self.handlers, &self.policies];
        lists.iter().any(|list| !list.is_empty()) || !self.settings.is_empty() || !self.files.is_empty()
    }
}

/// Sentences with commas between them.
struct Telling<'a, 'b> {
    f: &'a mut fmt::Formatter<'b>,
    told: bool,
}

impl Telling<'_, '_> {
    fn tell(&mut self, what: fmt::Arguments<'_>) -> fmt::Result {
        let comma = if std::mem::replace(&mut self.told, true) { ", " } else { "" };
        write!(self.f, "{comma}{what}")
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing is different");
        }
        let mut telling = Telling { f, told: false };
        self.components.tell("component", &mut telling)?;
        self.handlers.tell("handler", &mut telling)?;
        self.policies.tell("policy", &mut telling)?;
        self.interfaces.tell("interface", &mut telling)?;
        self.subscriptions.tell("subscription", &mut telling)?;
        self.peers.tell("peer", &mut telling)?;
        self.origins.tell("domain", &mut telling)?;
        self.links.tell("inter-domain link", &mut telling)?;
        self.key_relations.tell("key relation", &mut telling)?;
        self.services.tell("service", &mut telling)?;
        self.settlements.tell("settlement", &mut telling)?;
        self.tokens.tell("token", &mut telling)?;
        self.settings.iter().try_for_each(|key| telling.tell(format_args!("{key} changed")))?;
        self.files.iter().try_for_each(|file| telling.tell(format_args!("{file} has other content")))?;
        self.needs_restart.iter().try_for_each(|one| telling.tell(format_args!("{} needs a restart", one.key)))
    }
}
