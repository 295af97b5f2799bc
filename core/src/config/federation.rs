//! `[federation]` and `[[peers]]`, checked.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::PluginSource;
use crate::model::{ComponentRef, disclosure::Topic, peer_request::RequestKind};

/// An epoch is the second since 1970 in which a life of a domain began, and below it so many random bits.
pub const EPOCH_RANDOM_BITS: u32 = 20;

/// `federation.role`, `peers.role`, `federation.origins.role`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FederationRole {
    /// Speaks for its own domain.
    #[default]
    Member,
    /// Also publishes roll-ups over others.
    Aggregator,
}

/// `[federation]`
#[derive(Clone, Debug, PartialEq)]
pub struct FederationConfig {
    /// Name of the federation: what is signed for one counts in no other.
    pub name: String,
    /// Our area, or empty.
    pub area: String,
    /// Our role.
    pub role: FederationRole,
    /// Private key that signs what we say, PKCS#8 in PEM.
    pub signing_key: PathBuf,
    /// Generation of our keys.
    pub key_generation: u32,
    /// Nothing of an epoch below this is ours; we take one above it.
    pub min_epoch: u64,
    /// How often we say at least that we are there.
    pub refresh: Duration,
    /// What is said of our domain to the whole federation.
    pub disclose: Vec<Topic>,
    /// What our area is told beyond that.
    pub disclose_area: Vec<Topic>,
    /// What aggregators are told beyond what the whole federation is.
    pub disclose_aggregators: Vec<Topic>,
    /// Files of the policies that it passes.
    pub export: Vec<PathBuf>,
    /// Files of the policies that what is shown of other domains passes.
    pub import: Vec<PathBuf>,
    /// Domains that are no peers and are heard of by way of them.
    pub origins: Vec<OriginConfig>,
    /// Our ends of links to other domains.
    pub links: Vec<LinkConfig>,
    /// Our ends of key relations with other domains.
    pub key_relations: Vec<LinkConfig>,
    /// Services that span other domains.
    pub services: Vec<ServiceConfig>,
    /// Domains that keys are settled with.
    pub settlements: Vec<SettlementConfig>,
}

/// `[[federation.links]]`, `[[federation.key_relations]]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkConfig {
    /// Its name, the same in both domains.
    pub name: String,
    /// The domain at the other end.
    pub domain: String,
    /// Where values of our end come from: components, and a part of each, or nothing for the component itself.
    pub from: Vec<(ComponentRef, String)>,
}

/// `[[federation.services]]`
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceConfig {
    /// Its name, the same in all domains that it spans.
    pub name: String,
    /// The other domains that it spans.
    pub domains: Vec<String>,
    /// What knows of our part of it.
    pub from: Vec<(ComponentRef, String)>,
    /// Least key rate that was agreed, bits per second.
    pub key_rate: Option<f64>,
    /// Longest time without key that was agreed.
    pub without_key: Option<Duration>,
    /// Least share of the time with key that was agreed, 0 to 1.
    pub availability: Option<f64>,
    /// The time that these are looked at over.
    pub window: Duration,
}

/// `federation.settlements.period`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Period {
    /// From one full hour to the next.
    Hour,
    /// From midnight to midnight, UTC.
    #[default]
    Day,
}

impl Period {
    /// The word in configuration and section.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    /// Its length in milliseconds.
    #[must_use]
    pub const fn millis(self) -> i64 {
        match self {
            Self::Hour => 3_600_000,
            Self::Day => 86_400_000,
        }
    }
}

/// `[[federation.settlements]]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettlementConfig {
    /// The domain that keys are settled with.
    pub domain: String,
    /// What usage calls its side: values of `peer`.
    pub peers: Vec<String>,
    /// What is added up over.
    pub period: Period,
}

/// What is known of a domain before it says anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginConfig {
    /// Domain ID.
    pub domain: String,
    /// Its area, or empty.
    pub area: String,
    /// Its role.
    pub role: FederationRole,
    /// Generation of its keys.
    pub key_generation: u32,
    /// Nothing that it said in an epoch below this counts.
    pub min_epoch: u64,
    /// Public keys that sign for it, SubjectPublicKeyInfo in PEM.
    pub signing_keys: Vec<PathBuf>,
}

/// `[[peers]]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerConfig {
    /// Its manager ID on Mx.
    pub id: String,
    /// The domain that it speaks for, with its keys.
    pub origin: OriginConfig,
    /// `host:port`; absent: it dials us.
    pub address: Option<String>,
    /// CA certificates that vouch for this manager on Mx and for nothing else.
    pub trust_anchors: Vec<PathBuf>,
    /// Lists of what these CAs have revoked.
    pub revocation_lists: Vec<PathBuf>,
    /// Files of the policies that what it alone is told passes.
    pub export: Vec<PathBuf>,
    /// Files of the policies that what is shown of its domain passes, behind those for all domains.
    pub import: Vec<PathBuf>,
    /// Key that aliases for the names of our links with it are made with.
    pub pseudonym_key: Option<PathBuf>,
    /// What it may ask for.
    pub requests: Vec<RequestKind>,
}

/// An exchange policy, in a file of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct ExchangeConfig {
    /// The file, which is its name.
    pub path: PathBuf,
    /// Where the plugin is.
    pub plugin: PluginSource,
    /// Expected SHA-256 in lower-case hex, if set.
    pub sha256: Option<String>,
    /// Its own configuration.
    pub config: serde_json::Value,
}

impl ExchangeConfig {
    /// What it is called in metrics, logs and alarms.
    #[must_use]
    pub fn name(&self) -> String {
        self.path.display().to_string()
    }
}
