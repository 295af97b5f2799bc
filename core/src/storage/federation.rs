//! What the federation needs over restarts, in an SQLite file of its own: the epoch that was published in last, the
//! documents of other domains, what was disclosed to whom, and requests to and of peers, and services over time.
//!
//! The epoch is on stable storage when [`FederationDb::record_epoch`] returns. Documents survive `kill -9`; what a power cut takes
//! of the last ones is fetched from peers again. What the bytes mean is not known here.

mod requests;
mod services;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OptionalExtension as _, params};

use super::error::StorageError;
use crate::model::Timestamp;

pub use requests::StoredRequest;

const FILE: &str = "federation.db";
const VERSION: u32 = 2;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS publishing (
    only  INTEGER PRIMARY KEY CHECK (only = 0),
    epoch INTEGER NOT NULL             -- the last one that manifests may have been signed in
) STRICT;
CREATE TABLE IF NOT EXISTS document (
    origin    TEXT NOT NULL,           -- domain that it speaks of
    audience  TEXT NOT NULL,           -- for whom
    protected TEXT NOT NULL,           -- header, manifest and signature of a JWS (RFC 7515)
    payload   TEXT NOT NULL,
    signature TEXT NOT NULL,
    via       TEXT NOT NULL DEFAULT '[]', -- relays on its way, a JSON array
    PRIMARY KEY (origin, audience)
) STRICT;
CREATE TABLE IF NOT EXISTS section (
    origin   TEXT NOT NULL,
    audience TEXT NOT NULL,
    name     TEXT NOT NULL,
    salt     BLOB NOT NULL,
    data     BLOB NOT NULL,
    PRIMARY KEY (origin, audience, name)
) STRICT;
CREATE TABLE IF NOT EXISTS disclosure (
    number   INTEGER PRIMARY KEY,
    time     INTEGER NOT NULL,         -- milliseconds since 1970
    peer     TEXT NOT NULL,            -- domain that was told
    audience TEXT NOT NULL,
    version  TEXT NOT NULL,            -- of our document
    sections TEXT NOT NULL,            -- their names, with commas
    bytes    INTEGER NOT NULL          -- of these sections
) STRICT;
CREATE INDEX IF NOT EXISTS disclosure_by_peer ON disclosure (peer, number);
";

/// A document as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredDocument {
    /// Domain that it speaks of.
    pub origin: String,
    /// For whom.
    pub audience: String,
    /// Header, manifest and signature.
    pub jws: [String; 3],
    /// Relays on its way.
    pub via: Vec<String>,
    /// Name, salt and bytes of each section.
    pub sections: Vec<(String, Vec<u8>, Vec<u8>)>,
}

/// What was told to a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disclosure {
    /// When.
    pub time: Timestamp,
    /// Domain that was told.
    pub peer: String,
    /// For whom the document is.
    pub audience: String,
    /// Version of our document.
    pub version: String,
    /// Names of the sections that went.
    pub sections: Vec<String>,
    /// Their bytes.
    pub bytes: u64,
}

/// The file.
#[derive(Debug)]
pub struct FederationDb {
    path: PathBuf,
    connection: Connection,
}

