//! The HTTP API as its description promises it: every operation tried by schemathesis, the metrics by promtool, lists as
//! CSV, tokens, and what bounds the number of series.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::too_many_lines,
    reason = "a test fails by panicking, and may be long"
)]

mod lists;
mod metrics;
mod program;
mod schema;
mod site;
mod tokens;
