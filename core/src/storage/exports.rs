//! Outboxes of the exporters: what waits for each target, in an SQLite file of their own, with the journal position that
//! everything reflects.
//!
//! Events come in as bytes; nothing here knows what they mean. A write is one transaction: after `kill -9` the rows belong
//! together, and the journal goes on from their position, so that no event is missed. What a power cut takes of the last
//! deliveries is delivered again.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::{JournalPosition, error::StorageError};
use crate::model::Timestamp;

const FILE: &str = "exports.db";
const VERSION: u32 = 1;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS reflects (
    only     INTEGER PRIMARY KEY CHECK (only = 0),
    position INTEGER NOT NULL          -- of the journal: every event up to it is in an outbox, or was
) STRICT;
CREATE TABLE IF NOT EXISTS alarm (
    id    INTEGER PRIMARY KEY,
    known TEXT NOT NULL                -- what is remembered of it, to tell what changed
) STRICT;
CREATE TABLE IF NOT EXISTS exporter (
    name      TEXT PRIMARY KEY,
    audience  TEXT NOT NULL,           -- what it was told by: kind, address, filter
    delivered INTEGER NOT NULL         -- journal position of the last event that arrived
) STRICT;
CREATE TABLE IF NOT EXISTS event (
    number     INTEGER PRIMARY KEY,
    exporter   TEXT NOT NULL,
    alarm      INTEGER NOT NULL,
    superseded INTEGER NOT NULL,       -- events of the same alarm that were left out before it
    body       TEXT NOT NULL,
    parked     INTEGER,                -- since when, milliseconds since 1970; NULL: it waits
    why        TEXT NOT NULL           -- why it was parked
) STRICT;
CREATE INDEX IF NOT EXISTS event_by_exporter ON event (exporter, number);
CREATE TABLE IF NOT EXISTS firing (
    exporter TEXT NOT NULL,
    alarm    INTEGER NOT NULL,
    severity TEXT NOT NULL,            -- under which the target has it
    PRIMARY KEY (exporter, alarm)
) STRICT;
";

/// The file.
#[derive(Debug)]
pub struct ExportDb {
    path: PathBuf,
    connection: Connection,
}

/// An exporter as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredExporter {
    /// Its name.
    pub name: String,
    /// What it was told by.
    pub audience: String,
    /// Journal position of the last event that arrived.
    pub delivered: JournalPosition,
}

/// An event that waits or is parked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its number, which orders the events of an exporter.
    pub number: u64,
    /// Of which alarm.
    pub alarm: u64,
    /// Events of the same alarm that were left out before it.
    pub superseded: u64,
    /// What it says.
    pub body: String,
    /// Since when it is parked, and why.
    pub parked: Option<(Timestamp, String)>,
}

/// Where an event belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventPlace {
    /// Its number.
    pub number: u64,
    /// Whose outbox.
    pub exporter: String,
    /// Of which alarm.
    pub alarm: u64,
    /// Whether it is parked.
    pub parked: bool,
}

/// Everything that is held in memory while the manager runs: all but the bodies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredExports {
    /// The journal position that is reflected; `None`: nothing was ever written.
    pub position: Option<JournalPosition>,
    /// Alarms and what is remembered of them.
    pub known: Vec<(u64, String)>,
    /// Exporters.
    pub exporters: Vec<StoredExporter>,
    /// Events, by number.
    pub events: Vec<EventPlace>,
    /// Exporter, alarm, severity.
    pub firing: Vec<(String, u64, String)>,
}

/// What is written at once.
#[derive(Clone, Debug, Default)]
pub struct ExportChanges {
    /// The journal position that is reflected now.
    pub position: Option<JournalPosition>,
    /// Alarms and what is remembered of them.
    pub known: Vec<(u64, String)>,
    /// Exporters that are new or changed.
    pub exporters: Vec<StoredExporter>,
    /// Exporters that are gone, with all that is theirs.
    pub gone: Vec<String>,
    /// New events: number, exporter, alarm, body.
    pub events: Vec<(u64, String, u64, String)>,
    /// Events that are left out, each with the number of the one that it is counted with.
    pub left_out: Vec<(u64, u64)>,
    /// Events that are done with.
    pub done: Vec<u64>,
    /// Events to be parked: number, since when, why.
    pub parked: Vec<(u64, Timestamp, String)>,
    /// Parked events that wait again.
    pub again: Vec<u64>,
    /// Exporter, alarm, and the severity under which the target has it; `None`: not any more.
    pub firing: Vec<(String, u64, Option<String>)>,
}

