//! `[[exporters]]`: where alarms are sent to, checked.

use std::{fmt, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::FcapsFunction;
use crate::model::{ReferencePoint, Severity};

/// `exporters.kind`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ExporterKind {
    /// Prometheus Alertmanager, API v2.
    Alertmanager,
    /// Any HTTP server: CloudEvents.
    Webhook,
}

impl fmt::Display for ExporterKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Alertmanager => "alertmanager",
            Self::Webhook => "webhook",
        })
    }
}

/// `exporters.url`, taken apart. Never with a user or password: these are secrets.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ExporterUrl {
    /// `https` and not `http`.
    pub https: bool,
    /// Name or address, an IPv6 one without its brackets.
    pub host: String,
    /// Port, 80 or 443 unless given.
    pub port: u16,
    /// Path and query, beginning with `/`.
    pub path: String,
}

impl ExporterUrl {
    /// Host and port as they are dialled and as the `Host` header has them.
    #[must_use]
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Whether the other side is this machine, as far as the name tells.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

/// As people may see it: without the query, where some services want a token.
impl fmt::Display for ExporterUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        let (path, query) = self.path.split_once('?').map_or((self.path.as_str(), ""), |(path, _)| (path, "?..."));
        write!(f, "{scheme}://{}{path}{query}", self.authority())
    }
}

impl fmt::Debug for ExporterUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where a secret is; never what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SecretSource {
    /// `secret_file`
    File(PathBuf),
    /// `secret_env`: the name of a variable of the environment.
    Environment(String),
}

/// `exporters.filter`: which alarms; of what is empty every one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExporterFilter {
    /// This severity or a worse one.
    pub severity_at_least: Option<Severity>,
    /// FCAPS functions.
    pub functions: Vec<FcapsFunction>,
    /// Globs on the alarm type.
    pub alarm_types: Vec<String>,
    /// Reference points.
    pub reference_points: Vec<ReferencePoint>,
    /// Globs on the component, as `mk/km-*`.
    pub components: Vec<String>,
}

/// TLS of an exporter to an `https` target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExporterTls {
    /// CA certificates in PEM that may vouch for the target.
    pub trust_anchors: Vec<PathBuf>,
    /// Certificate and key that the manager shows, if any.
    pub client: Option<(PathBuf, PathBuf)>,
    /// Whether TLS 1.2 is spoken too.
    pub allow_tls12: bool,
}

/// `[[exporters]]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExporterConfig {
    /// Unique name.
    pub name: String,
    /// What the target understands.
    pub kind: ExporterKind,
    /// Where it is.
    pub url: ExporterUrl,
    /// Which alarms it is told.
    pub filter: ExporterFilter,
    /// Key of the signature (webhook) or bearer token (Alertmanager).
    pub secret: Option<SecretSource>,
    /// For `https`.
    pub tls: Option<ExporterTls>,
    /// One delivery, from dialling to the last byte of the answer.
    pub timeout: Duration,
    /// First wait after a failed delivery; doubles.
    pub retry_min: Duration,
    /// Longest such wait.
    pub retry_max: Duration,
    /// Events in one request.
    pub batch_size: usize,
    /// Waiting events above which superseded ones are left out.
    pub outbox: usize,
    /// An event is parked after so many refusals.
    pub refused_after: u32,
    /// No delivery succeeds for so long: an alarm.
    pub unreachable_after: Duration,
    /// Raised alarms are sent again this often (Alertmanager).
    pub resend_interval: Duration,
}

impl ExporterConfig {
    /// Text that changes when what the target was told before may not be what it is to be told now.
    #[must_use]
    pub fn audience(&self) -> String {
        // Plain values: their JSON cannot fail.
        serde_json::to_string(&(&self.kind, &self.url, &self.filter)).unwrap_or_default()
    }
}
