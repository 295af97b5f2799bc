//! The state database: what the journal's batches left behind, in SQLite tables that an operator can open.
//!
//! It is written with the journal position that it reflects, in one transaction, so that recovery applies exactly the
//! tail of the journal. It may lag behind the journal; it is never the truth. `schema.sql` describes the tables.

mod enrolment;
pub mod network;
mod rows;
pub mod writer;

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

pub(super) use rows::subjects;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction};

use super::{JournalPosition, error::StorageError, record::Quarantined};
use crate::{
    config::limits::QUARANTINE_ENTRIES,
    model::{Alarm, EnrolmentDecision},
    state::{ComponentState, NetworkChange, UsageEntry},
    storage::record::{PolicyStates, TimerChange},
};

const VERSION: u32 = 2;

/// Policy, component and resource, as symbols.
pub type SubjectKey = (u32, u32, u32);

/// What a shard's changes amount to after a batch: after-images of everything it touched since its previous flush.
///
/// A shard attaches one to a batch at least every [`crate::config::limits::STATE_FLUSH`] while it makes batches, an empty one
/// too (it moves the position on, without which no segment of the journal can be deleted), and hands it to
/// [`writer::StateWriter::flush`] when the batch is committed.
#[derive(Clone, Debug, Default)]
pub struct StateFlush {
    /// The shard.
    pub shard: u16,
    /// The batch after which this was true.
    pub position: JournalPosition,
    /// Components that changed.
    pub components: Vec<(u32, ComponentState)>,
    /// Policy states that changed.
    pub policy_states: Vec<PolicyStates>,
    /// Timers set and taken back, in order.
    pub timers: Vec<TimerChange>,
    /// Alarms that changed.
    pub alarms: Vec<Arc<Alarm>>,
    /// Reports that went to quarantine since the previous flush.
    pub quarantined: Vec<Quarantined>,
    /// Changes of inventory and topology since then, in order.
    pub network: Vec<NetworkChange>,
    /// Usage counted since then.
    pub usage: Vec<UsageEntry>,
    /// Decisions about components since then, in order.
    pub decisions: Vec<EnrolmentDecision>,
}

/// Everything the database holds but symbols.
#[derive(Clone, Debug, Default)]
pub struct StoredState {
    /// Components by symbol.
    pub components: HashMap<u32, ComponentState>,
    /// Policy state by policy, component and resource.
    pub policy_states: HashMap<SubjectKey, Vec<f64>>,
    /// Due time of timers, milliseconds since 1970.
    pub timers: HashMap<SubjectKey, u64>,
    /// Alarms by number.
    pub alarms: BTreeMap<u64, Alarm>,
    /// Quarantined reports, oldest first.
    pub quarantined: Vec<Quarantined>,
    /// The number of the next alarm.
    pub next_alarm_id: u64,
    /// What was decided last about each component, by component and authority.
    pub decisions: BTreeMap<(String, String), EnrolmentDecision>,
}

/// How far the database reflects the journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Positions {
    /// Everything up to this, of every shard.
    pub base: JournalPosition,
    /// Beyond that, by shard.
    pub shards: HashMap<u16, JournalPosition>,
}

impl Positions {
    /// The last batch of a shard that is reflected.
    #[must_use]
    pub fn of(&self, shard: u16) -> JournalPosition {
        self.shards.get(&shard).copied().unwrap_or_default().max(self.base)
    }

    /// Whether a journal that begins with this block goes on from here; the database is named where it does not.
    pub(super) fn reach(&self, first_block: Option<u64>, database: &Path) -> Result<(), StorageError> {
        let end = self.highest().0 >> 16;
        match first_block.filter(|&first| first > end + 1) {
            None => Ok(()),
            Some(first) => Err(StorageError::BadState {
                path: database.to_owned(),
                what: format!("it ends at block {end}, but the journal begins at {first}"),
            }),
        }
    }

