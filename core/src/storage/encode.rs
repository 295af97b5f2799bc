//! A [`BatchRecord`] as bytes for the journal, and the layout of those bytes.
//!
//! An envelope in the open (what the journal itself needs), then one of two layouts. Where neighbouring reports are mostly
//! alike (`ALIKE_VERSION`): counts; names, resources and flags once for each run of reports that share them; heads and values
//! as `columns`; and the rest as one lz4 block. Otherwise (`MIXED_VERSION`) one lz4 block of everything: counts, columns as
//! they stand in memory (heads and values turned, so that what stays from report to report stands in a row), the rest. The
//! rest is objects, effects, answers, texts, and the rare parts (refusals, faults, alarms, quarantine, times of objects, note)
//! as postcard. Numbers are little-endian because the machines are; others are refused at compile time. Runs on the shard's
//! thread: one [`Encoder`] a shard keeps its buffers, a batch costs one allocation (its bytes), a report none. Reading is in
//! `decode`.

use std::ops::Range;

use lz4_flex::block::{CompressTable, compress_into_with_table, get_maximum_output_size};
use serde::{Deserialize, Serialize};

use super::{
    columns,
    record::{BatchRecord, PolicyStates, Quarantined},
};
use crate::model::{
    Alarm, AlarmKey, AlarmReport, ObjectKind, OperatorState, Refusal, ReportBatch, ReportHead, StatusChange, Timestamp,
    alarm::OperatorAction, report_batch::ObjectText,
};

const _: () = assert!(cfg!(target_endian = "little"), "the journal's columns are written as they stand in memory");

/// The latest layout, and the highest number of one.
pub const BATCH_VERSION: u8 = ALIKE_VERSION;

/// The layout of reports that are mostly alike.
pub(super) const ALIKE_VERSION: u8 = 5;

/// The layout of any others.
pub(super) const MIXED_VERSION: u8 = 4;

/// An earlier layout: heads and values are not turned. It is read, and no longer written.
pub(super) const PLAIN_VERSION: u8 = 3;

/// Reports are mostly alike where runs are so long on average.
const ALIKE: usize = 8;

/// Most reports, and most samples, of a batch in the layout of those that are alike: few bytes of it stand for many numbers.
pub(super) const ALIKE_MOST: usize = 1 << 16;

/// A rest of fewer bytes is not worth compressing.
pub(super) const PLAIN_BYTES: usize = 128;

/// Most bytes of a batch before compression: 64 reports of 1 MiB each with their arrays, twice.
pub const MAX_RAW_BYTES: usize = 256 << 20;

/// Bytes of the envelope: version, cause, shard (2), reports (4), bytes before compression (4), time (8).
pub(super) const ENVELOPE: usize = 20;

/// Numbers at the start of the compressed part: handler, and the counts of reports, samples, text bytes, objects,
/// answers, added samples, policies with state, timers, and bytes of the rare parts.
pub(super) const COUNTS: usize = 10;

/// Words of a report's head.
pub(super) const HEAD_WORDS: usize = size_of::<ReportHead>() / 4;

/// Bytes of an object: five numbers.
pub(super) const OBJECT: usize = 20;

