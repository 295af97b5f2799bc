//! Segment files: `journal/NNNNNNNNNN.seg`, a header and blocks behind it, room allocated ahead.
//!
//! A segment is written by one run of the writer and never appended to later: a start, a roll and a failed commit
//! each begin a new one. Its header says which block number it begins with, and from which number on blocks of
//! earlier segments are void (they were told failed).

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use crate::{model::Timestamp, storage::faults::Faults};

/// Bytes of a segment's header.
pub(crate) const SEGMENT_HEADER: usize = 48;
/// `QKDNMJNL`
const MAGIC: [u8; 8] = *b"QKDNMJNL";
/// Version of segment and block format.
pub(crate) const SEGMENT_VERSION: u32 = 1;

/// What a segment's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// Number of its first block.
    pub first_block: u64,
    /// Blocks with this number and above in earlier segments are void.
    pub void_from: u64,
    /// Symbols defined before it.
    pub symbols_before: u32,
    /// When it was made.
    pub created: Timestamp,
}

/// Why the start of a file is no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderFault {
    /// Damaged, or never written.
    Damaged,
    /// By a later version.
    Version(u32),
}

impl SegmentHeader {
    pub(crate) fn to_bytes(self) -> [u8; SEGMENT_HEADER] {
        let mut bytes = [0; SEGMENT_HEADER];
        let fields: [&[u8]; 6] = [
            &MAGIC,
            &SEGMENT_VERSION.to_le_bytes(),
            &self.symbols_before.to_le_bytes(),
            &self.first_block.to_le_bytes(),
            &self.void_from.to_le_bytes(),
            &self.created.0.to_le_bytes(),
        ];
        for (place, byte) in bytes.iter_mut().zip(fields.into_iter().flatten()) {
            *place = *byte;
        }
        let (checked, rest) = bytes.split_at_mut(40);
        let crc = crc32fast::hash(checked).to_le_bytes();
        for (place, byte) in rest.iter_mut().zip(crc) {
            *place = byte;
        }
        bytes
    }

    pub(crate) fn read(bytes: &[u8]) -> Result<Self, HeaderFault> {
        let bytes = bytes.first_chunk::<SEGMENT_HEADER>().ok_or(HeaderFault::Damaged)?;
        let part = |at: usize, length: usize| bytes.get(at..at + length).unwrap_or_default();
        let long = |at| part(at, 8).try_into().map_or(0, u64::from_le_bytes);
        let short = |at| part(at, 4).try_into().map_or(0, u32::from_le_bytes);
        if part(0, 8) != MAGIC || crc32fast::hash(part(0, 40)) != short(40) {
            return Err(HeaderFault::Damaged);
        }
        if short(8) != SEGMENT_VERSION {
            return Err(HeaderFault::Version(short(8)));
        }
        Ok(Self {
            first_block: long(16),
            void_from: long(24),
            symbols_before: short(12),
            created: Timestamp(long(32).cast_signed()),
        })
    }
}

/// The folder of the segments within a data directory.
pub(crate) fn journal_dir(data_dir: &Path) -> PathBuf {
    data_dir.join("journal")
}

/// The file of segment `number`.
pub(crate) fn segment_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:010}.seg"))
}

/// The segments of a folder in order. Other files are not ours and are left alone; a missing folder has none.
pub(crate) fn list_segments(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut segments = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let is_segment = path.extension().is_some_and(|extension| extension == "seg");
        let number = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        if let (true, Some(number)) = (is_segment, number) {
            segments.push((number, path));
        }
    }
    segments.sort_unstable();
    Ok(segments)
}

/// A segment being written.
pub(crate) struct SegmentFile {
    file: File,
    pub(crate) number: u64,
    pub(crate) path: PathBuf,
    pub(crate) header: SegmentHeader,
    /// End of what was written whole.
    pub(crate) end: u64,
    /// Up to here zeros stand where nothing else does.
    zeroed: u64,
    size: u64,
}

/// So much behind the end is written with zeros ahead. Room that is only allocated has to be noted as written with the next
/// sync, a commit of the file system's own journal; in what was written before, a sync has data to write and nothing else.
const ZEROS_AHEAD: u64 = 1 << 20;
/// Written at a time.
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

