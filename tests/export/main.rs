//! Alarms told to other systems: webhooks that fail in every way, a real Alertmanager, `kill -9` before delivery.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::too_many_lines,
    reason = "a test fails by panicking, and may be long"
)]

mod alertmanager;
mod receiver;
mod webhook;
