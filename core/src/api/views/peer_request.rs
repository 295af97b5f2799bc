//! Requests between managers as the API shows them, and the mark of an alarm on a link under maintenance.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::model::{
    Timestamp,
    peer_request::{Asked, MaintenanceEffect, RequestDirection, RequestReason, RequestState},
};

/// A request to a peer, or of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PeerRequestView {
    /// Its ID, the same on both sides.
    pub id: String,
    /// Who asked: `sent` by us, or `received`.
    pub direction: RequestDirection,
    /// Manager ID of the peer; absent: it is none any more.
    pub peer: Option<String>,
    /// The other domain.
    pub domain: String,
    /// What is asked.
    #[serde(flatten)]
    pub asked: Asked,
    /// Where it stands.
    pub state: RequestState,
    /// Why it was declined or refused.
    pub reason: Option<RequestReason>,
    /// The same for a person, where the other side said it.
    pub explanation: Option<String>,
    /// Name of the token with which it was asked or decided here, or withdrawn.
    pub by: Option<String>,
    /// When it was asked or came here.
    pub made: Timestamp,
    /// When it expires, or has expired, if nobody decides.
    pub expires: Timestamp,
    /// When it was settled, as far as it was known here.
    pub settled: Option<Timestamp>,
}

/// An alarm is about a link that is under maintenance. It stays what it is: raised, counted and exported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MaintenanceMark {
    /// Name of the link.
    pub link: String,
    /// The domain that announced it.
    pub announced_by: String,
    /// ID of the notice.
    pub request: String,
    /// Until when.
    pub until: Timestamp,
    /// What it was expected to do to the link.
    pub effect: MaintenanceEffect,
}
