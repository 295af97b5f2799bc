//! Configuration: `manager.toml` and what it says, checked.
//!
//! `raw` is the file as written, with the place of every value; `check` turns it into the [`Config`] below and reports
//! every problem at once; `load` finds and layers the files. Loading opens nothing and binds nothing. Each part of the
//! manager gets its own struct, never the whole.

pub mod change;
#[cfg(test)]
mod change_tests;
pub mod check;
pub mod collector;
pub mod contract;
pub mod difference;
pub mod effective;
pub mod exporter;
#[cfg(test)]
mod exporter_tests;
pub mod federation;
#[cfg(test)]
mod hierarchy_tests;
pub mod limits;
pub mod load;
pub mod origin;
#[cfg(test)]
mod origin_tests;
pub mod problem;
pub mod quantity;
pub mod raw;
pub mod raw_collector;
pub mod raw_exchange;
pub mod raw_exporter;
pub mod raw_federation;
pub mod raw_match;
pub mod raw_subscription;
pub mod raw_transport;
pub mod reader;
pub mod schema;
#[cfg(test)]
mod schema_tests;
pub mod secrets;
pub mod source;
pub mod subscription;
#[cfg(test)]
mod tests;
pub mod tree;
pub mod written_out;

pub use change::Change;
pub use collector::{CollectorConfig, HostConfig};
pub use exporter::ExporterConfig;
pub use federation::{ExchangeConfig, FederationConfig, PeerConfig};
pub use load::{Examined, Loaded, PluginConfigProblem, PluginKind, load};
pub use problem::{Problem, Problems};
pub use subscription::{Direction, EventConfig, NotificationMethod, SubscriptionConfig, ThresholdConfig};

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use crate::model::{ComponentRef, ReferencePoint, Timestamp};

/// The whole configuration, checked. Paths are absolute or relative to the working directory, no longer to the file.
#[derive(Clone, Debug)]
pub struct Config {
    /// `[manager]`
    pub manager: ManagerConfig,
    /// `[log]`
    pub log: LogConfig,
    /// `[interfaces.*]`: one entry for each reference point that is listened on.
    pub interfaces: Vec<InterfaceConfig>,
    /// `[tls]`, for reference points without a listener (components that are dialled).
    pub tls: TlsConfig,
    /// `[[components]]`
    pub components: Vec<ComponentConfig>,
    /// `[[handlers]]` in order, the standard handlers of all seven reference points appended.
    pub handlers: Vec<HandlerConfig>,
    /// `[[policies]]`
    pub policies: Vec<PolicyConfig>,
    /// `[[collectors]]`
    pub collectors: Vec<CollectorConfig>,
    /// `[[subscriptions]]`
    pub subscriptions: Vec<SubscriptionConfig>,
    /// `[[exporters]]`
    pub exporters: Vec<ExporterConfig>,
    /// `[federation]`
    pub federation: Option<FederationConfig>,
    /// `[[peers]]`; each is among `components` too.
    pub peers: Vec<PeerConfig>,
    /// Exchange policies, each once, however often it is named.
    pub exchange: Vec<ExchangeConfig>,
    /// `[plugins]`
    pub plugins: PluginsConfig,
    /// `[storage]`
    pub storage: StorageConfig,
    /// `[api]`
    pub api: ApiConfig,
}

/// `[manager]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagerConfig {
    /// Manager ID on Mx (Q.QKDN_Mk table 1).
    pub id: String,
    /// The domain it speaks for.
    pub domain: String,
    /// Where everything is stored; locked while running.
    pub data_dir: PathBuf,
    /// Number of shards, never 0 here.
    pub shards: usize,
    /// Who may report.
    pub enrolment: Enrolment,
    /// Whether a change of the files is taken over by itself.
    pub reload_on_change: bool,
}

/// `manager.enrolment`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Enrolment {
    /// Only `[[components]]`.
    Listed,
    /// Whoever an anchor of the listener vouches for.
    Certificate,
    /// Whoever an anchor vouches for waits until an operator has approved it.
    Approve,
}

/// `[log]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// `json` instead of `text`.
    pub json: bool,
    /// Filter in the syntax of tracing.
    pub level: String,
}

/// `key_exchange`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyExchange {
    /// X25519MLKEM768 or no connection.
    HybridRequired,
    /// X25519MLKEM768 first, classical groups accepted.
    HybridPreferred,
    /// Classical groups only.
    Classical,
}

