//! A shard that is not there: its core, the time of the reports that it is given, the timers that fire between them, and what followed in
//! words.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::words::{self, Followed};
use crate::{
    model::{Alarm, AlarmKey, ReportBatch, SymbolTable, Timestamp},
    shard::core::{ShardCore, Worked},
};

/// Timers that may fire between two reports.
const MOST_TIMERS: usize = 100_000;

/// A shard whose time is that of the reports.
pub(in crate::manager) struct Stage {
    core: ShardCore,
    symbols: Arc<SymbolTable>,
    now: Timestamp,
    timers: BTreeMap<(u32, u32, u32), u64>,
    alarms: HashMap<AlarmKey, Arc<Alarm>>,
}

impl Stage {
    /// One that begins at a time.
    pub(in crate::manager) fn new(core: ShardCore, symbols: Arc<SymbolTable>, now: Timestamp) -> Self {
        Self { core, symbols, now, timers: BTreeMap::new(), alarms: HashMap::new() }
    }

    /// Its time.
    pub(in crate::manager) const fn now(&self) -> Timestamp {
        self.now
    }

    /// Has its handler work through reports.
    pub(in crate::manager) fn report(&mut self, batch: ReportBatch, handler: usize) -> Worked {
        self.core.reports(batch, handler, self.now)
    }

    /// Goes on to a time, unless it is there already; fires the timers that are due on the way.
    pub(in crate::manager) fn until(&mut self, until: Timestamp, followed: &mut Followed) {
        for _ in 0..MOST_TIMERS {
            let next = self.timers.values().min().copied();
            let Some(at) = next.filter(|at| i64::try_from(*at).is_ok_and(|at| at <= until.0)) else {
                self.now = self.now.max(until);
                return;
            };
            self.now = self.now.max(Timestamp(i64::try_from(at).unwrap_or(i64::MAX)));
            self.timers.retain(|_, due| *due > at);
            if let Some(worked) = self.core.tick(self.now, |_| true) {
                followed.line(format!("{} timer", self.now));
                self.tell(worked, followed);
            }
        }
        followed.line(format!("{} more than {MOST_TIMERS} timers between two reports; the rest is left out", self.now));
        self.now = self.now.max(until);
    }

    /// Says what followed, and keeps what it changes.
    pub(in crate::manager) fn tell(&mut self, worked: Worked, followed: &mut Followed) {
        for timer in &worked.record.effects.timers {
            let key = (timer.policy, timer.component, timer.resource);
            match timer.at {
                0 => drop(self.timers.remove(&key)),
                at => drop(self.timers.insert(key, at)),
            }
        }
        words::effects(&worked, &self.symbols, &self.alarms, followed);
        for alarm in worked.alarms {
            self.alarms.insert(alarm.key.clone(), alarm);
        }
    }
}
