//! Small changes are none: what is measured moves with every report, and a domain that said so each time would have every
//! manager of the federation store and pass on noise.
//!
//! In: our ends of links and key relations, and our part of services, as they are now. Out: the same with the numbers that were said
//! last, unless they have moved by a step. States are never held back.

use std::collections::BTreeMap;

use super::{KeyRelation, LinkEnd, Objective, Service};

/// Error rates are said in steps of two in a thousand.
const QBER_STEPS: f64 = 500.0;
/// Fillings of key stores are said in steps of two in a hundred.
const FILL_STEPS: f64 = 50.0;
/// Rates and times have to move by this share.
const SHARE: f64 = 0.1;
/// Availabilities have to move by this much.
const AVAILABILITY: f64 = 0.001;

/// What was said last of each link, key relation and service.
#[derive(Debug, Default)]
pub struct Steady {
    said: BTreeMap<String, LinkEnd>,
    relations: BTreeMap<String, KeyRelation>,
    services: BTreeMap<String, Service>,
}

impl Steady {
    /// Puts what was said last in the place of what has hardly moved since.
    pub fn settle(&mut self, ends: &mut [LinkEnd]) {
        let mut said = BTreeMap::new();
        for end in ends {
            let last = self.said.remove(&end.id).unwrap_or_default();
            end.qber_ratio = in_steps(last.qber_ratio, end.qber_ratio, QBER_STEPS);
            end.key_store_fill_ratio = in_steps(last.key_store_fill_ratio, end.key_store_fill_ratio, FILL_STEPS);
            end.secret_key_rate_bps = by_share(last.secret_key_rate_bps, end.secret_key_rate_bps);
            end.time_to_exhaustion_s = by_share(last.time_to_exhaustion_s, end.time_to_exhaustion_s);
            said.insert(end.id.clone(), end.clone());
        }
        self.said = said;
    }

    /// The same of key relations.
    pub fn settle_relations(&mut self, relations: &mut [KeyRelation]) {
        let mut said = BTreeMap::new();
        for one in relations {
            let last = self.relations.remove(&one.id).unwrap_or_default();
            one.key_store_fill_ratio = in_steps(last.key_store_fill_ratio, one.key_store_fill_ratio, FILL_STEPS);
            one.key_rate_bps = by_share(last.key_rate_bps, one.key_rate_bps);
            one.time_to_exhaustion_s = by_share(last.time_to_exhaustion_s, one.time_to_exhaustion_s);
            said.insert(one.id.clone(), one.clone());
        }
        self.relations = said;
    }

    /// The same of services. With a verdict goes the figure that led to it: where one changes, the figure is as it is.
    pub fn settle_services<'a>(&mut self, services: impl Iterator<Item = &'a mut Service>) {
        let mut said = BTreeMap::new();
        for one in services {
            let last = self.services.remove(&one.id).unwrap_or_default();
            one.observed_s = held(last.observed_s, one.observed_s, SHARE * last.observed_s).round();
            let of_a_share = |last: &Option<Objective>, new: &mut Option<Objective>| {
                hold(last.as_ref(), new.as_mut(), |measured| SHARE * measured);
            };
            of_a_share(&last.key_rate_bps, &mut one.key_rate_bps);
            of_a_share(&last.longest_without_key_s, &mut one.longest_without_key_s);
            hold(last.availability_ratio.as_ref(), one.availability_ratio.as_mut(), |_| AVAILABILITY);
            said.insert(one.id.clone(), one.clone());
        }
        self.services = said;
    }
}

fn hold(last: Option<&Objective>, new: Option<&mut Objective>, most: impl Fn(f64) -> f64) {
    let (Some(last), Some(new)) = (last, new) else { return };
    let same = last.state == new.state && last.objective.to_bits() == new.objective.to_bits();
    if let (true, Some(was), Some(is)) = (same, last.measured, new.measured) {
        new.measured = Some(held(was, is, most(was)));
    }
}

fn held(last: f64, new: f64, most: f64) -> f64 {
    if (new - last).abs() <= most { last } else { new }
}

/// The last number unless the new one is a whole step away, and then the nearest step: what trembles around the edge of a
/// step changes nothing.
fn in_steps(last: Option<f64>, new: Option<f64>, steps: f64) -> Option<f64> {
    let new = new?;
    last.filter(|last| (new - last).abs() * steps < 1.0).or_else(|| Some((new * steps).round() / steps))
}

