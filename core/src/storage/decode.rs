//! Bytes of the journal back to a [`BatchRecord`]. Takes any bytes: every length is checked before anything is
//! allocated or read, and what does not fit is an error that says which part.

use super::columns;
use super::encode::{
    ALIKE_MOST, ALIKE_VERSION, AlarmRecord, BATCH_VERSION, COUNTS, ENVELOPE, HEAD_WORDS, MAX_RAW_BYTES, OBJECT,
    PLAIN_BYTES, PLAIN_VERSION, Rare, check_positions, width,
};
use super::record::{AddedSample, BatchRecord, Cause, Effects, PolicyStates, TimerChange};
use crate::model::{
    Alarm, Fault, ObjectKind, ReportBatch, ReportHead, Timestamp,
    report_batch::{ObjectText, ObjectTime},
};

/// Why bytes are no batch.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DecodeError {
    /// They end too early.
    #[error("the batch ends within its {0}")]
    Short(&'static str),
    /// Written by another version.
    #[error("the batch has layout version {0}, this program knows {BATCH_VERSION}")]
    Version(u8),
    /// They claim to be larger than any batch.
    #[error("the batch claims {0} bytes, more than any has")]
    TooLarge(usize),
    /// The compressed part is damaged.
    #[error("the compressed part of the batch is damaged")]
    Compression,
    /// Numbers that contradict each other.
    #[error("the batch's {0} are inconsistent")]
    Inconsistent(&'static str),
    /// The rare parts are damaged.
    #[error("the alarms, refusals or quarantine of the batch are damaged")]
    Rare,
}

/// What can be told of a batch without unpacking it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchEnvelope {
    /// The shard that made it.
    pub shard: u16,
    /// What set it off.
    pub cause: Cause,
    /// Reports in it.
    pub reports: u32,
    /// When it was handled.
    pub time: Timestamp,
    /// Bytes of what is compressed, before it was.
    raw_bytes: usize,
    version: u8,
}

impl BatchEnvelope {
    /// Reads the envelope.
    pub fn read(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut rest = Input(bytes);
        let [version, cause] = rest.array::<2>("envelope")?;
        if !(PLAIN_VERSION..=BATCH_VERSION).contains(&version) {
            return Err(DecodeError::Version(version));
        }
        let shard = u16::from_le_bytes(rest.array("envelope")?);
        let reports = rest.number("envelope")?;
        let raw_bytes = rest.number("envelope")? as usize;
        let time = Timestamp(i64::from_le_bytes(rest.array("envelope")?));
        if raw_bytes > MAX_RAW_BYTES {
            return Err(DecodeError::TooLarge(raw_bytes));
        }
        let cause = match cause {
            0 => Cause::Reports,
            1 => Cause::Tick,
            2 => Cause::Manager,
            3 => Cause::Operator,
            4 => Cause::Start,
            5 => Cause::Reload,
            6 => Cause::Decision,
            _ => return Err(DecodeError::Inconsistent("causes")),
        };
        Ok(Self { shard, cause, reports, time, raw_bytes, version })
    }
}

/// Reads a batch.
pub fn decode(bytes: &[u8]) -> Result<BatchRecord, DecodeError> {
    let envelope = BatchEnvelope::read(bytes)?;
    let packed = bytes.get(ENVELOPE..).ok_or(DecodeError::Short("envelope"))?;
    if envelope.version == ALIKE_VERSION {
        let mut open = Input(packed);
        let counts = read_counts(&mut open, envelope)?;
        let input = read_alike(&mut open, &counts)?;
        if envelope.raw_bytes < PLAIN_BYTES {
            return if open.0.len() == envelope.raw_bytes {
                read_rest(&mut open, envelope, &counts, input)
            } else {
                Err(DecodeError::Inconsistent("lengths"))
            };
        }
        return read_rest(&mut Input(&unpacked(open.0, envelope)?), envelope, &counts, input);
    }
    let raw = unpacked(packed, envelope)?;
    let mut raw = Input(&raw);
    let counts = read_counts(&mut raw, envelope)?;
    let input = read_mixed(&mut raw, &counts, envelope)?;
    read_rest(&mut raw, envelope, &counts, input)
}

fn unpacked(packed: &[u8], envelope: BatchEnvelope) -> Result<Vec<u8>, DecodeError> {
    // lz4 makes at most 255 bytes of one: what claims more is not worth the memory.
    if envelope.raw_bytes / 256 > packed.len() {
        return Err(DecodeError::Compression);
    }
    let mut raw = vec![0; envelope.raw_bytes];
    let length = lz4_flex::block::decompress_into(packed, &mut raw).map_err(|_| DecodeError::Compression)?;
    if length == raw.len() { Ok(raw) } else { Err(DecodeError::Compression) }
}

/// How much there is of everything.
struct Counts {
    handler: u32,
    reports: usize,
    samples: usize,
    text: usize,
    objects: usize,
    answers: usize,
    added: usize,
    policies: usize,
    timers: usize,
    rare: usize,
}

