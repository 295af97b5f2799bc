//! Handler chains: what the steps of a chain said of reports, put before the next step as reports, and its word joined to
//! theirs.
//!
//! In: a batch as it was received, and what was said of it so far. Out: the batch that the next step is given, and one
//! [`Handling`] for the whole chain. A step sees what came from the component and what the steps before it made of that:
//! samples as samples, alarms as `alarm` objects. Reports that a step refused or failed on go no further. Pure; which
//! handler follows which is the configuration's, how a plugin is called is `handling`'s.

use serde_json::json;

use super::{
    core::Surroundings,
    handling::{FailedCall, Fate, Handling},
};
use crate::{
    config::limits::BATCH_SAMPLES,
    model::{ObjectKind, ReportBatch, Symbol, report_batch::ObjectText},
    plugin::{ComponentAlarm, NormalSample},
};

/// Position in the extension, as far as paths go, of samples that steps added. No report has that many objects.
const MADE_VALUES: u32 = 0x00FF_FF00;
/// The same of alarms.
const MADE_ALARM: u32 = MADE_VALUES + 1;

/// The steps of a chain that are done.
#[derive(Debug)]
pub(super) struct Steps {
    /// Their names, in order.
    names: Vec<String>,
    /// Whether one of them read `alarm` objects: then what came of these is what it said.
    alarms_were_read: bool,
}

impl Steps {
    /// The first step is done, and said this.
    pub(super) fn begin(name: String, reads_alarms: bool, handling: &mut Handling) -> Self {
        for fate in &mut handling.fates {
            if let Fate::Refuse(reason) = fate {
                *reason = format!("{name}: {reason}");
            }
        }
        let mut steps = Self { names: vec![name], alarms_were_read: reads_alarms };
        steps.settle(handling);
        steps
    }

    /// Nothing follows from a report that is not accepted, whatever was made of it before.
    fn settle(&mut self, handling: &mut Handling) {
        let Handling { fates, alarms, samples, .. } = handling;
        let goes_on = |report: u32| fates.get(report as usize) == Some(&Fate::Accept);
        alarms.retain(|alarm| goes_on(alarm.report));
        samples.retain(|sample| goes_on(sample.report));
        samples.sort_by_key(|sample| sample.report);
    }

    /// Reports that go on, in parts that a call can take. A report that became too large for any is refused.
    pub(super) fn parts(&self, batch: &ReportBatch, handling: &mut Handling, next: &str) -> Vec<Vec<usize>> {
        let (mut parts, mut samples): (Vec<Vec<usize>>, usize) = (Vec::new(), 0);
        for index in 0..batch.len() {
            if handling.fates.get(index) != Some(&Fate::Accept) {
                continue;
            }
            let own = batch.samples(index).len() + of_report(&handling.samples, index).len();
            if own > BATCH_SAMPLES {
                let made = self.names.join(" and ");
                let reason = format!(
                    "{next}: with what {made} made of it there are {own} values, and at most {BATCH_SAMPLES} are handled"
                );
                if let Some(fate) = handling.fates.get_mut(index) {
                    *fate = Fate::Refuse(reason);
                }
                continue;
            }
            samples += own;
            match parts.last_mut() {
                Some(part) if samples <= BATCH_SAMPLES => part.push(index),
                _ => {
                    samples = own;
                    parts.push(vec![index]);
                }
            }
        }
        parts
    }

    /// A report as it was received (`one` holds nothing else), with what the steps so far made of it.
    pub(super) fn pass_on(
        &self,
        mut one: ReportBatch,
        index: usize,
        said: &Handling,
        reads_alarms: bool,
        around: &Surroundings,
    ) -> ReportBatch {
        let added = of_report(&said.samples, index);
        let component = one.component(0).0;
        let entry = if added.is_empty() { None } else { around.registry.by_symbol(component) };
        for sample in added {
            let resource = match sample.resource.as_str() {
                "" => Some(Symbol::NONE),
                text => entry.as_ref().and_then(|entry| entry.resource(text, &around.symbols)),
            };
            let Some(resource) = resource else { continue };
            one.names.push(sample.name);
            one.resources.push(resource.0);
            one.values.push(sample.value);
            one.flags.push((sample.kind & 0xff) | (MADE_VALUES << 8));
        }
        if let Some(head) = one.reports.first_mut() {
            head.samples_end = u32::try_from(one.values.len()).unwrap_or(u32::MAX);
        }
        if !one.faults.is_empty() {
            // What a step put in the place of a value that could not be read stands for it.
            let is_made = |path: &str| {
                let name = path.rsplit_once(".values.").map(|(_, name)| name);
                name.is_some_and(|name| added.iter().any(|sample| *around.symbols.text(Symbol(sample.name)) == *name))
            };
            one.faults.retain(|fault| !is_made(&fault.path));
        }
        if self.alarms_were_read {
            one.objects.retain(|object| object.kind != ObjectKind::Alarm);
        }
        if reads_alarms {
            for alarm in said.alarms.iter().filter(|alarm| alarm.report as usize == index) {
                push_object(&mut one, &as_object(alarm));
            }
        }
        one
    }

