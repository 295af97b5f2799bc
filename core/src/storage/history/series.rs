//! Chunks being filled: for each series the samples, minutes and hours that are not in a finished chunk yet.
//!
//! A chunk is finished when it is full or long; until then it is written again with each flush, under the same number. A
//! sample may come late: it goes into the chunk being filled, since chunks say from when to when they go and a reader joins
//! what several chunks say of one step.

use hashbrown::HashMap;

use super::{
    Level, Rollup, SeriesKey,
    codec::{pack, pack_rollups},
};
use crate::config::limits::{
    HISTORY_CHUNK_MS, HISTORY_CHUNK_ROLLUPS, HISTORY_CHUNK_SAMPLES, HISTORY_SERIES, HISTORY_WAITING_CHUNKS,
};

/// A chunk as it is to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct Chunk {
    /// Whose.
    pub key: SeriesKey,
    /// How finely.
    pub level: Level,
    /// Number of the chunk; written again under the same number as long as it is filled.
    pub number: i64,
    /// Earliest time in it.
    pub from: i64,
    /// Latest time in it.
    pub to: i64,
    /// Samples or rollups.
    pub count: usize,
    /// Packed.
    pub bytes: Vec<u8>,
}

#[derive(Debug)]
struct Open<T> {
    number: i64,
    from: i64,
    to: i64,
    items: Vec<T>,
    is_dirty: bool,
}

impl<T> Default for Open<T> {
    fn default() -> Self {
        Self { number: 0, from: 0, to: 0, items: Vec::new(), is_dirty: false }
    }
}

impl<T> Open<T> {
    fn extend(&mut self, time: i64, next_number: &mut i64) {
        if self.items.is_empty() {
            *next_number += 1;
            (self.number, self.from, self.to) = (*next_number, time, time);
        }
        self.from = self.from.min(time);
        self.to = self.to.max(time);
        self.is_dirty = true;
    }

    const fn is_full(&self, most: usize, longest_ms: i64) -> bool {
        self.items.len() >= most || self.to - self.from >= longest_ms
    }

    fn chunk(&self, key: SeriesKey, level: Level, pack: impl Fn(&[T]) -> Vec<u8>) -> Chunk {
        let (number, from, to) = (self.number, self.from, self.to);
        Chunk { key, level, number, from, to, count: self.items.len(), bytes: pack(&self.items) }
    }
}

#[derive(Debug, Default)]
struct Series {
    key: SeriesKey,
    raw: Open<(i64, f64)>,
    /// So many of the samples in `raw` are in the rollups already; the others follow many at a time.
    settled: usize,
    rollups: [Open<Rollup>; 2],
    is_listed: bool,
}

impl Series {
    /// Adds a sample; a chunk that is full goes to `finished`.
    fn add(&mut self, time: i64, value: f64, filling: &mut Filling) {
        self.raw.extend(time, &mut filling.next_number);
        self.raw.items.push((time, value));
        if self.raw.is_full(HISTORY_CHUNK_SAMPLES, HISTORY_CHUNK_MS) {
            self.settle(filling);
            if filling.levels[0] {
                filling.finished.push(self.raw.chunk(self.key, Level::Raw, pack));
            }
            self.begin_chunk();
        }
    }

    /// Adds the samples of a run, which span `earliest` to `latest`: one by one unless the chunk holds them all in any case.
    fn add_all(
        &mut self,
        times: &[i64],
        (earliest, latest): (i64, i64),
        values: impl Iterator<Item = f64>,
        filling: &mut Filling,
    ) {
        let raw = &mut self.raw;
        let (from, to) = (raw.from.min(earliest), raw.to.max(latest));
        let fits = raw.items.len() + times.len() < HISTORY_CHUNK_SAMPLES && to.saturating_sub(from) < HISTORY_CHUNK_MS;
        if fits && !raw.items.is_empty() {
            raw.items.extend(times.iter().copied().zip(values));
            (raw.from, raw.to, raw.is_dirty) = (from, to, true);
            return;
        }
        times.iter().zip(values).for_each(|(&time, value)| self.add(time, value, filling));
    }

