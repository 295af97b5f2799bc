//! Recovery: the state database and the journal's tail to the state that the manager had.
//!
//! Effects only, in journal order: a batch is applied if the database does not reflect it yet, plugins are never run.
//! Symbols come back with the numbers they had. At the end the database is brought up to date for all shards at once,
//! since shard numbers are only good until the next start; recovering again from there changes nothing.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs::{self, OpenOptions},
    path::Path,
    sync::Arc,
};

use super::{
    JournalPosition,
    decode::{BatchEnvelope, decode},
    error::StorageError,
    faults::Faults,
    journal::{
        JournalStart,
        block::Block,
        reader::{BlockPlace, JournalReader, ReadMode},
        registry::{ClosedSegment, SegmentRegistry},
        segment::journal_dir,
    },
    record::{AnswerCode, BatchRecord, PolicyStates, Quarantined, TimerChange},
    state_db::{Positions, StateDb, StateFlush, StoredState, SubjectKey, state_db_path, subjects},
};
use crate::{
    config::limits::QUARANTINE_ENTRIES,
    model::{Alarm, Catalogue, EnrolmentDecision, Symbol, SymbolTable},
    state::{ComponentState, NetworkChange, UsageEntry},
};

/// What recovery found.
#[derive(Debug)]
pub struct Recovered {
    /// Symbols with the numbers they had, the catalogue's among them.
    pub symbols: Arc<SymbolTable>,
    /// Components by symbol.
    pub components: HashMap<u32, ComponentState>,
    /// Policy state by policy, component and resource.
    pub policy_states: HashMap<SubjectKey, Vec<f64>>,
    /// Due time of timers, milliseconds since 1970, by policy, component and resource.
    pub timers: HashMap<SubjectKey, u64>,
    /// Alarms in order of their numbers.
    pub alarms: Vec<Alarm>,
    /// Quarantined reports, oldest first.
    pub quarantined: Vec<Quarantined>,
    /// What operators decided about components.
    pub decisions: Vec<EnrolmentDecision>,
    /// Number of the next alarm.
    pub next_alarm_id: u64,
    /// Where the journal goes on.
    pub journal: JournalStart,
    /// The segments there are, for the journal and retention.
    pub registry: Arc<SegmentRegistry>,
    /// The state database, for the state writer.
    pub db: StateDb,
    /// Symbols that the state database holds.
    pub symbols_in_db: usize,
    /// Blocks read.
    pub blocks_read: u64,
    /// Batches applied.
    pub batches_replayed: u64,
    /// Reports in them.
    pub reports_replayed: u64,
    /// An incomplete block at the end was dropped: the trace of a crash.
    pub torn_tail: bool,
}

/// Recovers a data directory, making what is not there. The caller holds its lock.
pub fn recover(data_dir: &Path, faults: &Faults) -> Result<Recovered, StorageError> {
    let path = state_db_path(data_dir);
    let mut db = StateDb::open(&path)?;
    let positions = db.positions()?;
    let mut symbols = Symbols::new(&path, db.symbols()?)?;
    let symbols_in_db = symbols.table_len_in_db;
    let mut tail = Tail::new(db.load()?, positions);
    let mut reader = JournalReader::open(data_dir, ReadMode::Still)?;
    let first_block = reader.segments().first().map(|segment| segment.header.first_block);
    tail.positions.reach(first_block, &path)?;
    let mut closed = BTreeMap::new();
    loop {
        let segment = reader.segment().cloned();
        let Some((place, block)) = reader.next_block()? else { break };
        symbols.define(&block).map_err(|what| StorageError::BadState { path: path.clone(), what })?;
        let segment = segment.filter(|segment| segment.number == place.segment);
        tail.apply_block(&block).map_err(|(position, source)| StorageError::Batch {
            path: segment.map_or_else(|| journal_dir(data_dir), |segment| segment.path),
            position,
            source,
        })?;
        note_segment(&mut closed, &place, &block);
    }
    let Some(end) = reader.end().cloned() else { return Err(unfinished(data_dir)) };
    finish_files(&reader, &mut closed)?;
    let journal = JournalStart {
        next_block: end.next_block.max((tail.positions.highest().0 >> 16) + 1),
        next_segment: last_segment_number(&reader) + 1,
        void_from: end.next_block,
        symbols_written: symbols.written,
    };
    let symbols = symbols.finish();
    faults.hit("recovery_before_reset").map_err(StorageError::io("write", &path))?;
    let new_symbols = symbols.from(symbols_in_db);
    let changes = tail.changes(JournalPosition((journal.next_block - 1) << 16 | 0xffff));
    db.reset((symbols_in_db, &new_symbols), &changes, tail.state.next_alarm_id)?;
    let mut state = tail.state;
    // Shards write theirs at their own times.
    state.quarantined.sort_by_key(|report| report.time);
    Ok(Recovered {
        symbols_in_db: symbols_in_db + new_symbols.len(),
        symbols,
        components: state.components,
        policy_states: state.policy_states,
        timers: state.timers,
        alarms: state.alarms.into_values().collect(),
        quarantined: state.quarantined,
        decisions: state.decisions.into_values().collect(),
        next_alarm_id: state.next_alarm_id,
        journal,
        registry: Arc::new(SegmentRegistry::new(closed)),
        db,
        blocks_read: tail.blocks,
        batches_replayed: tail.batches,
        reports_replayed: tail.reports,
        torn_tail: end.is_torn,
    })
}