/// The record cannot be stored.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// It is larger than what could be read back.
    #[error("a batch of {0} bytes is larger than the {MAX_RAW_BYTES} that the journal takes")]
    TooLarge(usize),
    /// The arrays of the batch do not belong together.
    #[error("the batch's {0} do not fit together")]
    Uneven(&'static str),
    /// A part could not be written as postcard.
    #[error("alarms, refusals or quarantine cannot be written: {0}")]
    Rare(#[from] postcard::Error),
}

/// Turns records into bytes; keeps its buffers from batch to batch.
pub struct Encoder {
    /// What is written as it stands.
    open: Vec<u8>,
    /// What is compressed, and what becomes of it.
    raw: Vec<u8>,
    packed: Vec<u8>,
    table: CompressTable,
    runs: Vec<Run>,
    cells: Vec<u64>,
}

/// Neighbouring reports with the same names, resources and flags of samples.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// How many.
    reports: usize,
    /// Samples of each.
    width: usize,
    /// Where those of the first begin.
    samples: usize,
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Encoder {
    /// An encoder with empty buffers.
    #[must_use]
    pub fn new() -> Self {
        Self {
            open: Vec::new(),
            raw: Vec::new(),
            packed: Vec::new(),
            table: CompressTable::large(),
            runs: Vec::new(),
            cells: Vec::new(),
        }
    }

    /// The bytes of a record.
    pub fn encode(&mut self, record: &BatchRecord) -> Result<Vec<u8>, EncodeError> {
        let mut counts = counts(record)?;
        self.open.clear();
        self.raw.clear();
        let version = if self.find_runs(&record.input) {
            counts[COUNTS - 1] = write_rest(&mut self.raw, record)?;
            self.write_alike(&record.input, &counts)?;
            ALIKE_VERSION
        } else {
            write_mixed(&mut self.raw, &record.input, &counts);
            let rare = write_rest(&mut self.raw, record)?;
            if let Some(place) = self.raw.get_mut((COUNTS - 1) * 4..COUNTS * 4) {
                place.copy_from_slice(&rare.to_le_bytes());
            }
            MIXED_VERSION
        };
        if self.raw.len() > MAX_RAW_BYTES {
            let length = self.raw.len();
            self.raw = Vec::new();
            return Err(EncodeError::TooLarge(length));
        }
        self.seal(record, version)
    }

    /// Notes runs of reports that are alike; whether they are long enough to be written as such.
    fn find_runs(&mut self, input: &ReportBatch) -> bool {
        self.runs.clear();
        let reports = input.len();
        if reports.max(input.values.len()) > ALIKE_MOST {
            return false;
        }
        let mut start = 0;
        for head in &input.reports {
            let end = head.samples_end as usize;
            let goes_on = |run: &&mut Run| is_alike(input, run.samples..run.samples + run.width, start..end);
            if let Some(run) = self.runs.last_mut().filter(goes_on) {
                run.reports += 1;
            } else if self.runs.len() == reports / ALIKE {
                return false;
            } else {
                self.runs.push(Run { reports: 1, width: end - start, samples: start });
            }
            start = end;
        }
        !self.runs.is_empty()
    }

    /// Writes reports by their runs.
    fn write_alike(&mut self, input: &ReportBatch, counts: &[u32; COUNTS]) -> Result<(), EncodeError> {
        let Self { open, runs, cells, .. } = self;
        open.extend_from_slice(bytemuck::cast_slice(counts));
        open.extend_from_slice(&count(runs.len())?.to_le_bytes());
        for run in runs.iter() {
            open.extend_from_slice(bytemuck::cast_slice(&[count(run.reports)?, count(run.width)?]));
            let of_first = run.samples..run.samples + run.width;
            for column in [&input.names, &input.resources, &input.flags] {
                open.extend_from_slice(bytemuck::cast_slice(column.get(of_first.clone()).unwrap_or_default()));
            }
        }
        // Where samples end is known from the runs.
        let heads = input.reports.iter();
        write_column(open, cells, heads.clone().map(|head| head.sequence));
        write_column(open, cells, heads.clone().map(|head| head.incarnation));
        write_column(open, cells, heads.clone().map(|head| head.time.cast_unsigned()));
        write_column(open, cells, heads.clone().map(|head| head.content_hash));
        write_column(open, cells, heads.clone().map(|head| head.component.into()));
        write_column(open, cells, heads.clone().map(|head| head.slot.into()));
        write_column(open, cells, heads.clone().map(|head| head.text_start.into()));
        write_column(open, cells, heads.clone().map(|head| head.text_end.into()));
        write_column(open, cells, heads.map(|head| head.flags.into()));
        for run in runs.iter() {
            let values = input.values.get(run.samples..run.samples + run.reports * run.width).unwrap_or_default();
            for column in 0..run.width {
                write_column(open, cells, values.iter().skip(column).step_by(run.width).map(|value| value.to_bits()));
            }
        }
        Ok(())
    }

    /// Puts the parts together.
    fn seal(&mut self, record: &BatchRecord, version: u8) -> Result<Vec<u8>, EncodeError> {
        let rest = if version == ALIKE_VERSION && self.raw.len() < PLAIN_BYTES {
            self.raw.as_slice()
        } else {
            let room = get_maximum_output_size(self.raw.len());
            if self.packed.len() < room {
                self.packed.resize(room, 0);
            }
            let length = compress_into_with_table(&self.raw, &mut self.packed, &mut self.table)
                .map_err(|_| EncodeError::TooLarge(self.raw.len()))?;
            self.packed.get(..length).unwrap_or_default()
        };
        let mut bytes = Vec::with_capacity(ENVELOPE + self.open.len() + rest.len());
        bytes.push(version);
        bytes.push(record.cause as u8);
        bytes.extend_from_slice(&record.shard.to_le_bytes());
        bytes.extend_from_slice(&count(record.input.reports.len())?.to_le_bytes());
        bytes.extend_from_slice(&count(self.raw.len())?.to_le_bytes());
        bytes.extend_from_slice(&record.time.0.to_le_bytes());
        bytes.extend_from_slice(&self.open);
        bytes.extend_from_slice(rest);
        Ok(bytes)
    }
}

/// Appends a column; `room` is for its numbers.
fn write_column(open: &mut Vec<u8>, room: &mut Vec<u64>, cells: impl Iterator<Item = u64>) {
    room.clear();
    room.extend(cells);
    columns::write(open, room);
}

fn is_alike(input: &ReportBatch, one: Range<usize>, other: Range<usize>) -> bool {
    let alike = |column: &[u32]| column.get(one.clone()) == column.get(other.clone());
    alike(&input.names) && alike(&input.resources) && alike(&input.flags)
}

fn count(n: usize) -> Result<u32, EncodeError> {
    u32::try_from(n).map_err(|_| EncodeError::TooLarge(n))
}

/// How much there is of everything, in an order that `decode` knows; the bytes of the rare parts are not known yet.
fn counts(record: &BatchRecord) -> Result<[u32; COUNTS], EncodeError> {
    let (input, effects) = (&record.input, &record.effects);
    let samples = input.values.len();
    if [input.names.len(), input.resources.len(), input.flags.len()].iter().any(|&length| length != samples) {
        return Err(EncodeError::Uneven("sample arrays"));
    }
    check_positions(record).map_err(EncodeError::Uneven)?;
    Ok([
        record.handler,
        count(input.reports.len())?,
        count(samples)?,
        count(input.text.len())?,
        count(input.objects.len())?,
        count(record.answers.len())?,
        count(effects.added_samples.len())?,
        count(effects.policy_states.len())?,
        count(effects.timers.len())?,
        0,
    ])
}

/// Writes reports column by column.
fn write_mixed(raw: &mut Vec<u8>, input: &ReportBatch, counts: &[u32; COUNTS]) {
    raw.extend_from_slice(bytemuck::cast_slice(counts));
    write_turned::<u32>(raw, bytemuck::cast_slice(&input.reports), HEAD_WORDS);
    write_turned(raw, &input.values, width(&input.reports, input.values.len()));
    raw.extend_from_slice(bytemuck::cast_slice(&input.names));
    raw.extend_from_slice(bytemuck::cast_slice(&input.resources));
    raw.extend_from_slice(bytemuck::cast_slice(&input.flags));
}

/// Appends what is neither head nor sample; the bytes of the rare parts among it.
fn write_rest(raw: &mut Vec<u8>, record: &BatchRecord) -> Result<u32, EncodeError> {
    let (input, effects) = (&record.input, &record.effects);
    for object in &input.objects {
        raw.extend_from_slice(bytemuck::cast_slice(&object_numbers(object)));
    }
    raw.extend_from_slice(bytemuck::cast_slice(&effects.added_samples));
    raw.extend_from_slice(bytemuck::cast_slice(&effects.timers));
    for states in &effects.policy_states {
        write_policy_states(raw, states)?;
    }
    raw.extend_from_slice(&record.answers);
    raw.extend_from_slice(&input.text);
    let before = raw.len();
    write_rare(raw, record)?;
    count(raw.len() - before)
}

/// Samples of each report, if all have as many; else 1, so that turning changes nothing.
pub(super) fn width(reports: &[ReportHead], samples: usize) -> usize {
    let width = samples.checked_div(reports.len()).unwrap_or(1).max(1);
    let even = reports.iter().zip(1..).all(|(head, number)| head.samples_end as usize == number * width);
    if even && reports.len() * width == samples { width } else { 1 }
}

/// Rows of this width column by column: it compresses better so, and in half the time.
fn write_turned<T: bytemuck::Pod>(raw: &mut Vec<u8>, rows: &[T], width: usize) {
    raw.reserve(size_of_val(rows));
    for column in 0..width {
        for cell in rows.iter().skip(column).step_by(width) {
            raw.extend_from_slice(bytemuck::bytes_of(cell));
        }
    }
}

/// Positions have to lie within the arrays they point into; the name of the first part that breaks this.
pub(super) fn check_positions(record: &BatchRecord) -> Result<(), &'static str> {
    let (input, reports) = (&record.input, record.input.reports.len());
    let mut samples = 0;
    for head in &input.reports {
        let in_order = head.samples_end >= samples && head.samples_end as usize <= input.values.len();
        if !in_order || head.text_start > head.text_end || head.text_end as usize > input.text.len() {
            return Err("report ends");
        }
        samples = head.samples_end;
    }
    let object_fits = |object: &ObjectText| {
        object.start <= object.end && object.end as usize <= input.text.len() && (object.report as usize) < reports
    };
    if !input.objects.iter().all(object_fits) {
        return Err("objects");
    }
    if record.effects.added_samples.iter().any(|sample| sample.report as usize >= reports) {
        return Err("added samples");
    }
    if !record.answers.is_empty() && record.answers.len() != reports {
        return Err("answers");
    }
    Ok(())
}

