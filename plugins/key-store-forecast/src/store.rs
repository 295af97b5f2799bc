//! What is known of one key store, and when it will be empty.
//!
//! Net outflow is estimated in two ways, and the greater, more pessimistic estimate counts:
//!
//! - *observed*: the level's change over time, averaged exponentially over `smoothing`. A change `d` over the time `t`
//!   since the last one has the weight `1 - exp(-t / smoothing)`; the average is divided by the sum of weights, so that
//!   it is not biased towards zero at first. It counts once the level has been observed for `warm_up`. Levels reported
//!   at the same instant count as one change, from the one before to the last.
//! - *reported*: `max(key_output_rate_bps, expected_consumption_bps) - key_input_rate_bps`, taken when input and output
//!   have both been reported since the last time (so that a new output is not set against an old input); where only one
//!   keeps coming, with the other's last value. It counts for `rates_valid_for`.
//!
//! A store is judged when a level or fill is reported, and by each sample in turn: batches play no part.

use crate::config::Settings;

/// What is known, in the order of the subject's state. Times are milliseconds since 1970; 0 is "never".
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Store {
    /// Level in bits.
    pub(crate) level: f64,
    /// Level and time of the last change that counted.
    from: f64,
    from_at: f64,
    /// Weighted sum of outflows, and sum of weights.
    sum: f64,
    weight: f64,
    input: Rate,
    output: Rate,
    expected: Rate,
    /// Reported outflow less inflow.
    net: Rate,
    /// Bits that fit; 0 if not known.
    capacity: f64,
    /// What is raised, and what is new.
    pub(crate) marks: Marks,
}

/// A rate in bit/s and when it was reported.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Rate {
    value: f64,
    at: f64,
}

/// What is raised, and what is new since the last reported net rate. In the state one number, a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    pub(crate) low_bits: bool,
    pub(crate) low_ratio: bool,
    pub(crate) empty: bool,
    /// The forecast is raised, and raised as major.
    pub(crate) forecast: bool,
    pub(crate) major: bool,
    new_input: bool,
    new_output: bool,
    /// A fill ratio has been reported: it is not worked out from level and capacity.
    has_fill: bool,
    /// A level has been reported: it is not worked out from fill and capacity.
    has_level: bool,
}

impl Store {
    /// Values of state.
    pub(crate) const WIDTH: usize = 15;

    /// From a subject's state.
    pub(crate) fn read(state: &[f64]) -> Self {
        let mut state = state.iter().copied();
        let mut next = || state.next().unwrap_or(0.0);
        let mut rate = || Rate { value: next(), at: next() };
        let (input, output, expected, net) = (rate(), rate(), rate(), rate());
        Self {
            input,
            output,
            expected,
            net,
            level: next(),
            from: next(),
            from_at: next(),
            sum: next(),
            weight: next(),
            capacity: next(),
            marks: Marks::from_bits(next() as u32),
        }
    }

    /// To a subject's state.
    pub(crate) fn write(&self, state: &mut [f64]) {
        let rates =
            [self.input, self.output, self.expected, self.net].into_iter().flat_map(|rate| [rate.value, rate.at]);
        let rest = [self.level, self.from, self.from_at, self.sum, self.weight, self.capacity];
        let all = rates.chain(rest).chain([f64::from(self.marks.bits())]);
        for (place, value) in state.iter_mut().zip(all) {
            *place = value;
        }
    }

    /// A level was reported, or worked out from the fill.
    pub(crate) fn set_level(&mut self, level: f64, now: u64, settings: &Settings) {
        let at = now.max(1) as f64;
        self.level = level;
        if self.from_at == 0.0 {
            (self.from, self.from_at) = (level, at);
            return;
        }
        let seconds = (at - self.from_at) / 1_000.0;
        let outflow = (self.from - level) / seconds;
        if seconds > 0.0 && outflow.is_finite() {
            let fade = (-seconds / settings.smoothing).exp();
            self.sum = self.sum * fade + outflow * (1.0 - fade);
            self.weight = self.weight * fade + (1.0 - fade);
            (self.from, self.from_at) = (level, at);
        }
    }

    /// A level was reported.
    pub(crate) fn report_level(&mut self, level: f64, now: u64, settings: &Settings) {
        self.marks.has_level = true;
        self.set_level(level, now, settings);
    }