fn unfinished(data_dir: &Path) -> StorageError {
    StorageError::NotFound(format!("the journal of {} has no end", data_dir.display()))
}

fn last_segment_number(reader: &JournalReader) -> u64 {
    let stillborn = reader.stillborn().iter().map(|(number, _)| *number);
    reader.segments().iter().map(|segment| segment.number).chain(stillborn).max().unwrap_or(0)
}

fn note_segment(closed: &mut BTreeMap<u64, ClosedSegment>, place: &BlockPlace, block: &Block<'_>) {
    let entry = closed.entry(place.segment).or_insert_with(|| ClosedSegment {
        path: Default::default(),
        next_block: 0,
        last_time: block.header.time,
        bytes: 0,
        last_positions: HashMap::new(),
    });
    entry.next_block = block.header.number + 1;
    entry.last_time = block.header.time;
    entry.bytes = place.offset + block.size() as u64;
}

/// Cuts the last segment that holds a block to what counts, makes it durable, and deletes files that hold no block.
///
/// In this order: behind the last block that counts may stand a whole one that was told failed. Only the header of the
/// segment made after that failure says so; if no block came after it, the segment is deleted here, and a crash before the
/// next one is made would bring the failed block back.
fn finish_files(reader: &JournalReader, closed: &mut BTreeMap<u64, ClosedSegment>) -> Result<(), StorageError> {
    for (_, path) in reader.stillborn() {
        fs::remove_file(path).map_err(StorageError::io("delete", path))?;
    }
    let last = closed.keys().next_back().copied();
    for segment in reader.segments() {
        let path = &segment.path;
        if let Some(entry) = closed.get_mut(&segment.number) {
            if last == Some(segment.number) {
                let file = OpenOptions::new().write(true).open(path).map_err(StorageError::io("open", path))?;
                file.set_len(entry.bytes).and_then(|()| file.sync_all()).map_err(StorageError::io("cut", path))?;
            }
            entry.path.clone_from(path);
            entry.bytes = fs::metadata(path).map_err(StorageError::io("look at", path))?.len();
        } else {
            fs::remove_file(path).map_err(StorageError::io("delete", path))?;
        }
    }
    Ok(())
}

/// The symbol table as it comes back.
pub(super) struct Symbols {
    pub(super) table: SymbolTable,
    table_len_in_db: usize,
    /// The journal defines those with lower numbers.
    written: usize,
}

impl Symbols {
    pub(super) fn new(path: &Path, in_db: Vec<String>) -> Result<Self, StorageError> {
        let table = SymbolTable::new();
        for (number, text) in in_db.iter().enumerate() {
            if table.intern(text).index() != number {
                let what = format!("symbol {number} (`{text}`) is there twice");
                return Err(StorageError::BadState { path: path.to_owned(), what });
            }
        }
        Ok(Self { table_len_in_db: in_db.len(), table, written: 0 })
    }

    /// Takes over what a block defines.
    pub(super) fn define(&mut self, block: &Block<'_>) -> Result<(), String> {
        for (number, text) in block.symbols() {
            let known = self.table.len();
            let given = if number as usize == known { self.table.intern(text).0 } else { number };
            if given != number || number as usize > known || *self.table.text(Symbol(number)) != *text {
                let other = self.table.text(Symbol(number));
                let block = block.header.number;
                return Err(format!("symbol {number} is `{other}`, but `{text}` in block {block} of the journal"));
            }
        }
        self.written = self.written.max(block.header.first_symbol as usize + block.header.symbols as usize);
        Ok(())
    }

    /// The table, with the names of this program's catalogue that it did not hold yet.
    pub(super) fn finish(self) -> Arc<SymbolTable> {
        Catalogue::get().intern(&self.table);
        Arc::new(self.table)
    }
}

/// The state, and what of it the journal's tail changed.
pub(super) struct Tail {
    pub(super) state: StoredState,
    positions: Positions,
    touched: HashSet<u32>,
    touched_policies: HashSet<SubjectKey>,
    touched_timers: HashSet<SubjectKey>,
    touched_alarms: HashSet<u64>,
    new_quarantined: Vec<Quarantined>,
    new_network: Vec<NetworkChange>,
    new_usage: Vec<UsageEntry>,
    new_decisions: Vec<EnrolmentDecision>,
    blocks: u64,
    batches: u64,
    reports: u64,
}