const fn object_numbers(object: &ObjectText) -> [u32; 5] {
    let kind = match object.kind {
        ObjectKind::Inventory => 0,
        ObjectKind::Topology => 1,
        ObjectKind::Alarm => 2,
        ObjectKind::Usage => 3,
        ObjectKind::Event => 4,
    };
    [object.report, object.index, kind, object.start, object.end]
}

fn write_policy_states(raw: &mut Vec<u8>, states: &PolicyStates) -> Result<(), EncodeError> {
    let subjects = states.components.len();
    let even = match subjects {
        0 => states.values.is_empty(),
        _ => states.values.len().is_multiple_of(subjects),
    };
    if states.resources.len() != subjects || !even {
        return Err(EncodeError::Uneven("policy state arrays"));
    }
    let counts = [states.policy, count(subjects)?, count(states.values.len())?];
    raw.extend_from_slice(bytemuck::cast_slice(&counts));
    raw.extend_from_slice(bytemuck::cast_slice(&states.components));
    raw.extend_from_slice(bytemuck::cast_slice(&states.resources));
    raw.extend_from_slice(bytemuck::cast_slice(&states.values));
    Ok(())
}

/// Appends the rare parts, nothing at all where there is none of them: the ordinary batch.
fn write_rare(raw: &mut Vec<u8>, record: &BatchRecord) -> Result<(), EncodeError> {
    let (input, effects) = (&record.input, &record.effects);
    let none = record.refusals.is_empty()
        && input.faults.is_empty()
        && input.times.is_empty()
        && effects.alarms.is_empty()
        && effects.quarantined.is_empty()
        && record.note.is_empty();
    if none {
        return Ok(());
    }
    let rare = RareRef {
        refusals: &record.refusals,
        faults: input.faults.iter().map(|f| (f.report, f.path.as_str(), f.message.as_str())).collect(),
        alarms: effects.alarms.iter().map(AlarmRef::from).collect(),
        quarantined: &effects.quarantined,
        times: input.times.iter().map(|t| (t.report, t.object, t.time)).collect(),
        note: &record.note,
    };
    postcard::to_io(&rare, &mut *raw)?;
    Ok(())
}

