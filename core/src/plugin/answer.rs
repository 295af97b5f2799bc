//! Checks of questions and answers. The manager's arrays must fit together before a guest sees them, and an answer is
//! believed only where it fits the question: positions in range, state as long as it was, texts and lists bounded.

use super::{Handled, NormalSample, Outcome, PluginFailure, RaisedAlarm};
use crate::{config::limits, model::Severity};

type Checked = Result<(), PluginFailure>;

fn bad(text: String) -> PluginFailure {
    PluginFailure::BadAnswer(text)
}

/// A position must be that of one of `count` things.
fn position(what: &str, position: u32, count: usize) -> Checked {
    if (position as usize) < count {
        return Ok(());
    }
    Err(bad(format!("{what} is about position {position}, but the question had {count}")))
}

fn identifier(what: &str, text: &str) -> Checked {
    bounded(what, text, limits::PLUGIN_IDENTIFIER_BYTES)
}

fn bounded(what: &str, text: &str, bytes: usize) -> Checked {
    if text.len() <= bytes {
        return Ok(());
    }
    Err(bad(format!("{what} has {} bytes, and at most {bytes} are allowed", text.len())))
}

fn alarm_type(text: &str) -> Checked {
    if text.is_empty() {
        return Err(bad("an alarm has no alarm type".to_owned()));
    }
    identifier("an alarm type", text)
}

fn severity(text: &str) -> Checked {
    text.parse::<Severity>().map(|_| ()).map_err(|error| bad(format!("an alarm's severity: {error}")))
}

fn finite(what: &str, value: f64) -> Checked {
    if value.is_finite() { Ok(()) } else { Err(bad(format!("{what} is {value}, which is no number to report"))) }
}

fn count(what: &str, found: usize, allowed: usize) -> Checked {
    if found <= allowed {
        return Ok(());
    }
    Err(PluginFailure::AnswerTooLarge(format!("the answer has {found} {what}, and at most {allowed} are allowed")))
}

/// A handler's answer to `reports` reports; `known` are the symbols that it was given in `bind`.
pub(super) fn check_handled(answer: &Handled, reports: usize, known: &[u32]) -> Checked {
    count("refusals", answer.refusals.len(), reports)?;
    count("alarms", answer.alarms.len(), limits::VERDICTS_PER_CALL)?;
    count("samples", answer.samples.len(), limits::BATCH_SAMPLES)?;
    for (report, reason) in &answer.refusals {
        position("a refusal", *report, reports)?;
        bounded("a refusal's reason", reason, limits::PLUGIN_TEXT_BYTES)?;
    }
    for alarm in &answer.alarms {
        position("an alarm", alarm.report, reports)?;
        resource(&alarm.resource)?;
        alarm_type(&alarm.alarm_type)?;
        if alarm.severity != "cleared" {
            severity(&alarm.severity)?;
        }
        identifier("a qualifier", &alarm.qualifier)?;
        identifier("an event type", &alarm.event_type)?;
        identifier("a probable cause", &alarm.probable_cause)?;
        bounded("an alarm's text", &alarm.text, limits::PLUGIN_TEXT_BYTES)?;
    }
    let mut last = 0;
    for sample in &answer.samples {
        position("a sample", sample.report, reports)?;
        if sample.report < last {
            return Err(bad(format!("samples are not sorted: report {} comes after {last}", sample.report)));
        }
        last = sample.report;
        check_sample(sample, known)?;
    }
    Ok(())
}

fn check_sample(sample: &NormalSample, known: &[u32]) -> Checked {
    resource(&sample.resource)?;
    if !known.contains(&sample.name) {
        return Err(bad(format!(
            "a sample's name is symbol {}, which the handler was not given in `bind`",
            sample.name
        )));
    }
    finite("a sample's value", sample.value)?;
    let fits = match sample.kind {
        0 => true,
        1 => sample.value >= 0.0 && sample.value <= f64::from(u32::MAX) && sample.value.fract() == 0.0,
        2 => sample.value == 0.0 || sample.value == 1.0,
        kind => return Err(bad(format!("a sample's kind is {kind}; there are 0, 1 and 2"))),
    };
    if fits {
        return Ok(());
    }
    Err(bad(format!("a sample of kind {} has the value {}", sample.kind, sample.value)))
}

fn resource(text: &str) -> Checked {
    let characters = text.chars().count();
    if characters <= limits::RESOURCE_CHARS {
        return Ok(());
    }
    Err(bad(format!("a resource has {characters} characters, and at most {} are allowed", limits::RESOURCE_CHARS)))
}

/// A policy's answer about `subjects` subjects with `state` values of state.
pub(super) fn check_outcome(answer: &Outcome, subjects: usize, state: usize) -> Checked {
    if answer.state.len() != state {
        return Err(bad(format!("the state has {} values; it went in with {state}", answer.state.len())));
    }
    let verdicts = answer.raised.len() + answer.cleared.len() + answer.timers.len() + answer.requests.len();
    count("verdicts", verdicts, limits::VERDICTS_PER_CALL)?;
    for alarm in &answer.raised {
        position("an alarm", alarm.subject, subjects)?;
        check_raised(alarm)?;
    }
    for clearance in &answer.cleared {
        position("a clearance", clearance.subject, subjects)?;
        alarm_type(&clearance.alarm_type)?;
        identifier("a qualifier", &clearance.qualifier)?;
        bounded("a clearance's text", &clearance.text, limits::PLUGIN_TEXT_BYTES)?;
    }
    for (subject, _) in &answer.timers {
        position("a timer", *subject, subjects)?;
    }
    for (subject, names) in &answer.requests {
        position("a request", *subject, subjects)?;
        count("names in a request", names.len(), limits::VERDICTS_PER_CALL)?;
        for name in names {
            identifier("a name in a request", name)?;
        }
    }
    Ok(())
}

fn check_raised(alarm: &RaisedAlarm) -> Checked {
    alarm_type(&alarm.alarm_type)?;
    severity(&alarm.severity)?;
    identifier("a qualifier", &alarm.qualifier)?;
    identifier("an event type", &alarm.event_type)?;
    identifier("a probable cause", &alarm.probable_cause)?;
    bounded("an alarm's text", &alarm.text, limits::PLUGIN_TEXT_BYTES)?;
    finite("an alarm's observed value", alarm.observed.unwrap_or(0.0))?;
    finite("an alarm's threshold", alarm.threshold.unwrap_or(0.0))?;
    count("repair actions", alarm.repair_actions.len(), limits::PLUGIN_REPAIR_ACTIONS)?;
    for action in &alarm.repair_actions {
        bounded("a repair action", action, limits::PLUGIN_TEXT_BYTES)?;
    }
    count("facts as evidence", alarm.evidence.len(), limits::PLUGIN_EVIDENCE)?;
    for (name, value) in &alarm.evidence {
        identifier("the name of a fact", name)?;
        bounded("a fact", value, limits::PLUGIN_TEXT_BYTES)?;
    }
    Ok(())
}
