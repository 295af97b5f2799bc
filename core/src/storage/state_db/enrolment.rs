//! Decisions about components in the state database: the last one about each component under each authority.

use std::collections::BTreeMap;

use rusqlite::{Connection, Transaction, params};

use super::rows::{RowError, conversion};
use crate::model::EnrolmentDecision;

/// Made where it is missing, so that databases from before it was thought of go on.
const TABLE: &str = "
CREATE TABLE IF NOT EXISTS enrolment (
    component   TEXT NOT NULL,
    authority   TEXT NOT NULL,        -- SHA-256 of the key of the trust anchor that vouched
    verdict     TEXT NOT NULL,        -- approved, rejected
    fingerprint TEXT NOT NULL,        -- SHA-256 of the certificate shown when it was decided
    decided_by  TEXT NOT NULL,
    at          INTEGER NOT NULL,     -- milliseconds since 1970
    document    TEXT NOT NULL,        -- the whole decision as JSON
    PRIMARY KEY (component, authority)
) WITHOUT ROWID;";

/// Makes the table if it is not there.
pub(super) fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(TABLE)
}

/// Reads the decisions by component and authority; none where the table is not there yet.
pub(super) fn load(connection: &Connection) -> Result<BTreeMap<(String, String), EnrolmentDecision>, RowError> {
    if !connection.table_exists(None, "enrolment")? {
        return Ok(BTreeMap::new());
    }
    let mut statement = connection.prepare("SELECT component, authority, document FROM enrolment")?;
    let mut rows = statement.query([])?;
    let mut decisions = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let (component, authority, document): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let decision = serde_json::from_str(&document).map_err(|error| {
            RowError::Content(format!("document of {component} under {authority} cannot be read: {error}"))
        })?;
        decisions.insert((component, authority), decision);
    }
    Ok(decisions)
}

/// Writes decisions, the later over the earlier.
pub(super) fn put(transaction: &Transaction<'_>, decisions: &[EnrolmentDecision]) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO enrolment (component, authority, verdict, fingerprint, decided_by, at, document)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    for decision in decisions {
        let certificate = &decision.certificate;
        transaction.prepare_cached(sql)?.execute(params![
            decision.component.to_string(),
            certificate.authority,
            decision.verdict.as_str(),
            certificate.fingerprint,
            decision.by,
            decision.time.0,
            serde_json::to_string(decision).map_err(conversion)?,
        ])?;
    }
    Ok(())
}