    /// A fill was reported: a level, if none is reported and the capacity is known.
    pub(crate) fn report_fill(&mut self, fill: f64, now: u64, settings: &Settings) {
        self.marks.has_fill = true;
        if !self.marks.has_level && self.capacity > 0.0 {
            self.set_level(fill * self.capacity, now, settings);
        }
    }

    /// The capacity was reported.
    pub(crate) fn report_capacity(&mut self, capacity: f64) {
        self.capacity = capacity;
    }

    /// The expected consumption was reported.
    pub(crate) fn report_expected(&mut self, value: f64, now: u64) {
        self.expected = Rate { value, at: now.max(1) as f64 };
    }

    /// The input rate was reported.
    pub(crate) fn report_input(&mut self, value: f64, now: u64, settings: &Settings) {
        if self.marks.new_input {
            self.take_net(now, settings);
        }
        self.input = Rate { value, at: now.max(1) as f64 };
        self.marks.new_input = true;
        self.pair(now, settings);
    }

    /// The output rate was reported.
    pub(crate) fn report_output(&mut self, value: f64, now: u64, settings: &Settings) {
        if self.marks.new_output {
            self.take_net(now, settings);
        }
        self.output = Rate { value, at: now.max(1) as f64 };
        self.marks.new_output = true;
        self.pair(now, settings);
    }

    /// Fill, 1 being full, where only level and capacity are reported.
    pub(crate) fn worked_out_fill(&self) -> Option<f64> {
        (!self.marks.has_fill && self.capacity > 0.0).then(|| self.level / self.capacity)
    }

    /// Whether the component reports levels.
    pub(crate) fn reports_level(&self) -> bool {
        self.marks.has_level
    }

    /// Whether the level is known, reported or worked out.
    pub(crate) fn has_level(&self) -> bool {
        self.from_at > 0.0
    }

    /// Net outflow in bit/s, the more pessimistic estimate; `None` if there is none yet.
    pub(crate) fn net_outflow(&self, now: u64, settings: &Settings) -> Option<f64> {
        let observed = self.is_warm(settings).then(|| self.sum / self.weight);
        let reported = self.net.valid(now, settings).then_some(self.net.value);
        match (observed, reported) {
            (Some(observed), Some(reported)) => Some(observed.max(reported)),
            (one, other) => one.or(other),
        }
    }

    /// Whether the level has been observed for long enough.
    fn is_warm(&self, settings: &Settings) -> bool {
        // Exponentials are dear, and an average that is nearly full is warm whatever the settings say.
        self.weight > 0.0
            && (self.weight >= NEARLY_FULL
                || self.weight >= 1.0 - (-settings.warm_up / settings.smoothing).exp() - 1e-9)
    }

    fn pair(&mut self, now: u64, settings: &Settings) {
        if self.marks.new_input && self.marks.new_output {
            self.take_net(now, settings);
            (self.marks.new_input, self.marks.new_output) = (false, false);
        }
    }

    fn take_net(&mut self, now: u64, settings: &Settings) {
        if self.input.valid(now, settings) && self.output.valid(now, settings) {
            let expected = if self.expected.valid(now, settings) { self.expected.value } else { 0.0 };
            self.net = Rate { value: self.output.value.max(expected) - self.input.value, at: now.max(1) as f64 };
        }
    }
}

/// No warm-up asks for more weight than this.
const NEARLY_FULL: f64 = 1.0 - 1e-9;

impl Rate {
    fn valid(self, now: u64, settings: &Settings) -> bool {
        self.at > 0.0 && now as f64 - self.at <= settings.rates_valid_for * 1_000.0
    }
}

impl Marks {
    fn bits(self) -> u32 {
        self.list().into_iter().rev().fold(0, |bits, mark| bits << 1 | u32::from(mark))
    }

    fn list(self) -> [bool; 9] {
        let Self { low_bits, low_ratio, empty, forecast, major, new_input, new_output, has_fill, has_level } = self;
        [low_bits, low_ratio, empty, forecast, major, new_input, new_output, has_fill, has_level]
    }

    fn from_bits(bits: u32) -> Self {
        let [low_bits, low_ratio, empty, forecast, major, new_input, new_output, has_fill, has_level] =
            std::array::from_fn(|place| bits >> place & 1 == 1);
        Self { low_bits, low_ratio, empty, forecast, major, new_input, new_output, has_fill, has_level }
    }
}

