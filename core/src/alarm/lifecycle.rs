//! The life of an alarm (RFC 8632 section 3): three pure functions from the alarm as it stands to the alarm as it is
//! to be.
//!
//! Two lives run beside each other. The *resource's* ([`raise`], [`clear`]): raised, of some severity, or cleared;
//! clearing keeps the alarm and its last severity. The *operator's* ([`operate`]): none, acknowledged or closed. They
//! meet in one place: an alarm that was closed and is raised again after having been clear goes back to none, since
//! the new occurrence is nothing that the operator has seen; an acknowledgement stays, so that an alarm that comes and
//! goes does not ask for it again and again. A closed alarm that only changes its severity stays closed.
//!
//! What counts as a change: severity and clearance. A new text at the same severity does not, though RFC 8632 would
//! have an entry for it: texts carry the figures of the moment, and the history would hold nothing but them.
//!
//! Laws, held by the property tests: repeating a report changes nothing; histories are bounded, newest first, and
//! ordered by time even where the caller's clock went back; the operator's state never changes the resource's.

use crate::{
    config::limits,
    model::{
        Alarm, AlarmKey, AlarmReport, OperatorState, StatusChange, Timestamp,
        alarm::{Fact, OperatorAction},
    },
};

/// Who sets the operator state back when a closed alarm is raised again; stands in the operator's history.
const MANAGER: &str = "manager";

/// What happened to an alarm, for the log, counters and notifications.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlarmChange {
    /// It is new, or was clear before.
    Raised,
    /// Its severity changed while it was raised.
    Changed,
    /// It was raised and is clear now.
    Cleared,
    /// The operator said something of it.
    Operated,
    /// Nothing that counts.
    Unchanged,
}

impl AlarmChange {
    /// What happened between two states of the same alarm; what the resource says goes before what the operator says.
    #[must_use]
    pub fn between(before: Option<&Alarm>, after: &Alarm) -> Self {
        let Some(before) = before else {
            return if after.is_cleared { Self::Unchanged } else { Self::Raised };
        };
        match (before.is_cleared, after.is_cleared) {
            (true, false) => Self::Raised,
            (false, true) => Self::Cleared,
            (false, false) if before.report.severity != after.report.severity => Self::Changed,
            // It came and went within one batch, or cleared and came back.
            _ if before.raise_count != after.raise_count => Self::Changed,
            _ if before.operator_actions != after.operator_actions => Self::Operated,
            _ => Self::Unchanged,
        }
    }
}

/// Why an operator's action was not taken.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum OperateError {
    /// Nothing would change, and there is no comment to record.
    #[error("alarm {id} is {} already{}; add a comment to record something more", state_word(*state), by(since.as_ref()))]
    AlreadySo {
        /// Number of the alarm.
        id: u64,
        /// The state it has.
        state: OperatorState,
        /// Who set it and when, if anybody did.
        since: Option<(String, Timestamp)>,
    },
    /// The comment is too long.
    #[error("a comment may have {most} characters, this one has {chars}; shorten it", most = limits::ALARM_TEXT_CHARS)]
    CommentTooLong {
        /// Characters it has.
        chars: usize,
    },
}

const fn state_word(state: OperatorState) -> &'static str {
    match state {
        OperatorState::None => "neither acknowledged nor closed",
        OperatorState::Acknowledged => "acknowledged",
        OperatorState::Closed => "closed",
    }
}

fn by(since: Option<&(String, Timestamp)>) -> String {
    since.map_or_else(String::new, |(operator, time)| format!(" (by {operator} at {time})"))
}

/// Raises an alarm, or changes the severity of a raised one. `None`: nothing changes. `id` is called only for a new
/// alarm.
#[must_use]
pub fn raise(
    existing: Option<&Alarm>,
    key: AlarmKey,
    report: AlarmReport,
    raised_by: &str,
    id: impl FnOnce() -> u64,
    now: Timestamp,
) -> Option<Alarm> {
    let report = within_limits(report);
    let Some(existing) = existing else { return Some(first(key, report, raised_by, id(), now)) };
    if !existing.is_cleared && existing.report.severity == report.severity {
        return None;
    }
    let now = now.max(existing.last_changed);
    let mut alarm = existing.clone();
    if existing.is_cleared {
        alarm.is_cleared = false;
        alarm.last_raised = now;
        alarm.raise_count = alarm.raise_count.saturating_add(1);
        if alarm.operator_state == OperatorState::Closed {
            let text = "raised again after it was closed".to_owned();
            set_operator_state(&mut alarm, MANAGER, OperatorState::None, text, now);
        }
    }
    record(&mut alarm, StatusChange { time: now, severity: Some(report.severity), text: report.text.clone() });
    alarm.report = report;
    raised_by.clone_into(&mut alarm.raised_by);
    Some(alarm)
}

