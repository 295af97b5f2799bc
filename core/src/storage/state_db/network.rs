//! Inventory, topology and usage in the state database: what is known now, every change, and the books.

use std::{collections::HashMap, sync::Arc};

use rusqlite::{Connection, Transaction, params};

use super::rows::{RowError, conversion};
use crate::{
    config::limits::{NETWORK_CHANGES, USAGE_DAYS, USAGE_KEPT_DAYS},
    model::Timestamp,
    state::{
        ComponentState, NetworkChange, UsageEntry,
        network::{Entry, EntryKind, Place},
        usage::digest,
    },
};

const DAY_MS: i64 = 86_400_000;

/// Reads what is known of each component's inventory and topology, and which usage counts no second time.
pub(super) fn load(connection: &Connection, components: &mut HashMap<u32, ComponentState>) -> Result<(), RowError> {
    let sql = "SELECT component, kind, resource, name, value, since, changed, time FROM network";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (component, kind): (u32, String) = (row.get(0)?, row.get(1)?);
        let kind = EntryKind::parse(&kind)
            .ok_or_else(|| RowError::Content(format!("`{kind}` of component {component} is no kind of entry")))?;
        let (resource, name, value): (String, String, String) = (row.get(2)?, row.get(3)?, row.get(4)?);
        let place = Place { kind, resource: resource.into(), name: name.into() };
        let time = |column| row.get(column).map(Timestamp);
        let entry = Entry { value: value.into(), since: time(5)?, changed: time(6)?, time: time(7)? };
        let state = components.entry(component).or_default();
        Arc::make_mut(&mut state.network).0.insert(place, entry);
    }
    let sql = "SELECT component, usage_id, \"end\", counted FROM usage
               WHERE \"end\" >= (SELECT max(\"end\") FROM usage) - ?1 ORDER BY counted";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([USAGE_DAYS * DAY_MS])?;
    while let Some(row) = rows.next()? {
        let (component, id): (u32, String) = (row.get(0)?, row.get(1)?);
        let (end, counted) = (Timestamp(row.get(2)?), Timestamp(row.get(3)?));
        components.entry(component).or_default().usage.count(digest(&id), end, counted);
    }
    Ok(())
}

/// Writes changes and usage, each once.
pub(super) fn put(
    transaction: &Transaction<'_>,
    changes: &[NetworkChange],
    usage: &[UsageEntry],
) -> rusqlite::Result<()> {
    for change in changes {
        let Place { kind, resource, name } = &change.place;
        let key = params![change.component, kind.as_str(), resource, name];
        match &change.after {
            None => {
                let sql = "DELETE FROM network WHERE component = ?1 AND kind = ?2 AND resource = ?3 AND name = ?4";
                transaction.prepare_cached(sql)?.execute(key)?;
            }
            Some(Entry { value, since, changed, time }) => {
                let sql =
                    "INSERT OR REPLACE INTO network (component, kind, resource, name, value, since, changed, time)
                           VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
                let row = params![change.component, kind.as_str(), resource, name, value, since.0, changed.0, time.0];
                transaction.prepare_cached(sql)?.execute(row)?;
            }
        }
        let sql = "INSERT INTO network_change (component, kind, resource, name, before, after, at, time)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        let (after, time) = (change.after.as_ref().map(|entry| &entry.value), change.after.as_ref().map(|e| e.time.0));
        let row = params![change.component, kind.as_str(), resource, name, change.before, after, change.at.0, time];
        transaction.prepare_cached(sql)?.execute(row)?;
    }
    for UsageEntry { component, usage, counted } in usage {
        let missing = || conversion(std::io::Error::other("an interval without a time was counted"));
        let (start, end) = (usage.start().ok_or_else(missing)?, usage.end().ok_or_else(missing)?);
        let sql = "INSERT OR IGNORE INTO usage (component, usage_id, application, user, peer, start, \"end\",
                   consumed_bits, supplied_keys, relayed_bits, counted)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
        transaction.prepare_cached(sql)?.execute(params![
            component,
            usage.usage_id,
            usage.application,
            usage.user,
            usage.peer,
            start.0,
            end.0,
            usage.consumed_bits,
            usage.supplied_keys,
            usage.relayed_bits,
            counted.0,
        ])?;
    }
    Ok(())
}

/// Forgets the oldest changes and usage beyond what is kept.
pub(super) fn bound(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    let sql = "DELETE FROM network_change WHERE number <= (SELECT max(number) FROM network_change) - ?1";
    transaction.prepare_cached(sql)?.execute([NETWORK_CHANGES.cast_signed()])?;
    let sql = "DELETE FROM usage WHERE \"end\" < (SELECT max(\"end\") FROM usage) - ?1";
    transaction.prepare_cached(sql)?.execute([USAGE_KEPT_DAYS * DAY_MS])?;
    Ok(())
}
