//! The federation protocol of `ALGORITHM.md` as a state machine without I/O: documents, sessions and time go in, messages
//! and what is to be stored come out.
//!
//! It knows no socket, no thread, no file and no clock of its own, and of the meaning of sections nothing at all. It uses no
//! other part of the manager, so that the simulation compiles it alone.

mod accept;
mod company;
mod digest;
mod event;
mod exchange;
mod freshness;
mod identity;
mod jws;
mod limits;
mod lives;
mod manifest;
mod message;
mod neighbour;
mod node;
mod outbox;
mod publish;
mod pulling;
mod reading;
mod roster;
mod seeing;
mod session;
mod slots;
#[cfg(test)]
mod tests;
mod version;

pub use company::CutOff;
pub use event::{Event, Fault};
pub use freshness::{Freshness, Standing};
pub use identity::{Audience, OriginId, Slot};
pub use jws::{Jws, JwsError, Signatures, SigningKey};
pub use limits::Settings;
pub use manifest::{Hash, Manifest, Salt, SectionBody, SectionRef};
pub use message::{Answer, Claim, Document, Item, Proof, Subscription, Want};
pub use neighbour::Neighbour;
pub use node::{Epochs, Input, Node, Now, Output, Start, Stored};
pub use publish::Draft;
pub use roster::{Key, Member, Role, Roster};
pub use session::SessionId;
pub use slots::Held;
pub use version::{MAX_COUNT, Version, epoch};