impl FederationDb {
    /// Opens the file of a data directory, made now if there is none.
    pub fn open(data_dir: &Path) -> Result<Self, StorageError> {
        let path = data_dir.join(FILE);
        let connection = Connection::open(&path).map_err(StorageError::database("open it", &path))?;
        let prepare = || -> rusqlite::Result<u32> {
            connection.busy_timeout(Duration::from_secs(5))?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "NORMAL")?;
            connection.pragma_query_value(None, "user_version", |row| row.get(0))
        };
        let found = prepare().map_err(StorageError::database("prepare it", &path))?;
        if found > VERSION {
            return Err(StorageError::Version { path, found, known: VERSION });
        }
        let (requests, services) = (requests::SCHEMA, services::SCHEMA);
        let of_version_1 = "ALTER TABLE document ADD COLUMN via TEXT NOT NULL DEFAULT '[]';";
        let raise = if found == 1 { of_version_1 } else { "" };
        let make =
            format!("BEGIN IMMEDIATE;{raise}{SCHEMA}{requests}{services}PRAGMA user_version = {VERSION};COMMIT;");
        connection.execute_batch(&make).map_err(StorageError::database("make its tables", &path))?;
        Ok(Self { path, connection })
    }

    /// The epoch recorded last; 0: none.
    pub fn epoch(&self) -> Result<u64, StorageError> {
        let read = self.connection.query_row("SELECT epoch FROM publishing", [], |row| row.get::<_, i64>(0));
        let read = read.optional().map_err(StorageError::database("read the epoch", &self.path))?;
        Ok(read.unwrap_or(0).cast_unsigned())
    }

    /// Puts the epoch on stable storage.
    pub fn record_epoch(&self, epoch: u64) -> Result<(), StorageError> {
        let write = || -> rusqlite::Result<()> {
            self.connection.pragma_update(None, "synchronous", "FULL")?;
            let sql = "INSERT OR REPLACE INTO publishing (only, epoch) VALUES (0, ?1)";
            let written = self.connection.execute(sql, [epoch.cast_signed()]);
            self.connection.pragma_update(None, "synchronous", "NORMAL")?;
            written.map(drop)
        };
        write().map_err(StorageError::database("record the epoch", &self.path))
    }

    /// All documents.
    pub fn documents(&self) -> Result<Vec<StoredDocument>, StorageError> {
        let read = || -> rusqlite::Result<Vec<StoredDocument>> {
            let mut statement =
                self.connection.prepare("SELECT origin, audience, protected, payload, signature, via FROM document")?;
            let rows = statement.query_map([], |row| {
                let jws = [row.get(2)?, row.get(3)?, row.get(4)?];
                // Who stood between only excuses a silence: what cannot be read excuses none.
                let via = serde_json::from_str(&row.get::<_, String>(5)?).unwrap_or_default();
                Ok(StoredDocument { origin: row.get(0)?, audience: row.get(1)?, jws, via, sections: Vec::new() })
            })?;
            let mut documents = rows.collect::<rusqlite::Result<Vec<_>>>()?;
            let sql = "SELECT name, salt, data FROM section WHERE origin = ?1 AND audience = ?2";
            let mut statement = self.connection.prepare(sql)?;
            for document in &mut documents {
                let rows = statement.query_map(params![document.origin, document.audience], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })?;
                document.sections = rows.collect::<rusqlite::Result<_>>()?;
            }
            Ok(documents)
        };
        read().map_err(StorageError::database("read documents of other domains", &self.path))
    }

    /// Puts documents in the place of those of their domain and audience, and adds disclosures, of which the newest `keep`
    /// stay; all or nothing.
    pub fn write(
        &mut self,
        documents: &[StoredDocument],
        disclosures: &[Disclosure],
        keep: u32,
    ) -> Result<(), StorageError> {
        let mut write = || -> rusqlite::Result<()> {
            let transaction = self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            for StoredDocument { origin, audience, jws: [protected, payload, signature], via, sections } in documents {
                let sql = "INSERT OR REPLACE INTO document VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
                let via = serde_json::json!(via).to_string();
                let row = params![origin, audience, protected, payload, signature, via];
                transaction.prepare_cached(sql)?.execute(row)?;
                let sql = "DELETE FROM section WHERE origin = ?1 AND audience = ?2";
                transaction.prepare_cached(sql)?.execute(params![origin, audience])?;
                for (name, salt, data) in sections {
                    let sql = "INSERT INTO section VALUES (?1, ?2, ?3, ?4, ?5)";
                    transaction.prepare_cached(sql)?.execute(params![origin, audience, name, salt, data])?;
                }
            }
            for Disclosure { time, peer, audience, version, sections, bytes } in disclosures {
                let sql = "INSERT INTO disclosure (time, peer, audience, version, sections, bytes)
                           VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
                let row = params![time.0, peer, audience, version, sections.join(","), bytes.cast_signed()];
                transaction.prepare_cached(sql)?.execute(row)?;
            }
            if !disclosures.is_empty() {
                let sql = "DELETE FROM disclosure WHERE number <= (SELECT max(number) FROM disclosure) - ?1";
                transaction.prepare_cached(sql)?.execute([keep])?;
            }
            transaction.commit()
        };
        write().map_err(StorageError::database("write documents of other domains", &self.path))
    }
}

