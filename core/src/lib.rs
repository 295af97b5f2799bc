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
pub mod alarm;
pub mod collect;
pub mod connection;
pub mod dispatch;
pub mod export;
pub mod federation;
pub mod net;
pub mod plugin;
pub mod shard;
pub mod simulate;
pub mod state;
pub mod storage;
pub mod subscription;
pub mod wire;
// Faces to people and programs.
pub mod api;
pub mod cli;
pub mod pki;
// What everything uses.
pub mod clock;
pub mod config;
pub mod model;
pub mod signing;
pub mod telemetry;
// What joins it, sets it up, measures and shows it.
pub mod bench;
pub mod demo;
pub mod manager;
