//! Who may connect: certificates of another authority, reference point, usage or time are refused, counted and named;
//! revocation and new certificates take effect on SIGHUP without harm to connections that are still entitled.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::too_many_lines,
    reason = "a test fails by panicking, and may be long"
)]

mod enrolment;
mod mapping;
mod refusal;
mod reload;
