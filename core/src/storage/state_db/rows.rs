//! Rows of the state database to values and back. Exact parts are bytes, what people read stands beside them.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
    sync::Arc,
};

use rusqlite::{Connection, Transaction, params};

use super::{StateFlush, SubjectKey, enrolment, network};
use crate::{
    model::{Alarm, Timestamp},
    state::{ComponentState, LastValues, last_values::LastValue},
    storage::{
        decode::alarm_from_bytes,
        encode::alarm_to_bytes,
        record::{PolicyStates, Quarantined},
    },
};

/// Why rows cannot be read.
pub(super) enum RowError {
    /// SQLite says so.
    Sql(rusqlite::Error),
    /// Their content is wrong.
    Content(String),
}

impl From<rusqlite::Error> for RowError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct ExactValue {
    value: f64,
    time: i64,
    name: u32,
    resource: u32,
    kind: u32,
    padding: u32,
}

pub(super) fn components(connection: &Connection) -> Result<HashMap<u32, ComponentState>, RowError> {
    let mut statement =
        connection.prepare("SELECT component, last_report, reports, kept, \"window\", exact FROM component_state")?;
    let mut rows = statement.query([])?;
    let mut components = HashMap::new();
    while let Some(row) = rows.next()? {
        let component: u32 = row.get(0)?;
        let wrong = |part: &str| RowError::Content(format!("{part} of component {component} cannot be read"));
        let window: Vec<u8> = row.get(4)?;
        let exact: Vec<u8> = row.get(5)?;
        let values = exact.chunks_exact(size_of::<ExactValue>()).map(|bytes| {
            let value = bytemuck::pod_read_unaligned::<ExactValue>(bytes);
            LastValue {
                name: value.name,
                resource: value.resource,
                kind: value.kind,
                value: value.value,
                time: value.time,
            }
        });
        if !exact.len().is_multiple_of(size_of::<ExactValue>()) {
            return Err(wrong("exact"));
        }
        let state = ComponentState {
            window: postcard::from_bytes(&window).map_err(|_| wrong("window"))?,
            values: Arc::new(LastValues(values.collect())),
            last_report: row.get::<_, Option<i64>>(1)?.map(Timestamp),
            reports: unsigned(row, 2)?,
            kept: unsigned(row, 3)?,
            ..ComponentState::default()
        };
        components.insert(component, state);
    }
    Ok(components)
}

pub(super) fn policy_states(connection: &Connection) -> Result<HashMap<SubjectKey, Vec<f64>>, RowError> {
    let mut statement = connection.prepare("SELECT policy, component, resource, exact FROM policy_state")?;
    let mut rows = statement.query([])?;
    let mut states = HashMap::new();
    while let Some(row) = rows.next()? {
        let key = (row.get(0)?, row.get(1)?, row.get(2)?);
        let exact: Vec<u8> = row.get(3)?;
        if !exact.len().is_multiple_of(8) {
            return Err(RowError::Content(format!("exact of subject {key:?} cannot be read")));
        }
        states.insert(key, exact.chunks_exact(8).map(bytemuck::pod_read_unaligned::<f64>).collect());
    }
    Ok(states)
}

