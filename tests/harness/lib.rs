//! What the cross-process tests stand on: a throw-away PKI, a manager process with its own folder, a client that speaks
//! the status protocol line by line, and a reader of the HTTP API.
//!
//! A test says what it needs ([`Settings`]), starts a [`ManagerProcess`] from it, and talks to the real binary through
//! its public doors: TLS listeners, HTTP API, command line, files. Nothing here uses the manager's own code, so that a
//! mistake in it cannot hide behind the same mistake in the test. Waiting is always for a condition, with a deadline
//! ([`eventually`]), never for a time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a harness fails its test by panicking, with a message that says what was waited for"
)]

pub mod api;
pub mod binary;
pub mod examples;
pub mod guests;
pub mod log_guard;
pub mod manager;
pub mod native;
pub mod pki;
pub mod raw_client;
pub mod report;
pub mod settings;
pub mod waiting;

pub use api::{Api, HttpAnswer};
pub use manager::ManagerProcess;
pub use pki::{Identity, TestPki};
pub use raw_client::{Closing, RawClient};
pub use report::{performance, report, response_code};
pub use settings::Settings;
pub use waiting::{PATIENCE, eventually, patience};
