//! `qkdnm storage verify`: reads all of a journal and of the databases behind it, and says what is in them.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::{
    JournalPosition,
    backup::DATABASES,
    decode::decode,
    error::StorageError,
    journal::reader::{JournalReader, ReadMode},
    recovery::Symbols,
    retention::{checkpoints_dir, list_checkpoints},
    state_db::{Positions, StateDb, state_db_path},
};
use crate::model::Timestamp;

/// What was found. Everything counted here checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verified {
    /// Segment files.
    pub segments: u64,
    /// Number of the first block; 0 if there is none.
    pub first_block: u64,
    /// Number of the last block.
    pub last_block: u64,
    /// Blocks.
    pub blocks: u64,
    /// Batches.
    pub batches: u64,
    /// Reports, refused ones and repeats included.
    pub reports: u64,
    /// Samples in them.
    pub samples: u64,
    /// Bytes of the blocks.
    pub bytes: u64,
    /// Symbols known at the end.
    pub symbols: u64,
    /// Time of the first block.
    pub first_time: Option<Timestamp>,
    /// Time of the last block.
    pub last_time: Option<Timestamp>,
    /// Something incomplete stands at the end: a crash, or a manager that is writing just now.
    pub torn_tail: bool,
    /// The last batch that the state database reflects, of any shard.
    pub state_position: JournalPosition,
    /// First blocks from which replay can start, besides the journal's start.
    pub checkpoints: Vec<u64>,
}

/// Checks every block and batch of a data directory, every page of its databases, and that the state database fits. With `mode`
/// live, a manager may be running.
pub fn verify(data_dir: &Path, mode: ReadMode) -> Result<Verified, StorageError> {
    for name in DATABASES {
        if let Some(what) = fault_of(&data_dir.join(name))? {
            return Err(StorageError::BadDatabase { path: data_dir.join(name), what });
        }
    }
    let path = state_db_path(data_dir);
    let db = StateDb::open_read_only(&path)?;
    let positions = db.as_ref().map_or_else(|| Ok(Positions::default()), StateDb::positions)?;
    let mut reader = JournalReader::open(data_dir, mode)?;
    let known = db.as_ref().map_or_else(|| Ok(Vec::new()), StateDb::symbols)?;
    let mut symbols = Symbols::new(&path, known)?;
    if let Some(db) = &db {
        db.load()?;
    }
    let segments = reader.segments().to_vec();
    positions.reach(segments.first().map(|segment| segment.header.first_block), &path)?;
    let mut found = Verified { segments: segments.len() as u64, ..Verified::default() };
    while let Some((place, block)) = reader.next_block()? {
        let file = || {
            let segment = segments.iter().find(|segment| segment.number == place.segment);
            segment.map_or_else(|| data_dir.to_owned(), |segment| segment.path.clone())
        };
        let header = block.header;
        symbols.define(&block).map_err(|what| StorageError::Damaged { path: file(), offset: place.offset, what })?;
        for (index, bytes) in block.batches().enumerate() {
            let position = JournalPosition(header.number << 16 | index as u64);
            let record = decode(bytes).map_err(|source| StorageError::Batch { path: file(), position, source })?;
            found.batches += 1;
            found.reports += record.input.len() as u64;
            found.samples += record.input.values.len() as u64;
        }
        if found.blocks == 0 {
            found.first_block = header.number;
            found.first_time = Some(header.time);
        }
        found.blocks += 1;
        found.bytes += block.size() as u64;
        found.last_block = header.number;
        found.last_time = Some(header.time);
    }
    found.torn_tail = reader.end().is_some_and(|end| end.is_torn);
    found.symbols = symbols.table.len() as u64;
    found.state_position = positions.highest();
    found.checkpoints = list_checkpoints(&checkpoints_dir(data_dir))?.into_iter().map(|(block, _)| block).collect();
    Ok(found)
}

/// What is damaged in a database, if there is one and anything is. An error: it cannot be looked at.
pub(super) fn fault_of(path: &Path) -> Result<Option<String>, StorageError> {
    if !path.exists() {
        return Ok(None);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let look = || -> rusqlite::Result<String> {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
    };
    match look() {
        Ok(told) if told == "ok" => Ok(None),
        Ok(told) => Ok(Some(told.replace('\n', " "))),
        Err(error) if is_damage(&error) => Ok(Some(error.to_string())),
        Err(error) => Err(StorageError::database("look at it", path)(error)),
    }
}

/// Whether SQLite says that the file is not what it wrote.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}