/// An alarm as postcard (exact, unlike JSON text of its numbers): for the state database.
pub(super) fn alarm_to_bytes(alarm: &Alarm) -> Result<Vec<u8>, postcard::Error> {
    postcard::to_stdvec(&AlarmRef::from(alarm))
}

#[derive(Serialize)]
struct RareRef<'a> {
    refusals: &'a [(u32, Refusal)],
    faults: Vec<(u32, &'a str, &'a str)>,
    alarms: Vec<AlarmRef<'a>>,
    quarantined: &'a [Quarantined],
    times: Vec<(u32, u32, i64)>,
    note: &'a str,
}

/// What [`RareRef`] is when read.
#[derive(Default, Deserialize)]
pub(super) struct Rare {
    pub(super) refusals: Vec<(u32, Refusal)>,
    pub(super) faults: Vec<(u32, String, String)>,
    pub(super) alarms: Vec<AlarmRecord>,
    pub(super) quarantined: Vec<Quarantined>,
    pub(super) times: Vec<(u32, u32, i64)>,
    pub(super) note: String,
}

/// An alarm without the flattened parts of its JSON form, which postcard cannot write.
#[derive(Serialize)]
struct AlarmRef<'a> {
    id: u64,
    key: &'a AlarmKey,
    is_cleared: bool,
    report: &'a AlarmReport,
    raised_by: &'a str,
    times: (Timestamp, Timestamp, Timestamp),
    raise_count: u64,
    operator_state: OperatorState,
    status_changes: &'a [StatusChange],
    operator_actions: &'a [OperatorAction],
}

