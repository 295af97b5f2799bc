//! Reads reports back out of the journal, also of a running manager, with names as text.
//!
//! There is no index: blocks are scanned from where the cursor stands. What the arrays hold is put together again; what was
//! kept as text is given as received.

use std::path::Path;

use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    JournalPosition,
    decode::{BatchEnvelope, decode},
    error::StorageError,
    journal::{
        block::Block,
        reader::{JournalReader, ReadMode},
    },
    record::{AnswerCode, BatchRecord, Cause},
    recovery::Symbols,
    state_db::{StateDb, state_db_path},
};
use crate::model::{
    Symbol, SymbolTable, Timestamp,
    report_batch::{SampleKind, head_flags, sample_kind, sample_object},
};

/// Which reports are wanted.
#[derive(Clone, Debug, Default)]
pub struct ReportQuery {
    /// Of this component, written `mk/km-1`; all if absent.
    pub component: Option<String>,
    /// With this sequence number or a higher one; reports without a number do not match then.
    pub from_sequence: Option<u64>,
    /// Most reports to give.
    pub limit: usize,
    /// Behind this place, as an earlier page's `next` said.
    pub after: Option<ReportPosition>,
}

/// Where a report stands: its batch, and its place in it. Written `block.batch.report`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReportPosition {
    /// The batch.
    pub batch: JournalPosition,
    /// Place in the batch, from 0.
    pub report: u32,
}

impl std::fmt::Display for ReportPosition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.batch, self.report)
    }
}

impl std::str::FromStr for ReportPosition {
    type Err = StorageError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || StorageError::NotFound(format!("`{text}` is no report position (expected BLOCK.BATCH.REPORT)"));
        let mut parts = text.split('.').map(str::parse::<u64>);
        let mut next = || parts.next().and_then(Result::ok).ok_or_else(wrong);
        let (block, batch, report) = (next()?, next()?, next()?);
        if block >> 48 != 0 || batch > 0xffff || parts.next().is_some() {
            return Err(wrong());
        }
        let report = u32::try_from(report).map_err(|_| wrong())?;
        Ok(Self { batch: JournalPosition(block << 16 | batch), report })
    }
}

impl Serialize for ReportPosition {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A value of a report.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum ReadValue {
    /// A number.
    Number(f64),
    /// A word of the catalogue.
    Word(String),
    /// A flag.
    Flag(bool),
}

/// A sample of a report.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadSample {
    /// Name of the value.
    pub name: String,
    /// Part of the component, if not itself.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub resource: String,
    /// The value.
    pub value: ReadValue,
    /// When it was true at its source.
    pub time: Timestamp,
    /// Position of its object in the extension; absent for a sample that the handler added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<u32>,
}

/// A report as stored.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredReport {
    /// Where it stands; its id.
    pub position: ReportPosition,
    /// The component, as `mk/km-1`.
    pub component: String,
    /// When it was handled.
    pub received: Timestamp,
    /// When it was true at its source, as it said or else when it was received.
    pub time: Timestamp,
    /// Its number, if it had one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// Incarnation of the numbering.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incarnation: Option<u64>,
    /// The handler it went to.
    pub handler: String,
    /// Whether it answers a status report request (Q.QKDN_Mk 8.4).
    pub answers_request: bool,
    /// `accepted`, `repeat`, `refused` or `kept-raw`.
    pub answer: &'static str,
    /// The answer in full, where it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// Its values.
    pub values: Vec<ReadSample>,
    /// The extension as received, where it was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extension: Option<Box<RawValue>>,
    /// Objects that are no samples, as received.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<Box<RawValue>>,
}

/// Reports and where to go on.
#[derive(Clone, Debug, Serialize)]
pub struct ReportPage {
    /// In journal order.
    pub reports: Vec<StoredReport>,
    /// Give this as `after` for more; absent where the journal ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<ReportPosition>,
}

/// Reads reports. A manager may be running.
pub fn reports(data_dir: &Path, query: &ReportQuery) -> Result<ReportPage, StorageError> {
    let path = state_db_path(data_dir);
    let known = StateDb::open_read_only(&path)?.map_or_else(|| Ok(Vec::new()), |db| db.symbols())?;
    let known_count = known.len();
    let mut symbols = Symbols::new(&path, known)?;
    let mut reader = JournalReader::open(data_dir, ReadMode::Live)?;
    if let Some(after) = query.after {
        let block = after.batch.0 >> 16;
        // Only where the database knows the symbols that are skipped.
        let segment = reader.segments().iter().rfind(|segment| segment.header.first_block <= block);
        if segment.is_some_and(|segment| segment.header.symbols_before as usize <= known_count) {
            reader.skip_to(block);
        }
    }
    let mut page = ReportPage { reports: Vec::new(), next: None };
    loop {
        let segment = reader.segment().map_or_else(|| data_dir.to_owned(), |segment| segment.path.clone());
        let Some((place, block)) = reader.next_block()? else { return Ok(page) };
        symbols.define(&block).map_err(|what| StorageError::Damaged {
            path: segment.clone(),
            offset: place.offset,
            what,
        })?;
        let is_full = read_block(&block, query, &symbols.table, &mut page)
            .map_err(|(position, source)| StorageError::Batch { path: segment.clone(), position, source })?;
        if is_full {
            page.next = page.reports.last().map(|report| report.position).or(query.after);
            return Ok(page);
        }
    }
}

