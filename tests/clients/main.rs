//! Clients that share no code with the project: the Python agent of `examples/`, `openssl s_client`, `curl`, `sqlite3`.
//! Each needs its program; where it is missing the test says so aloud and is over.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::too_many_lines,
    reason = "a test fails by panicking, and may be long"
)]

mod programs;
mod python_agent;
mod python_watch;
mod standard_tools;
