//! A column of numbers as bytes, for reports that are much alike: the first number whole, and of the others only the bytes
//! in which any of them differs from it.
//!
//! Of a value that stays nothing is left but itself, and of one that counts its first number and the step. It takes a
//! fraction of the time of a general compressor, and leaves little that one could do better: what moves in a measured value
//! are its last bits. Pure; which columns there are is for `encode` and `decode` to know.

/// Marks a column that goes up or down evenly: first number and step follow.
const EVENLY: u8 = 0xff;

/// Bytes of a number.
const NUMBER: usize = 8;

/// Appends a column.
pub(super) fn write(bytes: &mut Vec<u8>, cells: &[u64]) {
    let Some((&first, others)) = cells.split_first() else { return };
    let changed = others.iter().fold(0, |changed, cell| changed | (cell ^ first));
    if changed == 0 {
        bytes.push(0);
        bytes.extend_from_slice(&first.to_le_bytes());
        return;
    }
    let step = others.first().map_or(0, |second| second.wrapping_sub(first));
    let mut expected = first;
    let is_even = others.iter().all(|&cell| {
        expected = expected.wrapping_add(step);
        cell == expected
    });
    if is_even {
        bytes.push(EVENLY);
        bytes.extend_from_slice(&first.to_le_bytes());
        bytes.extend_from_slice(&step.to_le_bytes());
        return;
    }
    let (low, high) = (changed.trailing_zeros() / 8, changed.leading_zeros() / 8);
    let width = 8 - low - high;
    bytes.push(u8::try_from(low << 4 | width).unwrap_or(8));
    bytes.extend_from_slice(&first.to_le_bytes());
    // Each number is written whole, and the next one over what was too much of it.
    let (start, width) = (bytes.len(), width as usize);
    let end = start + others.len() * width;
    bytes.resize(end + NUMBER, 0);
    let mut at = start;
    for cell in others {
        if let Some(place) = bytes.get_mut(at..at + NUMBER) {
            place.copy_from_slice(&(cell >> (low * 8)).to_le_bytes());
        }
        at += width;
    }
    bytes.truncate(end);
}

/// Takes a column of `count` numbers off the front of `bytes` and gives `cell` each with its position. `None`: these bytes are
/// no such column.
pub(super) fn read(bytes: &mut &[u8], count: usize, mut cell: impl FnMut(usize, u64)) -> Option<()> {
    if count == 0 {
        return Some(());
    }
    let head = *bytes.split_off_first()?;
    let first = number(bytes)?;
    cell(0, first);
    if head == EVENLY {
        let step = number(bytes)?;
        let mut next = first;
        for position in 1..count {
            next = next.wrapping_add(step);
            cell(position, next);
        }
        return Some(());
    }
    let (low, width) = (u32::from(head >> 4), usize::from(head & 0xf));
    if low as usize + width > NUMBER || (width == 0 && low > 0) {
        return None;
    }
    if width == 0 {
        (1..count).for_each(|position| cell(position, first));
        return Some(());
    }
    let others = bytes.split_off(..(count - 1).checked_mul(width)?)?;
    // Bytes in which all agree are the first number's.
    let own = u64::MAX >> (64 - 8 * width) << (low * 8);
    for (position, part) in (1..count).zip(others.chunks_exact(width)) {
        let mut whole = [0; NUMBER];
        whole.iter_mut().zip(part).for_each(|(to, from)| *to = *from);
        cell(position, first & !own | (u64::from_le_bytes(whole) << (low * 8)));
    }
    Some(())
}

fn number(bytes: &mut &[u8]) -> Option<u64> {
    bytes.split_off(..NUMBER)?.try_into().ok().map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*};

    fn written(cells: &[u64]) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(&mut bytes, cells);
        bytes
    }

    fn read_back(mut bytes: &[u8], count: usize) -> Option<(Vec<u64>, usize)> {
        let mut cells = Vec::new();
        read(&mut bytes, count, |position, cell| {
            assert_eq!(position, cells.len());
            cells.push(cell);
        })?;
        Some((cells, bytes.len()))
    }

    /// Numbers that differ in some of their bytes only, in none, or by a step.
    fn cells() -> impl Strategy<Value = Vec<u64>> {
        let apart = (any::<u64>(), any::<u64>(), vec(any::<u64>(), 0..70))
            .prop_map(|(common, mask, numbers)| numbers.into_iter().map(|n| common & !mask | n & mask).collect());
        let masks = prop::sample::select(vec![0, 0xff, 0xff00, 0xff_ffff_0000, u64::MAX << 40, u64::MAX]);
        let bytewise = (any::<u64>(), masks, vec(any::<u64>(), 0..70)).prop_map(|(common, mask, numbers)| {
            numbers.into_iter().map(|n| common & !mask | n & mask).collect::<Vec<u64>>()
        });
        let evenly = (any::<u64>(), any::<u64>(), 0_u64..70)
            .prop_map(|(first, step, count)| (0..count).map(|n| first.wrapping_add(step.wrapping_mul(n))).collect());
        prop_oneof![apart, bytewise, evenly]
    }

    #[test]
    fn what_stays_and_what_counts_takes_no_room_for_each() {
        assert_eq!(written(&[7; 64]).len(), 9);
        assert_eq!(written(&(1_000..1_064).collect::<Vec<u64>>()).len(), 17);
        assert_eq!(written(&[0x1100, 0x2200, 0x3300, 0x1100]).len(), 9 + 3);
        assert!(written(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn every_number_comes_back(cells in cells(), behind in vec(any::<u8>(), 0..9)) {
            let mut bytes = written(&cells);
            prop_assert!(bytes.len() <= cells.len() * 8 + 9);
            bytes.extend(&behind);
            prop_assert_eq!(read_back(&bytes, cells.len()), Some((cells, behind.len())));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in vec(any::<u8>(), 0..80), count in 0_usize..20) {
            let _ = read_back(&bytes, count);
        }

        #[test]
        fn a_column_cut_short_is_none(cells in cells(), cut in any::<prop::sample::Index>()) {
            prop_assume!(!cells.is_empty());
            let bytes = written(&cells);
            prop_assert_eq!(read_back(&bytes[..cut.index(bytes.len())], cells.len()), None);
        }
    }
}
