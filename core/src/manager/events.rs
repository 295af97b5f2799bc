//! Committed batches as events for those who follow the manager over the API.
//!
//! Alarms are told at once. That components reported is told in sum, a few times a second at most: who wants their values
//! fetches them. The journal's thread only notes; [`Events::run`] writes and tells.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::json;
use tokio::{sync::Notify, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::{
    alarm::AlarmBoard,
    api::{event_log::EventLog, views::AlarmView},
    config::limits::{EVENT_COMPONENTS, EVENT_COMPONENTS_EVERY, EVENT_LOG_EVENTS},
    model::{Alarm, Symbol, SymbolTable},
    storage::{JournalPosition, follow::Follower, record::BatchRecord},
};

/// An alarm as the API shows it.
pub type Judge = Box<dyn Fn(&Alarm) -> AlarmView + Send + Sync>;

/// Where events come from.
pub struct Events {
    log: Arc<EventLog>,
    board: Arc<AlarmBoard>,
    symbols: Arc<SymbolTable>,
    judge: Judge,
    noted: Mutex<Noted>,
    /// An alarm was noted.
    alarmed: Notify,
}

/// What was committed and not told yet.
#[derive(Debug, Default)]
struct Noted {
    /// Alarms as they became, in the order of the journal; at most [`EVENT_LOG_EVENTS`].
    alarms: VecDeque<(JournalPosition, Arc<Alarm>)>,
    /// Older ones had to go.
    lost: bool,
    /// The last batch with reports.
    position: JournalPosition,
    components: BTreeSet<u32>,
    reports: u64,
}

impl Events {
    /// Events of what comes behind a position.
    #[must_use]
    pub fn new(behind: JournalPosition, board: Arc<AlarmBoard>, symbols: Arc<SymbolTable>, judge: Judge) -> Arc<Self> {
        let log = Arc::new(EventLog::new(behind));
        Arc::new(Self { log, board, symbols, judge, noted: Mutex::default(), alarmed: Notify::new() })
    }

    /// The log that listeners read.
    #[must_use]
    pub const fn log(&self) -> &Arc<EventLog> {
        &self.log
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells alarms as they come and, every so often, which components reported, until `stop`; then ends the log.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut every = tokio::time::interval(EVENT_COMPONENTS_EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.alarmed.notified() => self.tell_alarms(),
                _ = every.tick() => self.tell_all(),
            }
        }
        self.tell_all();
        self.log.close();
    }

    fn tell_alarms(&self) {
        let (alarms, lost) = {
            let mut noted = self.noted();
            (std::mem::take(&mut noted.alarms), std::mem::take(&mut noted.lost))
        };
        self.write_alarms(alarms, lost);
    }

    /// Alarms first: they are of no later batch than the reports.
    fn tell_all(&self) {
        let Noted { alarms, lost, position, components, reports } = std::mem::take(&mut *self.noted());
        self.write_alarms(alarms, lost);
        if components.is_empty() {
            return;
        }
        let text = |symbol: &u32| self.symbols.text(Symbol(*symbol)).as_ref().to_owned();
        let named: Vec<String> = components.iter().take(EVENT_COMPONENTS).map(text).collect();
        let more = components.len() - named.len();
        let data = json!({ "components": named, "more": more, "reports": reports });
        self.log.add(position, "components", data.to_string());
    }

    fn write_alarms(&self, alarms: VecDeque<(JournalPosition, Arc<Alarm>)>, lost: bool) {
        if lost {
            self.log.lose();
        }
        for (position, alarm) in alarms {
            if let Ok(data) = serde_json::to_string(&(self.judge)(&alarm)) {
                self.log.add(position, "alarm", data);
            }
        }
    }
}

impl Follower for Events {
    fn committed(&self, position: JournalPosition, record: &Arc<BatchRecord>) {
        if record.input.reports.is_empty() && record.effects.alarms.is_empty() {
            return;
        }
        let mut noted = self.noted();
        if !record.input.reports.is_empty() {
            noted.position = position;
            noted.reports += record.input.reports.len() as u64;
            let mut last = None;
            for head in &record.input.reports {
                if last.replace(head.component) != Some(head.component) {
                    noted.components.insert(head.component);
                }
            }
        }
        for alarm in &record.effects.alarms {
            // As everybody sees it now; the board was told just before.
            let Some(alarm) = self.board.find(alarm.id) else { continue };
            if noted.alarms.len() >= EVENT_LOG_EVENTS {
                noted.alarms.pop_front();
                noted.lost = true;
            }
            noted.alarms.push_back((position, alarm));
        }
        let alarmed = !noted.alarms.is_empty();
        drop(noted);
        if alarmed {
            self.alarmed.notify_one();
        }
    }
}

/// Several who follow the journal.
pub struct Fan(Vec<Arc<dyn Follower>>);

impl Fan {
    /// Tells each of them, in this order.
    #[must_use]
    pub fn of<const N: usize>(followers: [Arc<dyn Follower>; N]) -> Arc<Self> {
        Arc::new(Self(followers.into()))
    }
}

impl Follower for Fan {
    fn committed(&self, position: JournalPosition, record: &Arc<BatchRecord>) {
        self.0.iter().for_each(|follower| follower.committed(position, record));
    }
}
