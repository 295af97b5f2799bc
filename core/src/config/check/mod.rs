//! From the configuration as written to the [`Config`] that the manager runs with: defaults, and everything that can
//! only be judged by comparing (names used twice, addresses taken, files that are not there).
//!
//! Every problem is written down; a `Config` comes out only if the caller finds no error among them. Files are looked
//! at, not read: what is in them is judged by the part that uses them. Only `config_files`, and files of exchange policies,
//! become part of the whole.

mod chains;
mod collectors;
mod components;
mod config_files;
mod crossing;
mod exchange;
mod exporters;
mod federation;
mod hierarchy;
mod outgoing_tls;
mod plugins;
mod subscriptions;
mod transport;

use std::{collections::HashMap, fs, path::PathBuf};

use super::{
    ApiConfig, Config, Durability, Enrolment, HistoryConfig, LogConfig, ManagerConfig, PluginsConfig, ReadWithoutToken,
    StorageConfig, TokenConfig, limits,
    problem::Problem,
    raw::{Raw, RawApi, RawManager, RawPlugins, RawStorage},
    raw_exchange::RawExchange,
    reader::Found,
    source::{Place, Sources, Spot},
};
use crate::{
    model::{ComponentId, Timestamp},
    telemetry::logs,
};

use plugins::EntryPlaces;
pub use plugins::PluginPlaces;

/// What the checks share.
#[derive(Clone, Copy, Debug)]
struct Checker<'a> {
    sources: &'a Sources,
    found: &'a Found,
    allow_native: bool,
}

/// Checks the whole. Without a `manager.id` or any TLS there is nothing to make a `Config` of.
pub fn check(raw: Raw, exchange: Vec<RawExchange>, sources: &Sources, found: &Found) -> Option<(Config, PluginPlaces)> {
    let allow_native = raw.plugins.allow_native.as_ref().is_some_and(|flag| flag.value);
    let checker = Checker { sources, found, allow_native };
    let manager = checker.manager(&raw.manager);
    let log = checker.log(raw.log_json.as_ref(), raw.log_level);
    let interfaces = checker.interfaces(&raw.tls, &raw.interfaces, raw.api.listen.as_ref());
    let mut components = checker.components(&raw.components);
    let peers = checker.peers(&raw.peers, raw.federation.as_ref(), manager.as_ref(), &interfaces);
    federation::listed_by_being_peers(&peers, &mut components);
    let federation = checker.federation(raw.federation.as_ref(), &raw.peers, manager.as_ref());
    let tls = checker.common_tls(&raw.tls, &interfaces, components.iter().any(|component| component.dial.is_some()));
    let (handlers, handler_places) = checker.handlers(raw.handlers);
    let (policies, policy_places) = checker.policies(raw.policies);
    let (exchange, exchange_places) = checker.exchange(exchange);
    let (collectors, collector_places) = checker.collectors(raw.collectors, &components, &interfaces);
    collectors::expect_collected(&collectors, &mut components);
    let subscriptions = checker.subscriptions(&raw.subscriptions);
    let exporters = checker.exporters(&raw.exporters);
    let plugins = checker.plugins(&raw.plugins, manager.as_ref());
    let storage = checker.storage(&raw.storage);
    let api = checker.api(raw.api);
    if let Some(manager) = &manager {
        checker.somebody_may_report(manager.enrolment, &raw.written, &components, raw.manager.enrolment.as_ref());
    }
    let places = PluginPlaces {
        handlers: handler_places,
        policies: policy_places,
        exchange: exchange_places,
        collectors: collector_places,
    };
    let manager = manager?;
    let tls = tls?;
    let config = Config {
        manager,
        log,
        interfaces,
        tls,
        components,
        handlers,
        policies,
        collectors,
        subscriptions,
        exporters,
        federation,
        peers,
        exchange,
        plugins,
        storage,
        api,
    };
    Some((config, places))
}