    /// Joins what step `name` said of the reports of a part.
    pub(super) fn join(
        &self,
        name: &str,
        reads_alarms: bool,
        part: &[usize],
        answer: Handling,
        handling: &mut Handling,
    ) {
        let report = |position: u32| part.get(position as usize).and_then(|index| u32::try_from(*index).ok());
        if reads_alarms {
            handling.alarms.retain(|alarm| !part.contains(&(alarm.report as usize)));
        }
        for (fate, index) in answer.fates.into_iter().zip(part) {
            let Some(place) = handling.fates.get_mut(*index) else { continue };
            *place = match fate {
                Fate::Refuse(reason) => Fate::Refuse(self.words(name, &reason)),
                fate => fate,
            };
        }
        handling.alarms.extend(
            answer
                .alarms
                .into_iter()
                .filter_map(|alarm| Some(ComponentAlarm { report: report(alarm.report)?, ..alarm })),
        );
        handling.samples.extend(
            answer.samples.into_iter().filter_map(|one| Some(NormalSample { report: report(one.report)?, ..one })),
        );
        // The next part looks for its own among them.
        handling.samples.sort_by_key(|sample| sample.report);
        handling
            .failed
            .extend(answer.failed.into_iter().map(|call| FailedCall { report: call.report.and_then(report), ..call }));
        handling.recovered.extend(answer.recovered);
    }

    /// A step is done.
    pub(super) fn end(&mut self, name: String, reads_alarms: bool, handling: &mut Handling) {
        self.names.push(name);
        self.alarms_were_read |= reads_alarms;
        self.settle(handling);
    }

    /// Why a step refuses a report, with the step, and with those that made what it refuses.
    fn words(&self, step: &str, reason: &str) -> String {
        let (values, alarm) = (format!("extension[{MADE_VALUES}]."), format!("extension[{MADE_ALARM}]"));
        if !reason.contains(&values) && !reason.contains(&alarm) {
            return format!("{step}: {reason}");
        }
        let path = reason.replace(&values, "").replace(&alarm, "alarm");
        format!("{step}: what {} made of it, {path}", self.names.join(" and "))
    }
}

/// Of samples sorted by report, those of one.
fn of_report(samples: &[NormalSample], index: usize) -> &[NormalSample] {
    let start = samples.partition_point(|sample| (sample.report as usize) < index);
    let end = samples.partition_point(|sample| sample.report as usize <= index);
    samples.get(start..end).unwrap_or_default()
}

/// An alarm as a component says it.
fn as_object(alarm: &ComponentAlarm) -> String {
    let mut object = json!({ "type": "alarm", "alarmTypeId": alarm.alarm_type });
    let is_cleared = alarm.severity == "cleared";
    let texts = [
        ("resource", alarm.resource.as_str()),
        ("alarmTypeQualifier", &alarm.qualifier),
        ("severity", if is_cleared { "" } else { &alarm.severity }),
        ("text", &alarm.text),
        ("eventType", &alarm.event_type),
        ("probableCause", &alarm.probable_cause),
    ];
    for (key, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
        object[key] = text.into();
    }
    if is_cleared {
        object["cleared"] = true.into();
    }
    object.to_string()
}

/// Puts an object behind those of a report that is alone in its batch. What was received stays as it is.
fn push_object(one: &mut ReportBatch, text: &str) {
    let at = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    let start = at(one.text.len());
    one.text.extend_from_slice(text.as_bytes());
    let end = at(one.text.len());
    one.objects.push(ObjectText { report: 0, index: MADE_ALARM, kind: ObjectKind::Alarm, start, end });
}
