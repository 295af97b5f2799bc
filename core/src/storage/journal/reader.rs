//! Reads the blocks of a journal in order, over all segments, and tells a torn tail from damage.
//!
//! After a crash the last block may be incomplete: reading ends before it. Anything else that does not check is damage and
//! an error that names the place: a block that fails although later ones exist proves that it was whole once. Reads
//! only; knows nothing of what batches mean.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use super::block::{AFTER_SYNC, Block, BlockFault, BlockHeader, HEADER, MAGIC, read_header};
use super::segment::{HeaderFault, SEGMENT_HEADER, SEGMENT_VERSION, SegmentHeader, journal_dir, list_segments};
use crate::storage::error::StorageError;

/// Whether somebody may be writing the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadMode {
    /// Nobody writes: damage is looked for behind the first block that does not check.
    Still,
    /// A manager may be writing: reading ends at the first block that is not complete yet.
    Live,
}

/// A segment as found.
#[derive(Clone, Debug)]
pub struct SegmentInfo {
    /// Number in its file name.
    pub number: u64,
    /// Its file.
    pub path: PathBuf,
    /// Its header.
    pub header: SegmentHeader,
    /// First block number that is void in it, as later segments say.
    pub(crate) void_from: u64,
}

/// Where a block stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockPlace {
    /// Number of the segment.
    pub segment: u64,
    /// Where in its file.
    pub offset: u64,
}

/// Where the journal ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalEnd {
    /// The number that the next block gets.
    pub next_block: u64,
    /// The last segment and the end of its last good block; none if there is no segment.
    pub last: Option<(PathBuf, u64)>,
    /// Whether something incomplete stands behind it.
    pub is_torn: bool,
}

/// Reads blocks in order.
pub struct JournalReader {
    mode: ReadMode,
    segments: Vec<SegmentInfo>,
    /// Files without a header and without blocks: a crash while they were made.
    stillborn: Vec<(u64, PathBuf)>,
    current: usize,
    file: Option<File>,
    offset: u64,
    expected: u64,
    end: Option<JournalEnd>,
    buffer: Vec<u8>,
}

impl JournalReader {
    /// Opens the journal of a data directory at its start.
    pub fn open(data_dir: &Path, mode: ReadMode) -> Result<Self, StorageError> {
        let dir = journal_dir(data_dir);
        let mut segments: Vec<SegmentInfo> = Vec::new();
        let mut stillborn = Vec::new();
        for (number, path) in list_segments(&dir).map_err(StorageError::io("list", &dir))? {
            let Some(header) = segment_header(&path, mode)? else {
                stillborn.push((number, path));
                continue;
            };
            for earlier in &mut segments {
                earlier.void_from = earlier.void_from.min(header.void_from);
            }
            segments.push(SegmentInfo { number, path, header, void_from: u64::MAX });
        }
        let expected = segments.first().map_or(1, |segment| segment.header.first_block);
        let offset = SEGMENT_HEADER as u64;
        Ok(Self { mode, segments, stillborn, current: 0, file: None, offset, expected, end: None, buffer: Vec::new() })
    }

    /// The segments that there are.
    #[must_use]
    pub fn segments(&self) -> &[SegmentInfo] {
        &self.segments
    }

    /// Files that hold nothing and may be deleted.
    pub(crate) fn stillborn(&self) -> &[(u64, PathBuf)] {
        &self.stillborn
    }

    /// Goes on at the segment that holds `block`; only forward. Symbols defined before it are not seen then.
    pub fn skip_to(&mut self, block: u64) {
        let holds = |segment: &SegmentInfo| segment.header.first_block <= block;
        let place = self.segments.iter().rposition(holds).unwrap_or(0);
        if let Some(segment) = self.segments.get(place).filter(|_| place > self.current) {
            self.expected = segment.header.first_block;
            self.current = place;
            self.offset = SEGMENT_HEADER as u64;
            self.file = None;
        }
    }

    /// The segment being read.
    #[must_use]
    pub fn segment(&self) -> Option<&SegmentInfo> {
        self.segments.get(self.current)
    }

    /// The next block and where it stands; none at the end.
    pub fn next_block(&mut self) -> Result<Option<(BlockPlace, Block<'_>)>, StorageError> {
        loop {
            let Some(segment) = self.segments.get(self.current).cloned() else {
                self.end.get_or_insert(JournalEnd { next_block: self.expected, last: None, is_torn: false });
                return Ok(None);
            };
            if self.end.is_some() {
                return Ok(None);
            }
            let found = if self.expected < segment.void_from { self.load(&segment)? } else { Err(BlockFault::NoMagic) };
            match found {
                Ok(size) => {
                    let place = BlockPlace { segment: segment.number, offset: self.offset };
                    self.offset += size as u64;
                    self.expected += 1;
                    // `load` has checked these very bytes; reading them again costs the checksum once more.
                    return match Block::read(&self.buffer) {
                        Ok(block) => Ok(Some((place, block))),
                        Err(_) => Err(damaged(&segment.path, place.offset, "the block changed while it was read")),
                    };
                }
                Err(_) => self.end_segment(&segment)?,
            }
        }
    }

    /// Where the journal ends; known once [`Self::next_block`] returned none.
    #[must_use]
    pub const fn end(&self) -> Option<&JournalEnd> {
        self.end.as_ref()
    }

