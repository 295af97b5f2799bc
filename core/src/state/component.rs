//! The state of one component.

use std::sync::Arc;

use super::{LastValues, SequenceWindow};
use crate::model::Timestamp;

/// What a shard knows of one of its components. `values` is shared with views and undo records, and copied when it
/// changes.
#[derive(Clone, Debug, Default)]
pub struct ComponentState {
    /// Numbering of its reports.
    pub window: SequenceWindow,
    /// Last value of everything it reported.
    pub values: Arc<LastValues>,
    /// When the manager last accepted a report of it.
    pub last_report: Option<Timestamp>,
    /// Reports accepted, repeats not counted.
    pub reports: u64,
    /// Reports accepted with something that the arrays could not take over (kept as text).
    pub kept: u64,
}