impl ExportChanges {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.position.is_none()
            && self.known.is_empty()
            && self.exporters.is_empty()
            && self.gone.is_empty()
            && self.events.is_empty()
            && self.left_out.is_empty()
            && self.done.is_empty()
            && self.parked.is_empty()
            && self.again.is_empty()
            && self.firing.is_empty()
    }
}

impl ExportDb {
    /// Opens the file of a data directory, made now if there is none.
    pub fn open(data_dir: &Path) -> Result<Self, StorageError> {
        let path = data_dir.join(FILE);
        let connection = Connection::open(&path).map_err(StorageError::database("open it", &path))?;
        let prepare = || -> rusqlite::Result<u32> {
            connection.busy_timeout(Duration::from_secs(5))?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "NORMAL")?;
            connection.set_prepared_statement_cache_capacity(32);
            connection.pragma_query_value(None, "user_version", |row| row.get(0))
        };
        let found = prepare().map_err(StorageError::database("prepare it", &path))?;
        if found > VERSION {
            return Err(StorageError::Version { path, found, known: VERSION });
        }
        let make = format!("BEGIN IMMEDIATE;{SCHEMA}PRAGMA user_version = {VERSION};COMMIT;");
        connection.execute_batch(&make).map_err(StorageError::database("make its tables", &path))?;
        Ok(Self { path, connection })
    }

    /// Everything but the bodies of the events.
    pub fn load(&self) -> Result<StoredExports, StorageError> {
        let read = || -> rusqlite::Result<StoredExports> {
            let connection = &self.connection;
            let position = connection.query_row("SELECT position FROM reflects", [], |row| row.get::<_, i64>(0));
            let mut known = connection.prepare("SELECT id, known FROM alarm")?;
            let known = known.query_map([], |row| Ok((number(row, 0)?, row.get(1)?)))?;
            let mut exporters = connection.prepare("SELECT name, audience, delivered FROM exporter")?;
            let exporters = exporters.query_map([], |row| {
                let delivered = JournalPosition(number(row, 2)?);
                Ok(StoredExporter { name: row.get(0)?, audience: row.get(1)?, delivered })
            })?;
            let sql = "SELECT number, exporter, alarm, parked IS NOT NULL FROM event ORDER BY number";
            let mut events = connection.prepare(sql)?;
            let events = events.query_map([], |row| {
                let (exporter, parked) = (row.get(1)?, row.get(3)?);
                Ok(EventPlace { number: number(row, 0)?, exporter, alarm: number(row, 2)?, parked })
            })?;
            let mut firing = connection.prepare("SELECT exporter, alarm, severity FROM firing")?;
            let firing = firing.query_map([], |row| Ok((row.get(0)?, number(row, 1)?, row.get(2)?)))?;
            Ok(StoredExports {
                position: position.optional()?.map(|position| JournalPosition(position.cast_unsigned())),
                known: known.collect::<rusqlite::Result<_>>()?,
                exporters: exporters.collect::<rusqlite::Result<_>>()?,
                events: events.collect::<rusqlite::Result<_>>()?,
                firing: firing.collect::<rusqlite::Result<_>>()?,
            })
        };
        read().map_err(StorageError::database("read it", &self.path))
    }

    /// Writes changes, all or nothing.
    pub fn write(&mut self, changes: &ExportChanges) -> Result<(), StorageError> {
        let mut write = || -> rusqlite::Result<()> {
            let transaction = self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            write_exporters(&transaction, changes)?;
            write_events(&transaction, changes)?;
            if let Some(position) = changes.position {
                let sql = "INSERT OR REPLACE INTO reflects (only, position) VALUES (0, ?1)";
                transaction.prepare_cached(sql)?.execute([position.0.cast_signed()])?;
            }
            transaction.commit()
        };
        write().map_err(StorageError::database("write the outboxes of exporters", &self.path))
    }

    /// The events of these numbers that are there, in the order given.
    pub fn events(&self, numbers: &[u64]) -> Result<Vec<StoredEvent>, StorageError> {
        let read = || -> rusqlite::Result<Vec<StoredEvent>> {
            let sql = "SELECT number, alarm, superseded, body, parked, why FROM event WHERE number = ?1";
            let mut statement = self.connection.prepare_cached(sql)?;
            let mut found = Vec::new();
            for number in numbers {
                found.extend(statement.query_row([number.cast_signed()], event).optional()?);
            }
            Ok(found)
        };
        read().map_err(StorageError::database("read events", &self.path))
    }

    /// Parked events of an exporter, the oldest first.
    pub fn parked(&self, exporter: &str, limit: usize) -> Result<Vec<StoredEvent>, StorageError> {
        let read = || -> rusqlite::Result<Vec<StoredEvent>> {
            let sql = "SELECT number, alarm, superseded, body, parked, why FROM event
                       WHERE exporter = ?1 AND parked IS NOT NULL ORDER BY number LIMIT ?2";
            let mut statement = self.connection.prepare_cached(sql)?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            statement.query_map(params![exporter, limit], event)?.collect()
        };
        read().map_err(StorageError::database("read parked events", &self.path))
    }
}

