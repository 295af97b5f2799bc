//! What a step of time amounts to: least, greatest, sum, last and number of values. Joining two is joining their values, in
//! any order, so that late samples can be added to what is written already.

use crate::model::Timestamp;

/// The values of one step of time.
#[derive(Clone, Copy, Debug, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Rollup {
    /// Begin of the step, milliseconds since 1970.
    pub start: i64,
    /// Least value.
    pub min: f64,
    /// Greatest value.
    pub max: f64,
    /// Sum of the values.
    pub sum: f64,
    /// The latest value.
    pub last: f64,
    /// Its time.
    pub last_time: i64,
    /// Number of values.
    pub count: u64,
}

impl Rollup {
    /// One value.
    #[must_use]
    pub const fn of(start: i64, time: i64, value: f64) -> Self {
        Self { start, min: value, max: value, sum: value, last: value, last_time: time, count: 1 }
    }

    /// The step that a time falls into.
    #[must_use]
    pub const fn start_of(time: i64, step_ms: i64) -> i64 {
        time - time.rem_euclid(step_ms)
    }

    /// Whether a time falls into this step of the given length.
    #[must_use]
    pub const fn spans(&self, time: i64, step_ms: i64) -> bool {
        time >= self.start && time - self.start < step_ms
    }

    /// Adds a value of this step.
    pub fn add(&mut self, time: i64, value: f64) {
        self.join(&Self::of(self.start, time, value));
    }

    /// Joins what is known of the same step.
    pub fn join(&mut self, other: &Self) {
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.sum += other.sum;
        self.count += other.count;
        // Of two values of one time the greater, so that the order of joining does not matter.
        if (other.last_time, ordered(other.last)) > (self.last_time, ordered(self.last)) {
            (self.last, self.last_time) = (other.last, other.last_time);
        }
    }

    /// Mean of the values.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.sum / self.count.max(1) as f64
    }

    /// Begin of the step.
    #[must_use]
    pub const fn time(&self) -> Timestamp {
        Timestamp(self.start)
    }
}

/// A double as a number that is ordered alike.
const fn ordered(value: f64) -> i64 {
    let bits = value.to_bits().cast_signed();
    if bits < 0 { bits ^ i64::MAX } else { bits }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// However samples are grouped and ordered, the rollup is the same (of whole numbers, whose sums are exact).
        #[test]
        fn joining_has_no_order(samples in prop::collection::vec((0_i64..60_000, -1_000_i32..1_000), 1..40), cut in any::<prop::sample::Index>()) {
            let join = |samples: &[(i64, i32)]| {
                let mut parts = samples.iter().map(|&(time, value)| Rollup::of(0, time, f64::from(value)));
                let first = parts.next()?;
                Some(parts.fold(first, |mut all, one| { all.join(&one); all }))
            };
            let whole = join(&samples).unwrap();
            let (left, right) = samples.split_at(cut.index(samples.len()));
            let mut joined = join(right).unwrap();
            if let Some(left) = join(left) {
                joined.join(&left);
            }
            prop_assert_eq!(joined, whole);
            let values: Vec<f64> = samples.iter().map(|(_, value)| f64::from(*value)).collect();
            prop_assert_eq!(whole.count, values.len() as u64);
            prop_assert_eq!(whole.sum, values.iter().sum::<f64>());
            prop_assert_eq!(whole.max, values.iter().copied().fold(f64::MIN, f64::max));
        }
    }
}
