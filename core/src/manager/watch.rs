//! What is done about refusals that concern security: one audit entry and one alarm for each identity and minute, and the
//! end of the alarm once nothing of its kind has happened for a while.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::alarms::AlarmDesk;
use crate::{
    clock::Clock,
    connection::{SecurityNote, SecurityWatch, security_alarm},
    model::{AlarmKey, Timestamp},
    shard::{AlarmRequest, alarms::own_report},
    telemetry::{
        audit::Audit,
        refusals::{RefusalEntry, RefusalSeen, Refusals},
    },
};

/// An alarm about refusals is cleared when none has come for so long.
const QUIET: Duration = Duration::from_secs(600);

/// Alarms about refusals that are told apart at a time.
const MOST_ALARMS: usize = 1_024;

/// Takes notes from connections and listeners.
pub struct Watch {
    clock: Clock,
    audit: Audit,
    desk: AlarmDesk,
    manager: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    refusals: Refusals,
    /// Alarms raised here, and when something of their kind last happened.
    alarms: HashMap<AlarmKey, Timestamp>,
}

impl Watch {
    /// `manager` is the component of alarms about the manager itself (`mx/` and its ID).
    #[must_use]
    pub fn new(clock: Clock, audit: Audit, desk: AlarmDesk, manager: String) -> Self {
        Self { clock, audit, desk, manager, state: Mutex::default() }
    }

    fn record(&self, entries: &[RefusalEntry]) {
        for entry in entries {
            tracing::warn!(target: "audit", who = %entry.who, cause = entry.cause, peer = %entry.peer, count = entry.count, "{entry}");
            self.audit.record(entry.into());
        }
    }

    /// Ends windows and clears alarms that have been quiet; called now and then.
    pub fn look(&self) {
        let now = self.clock.now();
        let quiet = i64::try_from(QUIET.as_millis()).unwrap_or(i64::MAX);
        let (entries, over) = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let over: Vec<AlarmKey> = state
                .alarms
                .iter()
                .filter(|(_, last)| now.since(**last) >= quiet)
                .map(|(key, _)| key.clone())
                .collect();
            for key in &over {
                state.alarms.remove(key);
            }
            (state.refusals.ended(now), over)
        };
        self.record(&entries);
        for key in over {
            let text = format!("nothing of the kind for {} minutes", QUIET.as_secs() / 60);
            self.desk.put(AlarmRequest { key, report: None, text });
        }
    }
}

impl SecurityWatch for Watch {
    fn note(&self, note: SecurityNote) {
        let now = self.clock.now();
        let peer = if note.peer.port() == 0 { String::new() } else { note.peer.to_string() };
        let repairs: &[&str] = match note.alarm_type {
            "key-material-refused" => &[
                "Find out why the component sends keys on a management interface; its software is to be corrected.",
                "If the value is no key, exempt its path with allow_key_names in the handler's table.",
            ],
            _ => &[
                "Check who uses this certificate, and from where.",
                "If it is legitimate, correct the component's certificate or its table in the configuration.",
            ],
        };
        // A connection that was up, or what a peer passed on, comes from no address that would say more than the name.
        let text = match note.peer.port() {
            0 => format!("{}: {}", note.identity, note.sentence),
            _ => format!("{} from {}: {}", note.identity, note.peer, note.sentence),
        };
        let report = own_report(note.alarm_type, text, repairs);
        let (key, report) = security_alarm(&self.manager, &note, report);
        let (entries, raise) = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let seen =
                RefusalSeen { who: &note.identity, cause: note.alarm_type, peer: &peer, sentence: &note.sentence };
            let entries = state.refusals.refused(now, seen);
            let known = state.alarms.len() < MOST_ALARMS || state.alarms.contains_key(&key);
            let is_new = known && state.alarms.insert(key.clone(), now).is_none();
            // Entries coalesce by identity alone; each kind of alarm is raised for itself.
            let raise = is_new || (known && !entries.is_empty());
            (entries, raise)
        };
        if raise {
            self.desk.put(AlarmRequest { key, report: Some(report), text: String::new() });
        }
        self.record(&entries);
    }
}