/// Seconds until a store is empty; infinite if it does not drain.
pub(crate) fn time_to_empty(level: f64, net_outflow: f64) -> f64 {
    if level <= 0.0 {
        0.0
    } else if net_outflow > 0.0 {
        level / net_outflow
    } else {
        f64::INFINITY
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Config;

    #[test]
    fn the_state_keeps_everything() {
        let mut numbers: Vec<f64> = (1..=Store::WIDTH).map(|number| number as f64).collect();
        numbers[Store::WIDTH - 1] = f64::from(0b1_0110_1101);
        let mut again = vec![0.0; Store::WIDTH];
        Store::read(&numbers).write(&mut again);
        assert_eq!(numbers, again);
        assert_eq!(Store::read(&[0.0; Store::WIDTH]), Store::default());
    }

    #[test]
    fn a_steady_drain_is_observed_exactly() {
        let settings = Config::default().check().expect("defaults");
        let mut store = Store::default();
        for second in 0..=60 {
            store.report_level(1e6 - 100.0 * second as f64, 1_000 + second * 1_000, &settings);
            assert_eq!(store.net_outflow(0, &settings).is_some(), second >= 60, "after {second} s");
        }
        let outflow = store.net_outflow(0, &settings).expect("warm");
        assert!((outflow - 100.0).abs() < 1e-6, "{outflow}");
    }

    #[test]
    fn levels_of_one_instant_are_one_change() {
        let settings = Settings { warm_up: 0.0, ..Config::default().check().expect("defaults") };
        let mut store = Store::default();
        for (at, level) in [(1_000, 100.0), (2_000, 90.0), (2_000, 50.0), (3_000, 80.0)] {
            store.report_level(level, at, &settings);
        }
        // 100 to 90 in a second, then 90 to 80: what lay between at the same instant does not count twice.
        let outflow = store.net_outflow(3_000, &settings).expect("warm");
        assert!((outflow - 10.0).abs() < 1e-9, "{outflow}");
        assert_eq!(store.level, 80.0);
    }

    #[test]
    fn reported_rates_are_paired_and_expire() {
        let settings = Config::default().check().expect("defaults");
        let mut store = Store::default();
        store.report_output(50.0, 1_000, &settings);
        assert_eq!(store.net_outflow(1_000, &settings), None);
        store.report_input(20.0, 1_000, &settings);
        assert_eq!(store.net_outflow(1_000, &settings), Some(30.0));
        store.report_output(90.0, 2_000, &settings);
        assert_eq!(store.net_outflow(2_000, &settings), Some(30.0), "the input that belongs to it has not come");
        store.report_input(85.0, 2_000, &settings);
        assert_eq!(store.net_outflow(2_000, &settings), Some(5.0));
        store.report_expected(100.0, 3_000);
        store.report_output(90.0, 3_000, &settings);
        store.report_output(91.0, 4_000, &settings);
        assert_eq!(store.net_outflow(4_000, &settings), Some(15.0), "without a new input the last one counts");
        assert_eq!(store.net_outflow(604_001, &settings), None);
    }

    proptest! {
        /// A faster drain never gives a later end, and a fuller store never an earlier one.
        #[test]
        fn time_to_empty_is_monotone(level in 0.0..1e9f64, more in 0.0..1e9f64, drain in -1e6..1e6f64, faster in 0.0..1e6f64) {
            prop_assert!(time_to_empty(level, drain + faster) <= time_to_empty(level, drain));
            prop_assert!(time_to_empty(level + more, drain) >= time_to_empty(level, drain));
        }

        /// A store that loses more in every interval is observed to drain at least as fast, and it ends no later.
        #[test]
        fn observed_outflow_is_monotone(
            steps in proptest::collection::vec((1..100_000u64, -1e4..1e4f64, 0.0..1e4f64), 2..50),
        ) {
            let settings = Settings { warm_up: 0.0, ..Config::default().check().expect("defaults") };
            let (mut slow, mut fast) = (Store::default(), Store::default());
            let (mut now, mut slow_level, mut fast_level) = (1_000, 1e9, 1e9);
            for (millis, lost, more) in steps {
                now += millis;
                slow_level -= lost;
                fast_level -= lost + more;
                slow.report_level(slow_level, now, &settings);
                fast.report_level(fast_level, now, &settings);
                if let (Some(slower), Some(faster)) = (slow.net_outflow(now, &settings), fast.net_outflow(now, &settings)) {
                    prop_assert!(faster >= slower - slower.abs() * 1e-9);
                    let later = time_to_empty(slow_level, slower);
                    prop_assert!(time_to_empty(fast_level, faster) <= later * (1.0 + 1e-6));
                }
            }
        }
    }
}
