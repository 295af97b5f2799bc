//! What an operator does with a running manager: alarms from raise to close, a full disk, commands and their exit
//! codes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::too_many_lines,
    reason = "a test fails by panicking, and may be long"
)]

mod alarms;
mod audit;
mod bad_plugins;
mod commands;
mod configuration;
mod demo;
mod events;
mod full_disk;
mod guidance;
mod history;
mod native;
mod network;
mod plugins;
mod policies;
mod readme;
mod silence;
mod simulate;
mod storage;
