//! The tables of `history.db`.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use super::{Level, Retention, SeriesKey, series::Chunk};
use crate::{
    model::Timestamp,
    storage::{JournalPosition, error::StorageError},
};

/// Since 2 samples of which nothing moves are counted; the tables are the same.
const VERSION: u32 = 2;

/// Size of the database's pages.
const PAGE_BYTES: u32 = 16 * 1024;

const SCHEMA: &str = "
CREATE TABLE chunk (
    number    INTEGER PRIMARY KEY,
    component INTEGER NOT NULL,       -- symbols of state.db
    resource  INTEGER NOT NULL,
    name      INTEGER NOT NULL,
    level     INTEGER NOT NULL,       -- 0: samples, 1: minutes, 2: hours
    \"from\"  INTEGER NOT NULL,       -- earliest and latest time in it, milliseconds since 1970
    \"to\"    INTEGER NOT NULL,
    count     INTEGER NOT NULL,
    data      BLOB NOT NULL
);
CREATE INDEX chunk_by_series ON chunk (component, name, resource, level, \"to\");
CREATE INDEX chunk_by_age ON chunk (level, \"to\");
CREATE TABLE position (
    only     INTEGER PRIMARY KEY CHECK (only = 0),
    position INTEGER NOT NULL         -- of the journal: everything up to it is in the chunks
);
";

/// The file within a data directory.
#[must_use]
pub fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("history.db")
}

/// The open database.
#[derive(Debug)]
pub struct HistoryDb {
    connection: Connection,
    path: PathBuf,
}

impl HistoryDb {
    /// Opens or makes it.
    pub fn open(data_dir: &Path) -> Result<Self, StorageError> {
        let path = path(data_dir);
        let connection = Connection::open(&path).map_err(StorageError::database("open it", &path))?;
        let prepare = || -> rusqlite::Result<u32> {
            connection.busy_timeout(Duration::from_secs(5))?;
            // Chunks are long: a larger page is fewer writes for each. Of a database that is there already it stays as it is.
            connection.pragma_update(None, "page_size", PAGE_BYTES)?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            // What a power cut takes from it is read again from the journal: the position is in the same transaction.
            connection.pragma_update(None, "synchronous", "NORMAL")?;
            connection.set_prepared_statement_cache_capacity(16);
            let version = connection.pragma_query_value(None, "user_version", |row| row.get::<_, u32>(0))?;
            if version == 0 {
                connection.execute_batch(SCHEMA)?;
            }
            if version < VERSION {
                connection.pragma_update(None, "user_version", VERSION)?;
            }
            Ok(version)
        };
        let version = prepare().map_err(StorageError::database("set it up", &path))?;
        if version > VERSION {
            return Err(StorageError::Version { path, found: version, known: VERSION });
        }
        Ok(Self { connection, path })
    }

    /// Opens it for reading; none if there is none.
    pub fn open_read_only(data_dir: &Path) -> Result<Option<Self>, StorageError> {
        let path = path(data_dir);
        if !path.exists() {
            return Ok(None);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&path, flags).map_err(StorageError::database("open it", &path))?;
        connection.busy_timeout(Duration::from_secs(5)).map_err(StorageError::database("open it", &path))?;
        Ok(Some(Self { connection, path }))
    }

    /// How far it reflects the journal, if anything was ever written, and the highest number of a chunk.
    pub fn standing(&self) -> Result<(Option<JournalPosition>, i64), StorageError> {
        let read = || -> rusqlite::Result<(Option<JournalPosition>, i64)> {
            let position = self.connection.query_row("SELECT position FROM position", [], |row| row.get::<_, i64>(0));
            let number =
                self.connection.query_row("SELECT coalesce(max(number), 0) FROM chunk", [], |row| row.get(0))?;
            Ok((position.optional()?.map(|position| JournalPosition(position.cast_unsigned())), number))
        };
        read().map_err(StorageError::database("read its position", &self.path))
    }

    /// Writes chunks and the position that they reflect, and forgets what is too old; all or nothing.
    pub fn write(
        &mut self,
        chunks: &[Chunk],
        position: JournalPosition,
        now: Timestamp,
        retention: &Retention,
    ) -> Result<(), StorageError> {
        let mut write = || -> rusqlite::Result<()> {
            let transaction = self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            {
                let sql = "INSERT OR REPLACE INTO chunk (number, component, resource, name, level, \"from\", \"to\", count, data)
                           VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
                let mut statement = transaction.prepare_cached(sql)?;
                for chunk in chunks {
                    let (component, resource, name) = chunk.key;
                    let count = i64::try_from(chunk.count).unwrap_or(i64::MAX);
                    let (number, level, from, to) = (chunk.number, chunk.level.number(), chunk.from, chunk.to);
                    statement.execute(params![
                        number,
                        component,
                        resource,
                        name,
                        level,
                        from,
                        to,
                        count,
                        chunk.bytes
                    ])?;
                }
                let mut statement = transaction.prepare_cached("DELETE FROM chunk WHERE level = ?1 AND \"to\" < ?2")?;
                for level in Level::ALL {
                    let kept = i64::try_from(retention.of(level).as_millis()).unwrap_or(i64::MAX);
                    statement.execute((level.number(), now.0.saturating_sub(kept)))?;
                }
            }
            transaction.execute(
                "INSERT OR REPLACE INTO position (only, position) VALUES (0, ?1)",
                [position.0.cast_signed()],
            )?;
            transaction.commit()
        };
        write().map_err(StorageError::database("write history", &self.path))
    }

    /// The chunks of a series at a level that reach into a span of time.
    pub fn chunks(&self, key: SeriesKey, level: Level, from: i64, to: i64) -> Result<Vec<Vec<u8>>, StorageError> {
        let read = || -> rusqlite::Result<Vec<Vec<u8>>> {
            let sql = "SELECT data FROM chunk WHERE component = ?1 AND name = ?2 AND resource = ?3 AND level = ?4
                       AND \"to\" >= ?5 AND \"from\" < ?6 ORDER BY number";
            let mut statement = self.connection.prepare_cached(sql)?;
            let (component, resource, name) = key;
            let rows = statement.query_map((component, name, resource, level.number(), from, to), |row| row.get(0))?;
            rows.collect()
        };
        read().map_err(StorageError::database("read history", &self.path))
    }
}
