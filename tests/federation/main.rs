//! Managers of several domains over Mx: real processes, real TLS, an authority of its own for each domain.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::too_many_lines,
    reason = "a test fails by panicking, and may be long"
)]

mod across;
mod cluster;
mod crossing;
mod demonstration;
mod example;
mod held;
mod hierarchy;
mod hostile;
mod namespace;
mod peering;
mod plain;
mod policies;
mod requests;
mod ring;
mod seeing;
mod service;
mod storage;
mod trust;
