//! What components last said of something that crosses the border: a link, a key relation, a service.
//!
//! In: the components that know of it, and a part of each. Out: its state, the worst that any says, and its figures. A component that
//! is silent knows nothing any more: what it said last is not told as if it were so now.

use std::collections::BTreeSet;

use super::picture::Sources;
use crate::{
    federation::{
        section::{KeyRelation, LinkEnd},
        service::Look,
    },
    model::{
        ComponentRef, Symbol,
        report_batch::{SampleKind, sample_kind},
    },
    state::LastValue,
};

/// What a word says of a link or relation.
fn state_of(name: &str, word: &str) -> Option<&'static str> {
    match (name, word) {
        ("kma_link_state" | "ksa_link_state", "up")
        | ("qkdi_status", "ENABLED")
        | ("qkdl_status", "ACTIVE")
        | ("app_status", "ON")
        | ("service_state", "available") => Some("up"),
        ("kma_link_state" | "ksa_link_state" | "service_state", "degraded")
        | ("qkdl_status", "PENDING")
        | ("app_status", "OUT-OF-TIME" | "ZOMBIE") => Some("degraded"),
        ("kma_link_state" | "ksa_link_state", "down")
        | ("qkdi_status", "DISABLED" | "FAILED")
        | ("qkdl_status", "OFF" | "PASSIVE")
        | ("distillation_state", "aborted")
        | ("app_status", "DISCONNECTED")
        | ("service_state", "unavailable") => Some("down"),
        _ => None,
    }
}

/// The worse of two states.
fn worse(one: &'static str, other: &'static str) -> &'static str {
    let rank = |state: &str| ["unknown", "up", "degraded", "down"].iter().position(|known| *known == state);
    if rank(one) >= rank(other) { one } else { other }
}

/// What is known of a key store.
#[derive(Clone, Copy, Debug, Default)]
struct Store {
    /// Bits.
    level: Option<f64>,
    /// Bits per second.
    comes_in: Option<f64>,
    /// Bits per second.
    goes_out: Option<f64>,
}

impl Store {
    /// How many seconds it lasts at these rates; `None` if it does not shrink, or if too little is known.
    fn lasts(self) -> Option<f64> {
        let drain = self.goes_out? - self.comes_in?;
        (drain > 0.0).then_some(self.level? / drain)
    }
}

/// What is known of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    state: &'static str,
    qber_ratio: Option<f64>,
    secret_key_rate_bps: Option<f64>,
    /// Where more than one component says it, the least.
    key_rate_bps: Option<f64>,
    fill: Option<f64>,
    level: Option<f64>,
    lasts: Option<f64>,
}

impl Default for Measured {
    fn default() -> Self {
        Self {
            state: "unknown",
            qber_ratio: None,
            secret_key_rate_bps: None,
            key_rate_bps: None,
            fill: None,
            level: None,
            lasts: None,
        }
    }
}

impl Measured {
    /// Looks.
    pub(super) fn of(from: &[(ComponentRef, String)], sources: &Sources, silent: &BTreeSet<&str>) -> Self {
        let mut measured = Self::default();
        for (component, part) in from.iter().filter(|(component, _)| !silent.contains(component.to_string().as_str())) {
            let Some(view) = sources.registry.find(component).and_then(|entry| entry.view.load_full()) else {
                continue;
            };
            let of_part = |value: &&LastValue| *sources.symbols.text(Symbol(value.resource)) == **part;
            let (mut store, mut rates) = (Store::default(), [None; 4]);
            for value in view.values.0.iter().filter(of_part) {
                let name = sources.symbols.text(Symbol(value.name));
                match sample_kind(value.kind) {
                    SampleKind::Number => measured.number(&name, value.value, &mut store, &mut rates),
                    SampleKind::Word => {
                        let word = sources.symbols.text(Symbol(value.value as u32));
                        measured.state =
                            state_of(&name, &word).map_or(measured.state, |state| worse(measured.state, state));
                    }
                    _ => {}
                }
            }
            measured.lasts = store.lasts().or(measured.lasts);
            measured.level = store.level.or(measured.level);
            let rate = rates.into_iter().flatten().next();
            measured.key_rate_bps = match (measured.key_rate_bps, rate) {
                (Some(known), Some(rate)) => Some(known.min(rate)),
                (known, rate) => known.or(rate),
            };
        }
        measured
    }

    /// `rates`: rates at which keys are there, the best measure first.
    fn number(&mut self, name: &str, value: f64, store: &mut Store, rates: &mut [Option<f64>; 4]) {
        match name {
            "qber_ratio" => self.qber_ratio = Some(value),
            "secret_key_rate_bps" => (self.secret_key_rate_bps, rates[3]) = (Some(value), Some(value)),
            "key_store_fill_ratio" => self.fill = Some(value),
            "key_store_level_bits" => store.level = Some(value),
            "key_input_rate_bps" => (store.comes_in, rates[2]) = (Some(value), Some(value)),
            "key_output_rate_bps" => store.goes_out = Some(value),
            "throughput_bps" => rates[0] = Some(value),
            "effective_secret_key_rate_bps" => rates[1] = Some(value),
            _ => {}
        }
    }

