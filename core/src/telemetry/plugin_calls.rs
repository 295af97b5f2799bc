//! What calls of plugins cost and what became of them, per instance: counters, durations, memory, kept state.
//!
//! An instance is what one thread has of a configured plugin, and goes by that thread's name (`shard-0`): it has its own
//! numbers on cache lines of its own, so that shards do not slow each other down by counting. Whoever reads adds them up. A lock
//! is taken when an instance is made and when somebody reads, never by a call.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, LazyLock, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use arc_swap::ArcSwapOption;

use super::metrics::Counter;

/// Names of what a call can end with beside an answer; those that are not among them count as the last one.
pub const FAILURE_KINDS: [&str; 10] = [
    "trap",
    "cpu-time",
    "wall-time",
    "memory",
    "tables",
    "answer-too-large",
    "bad-answer",
    "bad-question",
    "instantiate",
    "other",
];

/// Durations are told apart from this power of two of nanoseconds on; shorter ones are one.
const FIRST_POWER: u32 = 8;
/// Parts of a power of two; so a duration is known to a quarter of itself at worst.
const PARTS: u32 = 4;
/// Up to some 68 s; longer ones are one.
const POWERS: u32 = 28;
const BUCKETS: usize = (POWERS * PARTS) as usize;

/// Place of a duration among the buckets.
fn bucket(nanoseconds: u64) -> usize {
    let n = nanoseconds.max(1 << FIRST_POWER);
    let power = n.ilog2();
    let part = (n >> (power - PARTS.ilog2())) & u64::from(PARTS - 1);
    let place = (power - FIRST_POWER) as usize * PARTS as usize + usize::try_from(part).unwrap_or(0);
    place.min(BUCKETS - 1)
}

/// The longest duration of a bucket, nanoseconds.
const fn upper(place: usize) -> u64 {
    let place = place as u64;
    let (power, part) = (place / PARTS as u64 + FIRST_POWER as u64, place % PARTS as u64);
    (PARTS as u64 + part + 1) << (power - PARTS.ilog2() as u64)
}

/// When the process began, as far as calls are concerned.
static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);

fn since_beginning(at: Instant) -> u64 {
    u64::try_from(at.saturating_duration_since(*BEGINNING).as_nanos()).unwrap_or(u64::MAX)
}

/// Numbers of one instance. One thread writes at a time; anybody reads.
#[derive(Debug)]
#[repr(align(128))]
pub struct InstanceMetrics {
    durations: [Counter; BUCKETS],
    nanoseconds: Counter,
    slowest: AtomicU64,
    cpu_sampled: Counter,
    wall_sampled: Counter,
    reports: Counter,
    refused: Counter,
    failed: [Counter; FAILURE_KINDS.len()],
    made: Counter,
    memory: Counter,
    subjects: Counter,
    state_bytes: Counter,
    /// Nanoseconds from the beginning to the start of the call that runs; 0: none does.
    busy_since: AtomicU64,
}

impl Default for InstanceMetrics {
    fn default() -> Self {
        Self {
            durations: std::array::from_fn(|_| Counter::default()),
            nanoseconds: Counter::default(),
            slowest: AtomicU64::new(0),
            cpu_sampled: Counter::default(),
            wall_sampled: Counter::default(),
            reports: Counter::default(),
            refused: Counter::default(),
            failed: Default::default(),
            made: Counter::default(),
            memory: Counter::default(),
            subjects: Counter::default(),
            state_bytes: Counter::default(),
            busy_since: AtomicU64::new(0),
        }
    }
}

impl InstanceMetrics {
    /// A call begins.
    pub fn begin(&self, at: Instant) {
        self.busy_since.store(since_beginning(at).max(1), Ordering::Relaxed);
    }

    /// It is over, with so many reports or subjects in it. The CPU time is that of a sample of the calls.
    pub fn end(&self, took: Duration, reports: usize, cpu_nanoseconds: Option<u64>) {
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        if let Some(counter) = self.durations.get(bucket(nanoseconds)) {
            counter.increment();
        }
        self.nanoseconds.add(nanoseconds);
        self.reports.add(reports as u64);
        if nanoseconds > self.slowest.load(Ordering::Relaxed) {
            self.slowest.store(nanoseconds, Ordering::Relaxed);
        }
        if let Some(cpu) = cpu_nanoseconds {
            self.cpu_sampled.add(cpu);
            self.wall_sampled.add(nanoseconds);
        }
        self.busy_since.store(0, Ordering::Relaxed);
    }

    /// Its call failed.
    pub fn failed(&self, kind: &str) {
        let place = FAILURE_KINDS.iter().position(|known| *known == kind).unwrap_or(FAILURE_KINDS.len() - 1);
        if let Some(counter) = self.failed.get(place) {
            counter.increment();
        }
    }

