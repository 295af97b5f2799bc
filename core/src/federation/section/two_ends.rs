//! A link between two domains, as both of its ends say it.

use super::LinkEnd;

/// A link as both of its ends say it.
#[derive(Clone, Debug, PartialEq)]
pub struct TwoEnds {
    /// Its name.
    pub id: String,
    /// Ours.
    pub ours: Option<LinkEnd>,
    /// The other domain's.
    pub theirs: Option<LinkEnd>,
}

/// Error rates that are further apart than this are told: both ends count the same photons.
const QBER_APART: f64 = 0.01;
/// Key stores that are further apart than this are told: both ends put in and take out the same keys.
const STORE_APART: f64 = 0.1;

/// States of links from good to bad; `unknown` is what nobody says anything else of.
pub(in crate::federation) const WORSE_AND_WORSE: [&str; 4] = ["unknown", "up", "degraded", "down"];

/// A link of which one end is known to be up, and the domain at the other is not heard: nobody knows whether it is.
pub(in crate::federation) const ONE_SIDED: &str = "one-sided";

/// The state of a link: the worst that is said of it and still holds. It is not `up` by the word of one end while the domain at the other
/// is silent.
pub(in crate::federation) fn joined<'a>(said: impl Iterator<Item = &'a str>, one_is_silent: bool) -> &'static str {
    let worst = said.map(rank).max().and_then(|worst| WORSE_AND_WORSE.get(worst)).copied().unwrap_or("unknown");
    if worst == "up" && one_is_silent { ONE_SIDED } else { worst }
}

/// How bad a state is.
pub(in crate::federation) fn rank(state: &str) -> usize {
    WORSE_AND_WORSE.iter().position(|known| *known == state).unwrap_or(0)
}

impl TwoEnds {
    /// Joins the ends of links with one domain by their names; of its ends, those that it says lead to us.
    #[must_use]
    pub fn join(us: &str, ours: &[LinkEnd], theirs: &[LinkEnd]) -> Vec<Self> {
        let mut ids: Vec<&str> = ours.iter().chain(theirs).map(|end| end.id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        let of = |ends: &[LinkEnd], id: &str| ends.iter().find(|end| end.id == id).cloned();
        let lead_to_us: Vec<LinkEnd> = theirs.iter().filter(|end| end.peer == us).cloned().collect();
        ids.into_iter()
            .map(|id| Self { id: id.to_owned(), ours: of(ours, id), theirs: of(&lead_to_us, id) })
            .filter(|both| both.ours.is_some() || both.theirs.is_some())
            .collect()
    }

    /// The worse of both states. Where the other domain `is_silent`, what it once said says nothing about now: then ours alone, and
    /// `one-sided` instead of `up`.
    #[must_use]
    pub fn state(&self, is_silent: bool) -> &'static str {
        let theirs = self.theirs.iter().filter(|_| !is_silent);
        joined(self.ours.iter().chain(theirs).map(|end| end.state.as_str()), is_silent)
    }

    /// What the ends say differently, in words.
    #[must_use]
    pub fn differences(&self) -> Vec<String> {
        let (ours, theirs) = match (&self.ours, &self.theirs) {
            (Some(ours), Some(theirs)) => (ours, theirs),
            (Some(_), None) => return vec!["the other domain says nothing of it".to_owned()],
            _ => return vec!["it is not among our [[federation.links]]".to_owned()],
        };
        let mut found = Vec::new();
        if ours.state != theirs.state {
            found.push(format!("we say {}, they say {}", ours.state, theirs.state));
        }
        let apart = |one: Option<f64>, other: Option<f64>, most: f64| match (one, other) {
            (Some(one), Some(other)) if (one - other).abs() > most => Some((one, other)),
            _ => None,
        };
        if let Some((one, other)) = apart(ours.qber_ratio, theirs.qber_ratio, QBER_APART) {
            found.push(format!("QBER {one:.3} here, {other:.3} there"));
        }
        if let Some((one, other)) = apart(ours.key_store_fill_ratio, theirs.key_store_fill_ratio, STORE_APART) {
            found.push(format!("key store {:.0} % full here, {:.0} % there", one * 100.0, other * 100.0));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_of_a_link_are_joined_and_differences_told() {
        let end = |peer: &str, state: &str, qber: f64| LinkEnd {
            id: "l".into(),
            peer: peer.into(),
            state: state.into(),
            qber_ratio: Some(qber),
            ..LinkEnd::default()
        };
        let joined = TwoEnds::join("east", &[end("west", "up", 0.02)], &[end("east", "down", 0.05)]);
        assert_eq!((joined.len(), joined[0].state(false)), (1, "down"));
        assert_eq!(joined[0].differences(), ["we say up, they say down", "QBER 0.020 here, 0.050 there"]);
        assert_eq!(joined[0].state(true), "one-sided", "what they said is old, and ours is up");
        let joined = TwoEnds::join("east", &[end("west", "degraded", 0.02)], &[end("east", "down", 0.05)]);
        assert_eq!(joined[0].state(true), "degraded", "what we see ourselves holds");
        let joined = TwoEnds::join("east", &[], &[end("east", "up", 0.05)]);
        assert_eq!((joined[0].state(false), joined[0].state(true)), ("up", "unknown"));
        // A domain does not speak of a link between others.
        let joined = TwoEnds::join("east", &[end("west", "up", 0.02)], &[end("north", "down", 0.05)]);
        assert_eq!(joined[0].theirs, None);
        assert_eq!(joined[0].differences(), ["the other domain says nothing of it"]);
    }
}
