//! House rules that neither compiler nor clippy knows: sizes, names, comments, which part may use which, what must not
//! be in a file, licences. Each is a table to read; a broken rule is told with file, line and reason.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::too_many_lines,
    reason = "a test fails by panicking, and may be long"
)]

mod conformance;
mod dashboard;
mod dependencies;
mod files;
mod licences;
mod mutants;
mod networks;
mod sources;
