//! The state of one component.

use std::sync::Arc;

use super::{
    LastValues, Network, NetworkChange, SequenceWindow, UsageEntry, UsageWindow,
    last_values::LastValue,
    network::Said,
    sequence_window::SequenceUndo,
    usage::{Usage, digest},
};
use crate::{
    model::{
        ObjectKind, ReportBatch, Timestamp,
        report_batch::{ObjectText, head_flags},
    },
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
    /// Inventory and topology.
    pub network: Arc<Network>,
    /// Usage counted and not too old.
    pub usage: UsageWindow,
}

/// What an accepted report changed beside counts and values.
#[derive(Debug, Default)]
pub struct Accepted {
    /// To take its number back.
    pub sequence: Option<SequenceUndo>,
    /// Changes of inventory and topology.
    pub network: Vec<NetworkChange>,
    /// Usage that counts.
    pub usage: Vec<UsageEntry>,
    /// Places in the extension of usage objects that do not: they were counted before.
    pub uncounted: Vec<u32>,
    /// Entries of inventory and topology left out because the component has as many as it may.
    pub dropped: u64,
}

/// The objects of one report.
fn objects(batch: &ReportBatch, index: usize) -> &[ObjectText] {
    let start = batch.objects.partition_point(|object| (object.report as usize) < index);
    let rest = batch.objects.get(start..).unwrap_or_default();
    rest.get(..rest.partition_point(|object| object.report as usize == index)).unwrap_or_default()
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
    ) -> Accepted {
        let mut accepted = Accepted::default();
        let Some(head) = batch.reports.get(index) else { return accepted };
        let has_sequence = head.flags & head_flags::HAS_SEQUENCE != 0;
        accepted.sequence =
            has_sequence.then(|| self.window.accept(head.incarnation, head.sequence, head.content_hash));
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
            if !batch.objects.is_empty() {
                self.take_objects(batch, index, received, &mut accepted);
            }
        }
        accepted
    }

    fn take_objects(&mut self, batch: &ReportBatch, index: usize, received: Timestamp, accepted: &mut Accepted) {
        let Some(head) = batch.reports.get(index) else { return };
        for object in objects(batch, index) {
            let text = batch.object_text(object);
            match object.kind {
                ObjectKind::Inventory | ObjectKind::Topology => {
                    let said = Said { at: received, time: Timestamp(head.time) };
                    accepted.dropped += Network::take(
                        &mut self.network,
                        head.component,
                        object.kind,
                        text,
                        said,
                        &mut accepted.network,
                    );
                }
                ObjectKind::Usage => {
                    let Some(usage) = Usage::parse(text) else { continue };
                    let Some(end) = usage.end() else { continue };
                    if self.usage.count(digest(&usage.usage_id), end, received) {
                        accepted.usage.push(UsageEntry { component: head.component, usage, counted: received });
                    } else {
                        accepted.uncounted.push(object.index);
                    }
                }
                ObjectKind::Alarm | ObjectKind::Event => {}
            }
        }
    }

    /// Why a report's usage cannot be accepted, with the path of what is wrong.
    #[must_use]
    pub fn usage_refusal(&self, batch: &ReportBatch, index: usize, now: Timestamp) -> Option<String> {
        let mut usage = objects(batch, index).iter().filter(|object| object.kind == ObjectKind::Usage);
        usage.find_map(|object| {
            let (key, why) = self.usage.refusal(&Usage::parse(batch.object_text(object))?, now)?;
            Some(format!("extension[{}].{key}: {why}", object.index))
        })
    }
}
