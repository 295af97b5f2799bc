//! A service that spans domains, over time: when it had key and when not, and whether what was agreed is kept.
//!
//! In: looks at the service, each with its time, and what was agreed. Out: figures over the window, a verdict for each that something was
//! agreed of, and whether a verdict has held long enough for an alarm. What was not observed (the manager did not run, a component is
//! silent) counts for neither side, and how much was observed is told. Where the looks come from, and where [`Kept`] is stored, is not
//! known here.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::section::{Objective, Service, minute};
use crate::{
    config::{
        federation::ServiceConfig,
        limits::{SERVICE_MET_AFTER, SERVICE_MISSED_AFTER},
    },
    model::Timestamp,
};

/// What a look shows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Look {
    /// Whether there is key; absent: nobody knows.
    pub has_key: Option<bool>,
    /// Bits per second.
    pub key_rate_bps: Option<f64>,
}

/// Two looks that are further apart than this, in milliseconds, leave open what was between them.
const MOST_APART: u64 = 5_000;
/// Changes between with and without key that are kept: beyond it the oldest are forgotten, and count as not observed.
const MOST_SPANS: usize = 1_024;

/// A time during which there was key, or none.
#[derive(Clone, Copy, Debug)]
struct Span {
    from: u64,
    to: u64,
    has_key: bool,
}

/// What is remembered of a service over a restart. Times are those that looks were given with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// From, to, and whether there was key.
    spans: Vec<(u64, u64, bool)>,
    /// The last verdict, and since when.
    verdict: Option<(String, Timestamp)>,
}

/// A service under watch.
#[derive(Clone, Debug, Default)]
pub struct Watched {
    spans: VecDeque<Span>,
    last: Option<(u64, Look)>,
    verdict: Option<(&'static str, Timestamp)>,
}

impl Watched {
    /// A look: at `now`, milliseconds of a clock that only goes forward. What was seen last held until now.
    pub fn look(&mut self, now: u64, look: Look, window: u64) {
        if let Some((from, Look { has_key: Some(has_key), .. })) = self.last
            && now.saturating_sub(from) <= MOST_APART
        {
            match self.spans.back_mut().filter(|span| span.to == from && span.has_key == has_key) {
                Some(span) => span.to = now,
                None => self.spans.push_back(Span { from, to: now, has_key }),
            }
        }
        self.last = Some((now, look));
        let begin = now.saturating_sub(window);
        while self.spans.front().is_some_and(|span| span.to <= begin) || self.spans.len() > MOST_SPANS {
            self.spans.pop_front();
        }
    }

    /// What is to be remembered of it.
    #[must_use]
    pub fn kept(&self) -> Kept {
        Kept {
            spans: self.spans.iter().map(|span| (span.from, span.to, span.has_key)).collect(),
            verdict: self.verdict.map(|(verdict, since)| (verdict.to_owned(), since)),
        }
    }

    /// As it was remembered, at `now`. What lies in the future was written by a clock that has been set since, and is left out; what was
    /// between then and now nobody saw.
    #[must_use]
    pub fn recalled(kept: &Kept, now: u64) -> Self {
        let mut spans: VecDeque<Span> = VecDeque::new();
        for &(from, to, has_key) in kept.spans.iter().take(MOST_SPANS) {
            let after = spans.back().map_or(0, |span| span.to);
            if after <= from && from < to && to <= now {
                spans.push_back(Span { from, to, has_key });
            }
        }
        let word = |text: &str| [MET, MISSED, UNKNOWN].into_iter().find(|word| *word == text);
        let verdict = kept.verdict.as_ref().and_then(|(verdict, since)| Some((word(verdict)?, *since)));
        Self { spans, last: None, verdict }
    }

