//! The status protocol on the wire, rule by rule: what PROTOCOL.md sections 1 to 5 promise to a client that was written
//! from that page alone. One module a section; the real binary, real TLS.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::too_many_lines,
    reason = "a test fails by panicking, and may be long"
)]

mod answers;
mod bad_lines;
mod content;
mod fuzzed;
mod key_material;
mod limits;
mod requests;
mod sequence;
mod transport;