fn read_counts(raw: &mut Input<'_>, envelope: BatchEnvelope) -> Result<Counts, DecodeError> {
    let handler = raw.number("counts")?;
    let mut counts = [0_usize; COUNTS - 1];
    for count in &mut counts {
        *count = raw.number("counts")? as usize;
    }
    let [reports, samples, text, objects, answers, added, policies, timers, rare] = counts;
    if reports != envelope.reports as usize {
        return Err(DecodeError::Inconsistent("report counts"));
    }
    Ok(Counts { handler, reports, samples, text, objects, answers, added, policies, timers, rare })
}

fn read_mixed(raw: &mut Input<'_>, counts: &Counts, envelope: BatchEnvelope) -> Result<ReportBatch, DecodeError> {
    let &Counts { reports, samples, .. } = counts;
    let (heads, values) = if envelope.version == PLAIN_VERSION {
        (raw.column(reports, "reports")?, raw.column(samples, "values")?)
    } else {
        let heads = raw.turned::<ReportHead, u32>(reports, HEAD_WORDS, "reports")?;
        let values = raw.turned::<f64, f64>(samples, width(&heads, samples), "values")?;
        (heads, values)
    };
    Ok(ReportBatch {
        reports: heads,
        values,
        names: raw.column(samples, "names")?,
        resources: raw.column(samples, "resources")?,
        flags: raw.column(samples, "flags")?,
        ..ReportBatch::default()
    })
}

/// Reports by their runs.
fn read_alike(open: &mut Input<'_>, counts: &Counts) -> Result<ReportBatch, DecodeError> {
    let &Counts { reports, samples, .. } = counts;
    if reports.max(samples) > ALIKE_MOST {
        return Err(DecodeError::TooLarge(reports.max(samples)));
    }
    let mut batch = ReportBatch { values: vec![0.0; samples], ..ReportBatch::default() };
    batch.reserve(reports, samples);
    let mut runs = Vec::new();
    for _ in 0..open.number("runs")? {
        let (of_run, width) = (open.number("runs")? as usize, open.number("runs")? as usize);
        let (before, so_far) = (batch.reports.len(), batch.names.len());
        let fits = of_run > 0 && of_run <= reports - before && of_run.saturating_mul(width) <= samples - so_far;
        if !fits {
            return Err(DecodeError::Inconsistent("runs"));
        }
        for column in [&mut batch.names, &mut batch.resources, &mut batch.flags] {
            let row = open.column::<u32>(width, "runs")?;
            column.extend(row.iter().cycle().take(of_run * width));
        }
        let ends = (1..=of_run).map(|number| u32::try_from(so_far + number * width).unwrap_or(u32::MAX));
        batch.reports.extend(ends.map(|samples_end| ReportHead { samples_end, ..ReportHead::default() }));
        runs.push((so_far, of_run, width));
    }
    if (batch.reports.len(), batch.names.len()) != (reports, samples) {
        return Err(DecodeError::Inconsistent("runs"));
    }
    for column in 0..HEAD_COLUMNS {
        let mut fits = true;
        let heads = &mut batch.reports;
        let cell = |at: usize, number| fits &= heads.get_mut(at).and_then(|head| set(head, column, number)).is_some();
        columns::read(&mut open.0, reports, cell).filter(|()| fits).ok_or(DecodeError::Inconsistent("reports"))?;
    }
    for (start, of_run, width) in runs {
        for column in start..start + width {
            let values = &mut batch.values;
            let cell = |at: usize, bits| {
                if let Some(value) = values.get_mut(column + at * width) {
                    *value = f64::from_bits(bits);
                }
            };
            columns::read(&mut open.0, of_run, cell).ok_or(DecodeError::Inconsistent("values"))?;
        }
    }
    Ok(batch)
}

/// Numbers of a report's head that are written as columns.
const HEAD_COLUMNS: usize = 9;

/// Sets a number of a report's head, in the order in which `encode` writes them. `None`: it is too large.
fn set(head: &mut ReportHead, column: usize, number: u64) -> Option<()> {
    let short = u32::try_from(number);
    match column {
        0 => head.sequence = number,
        1 => head.incarnation = number,
        2 => head.time = number.cast_signed(),
        3 => head.content_hash = number,
        4 => head.component = short.ok()?,
        5 => head.slot = short.ok()?,
        6 => head.text_start = short.ok()?,
        7 => head.text_end = short.ok()?,
        _ => head.flags = short.ok()?,
    }
    Some(())
}

