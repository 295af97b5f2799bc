//! The QKDN manager: watches over a quantum key distribution network as draft ITU-T Q.QKDN_Mk describes.
//!
//! The modules stand in the order in which a status report travels:
//!
//! ```text
//!   component --TLS--> net -> wire -> shard: plugin (handler) -> state -> plugin (policies) -> alarm
//!                       ^                                                                        |
//!                       |                                                                        v
//!                    answer <------------------------- storage: one commit for what waits <------+
//!                                                                |
//!                                                                +--> views: api, cli, metrics
//! ```
//!
//! `core/ARCHITECTURE.md` tells it at length.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::too_many_lines,
        reason = "a test fails by panicking, and may be long"
    )
)]

// On the way of a status report.
pub mod net;
pub mod connection;
pub mod wire;
pub mod dispatch;
pub mod shard;
pub mod plugin;
pub mod simulate;
pub mod state;
pub mod alarm;
pub mod storage;
// Faces to people and programs.
pub mod api;
pub mod pki;
pub mod cli;
// What everything uses.
pub mod clock;
pub mod config;
pub mod model;
pub mod telemetry;
// What joins it, sets it up, measures and shows it.
pub mod bench;
pub mod demo;
pub mod manager;