    /// How it is against what was agreed, as of the last look.
    pub fn judged(&mut self, agreed: &ServiceConfig, wall: Timestamp) -> Service {
        let window = u64::try_from(agreed.window.as_millis()).unwrap_or(u64::MAX);
        let (now, look) = self.last.unwrap_or_default();
        let begin = now.saturating_sub(window);
        let length = |span: &Span| span.to - span.from.max(begin).min(span.to);
        let sum = |has_key: bool| self.spans.iter().filter(|span| span.has_key == has_key).map(length).sum::<u64>();
        let (with, without) = (sum(true), sum(false));
        let longest = self.spans.iter().filter(|span| !span.has_key).map(length).max().unwrap_or(0);
        let observed = with + without;
        let known = |value: f64| (observed > 0).then_some(value);
        let seconds = |millis: u64| millis as f64 / 1e3;
        let at_least =
            |agreed: Option<f64>, is: Option<f64>| agreed.map(|least| objective(least, is, |is| is >= least));
        let at_most = |agreed: Option<f64>, is: Option<f64>| agreed.map(|most| objective(most, is, |is| is <= most));
        let key_rate_bps = at_least(agreed.key_rate, look.key_rate_bps);
        let longest_without_key_s = at_most(agreed.without_key.map(|time| time.as_secs_f64()), known(seconds(longest)));
        let share = with as f64 / observed.max(1) as f64;
        let availability_ratio = at_least(agreed.availability, known(share));
        let all = [&key_rate_bps, &longest_without_key_s, &availability_ratio];
        let states: Vec<&str> = all.into_iter().flatten().map(|one| one.state.as_str()).collect();
        let verdict = match () {
            () if states.contains(&MISSED) => MISSED,
            () if states.is_empty() || states.contains(&UNKNOWN) => UNKNOWN,
            () => MET,
        };
        let since = match self.verdict {
            Some((before, since)) if before == verdict => since,
            _ => wall,
        };
        self.verdict = Some((verdict, since));
        Service {
            id: agreed.name.clone(),
            state: verdict.to_owned(),
            since: Some(minute(since)),
            window_s: agreed.window.as_secs_f64(),
            observed_s: seconds(observed),
            key_rate_bps,
            longest_without_key_s,
            availability_ratio,
        }
    }
}

const MET: &str = "met";
const MISSED: &str = "missed";
const UNKNOWN: &str = "unknown";

/// Whether a service counts as missing what was agreed: a verdict that comes and goes makes no alarm come and go.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settled {
    is_missed: bool,
    /// Since when the verdict is the other one.
    other_since: Option<u64>,
}

impl Settled {
    /// A verdict at `now`, milliseconds: what it counts as from now on, if that is another. That nothing is known changes nothing.
    pub fn turn(&mut self, now: u64, verdict: &str) -> Option<bool> {
        let says = match verdict {
            MISSED => true,
            MET => false,
            _ => self.is_missed,
        };
        if says == self.is_missed {
            self.other_since = None;
            return None;
        }
        let after = if says { SERVICE_MISSED_AFTER } else { SERVICE_MET_AFTER };
        let since = *self.other_since.get_or_insert(now);
        if u128::from(now.saturating_sub(since)) < after.as_millis() {
            return None;
        }
        *self = Self { is_missed: says, other_since: None };
        Some(says)
    }

    /// Whether it counts as missed.
    #[must_use]
    pub const fn is_missed(self) -> bool {
        self.is_missed
    }
}

