//! Bytes of the journal back to a [`BatchRecord`]. Takes any bytes: every length is checked before anything is
//! allocated or read, and what does not fit is an error that says which part.

use super::encode::{
    AlarmRecord, BATCH_VERSION, COUNTS, ENVELOPE, HEAD_WORDS, MAX_RAW_BYTES, OBJECT, PLAIN_VERSION, Rare,
    check_positions, width,
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
    raw_bytes: usize,
    is_turned: bool,
}

impl BatchEnvelope {
    /// Reads the envelope.
    pub fn read(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut rest = Input(bytes);
        let [version, cause] = rest.array::<2>("envelope")?;
        if version != BATCH_VERSION && version != PLAIN_VERSION {
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
        Ok(Self { shard, cause, reports, time, raw_bytes, is_turned: version != PLAIN_VERSION })
    }
}

/// Reads a batch.
pub fn decode(bytes: &[u8]) -> Result<BatchRecord, DecodeError> {
    let envelope = BatchEnvelope::read(bytes)?;
    let packed = bytes.get(ENVELOPE..).ok_or(DecodeError::Short("envelope"))?;
    // lz4 makes at most 255 bytes of one: what claims more is not worth the memory.
    if envelope.raw_bytes / 256 > packed.len() {
        return Err(DecodeError::Compression);
    }
    let mut raw = vec![0; envelope.raw_bytes];
    let length = lz4_flex::block::decompress_into(packed, &mut raw).map_err(|_| DecodeError::Compression)?;
    if length != raw.len() {
        return Err(DecodeError::Compression);
    }
    read_columns(&mut Input(&raw), envelope)
}

fn read_columns(raw: &mut Input<'_>, envelope: BatchEnvelope) -> Result<BatchRecord, DecodeError> {
    let mut counts = [0_usize; COUNTS];
    let handler = raw.number("counts")?;
    for count in counts.iter_mut().skip(1) {
        *count = raw.number("counts")? as usize;
    }
    let [_, reports, samples, text, objects, answers, added, policies, timers, rare] = counts;
    if reports != envelope.reports as usize {
        return Err(DecodeError::Inconsistent("report counts"));
    }
    let (heads, values) = if envelope.is_turned {
        let heads = raw.turned::<ReportHead, u32>(reports, HEAD_WORDS, "reports")?;
        let values = raw.turned::<f64, f64>(samples, width(&heads, samples), "values")?;
        (heads, values)
    } else {
        (raw.column(reports, "reports")?, raw.column(samples, "values")?)
    };
    let input = ReportBatch {
        reports: heads,
        values,
        names: raw.column(samples, "names")?,
        resources: raw.column(samples, "resources")?,
        flags: raw.column(samples, "flags")?,
        objects: read_objects(raw, objects)?,
        ..ReportBatch::default()
    };
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
            // The cells come first in the `zip`: it asks its first part first, so that no bytes are lost at a column's end.
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
