//! A block: what one commit adds to the journal. Bytes only, no files.
//!
//! Header (48 bytes, little-endian): magic, CRC-32 of everything behind it, block number, time, payload length,
//! flags, first new symbol, new symbols, batches, reports. Payload: lengths of the symbols' texts, the texts, lengths
//! of the batches, the batches. A block is whole or it is not there.

use std::ops::Range;

use crate::model::Timestamp;

/// Bytes of a header.
pub(crate) const HEADER: usize = 48;
/// Most bytes of a payload.
pub(crate) const MAX_PAYLOAD: usize = 512 << 20;
/// Most batches of a block: their number has 16 bits of a position.
pub(crate) const MAX_BATCHES: usize = 1 << 12;
/// `QJB1`
pub(crate) const MAGIC: [u8; 4] = *b"QJB1";
/// Flag: everything before this block was on stable storage when it was written. What follows damage with this flag
/// set proves that the damage is no torn tail.
pub(crate) const AFTER_SYNC: u32 = 1;

/// What a block's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockHeader {
    /// Number, counted from 1 over all segments.
    pub number: u64,
    /// When it was written.
    pub time: Timestamp,
    /// See [`AFTER_SYNC`].
    pub(crate) flags: u32,
    /// Number of the first symbol it defines.
    pub first_symbol: u32,
    /// Symbols it defines.
    pub symbols: u32,
    /// Batches in it.
    pub batches: u32,
    /// Reports in it.
    pub reports: u32,
    /// Bytes behind the header.
    pub(crate) payload: usize,
}

/// Builds one block after the other in the same buffer.
#[derive(Default)]
pub(crate) struct BlockBuilder {
    bytes: Vec<u8>,
}

impl BlockBuilder {
    /// Puts a block together. The caller keeps to [`MAX_BATCHES`] and [`MAX_PAYLOAD`].
    pub(crate) fn build<'a, S: AsRef<str>>(
        &mut self,
        number: u64,
        time: Timestamp,
        flags: u32,
        (first_symbol, symbols): (usize, &[S]),
        (reports, batches): (u32, impl Iterator<Item = &'a [u8]> + Clone),
    ) -> &[u8] {
        let low = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let bytes = &mut self.bytes;
        bytes.clear();
        bytes.resize(HEADER, 0);
        for symbol in symbols {
            bytes.extend_from_slice(&low(symbol.as_ref().len()).to_le_bytes());
        }
        for symbol in symbols {
            bytes.extend_from_slice(symbol.as_ref().as_bytes());
        }
        let mut count = 0;
        for batch in batches.clone() {
            bytes.extend_from_slice(&low(batch.len()).to_le_bytes());
            count += 1;
        }
        for batch in batches {
            bytes.extend_from_slice(batch);
        }
        let payload = low(bytes.len() - HEADER);
        let mut header = [0; HEADER];
        let mut place = header.iter_mut();
        let crc = [0; 4];
        let fields: [&[u8]; 10] = [
            &MAGIC,
            &crc,
            &number.to_le_bytes(),
            &time.0.to_le_bytes(),
            &payload.to_le_bytes(),
            &flags.to_le_bytes(),
            &low(first_symbol).to_le_bytes(),
            &low(symbols.len()).to_le_bytes(),
            &low(count).to_le_bytes(),
            &reports.to_le_bytes(),
        ];
        for (byte, place) in fields.into_iter().flatten().zip(&mut place) {
            *place = *byte;
        }
        let (start, _) = bytes.split_at_mut(HEADER);
        start.copy_from_slice(&header);
        let crc = crc32fast::hash(bytes.get(8..).unwrap_or_default()).to_le_bytes();
        if let Some(place) = bytes.get_mut(4..8) {
            place.copy_from_slice(&crc);
        }
        bytes
    }

    /// Gives back memory that one large block took.
    pub(crate) fn shrink(&mut self, to: usize) {
        self.bytes.clear();
        self.bytes.shrink_to(to);
    }
}

/// A block that checked.
#[derive(Debug)]
pub struct Block<'a> {
    /// Its header.
    pub header: BlockHeader,
    payload: &'a [u8],
    texts: usize,
    batches: usize,
}

/// Why bytes are no block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BlockFault {
    /// No block starts here.
    NoMagic,
    /// It ends behind the end of the file, or claims to.
    Short,
    /// Its checksum or its lengths are wrong.
    Checksum,
}

