//! What a shard has changed and the state database was not told of yet.
//!
//! In: what batches changed, with their numbers where a failed commit has to take it out again. Out: the same, for a flush. Knows
//! neither journal nor database.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use crate::{
    model::{Alarm, EnrolmentDecision},
    state::{NetworkChange, UsageEntry},
    storage::record::{PolicyStates, Quarantined, TimerChange},
};

/// What changed since the state database was last told.
#[derive(Clone, Debug, Default)]
pub(super) struct Changed {
    pub(super) components: HashSet<u32>,
    pub(super) subjects: HashSet<(usize, u32)>,
    pub(super) alarms: HashMap<u64, Arc<Alarm>>,
    /// With the number of the batch that brought each.
    pub(super) quarantined: Vec<(u64, Quarantined)>,
    pub(super) network: Vec<(u64, NetworkChange)>,
    pub(super) usage: Vec<(u64, UsageEntry)>,
    pub(super) decisions: Vec<(u64, EnrolmentDecision)>,
    /// Subjects without a state any more, and their timers.
    pub(super) forgotten: Vec<(u64, Vec<PolicyStates>, Vec<TimerChange>)>,
}

impl Changed {
    pub(super) fn is_empty(&self) -> bool {
        self.components.is_empty()
            && self.subjects.is_empty()
            && self.alarms.is_empty()
            && self.quarantined.is_empty()
            && self.forgotten.is_empty()
            && self.decisions.is_empty()
        // Changes of the network and usage come with a component that changed.
    }

    pub(super) fn add(&mut self, other: Self) {
        self.components.extend(other.components);
        self.subjects.extend(other.subjects);
        self.alarms.extend(other.alarms);
        self.quarantined.extend(other.quarantined);
        self.network.extend(other.network);
        self.usage.extend(other.usage);
        self.decisions.extend(other.decisions);
        self.forgotten.extend(other.forgotten);
    }
}