fn first(key: AlarmKey, report: AlarmReport, raised_by: &str, id: u64, now: Timestamp) -> Alarm {
    Alarm {
        id,
        key,
        is_cleared: false,
        raised_by: raised_by.to_owned(),
        time_created: now,
        last_raised: now,
        last_changed: now,
        raise_count: 1,
        operator_state: OperatorState::None,
        status_changes: vec![StatusChange { time: now, severity: Some(report.severity), text: report.text.clone() }],
        operator_actions: Vec::new(),
        report,
    }
}

/// Clears a raised alarm; its severity stays as the last it had. `None`: it is clear already. An empty text keeps the
/// alarm's.
#[must_use]
pub fn clear(existing: &Alarm, text: &str, now: Timestamp) -> Option<Alarm> {
    if existing.is_cleared {
        return None;
    }
    let mut alarm = existing.clone();
    alarm.is_cleared = true;
    let text = shortened(text.to_owned());
    record(&mut alarm, StatusChange { time: now.max(existing.last_changed), severity: None, text: text.clone() });
    if !text.is_empty() {
        alarm.report.text = text;
    }
    Some(alarm)
}

/// Sets the operator's state, with a comment that may be empty. A state that the alarm has already is set again only
/// with a comment: then the comment is what is new.
pub fn operate(
    existing: &Alarm,
    operator: &str,
    state: OperatorState,
    comment: &str,
    now: Timestamp,
) -> Result<Alarm, OperateError> {
    let chars = comment.chars().count();
    if chars > limits::ALARM_TEXT_CHARS {
        return Err(OperateError::CommentTooLong { chars });
    }
    let last = existing.operator_actions.first();
    if existing.operator_state == state && comment.is_empty() {
        let since = last.map(|action| (action.operator.clone(), action.time));
        return Err(OperateError::AlreadySo { id: existing.id, state, since });
    }
    let now = last.map_or(now, |action| now.max(action.time));
    let mut alarm = existing.clone();
    set_operator_state(&mut alarm, operator, state, comment.to_owned(), now);
    Ok(alarm)
}

fn set_operator_state(alarm: &mut Alarm, operator: &str, state: OperatorState, text: String, now: Timestamp) {
    let time = alarm.operator_actions.first().map_or(now, |action| now.max(action.time));
    alarm.operator_state = state;
    prepend(&mut alarm.operator_actions, OperatorAction { time, operator: operator.to_owned(), state, text });
}

fn record(alarm: &mut Alarm, change: StatusChange) {
    alarm.last_changed = change.time;
    prepend(&mut alarm.status_changes, change);
}

fn prepend<T>(history: &mut Vec<T>, entry: T) {
    history.truncate(limits::ALARM_STATUS_CHANGES - 1);
    history.insert(0, entry);
}

/// A report as it may be kept: what a component or plugin wrote is cut to the limits, not refused, since an alarm that
/// says too much is still an alarm.
fn within_limits(report: AlarmReport) -> AlarmReport {
    let mut repair_actions: Vec<String> = report.repair_actions.into_iter().map(shortened).collect();
    repair_actions.truncate(limits::ALARM_REPAIR_ACTIONS);
    let fact = |fact: Fact| Fact { name: shortened(fact.name), value: shortened(fact.value) };
    let facts = report.additional_information.into_iter().take(limits::PLUGIN_EVIDENCE).map(fact).collect();
    AlarmReport {
        text: shortened(report.text),
        event_type: shortened(report.event_type),
        probable_cause: shortened(report.probable_cause),
        // JSON has no word for the others.
        observed: report.observed.filter(|value| value.is_finite()),
        threshold: report.threshold.filter(|value| value.is_finite()),
        repair_actions,
        additional_information: facts,
        severity: report.severity,
    }
}

fn shortened(mut text: String) -> String {
    if text.len() > limits::ALARM_TEXT_CHARS
        && let Some((end, _)) = text.char_indices().nth(limits::ALARM_TEXT_CHARS)
    {
        text.truncate(end);
        // The last character makes room for the sign that something is missing.
        text.pop();
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests;
