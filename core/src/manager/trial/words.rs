//! What followed from a report, in words: lines that a person can read, and that are the same whenever the same follows.

use std::{collections::HashMap, fmt::Write as _, sync::Arc};

use crate::{
    alarm::AlarmChange,
    model::{Alarm, AlarmKey, Symbol, SymbolTable, Timestamp},
    shard::core::Worked,
    storage::record::{AnswerCode, BatchRecord},
};

/// What followed from a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Followed {
    /// What happened, with the time; indented what came of it.
    pub lines: Vec<String>,
    /// Failures of the plugin with their traces, which need not be the same from build to build.
    pub failures: Vec<String>,
}

impl Followed {
    pub(in crate::manager) fn line(&mut self, line: String) {
        self.lines.push(line);
    }

    pub(in crate::manager) fn detail(&mut self, line: String) {
        self.lines.push(format!("    {}", line.replace('\n', "\n      ")));
    }
}

/// How a report that is alone in its batch was answered.
pub(in crate::manager) fn answer(record: &BatchRecord) -> String {
    let code = record.answers.first().copied().unwrap_or(AnswerCode::Refused as u8);
    match record.refusals.first() {
        Some((_, refusal)) => refusal.to_string(),
        None if code == AnswerCode::Repeat as u8 => "success, a repeat".to_owned(),
        None if code == AnswerCode::KeptRaw as u8 => "success, kept as received".to_owned(),
        None => "success".to_owned(),
    }
}

/// What followed from a batch, beside the answers; `before` has the alarms as they were.
pub(in crate::manager) fn effects(
    worked: &Worked,
    symbols: &SymbolTable,
    before: &HashMap<AlarmKey, Arc<Alarm>>,
    followed: &mut Followed,
) {
    let text = |number: u32| symbols.text(Symbol(number));
    let effects = &worked.record.effects;
    for sample in &effects.added_samples {
        let value = if sample.kind == 1 { text(as_symbol(sample.value)).to_string() } else { sample.value.to_string() };
        followed.detail(format!("adds {}{} = {value}", text(sample.name), of(&text(sample.resource))));
    }
    for alarm in &worked.alarms {
        about_alarm(before.get(&alarm.key).map(Arc::as_ref), alarm, followed);
    }
    for timer in &effects.timers {
        let resource = of(&text(timer.resource));
        followed.detail(match timer.at {
            0 => format!("takes back its timer{resource}"),
            at => format!("sets a timer{resource}: {}", Timestamp(i64::try_from(at).unwrap_or(i64::MAX))),
        });
    }
    for (component, names) in &worked.requests {
        let names = if names.is_empty() { "everything".to_owned() } else { names.join(", ") };
        followed.detail(format!("requests a report of {}: {names}", text(*component)));
    }
    let quarantined = effects.quarantined.iter().map(|report| report.failure.clone());
    let mut failures: Vec<String> = quarantined.collect();
    if failures.is_empty() {
        let about = worked.about_plugins.iter().filter_map(|request| request.report.as_ref());
        failures.extend(about.map(|report| report.text.clone()));
    }
    for failure in failures {
        // Its kind: text and trace change with the code, and are told apart from the decisions.
        let kind = failure.split_once(": ").map_or(failure.as_str(), |(kind, _)| kind);
        followed.detail(format!("the plugin fails: {}", kind.lines().next().unwrap_or_default()));
        followed.failures.push(failure);
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a symbol that travels as a value")]
const fn as_symbol(value: f64) -> u32 {
    value as u32
}

fn of(resource: &str) -> String {
    if resource.is_empty() { String::new() } else { format!(" of {resource}") }
}

fn about_alarm(before: Option<&Alarm>, alarm: &Alarm, followed: &mut Followed) {
    let change = AlarmChange::between(before, alarm);
    let verb = match (change, alarm.is_cleared) {
        (AlarmChange::Raised, _) => "raises",
        (AlarmChange::Changed, false) => "raises again",
        (AlarmChange::Changed, true) => "raises and clears",
        (AlarmChange::Cleared, _) => "clears",
        (AlarmChange::Operated | AlarmChange::Unchanged, _) => return,
    };
    let report = &alarm.report;
    let mut line = match change {
        AlarmChange::Cleared => format!("{verb} {}", alarm.key),
        _ => format!("{verb} {} {}", report.severity, alarm.key),
    };
    let said = alarm.status_changes.first().map_or(report.text.as_str(), |change| change.text.as_str());
    let _ = write!(line, ": {said}");
    if change != AlarmChange::Cleared {
        if let Some(observed) = report.observed {
            let _ = write!(line, "; observed {observed}");
        }
        if let Some(threshold) = report.threshold {
            let _ = write!(line, "; threshold {threshold}");
        }
        for fact in &report.additional_information {
            let _ = write!(line, "; {} {}", fact.name, fact.value);
        }
    }
    followed.detail(line);
}
