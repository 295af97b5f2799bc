//! The manager as subscriber at components (status protocol, section 6), and the schedule for those that serve no subscriptions.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::too_many_lines,
    reason = "a test fails by panicking, and may be long"
)]

mod changing;
mod durable;
mod granting;
mod polling;
mod simulated;
mod standing;
