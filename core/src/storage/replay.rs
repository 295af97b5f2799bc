//! The storage side of `qkdnm storage replay --check`: recorded batches in journal order, with the state to begin with,
//! and the comparison of what followed then with what follows now.
//!
//! Who runs the plugins again is the caller's business ([`Reexecute`]). Effects are equal if they are equal bit for bit;
//! only the numbers of alarms are not compared, since the order of shards gives them.

use std::{fmt, path::Path, sync::Arc};

use super::{
    JournalPosition,
    decode::decode,
    error::StorageError,
    journal::reader::{JournalReader, ReadMode},
    record::{AddedSample, BatchRecord, PolicyStates},
    recovery::{Symbols, Tail},
    retention::{checkpoints_dir, list_checkpoints},
    state_db::{Positions, StateDb, StoredState, state_db_path, subjects},
};
use crate::model::{Alarm, Symbol, SymbolTable};

/// Runs a batch's input through plugins again.
pub trait Reexecute {
    /// The record as it comes out now. The state that it works on is its own, begun with [`Replay::state`].
    fn batch(&mut self, input: &BatchRecord) -> BatchRecord;
}

/// Recorded batches from the journal's start or a checkpoint on.
pub struct Replay {
    reader: JournalReader,
    symbols: Symbols,
    tail: Tail,
    waiting: std::vec::IntoIter<(JournalPosition, BatchRecord)>,
}

impl Replay {
    /// Opens the journal of a data directory that no manager is using. Begins with an empty state if the journal is there
    /// from block 1, else with the oldest checkpoint that it reaches back to.
    pub fn open(data_dir: &Path) -> Result<Self, StorageError> {
        let mut reader = JournalReader::open(data_dir, ReadMode::Still)?;
        let path = state_db_path(data_dir);
        let first = reader.segments().first().map_or(1, |segment| segment.header.first_block);
        if first == 1 {
            let known = StateDb::open_read_only(&path)?.map_or_else(|| Ok(Vec::new()), |db| db.symbols())?;
            let state = StoredState { next_alarm_id: 1, ..StoredState::default() };
            let tail = Tail::new(state, Positions::default());
            return Ok(Self { reader, symbols: Symbols::new(&path, known)?, tail, waiting: Vec::new().into_iter() });
        }
        let dir = checkpoints_dir(data_dir);
        let checkpoint = list_checkpoints(&dir)?.into_iter().find(|(block, _)| *block >= first);
        let Some((block, path)) = checkpoint else {
            let what = format!("the journal begins at block {first} and {} has no checkpoint for it", dir.display());
            return Err(StorageError::NotFound(what));
        };
        let Some(db) = StateDb::open_read_only(&path)? else {
            return Err(StorageError::BadState { path, what: "it is empty".to_owned() });
        };
        reader.skip_to(block);
        let tail = Tail::new(db.load()?, db.positions()?);
        Ok(Self { reader, symbols: Symbols::new(&path, db.symbols()?)?, tail, waiting: Vec::new().into_iter() })
    }

    /// The state at the start: what the plugins and components begin with.
    #[must_use]
    pub const fn state(&self) -> &StoredState {
        &self.tail.state
    }

    /// The symbols so far; further ones come with the batches that use them.
    #[must_use]
    pub const fn symbols(&self) -> &SymbolTable {
        &self.symbols.table
    }

    /// The next recorded batch that the starting state does not reflect.
    pub fn next_batch(&mut self) -> Result<Option<(JournalPosition, BatchRecord)>, StorageError> {
        loop {
            if let Some((position, record)) = self.waiting.next() {
                if self.tail.is_new(position, record.shard) {
                    return Ok(Some((position, record)));
                }
                continue;
            }
            let path = self.reader.segment().map(|segment| segment.path.clone()).unwrap_or_default();
            let Some((place, block)) = self.reader.next_block()? else { return Ok(None) };
            self.symbols.define(&block).map_err(|what| StorageError::Damaged {
                path: path.clone(),
                offset: place.offset,
                what,
            })?;
            let mut batches = Vec::new();
            for (index, bytes) in block.batches().enumerate() {
                let position = JournalPosition(block.header.number << 16 | index as u64);
                let record =
                    decode(bytes).map_err(|source| StorageError::Batch { path: path.clone(), position, source })?;
                batches.push((position, record));
            }
            self.waiting = batches.into_iter();
        }
    }

    /// Runs everything again and gives each difference to `tell`; the number of batches compared.
    pub fn check(&mut self, again: &mut impl Reexecute, mut tell: impl FnMut(Difference)) -> Result<u64, StorageError> {
        let mut batches = 0;
        while let Some((position, recorded)) = self.next_batch()? {
            let now = again.batch(&recorded);
            for difference in compare(position, &recorded, &now, self.symbols()) {
                tell(difference);
            }
            batches += 1;
        }
        Ok(batches)
    }
}