/// What is missed of what was agreed, in words.
#[must_use]
pub fn missed(service: &Service) -> Vec<String> {
    let of = |one: &Option<Objective>, words: fn(f64) -> String| {
        one.as_ref().filter(|one| one.state == MISSED).map(|one| words(one.objective))
    };
    [
        of(&service.key_rate_bps, |least| format!("a key rate of {least} bit/s")),
        of(&service.longest_without_key_s, |most| format!("never longer than {most} s without key")),
        of(&service.availability_ratio, |least| format!("key for {} % of the time", (least * 1e6).round() / 1e4)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn objective(agreed: f64, measured: Option<f64>, is_met: impl Fn(f64) -> bool) -> Objective {
    let state = measured.map_or(UNKNOWN, |is| if is_met(is) { MET } else { MISSED });
    Objective { objective: agreed, measured, state: state.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn agreed(window_s: u64) -> ServiceConfig {
        ServiceConfig {
            name: "s".into(),
            domains: vec!["west".into()],
            from: Vec::new(),
            key_rate: Some(1_000.0),
            without_key: Some(Duration::from_secs(3)),
            availability: Some(0.9),
            window: Duration::from_secs(window_s),
        }
    }

    fn look(has_key: bool, rate: f64) -> Look {
        Look { has_key: Some(has_key), key_rate_bps: Some(rate) }
    }

    /// A look each second, and what is judged after the last.
    fn after(watched: &mut Watched, from: u64, looks: &[Look], agreed: &ServiceConfig) -> Service {
        let window = agreed.window.as_millis() as u64;
        for (second, one) in (from..).zip(looks) {
            watched.look(second * 1_000, *one, window);
        }
        watched.judged(agreed, Timestamp((from as i64) * 60_000))
    }

    #[test]
    fn what_is_agreed_is_met_or_missed_and_since_when_is_told() {
        let (agreed, mut watched) = (agreed(60), Watched::default());
        let first = after(&mut watched, 0, &[look(true, 1_200.0); 11], &agreed);
        assert_eq!((first.state.as_str(), first.observed_s), ("met", 10.0));
        assert_eq!(first.availability_ratio.unwrap().measured, Some(1.0));
        // Five seconds without key: too long, and too large a share; the rate alone is what it is now.
        let second =
            after(&mut watched, 11, &[[look(false, 0.0); 5].as_slice(), &[look(true, 1_100.0)]].concat(), &agreed);
        assert_eq!((second.state.as_str(), second.since.as_deref()), ("missed", Some("1970-01-01T00:11:00Z")));
        assert_eq!(second.key_rate_bps.unwrap().state, "met");
        assert_eq!(second.longest_without_key_s.unwrap(), objective(3.0, Some(5.0), |_| false));
        assert_eq!(second.availability_ratio.unwrap().measured, Some(11.0 / 16.0));
        // It leaves the window.
        let third = after(&mut watched, 17, &[look(true, 1_200.0); 80], &agreed);
        assert_eq!((third.state.as_str(), third.since.as_deref()), ("met", Some("1970-01-01T00:17:00Z")));
        assert_eq!(third.observed_s, 60.0);
    }

    #[test]
    fn what_nobody_saw_counts_for_neither_side() {
        let (agreed, mut watched) = (agreed(60), Watched::default());
        assert_eq!(watched.judged(&agreed, Timestamp(0)).state, "unknown");
        watched.look(0, look(true, 2_000.0), 60_000);
        // The manager was held up for twenty seconds; then a component is silent.
        watched.look(20_000, look(true, 2_000.0), 60_000);
        watched.look(21_000, Look::default(), 60_000);
        watched.look(24_000, look(false, 2_000.0), 60_000);
        let judged = watched.judged(&agreed, Timestamp(0));
        assert_eq!((judged.observed_s, judged.availability_ratio.unwrap().measured), (1.0, Some(1.0)));
    }

    #[test]
    fn a_window_goes_on_after_a_restart_and_what_was_between_counts_for_nobody() {
        let (agreed, mut watched) = (agreed(60), Watched::default());
        let looks = [[look(true, 1_200.0); 10].as_slice(), &[look(false, 0.0); 6], &[look(true, 1_200.0)]].concat();
        let before = after(&mut watched, 100, &looks, &agreed);
        assert_eq!((before.state.as_str(), before.observed_s), ("missed", 16.0));
        let text = serde_json::to_string(&watched.kept()).unwrap();
        let mut again = Watched::recalled(&serde_json::from_str(&text).unwrap(), 130_000);
        again.look(130_000, look(true, 1_200.0), 60_000);
        let judged = again.judged(&agreed, Timestamp(7_000_000));
        assert_eq!((judged.observed_s, judged.longest_without_key_s.unwrap().measured), (16.0, Some(6.0)));
        assert_eq!((&judged.since, &judged.state), (&before.since, &before.state), "it has not begun anew");
        let later = after(&mut again, 131, &[look(true, 1_200.0); 60], &agreed);
        assert_eq!((later.state.as_str(), later.observed_s), ("met", 60.0), "it leaves the window like anything else");
        // A clock that was set back, and a file that somebody wrote in.
        let past = Watched::recalled(&serde_json::from_str(&text).unwrap(), 105_000);
        assert!(past.spans.iter().all(|span| span.to <= 105_000));
        let odd = r#"{"spans":[[5,3,true],[1,9,true],[2,4,false]],"verdict":["perhaps","2026-01-01T00:00:00Z"]}"#;
        let odd = Watched::recalled(&serde_json::from_str(odd).unwrap(), 100);
        assert_eq!((odd.spans.len(), odd.verdict), (1, None));
    }

    #[test]
    fn a_verdict_that_comes_and_goes_is_no_alarm_and_silence_ends_none() {
        let mut settled = Settled::default();
        let turn = |settled: &mut Settled, seconds: std::ops::Range<u64>, verdict: &str| -> Vec<(u64, bool)> {
            seconds.filter_map(|at| settled.turn(at * 1_000, verdict).map(|is_missed| (at, is_missed))).collect()
        };
        for at in 0..50 {
            assert_eq!(turn(&mut settled, 4 * at..4 * at + 3, "missed"), []);
            assert_eq!(turn(&mut settled, 4 * at + 3..4 * at + 4, ["met", "unknown"][at as usize % 2]), []);
        }
        assert_eq!(turn(&mut settled, 200..230, "missed"), [(205, true)]);
        assert_eq!(turn(&mut settled, 230..300, "unknown"), []);
        assert_eq!(turn(&mut settled, 300..308, "met"), []);
        assert_eq!(turn(&mut settled, 308..309, "missed"), []);
        assert_eq!(turn(&mut settled, 309..330, "met"), [(319, false)]);
        assert!(!settled.is_missed());
    }

    #[test]
    fn what_nothing_was_agreed_of_is_not_judged() {
        let agreed = ServiceConfig { key_rate: None, without_key: None, ..agreed(60) };
        let judged = after(&mut Watched::default(), 0, &[look(true, 1.0); 3], &agreed);
        assert_eq!((judged.key_rate_bps, judged.longest_without_key_s, judged.state.as_str()), (None, None, "met"));
    }

    proptest! {
        /// Against a reckoning second by second.
        #[test]
        fn figures_are_those_of_every_second(seen in prop::collection::vec(prop::option::of(any::<bool>()), 2..120), window in 10_u64..60) {
            let agreed = ServiceConfig { window: Duration::from_secs(window), ..agreed(0) };
            let looks: Vec<Look> = seen.iter().map(|has_key| Look { has_key: *has_key, key_rate_bps: None }).collect();
            let judged = after(&mut Watched::default(), 0, &looks, &agreed);
            let held = &seen[..seen.len() - 1];
            let inside = &held[held.len().saturating_sub(window as usize)..];
            let with = inside.iter().filter(|one| **one == Some(true)).count();
            let observed = inside.iter().flatten().count();
            let longest = inside.split(|one| *one != Some(false)).map(<[_]>::len).max().unwrap_or(0);
            prop_assert_eq!(judged.observed_s, observed as f64);
            let expected = (observed > 0).then(|| (with as f64 / observed as f64, longest as f64));
            let figures = judged.availability_ratio.unwrap().measured.zip(judged.longest_without_key_s.unwrap().measured);
            prop_assert_eq!(figures, expected);
        }

        #[test]
        fn what_is_kept_is_bounded(seen in prop::collection::vec(any::<bool>(), 0..3_000)) {
            let mut watched = Watched::default();
            seen.iter().zip(0_u64..).for_each(|(has_key, at)| watched.look(at * 500, look(*has_key, 1.0), u64::MAX / 2));
            prop_assert!(watched.spans.len() <= MOST_SPANS);
        }
    }
}