    /// The last batch that is reflected of any shard.
    #[must_use]
    pub fn highest(&self) -> JournalPosition {
        self.shards.values().copied().max().unwrap_or_default().max(self.base)
    }
}

/// The file within a data directory.
#[must_use]
pub fn state_db_path(data_dir: &Path) -> PathBuf {
    data_dir.join("state.db")
}

/// An open state database.
#[derive(Debug)]
pub struct StateDb {
    connection: Connection,
    path: PathBuf,
}

impl StateDb {
    /// Opens or makes the database.
    pub fn open(path: &Path) -> Result<Self, StorageError> {
        let connection = Connection::open(path).map_err(StorageError::database("open it", path))?;
        let mut db = Self { connection, path: path.to_owned() };
        db.prepare().map_err(StorageError::database("set it up", path))?;
        let version = db.version()?;
        if version == 0 {
            let made = db.transaction(|transaction| {
                transaction.execute_batch(include_str!("schema.sql"))?;
                transaction.pragma_update(None, "user_version", VERSION)
            });
            made.map_err(StorageError::database("make its tables", path))?;
        }
        enrolment::prepare(&db.connection).map_err(StorageError::database("make its tables", path))?;
        Ok(db)
    }

    /// Opens an existing database for reading; none if there is none. A manager may be running.
    pub fn open_read_only(path: &Path) -> Result<Option<Self>, StorageError> {
        if !path.exists() {
            return Ok(None);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(StorageError::database("open it", path))?;
        connection.busy_timeout(Duration::from_secs(5)).map_err(StorageError::database("open it", path))?;
        let db = Self { connection, path: path.to_owned() };
        Ok((db.version()? != 0).then_some(db))
    }

    fn prepare(&self) -> rusqlite::Result<()> {
        self.connection.busy_timeout(Duration::from_secs(5))?;
        self.connection.pragma_update(None, "journal_mode", "WAL")?;
        self.connection.pragma_update(None, "synchronous", "FULL")?;
        self.connection.pragma_update(None, "cache_size", -16_384)?;
        self.connection.set_prepared_statement_cache_capacity(32);
        Ok(())
    }

    fn version(&self) -> Result<u32, StorageError> {
        let version = self.connection.pragma_query_value(None, "user_version", |row| row.get::<_, u32>(0));
        let version = version.map_err(StorageError::database("read its version", &self.path))?;
        if version != 0 && version != VERSION {
            return Err(StorageError::Version { path: self.path.clone(), found: version, known: VERSION });
        }
        Ok(version)
    }

    fn transaction<T>(&mut self, work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        let transaction = self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let result = work(&transaction)?;
        transaction.commit()?;
        Ok(result)
    }

    /// The texts of all symbols in order, from number 0.
    pub fn symbols(&self) -> Result<Vec<String>, StorageError> {
        let read = || -> rusqlite::Result<Vec<(usize, String)>> {
            let mut statement = self.connection.prepare("SELECT number, text FROM symbol ORDER BY number")?;
            statement.query_map([], |row| Ok((row.get::<_, u32>(0)? as usize, row.get(1)?)))?.collect()
        };
        let symbols = read().map_err(StorageError::database("read symbols", &self.path))?;
        if let Some((at, _)) = symbols.iter().enumerate().find(|(at, symbol)| symbol.0 != *at) {
            return Err(self.bad(format!("symbol {at} is missing")));
        }
        Ok(symbols.into_iter().map(|(_, text)| text).collect())
    }

    /// How far it reflects the journal.
    pub fn positions(&self) -> Result<Positions, StorageError> {
        let read = || -> rusqlite::Result<Positions> {
            let mut statement = self.connection.prepare("SELECT shard, position FROM journal_position")?;
            let rows = statement
                .query_map([], |row| Ok((row.get(0)?, JournalPosition(row.get::<_, i64>(1)?.cast_unsigned()))))?;
            let base = JournalPosition(self.meta("base_position")?.unwrap_or(0));
            Ok(Positions { base, shards: rows.collect::<rusqlite::Result<_>>()? })
        };
        read().map_err(StorageError::database("read its journal position", &self.path))
    }

    fn meta(&self, key: &str) -> rusqlite::Result<Option<u64>> {
        let mut statement = self.connection.prepare_cached("SELECT value FROM meta WHERE key = ?1")?;
        statement.query_row([key], |row| row.get::<_, i64>(0).map(i64::cast_unsigned)).optional()
    }

    /// Reads what plugins could not take, the oldest first.
    pub fn quarantined(&self) -> Result<Vec<Quarantined>, StorageError> {
        rows::quarantined(&self.connection).map_err(|error| self.row("quarantine", error))
    }

    /// Reads everything.
    pub fn load(&self) -> Result<StoredState, StorageError> {
        let mut state = StoredState {
            components: rows::components(&self.connection).map_err(|error| self.row("component_state", error))?,
            policy_states: rows::policy_states(&self.connection).map_err(|error| self.row("policy_state", error))?,
            timers: rows::timers(&self.connection).map_err(|error| self.row("timer", error))?,
            alarms: rows::alarms(&self.connection).map_err(|error| self.row("alarm", error))?,
            quarantined: rows::quarantined(&self.connection).map_err(|error| self.row("quarantine", error))?,
            next_alarm_id: 1,
            decisions: enrolment::load(&self.connection).map_err(|error| self.row("enrolment", error))?,
        };
        network::load(&self.connection, &mut state.components).map_err(|error| self.row("network", error))?;
        let next = self.meta("next_alarm_id").map_err(StorageError::database("read meta", &self.path))?;
        let after_last = state.alarms.keys().next_back().map_or(1, |last| last + 1);
        state.next_alarm_id = next.unwrap_or(1).max(after_last);
        Ok(state)
    }

    /// Writes several flushes, new symbols first, in one transaction.
    pub(super) fn write(
        &mut self,
        (first_symbol, symbols): (usize, &[Arc<str>]),
        flushes: &[StateFlush],
        before_commit: impl FnOnce() -> std::io::Result<()>,
    ) -> rusqlite::Result<()> {
        self.transaction(|transaction| {
            rows::put_symbols(transaction, first_symbol, symbols)?;
            for flush in flushes {
                rows::put_flush(transaction, flush)?;
            }
            rows::bound_quarantine(transaction, QUARANTINE_ENTRIES)?;
            network::bound(transaction)?;
            before_commit().map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
        })
    }

    /// Writes what recovery found: changed parts, all symbols, and one position for all shards.
    pub(super) fn reset(
        &mut self,
        symbols: (usize, &[Arc<str>]),
        changes: &StateFlush,
        next_alarm_id: u64,
    ) -> Result<(), StorageError> {
        let written = self.transaction(|transaction| {
            rows::put_symbols(transaction, symbols.0, symbols.1)?;
            rows::put_flush(transaction, changes)?;
            rows::bound_quarantine(transaction, QUARANTINE_ENTRIES)?;
            transaction.execute("DELETE FROM journal_position", [])?;
            rows::put_meta(transaction, "base_position", changes.position.0)?;
            rows::put_meta(transaction, "next_alarm_id", next_alarm_id)
        });
        written.map_err(StorageError::database("write the recovered state", &self.path))
    }

    /// A compact copy as a file of its own.
    pub(super) fn copy_to(&self, path: &Path) -> rusqlite::Result<()> {
        self.connection.execute("VACUUM INTO ?1", [path.to_string_lossy()]).map(|_| ())
    }

    fn row(&self, table: &str, error: rows::RowError) -> StorageError {
        match error {
            rows::RowError::Sql(source) => {
                StorageError::Database { path: self.path.clone(), what: "read its tables", source }
            }
            rows::RowError::Content(what) => self.bad(format!("table {table}: {what}")),
        }
    }

    fn bad(&self, what: String) -> StorageError {
        StorageError::BadState { path: self.path.clone(), what }
    }
}