/// Adds what a block has; whether the page is full.
fn read_block(
    block: &Block<'_>,
    query: &ReportQuery,
    symbols: &SymbolTable,
    page: &mut ReportPage,
) -> Result<bool, (JournalPosition, super::decode::DecodeError)> {
    let component = match &query.component {
        None => None,
        Some(text) => match symbols.find(text) {
            None => return Ok(false),
            found => found,
        },
    };
    for (index, bytes) in block.batches().enumerate() {
        let position = JournalPosition(block.header.number << 16 | index as u64);
        if query.after.is_some_and(|after| position < after.batch) {
            continue;
        }
        let envelope = BatchEnvelope::read(bytes).map_err(|error| (position, error))?;
        if envelope.cause != Cause::Reports || envelope.reports == 0 {
            continue;
        }
        let record = decode(bytes).map_err(|error| (position, error))?;
        for (report, head) in record.input.reports.iter().enumerate() {
            let place = ReportPosition { batch: position, report: u32::try_from(report).unwrap_or(u32::MAX) };
            let has_sequence = head.flags & head_flags::HAS_SEQUENCE != 0;
            let wanted = query.after.is_none_or(|after| place > after)
                && component.is_none_or(|component| component.0 == head.component)
                && query.from_sequence.is_none_or(|from| has_sequence && head.sequence >= from);
            if wanted {
                if page.reports.len() >= query.limit {
                    return Ok(true);
                }
                page.reports.push(stored_report(&record, report, place, symbols));
            }
        }
    }
    Ok(false)
}

fn stored_report(record: &BatchRecord, index: usize, position: ReportPosition, symbols: &SymbolTable) -> StoredReport {
    let batch = &record.input;
    let head = batch.reports.get(index).copied().unwrap_or_default();
    let text = |number: u32| symbols.text(Symbol(number)).as_ref().to_owned();
    let numbered = head.flags & head_flags::HAS_SEQUENCE != 0;
    let raw = |text: &str| RawValue::from_string(text.to_owned()).ok();
    let answer = match record.answers.get(index).copied() {
        Some(code) if code == AnswerCode::Accepted as u8 => "accepted",
        Some(code) if code == AnswerCode::Repeat as u8 => "repeat",
        Some(code) if code == AnswerCode::KeptRaw as u8 => "kept-raw",
        _ => "refused",
    };
    let refusal = record.refusals.iter().find(|(report, _)| *report as usize == index);
    let objects = batch.objects.iter().filter(|object| object.report as usize == index);
    StoredReport {
        position,
        component: text(head.component),
        received: record.time,
        time: Timestamp(head.time),
        sequence: numbered.then_some(head.sequence),
        incarnation: numbered.then_some(head.incarnation),
        handler: text(record.handler),
        answers_request: head.flags & head_flags::ANSWERS_REQUEST != 0,
        answer,
        refusal: refusal.map(|(_, refusal)| refusal.to_string()),
        values: samples(record, index, symbols),
        extension: raw(batch.extension_text(index)),
        objects: objects.filter_map(|object| raw(batch.object_text(object))).collect(),
    }
}

fn samples(record: &BatchRecord, index: usize, symbols: &SymbolTable) -> Vec<ReadSample> {
    let batch = &record.input;
    let text = |number: u32| symbols.text(Symbol(number)).as_ref().to_owned();
    let sample = |name, resource, value: f64, kind, object: Option<u32>| ReadSample {
        name: text(name),
        resource: text(resource),
        value: match sample_kind(kind) {
            SampleKind::Number => ReadValue::Number(value),
            // The symbol of a word is a whole number below 2^32.
            SampleKind::Word => ReadValue::Word(text(value as u32)),
            SampleKind::Flag => ReadValue::Flag(value != 0.0),
        },
        // A sample that the handler added is of no object: its time is the report's.
        time: Timestamp(batch.sample_time(index, object.map_or(u32::MAX, |_| kind))),
        object,
    };
    let own = batch.samples(index).filter_map(|at| {
        let flags = *batch.flags.get(at)?;
        let (name, resource, value) = (*batch.names.get(at)?, *batch.resources.get(at)?, *batch.values.get(at)?);
        Some(sample(name, resource, value, flags, Some(sample_object(flags))))
    });
    let added = record.effects.added_samples.iter().filter(|added| added.report as usize == index);
    own.chain(added.map(|added| sample(added.name, added.resource, added.value, added.kind, None))).collect()
}
