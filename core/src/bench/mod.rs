//! `qkdnm bench`: measures the manager beside a floor in the same run.
//!
//! The *floor* is the least that the protocol asks for: the same TLS, framing and one-pass decode, and an answer; no
//! plugin, no storage. Figures of a machine drift, ratios to the floor much less. Server processes are measured from
//! outside (`/proc`), the load comes from this process; nothing here is used by the manager.

pub mod against;
pub mod api;
pub mod costs;
pub mod cut;
pub mod event;
pub mod federation;
pub mod floor;
pub mod ingest;
pub mod latency;
pub mod lines;
pub mod load;
pub mod plugins;
pub mod reload;
pub mod server;
pub mod site;