impl<'a> From<&'a Alarm> for AlarmRef<'a> {
    fn from(alarm: &'a Alarm) -> Self {
        Self {
            id: alarm.id,
            key: &alarm.key,
            is_cleared: alarm.is_cleared,
            report: &alarm.report,
            raised_by: &alarm.raised_by,
            times: (alarm.time_created, alarm.last_raised, alarm.last_changed),
            raise_count: alarm.raise_count,
            operator_state: alarm.operator_state,
            status_changes: &alarm.status_changes,
            operator_actions: &alarm.operator_actions,
        }
    }
}

/// What [`AlarmRef`] is when read.
#[derive(Deserialize)]
pub(super) struct AlarmRecord {
    id: u64,
    key: AlarmKey,
    is_cleared: bool,
    report: AlarmReport,
    raised_by: String,
    times: (Timestamp, Timestamp, Timestamp),
    raise_count: u64,
    operator_state: OperatorState,
    status_changes: Vec<StatusChange>,
    operator_actions: Vec<OperatorAction>,
}

impl From<AlarmRecord> for Alarm {
    fn from(record: AlarmRecord) -> Self {
        let (time_created, last_raised, last_changed) = record.times;
        Self {
            id: record.id,
            key: record.key,
            is_cleared: record.is_cleared,
            report: record.report,
            raised_by: record.raised_by,
            time_created,
            last_raised,
            last_changed,
            raise_count: record.raise_count,
            operator_state: record.operator_state,
            status_changes: record.status_changes,
            operator_actions: record.operator_actions,
        }
    }
}
