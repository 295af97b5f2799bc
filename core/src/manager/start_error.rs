//! What can keep a manager from starting.

use super::{exporters::ExportersError, federation::membership::MembershipError};
use crate::{
    api::ApiError,
    net::{BindError, TrustError},
    plugin::PluginError,
    storage::error::StorageError,
    telemetry::audit::AuditError,
};

/// Why a manager does not start. Every variant says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory or the journal.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The plugin engine.
    #[error(transparent)]
    Engine(PluginError),
    /// Plugins that cannot be used, all of them.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Plugins(Vec<PluginError>),
    /// Certificates.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// An interface's address.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The API's address or tokens.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The audit trail.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// Keys of this domain or of others, all of them.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Membership(Vec<MembershipError>),
    /// Collectors.
    #[error(transparent)]
    Collectors(#[from] super::collectors::CollectorsError),
    /// Exporters of alarms.
    #[error(transparent)]
    Exporters(#[from] ExportersError),
    /// A fault point that does not parse (builds for tests only).
    #[error("QKDNM_FAULTS: {0}")]
    Faults(String),
    /// The operating system refuses a thread.
    #[error("cannot start a thread; is the limit of processes reached?")]
    Thread(#[source] std::io::Error),
}
