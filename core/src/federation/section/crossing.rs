//! What crosses the border between domains besides links: key relations, services and settlement, each told to the domain that it
//! concerns alone; and what the whole federation may hear of links. Their forms, in the words of the filter.
//!
//! In: what the manager measured. Out: contents of the sections `keyRelations`, `services`, `settlement` and `interDomainLinks`.
//! How it was measured is not known here.

use serde::{Deserialize, Serialize};

use super::{
    LinkEnd,
    form::{Form, MOST_RATE_BPS, MOST_SECONDS, STATES, member, required},
};
use crate::model::Timestamp;

/// Bits or keys used in a period: far more than any link makes in a day.
const MOST_USED: f64 = 1e18;

/// Section `interDomainLinks`.
pub(super) const INTER_DOMAIN_LINKS: Form = Form::Members(&[member(
    "links",
    Form::List(&Form::Members(&[
        required("id", Form::Name),
        required("peer", Form::Name),
        required("state", Form::OneOf(&STATES)),
        member("secretKeyRateBps", Form::UpTo(MOST_RATE_BPS)),
        member("keyStoreFillRatio", Form::Ratio),
    ])),
)]);

/// Section `keyRelations`.
pub(super) const KEY_RELATIONS: Form = Form::Members(&[member(
    "relations",
    Form::List(&Form::Members(&[
        required("id", Form::Name),
        required("peer", Form::Name),
        required("state", Form::OneOf(&STATES)),
        member("keyRateBps", Form::UpTo(MOST_RATE_BPS)),
        member("keyStoreFillRatio", Form::Ratio),
        member("timeToExhaustionS", Form::UpTo(MOST_SECONDS)),
    ])),
)]);

const VERDICTS: Form = Form::OneOf(&["met", "missed", "unknown"]);

const fn objective(most: f64) -> [super::form::Member; 3] {
    [required("objective", Form::UpTo(most)), member("measured", Form::UpTo(most)), required("state", VERDICTS)]
}

/// Section `services`.
pub(super) const SERVICES: Form = Form::Members(&[member(
    "services",
    Form::List(&Form::Members(&[
        required("id", Form::Name),
        required("state", VERDICTS),
        member("since", Form::Minute),
        member("windowS", Form::UpTo(MOST_SECONDS)),
        member("observedS", Form::UpTo(MOST_SECONDS)),
        member("keyRateBps", Form::Members(&objective(MOST_RATE_BPS))),
        member("longestWithoutKeyS", Form::Members(&objective(MOST_SECONDS))),
        member("availabilityRatio", Form::Members(&objective(1.0))),
    ])),
)]);

/// Section `settlement`.
pub(super) const SETTLEMENT: Form = Form::Members(&[
    member("period", Form::OneOf(&["hour", "day"])),
    member(
        "totals",
        Form::List(&Form::Members(&[
            required("start", Form::Minute),
            required("intervals", Form::Count),
            member("consumedBits", Form::UpTo(MOST_USED)),
            member("suppliedKeys", Form::UpTo(MOST_USED)),
            member("relayedBits", Form::UpTo(MOST_USED)),
        ])),
    ),
]);

/// The full minute that a time is in.
#[must_use]
pub fn minute(time: Timestamp) -> String {
    Timestamp(time.0.div_euclid(60_000) * 60_000).to_string().replace(".000Z", "Z")
}

/// A link as the whole federation hears of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct InterDomainLink {
    /// The link's name, the same in both domains.
    pub id: String,
    /// The domain at the other end.
    pub peer: String,
    /// `up`, `degraded`, `down` or `unknown`.
    pub state: String,
    /// Secret key rate, bits per second: one of 1, 2 and 5 times a power of ten, the next below.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_key_rate_bps: Option<f64>,
    /// Filling of the key store for the link in tenths, the next below.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_store_fill_ratio: Option<f64>,
}

/// Section `interDomainLinks`: our ends of links to other domains, for everybody.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct InterDomainLinks {
    /// Our ends.
    pub links: Vec<InterDomainLink>,
}

impl InterDomainLinks {
    /// What everybody hears of our ends: states, and if they may be told, figures in coarse steps.
    #[must_use]
    pub fn of(ends: &[LinkEnd], with_figures: bool) -> Self {
        let link = |end: &LinkEnd| InterDomainLink {
            id: end.id.clone(),
            peer: end.peer.clone(),
            state: end.state.clone(),
            secret_key_rate_bps: end.secret_key_rate_bps.filter(|_| with_figures).map(one_two_five),
            key_store_fill_ratio: end.key_store_fill_ratio.filter(|_| with_figures).map(tenths),
        };
        Self { links: ends.iter().map(link).collect() }
    }
}