/// What is neither head nor sample, and with it the whole record.
fn read_rest(
    raw: &mut Input<'_>,
    envelope: BatchEnvelope,
    counts: &Counts,
    input: ReportBatch,
) -> Result<BatchRecord, DecodeError> {
    let &Counts { handler, text, objects, answers, added, policies, timers, rare, .. } = counts;
    let input = ReportBatch { objects: read_objects(raw, objects)?, ..input };
    let mut effects = Effects {
        added_samples: raw.column::<AddedSample>(added, "added samples")?,
        timers: raw.column::<TimerChange>(timers, "timers")?,
        ..Effects::default()
    };
    for _ in 0..policies {
        effects.policy_states.push(read_policy_states(raw)?);
    }
    let answers = raw.take(answers, "answers")?.to_vec();
    let input = ReportBatch { text: raw.take(text, "text")?.to_vec(), ..input };
    let rare = raw.take(rare, "rare parts")?;
    if !raw.0.is_empty() {
        return Err(DecodeError::Inconsistent("lengths"));
    }
    let mut record = BatchRecord {
        shard: envelope.shard,
        time: envelope.time,
        cause: envelope.cause,
        handler,
        input,
        answers,
        refusals: Vec::new(),
        effects,
        note: String::new(),
    };
    check_positions(&record).map_err(DecodeError::Inconsistent)?;
    read_rare(rare, &mut record)?;
    Ok(record)
}

fn read_objects(raw: &mut Input<'_>, count: usize) -> Result<Vec<ObjectText>, DecodeError> {
    let bytes = raw.take(count.saturating_mul(OBJECT), "objects")?;
    let mut objects = Vec::with_capacity(count);
    for object in bytes.chunks_exact(OBJECT) {
        let [report, index, kind, start, end] = bytemuck::pod_read_unaligned::<[u32; 5]>(object);
        let kind = *ObjectKind::ALL.get(kind as usize).ok_or(DecodeError::Inconsistent("object kinds"))?;
        objects.push(ObjectText { report, index, kind, start, end });
    }
    Ok(objects)
}

fn read_policy_states(raw: &mut Input<'_>) -> Result<PolicyStates, DecodeError> {
    let policy = raw.number("policy states")?;
    let subjects = raw.number("policy states")? as usize;
    let values = raw.number("policy states")? as usize;
    let even = if subjects == 0 { values == 0 } else { values.is_multiple_of(subjects) };
    if !even {
        return Err(DecodeError::Inconsistent("policy states"));
    }
    Ok(PolicyStates {
        policy,
        components: raw.column(subjects, "policy states")?,
        resources: raw.column(subjects, "policy states")?,
        values: raw.column(values, "policy states")?,
    })
}

fn read_rare(bytes: &[u8], record: &mut BatchRecord) -> Result<(), DecodeError> {
    if bytes.is_empty() {
        return Ok(());
    }
    let (rare, rest) = postcard::take_from_bytes::<Rare>(bytes).map_err(|_| DecodeError::Rare)?;
    if !rest.is_empty() {
        return Err(DecodeError::Rare);
    }
    record.refusals = rare.refusals;
    record.input.faults =
        rare.faults.into_iter().map(|(report, path, message)| Fault { report, path, message }).collect();
    record.input.times =
        rare.times.into_iter().map(|(report, object, time)| ObjectTime { report, object, time }).collect();
    record.effects.alarms = rare.alarms.into_iter().map(Alarm::from).collect();
    record.effects.quarantined = rare.quarantined;
    record.note = rare.note;
    Ok(())
}

/// Reads an alarm of the state database.
pub(super) fn alarm_from_bytes(bytes: &[u8]) -> Result<Alarm, postcard::Error> {
    postcard::from_bytes::<AlarmRecord>(bytes).map(Alarm::from)
}

/// Bytes not yet read.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, length: usize, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(DecodeError::Short(what))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(DecodeError::Short(what))?;
        self.0 = rest;
        Ok(*taken)
    }

    fn number(&mut self, what: &'static str) -> Result<u32, DecodeError> {
        self.array(what).map(u32::from_le_bytes)
    }

    /// So many of `T`, whose cells `C` were written column by column, `width` columns.
    fn turned<T, C>(&mut self, count: usize, width: usize, what: &'static str) -> Result<Vec<T>, DecodeError>
    where
        T: bytemuck::Pod,
        C: bytemuck::Pod,
    {
        let bytes = self.take(count.saturating_mul(size_of::<T>()), what)?;
        let mut rows = vec![T::zeroed(); count];
        let cells: &mut [C] = bytemuck::cast_slice_mut(&mut rows);
        let mut written = bytes.chunks_exact(size_of::<C>());
        for column in 0..width {
            // The cells of the column come first: a `zip` takes one more of its first part than it uses.
            for (cell, bytes) in cells.iter_mut().skip(column).step_by(width).zip(&mut written) {
                *cell = bytemuck::pod_read_unaligned(bytes);
            }
        }
        Ok(rows)
    }

    fn column<T: bytemuck::Pod>(&mut self, count: usize, what: &'static str) -> Result<Vec<T>, DecodeError> {
        let bytes = self.take(count.saturating_mul(size_of::<T>()), what)?;
        let mut column = vec![T::zeroed(); count];
        bytemuck::cast_slice_mut(&mut column).copy_from_slice(bytes);
        Ok(column)
    }
}

#[cfg(test)]
#[path = "encode_tests.rs"]
mod tests;
