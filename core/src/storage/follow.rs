//! Following the journal: committed batches as they come, or read again from a position on.

use std::{path::Path, sync::Arc};

use super::{
    JournalPosition,
    decode::decode,
    error::StorageError,
    journal::reader::{JournalReader, ReadMode},
    record::BatchRecord,
};

/// Told of every batch that is durable, in the order of the journal. Called on the journal's thread: quick, never
/// blocking.
pub trait Follower: Send + Sync {
    /// A batch is durable at this position.
    fn committed(&self, position: JournalPosition, record: &Arc<BatchRecord>);
}

/// Gives every batch of the journal behind one position and not behind another, in order. A manager may be running; names are symbols of its
/// table. The position reached.
pub fn read_from(
    data_dir: &Path,
    after: JournalPosition,
    until: JournalPosition,
    mut each: impl FnMut(JournalPosition, &BatchRecord),
) -> Result<JournalPosition, StorageError> {
    let mut reader = JournalReader::open(data_dir, ReadMode::Live)?;
    reader.skip_to(after.0 >> 16);
    let mut reached = after;
    loop {
        let path = reader.segment().map_or_else(|| data_dir.to_owned(), |segment| segment.path.clone());
        let Some((_, block)) = reader.next_block()? else { return Ok(reached) };
        for (index, bytes) in block.batches().enumerate() {
            let position = JournalPosition(block.header.number << 16 | index as u64);
            if position > until {
                return Ok(reached);
            }
            if position <= reached {
                continue;
            }
            let record =
                decode(bytes).map_err(|source| StorageError::Batch { path: path.clone(), position, source })?;
            each(position, &record);
            reached = position;
        }
    }
}
