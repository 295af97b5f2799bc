//! Requests between this manager and peers, in the federation's file: each as a JSON document beside what one looks for.
//!
//! What was written is on stable storage when [`FederationDb::write_requests`] returns: an operator's decision is answered, and a
//! peer told, only then. What a document means is not known here.

use rusqlite::{TransactionBehavior, params};

use super::FederationDb;
use crate::storage::error::StorageError;

pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS request (
    id        TEXT PRIMARY KEY,        -- the same on both sides
    peer      TEXT NOT NULL,           -- the other domain
    direction TEXT NOT NULL,           -- sent, received
    kind      TEXT NOT NULL,           -- maintenance, emergencyPriority, incidentHandOver
    state     TEXT NOT NULL,           -- sent, pending, accepted, declined, expired, refused, withdrawn
    made      INTEGER NOT NULL,        -- milliseconds since 1970
    document  TEXT NOT NULL            -- the whole request as JSON
) STRICT;
";

/// A request as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRequest {
    /// Its ID.
    pub id: String,
    /// The other domain.
    pub peer: String,
    /// Who asked.
    pub direction: &'static str,
    /// What kind it is.
    pub kind: &'static str,
    /// Where it stands.
    pub state: &'static str,
    /// When it was asked or came, milliseconds since 1970.
    pub made: i64,
    /// The whole of it, JSON.
    pub document: String,
}

impl FederationDb {
    /// Documents of all requests.
    pub fn requests(&self) -> Result<Vec<String>, StorageError> {
        let read = || -> rusqlite::Result<Vec<String>> {
            let mut statement = self.connection.prepare("SELECT document FROM request ORDER BY made, id")?;
            let rows = statement.query_map([], |row| row.get(0))?;
            rows.collect()
        };
        read().map_err(StorageError::database("read requests", &self.path))
    }

    /// Writes requests, each over what was stored of it, and removes others; all or nothing, on stable storage.
    pub fn write_requests(&mut self, written: &[StoredRequest], removed: &[String]) -> Result<(), StorageError> {
        let mut write = || -> rusqlite::Result<()> {
            self.connection.pragma_update(None, "synchronous", "FULL")?;
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for StoredRequest { id, peer, direction, kind, state, made, document } in written {
                let sql = "INSERT OR REPLACE INTO request VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
                let row = params![id, peer, direction, kind, state, made, document];
                transaction.prepare_cached(sql)?.execute(row)?;
            }
            for id in removed {
                transaction.prepare_cached("DELETE FROM request WHERE id = ?1")?.execute([id])?;
            }
            transaction.commit()
        };
        let written = write();
        // What is not a request may wait for the disk again.
        let again = self.connection.pragma_update(None, "synchronous", "NORMAL");
        written.and(again).map_err(StorageError::database("write requests", &self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_there_after_a_restart_and_change_and_go() {
        let dir = tempfile::tempdir().unwrap();
        let request = |id: &str, state: &'static str| StoredRequest {
            id: id.to_owned(),
            peer: "west".to_owned(),
            direction: "sent",
            kind: "maintenance",
            state,
            made: 7,
            document: format!("{{\"id\":\"{id}\",\"state\":\"{state}\"}}"),
        };
        let mut db = FederationDb::open(dir.path()).unwrap();
        db.write_requests(&[request("a", "sent"), request("b", "sent")], &[]).unwrap();
        db.write_requests(&[request("a", "accepted")], &["b".to_owned()]).unwrap();
        drop(db);
        let db = FederationDb::open(dir.path()).unwrap();
        assert_eq!(db.requests().unwrap(), [request("a", "accepted").document]);
    }
}
