//! Hash of what a report says, not of its spelling.
//!
//! Defined on JSON values alone, so that it is the same whatever the catalogue knows, on every platform and in every
//! version: members of an object count in any order, elements of an array in theirs, numbers by their double, strings
//! by their text. It tells repeats of a sequence number from conflicts; it is no protection against forgery.

use xxhash_rust::xxh3::xxh3_64;

const NUMBER: u64 = 0x9e37_79b9_7f4a_7c15;
const STRING: u64 = 0xc2b2_ae3d_27d4_eb4f;
const OBJECT: u64 = 0x1656_67b1_9e37_79f9;
const ARRAY: u64 = 0x8524_1f1e_37b5_9d6d;
const LEFT: u64 = 0x2d35_8dcc_aa6c_78a5;
const RIGHT: u64 = 0x8bb8_4b93_962e_acc9;

/// The hash of a report that says nothing but that the component is alive, and of an array without elements.
pub(super) const EMPTY: u64 = ARRAY;

/// Two hashes as one; the order matters.
pub(super) fn mix(left: u64, right: u64) -> u64 {
    let product = u128::from(left ^ LEFT) * u128::from(right ^ RIGHT);
    (product as u64) ^ ((product >> 64) as u64)
}

pub(super) fn string(text: &str) -> u64 {
    xxh3_64(text.as_bytes()) ^ STRING
}

pub(super) fn number(value: f64) -> u64 {
    // Adding zero makes the two zeros one.
    (value + 0.0).to_bits() ^ NUMBER
}

pub(super) fn literal(value: Option<bool>) -> u64 {
    match value {
        None => mix(NUMBER, 0),
        Some(false) => mix(NUMBER, 1),
        Some(true) => mix(NUMBER, 2),
    }
}

/// An object, from the wrapping sum of `mix(key, value)` over its members.
pub(super) fn object(sum: u64) -> u64 {
    mix(OBJECT, sum)
}

/// An array, one element further; starts with [`EMPTY`].
pub(super) fn element(array: u64, element: u64) -> u64 {
    mix(array.rotate_left(1), element)
}

/// A report: its source time, if it gave one, and its extension.
pub(super) fn report(time: Option<i64>, extension: u64) -> u64 {
    time.map_or(extension, |time| mix(extension, time.cast_unsigned()))
}
