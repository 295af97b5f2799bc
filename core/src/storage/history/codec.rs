//! Samples and rollups as bytes.
//!
//! A sample is the change of the distance to the one before (most are 0, one byte) and those bits of the value that differ
//! from the one before: nothing at all for a value that stays, few bytes for one that moves a little. Samples of which neither
//! moves are counted, however many there are: a value that stays costs next to nothing. Exact for every double. Rollups are
//! compressed as they stand.

use super::Rollup;

/// Bytes that are no samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the chunk's bytes are damaged")]
pub struct Damaged;

/// Instead of the bits of a value: as many samples as the number behind it are as far apart as the last two, with the same value.
const RUN: u8 = 0xff;

/// A run of fewer samples is not shorter when it is counted.
const SHORTEST_RUN: u64 = 3;

/// Most samples of a chunk: few bytes of it stand for many.
const MOST_SAMPLES: u64 = 1 << 20;

/// Packs samples (time in milliseconds, value), in any order of time.
#[must_use]
pub fn pack(samples: &[(i64, f64)]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(samples.len() * 3 + 16);
    let (mut time, mut step, mut bits) = (0_i64, 0_i64, 0_u64);
    let mut alike = 0;
    for &(at, value) in samples {
        let new_step = at.wrapping_sub(time);
        if new_step == step && bits == value.to_bits() {
            // Nothing moved: most samples of most values.
            time = at;
            alike += 1;
            continue;
        }
        put_run(&mut bytes, std::mem::take(&mut alike));
        put_varint(&mut bytes, zigzag(new_step.wrapping_sub(step)));
        (time, step) = (at, new_step);
        let changed = bits ^ value.to_bits();
        bits = value.to_bits();
        if changed == 0 {
            bytes.push(0);
        } else {
            let low = changed.trailing_zeros() / 8;
            let high = changed.leading_zeros() / 8;
            let count = 8 - low - high;
            bytes.push(u8::try_from((count << 4) | low).unwrap_or(0x80));
            bytes.extend_from_slice((changed >> (low * 8)).to_le_bytes().get(..count as usize).unwrap_or_default());
        }
    }
    put_run(&mut bytes, alike);
    bytes
}

/// Samples of which nothing moved.
fn put_run(bytes: &mut Vec<u8>, samples: u64) {
    if samples < SHORTEST_RUN {
        (0..samples).for_each(|_| bytes.extend_from_slice(&[0, 0]));
    } else {
        bytes.extend_from_slice(&[0, RUN]);
        put_varint(bytes, samples);
    }
}

/// What [`pack`] packed.
pub fn unpack(mut bytes: &[u8]) -> Result<Vec<(i64, f64)>, Damaged> {
    let mut samples = Vec::new();
    let (mut time, mut step, mut bits) = (0_i64, 0_i64, 0_u64);
    while !bytes.is_empty() {
        step = step.wrapping_add(unzigzag(take_varint(&mut bytes)?));
        time = time.wrapping_add(step);
        let (&head, rest) = bytes.split_first().ok_or(Damaged)?;
        if head == RUN {
            bytes = rest;
            let more = take_varint(&mut bytes)?;
            if more == 0 || more > MOST_SAMPLES.saturating_sub(samples.len() as u64) {
                return Err(Damaged);
            }
            samples.push((time, f64::from_bits(bits)));
            for _ in 1..more {
                time = time.wrapping_add(step);
                samples.push((time, f64::from_bits(bits)));
            }
            continue;
        }
        let (count, low) = (usize::from(head >> 4), u32::from(head & 0xf));
        if count + low as usize > 8 {
            return Err(Damaged);
        }
        let (value, rest) = rest.split_at_checked(count).ok_or(Damaged)?;
        let mut word = [0; 8];
        word.iter_mut().zip(value).for_each(|(to, from)| *to = *from);
        bits ^= u64::from_le_bytes(word).checked_shl(low * 8).unwrap_or(0);
        samples.push((time, f64::from_bits(bits)));
        bytes = rest;
    }
    Ok(samples)
}

