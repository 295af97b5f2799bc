//! Playing the manager, so that plugins are tested with `cargo test`.
//!
//! [`HandlerHost`] decodes extensions as the manager does and hands batches to a handler; [`PolicyHost`] keeps a policy's
//! state, timers and alarms between calls and moves time on; [`ExchangeHost`] keeps an exchange policy's memory;
//! [`CollectorHost`] plays the devices that a collector asks. All check every answer as the manager would and panic,
//! with a reason, where it would call the plugin failed. Nothing here exists in WebAssembly.

#![expect(clippy::panic, reason = "a test kit fails tests")]

mod collector;
mod exchange;
mod handler;
mod policy;
mod symbols;

use std::cell::RefCell;
use std::mem;

pub use collector::{Collected, CollectorHost, Served};
pub use exchange::ExchangeHost;
pub use handler::{Answer, HandlerHost};
pub use policy::{AlarmKey, Event, PolicyHost, Reading};
pub use symbols::SymbolTable;

thread_local! {
    static LOG: RefCell<Vec<(String, String)>> = const { RefCell::new(Vec::new()) };
}

/// Takes the lines that plugins logged on this thread: level and message.
#[must_use]
pub fn take_log() -> Vec<(String, String)> {
    LOG.with(|log| mem::take(&mut *log.borrow_mut()))
}

pub(crate) fn log_line(level: &str, message: &str) {
    LOG.with(|log| log.borrow_mut().push((level.to_owned(), message.to_owned())));
}