    /// Reads the block at the current offset into the buffer; its size, if it is the expected one.
    fn load(&mut self, segment: &SegmentInfo) -> Result<Result<usize, BlockFault>, StorageError> {
        let failed = |source| StorageError::Io { what: "read", path: segment.path.clone(), source };
        if self.file.is_none() {
            self.file = Some(File::open(&segment.path).map_err(failed)?);
        }
        let Some(file) = &self.file else { return Ok(Err(BlockFault::Short)) };
        self.buffer.clear();
        read_at(file, &mut self.buffer, self.offset, HEADER).map_err(failed)?;
        let header = match read_header(&self.buffer) {
            Ok(header) => header,
            Err(fault) => return Ok(Err(fault)),
        };
        let left = file.metadata().map_err(failed)?.len().saturating_sub(self.offset);
        if ((HEADER + header.payload) as u64) > left {
            return Ok(Err(BlockFault::Short));
        }
        read_at(file, &mut self.buffer, self.offset + HEADER as u64, header.payload).map_err(failed)?;
        Ok(match Block::read(&self.buffer) {
            Ok(block) if block.header.number == self.expected => Ok(block.size()),
            Ok(_) => Err(BlockFault::Checksum),
            Err(fault) => Err(fault),
        })
    }

    /// No further block of this segment counts: goes on to the next one, or ends.
    fn end_segment(&mut self, segment: &SegmentInfo) -> Result<(), StorageError> {
        let next = self.segments.get(self.current + 1).map(|next| next.header);
        let is_void = self.expected >= segment.void_from;
        if !is_void
            && self.mode == ReadMode::Still
            && let Some(later) = self.later_block(segment)?
        {
            let what = format!("block {} does not check, but block {later} behind it does", self.expected);
            return Err(damaged(&segment.path, self.offset, what));
        }
        match next {
            Some(next) if next.void_from > self.expected => {
                let what = format!("block {} does not check, but later segments exist", self.expected);
                Err(damaged(&segment.path, self.offset, what))
            }
            Some(next) => {
                self.expected = next.first_block;
                self.current += 1;
                self.offset = SEGMENT_HEADER as u64;
                self.file = None;
                Ok(())
            }
            None => {
                let is_torn = !is_void && self.is_anything_here(segment)?;
                let last = Some((segment.path.clone(), self.offset));
                self.end = Some(JournalEnd { next_block: self.expected, last, is_torn });
                Ok(())
            }
        }
    }

    fn is_anything_here(&self, segment: &SegmentInfo) -> Result<bool, StorageError> {
        let failed = StorageError::io("read", &segment.path);
        let mut start = Vec::new();
        let read = File::open(&segment.path).and_then(|file| read_at(&file, &mut start, self.offset, HEADER));
        read.map_err(failed)?;
        Ok(start.iter().any(|&byte| byte != 0))
    }

    /// The number of a good block behind the current offset that proves damage.
    fn later_block(&self, segment: &SegmentInfo) -> Result<Option<u64>, StorageError> {
        let proves = |header: &BlockHeader| {
            header.number > self.expected && header.number < segment.void_from && header.flags & AFTER_SYNC != 0
        };
        Ok(find_block(&segment.path, self.offset + 1, proves)?.map(|header| header.number))
    }
}

fn damaged(path: &Path, offset: u64, what: impl Into<String>) -> StorageError {
    StorageError::Damaged { path: path.to_owned(), offset, what: what.into() }
}

/// Reads up to `length` bytes at `offset`, fewer at the end of the file, behind what `buffer` holds.
fn read_at(file: &File, buffer: &mut Vec<u8>, offset: u64, length: usize) -> io::Result<()> {
    let start = buffer.len();
    buffer.resize(start + length, 0);
    let mut filled = 0;
    while filled < length {
        let rest = buffer.get_mut(start + filled..).unwrap_or_default();
        match file.read_at(rest, offset + filled as u64) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    buffer.truncate(start + filled);
    Ok(())
}

/// The header of a segment; none if the file was never begun.
fn segment_header(path: &Path, mode: ReadMode) -> Result<Option<SegmentHeader>, StorageError> {
    let mut start = Vec::new();
    let file = match File::open(path) {
        // A running manager deletes segments by age.
        Err(error) if mode == ReadMode::Live && error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(StorageError::io("open", path))?,
    };
    read_at(&file, &mut start, 0, SEGMENT_HEADER).map_err(StorageError::io("read", path))?;
    match SegmentHeader::read(&start) {
        Ok(header) => Ok(Some(header)),
        Err(HeaderFault::Version(found)) => {
            Err(StorageError::Version { path: path.to_owned(), found, known: SEGMENT_VERSION })
        }
        // A header is durable before the first block is written.
        Err(HeaderFault::Damaged) => match find_block(path, 0, |_| true)? {
            Some(header) => {
                let what = format!("its header does not check, but block {} in it does", header.number);
                Err(damaged(path, 0, what))
            }
            None => Ok(None),
        },
    }
}

/// The first good block at or behind `from` that `wanted` likes.
fn find_block(
    path: &Path,
    from: u64,
    wanted: impl Fn(&BlockHeader) -> bool,
) -> Result<Option<BlockHeader>, StorageError> {
    let failed = StorageError::io("read", path);
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| {
        let length = file.metadata()?.len().saturating_sub(from);
        read_at(&file, &mut bytes, from, usize::try_from(length).unwrap_or(usize::MAX))
    });
    read.map_err(failed)?;
    let finder = memchr::memmem::Finder::new(&MAGIC);
    for at in finder.find_iter(&bytes) {
        let Some(here) = bytes.get(at..) else { break };
        // The header is asked first: it is cheaper than the checksum of everything behind it.
        if read_header(here).is_ok_and(|header| wanted(&header))
            && let Ok(block) = Block::read(here)
        {
            return Ok(Some(block.header));
        }
    }
    Ok(None)
}
