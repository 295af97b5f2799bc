//! The state of one component.

use std::sync::Arc;

use super::{LastValues, SequenceWindow, last_values::LastValue, sequence_window::SequenceUndo};
use crate::{
    model::{ReportBatch, Timestamp, report_batch::head_flags},
    storage::record::AddedSample,
};

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

impl ComponentState {
    /// What an accepted report changes: its number, the counts and, unless it was kept as received only (`raw`), its
    /// values with those that its handler added (of the whole batch, found by their report). A shard and recovery
    /// both use this, so that both come to the same state.
    pub fn accept(
        &mut self,
        batch: &ReportBatch,
        index: usize,
        raw: bool,
        added: &[AddedSample],
        received: Timestamp,
    ) -> Option<SequenceUndo> {
        let head = batch.reports.get(index)?;
        let has_sequence = head.flags & head_flags::HAS_SEQUENCE != 0;
        let undo = has_sequence.then(|| self.window.accept(head.incarnation, head.sequence, head.content_hash));
        self.last_report = Some(received);
        self.reports += 1;
        if head.flags & head_flags::KEPT_TEXT != 0 {
            self.kept += 1;
        }
        if !raw {
            let is_added = |sample: &&AddedSample| sample.report as usize == index;
            if !batch.samples(index).is_empty() || added.iter().any(|sample| is_added(&sample)) {
                let values = Arc::make_mut(&mut self.values);
                values.take(batch, index);
                for &AddedSample { value, name, resource, kind, .. } in added.iter().filter(is_added) {
                    values.put(LastValue { name, resource, kind: kind & 0xff, value, time: head.time });
                }
            }
        }
        undo
    }
}