    /// What stands in `raw` is done with; the next chunk keeps its room, since the next one will be as long.
    fn begin_chunk(&mut self) {
        let mut items = std::mem::take(&mut self.raw.items);
        items.clear();
        self.raw = Open { items, ..Open::default() };
        self.settled = 0;
    }

    /// Joins the samples that came since the last time to the rollups that are kept.
    fn settle(&mut self, filling: &mut Filling) {
        let samples = std::mem::take(&mut self.raw.items);
        let mut minute: Option<Rollup> = None;
        for &(time, value) in samples.get(self.settled..).unwrap_or_default() {
            match &mut minute {
                Some(minute) if minute.spans(time, Level::Minute.step_ms()) => minute.add(time, value),
                _ => {
                    let start = Rollup::start_of(time, Level::Minute.step_ms());
                    if let Some(before) = minute.replace(Rollup::of(start, time, value)) {
                        self.join(before, filling);
                    }
                }
            }
        }
        if let Some(minute) = minute {
            self.join(minute, filling);
        }
        self.settled = samples.len();
        self.raw.items = samples;
    }

    /// Joins what a minute brought to the rollups that are kept; rollups that are full go to `finished`.
    fn join(&mut self, minute: Rollup, filling: &mut Filling) {
        let kept = [(Level::Minute, filling.levels[1]), (Level::Hour, filling.levels[2])];
        for ((level, _), open) in kept.into_iter().zip(&mut self.rollups).filter(|((_, keeps), _)| *keeps) {
            let start = Rollup::start_of(minute.start, level.step_ms());
            let part = Rollup { start, ..minute };
            // Mostly the step of the part before.
            let known = match open.items.last_mut() {
                Some(last) if last.start == start => Some(last),
                _ => open.items.iter_mut().rev().find(|rollup| rollup.start == start),
            };
            if let Some(known) = known {
                known.join(&part);
                open.is_dirty = true;
                continue;
            }
            if open.is_full(HISTORY_CHUNK_ROLLUPS, i64::MAX) {
                filling.finished.push(open.chunk(self.key, level, pack_rollups));
                *open = Open::default();
            }
            open.extend(start, &mut filling.next_number);
            open.items.push(part);
        }
    }

    /// Chunks being filled, as they are now, behind those that are finished.
    fn write_open(&mut self, filling: &mut Filling) {
        self.settle(filling);
        let key = self.key;
        if !filling.levels[0] {
            self.begin_chunk();
        } else if std::mem::take(&mut self.raw.is_dirty) && !self.raw.items.is_empty() {
            filling.finished.push(self.raw.chunk(key, Level::Raw, pack));
        }
        for (level, open) in [Level::Minute, Level::Hour].into_iter().zip(&mut self.rollups) {
            if std::mem::take(&mut open.is_dirty) && !open.items.is_empty() {
                filling.finished.push(open.chunk(key, level, pack_rollups));
            }
        }
    }
}

/// What series need to fill their chunks.
#[derive(Debug)]
struct Filling {
    /// Number of the chunk begun last.
    next_number: i64,
    /// Which levels are kept.
    levels: [bool; 3],
    /// Chunks that are to be written.
    finished: Vec<Chunk>,
}

/// Reports of one component in a row that name the same values in the same order.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// Its symbol.
    pub component: u32,
    /// Value names of each report.
    pub names: &'a [u32],
    /// Their resources.
    pub resources: &'a [u32],
    /// Time of each report.
    pub times: &'a [i64],
    /// Values, report by report.
    pub values: &'a [f64],
}

/// All series that are being filled.
#[derive(Debug)]
pub struct Store {
    series: Vec<Series>,
    places: HashMap<SeriesKey, u32>,
    /// The series that followed a series last time: reports of one component name their values in the same order.
    follows: Vec<u32>,
    last: u32,
    dirty: Vec<u32>,
    filling: Filling,
    most_series: usize,
}