/// The last number unless the new one is a tenth away, and then its first two digits.
fn by_share(last: Option<f64>, new: Option<f64>) -> Option<f64> {
    let new = new?;
    let two_digits = || format!("{new:.1e}").parse().unwrap_or(new);
    last.filter(|last| (new - last).abs() <= SHARE * last.abs()).or_else(|| Some(two_digits()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn end(qber: f64, rate: f64) -> LinkEnd {
        let (qber_ratio, secret_key_rate_bps) = (Some(qber), Some(rate));
        LinkEnd { id: "l".to_owned(), state: "up".to_owned(), qber_ratio, secret_key_rate_bps, ..LinkEnd::default() }
    }

    #[test]
    fn what_trembles_is_said_once_and_what_moves_is_said() {
        let mut steady = Steady::default();
        let mut say = |one: LinkEnd| {
            let mut ends = [one];
            steady.settle(&mut ends);
            let [end] = ends;
            (end.qber_ratio.unwrap(), end.secret_key_rate_bps.unwrap())
        };
        assert_eq!(say(end(0.0213, 12_345.0)), (0.022, 12_000.0));
        assert_eq!(say(end(0.0231, 12_900.0)), (0.022, 12_000.0));
        assert_eq!(say(end(0.0209, 11_000.0)), (0.022, 12_000.0));
        assert_eq!(say(end(0.0250, 9_876.0)), (0.026, 9_900.0));
        assert_eq!(say(end(0.0, 0.0)), (0.0, 0.0));
        assert_eq!(say(end(0.0001, 0.4)), (0.0, 0.4));
    }

    #[test]
    fn a_state_is_never_held_back_and_what_is_gone_is_forgotten() {
        let mut steady = Steady::default();
        let mut ends = [end(0.02, 1_000.0)];
        steady.settle(&mut ends);
        let mut ends = [LinkEnd { state: "down".to_owned(), qber_ratio: None, ..end(0.0, 1_001.0) }];
        steady.settle(&mut ends);
        assert_eq!((ends[0].state.as_str(), ends[0].qber_ratio), ("down", None));
        steady.settle(&mut []);
        assert!(steady.said.is_empty());
    }

    fn service(rate: f64, state: &str) -> Service {
        let figure = Objective { objective: 1_000.0, measured: Some(rate), state: state.to_owned() };
        Service { id: "s".to_owned(), state: state.to_owned(), key_rate_bps: Some(figure), ..Service::default() }
    }

    #[test]
    fn a_figure_does_not_contradict_its_verdict() {
        let mut steady = Steady::default();
        let mut say = |rate: f64, state: &str| {
            let mut one = [service(rate, state)];
            steady.settle_services(one.iter_mut());
            one[0].key_rate_bps.as_ref().and_then(|figure| figure.measured).unwrap()
        };
        assert_eq!(say(1_049.0, "met"), 1_049.0);
        assert_eq!(say(1_001.0, "met"), 1_049.0);
        assert_eq!(say(999.0, "missed"), 999.0);
        assert_eq!(say(980.0, "missed"), 999.0);
        assert_eq!(say(1_000.0, "met"), 1_000.0);
    }

    #[test]
    fn key_relations_are_as_steady_as_links() {
        let mut steady = Steady::default();
        let mut say = |rate: f64, state: &str| {
            let mut one = [KeyRelation {
                id: "r".into(),
                state: state.into(),
                key_rate_bps: Some(rate),
                ..KeyRelation::default()
            }];
            steady.settle_relations(&mut one);
            (one[0].key_rate_bps.unwrap(), one[0].state.clone())
        };
        assert_eq!(say(12_345.0, "up"), (12_000.0, "up".to_owned()));
        assert_eq!(say(12_900.0, "down"), (12_000.0, "down".to_owned()));
        assert_eq!(say(9_876.0, "down").0, 9_900.0);
    }

    proptest! {
        #[test]
        fn what_is_said_is_near_what_is(values in prop::collection::vec((0.0..1.0_f64, 0.0..1e9_f64), 1..50)) {
            let mut steady = Steady::default();
            for (qber, rate) in values {
                let mut ends = [end(qber, rate)];
                steady.settle(&mut ends);
                prop_assert!((ends[0].qber_ratio.unwrap() - qber).abs() <= 1.0 / QBER_STEPS);
                prop_assert!((ends[0].secret_key_rate_bps.unwrap() - rate).abs() <= 0.12 * rate);
            }
        }
    }
}
