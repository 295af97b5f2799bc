//! Harness.

pub mod guests;
