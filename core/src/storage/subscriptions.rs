//! Durable subscriptions: one row each in an SQLite file of their own, and the journal position that all rows reflect.
//!
//! In come the bytes that the manager makes of a subscription; nothing here knows what they mean. A save is one
//! transaction: after `kill -9` the rows belong together, and the journal goes on from their position.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, params};

use super::{JournalPosition, error::StorageError};

const FILE: &str = "subscriptions.db";
const VERSION: u32 = 1;

/// The file.
#[derive(Debug)]
pub struct SubscriptionDb {
    path: PathBuf,
    connection: Connection,
}

/// One subscription as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSubscription {
    /// Its ID.
    pub id: String,
    /// What it is: JSON text, which does not change.
    pub definition: String,
    /// How far it is: bytes, which change with every notification.
    pub progress: Vec<u8>,
}

impl SubscriptionDb {
    /// Opens the file of a data directory, made now if there is none.
    pub fn open(data_dir: &Path) -> Result<Self, StorageError> {
        let path = data_dir.join(FILE);
        let failed = |what| {
            let path = path.clone();
            move |source| StorageError::Database { path, what, source }
        };
        let connection = Connection::open(&path).map_err(failed("open it"))?;
        let prepare = || -> rusqlite::Result<u32> {
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "NORMAL")?;
            connection.pragma_query_value(None, "user_version", |row| row.get(0))
        };
        let found = prepare().map_err(failed("prepare it"))?;
        if found > VERSION {
            return Err(StorageError::Version { path, found, known: VERSION });
        }
        connection
            .execute_batch(
                "BEGIN IMMEDIATE;
                 CREATE TABLE IF NOT EXISTS subscriptions (
                     id TEXT PRIMARY KEY, definition TEXT NOT NULL, progress BLOB NOT NULL) STRICT;
                 CREATE TABLE IF NOT EXISTS reflects (one INTEGER PRIMARY KEY CHECK (one = 1), position INTEGER NOT NULL) STRICT;
                 PRAGMA user_version = 1;
                 COMMIT;",
            )
            .map_err(failed("make its tables"))?;
        Ok(Self { path, connection })
    }

    fn failed(&self, what: &'static str) -> impl FnOnce(rusqlite::Error) -> StorageError + use<> {
        let path = self.path.clone();
        move |source| StorageError::Database { path, what, source }
    }

    /// Everything, and the position it reflects.
    pub fn load(&self) -> Result<(JournalPosition, Vec<StoredSubscription>), StorageError> {
        let read = || -> rusqlite::Result<_> {
            let position = self.connection.query_row("SELECT position FROM reflects", [], |row| row.get::<_, i64>(0));
            let mut rows =
                self.connection.prepare("SELECT id, definition, progress FROM subscriptions ORDER BY rowid")?;
            let rows = rows.query_map([], |row| {
                Ok(StoredSubscription { id: row.get(0)?, definition: row.get(1)?, progress: row.get(2)? })
            })?;
            Ok((position.optional()?.unwrap_or(0), rows.collect::<rusqlite::Result<Vec<_>>>()?))
        };
        let (position, rows) = read().map_err(self.failed("read it"))?;
        Ok((JournalPosition(position.cast_unsigned()), rows))
    }

    /// Saves what changed and what is gone, with the position that is reflected now.
    pub fn save(
        &mut self,
        position: JournalPosition,
        changed: &[StoredSubscription],
        gone: &[String],
    ) -> Result<(), StorageError> {
        let path = self.path.clone();
        let mut write = || -> rusqlite::Result<()> {
            let transaction = self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            for row in changed {
                transaction.execute(
                    "INSERT INTO subscriptions VALUES (?1, ?2, ?3)
                     ON CONFLICT (id) DO UPDATE SET definition = ?2, progress = ?3",
                    params![row.id, row.definition, row.progress],
                )?;
            }
            for id in gone {
                transaction.execute("DELETE FROM subscriptions WHERE id = ?1", [id])?;
            }
            transaction.execute(
                "INSERT INTO reflects VALUES (1, ?1) ON CONFLICT (one) DO UPDATE SET position = ?1",
                [position.0.cast_signed()],
            )?;
            transaction.commit()
        };
        write().map_err(|source| StorageError::Database { path, what: "save subscriptions", source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_their_position_come_back_together() {
        let dir = tempfile::tempdir().unwrap();
        let row = |id: &str, progress: &[u8]| StoredSubscription {
            id: id.into(),
            definition: "{}".into(),
            progress: progress.to_vec(),
        };
        let mut db = SubscriptionDb::open(dir.path()).unwrap();
        assert_eq!(db.load().unwrap(), (JournalPosition(0), Vec::new()));
        db.save(JournalPosition(7), &[row("a", b"1"), row("b", b"2")], &[]).unwrap();
        db.save(JournalPosition(9), &[row("b", b"3")], &["a".into()]).unwrap();
        drop(db);
        let db = SubscriptionDb::open(dir.path()).unwrap();
        assert_eq!(db.load().unwrap(), (JournalPosition(9), vec![row("b", b"3")]));
    }
}
