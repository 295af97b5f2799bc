//! What managers of different domains exchange over Mx (status protocol, section 7), on one connection: the objects that
//! only they understand go to whoever keeps the federation, and what that one has to say goes out through the outlet.
//!
//! A report with such objects is a report like any other: it is handled, counted and answered. What the objects mean, and
//! who is a peer, is not known here.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{intake::Intake, subscribing::Outlet};
use crate::{
    model::{ComponentRef, ReasonCode, ReferencePoint, Refusal},
    wire::{encode, is_success, message_type},
};

/// A connection with a manager, at its beginning.
#[derive(Clone, Debug)]
pub struct PeerConnection {
    /// Whom it speaks for, by its certificate.
    pub managers: Vec<ComponentRef>,
    /// We dialled.
    pub dialled: bool,
    /// From where, or where.
    pub address: std::net::SocketAddr,
    /// Where our messages go. Its number tells connections apart.
    pub outlet: Arc<Outlet>,
    /// Closes it in good order.
    pub cancel: CancellationToken,
}

/// What a peer's message brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerMessage {
    /// Objects of a report (`mx.*`), as JSON texts.
    Told(Vec<String>),
    /// `statusReportRequest`: to be answered.
    Asked {
        /// As sent.
        message_id: String,
        /// JSON text of its extension.
        extension: String,
    },
    /// The answer to a message of ours.
    Answered {
        /// Of that message.
        message_id: String,
        /// `success`, or a reason.
        response: String,
        /// Objects (`mx.*`) of the answer, as JSON texts.
        objects: Vec<String>,
    },
}

/// Whoever keeps the federation. Nothing here blocks.
pub trait PeerDesk: Send + Sync {
    /// A connection on Mx is up.
    fn opened(&self, connection: PeerConnection);
    /// It has ended.
    fn closed(&self, outlet: u64);
    /// Takes what a peer says.
    ///
    /// # Errors
    /// Why it is refused as a whole: it is not what managers exchange.
    fn take(&self, outlet: u64, manager: &ComponentRef, message: PeerMessage) -> Result<(), Refusal>;
    /// Takes a `subscribe` if it asks for what managers exchange, and then answers it; false: it is an ordinary one.
    fn subscribes(&self, outlet: u64, manager: &ComponentRef, message_id: &str, extension: &str) -> bool;
}

/// There is no federation.
#[derive(Clone, Copy, Debug)]
pub struct NoPeers;

impl PeerDesk for NoPeers {
    fn opened(&self, _: PeerConnection) {}

    fn closed(&self, _: u64) {}

    fn take(&self, _: u64, _: &ComponentRef, _: PeerMessage) -> Result<(), Refusal> {
        let sentence = "this manager takes part in no federation ([federation] in its configuration)";
        Err(Refusal::new(ReasonCode::Unsupported, sentence))
    }

    fn subscribes(&self, _: u64, _: &ComponentRef, _: &str, _: &str) -> bool {
        false
    }
}

/// Hands a status report request of a peer to whoever answers it.
pub(super) fn asked(intake: &mut Intake, message_id: &str, component_id: &str, extension: &str, out: &mut Vec<u8>) {
    let message = PeerMessage::Asked { message_id: message_id.to_owned(), extension: extension.to_owned() };
    let refused = match intake.peer_manager() {
        Some(manager) => intake.context().peers.take(intake.outlet.id, &manager, message),
        None => Err(Refusal::new(ReasonCode::NotAuthorized, "the certificate speaks for no manager")),
    };
    if let Err(refusal) = refused {
        intake.context().metrics.refuse(ReferencePoint::Mx, refusal.code);
        let kind = message_type::STATUS_REPORT_REQUEST_RESPONSE;
        encode::answer(out, kind, Some(message_id), component_id, &refusal.into());
    }
}

/// Hands the answer to a message of the federation on; false if it is none.
pub(super) fn answered(intake: &Intake, message_id: &str, response: &str, objects: Vec<String>) -> bool {
    if intake.context().point() != ReferencePoint::Mx || !message_id.starts_with(MESSAGE_ID) {
        return false;
    }
    let Some(manager) = intake.peer_manager() else { return false };
    if !intake.outlet.expected(message_id) {
        return false;
    }
    let objects = if is_success(response) { objects } else { Vec::new() };
    let message = PeerMessage::Answered { message_id: message_id.to_owned(), response: response.to_owned(), objects };
    // What does not have the right form has been counted there; an answer is not answered.
    let _refused = intake.context().peers.take(intake.outlet.id, &manager, message);
    true
}

/// How `messageId`s of the federation begin.
pub const MESSAGE_ID: &str = "mx-";