pub(super) fn timers(connection: &Connection) -> Result<HashMap<SubjectKey, u64>, RowError> {
    let mut statement = connection.prepare("SELECT policy, component, resource, at FROM timer")?;
    let rows = statement.query_map([], |row| {
        let key = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok((key, unsigned(row, 3)?))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn alarms(connection: &Connection) -> Result<BTreeMap<u64, Alarm>, RowError> {
    let mut statement = connection.prepare("SELECT id, exact FROM alarm")?;
    let mut rows = statement.query([])?;
    let mut alarms = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let (id, exact): (u64, Vec<u8>) = (unsigned(row, 0)?, row.get(1)?);
        let alarm = alarm_from_bytes(&exact);
        let alarm = alarm.map_err(|error| RowError::Content(format!("exact of alarm {id} cannot be read: {error}")))?;
        alarms.insert(id, alarm);
    }
    Ok(alarms)
}

pub(super) fn quarantined(connection: &Connection) -> Result<Vec<Quarantined>, RowError> {
    let sql = "SELECT plugin, component, time, failure, report FROM quarantine ORDER BY number";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], |row| {
        Ok(Quarantined {
            plugin: row.get(0)?,
            component: row.get(1)?,
            time: Timestamp(row.get(2)?),
            failure: row.get(3)?,
            report: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn put_symbols(transaction: &Transaction<'_>, first: usize, texts: &[Arc<str>]) -> rusqlite::Result<()> {
    let mut statement =
        transaction.prepare_cached("INSERT INTO symbol (number, text) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?;
    for (number, text) in (first as u64..).zip(texts) {
        statement.execute(params![number.cast_signed(), text.as_ref()])?;
    }
    Ok(())
}

pub(super) fn put_flush(transaction: &Transaction<'_>, flush: &StateFlush) -> rusqlite::Result<()> {
    for (component, state) in &flush.components {
        put_component(transaction, *component, state)?;
    }
    for states in &flush.policy_states {
        put_policy_states(transaction, states)?;
    }
    for timer in &flush.timers {
        let key = (timer.policy, timer.component, timer.resource);
        if timer.at == 0 {
            let sql = "DELETE FROM timer WHERE policy = ?1 AND component = ?2 AND resource = ?3";
            transaction.prepare_cached(sql)?.execute(key)?;
        } else {
            let sql = "INSERT OR REPLACE INTO timer (policy, component, resource, at) VALUES (?1, ?2, ?3, ?4)";
            transaction.prepare_cached(sql)?.execute((key.0, key.1, key.2, timer.at.cast_signed()))?;
        }
    }
    for alarm in &flush.alarms {
        put_alarm(transaction, alarm)?;
    }
    for report in &flush.quarantined {
        let sql = "INSERT INTO quarantine (plugin, component, time, failure, report) VALUES (?1, ?2, ?3, ?4, ?5)";
        let row = (&report.plugin, &report.component, report.time.0, &report.failure, &report.report);
        transaction.prepare_cached(sql)?.execute(row)?;
    }
    network::put(transaction, &flush.network, &flush.usage)?;
    enrolment::put(transaction, &flush.decisions)?;
    let sql = "INSERT INTO journal_position (shard, position) VALUES (?1, ?2)
               ON CONFLICT (shard) DO UPDATE SET position = max(position, excluded.position)";
    transaction.prepare_cached(sql)?.execute((flush.shard, flush.position.0.cast_signed()))?;
    Ok(())
}

fn put_component(transaction: &Transaction<'_>, component: u32, state: &ComponentState) -> rusqlite::Result<()> {
    let window = postcard::to_stdvec(&state.window).map_err(conversion)?;
    let values = &state.values.0;
    let mut exact = Vec::with_capacity(values.len() * size_of::<ExactValue>());
    let mut text = String::from("[");
    for (at, value) in values.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        // Writing to a text does not fail. JSON has no NaN and no infinity.
        let _ = write!(text, "{comma}[{},{},{},", value.name, value.resource, value.kind);
        let _ = if value.value.is_finite() { write!(text, "{}", value.value) } else { write!(text, "null") };
        let _ = write!(text, ",{}]", value.time);
        let value = ExactValue {
            value: value.value,
            time: value.time,
            name: value.name,
            resource: value.resource,
            kind: value.kind,
            padding: 0,
        };
        exact.extend_from_slice(bytemuck::bytes_of(&value));
    }
    text.push(']');
    let position = state.window.position();
    let sql = "INSERT OR REPLACE INTO component_state
        (component, last_report, reports, kept, incarnation, highest, gaps, \"window\", last_values, exact)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    transaction.prepare_cached(sql)?.execute(params![
        component,
        state.last_report.map(|time| time.0),
        state.reports.cast_signed(),
        state.kept.cast_signed(),
        position.map(|(incarnation, _)| incarnation.cast_signed()),
        position.map(|(_, highest)| highest.cast_signed()),
        state.window.gaps().cast_signed(),
        window,
        text,
        exact,
    ])?;
    Ok(())
}

fn put_policy_states(transaction: &Transaction<'_>, states: &PolicyStates) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO policy_state (policy, component, resource, state, exact)
               VALUES (?1, ?2, ?3, ?4, ?5)";
    let mut statement = transaction.prepare_cached(sql)?;
    let gone = "DELETE FROM policy_state WHERE policy = ?1 AND component = ?2 AND resource = ?3";
    for (component, resource, values) in subjects(states) {
        if values.is_empty() {
            transaction.prepare_cached(gone)?.execute((states.policy, component, resource))?;
            continue;
        }
        let text = serde_json::to_string(values).map_err(conversion)?;
        let exact: &[u8] = bytemuck::cast_slice(values);
        statement.execute(params![states.policy, component, resource, text, exact])?;
    }
    Ok(())
}

/// Each subject with its values.
pub(crate) fn subjects(states: &PolicyStates) -> impl Iterator<Item = (u32, u32, &[f64])> {
    let width = states.values.len().checked_div(states.components.len()).unwrap_or(0);
    states.components.iter().zip(&states.resources).enumerate().map(move |(at, (&component, &resource))| {
        let values = states.values.get(at * width..(at + 1) * width).unwrap_or_default();
        (component, resource, values)
    })
}

fn put_alarm(transaction: &Transaction<'_>, alarm: &Alarm) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO alarm (id, component, resource, alarm_type_id, alarm_qualifier, severity,
        is_cleared, operator_state, last_changed, text, document, exact)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
    let operator_state = match alarm.operator_state {
        crate::model::OperatorState::None => "none",
        crate::model::OperatorState::Acknowledged => "acknowledged",
        crate::model::OperatorState::Closed => "closed",
    };
    transaction.prepare_cached(sql)?.execute(params![
        alarm.id.cast_signed(),
        alarm.key.component,
        alarm.key.resource,
        alarm.key.alarm_type_id,
        alarm.key.alarm_type_qualifier,
        alarm.report.severity.as_str(),
        alarm.is_cleared,
        operator_state,
        alarm.last_changed.0,
        alarm.report.text,
        serde_json::to_string(alarm).map_err(conversion)?,
        alarm_to_bytes(alarm).map_err(conversion)?,
    ])?;
    let next = "INSERT INTO meta (key, value) VALUES ('next_alarm_id', ?1)
                ON CONFLICT (key) DO UPDATE SET value = max(value, excluded.value)";
    transaction.prepare_cached(next)?.execute([alarm.id.saturating_add(1).cast_signed()])?;
    Ok(())
}

pub(super) fn put_meta(transaction: &Transaction<'_>, key: &str, value: u64) -> rusqlite::Result<()> {
    transaction
        .execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)", params![key, value.cast_signed()])?;
    Ok(())
}

pub(super) fn bound_quarantine(transaction: &Transaction<'_>, entries: usize) -> rusqlite::Result<()> {
    let sql = "DELETE FROM quarantine WHERE number <= (SELECT max(number) FROM quarantine) - ?1";
    transaction.prepare_cached(sql)?.execute([i64::try_from(entries).unwrap_or(i64::MAX)])?;
    Ok(())
}

pub(super) fn conversion(error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(Box::new(error))
}

/// SQLite's integers are signed; ours keep their bits.
fn unsigned(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(i64::cast_unsigned)
}
