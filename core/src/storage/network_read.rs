//! Reads changes of inventory and topology, and usage, out of the state database, also of a running manager. It may lag
//! behind what is committed by a second or two.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, ToSql};

use super::{error::StorageError, state_db::state_db_path};
use crate::model::Timestamp;

/// A change of what is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredChange {
    /// Its number.
    pub number: u64,
    /// Who said so, as `mq/qm-1`.
    pub component: String,
    /// `inventory`, `node`, `link`, `route`.
    pub kind: String,
    /// Part of the component.
    pub resource: String,
    /// Name or id.
    pub name: String,
    /// JSON of what was known before.
    pub before: Option<String>,
    /// JSON of what is known since.
    pub after: Option<String>,
    /// When it was accepted.
    pub at: Timestamp,
}

/// Which changes.
#[derive(Clone, Debug, Default)]
pub struct ChangeQuery {
    /// Of this component.
    pub component: Option<String>,
    /// Of inventory; else of topology.
    pub inventory: bool,
    /// Of this part.
    pub resource: Option<String>,
    /// Of this name.
    pub name: Option<String>,
    /// With a lower number.
    pub before: Option<u64>,
    /// At most so many.
    pub limit: usize,
}

/// Usage added up.
#[derive(Clone, Debug, PartialEq)]
pub struct UsageTotal {
    /// What it was added up by.
    pub name: String,
    /// Intervals.
    pub intervals: u64,
    /// Bits consumed, keys supplied, bits relayed.
    pub figures: [f64; 3],
    /// Begin of the first interval.
    pub from: Timestamp,
    /// End of the last.
    pub to: Timestamp,
}

/// Which usage, and by what it is added up: `application`, `user`, `peer` or `component`.
#[derive(Clone, Debug, Default)]
pub struct UsageQuery {
    /// A column.
    pub by: &'static str,
    /// Of this component.
    pub component: Option<String>,
    /// Ended at or after this.
    pub from: Option<Timestamp>,
    /// Ended before this.
    pub to: Option<Timestamp>,
}

fn open(data_dir: &Path) -> Result<Connection, StorageError> {
    let path = state_db_path(data_dir);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let failed = StorageError::database("open it", &path);
    let connection = Connection::open_with_flags(&path, flags).map_err(failed)?;
    connection.busy_timeout(std::time::Duration::from_secs(5)).map_err(StorageError::database("open it", &path))?;
    Ok(connection)
}

/// Changes, newest first; one more than the limit if there are more.
pub fn changes(data_dir: &Path, query: &ChangeQuery) -> Result<Vec<StoredChange>, StorageError> {
    let connection = open(data_dir)?;
    let mut sql = String::from(
        "SELECT c.number, s.text, kind, resource, name, before, after, at FROM network_change c
         JOIN symbol s ON s.number = c.component WHERE ",
    );
    sql.push_str(if query.inventory { "kind = 'inventory'" } else { "kind <> 'inventory'" });
    let before = query.before.map(u64::cast_signed);
    let limit = i64::try_from(query.limit.saturating_add(1)).unwrap_or(i64::MAX);
    let mut given: Vec<(&str, &dyn ToSql)> = Vec::new();
    for (clause, key, value) in [
        (" AND s.text = :component", ":component", query.component.as_ref().map(|text| text as &dyn ToSql)),
        (" AND resource = :resource", ":resource", query.resource.as_ref().map(|text| text as &dyn ToSql)),
        (" AND name = :name", ":name", query.name.as_ref().map(|text| text as &dyn ToSql)),
        (" AND c.number < :before", ":before", before.as_ref().map(|number| number as &dyn ToSql)),
    ] {
        if let Some(value) = value {
            sql.push_str(clause);
            given.push((key, value));
        }
    }
    sql.push_str(" ORDER BY c.number DESC LIMIT :limit");
    given.push((":limit", &limit));
    let read = || -> rusqlite::Result<Vec<StoredChange>> {
        let mut statement = connection.prepare(&sql)?;
        let rows = statement.query_map(given.as_slice(), |row| {
            Ok(StoredChange {
                number: row.get::<_, i64>(0)?.cast_unsigned(),
                component: row.get(1)?,
                kind: row.get(2)?,
                resource: row.get(3)?,
                name: row.get(4)?,
                before: row.get(5)?,
                after: row.get(6)?,
                at: Timestamp(row.get(7)?),
            })
        })?;
        rows.collect()
    };
    read().map_err(StorageError::database("read network_change", &state_db_path(data_dir)))
}

/// What usage calls the other side, number of the period since 1970, intervals, and bits consumed, keys supplied, bits relayed.
pub type PeriodTotal = (String, i64, u64, [f64; 3]);

/// Usage added up by the other side and by period of so many milliseconds, for periods from the first number to before the second. An
/// interval belongs to the period in which it ends; one that ends with a period belongs to it.
pub fn usage_by_period(
    data_dir: &Path,
    period_ms: i64,
    (first, end): (i64, i64),
) -> Result<Vec<PeriodTotal>, StorageError> {
    let connection = open(data_dir)?;
    let sql = "SELECT peer, (\"end\" - 1) / ?1, count(*), sum(consumed_bits), sum(supplied_keys), sum(relayed_bits)
               FROM usage WHERE \"end\" > ?2 AND \"end\" <= ?3 AND peer <> '' GROUP BY 1, 2";
    let read = || -> rusqlite::Result<Vec<PeriodTotal>> {
        let mut statement = connection.prepare(sql)?;
        let rows = statement.query_map((period_ms, first * period_ms, end * period_ms), |row| {
            let figures = [row.get(3)?, row.get(4)?, row.get(5)?];
            Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?.cast_unsigned(), figures))
        })?;
        rows.collect()
    };
    read().map_err(StorageError::database("read usage", &state_db_path(data_dir)))
}

/// Usage added up, the most consumed bits first.
pub fn usage(data_dir: &Path, query: &UsageQuery) -> Result<Vec<UsageTotal>, StorageError> {
    let connection = open(data_dir)?;
    let column = match query.by {
        "user" => "user",
        "peer" => "peer",
        "component" => "s.text",
        _ => "application",
    };
    let sql = format!(
        "SELECT {column}, count(*), sum(consumed_bits), sum(supplied_keys), sum(relayed_bits), min(start), max(\"end\")
         FROM usage JOIN symbol s ON s.number = component
         WHERE (?1 IS NULL OR s.text = ?1) AND \"end\" >= ?2 AND \"end\" < ?3
         GROUP BY {column} ORDER BY 3 DESC, 4 DESC, 1"
    );
    let (from, to) = (query.from.map_or(i64::MIN, |from| from.0), query.to.map_or(i64::MAX, |to| to.0));
    let read = || -> rusqlite::Result<Vec<UsageTotal>> {
        let mut statement = connection.prepare(&sql)?;
        let rows = statement.query_map((&query.component, from, to), |row| {
            Ok(UsageTotal {
                name: row.get(0)?,
                intervals: row.get::<_, i64>(1)?.cast_unsigned(),
                figures: [row.get(2)?, row.get(3)?, row.get(4)?],
                from: Timestamp(row.get(5)?),
                to: Timestamp(row.get(6)?),
            })
        })?;
        rows.collect()
    };
    read().map_err(StorageError::database("read usage", &state_db_path(data_dir)))
}
