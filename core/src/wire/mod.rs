//! Bytes to messages and back: framing, decoding and encoding of the status protocol.
//!
//! In come the bytes of one read of one connection; out go frames ([`frame`]), then messages ([`decode`]), a status
//! report straight into the arrays of a [`crate::model::ReportBatch`]. The other way, [`encode`] appends answers and
//! requests to the connection's write buffer. What a component does with these is not here: simulated components have
//! their own reading and writing, so that both sides are written from the protocol and not from each other.
//!
//! The draft (Q.QKDN_Mk clause 8) fixes the messages and their parameters; framing, JSON keys, correlation, limits and
//! extension objects are the project's (the status protocol). Nothing here knows a socket, a thread, an identity or a
//! plugin: whether a component may say what it says is decided by who calls.

pub mod decode;
pub mod encode;
pub mod frame;
pub(crate) mod json;
pub mod outward;
pub mod subscription;

pub use decode::{DecodeOptions, Decoded, Decoder, Notes};
pub use frame::{Frame, Frames};

/// The message types of the protocol, as written in `messageType`.
pub mod message_type {
    /// Q.QKDN_Mk 8.1, from a component.
    pub const STATUS_REPORT: &str = "statusReport";
    /// Q.QKDN_Mk 8.2, answer of the manager.
    pub const STATUS_REPORT_RESPONSE: &str = "statusReportResponse";
    /// Q.QKDN_Mk 8.3, from the manager.
    pub const STATUS_REPORT_REQUEST: &str = "statusReportRequest";
    /// Q.QKDN_Mk 8.4, answer of a component.
    pub const STATUS_REPORT_REQUEST_RESPONSE: &str = "statusReportRequestResponse";
    /// Starts a subscription.
    pub const SUBSCRIBE: &str = "subscribe";
    /// Answer to [`SUBSCRIBE`].
    pub const SUBSCRIBE_RESPONSE: &str = "subscribeResponse";
    /// Ends a subscription.
    pub const UNSUBSCRIBE: &str = "unsubscribe";
    /// Answer to [`UNSUBSCRIBE`].
    pub const UNSUBSCRIBE_RESPONSE: &str = "unsubscribeResponse";

    /// Whether a type names an answer: such a message is never answered.
    #[must_use]
    pub fn is_answer(message_type: &str) -> bool {
        message_type.ends_with("Response")
    }
}

/// Whether a `response` says success; case does not matter.
#[must_use]
pub fn is_success(response: &str) -> bool {
    response.eq_ignore_ascii_case("success")
}

#[cfg(test)]
mod vectors;