/// One thing that came out differently.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Difference {
    /// The batch.
    pub position: JournalPosition,
    /// The component and resource it is about, if one.
    pub subject: String,
    /// The policy it is about, if one.
    pub policy: String,
    /// What of it.
    pub field: String,
    /// As recorded.
    pub recorded: String,
    /// As it came out now.
    pub now: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "batch {}", self.position)?;
        for part in [&self.subject, &self.policy] {
            if !part.is_empty() {
                write!(f, ", {part}")?;
            }
        }
        write!(f, ": {} was {}, now {}", self.field, self.recorded, self.now)
    }
}

/// How the effects of a batch differ.
#[must_use]
pub fn compare(
    position: JournalPosition,
    recorded: &BatchRecord,
    now: &BatchRecord,
    symbols: &SymbolTable,
) -> Vec<Difference> {
    let mut comparison = Comparison { position, symbols, found: Vec::new() };
    comparison.answers(recorded, now);
    comparison.added_samples(recorded, now);
    comparison.policy_states(&recorded.effects.policy_states, &now.effects.policy_states);
    comparison.timers(recorded, now);
    comparison.alarms(&recorded.effects.alarms, &now.effects.alarms);
    let (was, is) = (&recorded.effects.quarantined, &now.effects.quarantined);
    comparison.lists("quarantined report", was, is, |report| report.component.clone(), |report| format!("{report:?}"));
    comparison.found
}

struct Comparison<'a> {
    position: JournalPosition,
    symbols: &'a SymbolTable,
    found: Vec<Difference>,
}

