//! TCP and TLS: who is on the other side of a connection, and whether it may be there (PROTOCOL section 1).
//!
//! In: sockets, `[tls]`, `[interfaces.*]` and `[[components]]`. Out: [`Accepted`], a stream that has completed its
//! handshake together with the [`Identity`] its certificate proves; or [`Refused`], a named cause and a sentence.
//!
//! ```text
//!   listener --TCP--> permit --TLS--> trust: chain, revocation, validity, usage -> identity --> Accepted
//!   dial     --TCP----------TLS----->   (the same, with the component as the server)       --> Accepted
//! ```
//!
//! Nothing here reads a message: what travels on the stream is the connection's business.

pub mod backoff;
pub mod cause;
mod chain;
pub mod credentials;
pub mod dial;
pub mod identity;
pub mod listener;
pub mod outgoing;
pub mod permits;
pub mod subject;
pub mod tls;
pub mod trust;

#[cfg(test)]
mod test_certificates;
#[cfg(test)]
mod tests;

pub use backoff::Backoff;
pub use cause::{Cause, Refused};
pub use dial::{DialError, dial};
pub use identity::{Identity, IdentityRules, Role};
pub use listener::{Accepted, BindError, ConnectionSink, Listener};
pub use outgoing::{OutgoingStream, OutgoingTls};
pub use permits::{Bounds, ConnectionPermit, ConnectionRegistry};
pub use trust::{InterfaceTrust, PreparedTrust, Scope, TrustError, TrustSource, TrustWarning};
