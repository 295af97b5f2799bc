//! The alarm list as everybody may see it: what is committed. Shards publish here after their commit; readers look
//! without waiting for anybody.

use std::sync::Arc;

use dashmap::DashMap;

use super::AlarmFilter;
use crate::model::Alarm;

/// All alarms, by number.
#[derive(Debug, Default)]
pub struct AlarmBoard(DashMap<u64, Arc<Alarm>>);

impl AlarmBoard {
    /// Shows an alarm as it is now. An older state never replaces a newer one: one alarm belongs to one shard, and a
    /// shard's batches are published in order.
    pub fn publish(&self, alarm: Arc<Alarm>) {
        self.0.insert(alarm.id, alarm);
    }

    /// One alarm.
    #[must_use]
    pub fn find(&self, id: u64) -> Option<Arc<Alarm>> {
        self.0.get(&id).map(|alarm| Arc::clone(&alarm))
    }

    /// Up to `limit` alarms that pass the filter with a number above `after`, by number.
    #[must_use]
    pub fn list(&self, filter: &AlarmFilter, after: u64, limit: usize) -> Vec<Arc<Alarm>> {
        let mut found: Vec<Arc<Alarm>> = self
            .0
            .iter()
            .filter(|entry| *entry.key() > after && filter.matches(entry.value()))
            .map(|entry| Arc::clone(entry.value()))
            .collect();
        found.sort_unstable_by_key(|alarm| alarm.id);
        found.truncate(limit);
        found
    }

    /// Every alarm, in no order.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Alarm>> {
        self.0.iter().map(|entry| Arc::clone(entry.value())).collect()
    }
}