    /// A handler said no to so many reports.
    pub fn refused(&self, reports: usize) {
        if reports > 0 {
            self.refused.add(reports as u64);
        }
    }

    /// A guest was made, for the first time or after a failure.
    pub fn made(&self) {
        self.made.increment();
    }

    /// Bytes of memory that its guest has now.
    pub fn holds(&self, memory: usize) {
        self.memory.set(memory as u64);
    }

    /// State that is kept for it now.
    pub fn keeps(&self, subjects: usize, bytes: usize) {
        self.subjects.set(subjects as u64);
        self.state_bytes.set(bytes as u64);
    }

    /// For how long the call that runs has been running.
    #[must_use]
    pub fn busy(&self, now: Instant) -> Option<Duration> {
        let since = self.busy_since.load(Ordering::Relaxed);
        (since != 0).then(|| Duration::from_nanos(since_beginning(now).saturating_sub(since)))
    }

    /// Its numbers as they are.
    #[must_use]
    pub fn activity(&self) -> Activity {
        let mut activity = Activity {
            nanoseconds: self.nanoseconds.get(),
            slowest: self.slowest.load(Ordering::Relaxed),
            cpu_sampled: self.cpu_sampled.get(),
            wall_sampled: self.wall_sampled.get(),
            reports: self.reports.get(),
            refused: self.refused.get(),
            made: self.made.get(),
            memory: self.memory.get(),
            subjects: self.subjects.get(),
            state_bytes: self.state_bytes.get(),
            ..Activity::default()
        };
        for (place, counter) in self.durations.iter().enumerate().filter(|(_, counter)| counter.get() > 0) {
            activity.durations.insert(upper(place), counter.get());
        }
        for (kind, counter) in FAILURE_KINDS.into_iter().zip(&self.failed).filter(|(_, counter)| counter.get() > 0) {
            activity.failed.insert(kind, counter.get());
        }
        activity
    }
}

/// What an instance did since the start, or several together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// Calls by the longest duration that they may have had, nanoseconds.
    pub durations: BTreeMap<u64, u64>,
    /// Time in calls, nanoseconds.
    pub nanoseconds: u64,
    /// The longest call, nanoseconds.
    pub slowest: u64,
    cpu_sampled: u64,
    wall_sampled: u64,
    /// Reports, or subjects of a policy, that were passed.
    pub reports: u64,
    /// Reports that a handler said no to.
    pub refused: u64,
    /// Failed calls by kind.
    pub failed: BTreeMap<&'static str, u64>,
    /// Guests that were made.
    pub made: u64,
    /// Bytes of memory.
    pub memory: u64,
    /// Subjects that a policy keeps state of.
    pub subjects: u64,
    /// Bytes of that state.
    pub state_bytes: u64,
}

impl Activity {
    /// Takes another instance's numbers in.
    pub fn add(&mut self, other: &Self) {
        for (upper, calls) in &other.durations {
            *self.durations.entry(*upper).or_default() += calls;
        }
        for (kind, calls) in &other.failed {
            *self.failed.entry(kind).or_default() += calls;
        }
        self.nanoseconds += other.nanoseconds;
        self.slowest = self.slowest.max(other.slowest);
        self.cpu_sampled += other.cpu_sampled;
        self.wall_sampled += other.wall_sampled;
        self.reports += other.reports;
        self.refused += other.refused;
        self.made += other.made;
        self.memory += other.memory;
        self.subjects += other.subjects;
        self.state_bytes += other.state_bytes;
    }

    /// Calls.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.durations.values().sum()
    }

    /// Calls that failed.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failed.values().sum()
    }

    /// CPU time in calls, as the sample has it.
    #[must_use]
    pub fn cpu(&self) -> Duration {
        if self.wall_sampled == 0 {
            return Duration::ZERO;
        }
        let nanoseconds = u128::from(self.nanoseconds) * u128::from(self.cpu_sampled) / u128::from(self.wall_sampled);
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX).min(self.nanoseconds))
    }

    /// The duration that so many thousandths of the calls did not exceed.
    #[must_use]
    pub fn quantile(&self, thousandths: u64) -> Option<Duration> {
        let upper = quantile(self.durations.iter().map(|(upper, calls)| (*upper, *calls)), thousandths)?;
        Some(Duration::from_nanos(upper.min(self.slowest.max(1))))
    }
}

/// The first bound under which so many thousandths of the calls are; bounds ascend.
pub fn quantile(buckets: impl Iterator<Item = (u64, u64)> + Clone, thousandths: u64) -> Option<u64> {
    let calls: u64 = buckets.clone().map(|(_, calls)| calls).sum();
    let wanted = calls.checked_mul(thousandths)?.div_ceil(1_000).max(1);
    let mut seen = 0;
    buckets.into_iter().find_map(|(upper, calls)| {
        seen += calls;
        (calls > 0 && seen >= wanted).then_some(upper)
    })
}

