//! Taking back what a batch changed, should its commit fail.
//!
//! A shard runs ahead of the disk. Each batch keeps what it changed as it was before; when the journal gives up an
//! epoch, the shard takes the batches that were not committed back, newest first. What was committed is dropped.

use std::{collections::VecDeque, sync::Arc};

use crate::{
    model::{Alarm, AlarmKey, Timestamp},
    state::{LastValues, Network, SequenceUndo, source_clock::SourceClock, usage::UsageDigest},
};

/// A component's plain fields before a batch.
#[derive(Debug)]
pub struct ComponentBefore {
    /// Its symbol.
    pub component: u32,
    /// `ComponentState::values`
    pub values: Arc<LastValues>,
    /// `ComponentState::last_report`
    pub last_report: Option<Timestamp>,
    /// `ComponentState::reports`
    pub reports: u64,
    /// `ComponentState::kept`
    pub kept: u64,
    /// `ComponentState::network`
    pub network: Arc<Network>,
    /// What its source times say of its clock.
    pub clock: SourceClock,
}

/// A subject's state and timer before a batch.
#[derive(Debug)]
pub struct SubjectBefore {
    /// Position of the policy.
    pub policy: usize,
    /// Position of the subject.
    pub subject: u32,
    /// Its state.
    pub state: Box<[f64]>,
    /// Its timer, 0 if none.
    pub timer: u64,
}

/// What one batch changed, as it was.
#[derive(Debug, Default)]
pub struct BatchUndo {
    /// Number of the batch in its shard.
    pub number: u64,
    /// Usage counted, in order: component, digest of the `usageId`, end of the interval.
    pub usage: Vec<(u32, UsageDigest, Timestamp)>,
    /// Sequence numbers taken, in order.
    pub sequences: Vec<(u32, SequenceUndo)>,
    /// Components touched.
    pub components: Vec<ComponentBefore>,
    /// Subjects changed, in order.
    pub subjects: Vec<SubjectBefore>,
    /// Alarms changed, in order; `None`: there was none.
    pub alarms: Vec<(AlarmKey, Option<Arc<Alarm>>)>,
}

/// The batches of a shard that are not known to be committed, oldest first.
#[derive(Debug, Default)]
pub struct UndoLog(VecDeque<BatchUndo>);

impl UndoLog {
    /// Keeps a batch's record until it is known to be committed.
    pub fn keep(&mut self, undo: BatchUndo) {
        self.0.push_back(undo);
    }

    /// Drops the records of all batches up to and including `number`.
    pub fn committed(&mut self, number: u64) {
        while self.0.front().is_some_and(|undo| undo.number <= number) {
            self.0.pop_front();
        }
    }

    /// Takes all records out, newest first.
    pub fn take_back(&mut self) -> impl Iterator<Item = BatchUndo> {
        std::mem::take(&mut self.0).into_iter().rev()
    }

    /// Whether everything is committed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