/// `[tls]`, and what `[interfaces.*]` sets again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsConfig {
    /// Chain in PEM.
    pub certificate: PathBuf,
    /// Key in PEM.
    pub private_key: PathBuf,
    /// CA certificates in PEM.
    pub trust_anchors: Vec<PathBuf>,
    /// Revocation lists, PEM or DER.
    pub revocation_lists: Vec<PathBuf>,
    /// Groups.
    pub key_exchange: KeyExchange,
    /// Whether TLS 1.2 is spoken too.
    pub allow_tls12: bool,
}

/// `[interfaces.mk]` and its like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceConfig {
    /// Which.
    pub reference_point: ReferencePoint,
    /// Addresses; port 0 is allowed (tests) and told in the log and the ready file.
    pub listen: Vec<SocketAddr>,
    /// TLS of this listener.
    pub tls: TlsConfig,
    /// Connections at a time.
    pub max_connections: usize,
    /// Connections of one identity at a time.
    pub max_connections_per_identity: usize,
    /// Bytes of a line without its LF.
    pub max_line_bytes: usize,
    /// Messages in flight on a connection.
    pub max_in_flight: usize,
    /// TLS handshake must be done by then.
    pub handshake_timeout: Duration,
    /// Nothing received for so long closes the connection.
    pub idle_timeout: Duration,
    /// A status report request is given up after this.
    pub request_timeout: Duration,
}

/// `components.identity`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum IdentityRule {
    /// A SAN of the certificate: URI, or DNS name.
    San(String),
    /// SHA-256 of the certificate, lower-case hex.
    Fingerprint(String),
    /// Subject, as RFC 4514 text.
    Subject(String),
}

/// `[[components]]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComponentConfig {
    /// Which.
    pub component: ComponentRef,
    /// Certificates that speak for it.
    pub identity: IdentityRule,
    /// For handlers, policies and people; empty if not given.
    pub vendor: String,
    /// As vendor.
    pub model: String,
    /// As vendor: what it runs.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// As vendor.
    pub site: String,
    /// As vendor.
    pub tags: Vec<String>,
    /// Silence for longer means something.
    pub expected_interval: Option<Duration>,
    /// `host:port` that the manager dials.
    pub dial: Option<String>,
    /// What it may subscribe to beside itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sees: Vec<SeesRule>,
}

/// One entry of `components.sees`: globs; of all but `components` an empty list means all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeesRule {
    /// Components, as `mk/km-*`.
    pub components: Vec<String>,
    /// Their resources; the empty text is the component itself.
    pub resources: Vec<String>,
    /// Types of extension objects.
    pub types: Vec<String>,
    /// Names of values; of an alarm its type, of an event its name.
    pub names: Vec<String>,
}

/// Where a plugin comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PluginSource {
    /// Inside the binary: `builtin:threshold`.
    Builtin(String),
    /// A `.wasm` file.
    File(PathBuf),
    /// A shared library, trusted: `native:lib/libacme.so`.
    Native(PathBuf),
}

impl std::fmt::Display for PluginSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Builtin(name) => write!(f, "builtin:{name}"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Native(path) => write!(f, "native:{}", path.display()),
        }
    }
}

/// What becomes of a report whose handler failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// Answered `internal`.
    Reject,
    /// Stored as received, answered `success`.
    KeepRaw,
    /// Given to the standard handler of the reference point.
    Fallback,
}

/// `[[handlers]]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HandlerConfig {
    /// Unique name.
    pub name: String,
    /// Where it applies.
    pub reference_point: ReferencePoint,
    /// Which components; all given must match.
    pub matches: ComponentMatch,
    /// Where it is.
    pub plugin: PluginSource,
    /// Expected SHA-256 in lower-case hex, if set.
    pub sha256: Option<String>,
    /// When it fails.
    pub on_failure: OnFailure,
    /// The handler that what it accepts goes through next; of the same reference point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<String>,
    /// Paths exempt from the key-material filter.
    pub allow_key_names: Vec<String>,
    /// Its own configuration.
    pub config: serde_json::Value,
}

/// Globs over a component's attributes; absent ones match everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentMatch {
    /// Reference points, empty: all.
    pub reference_points: Vec<ReferencePoint>,
    /// Globs on the component ID.
    pub id: Vec<String>,
    /// Globs.
    pub vendor: Vec<String>,
    /// Globs.
    pub model: Vec<String>,
    /// Globs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub version: Vec<String>,
    /// Globs.
    pub site: Vec<String>,
    /// Globs; one tag that matches is enough.
    pub tags: Vec<String>,
    /// Of these, if there are any, at least one has to match as well. They have no `any` and `not` themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub any: Vec<Self>,
    /// None of these may match. They have no `any` and `not` themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not: Vec<Self>,
}