impl Comparison<'_> {
    fn text(&self, symbol: u32) -> Arc<str> {
        self.symbols.text(Symbol(symbol))
    }

    fn subject(&self, component: u32, resource: u32) -> String {
        let (component, resource) = (self.text(component), self.text(resource));
        if resource.is_empty() { component.as_ref().to_owned() } else { format!("{component} {resource}") }
    }

    fn add(&mut self, subject: String, policy: String, field: impl Into<String>, recorded: String, now: String) {
        self.found.push(Difference { position: self.position, subject, policy, field: field.into(), recorded, now });
    }

    /// Compares two lists item by item, as text; a missing item is `nothing`.
    fn lists<T>(
        &mut self,
        field: &str,
        recorded: &[T],
        now: &[T],
        subject: impl Fn(&T) -> String,
        text: impl Fn(&T) -> String,
    ) {
        for at in 0..recorded.len().max(now.len()) {
            let (was, is) = (recorded.get(at), now.get(at));
            let side = |item: Option<&T>| item.map_or_else(|| "nothing".to_owned(), &text);
            let (was_text, is_text) = (side(was), side(is));
            if was_text != is_text {
                let subject = was.or(is).map(&subject).unwrap_or_default();
                self.add(subject, String::new(), format!("{field} {at}"), was_text, is_text);
            }
        }
    }

    fn answers(&mut self, recorded: &BatchRecord, now: &BatchRecord) {
        let side = |record: &BatchRecord, at: usize| {
            let code = record.answers.get(at).map_or("nothing", |code| match code {
                0 => "accepted",
                1 => "repeat",
                2 => "refused",
                3 => "kept-raw",
                _ => "unknown",
            });
            let refusal = record.refusals.iter().find(|(report, _)| *report as usize == at);
            refusal.map_or_else(|| code.to_owned(), |(_, refusal)| format!("{code} ({refusal}, {:?})", refusal.detail))
        };
        for at in 0..recorded.answers.len().max(now.answers.len()) {
            let (was, is) = (side(recorded, at), side(now, at));
            if was != is {
                let subject = self.text(recorded.input.component(at).0).as_ref().to_owned();
                self.add(subject, String::new(), format!("answer to report {at}"), was, is);
            }
        }
    }

    fn added_samples(&mut self, recorded: &BatchRecord, now: &BatchRecord) {
        let symbols = self.symbols;
        let subject =
            |sample: &AddedSample| symbols.text(recorded.input.component(sample.report as usize)).as_ref().to_owned();
        let text = |sample: &AddedSample| {
            let (name, resource) = (symbols.text(Symbol(sample.name)), symbols.text(Symbol(sample.resource)));
            let (value, kind, report) = (number(sample.value), sample.kind, sample.report);
            format!("{name} [{resource}] = {value} (kind {kind}, report {report})")
        };
        self.lists("added sample", &recorded.effects.added_samples, &now.effects.added_samples, subject, text);
    }

    fn policy_states(&mut self, recorded: &[PolicyStates], now: &[PolicyStates]) {
        let flat = |groups: &[PolicyStates]| {
            let all = groups.iter().flat_map(|states| {
                subjects(states)
                    .map(|(component, resource, values)| ((states.policy, component, resource), values.to_vec()))
            });
            // A later entry of a subject is its state.
            all.collect::<std::collections::BTreeMap<_, _>>()
        };
        let (was, is) = (flat(recorded), flat(now));
        for key in was.keys().chain(is.keys().filter(|key| !was.contains_key(key))) {
            let side = |map: &std::collections::BTreeMap<_, Vec<f64>>| map.get(key).cloned().unwrap_or_default();
            let (was, is) = (side(&was), side(&is));
            for at in 0..was.len().max(is.len()) {
                let (was, is) = (was.get(at).copied(), is.get(at).copied());
                if was.map(f64::to_bits) != is.map(f64::to_bits) {
                    let side = |value: Option<f64>| value.map_or_else(|| "nothing".to_owned(), number);
                    let subject = self.subject(key.1, key.2);
                    let policy = format!("policy {}", self.text(key.0));
                    self.add(subject, policy, format!("state[{at}]"), side(was), side(is));
                }
            }
        }
    }

    fn timers(&mut self, recorded: &BatchRecord, now: &BatchRecord) {
        let (was, is) = (&recorded.effects.timers, &now.effects.timers);
        for at in 0..was.len().max(is.len()) {
            let (was, is) = (was.get(at), is.get(at));
            let Some(any) = was.or(is).filter(|_| was != is) else { continue };
            let (subject, policy) =
                (self.subject(any.component, any.resource), format!("policy {}", self.text(any.policy)));
            let side = |timer: Option<&super::record::TimerChange>| {
                timer.map_or_else(
                    || "nothing".to_owned(),
                    |timer| {
                        let subject = self.subject(timer.component, timer.resource);
                        format!("{} for {} of {subject}", timer.at, self.text(timer.policy))
                    },
                )
            };
            let (was, is) = (side(was), side(is));
            self.add(subject, policy, format!("timer {at}"), was, is);
        }
    }

    fn alarms(&mut self, recorded: &[Alarm], now: &[Alarm]) {
        for at in 0..recorded.len().max(now.len()) {
            let (was, is) = (recorded.get(at), now.get(at));
            let Some(any) = was.or(is) else { continue };
            let (subject, policy) = (any.key.to_string(), any.raised_by.clone());
            let (Some(was), Some(is)) = (was, is) else {
                let side = |alarm: Option<&Alarm>| alarm.map_or("nothing", |_| "an alarm").to_owned();
                self.add(subject, policy, format!("alarm {at}"), side(was), side(is));
                continue;
            };
            let (was, is) = (alarm_fields(was), alarm_fields(is));
            for ((field, was), (_, is)) in was.into_iter().zip(is) {
                if was != is {
                    self.add(subject.clone(), policy.clone(), format!("alarm {at} {field}"), was, is);
                }
            }
        }
    }
}

/// An alarm's fields as text, without its number.
fn alarm_fields(alarm: &Alarm) -> Vec<(&'static str, String)> {
    let report = &alarm.report;
    vec![
        ("key", alarm.key.to_string()),
        ("cleared", alarm.is_cleared.to_string()),
        ("severity", report.severity.to_string()),
        ("text", report.text.clone()),
        ("event type", report.event_type.clone()),
        ("probable cause", report.probable_cause.clone()),
        ("observed", report.observed.map(number).unwrap_or_default()),
        ("threshold", report.threshold.map(number).unwrap_or_default()),
        ("repair actions", report.repair_actions.join("; ")),
        ("evidence", format!("{:?}", report.additional_information)),
        ("raised by", alarm.raised_by.clone()),
        ("created", alarm.time_created.to_string()),
        ("last raised", alarm.last_raised.to_string()),
        ("last changed", alarm.last_changed.to_string()),
        ("raise count", alarm.raise_count.to_string()),
        ("operator state", format!("{:?}", alarm.operator_state)),
        ("status changes", format!("{:?}", alarm.status_changes)),
        ("operator actions", format!("{:?}", alarm.operator_actions)),
    ]
}

