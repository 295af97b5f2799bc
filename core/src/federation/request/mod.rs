//! Typed requests between the managers of two domains that are peers: maintenance announced, priority asked for, incidents
//! handed over; and what the other side's operator decided. Pure: no socket, no clock, no file.
//!
//! ```text
//!   operator here --> book: asked --> wire --> Mx --> wire --> book: waits --> operator there
//!   operator here <-- book: outcome <-- wire <-- Mx <-- wire <-- book: decided <-----'
//!   operator here --> book: withdrawn --> wire --> Mx --> wire --> book: withdrawn there too
//! ```
//!
//! Requests are no documents: they are between two managers, are not signed, and nobody passes them on. What a request says is
//! in `model/peer_request`. `ALGORITHM.md` (section 10) has the rules that [`Book`] keeps.

mod book;
mod entry;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
pub mod wire;

pub use book::{AskError, Book, DecideError, Happened, Plan, Terms, WithdrawError};
pub use entry::{Entry, RequestId};
pub use wire::Said;