/// `policies.function`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum FcapsFunction {
    /// F
    Fault,
    /// C
    Configuration,
    /// A
    Accounting,
    /// P
    Performance,
    /// S
    Security,
}

impl FcapsFunction {
    /// The word used everywhere.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fault => "fault",
            Self::Configuration => "configuration",
            Self::Accounting => "accounting",
            Self::Performance => "performance",
            Self::Security => "security",
        }
    }

    /// The function that an event type belongs to: the five of X.733 are faults, but for quality of service, which is
    /// performance; X.736's violations are security.
    #[must_use]
    pub fn of_event_type(event_type: &str) -> Self {
        match event_type {
            "quality-of-service" => Self::Performance,
            event if event.ends_with("-violation") => Self::Security,
            _ => Self::Fault,
        }
    }
}

/// `policies.mode`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PolicyMode {
    /// Its verdicts take effect.
    Active,
    /// It runs, its verdicts are logged and counted and change nothing.
    Shadow,
    /// It does not run.
    Off,
}

/// `[[policies]]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyConfig {
    /// Unique name; qualifier of its alarms.
    pub name: String,
    /// FCAPS function it serves.
    pub function: FcapsFunction,
    /// Where it is.
    pub plugin: PluginSource,
    /// Expected SHA-256 in lower-case hex, if set.
    pub sha256: Option<String>,
    /// Which components it sees.
    pub applies_to: ComponentMatch,
    /// Whether its verdicts count.
    pub mode: PolicyMode,
    /// Its own configuration.
    pub config: serde_json::Value,
}

/// `[plugins]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginsConfig {
    /// Whether `native:` plugins are loaded.
    pub allow_native: bool,
    /// Whether a plugin that is a file has to carry a signature of a trusted key.
    pub require_signature: bool,
    /// Files of the public keys whose signatures count.
    pub trusted_keys: Vec<PathBuf>,
    /// Compiled code.
    pub cache_dir: PathBuf,
    /// CPU time of a call.
    pub cpu_time: Duration,
    /// Time of a call, whatever it does.
    pub wall_time: Duration,
    /// Linear memory, bytes.
    pub memory: usize,
    /// Elements of all tables together.
    pub table_elements: usize,
    /// Answer of a call, bytes.
    pub answer_size: usize,
    /// Policy state of one component, all its subjects together, bytes.
    pub state_per_component: usize,
    /// Log lines a second.
    pub log_lines_per_second: u32,
}

/// `storage.durability`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// On stable storage before the answer.
    Sync,
    /// Handed to the operating system before the answer.
    Os,
}

/// `[storage]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageConfig {
    /// When a report counts as stored.
    pub durability: Durability,
    /// Journal segments older than this go.
    pub journal_retention: Duration,
    /// Oldest journal segments go above this many bytes.
    pub journal_max_size: u64,
    /// Size of a segment file.
    pub journal_segment_size: u64,
    /// How long history of values is kept, by level; zero: not at all.
    pub history: HistoryConfig,
}

/// `storage.history`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryConfig {
    /// Samples as reported.
    pub raw: Duration,
    /// Rollups of a minute.
    pub minute: Duration,
    /// Rollups of an hour.
    pub hour: Duration,
}

/// Role of an API token, rising.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Acknowledges, closes, requests.
    Operator,
    /// Everything.
    Admin,
}

/// `api.tokens`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenConfig {
    /// Name that audit and alarm history show.
    pub name: String,
    /// SHA-256 of the token, lower-case hex.
    pub sha256: String,
    /// What it may do.
    pub role: Role,
    /// Not valid from then on.
    pub expires: Option<Timestamp>,
}

/// `[api]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiConfig {
    /// Address of the HTTP API; loopback by default.
    pub listen: SocketAddr,
    /// Who may write, and read where not everybody may.
    pub tokens: Vec<TokenConfig>,
    /// Where reading needs no token.
    pub read_without_token: ReadWithoutToken,
}

/// `api.read_without_token`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReadWithoutToken {
    /// If the API listens on a loopback address.
    #[default]
    Loopback,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

impl ReadWithoutToken {
    /// The words of the configuration.
    pub const WORDS: [(&str, Self); 3] =
        [("loopback", Self::Loopback), ("always", Self::Always), ("never", Self::Never)];

    /// The word of the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Always => "always",
            Self::Never => "never",
        }
    }
}
