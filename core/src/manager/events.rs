//! Committed batches as events for those who follow the manager over the API.
//!
//! Alarms are told at once. That components reported is told in sum, a few times a second at most: who wants their values
//! fetches them. Runs on the journal's thread, so it only notes; [`Events::run`] tells.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::{
    alarm::AlarmBoard,
    api::event_log::EventLog,
    config::limits::{EVENT_COMPONENTS, EVENT_COMPONENTS_EVERY},
    model::{Symbol, SymbolTable},
    storage::{JournalPosition, follow::Follower, record::BatchRecord},
};

/// Where events come from.
#[derive(Debug)]
pub struct Events {
    log: Arc<EventLog>,
    board: Arc<AlarmBoard>,
    symbols: Arc<SymbolTable>,
    reported: Mutex<Reported>,
}

/// Components that reported since this was last told.
#[derive(Debug, Default)]
struct Reported {
    position: JournalPosition,
    components: BTreeSet<u32>,
    reports: u64,
}

impl Events {
    /// Events of what comes behind a position.
    #[must_use]
    pub fn new(behind: JournalPosition, board: Arc<AlarmBoard>, symbols: Arc<SymbolTable>) -> Arc<Self> {
        let log = Arc::new(EventLog::new(behind));
        Arc::new(Self { log, board, symbols, reported: Mutex::default() })
    }

    /// The log that listeners read.
    #[must_use]
    pub const fn log(&self) -> &Arc<EventLog> {
        &self.log
    }

    /// Tells which components reported, until `stop`; then ends the log.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let every: Duration = EVENT_COMPONENTS_EVERY;
        while tokio::time::timeout(every, stop.cancelled()).await.is_err() {
            self.tell_components();
        }
        self.tell_components();
        self.log.close();
    }

    fn tell_components(&self) {
        let reported = std::mem::take(&mut *self.reported.lock().unwrap_or_else(PoisonError::into_inner));
        if reported.components.is_empty() {
            return;
        }
        let text = |symbol: &u32| self.symbols.text(Symbol(*symbol)).as_ref().to_owned();
        let named: Vec<String> = reported.components.iter().take(EVENT_COMPONENTS).map(text).collect();
        let more = reported.components.len() - named.len();
        let data = json!({ "components": named, "more": more, "reports": reported.reports });
        self.log.add(reported.position, "components", data.to_string());
    }
}

impl Follower for Events {
    fn committed(&self, position: JournalPosition, record: &Arc<BatchRecord>) {
        if !record.input.reports.is_empty() {
            let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
            reported.position = position;
            reported.reports += record.input.reports.len() as u64;
            let mut last = None;
            for head in &record.input.reports {
                if last.replace(head.component) != Some(head.component) {
                    reported.components.insert(head.component);
                }
            }
        }
        for alarm in &record.effects.alarms {
            // As everybody sees it now; the board was told just before.
            let Some(alarm) = self.board.find(alarm.id) else { continue };
            if let Ok(data) = serde_json::to_string(alarm.as_ref()) {
                self.log.add(position, "alarm", data);
            }
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
