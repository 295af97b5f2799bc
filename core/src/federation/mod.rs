//! Federation with the managers of other domains over Mx: what peers are told, what of them is believed, and how fresh that is.
//!
//! ```text
//!   this domain's state -> section (what may be said, to whom; `alias`) -> protocol (signed documents) -> messages -> Mx
//!   Mx -> messages -> protocol (believed, kept, passed on) -> section (what it means) -> views: api, cli, alarms
//!   operators <-> request (typed requests to peers, and what was decided) <-> Mx
//! ```
//!
//! `ALGORITHM.md` beside this file tells how it works and which invariants hold.

pub mod alias;
pub mod graph;
pub mod joined_alarms;
pub mod keys;
pub mod known_links;
pub mod known_through;
pub mod messages;
pub mod path;
pub mod protocol;
pub mod request;
pub mod section;
pub mod service;
pub mod settlement;
