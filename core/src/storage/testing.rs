//! What the storage tests share: batches to store, and a shard's side of telling.

use std::{
    path::Path,
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
};

use super::{
    JournalPosition, SealedBatch, Tell,
    encode::Encoder,
    faults::Faults,
    journal::{Clock, Journal, JournalOptions},
    record::{AnswerCode, BatchRecord, Cause, Effects},
    recovery::{Recovered, recover},
};
use crate::{
    config::Durability,
    model::{ReportBatch, ReportHead, SymbolTable, Timestamp, report_batch::head_flags},
    telemetry::metrics::Metrics,
};

/// What a batch was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Committed(JournalPosition),
    Failed(u64, String),
}

pub(super) struct Teller(pub(super) Sender<Told>);

impl Tell for Teller {
    fn committed(self: Box<Self>, position: JournalPosition) {
        let _ = self.0.send(Told::Committed(position));
    }
    fn failed(self: Box<Self>, epoch: u64, reason: &str) {
        let _ = self.0.send(Told::Failed(epoch, reason.to_owned()));
    }
}

pub(super) fn clock() -> Clock {
    Arc::new(|| Timestamp(1_800_000_000_000))
}

pub(super) fn options(data_dir: &Path, faults: &Faults) -> JournalOptions {
    JournalOptions {
        data_dir: data_dir.to_owned(),
        durability: Durability::Sync,
        segment_size: 16 << 10,
        clock: clock(),
        faults: faults.clone(),
    }
}

/// A manager's storage, without the state writer.
pub(super) struct Running {
    pub(super) recovered: Recovered,
    pub(super) journal: Journal,
    pub(super) metrics: Arc<Metrics>,
}

pub(super) fn start(data_dir: &Path, faults: &Faults) -> Running {
    start_with(options(data_dir, faults))
}

pub(super) fn start_with(options: JournalOptions) -> Running {
    let recovered = recover(&options.data_dir, &options.faults).unwrap();
    let metrics = Arc::new(Metrics::default());
    let symbols = Arc::clone(&recovered.symbols);
    let registry = Arc::clone(&recovered.registry);
    let journal = Journal::start(options, &recovered.journal, symbols, registry, Arc::clone(&metrics)).unwrap();
    Running { recovered, journal, metrics }
}

/// Submits and waits for the answer.
pub(super) fn commit(journal: &Journal, record: &BatchRecord) -> Told {
    let told = submit(journal, record, journal.epoch());
    told.recv().unwrap()
}

pub(super) fn submit(journal: &Journal, record: &BatchRecord, epoch: u64) -> Receiver<Told> {
    submit_in_a_row(journal, record, epoch, false)
}

/// Submits; another batch of the shard follows at once, or not.
pub(super) fn submit_in_a_row(
    journal: &Journal,
    record: &BatchRecord,
    epoch: u64,
    is_followed: bool,
) -> Receiver<Told> {
    let (tell, told) = channel();
    let bytes = Encoder::new().encode(record).unwrap();
    let reports = u32::try_from(record.input.len()).unwrap();
    let (shard, tell) = (record.shard, Box::new(Teller(tell)));
    let batch = SealedBatch { bytes, reports, epoch, shard, is_followed, tell };
    assert!(journal.submit(batch).is_ok());
    told
}

/// One report of one component with a value or two.
pub(super) fn report(symbols: &SymbolTable, shard: u16, component: &str, sequence: u64, value: f64) -> BatchRecord {
    let mut input = ReportBatch::default();
    for name in ["skr_bps", "qber_ratio"] {
        input.names.push(symbols.intern(name).0);
        input.resources.push(symbols.intern("link-1").0);
        input.values.push(value);
        input.flags.push(0);
    }
    input.reports.push(ReportHead {
        sequence,
        content_hash: value.to_bits(),
        time: 5,
        component: symbols.intern(component).0,
        samples_end: 2,
        flags: head_flags::HAS_SEQUENCE,
        ..ReportHead::default()
    });
    BatchRecord {
        shard,
        time: Timestamp(1_700_000_000_000 + sequence.cast_signed()),
        cause: Cause::Reports,
        handler: symbols.intern("mk").0,
        input,
        answers: vec![AnswerCode::Accepted as u8],
        refusals: vec![],
        effects: Effects::default(),
        note: String::new(),
    }
}