fn number(row: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(at).map(i64::cast_unsigned)
}

fn event(row: &rusqlite::Row<'_>) -> rusqlite::Result<StoredEvent> {
    let (since, why) = (row.get::<_, Option<i64>>(4)?, row.get(5)?);
    Ok(StoredEvent {
        number: number(row, 0)?,
        alarm: number(row, 1)?,
        superseded: number(row, 2)?,
        body: row.get(3)?,
        parked: since.map(|since| (Timestamp(since), why)),
    })
}

fn write_exporters(transaction: &Transaction<'_>, changes: &ExportChanges) -> rusqlite::Result<()> {
    for name in &changes.gone {
        transaction.execute("DELETE FROM event WHERE exporter = ?1", [name])?;
        transaction.execute("DELETE FROM firing WHERE exporter = ?1", [name])?;
        transaction.execute("DELETE FROM exporter WHERE name = ?1", [name])?;
    }
    let mut put = transaction.prepare_cached("INSERT OR REPLACE INTO exporter VALUES (?1, ?2, ?3)")?;
    for exporter in &changes.exporters {
        put.execute(params![exporter.name, exporter.audience, exporter.delivered.0.cast_signed()])?;
    }
    let mut put = transaction.prepare_cached("INSERT OR REPLACE INTO firing VALUES (?1, ?2, ?3)")?;
    let mut remove = transaction.prepare_cached("DELETE FROM firing WHERE exporter = ?1 AND alarm = ?2")?;
    for (exporter, alarm, severity) in &changes.firing {
        match severity {
            Some(severity) => put.execute(params![exporter, alarm.cast_signed(), severity])?,
            None => remove.execute(params![exporter, alarm.cast_signed()])?,
        };
    }
    Ok(())
}