impl Checker<'_> {
    fn manager(&self, raw: &RawManager) -> Option<ManagerConfig> {
        let id = self.own_name(raw.id.as_ref(), "id");
        let domain = self.own_name(raw.domain.as_ref(), "domain");
        let data_dir = self.path(raw.data_dir.as_ref(), limits::DATA_DIR);
        if data_dir.is_file()
            && let Some(spot) = &raw.data_dir
        {
            self.found.add(Problem::error(spot.place, "`data_dir` is a file").label("expected a folder"));
        }
        let shards = match raw.shards.as_ref().map_or(0, |shards| shards.value) {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            number => usize::try_from(number).unwrap_or(usize::MAX),
        };
        let enrolment = raw.enrolment.as_ref().map_or(Enrolment::Listed, |spot| spot.value);
        let reload_on_change = raw.reload_on_change.as_ref().is_none_or(|spot| spot.value);
        Some(ManagerConfig { id: id?, domain: domain?, data_dir, shards, enrolment, reload_on_change })
    }

    fn own_name(&self, spot: Option<&Spot<String>>, key: &str) -> Option<String> {
        let spot = spot?;
        match ComponentId::new(&spot.value) {
            Ok(_) if !spot.value.chars().any(char::is_control) => Some(spot.value.clone()),
            Ok(_) => {
                self.found.add(Problem::error(spot.place, format!("`{key}` has a control character in it")));
                None
            }
            Err(_) => {
                let problem = Problem::error(spot.place, format!("`{key}` has a bad length"));
                self.found.add(problem.label("expected 1 to 256 characters"));
                None
            }
        }
    }

    fn log(&self, json: Option<&Spot<bool>>, level: Option<Spot<String>>) -> LogConfig {
        let json = json.is_some_and(|json| json.value);
        let Some(level) = level else { return LogConfig { json, level: limits::LOG_LEVEL.to_owned() } };
        if let Err(why) = logs::check_filter(&level.value) {
            let problem = Problem::error(level.place, "`level` is no log filter").label(why);
            self.found
                .add(problem.help("write a level (error, warn, info, debug, trace) or info,qkdn_manager::net=debug"));
        }
        LogConfig { json, level: level.value }
    }

    fn storage(&self, raw: &RawStorage) -> StorageConfig {
        let config = StorageConfig {
            durability: raw.durability.as_ref().map_or(Durability::Sync, |spot| spot.value),
            journal_retention: raw.journal_retention.as_ref().map_or(limits::JOURNAL_RETENTION, |spot| spot.value),
            journal_max_size: raw.journal_max_size.as_ref().map_or(limits::JOURNAL_MAX_SIZE, |spot| spot.value),
            journal_segment_size: raw
                .journal_segment_size
                .as_ref()
                .map_or(limits::JOURNAL_SEGMENT_BYTES, |spot| spot.value),
            history: HistoryConfig {
                raw: raw.history[0].as_ref().map_or(limits::HISTORY_RAW, |spot| spot.value),
                minute: raw.history[1].as_ref().map_or(limits::HISTORY_MINUTE, |spot| spot.value),
                hour: raw.history[2].as_ref().map_or(limits::HISTORY_HOUR, |spot| spot.value),
            },
        };
        if config.journal_max_size < config.journal_segment_size.saturating_mul(2)
            && let Some(place) =
                raw.journal_max_size.as_ref().or(raw.journal_segment_size.as_ref()).map(|spot| spot.place)
        {
            let problem = Problem::error(place, "the journal has no room for two segments")
                .help("make `journal_max_size` at least twice `journal_segment_size` (64MiB unless set)");
            self.found.add(problem);
        }
        config
    }

    fn plugins(&self, raw: &RawPlugins, manager: Option<&ManagerConfig>) -> PluginsConfig {
        let keys = raw.trusted_keys.iter().flat_map(|list| &list.value);
        let trusted_keys: Vec<PathBuf> = keys.map(|spot| self.file(spot, "public key of who signs plugins")).collect();
        let require_signature = raw.require_signature.as_ref().filter(|flag| flag.value);
        if let Some(flag) = require_signature.filter(|_| trusted_keys.is_empty()) {
            let problem = Problem::error(flag.place, "signatures of plugins are required, and no key is trusted")
                .help("name files of public keys in `trusted_keys`, such as [\"keys/acme.pub\"]; `qkdnm pki signing-key` makes a pair");
            self.found.add(problem);
        }
        let data_dir = manager.map(|manager| manager.data_dir.clone()).unwrap_or_default();
        let bytes = |spot: Option<&Spot<u64>>, default: usize| {
            spot.map_or(default, |spot| usize::try_from(spot.value).unwrap_or(usize::MAX))
        };
        PluginsConfig {
            allow_native: self.allow_native,
            require_signature: require_signature.is_some(),
            trusted_keys,
            cache_dir: raw.cache_dir.as_ref().map_or_else(
                || data_dir.join(limits::PLUGIN_CACHE),
                |spot| self.sources.resolve(&spot.value, spot.place),
            ),
            cpu_time: raw.cpu_time.as_ref().map_or(limits::PLUGIN_CPU_TIME, |spot| spot.value),
            wall_time: raw.wall_time.as_ref().map_or(limits::PLUGIN_WALL_TIME, |spot| spot.value),
            memory: bytes(raw.memory.as_ref(), limits::PLUGIN_MEMORY),
            table_elements: bytes(raw.table_elements.as_ref(), limits::PLUGIN_TABLE_ELEMENTS),
            answer_size: bytes(raw.answer_size.as_ref(), limits::PLUGIN_ANSWER_BYTES),
            state_per_component: bytes(raw.state_per_component.as_ref(), limits::PLUGIN_STATE_PER_COMPONENT),
            log_lines_per_second: raw
                .log_lines_per_second
                .as_ref()
                .map_or(limits::PLUGIN_LOG_LINES_PER_SECOND, |spot| u32::try_from(spot.value).unwrap_or(u32::MAX)),
        }
    }

    fn api(&self, raw: RawApi) -> ApiConfig {
        let listen = raw.listen.as_ref().map_or(limits::API_LISTEN, |spot| spot.value);
        let read_without_token = raw.read_without_token.as_ref().map(|spot| spot.value).unwrap_or_default();
        if let Some(spot) = &raw.listen
            && !spot.value.ip().is_loopback()
        {
            self.open_to_others(spot.place, read_without_token, raw.tokens.is_empty());
        }
        self.unique("token", raw.tokens.iter().filter_map(|token| token.name.clone()));
        let tokens = raw.tokens.into_iter().filter_map(|token| {
            let expires = token.expires.and_then(|spot| {
                let time = Timestamp::parse(&spot.value);
                if time.is_none() {
                    let problem = Problem::error(spot.place, "`expires` is no time");
                    self.found.add(problem.label("expected RFC 3339, such as \"2027-01-31T12:00:00Z\""));
                }
                time
            });
            let name = self.name(&token.name?)?;
            let sha256 = token.sha256.and_then(|spot| self.digest(&spot, "sha256"));
            Some(TokenConfig { name, sha256: sha256?, role: token.role?.value, expires })
        });
        ApiConfig { listen, tokens: tokens.collect(), read_without_token }
    }

    /// Warns of what an API means that other machines can reach.
    fn open_to_others(&self, place: Place, reading: ReadWithoutToken, no_tokens: bool) {
        let problem = match reading {
            ReadWithoutToken::Always => Problem::warning(place, "the API is open to other machines")
                .label("whoever reaches this address can read everything")
                .help("leave `read_without_token` out, or listen on 127.0.0.1 and put a proxy in front"),
            _ if no_tokens => Problem::warning(place, "the API is open to other machines and there are no tokens")
                .label("nobody can read or write here")
                .help("add [[api.tokens]] (`qkdnm token new` makes one), or listen on 127.0.0.1"),
            _ => return,
        };
        self.found.add(problem);
    }

    /// The name of a handler, policy or token.
    fn name(&self, spot: &Spot<String>) -> Option<String> {
        let chars = spot.value.chars().count();
        if chars == 0 || chars > limits::NAME_CHARS || spot.value.chars().any(char::is_control) {
            let label = format!("expected 1 to {} characters, none of them a control character", limits::NAME_CHARS);
            self.found.add(Problem::error(spot.place, "this cannot be a name").label(label));
            return None;
        }
        Some(spot.value.clone())
    }

    /// A SHA-256 as 64 hexadecimal digits, in lower case.
    fn digest(&self, spot: &Spot<String>, key: &str) -> Option<String> {
        let text = spot.value.strip_prefix("sha256:").unwrap_or(&spot.value).replace(':', "").to_ascii_lowercase();
        if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Some(text);
        }
        let problem = Problem::error(spot.place, format!("`{key}` is no SHA-256 digest"));
        self.found.add(problem.label(format!("expected 64 hexadecimal digits, found {} characters", text.len())));
        None
    }

    /// Reports what was named before.
    fn unique(&self, kind: &str, names: impl Iterator<Item = Spot<String>>) {
        let mut first: HashMap<String, Place> = HashMap::new();
        for name in names {
            match first.get(&name.value) {
                Some(place) => {
                    let problem = Problem::error(name.place, format!("a second {kind} is called `{}`", name.value));
                    self.found.add(problem.related(*place, "the first one"));
                }
                None => {
                    first.insert(name.value, name.place);
                }
            }
        }
    }

    fn path(&self, spot: Option<&Spot<String>>, default: &str) -> PathBuf {
        match spot {
            Some(spot) => self.sources.resolve(&spot.value, spot.place),
            // A default is relative to the main file, the first of the sources.
            None => self.sources.resolve(default, Place::default()),
        }
    }

    /// The path of a file that has to be there and be readable.
    fn file(&self, spot: &Spot<String>, what: &str) -> PathBuf {
        let path = self.sources.resolve(&spot.value, spot.place);
        let trouble = match fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => Some("this is a folder".to_owned()),
            Ok(_) => fs::File::open(&path).err().map(|error| show(&error)),
            Err(error) => Some(show(&error)),
        };
        if let Some(trouble) = trouble {
            let problem = Problem::error(spot.place, format!("cannot read the {what}")).label(trouble);
            let problem = match path.is_absolute() || path.as_os_str() == spot.value.as_str() {
                true => problem,
                false => problem.help(format!("the path is relative to this file: {}", path.display())),
            };
            self.found.add(problem);
        }
        path
    }
}

/// An error of the operating system without its number.
fn show(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "this user may not read it".to_owned(),
        _ => error.to_string(),
    }
}