impl Store {
    /// Nothing yet; chunks get numbers above the given one. Levels that are off are not filled.
    #[must_use]
    pub fn new(last_number: i64, levels: [bool; 3]) -> Self {
        Self {
            series: Vec::new(),
            places: HashMap::new(),
            follows: Vec::new(),
            last: 0,
            dirty: Vec::new(),
            filling: Filling { next_number: last_number, levels, finished: Vec::new() },
            most_series: HISTORY_SERIES,
        }
    }

    /// Place of a series, made now if there is room for another.
    fn place(&mut self, key: SeriesKey) -> Option<u32> {
        let guess = self.follows.get(self.last as usize).copied().unwrap_or(0);
        let place = if self.series.get(guess as usize).is_some_and(|series| series.key == key) {
            guess
        } else {
            let next = u32::try_from(self.series.len()).unwrap_or(u32::MAX);
            let place = match self.places.get(&key) {
                Some(&place) => place,
                None if self.series.len() >= self.most_series => return None,
                None => {
                    self.places.insert(key, next);
                    self.series.push(Series { key, ..Series::default() });
                    self.follows.push(0);
                    next
                }
            };
            if let Some(follows) = self.follows.get_mut(self.last as usize) {
                *follows = place;
            }
            place
        };
        self.last = place;
        Some(place)
    }

    /// Adds a sample. False: it is of a new series, and there are as many as there may be.
    pub fn add(&mut self, (component, resource, name): SeriesKey, time: i64, value: f64) -> bool {
        let (names, resources, times, values) = (&[name], &[resource], &[time], &[value]);
        self.add_run(&Run { component, names, resources, times, values }) == 0
    }

    /// Adds the samples of a run, series by series. How many were not taken: of new series, where there are as many as there
    /// may be.
    pub fn add_run(&mut self, run: &Run<'_>) -> u64 {
        let mut refused = 0;
        let (Some(&earliest), Some(&latest)) = (run.times.iter().min(), run.times.iter().max()) else { return 0 };
        let span = (earliest, latest);
        for (column, (&name, &resource)) in run.names.iter().zip(run.resources).enumerate() {
            let place = self.place((run.component, resource, name));
            let Some((place, series)) = place.and_then(|at| Some((at, self.series.get_mut(at as usize)?))) else {
                refused += run.times.len() as u64;
                continue;
            };
            if !series.is_listed {
                series.is_listed = true;
                self.dirty.push(place);
            }
            let values = run.values.iter().skip(column).step_by(run.names.len()).copied();
            series.add_all(run.times, span, values, &mut self.filling);
        }
        refused
    }

    /// Chunks to be written: finished ones, and those being filled as they are now.
    pub fn take_changed(&mut self) -> Vec<Chunk> {
        for place in std::mem::take(&mut self.dirty) {
            let Some(series) = self.series.get_mut(place as usize) else { continue };
            series.is_listed = false;
            series.write_open(&mut self.filling);
        }
        std::mem::take(&mut self.filling.finished)
    }

    /// Chunks that could not be written wait for the next time, unless there are too many: then the oldest go.
    pub fn put_back(&mut self, mut chunks: Vec<Chunk>) {
        chunks.append(&mut self.filling.finished);
        let surplus = chunks.len().saturating_sub(HISTORY_WAITING_CHUNKS);
        chunks.drain(..surplus);
        self.filling.finished = chunks;
    }

    /// Chunks that wait to be written because they are finished.
    #[must_use]
    pub const fn finished(&self) -> usize {
        self.filling.finished.len()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::codec, *};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn at_the_limit_known_series_go_on_and_new_ones_are_refused() {
        let mut store = Store { most_series: 2, ..Store::new(0, [true; 3]) };
        assert!(store.add((1, 0, 1), 5, 0.5));
        assert!(store.add((1, 0, 2), 5, 0.5));
        assert!(!store.add((1, 0, 3), 5, 0.5));
        assert!(store.add((1, 0, 1), 6, 0.5));
    }

