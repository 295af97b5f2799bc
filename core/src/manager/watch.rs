//! What is done about refusals that concern security: one audit entry for each identity, cause and minute, one alarm for what they are about, and the
//! end of the alarm once nothing of its kind has happened for a while.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::alarms::AlarmDesk;
use crate::{
    clock::Clock,
    connection::{Concerned, SecurityNote, SecurityWatch, security_alarm},
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

    /// Tells what is still to be summed up, for a manager that stops.
    pub fn finish(&self) {
        let now = self.clock.now();
        let entries = self.state.lock().unwrap_or_else(PoisonError::into_inner).refusals.finish(now);
        self.record(&entries);
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
        // A certificate may be good for many components: each that is missing is told.
        let unlisted = match &note.concerned {
            Concerned::Unlisted(component) => Some(component.to_string()),
            _ => None,
        };
        let repairs: &[&str] = match note.alarm_type {
            _ if unlisted.is_some() => &[
                "If it belongs here, add its table to [[components]] and reload; `qkdnm doctor` shows the table.",
                "If not, find out why it reports to this manager, or revoke its certificate.",
            ],
            "key-material-refused" => &[
                "Find out why the component sends keys on a management interface; its software is to be corrected.",
                "If the value is no key, exempt its path with allow_key_names in the handler's table.",
            ],
            _ => &[
                "Check who uses this certificate, and from where.",
                "If it is legitimate, correct the component's certificate or its table in the configuration.",
            ],
        };
        let doubt = if note.is_verified { "" } else { " (not verified)" };
        // A connection that was up, or what a peer passed on, comes from no address that would say more than the name.
        let from = if peer.is_empty() { String::new() } else { format!(" from {peer}") };
        let text = format!("{}{doubt}{from}: {}: {}", note.identity, note.cause, note.sentence);
        let report = own_report(note.alarm_type, text, repairs);
        let (key, report) = security_alarm(&self.manager, &note, report);
        let (entries, raise) = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let seen = RefusalSeen {
                who: unlisted.as_deref().unwrap_or(&note.identity),
                is_verified: note.is_verified,
                cause: note.cause,
                alarm_type: note.alarm_type,
                peer: &peer,
                sentence: &note.sentence,
            };
            let entries = state.refusals.refused(now, seen);
            let known = state.alarms.len() < MOST_ALARMS || state.alarms.contains_key(&key);
            let is_new = known && state.alarms.insert(key.clone(), now).is_none();
            // An alarm is about more than one identity and cause: it is raised again with what is told anew.
            let raise = is_new || (known && !entries.is_empty());
            (entries, raise)
        };
        if raise {
            self.desk.put(AlarmRequest { key, report: Some(report), text: String::new() });
        }
        self.record(&entries);
    }
}
