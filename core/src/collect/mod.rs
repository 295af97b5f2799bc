//! The rules of collecting: what a collector may have fetched, when it is its turn, and how what it learned is said as a
//! status report.
//!
//! Pure: values and a random number come in, values go out. `manager/collectors` runs it: fetches, waits and hands in.

pub mod report;
pub mod request;
pub mod schedule;

pub use request::{Refusal, permitted};
pub use schedule::Schedule;