/// Packs rollups.
#[must_use]
pub fn pack_rollups(rollups: &[Rollup]) -> Vec<u8> {
    lz4_flex::compress_prepend_size(bytemuck::cast_slice(rollups))
}

/// What [`pack_rollups`] packed.
pub fn unpack_rollups(bytes: &[u8]) -> Result<Vec<Rollup>, Damaged> {
    let plain = lz4_flex::decompress_size_prepended(bytes).map_err(|_| Damaged)?;
    let chunks = plain.chunks_exact(size_of::<Rollup>());
    if !chunks.remainder().is_empty() {
        return Err(Damaged);
    }
    Ok(chunks.map(bytemuck::pod_read_unaligned).collect())
}

const fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

const fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -((number & 1).cast_signed())
}

fn put_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(u8::try_from(number & 0x7f).unwrap_or(0) | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap_or(0));
}

fn take_varint(bytes: &mut &[u8]) -> Result<u64, Damaged> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or(Damaged)?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bits(samples: &[(i64, f64)]) -> Vec<(i64, u64)> {
        samples.iter().map(|(time, value)| (*time, value.to_bits())).collect()
    }

    #[test]
    fn a_value_that_stays_takes_next_to_nothing() {
        let samples: Vec<(i64, f64)> = (0..1_000).map(|n| (1_790_000_000_000 + n * 10_000, 0.021)).collect();
        assert!(pack(&samples).len() < 40, "{}", pack(&samples).len());
        assert_eq!(unpack(&pack(&samples)).unwrap(), samples);
    }

    #[test]
    fn samples_written_one_by_one_are_still_read() {
        // Two samples of 1.0 at 5 ms and 10 ms, and a third at 15 ms, as chunks had them before runs were counted.
        let bytes = [10, 0x26, 0xf0, 0x3f, 0, 0, 0, 0];
        assert_eq!(unpack(&bytes).unwrap(), [(5, 1.0), (10, 1.0), (15, 1.0)]);
    }

    #[test]
    fn few_bytes_do_not_become_any_number_of_samples() {
        let mut bytes = vec![0, RUN];
        put_varint(&mut bytes, MOST_SAMPLES + 1);
        assert_eq!(unpack(&bytes), Err(Damaged));
        bytes.truncate(2);
        put_varint(&mut bytes, MOST_SAMPLES);
        bytes.extend_from_slice(&[0, 0]);
        assert_eq!(unpack(&bytes).map(|samples| samples.len() as u64), Ok(MOST_SAMPLES + 1));
    }

    proptest! {
        #[test]
        fn every_sample_comes_back_bit_for_bit(samples in prop::collection::vec((any::<i64>(), any::<f64>()), 0..60)) {
            prop_assert_eq!(bits(&unpack(&pack(&samples)).unwrap()), bits(&samples));
        }

        #[test]
        fn runs_come_back(start in 0_i64..1 << 42, runs in prop::collection::vec((0_i64..3, -2_i32..2, 1_usize..9), 0..40)) {
            let mut at = start;
            let mut samples = Vec::new();
            for (step, value, count) in runs {
                for _ in 0..count {
                    at += step;
                    samples.push((at, f64::from(value)));
                }
            }
            prop_assert_eq!(unpack(&pack(&samples)).unwrap(), samples);
        }

        #[test]
        fn samples_as_they_are_come_back(start in 0_i64..1 << 42, steps in prop::collection::vec((0_i64..20_000, -50_i32..50), 0..60)) {
            let mut at = start;
            let samples: Vec<(i64, f64)> = steps.iter().map(|(step, value)| { at += step; (at, f64::from(*value) / 7.0) }).collect();
            prop_assert_eq!(unpack(&pack(&samples)).unwrap(), samples);
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = unpack(&bytes);
            let _ = unpack_rollups(&bytes);
        }

        #[test]
        fn rollups_come_back(values in prop::collection::vec((any::<i64>(), -1e9_f64..1e9), 0..20)) {
            let rollups: Vec<Rollup> = values.iter().map(|(time, value)| Rollup::of(*time, *time, *value)).collect();
            prop_assert_eq!(unpack_rollups(&pack_rollups(&rollups)).unwrap(), rollups);
        }
    }
}