/// A number that shows every bit that counts: NaNs and zeros are told apart.
fn number(value: f64) -> String {
    if value.is_nan() { format!("NaN {:#018x}", value.to_bits()) } else { format!("{value:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{
        faults::Faults,
        read::{ReadValue, ReportPosition, ReportQuery, reports},
        record::TimerChange,
        testing::{commit, report, start},
        verify::verify,
    };

    /// Gives back what was recorded, changed at one place.
    struct Changed(Option<fn(&mut BatchRecord)>);

    impl Reexecute for Changed {
        fn batch(&mut self, input: &BatchRecord) -> BatchRecord {
            let mut record = input.clone();
            if let (Some(change), 3) = (self.0, input.input.reports[0].sequence) {
                change(&mut record);
            }
            record
        }
    }

    fn recorded(dir: &Path) {
        let running = start(dir, &Faults::default());
        let symbols = &running.recovered.symbols;
        for sequence in 1..=5 {
            let mut record = report(symbols, 0, ["mk/a", "mk/b"][usize::from(sequence % 2 == 0)], sequence, 0.25);
            record.effects.policy_states.push(PolicyStates {
                policy: symbols.intern("qber").0,
                components: vec![record.input.reports[0].component],
                resources: vec![0],
                values: vec![f64::NAN, 0.0],
            });
            commit(&running.journal, &record);
        }
    }

    #[test]
    fn a_replay_that_does_the_same_has_no_difference_and_another_is_told_in_words() {
        let dir = tempfile::tempdir().unwrap();
        recorded(dir.path());
        let run = |change: Option<fn(&mut BatchRecord)>| {
            let mut found = Vec::new();
            let batches = Replay::open(dir.path()).unwrap().check(&mut Changed(change), |d| found.push(d.to_string()));
            assert_eq!(batches.unwrap(), 5);
            found
        };
        assert_eq!(run(None), Vec::<String>::new());
        let negative_zero = run(Some(|record| record.effects.policy_states[0].values[1] = -0.0));
        assert_eq!(negative_zero, ["batch 3.0, mk/a, policy qber: state[1] was 0.0, now -0.0"]);
        let refused = run(Some(|record| record.answers[0] = 2));
        assert_eq!(refused, ["batch 3.0, mk/a: answer to report 0 was accepted, now refused"]);
        let timer = run(Some(|record| {
            let component = record.input.reports[0].component;
            record.effects.timers.push(TimerChange { at: 7, policy: 0, component, resource: 0, padding: 0 });
        }));
        assert_eq!(timer, ["batch 3.0, mk/a, policy : timer 0 was nothing, now 7 for  of mk/a"]);
    }

    #[test]
    fn reports_are_read_back_page_by_page_with_their_names() {
        let dir = tempfile::tempdir().unwrap();
        recorded(dir.path());
        let query = ReportQuery { component: Some("mk/a".to_owned()), limit: 2, ..ReportQuery::default() };
        let page = reports(dir.path(), &query).unwrap();
        let sequences = |reports: &[crate::storage::read::StoredReport]| {
            reports.iter().map(|report| report.sequence.unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(sequences(&page.reports), [1, 3]);
        let sample = &page.reports[1].values[1];
        assert_eq!((sample.name.as_str(), sample.resource.as_str()), ("qber_ratio", "link-1"));
        assert_eq!((&sample.value, page.reports[1].handler.as_str()), (&ReadValue::Number(0.25), "mk"));
        assert_eq!(page.next.unwrap().to_string(), "3.0.0");
        let rest = reports(dir.path(), &ReportQuery { after: page.next, ..query.clone() }).unwrap();
        assert_eq!((sequences(&rest.reports), rest.next), (vec![5], None));
        let later = ReportQuery { from_sequence: Some(4), limit: 9, ..ReportQuery::default() };
        assert_eq!(sequences(&reports(dir.path(), &later).unwrap().reports), [4, 5]);
        let stranger = ReportQuery { component: Some("mk/x".to_owned()), limit: 9, ..ReportQuery::default() };
        assert!(reports(dir.path(), &stranger).unwrap().reports.is_empty());
        let json = serde_json::to_value(&page).unwrap();
        assert_eq!(json["reports"][0]["position"], "1.0.0");
        for text in ["", "1", "1.2", "1.2.x", "1.65536.0", "1.2.3.4"] {
            assert!(text.parse::<ReportPosition>().is_err(), "{text}");
        }
        assert_eq!("7.1.2".parse::<ReportPosition>().unwrap().to_string(), "7.1.2");
    }

    #[test]
    fn verification_counts_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        recorded(dir.path());
        let found = verify(dir.path(), ReadMode::Still).unwrap();
        assert_eq!((found.segments, found.first_block, found.last_block), (1, 1, 5));
        assert_eq!((found.blocks, found.batches, found.reports, found.samples), (5, 5, 5, 10));
        assert!(!found.torn_tail && found.symbols > 5);
    }
}
