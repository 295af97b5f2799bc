//! The last value of everything a component reported.

use crate::config::limits::REPORT_VALUES;
use crate::model::ReportBatch;

/// One value: name and resource are symbols, `flags` as in [`crate::model::report_batch::sample_flags`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LastValue {
    /// Symbol of the name.
    pub name: u32,
    /// Symbol of the resource.
    pub resource: u32,
    /// Kind of the value; the object's position is not kept.
    pub kind: u32,
    /// The value.
    pub value: f64,
    /// When it was true at its source, milliseconds since 1970.
    pub time: i64,
}

/// Last values in order of first appearance, at most [`REPORT_VALUES`]; further names are not kept here.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LastValues(pub Vec<LastValue>);

impl LastValues {
    /// Takes over the samples of report `index`.
    pub fn take(&mut self, batch: &ReportBatch, index: usize) {
        let all_alike = batch.times.is_empty();
        let of_report = batch.reports.get(index).map_or(0, |head| head.time);
        let range = batch.samples(index);
        let samples = batch
            .names
            .get(range.clone())
            .unwrap_or_default()
            .iter()
            .zip(batch.resources.get(range.clone()).unwrap_or_default())
            .zip(batch.values.get(range.clone()).unwrap_or_default())
            .zip(batch.flags.get(range).unwrap_or_default());
        // Reports of one component mostly repeat the same names in the same order, so the place of the next value is
        // right behind the place of the last one.
        let mut expected = 0;
        for (((&name, &resource), &value), &flags) in samples {
            let found = match self.0.get(expected) {
                Some(last) if last.name == name && last.resource == resource => Some(expected),
                _ => self.0.iter().position(|last| last.name == name && last.resource == resource),
            };
            let time = if all_alike { of_report } else { batch.sample_time(index, flags) };
            let now = LastValue { name, resource, kind: flags & 0xff, value, time };
            match found {
                Some(place) => {
                    if let Some(last) = self.0.get_mut(place) {
                        *last = now;
                    }
                    expected = place + 1;
                }
                None if self.0.len() < REPORT_VALUES => {
                    self.0.push(now);
                    expected = self.0.len();
                }
                None => {}
            }
        }
    }

    /// Takes over one value, such as a sample that a handler added.
    pub fn put(&mut self, now: LastValue) {
        let room = self.0.len() < REPORT_VALUES;
        match self.0.iter_mut().find(|last| last.name == now.name && last.resource == now.resource) {
            Some(last) => *last = now,
            None if room => self.0.push(now),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ReportHead;

    fn batch(time: i64, samples: &[(u32, u32, f64)]) -> ReportBatch {
        let mut batch = ReportBatch::default();
        for &(name, resource, value) in samples {
            batch.names.push(name);
            batch.resources.push(resource);
            batch.values.push(value);
            batch.flags.push(0x300);
        }
        batch.reports.push(ReportHead {
            time,
            samples_end: u32::try_from(samples.len()).unwrap(),
            ..ReportHead::default()
        });
        batch
    }

    #[test]
    fn the_latest_value_of_each_name_and_resource_is_kept() {
        let mut last = LastValues::default();
        last.take(&batch(1, &[(1, 0, 1.0), (2, 0, 2.0), (1, 7, 3.0)]), 0);
        last.take(&batch(2, &[(2, 0, 5.0), (1, 0, 4.0), (1, 0, 4.5)]), 0);
        let seen: Vec<_> = last.0.iter().map(|v| (v.name, v.resource, v.value, v.time, v.kind)).collect();
        assert_eq!(seen, [(1, 0, 4.5, 2, 0), (2, 0, 5.0, 2, 0), (1, 7, 3.0, 1, 0)]);
    }
}