    /// The chunks with samples and rollups by series and time, whatever their numbers.
    fn sorted(mut chunks: Vec<Chunk>) -> Vec<Chunk> {
        chunks.iter_mut().for_each(|chunk| chunk.number = 0);
        chunks.sort_by_key(|chunk| (chunk.key, chunk.level, chunk.from));
        chunks
    }

    proptest! {
        #[test]
        fn a_run_is_its_samples_one_by_one(
            runs in prop::collection::vec((1_usize..4, prop::collection::vec(0_i64..200_000, 0..9)), 0..9),
            levels in any::<[bool; 3]>(),
        ) {
            let (mut by_run, mut by_sample) = (Store::new(0, levels), Store::new(0, levels));
            let mut next = 0.0;
            for (width, times) in &runs {
                let names: Vec<u32> = (0..*width as u32).collect();
                let resources = vec![7; *width];
                let values: Vec<f64> = (0..width * times.len()).map(|n| f64::from(n as u32) + next).collect();
                next += 0.5;
                let (names, resources) = (names.as_slice(), resources.as_slice());
                let run = Run { component: 1, names, resources, times, values: &values };
                prop_assert_eq!(by_run.add_run(&run), 0);
                for (row, time) in times.iter().enumerate() {
                    for (column, name) in names.iter().enumerate() {
                        by_sample.add((1, 7, *name), *time, values[row * width + column]);
                    }
                }
            }
            prop_assert_eq!(sorted(by_run.take_changed()), sorted(by_sample.take_changed()));
        }

        /// Whatever is flushed when: the chunks hold every sample once, and rollups agree with them.
        #[test]
        fn chunks_hold_everything_once(samples in prop::collection::vec((0_u32..3, 0_i64..4_000_000, -50_i32..50, any::<bool>()), 0..120)) {
            let mut store = Store::new(10, [true; 3]);
            let mut written: BTreeMap<i64, Chunk> = BTreeMap::new();
            for &(name, time, value, flush) in &samples {
                store.add((1, 0, name), time, f64::from(value));
                if flush {
                    written.extend(store.take_changed().into_iter().map(|chunk| (chunk.number, chunk)));
                }
            }
            written.extend(store.take_changed().into_iter().map(|chunk| (chunk.number, chunk)));
            let mut raw = Vec::new();
            let mut rollups: BTreeMap<(Level, u32, i64), Rollup> = BTreeMap::new();
            for chunk in written.values() {
                if chunk.level == Level::Raw {
                    let samples = codec::unpack(&chunk.bytes).unwrap();
                    prop_assert_eq!(samples.len(), chunk.count);
                    prop_assert!(samples.iter().all(|(time, _)| (chunk.from..=chunk.to).contains(time)));
                    raw.extend(samples.into_iter().map(|(time, value)| (chunk.key.2, time, value as i32)));
                } else {
                    for rollup in codec::unpack_rollups(&chunk.bytes).unwrap() {
                        let key = (chunk.level, chunk.key.2, rollup.start);
                        rollups.entry(key).and_modify(|known| known.join(&rollup)).or_insert(rollup);
                    }
                }
            }
            let mut sent: Vec<_> = samples.iter().map(|&(name, time, value, _)| (name, time, value)).collect();
            sent.sort_unstable();
            raw.sort_unstable();
            prop_assert_eq!(&raw, &sent);
            for ((level, name, start), rollup) in rollups {
                let inside = |&&(of, time, _): &&(u32, i64, i32)| of == name && Rollup::start_of(time, level.step_ms()) == start;
                let values: Vec<i32> = sent.iter().filter(inside).map(|(_, _, value)| *value).collect();
                prop_assert_eq!(rollup.count, values.len() as u64);
                prop_assert_eq!(rollup.sum, f64::from(values.iter().sum::<i32>()));
                prop_assert_eq!(rollup.min, f64::from(*values.iter().min().unwrap()));
            }
        }
    }
}
