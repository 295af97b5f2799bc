//! What the manager tells about itself: counters, log, audit. Every part counts here; only `api` renders it.

pub mod audit;
pub mod collector;
pub mod exporter;
pub mod federation;
pub mod logs;
pub mod metrics;
pub mod outward;
pub mod plugin_calls;
pub mod plugin_log;
pub mod refusals;
pub mod reloads;
pub mod vital;
