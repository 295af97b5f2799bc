//! The manager itself as the API shows it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::InterfaceView;
use crate::{
    alarm::AlarmSummary,
    model::{ReferencePoint, Timestamp},
};

/// How the manager is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// Whether it takes reports and stores them.
    pub ready: bool,
    /// Why not, one sentence each; empty when ready.
    pub reasons: Vec<String>,
    /// Its manager ID on Mx.
    pub manager: String,
    /// The domain it speaks for.
    pub domain: String,
    /// Version of the program.
    pub version: String,
    /// When it started.
    pub started: Timestamp,
    /// Seconds since then.
    pub uptime_seconds: u64,
    /// Components, counted.
    pub components: ComponentCount,
    /// Reference points that are served, with what came over them.
    #[serde(default)]
    pub interfaces: Vec<InterfaceView>,
    /// Alarms by severity (RFC 8632 alarm-summary).
    pub alarms: AlarmSummary,
}

/// Components, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ComponentCount {
    /// Configured, or heard of.
    pub known: u64,
    /// With a connection open now.
    pub connected: u64,
}

/// Levels of the moment, for `/metrics`. What does not apply stays at its default.
#[derive(Clone, Debug, Default)]
pub struct Gauges {
    /// By reference point, in the order of `ReferencePoint::ALL`; absent ones are not served.
    pub interfaces: Vec<InterfaceGauges>,
    /// Components that are held for silent, by reference point.
    pub silent: Vec<SilentCount>,
    /// Levels of the network, by reference point and value.
    pub network: Vec<NetworkLevel>,
    /// Messages waiting in each shard's mailbox, by shard.
    pub shard_mailboxes: Vec<u64>,
    /// Symbols given so far.
    pub symbols: u64,
    /// Bytes that the journal takes on disk.
    pub journal_size_bytes: u64,
    /// Timers that policies have set.
    pub policy_timers: u64,
    /// The federation; absent: there is none.
    pub federation: Option<crate::telemetry::federation::FederationLevels>,
}

/// Components of one reference point that are held for silent.
#[derive(Clone, Copy, Debug)]
pub struct SilentCount {
    /// Which.
    pub reference_point: ReferencePoint,
    /// How many.
    pub components: u64,
}

/// What a value of the catalogue amounts to over all of a reference point that report it.
#[derive(Clone, Debug)]
pub struct NetworkLevel {
    /// Which.
    pub reference_point: ReferencePoint,
    /// Name of the value.
    pub value: String,
    /// How many report it, parts of components each for itself.
    pub count: u64,
    /// The least.
    pub least: f64,
    /// The greatest.
    pub greatest: f64,
    /// The mean.
    pub mean: f64,
}

/// Components of one reference point.
#[derive(Clone, Copy, Debug)]
pub struct InterfaceGauges {
    /// Which.
    pub reference_point: ReferencePoint,
    /// Its components.
    pub components: ComponentCount,
}