impl Tail {
    pub(super) fn new(state: StoredState, positions: Positions) -> Self {
        Self {
            state,
            positions,
            touched: HashSet::new(),
            touched_policies: HashSet::new(),
            touched_timers: HashSet::new(),
            touched_alarms: HashSet::new(),
            new_quarantined: Vec::new(),
            new_network: Vec::new(),
            new_usage: Vec::new(),
            new_decisions: Vec::new(),
            blocks: 0,
            batches: 0,
            reports: 0,
        }
    }

    fn apply_block(&mut self, block: &Block<'_>) -> Result<(), (JournalPosition, super::decode::DecodeError)> {
        self.blocks += 1;
        for (index, bytes) in block.batches().enumerate() {
            let position = JournalPosition(block.header.number << 16 | index as u64);
            let at = |error| (position, error);
            let envelope = BatchEnvelope::read(bytes).map_err(at)?;
            if position > self.positions.of(envelope.shard) {
                self.apply(&decode(bytes).map_err(at)?);
                self.batches += 1;
                self.reports += u64::from(envelope.reports);
            }
        }
        Ok(())
    }

    /// Whether the state does not reflect a batch yet.
    pub(super) fn is_new(&self, position: JournalPosition, shard: u16) -> bool {
        position > self.positions.of(shard)
    }

    /// Applies the effects of a batch.
    pub(super) fn apply(&mut self, record: &BatchRecord) {
        for (index, (head, &answer)) in record.input.reports.iter().zip(&record.answers).enumerate() {
            let raw = answer == AnswerCode::KeptRaw as u8;
            if raw || answer == AnswerCode::Accepted as u8 {
                let component = self.state.components.entry(head.component).or_default();
                let accepted = component.accept(&record.input, index, raw, &record.effects.added_samples, record.time);
                self.new_network.extend(accepted.network);
                self.new_usage.extend(accepted.usage);
                self.touched.insert(head.component);
            }
        }
        for states in &record.effects.policy_states {
            for (component, resource, values) in subjects(states) {
                let key = (states.policy, component, resource);
                // No values at all: the policy no longer keeps a state of this subject.
                if values.is_empty() {
                    self.state.policy_states.remove(&key);
                } else {
                    self.state.policy_states.insert(key, values.to_vec());
                }
                self.touched_policies.insert(key);
            }
        }
        for timer in &record.effects.timers {
            let key = (timer.policy, timer.component, timer.resource);
            match timer.at {
                0 => self.state.timers.remove(&key),
                at => self.state.timers.insert(key, at),
            };
            self.touched_timers.insert(key);
        }
        for alarm in &record.effects.alarms {
            self.state.next_alarm_id = self.state.next_alarm_id.max(alarm.id.saturating_add(1));
            self.state.alarms.insert(alarm.id, alarm.clone());
            self.touched_alarms.insert(alarm.id);
        }
        if let Some(decision) = record.decision() {
            let key = (decision.component.to_string(), decision.certificate.authority.clone());
            self.state.decisions.insert(key, decision.clone());
            self.new_decisions.push(decision);
        }
        for list in [&mut self.state.quarantined, &mut self.new_quarantined] {
            list.extend_from_slice(&record.effects.quarantined);
            let surplus = list.len().saturating_sub(QUARANTINE_ENTRIES);
            list.drain(..surplus);
        }
    }

    /// What the tail changed, as one flush.
    fn changes(&self, position: JournalPosition) -> StateFlush {
        let state = &self.state;
        let component = |symbol: &u32| state.components.get(symbol).map(|component| (*symbol, component.clone()));
        let policy = |key: &SubjectKey| {
            let values = state.policy_states.get(key).cloned().unwrap_or_default();
            PolicyStates { policy: key.0, components: vec![key.1], resources: vec![key.2], values }
        };
        let timer = |key: &SubjectKey| TimerChange {
            at: state.timers.get(key).copied().unwrap_or(0),
            policy: key.0,
            component: key.1,
            resource: key.2,
            padding: 0,
        };
        StateFlush {
            shard: 0,
            position,
            components: self.touched.iter().filter_map(component).collect(),
            policy_states: self.touched_policies.iter().map(policy).collect(),
            timers: self.touched_timers.iter().map(timer).collect(),
            alarms: self.touched_alarms.iter().filter_map(|id| state.alarms.get(id).cloned().map(Arc::new)).collect(),
            quarantined: self.new_quarantined.clone(),
            network: self.new_network.clone(),
            usage: self.new_usage.clone(),
            decisions: self.new_decisions.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
