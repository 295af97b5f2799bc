//! The alarm list after RFC 8632: how an alarm is raised, changes, clears and is operated on, and which alarms a reader
//! asked for.
//!
//! Plain values in, plain values out: a shard passes the alarm as it stands and gets it as it is to be, commits that
//! with its batch, and only then shows it. Nothing here keeps a list, reads a clock, or knows who asks: policies,
//! components and the manager itself raise alarms through the same three functions of [`lifecycle`].

pub mod board;
pub mod filter;
pub mod lifecycle;

pub use board::AlarmBoard;
pub use filter::{AlarmFilter, AlarmSummary, SeverityCount};
pub use lifecycle::{AlarmChange, OperateError, clear, operate, raise};