impl<'a> Block<'a> {
    /// Reads and checks the block at the start of `bytes`.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, BlockFault> {
        let header = read_header(bytes)?;
        let whole = bytes.get(..HEADER + header.payload).ok_or(BlockFault::Short)?;
        let (front, rest) = whole.split_at_checked(8).ok_or(BlockFault::Short)?;
        let crc = front.get(4..8).unwrap_or_default();
        if crc != crc32fast::hash(rest).to_le_bytes() {
            return Err(BlockFault::Checksum);
        }
        let payload = whole.get(HEADER..).unwrap_or_default();
        // What follows can only fail for a block that was written wrongly; it must not panic all the same.
        let texts = header.symbols as usize * 4;
        let text_bytes = lengths(payload, 0, header.symbols).ok_or(BlockFault::Checksum)?;
        let table = texts.checked_add(text_bytes).ok_or(BlockFault::Checksum)?;
        let batch_bytes = lengths(payload, table, header.batches).ok_or(BlockFault::Checksum)?;
        let batches = table + header.batches as usize * 4;
        if batches.checked_add(batch_bytes) != Some(payload.len()) {
            return Err(BlockFault::Checksum);
        }
        Ok(Self { header, payload, texts, batches })
    }

    /// Bytes of the whole block.
    #[must_use]
    pub const fn size(&self) -> usize {
        HEADER + self.payload.len()
    }

    /// The symbols it defines, with their numbers.
    pub fn symbols(&self) -> impl Iterator<Item = (u32, &'a str)> + '_ {
        let ranges = self.ranges(0, self.header.symbols, self.texts);
        ranges.zip(self.header.first_symbol..).map(|(range, number)| {
            let text = self.payload.get(range).unwrap_or_default();
            (number, std::str::from_utf8(text).unwrap_or_default())
        })
    }

    /// Its batches.
    pub fn batches(&self) -> impl Iterator<Item = &'a [u8]> + '_ {
        let table = self.batches - self.header.batches as usize * 4;
        let ranges = self.ranges(table, self.header.batches, self.batches);
        ranges.map(|range| self.payload.get(range).unwrap_or_default())
    }

    fn ranges(&self, table: usize, count: u32, mut start: usize) -> impl Iterator<Item = Range<usize>> + '_ {
        let table = self.payload.get(table..table + count as usize * 4).unwrap_or_default();
        table.chunks_exact(4).map(move |length| {
            let length = u32::from_le_bytes(length.try_into().unwrap_or_default()) as usize;
            let range = start..start + length;
            start = range.end;
            range
        })
    }
}

/// The number that a block at the start of `bytes` would have, if something like a header stands there.
pub(crate) fn read_header(bytes: &[u8]) -> Result<BlockHeader, BlockFault> {
    let header = bytes.first_chunk::<HEADER>().ok_or(BlockFault::Short)?;
    if header.get(..4) != Some(&MAGIC) {
        return Err(BlockFault::NoMagic);
    }
    let long = |at: usize| header.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes);
    let short = |at: usize| header.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes);
    let payload = short(24) as usize;
    if payload > MAX_PAYLOAD {
        return Err(BlockFault::Checksum);
    }
    Ok(BlockHeader {
        number: long(8),
        time: Timestamp(long(16).cast_signed()),
        flags: short(28),
        first_symbol: short(32),
        symbols: short(36),
        batches: short(40),
        reports: short(44),
        payload,
    })
}

/// The sum of `count` lengths that stand at `at`.
fn lengths(payload: &[u8], at: usize, count: u32) -> Option<usize> {
    let table = payload.get(at..at.checked_add((count as usize).checked_mul(4)?)?)?;
    Some(table.chunks_exact(4).map(|l| u32::from_le_bytes(l.try_into().unwrap_or_default()) as usize).sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn block(number: u64, symbols: &[String], batches: &[Vec<u8>]) -> Vec<u8> {
        let batches = (3, batches.iter().map(Vec::as_slice));
        BlockBuilder::default().build(number, Timestamp(9), AFTER_SYNC, (7, symbols), batches).to_vec()
    }

    proptest! {
        #[test]
        fn what_was_built_is_read(
            number in any::<u64>(),
            symbols in prop::collection::vec(".{0,9}", 0..5),
            batches in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..5),
            behind in prop::collection::vec(any::<u8>(), 0..9),
        ) {
            let mut bytes = block(number, &symbols, &batches);
            let length = bytes.len();
            bytes.extend(behind);
            let read = Block::read(&bytes).unwrap();
            prop_assert_eq!(read.size(), length);
            prop_assert_eq!((read.header.number, read.header.time, read.header.reports), (number, Timestamp(9), 3));
            prop_assert!(read.batches().eq(batches.iter().map(Vec::as_slice)));
            prop_assert!(read.symbols().eq((7..).zip(symbols.iter().map(String::as_str))));
        }

        #[test]
        fn a_changed_or_shortened_block_is_none(
            symbols in prop::collection::vec(".{0,9}", 0..3),
            batches in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 1..3),
            at in any::<prop::sample::Index>(),
            change in 1_u8..,
        ) {
            let mut bytes = block(1, &symbols, &batches);
            let at = at.index(bytes.len());
            prop_assert!(Block::read(&bytes[..at]).is_err());
            bytes[at] ^= change;
            prop_assert!(Block::read(&bytes).is_err());
        }

        #[test]
        fn any_bytes_are_read_without_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200), fix in any::<bool>()) {
            if fix && bytes.len() >= HEADER {
                // A block with a right checksum and wild numbers.
                bytes[..4].copy_from_slice(&MAGIC);
                let payload = u32::try_from(bytes.len() - HEADER).unwrap();
                bytes[24..28].copy_from_slice(&payload.to_le_bytes());
                for at in [36, 40] { bytes[at + 1..at + 4].fill(0); bytes[at] %= 8; }
                let crc = crc32fast::hash(&bytes[8..]).to_le_bytes();
                bytes[4..8].copy_from_slice(&crc);
            }
            if let Ok(block) = Block::read(&bytes) {
                let _ = (block.symbols().count(), block.batches().count());
            }
        }
    }
}