fn write_events(transaction: &Transaction<'_>, changes: &ExportChanges) -> rusqlite::Result<()> {
    let mut put = transaction.prepare_cached("INSERT OR REPLACE INTO alarm VALUES (?1, ?2)")?;
    for (alarm, known) in &changes.known {
        put.execute(params![alarm.cast_signed(), known])?;
    }
    let sql = "INSERT INTO event (number, exporter, alarm, superseded, body, why) VALUES (?1, ?2, ?3, 0, ?4, '')";
    let mut put = transaction.prepare_cached(sql)?;
    for (number, exporter, alarm, body) in &changes.events {
        put.execute(params![number.cast_signed(), exporter, alarm.cast_signed(), body])?;
    }
    let sql = "UPDATE event SET superseded = superseded + 1 + (SELECT superseded FROM event WHERE number = ?1)
               WHERE number = ?2 AND EXISTS (SELECT 1 FROM event WHERE number = ?1)";
    let mut count = transaction.prepare_cached(sql)?;
    let mut delete = transaction.prepare_cached("DELETE FROM event WHERE number = ?1")?;
    for (number, by) in &changes.left_out {
        count.execute([number.cast_signed(), by.cast_signed()])?;
        delete.execute([number.cast_signed()])?;
    }
    for number in &changes.done {
        delete.execute([number.cast_signed()])?;
    }
    let mut park = transaction.prepare_cached("UPDATE event SET parked = ?2, why = ?3 WHERE number = ?1")?;
    for (number, since, why) in &changes.parked {
        park.execute(params![number.cast_signed(), since.0, why])?;
    }
    let mut again = transaction.prepare_cached("UPDATE event SET parked = NULL, why = '' WHERE number = ?1")?;
    for number in &changes.again {
        again.execute([number.cast_signed()])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(change: impl FnOnce(&mut ExportChanges)) -> ExportChanges {
        let mut changes = ExportChanges::default();
        change(&mut changes);
        assert!(!changes.is_empty());
        changes
    }

    #[test]
    fn everything_comes_back_with_its_position() {
        let dir = tempfile::tempdir().unwrap();
        let mut db = ExportDb::open(dir.path()).unwrap();
        assert_eq!(db.load().unwrap(), StoredExports::default());
        let noc = StoredExporter { name: "noc".into(), audience: "{}".into(), delivered: JournalPosition(3) };
        db.write(&changed(|changes| {
            changes.position = Some(JournalPosition(7));
            changes.known = vec![(70, "k".into())];
            changes.exporters = vec![noc.clone()];
            changes.events = (1..=4).map(|n| (n, "noc".into(), 70, format!("event {n}"))).collect();
            changes.firing = vec![("noc".into(), 70, Some("major".into())), ("noc".into(), 71, Some("minor".into()))];
        }))
        .unwrap();
        db.write(&changed(|changes| {
            changes.left_out = vec![(1, 2), (2, 3)];
            changes.parked = vec![(4, Timestamp(9), "status 422".into())];
            changes.firing = vec![("noc".into(), 71, None)];
        }))
        .unwrap();
        drop(db);
        let mut db = ExportDb::open(dir.path()).unwrap();
        let stored = db.load().unwrap();
        assert_eq!(stored.position, Some(JournalPosition(7)));
        assert_eq!((&stored.known[0].1, &stored.exporters[0]), (&"k".to_owned(), &noc));
        let places: Vec<_> = stored.events.iter().map(|event| (event.number, event.alarm, event.parked)).collect();
        assert_eq!(places, [(3, 70, false), (4, 70, true)]);
        assert_eq!(stored.firing, [("noc".into(), 70, "major".into())]);
        let events = db.events(&[4, 3, 1]).unwrap();
        assert_eq!(events.iter().map(|event| event.number).collect::<Vec<_>>(), [4, 3]);
        assert_eq!((events[1].superseded, events[1].body.as_str()), (2, "event 3"), "all that was left out is counted");
        assert_eq!(db.parked("noc", 9).unwrap()[0].parked, Some((Timestamp(9), "status 422".into())));
        db.write(&changed(|changes| (changes.again, changes.done) = (vec![4], vec![3]))).unwrap();
        assert_eq!(db.parked("noc", 9).unwrap(), []);
        db.write(&changed(|changes| changes.gone = vec!["noc".into()])).unwrap();
        let left = db.load().unwrap();
        assert_eq!((left.events.len(), left.firing.len(), left.exporters.len()), (0, 0, 0));
    }

    #[test]
    fn a_write_that_fails_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut db = ExportDb::open(dir.path()).unwrap();
        let twice = changed(|changes| {
            changes.position = Some(JournalPosition(7));
            changes.events = vec![(1, "noc".into(), 70, "a".into()), (1, "noc".into(), 70, "b".into())];
        });
        assert!(db.write(&twice).is_err(), "a number is given once");
        assert_eq!(db.load().unwrap(), StoredExports::default());
    }
}
