//! What was seen of services that span domains, in the federation's file, so that a restart does not begin their windows anew.
//!
//! A JSON document for each service, by its name. What it means is not known here. It is written from time to time, not before anybody
//! is told anything: who is killed loses what was seen since.

use rusqlite::{TransactionBehavior, params};

use super::FederationDb;
use crate::storage::error::StorageError;

pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS service (
    name     TEXT PRIMARY KEY,         -- of [[federation.services]]
    document TEXT NOT NULL             -- spans of time with and without key as JSON
) STRICT;
";

impl FederationDb {
    /// Names and documents of all services.
    pub fn services(&self) -> Result<Vec<(String, String)>, StorageError> {
        let read = || -> rusqlite::Result<Vec<(String, String)>> {
            let mut statement = self.connection.prepare("SELECT name, document FROM service ORDER BY name")?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect()
        };
        read().map_err(StorageError::database("read services", &self.path))
    }

    /// Writes these, over all that was stored.
    pub fn write_services(&mut self, services: &[(String, String)]) -> Result<(), StorageError> {
        let mut write = || -> rusqlite::Result<()> {
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction.execute("DELETE FROM service", [])?;
            for (name, document) in services {
                transaction.execute("INSERT INTO service VALUES (?1, ?2)", params![name, document])?;
            }
            transaction.commit()
        };
        write().map_err(StorageError::database("write services", &self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_all_that_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = FederationDb::open(folder.path()).unwrap();
        assert_eq!(db.services().unwrap(), []);
        let rows = [("b", "{}"), ("a", "[1]")].map(|(name, text)| (name.to_owned(), text.to_owned()));
        db.write_services(&rows).unwrap();
        db.write_services(&rows[1..]).unwrap();
        drop(db);
        assert_eq!(FederationDb::open(folder.path()).unwrap().services().unwrap(), rows[1..]);
    }
}