/// The next of 1, 2 and 5 times a power of ten that is not above: who plans with it plans with no more than there is.
fn one_two_five(rate: f64) -> f64 {
    if rate < 1.0 {
        return 0.0;
    }
    // By its digits: logarithms would put 1000 below itself now and then.
    let digits = format!("{:.0}", rate.floor());
    let leading = match digits.bytes().next() {
        Some(b'1') => 1.0,
        Some(b'2'..=b'4') => 2.0,
        _ => 5.0,
    };
    let power = i32::try_from(digits.len() - 1).unwrap_or(i32::MAX);
    leading * 10_f64.powi(power)
}

fn tenths(ratio: f64) -> f64 {
    // What is a tenth but for its last bit is that tenth.
    (ratio * 10.0 + 1e-9).floor() / 10.0
}

/// Our end of a key relation with another domain: a pair of key managers or applications.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct KeyRelation {
    /// Its name, the same in both domains.
    pub id: String,
    /// The domain at the other end.
    pub peer: String,
    /// `up`, `degraded`, `down` or `unknown`.
    pub state: String,
    /// Rate at which keys are there for it, bits per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_rate_bps: Option<f64>,
    /// Filling of its key store, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_store_fill_ratio: Option<f64>,
    /// Time to exhaustion of that store at the present rates, seconds; absent: none in sight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_to_exhaustion_s: Option<f64>,
}

/// Section `keyRelations`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct KeyRelations {
    /// Our ends.
    pub relations: Vec<KeyRelation>,
}

/// What was agreed of a service in one respect, and what is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Objective {
    /// What was agreed.
    pub objective: f64,
    /// What is; absent: nothing is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measured: Option<f64>,
    /// `met`, `missed` or `unknown`.
    pub state: String,
}

/// Our part of a service that spans domains.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Service {
    /// Its name, the same in all domains that it spans.
    pub id: String,
    /// `missed` if any objective is, else `unknown` if any is, else `met`.
    pub state: String,
    /// Since when, to the minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// The time that is looked at, seconds.
    pub window_s: f64,
    /// How much of it was observed, seconds.
    pub observed_s: f64,
    /// Least key rate, bits per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_rate_bps: Option<Objective>,
    /// Longest time without key in the window, seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longest_without_key_s: Option<Objective>,
    /// Share of the observed time with key, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub availability_ratio: Option<Objective>,
}

/// Section `services`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Services {
    /// Those that span our domain and the one that is told.
    pub services: Vec<Service>,
}

/// What was used in one period.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Total {
    /// Begin of the period.
    pub start: String,
    /// Intervals of usage, each counted once.
    pub intervals: u64,
    /// Bits of keys consumed.
    pub consumed_bits: f64,
    /// Keys supplied.
    pub supplied_keys: f64,
    /// Bits relayed.
    pub relayed_bits: f64,
}

/// Section `settlement`: keys used with the domain that is told, by full period, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Settlement {
    /// `hour` or `day`, UTC.
    pub period: String,
    /// Those periods in which anything was used.
    pub totals: Vec<Total>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn everybody_hears_states_and_coarse_figures_if_they_may_be_told() {
        let end = LinkEnd {
            id: "l".into(),
            peer: "west".into(),
            state: "up".into(),
            qber_ratio: Some(0.02),
            secret_key_rate_bps: Some(4_321.0),
            key_store_fill_ratio: Some(0.79),
            ..LinkEnd::default()
        };
        let ends = [end];
        let json = |with_figures| serde_json::to_value(InterDomainLinks::of(&ends, with_figures)).unwrap();
        let link = serde_json::json!({ "id": "l", "peer": "west", "state": "up" });
        assert_eq!(json(false)["links"][0], link);
        assert_eq!(json(true)["links"][0]["secretKeyRateBps"], 2_000.0);
        assert_eq!(json(true)["links"][0]["keyStoreFillRatio"], 0.7);
    }

    #[test]
    fn steps_are_where_they_are() {
        let steps = [(0.4, 0.0), (1.0, 1.0), (1_000.0, 1_000.0), (999.9, 500.0), (4_999.0, 2_000.0), (5e6, 5e6)];
        steps.iter().for_each(|(rate, step)| assert_eq!(one_two_five(*rate), *step, "{rate}"));
        assert_eq!((tenths(0.3), tenths(0.299), tenths(1.0), tenths(0.7)), (0.3, 0.2, 1.0, 0.7));
    }

    proptest! {
        #[test]
        fn no_step_is_above_what_is_and_none_far_below(rate in 1.0..1e12_f64, ratio in 0.0..1.0_f64) {
            let step = one_two_five(rate);
            prop_assert!(step <= rate && step * 2.5 >= rate.floor(), "{rate} {step}");
            prop_assert!(tenths(ratio) <= ratio + 1e-9 && tenths(ratio) > ratio - 0.1);
        }
    }
}