impl SegmentFile {
    /// Makes a segment file, durably with its name and header. On failure nothing of it is left, as far as possible.
    pub(crate) fn create(
        dir: &Path,
        number: u64,
        header: SegmentHeader,
        size: u64,
        faults: &Faults,
    ) -> io::Result<Self> {
        let path = segment_path(dir, number);
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        let segment = Self { file, number, path, header, end: SEGMENT_HEADER as u64, zeroed: 0, size };
        match segment.initialise(dir, faults) {
            Ok(()) => Ok(segment),
            Err(error) => {
                // Left behind it would do no harm: recovery ignores a segment without header that lacks no block.
                let _ = fs::remove_file(&segment.path);
                Err(error)
            }
        }
    }

    fn initialise(&self, dir: &Path, faults: &Faults) -> io::Result<()> {
        faults.hit("segment_create")?;
        match rustix::fs::fallocate(&self.file, rustix::fs::FallocateFlags::empty(), 0, self.size) {
            Ok(()) | Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {}
            Err(error) => return Err(error.into()),
        }
        self.file.write_all_at(&self.header.to_bytes(), 0)?;
        self.file.sync_all()?;
        File::open(dir)?.sync_all()
    }

    /// Whether a block of `length` bytes belongs into another segment. A block larger than a segment has one of its
    /// own.
    pub(crate) const fn is_full(&self, length: usize) -> bool {
        self.end > SEGMENT_HEADER as u64 && self.end + length as u64 > self.size
    }

    /// Writes a block behind the last one, not yet durable.
    pub(crate) fn append(&mut self, block: &[u8], faults: &Faults) -> io::Result<()> {
        faults.hit("before_write")?;
        faults.hit("write")?;
        if faults.is_armed("after_partial_write") {
            let (front, _) = block.split_at(block.len() / 2);
            self.file.write_all_at(front, self.end)?;
            faults.hit("after_partial_write")?;
        }
        self.file.write_all_at(block, self.end)?;
        self.end += block.len() as u64;
        if self.end > self.zeroed {
            self.write_zeros()?;
        }
        Ok(())
    }

    /// Makes room behind the end that later blocks only write over.
    fn write_zeros(&mut self) -> io::Result<()> {
        let to = (self.end + ZEROS_AHEAD).min(self.size);
        self.zeroed = self.end;
        while self.zeroed < to {
            let some = ZEROS.len().min(usize::try_from(to - self.zeroed).unwrap_or(usize::MAX));
            self.file.write_all_at(ZEROS.get(..some).unwrap_or_default(), self.zeroed)?;
            self.zeroed += some as u64;
        }
        Ok(())
    }

    /// Makes everything written durable.
    pub(crate) fn sync(&self, faults: &Faults) -> io::Result<()> {
        faults.hit("sync")?;
        rustix::fs::fdatasync(&self.file)?;
        Ok(())
    }

    /// Gives back the room that was allocated ahead. For a segment that is full or being closed in good order.
    pub(crate) fn trim(&self) -> io::Result<()> {
        self.file.set_len(self.end)?;
        self.file.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_as_written_and_any_change_is_noticed() {
        let header = SegmentHeader { first_block: 7, void_from: 6, symbols_before: 5, created: Timestamp(-1) };
        let bytes = header.to_bytes();
        assert_eq!(SegmentHeader::read(&bytes), Ok(header));
        for at in 0..44 {
            let mut changed = bytes;
            changed[at] ^= 1;
            assert_eq!(SegmentHeader::read(&changed), Err(HeaderFault::Damaged), "byte {at}");
            assert_eq!(SegmentHeader::read(&bytes[..at]), Err(HeaderFault::Damaged));
        }
    }

    #[test]
    fn segments_are_listed_in_order_and_strangers_ignored() {
        let dir = tempfile::tempdir().unwrap();
        assert!(list_segments(&dir.path().join("absent")).unwrap().is_empty());
        for name in ["0000000010.seg", "0000000009.seg", "x.seg", "0000000001.txt"] {
            fs::write(dir.path().join(name), b"").unwrap();
        }
        let numbers: Vec<u64> = list_segments(dir.path()).unwrap().into_iter().map(|(number, _)| number).collect();
        assert_eq!(numbers, [9, 10]);
    }
}