/// Counters of one plugin as configured.
#[derive(Debug, Default)]
pub struct PluginMetrics {
    /// By the name of their thread.
    instances: Mutex<Vec<(Arc<str>, Arc<InstanceMetrics>)>>,
    /// Log lines dropped.
    pub log_lines_dropped: Counter,
    /// Times that a capability was refused that it had not asked for or was not granted.
    pub capability_refusals: Counter,
    /// Verdicts not applied (shadow mode, limits).
    pub verdicts_dropped: Counter,
    /// Samples not shown: their component has as much state as it may.
    pub samples_crowded_out: Counter,
    /// The last call that failed: when, and why.
    pub last_failure: ArcSwapOption<(SystemTime, String)>,
    /// What it said and what went wrong in it, for its author.
    pub lines: super::plugin_log::PluginLines,
}

impl PluginMetrics {
    /// Where the instance of this thread counts.
    #[must_use]
    pub fn instance(&self) -> Arc<InstanceMetrics> {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("unnamed");
        let mut instances = self.instances.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = instances.iter().find(|(known, _)| **known == *name) {
            return Arc::clone(known);
        }
        let new = Arc::new(InstanceMetrics::default());
        instances.push((name.into(), Arc::clone(&new)));
        new
    }

    /// Instances by their names.
    #[must_use]
    pub fn instances(&self) -> Vec<(Arc<str>, Arc<InstanceMetrics>)> {
        let mut instances = self.instances.lock().unwrap_or_else(PoisonError::into_inner).clone();
        instances.sort_by(|(a, _), (b, _)| a.cmp(b));
        instances
    }

    /// All instances together.
    #[must_use]
    pub fn activity(&self) -> Activity {
        let mut sum = Activity::default();
        for (_, instance) in self.instances() {
            sum.add(&instance.activity());
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_is_in_a_bucket_that_is_not_much_longer() {
        let mut last = 0;
        for power in 8..36 {
            for n in [1_u64 << power, (1 << power) + (1 << power) / 3, (2 << power) - 1] {
                let place = bucket(n);
                assert!(upper(place) > n && upper(place) <= n + n / 4 + 1, "{n} {}", upper(place));
                assert!(place >= last);
                last = place;
            }
        }
        assert_eq!((bucket(0), bucket(255), bucket(256), bucket(u64::MAX)), (0, 0, 0, BUCKETS - 1));
    }

    #[test]
    fn quantiles_are_those_of_the_calls() {
        let one = InstanceMetrics::default();
        for microseconds in 1..=1_000 {
            one.end(Duration::from_micros(microseconds), 2, None);
        }
        let activity = one.activity();
        assert_eq!((activity.calls(), activity.reports, activity.slowest), (1_000, 2_000, 1_000_000));
        for (thousandths, wanted) in [(500, 500.0), (900, 900.0), (990, 990.0)] {
            let told = activity.quantile(thousandths).unwrap().as_secs_f64() * 1e6;
            assert!(told >= wanted && told <= wanted * 1.26, "{thousandths}: {told}");
        }
        assert_eq!(activity.quantile(1_000), Some(Duration::from_millis(1)), "no longer than the slowest");
        assert_eq!(Activity::default().quantile(500), None);
    }

    #[test]
    fn cpu_time_is_that_of_the_sample_scaled_up() {
        let one = InstanceMetrics::default();
        one.end(Duration::from_nanos(1_000), 1, Some(500));
        one.end(Duration::from_nanos(3_000), 1, None);
        assert_eq!(one.activity().cpu(), Duration::from_nanos(2_000));
    }

    #[test]
    fn instances_count_for_themselves_and_are_added_up() {
        let plugin = Arc::new(PluginMetrics::default());
        let at = |name: &str| {
            let plugin = Arc::clone(&plugin);
            let thread = std::thread::Builder::new().name(name.to_owned());
            let thread = thread.spawn(move || {
                let instance = plugin.instance();
                instance.begin(Instant::now());
                assert!(instance.busy(Instant::now()).is_some());
                instance.end(Duration::from_micros(5), 1, None);
                assert_eq!(instance.busy(Instant::now()), None);
                instance.failed("trap");
                instance.failed("never heard of");
                instance.holds(10);
                instance.keeps(2, 16);
            });
            thread.unwrap().join().unwrap();
        };
        ["shard-1", "shard-0", "shard-1"].into_iter().for_each(at);
        let instances = plugin.instances();
        let names: Vec<&str> = instances.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["shard-0", "shard-1"]);
        let sum = plugin.activity();
        assert_eq!((sum.calls(), sum.failures(), sum.memory, sum.subjects, sum.state_bytes), (3, 6, 20, 4, 32));
        assert_eq!(sum.failed, BTreeMap::from([("other", 3), ("trap", 3)]));
    }
}