    /// How the link is, and not the keys that were stored of it: one that is degraded and brings no key at all is down, as a cut fibre is
    /// while the key managers at its ends still give out what they have.
    fn link_state(self) -> &'static str {
        match (self.state, self.secret_key_rate_bps) {
            ("degraded", Some(rate)) if rate <= 0.0 => "down",
            (state, _) => state,
        }
    }

    pub(super) fn link(self, id: &str, peer: &str) -> LinkEnd {
        LinkEnd {
            id: id.to_owned(),
            peer: peer.to_owned(),
            state: self.link_state().to_owned(),
            qber_ratio: self.qber_ratio,
            secret_key_rate_bps: self.secret_key_rate_bps,
            key_store_fill_ratio: self.fill,
            time_to_exhaustion_s: self.lasts,
        }
    }

    pub(super) fn relation(self, id: &str, peer: &str) -> KeyRelation {
        KeyRelation {
            id: id.to_owned(),
            peer: peer.to_owned(),
            state: self.state.to_owned(),
            key_rate_bps: self.key_rate_bps,
            key_store_fill_ratio: self.fill,
            time_to_exhaustion_s: self.lasts,
        }
    }

    /// There is key where it is up and keys come, or are in store.
    pub(super) fn look(self) -> Look {
        let stored = self.level.or(self.fill).map(|level| level > 0.0);
        let comes = self.key_rate_bps.map(|rate| rate > 0.0);
        let has_key = match (self.state, comes, stored) {
            ("down", ..) => Some(false),
            (_, Some(true), _) | (_, _, Some(true)) => Some(true),
            (_, Some(false), _) | (_, _, Some(false)) => Some(false),
            ("unknown", ..) => None,
            _ => Some(true),
        };
        Look { has_key, key_rate_bps: self.key_rate_bps }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_lasts_as_long_as_what_leaves_it_exceeds_what_enters() {
        let store = |level, comes_in, goes_out| Store { level, comes_in, goes_out }.lasts();
        assert_eq!(store(Some(6_000.0), Some(40.0), Some(50.0)), Some(600.0));
        assert_eq!(store(Some(6_000.0), Some(50.0), Some(50.0)), None);
        assert_eq!(store(None, Some(40.0), Some(50.0)), None);
    }

    #[test]
    fn the_worse_state_counts() {
        assert_eq!((worse("up", "degraded"), worse("unknown", "up"), worse("down", "up")), ("degraded", "up", "down"));
    }

    #[test]
    fn a_link_that_brings_no_key_is_down_while_its_store_makes_a_degraded_relation_of_it() {
        let at = |state, rate| Measured { state, secret_key_rate_bps: rate, ..Measured::default() };
        let link = |state, rate| at(state, rate).link("l", "west").state;
        assert_eq!(link("degraded", Some(0.0)), "down");
        assert_eq!(link("degraded", Some(3.0)), "degraded");
        assert_eq!(link("degraded", None), "degraded", "nobody says that no key comes");
        assert_eq!(link("up", Some(0.0)), "up", "it begins, or fills its store in turns");
        assert_eq!(at("degraded", Some(0.0)).relation("l", "west").state, "degraded");
    }

    #[test]
    fn there_is_key_where_keys_come_or_are_in_store() {
        let has_key =
            |state, rate, fill| Measured { state, key_rate_bps: rate, fill, ..Measured::default() }.look().has_key;
        assert_eq!(has_key("unknown", None, None), None);
        assert_eq!(has_key("up", None, None), Some(true));
        assert_eq!(has_key("unknown", Some(0.0), None), Some(false));
        assert_eq!(has_key("up", Some(0.0), Some(0.3)), Some(true));
        assert_eq!(has_key("up", Some(0.0), Some(0.0)), Some(false));
        assert_eq!(has_key("down", Some(10.0), Some(0.3)), Some(false));
    }

    #[test]
    fn the_best_measure_of_a_rate_counts() {
        let (mut measured, mut store, mut rates) = (Measured::default(), Store::default(), [None; 4]);
        for (name, value) in
            [("secret_key_rate_bps", 4.0), ("key_input_rate_bps", 3.0), ("effective_secret_key_rate_bps", 2.0)]
        {
            measured.number(name, value, &mut store, &mut rates);
        }
        assert_eq!(rates.into_iter().flatten().next(), Some(2.0));
        assert_eq!((measured.secret_key_rate_bps, store.comes_in), (Some(4.0), Some(3.0)));
    }
}