/// What was disclosed to a peer, newest first. Reads a database that a manager may be writing.
pub fn disclosures(data_dir: &Path, peer: &str, limit: u32) -> Result<Vec<Disclosure>, StorageError> {
    let path = data_dir.join(FILE);
    let read = || -> rusqlite::Result<Vec<Disclosure>> {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let connection = Connection::open_with_flags(&path, flags)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        let sql = "SELECT time, peer, audience, version, sections, bytes FROM disclosure
                   WHERE peer = ?1 ORDER BY number DESC LIMIT ?2";
        let mut statement = connection.prepare(sql)?;
        let rows = statement.query_map(params![peer, limit], |row| {
            let sections: String = row.get(4)?;
            Ok(Disclosure {
                time: Timestamp(row.get(0)?),
                peer: row.get(1)?,
                audience: row.get(2)?,
                version: row.get(3)?,
                sections: sections.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
                bytes: row.get::<_, i64>(5)?.cast_unsigned(),
            })
        })?;
        rows.collect()
    };
    read().map_err(StorageError::database("read what was disclosed", &path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(audience: &str, sections: &[(&str, &str)]) -> StoredDocument {
        let sections = sections.iter().map(|(name, data)| ((*name).to_owned(), vec![7; 16], data.as_bytes().to_vec()));
        StoredDocument {
            origin: "west".to_owned(),
            audience: audience.to_owned(),
            jws: ["p".to_owned(), audience.to_owned(), "s".to_owned()],
            via: vec!["hub".to_owned(), "a, \"b\"".to_owned()],
            sections: sections.collect(),
        }
    }

    #[test]
    fn what_was_written_is_there_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let mut db = FederationDb::open(dir.path()).unwrap();
        assert_eq!(db.epoch().unwrap(), 0);
        db.record_epoch(1 << 51).unwrap();
        let (first, other) = (document("federation", &[("health", "1"), ("links", "2")]), document("area:a", &[]));
        db.write(&[first, other.clone()], &[], 10).unwrap();
        let second = document("federation", &[("health", "3")]);
        db.write(std::slice::from_ref(&second), &[], 10).unwrap();
        drop(db);
        let db = FederationDb::open(dir.path()).unwrap();
        assert_eq!(db.epoch().unwrap(), 1 << 51);
        let mut found = db.documents().unwrap();
        found.sort_by(|a, b| b.audience.cmp(&a.audience));
        assert_eq!(found, [second, other]);
    }

    #[test]
    fn a_file_of_the_version_before_is_taken_over() {
        let dir = tempfile::tempdir().unwrap();
        let old = Connection::open(dir.path().join(FILE)).unwrap();
        let without_via: String = SCHEMA.lines().filter(|line| !line.contains("via ")).collect::<Vec<_>>().join("\n");
        old.execute_batch(&format!("{without_via}PRAGMA user_version = 1;")).unwrap();
        old.execute_batch("INSERT INTO document VALUES ('west', 'federation', 'p', 'b', 's')").unwrap();
        drop(old);
        for _ in 0..2 {
            let found = FederationDb::open(dir.path()).unwrap().documents().unwrap();
            assert_eq!((found.len(), found[0].via.as_slice(), found[0].jws[1].as_str()), (1, &[][..], "b"));
        }
    }

    #[test]
    fn the_newest_disclosures_stay() {
        let dir = tempfile::tempdir().unwrap();
        let mut db = FederationDb::open(dir.path()).unwrap();
        let told = |time: i64| Disclosure {
            time: Timestamp(time),
            peer: "west".to_owned(),
            audience: "federation".to_owned(),
            version: "1.1.1".to_owned(),
            sections: vec!["health".to_owned(), "links".to_owned()],
            bytes: 12,
        };
        for time in 0..9 {
            db.write(&[], &[told(time)], 4).unwrap();
        }
        let found = disclosures(dir.path(), "west", 100).unwrap();
        assert_eq!(found, [told(8), told(7), told(6), told(5)]);
        assert_eq!(disclosures(dir.path(), "north", 100).unwrap(), []);
    }
}
