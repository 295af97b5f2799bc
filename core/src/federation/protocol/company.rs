//! Whether it is we who are cut off, judged by how many sessions end, when, and whether any is left.
//!
//! In: sessions that died, ticks, how many sessions there are. Out: that we take ourselves to be cut off, once, and that it is
//! over. Of who the neighbours are it knows nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::{identity::OriginId, limits::Settings};

/// Why a manager takes itself to be cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CutOff {
    /// The sessions with three neighbours, and at least half of all, died within a short time and are not back.
    Deaths,
    /// It was held up itself: a tick came late.
    HeldUp,
    /// It had sessions, and has had none at all for a while, though there are neighbours: they are down, or it is cut off. With
    /// one or two neighbours nothing tells these apart.
    Alone,
}

/// What has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// We take ourselves to be cut off from now on.
    CutOff(CutOff),
    /// Not any more.
    Back,
}

/// A time in which we take ourselves to be cut off.
#[derive(Clone, Copy, Debug)]
struct Isolation {
    /// Sessions before it.
    sessions: usize,
    /// When it began, or was last seen to go on.
    since: u64,
}

/// What is remembered of sessions that ended.
#[derive(Debug, Default)]
pub(super) struct Company {
    deaths: BTreeMap<OriginId, u64>,
    /// There was a session once: who has none yet may well be the first.
    met: bool,
    alone_since: Option<u64>,
    isolation: Option<Isolation>,
}

impl Company {
    /// Whether we take ourselves to be cut off.
    #[must_use]
    pub(super) fn is_isolated(&self) -> bool {
        self.isolation.is_some()
    }

    /// The session with a neighbour has died; with whom there still are some.
    pub(super) fn died(
        &mut self,
        peer: &OriginId,
        left: &BTreeSet<&OriginId>,
        settings: &Settings,
        now: u64,
    ) -> Option<Change> {
        self.met = true;
        self.deaths.insert(peer.clone(), now);
        // Who is back is not dead, and who has died twice is one.
        self.deaths.retain(|peer, at| now.saturating_sub(*at) < settings.dead && !left.contains(peer));
        let (dead, before) = (self.deaths.len(), self.deaths.len() + left.len());
        let all_at_once = dead >= 3 && 2 * dead >= before;
        (self.isolation.is_none() && all_at_once).then(|| self.begin(CutOff::Deaths, before, now))
    }

    /// We were held up ourselves: silence of others in that time means nothing.
    pub(super) fn held_up(&mut self, sessions: usize, now: u64) -> Option<Change> {
        match &mut self.isolation {
            Some(isolation) => {
                isolation.since = now;
                None
            }
            None if sessions == 0 => None,
            None => Some(self.begin(CutOff::HeldUp, sessions, now)),
        }
    }

    /// Time has passed: so many sessions there are, and whether some neighbour should have one with us.
    pub(super) fn look(&mut self, sessions: usize, expected: bool, settings: &Settings, now: u64) -> Option<Change> {
        self.met |= sessions > 0;
        let alone = sessions == 0 && expected && self.met;
        if !alone {
            self.alone_since = None;
        }
        if let Some(isolation) = self.isolation {
            let back = 2 * sessions >= isolation.sessions || (sessions == 0 && !expected);
            if !back || now.saturating_sub(isolation.since) < settings.isolation {
                return None;
            }
            self.isolation = None;
            return Some(Change::Back);
        }
        if !alone {
            return None;
        }
        let since = *self.alone_since.get_or_insert(now);
        (now.saturating_sub(since) >= settings.dead).then(|| self.begin(CutOff::Alone, 1, now))
    }

    fn begin(&mut self, why: CutOff, sessions: usize, now: u64) -> Change {
        self.isolation = Some(Isolation { sessions, since: now });
        Change::CutOff(why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told in so many seconds of ticks, and when.
    fn told(
        company: &mut Company,
        seconds: std::ops::Range<u64>,
        sessions: usize,
        expected: bool,
    ) -> Vec<(u64, Change)> {
        let settings = Settings::default();
        let look = |second| Some((second, company.look(sessions, expected, &settings, second * 1_000)?));
        seconds.filter_map(look).collect()
    }

    /// What is told when these neighbours of so many die one after the other, a second apart.
    fn deaths(company: &mut Company, of: usize, die: &[usize]) -> Vec<Option<Change>> {
        let names: Vec<OriginId> = (0..of).map(|number| OriginId::from(format!("d{number}").as_str())).collect();
        let died = |(second, number): (usize, &usize)| {
            let left = (0..of).filter(|one| !die[..=second].contains(one)).map(|one| &names[one]).collect();
            company.died(&names[*number], &left, &Settings::default(), second as u64 * 1_000)
        };
        die.iter().enumerate().map(died).collect()
    }

    #[test]
    fn half_of_many_that_die_at_once_are_our_own_isolation() {
        let mut company = Company::default();
        let dying = deaths(&mut company, 10, &[0, 1, 2, 3, 4, 5]);
        assert_eq!(dying, [None, None, None, None, Some(Change::CutOff(CutOff::Deaths)), None], "once, at five of ten");
        assert_eq!(told(&mut company, 5..9, 4, true), []);
        assert_eq!(told(&mut company, 9..12, 5, true), [(9, Change::Back)]);
    }

    #[test]
    fn one_neighbour_that_comes_and_goes_is_no_isolation() {
        let mut company = Company::default();
        let names = ["a", "b", "c", "d"].map(OriginId::from);
        let left: BTreeSet<&OriginId> = names[1..].iter().collect();
        for second in 0..10 {
            assert_eq!(company.died(&names[0], &left, &Settings::default(), second * 1_000), None);
        }
    }

    #[test]
    fn who_has_lost_its_one_or_two_neighbours_for_long_is_cut_off_and_says_so_once() {
        for neighbours in [1, 2] {
            let mut company = Company::default();
            let all: Vec<usize> = (0..neighbours).collect();
            assert!(deaths(&mut company, neighbours, &all).iter().all(Option::is_none));
            assert_eq!(told(&mut company, 1..40, 0, true), [(16, Change::CutOff(CutOff::Alone))]);
            assert_eq!(told(&mut company, 40..50, 1, true), [(40, Change::Back)]);
        }
    }

    #[test]
    fn a_short_break_or_nobody_to_speak_with_is_no_isolation() {
        let mut company = Company::default();
        assert_eq!(told(&mut company, 0..60, 0, true), [], "the first of a federation");
        assert_eq!(told(&mut company, 15..16, 1, true), []);
        assert_eq!(told(&mut company, 16..31, 0, true), []);
        assert_eq!(told(&mut company, 31..90, 0, false), []);
        assert_eq!(told(&mut company, 90..110, 0, true), [(105, Change::CutOff(CutOff::Alone))]);
        assert_eq!(told(&mut company, 110..112, 0, false), [(110, Change::Back)], "the last neighbour was taken out");
    }
}
