//! An interface as the API shows it: where the manager listens, how much it takes, what came over it.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ComponentCount;
use crate::model::ReferencePoint;

/// A reference point that is served.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InterfaceView {
    /// Which.
    pub reference_point: ReferencePoint,
    /// Addresses of the configuration; empty: its components are only dialled.
    #[schema(value_type = Vec<String>)]
    pub listen: Vec<SocketAddr>,
    /// `hybrid-required`, `hybrid-preferred` or `classical`.
    pub key_exchange: String,
    /// Its components.
    pub components: ComponentCount,
    /// Connections open now.
    pub connections: u64,
    /// Connections at most.
    pub max_connections: usize,
    /// Lines received since the start.
    pub lines: u64,
    /// Reports answered `success` since the start, repeats included.
    pub accepted: u64,
    /// Messages refused since the start.
    pub refused: u64,
}
