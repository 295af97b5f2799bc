//! Repeated refusals of one identity become one entry (DESIGN section 4).
//!
//! In: each refusal, with its time. Out: what is to be written and alarmed about: the first of an identity in a window
//! at once, the rest as one summary when the window ends. Pure and bounded: a peer that tries a thousand times a second,
//! or comes under a thousand names, costs one entry a minute each, and the last of these names share one.

use std::{collections::HashMap, fmt};

use crate::{
    config::limits::{REFUSAL_IDENTITIES, REFUSAL_WINDOW},
    model::Timestamp,
};

/// Something was refused.
#[derive(Clone, Copy, Debug)]
pub struct RefusalSeen<'a> {
    /// Who: certificate fingerprint, component, or address if nothing better is known. Refusals of one `who` coalesce.
    pub who: &'a str,
    /// Short name of the cause.
    pub cause: &'static str,
    /// Address it came from.
    pub peer: &'a str,
    /// What was found and what was expected.
    pub sentence: &'a str,
}

/// What is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusalEntry {
    /// When.
    pub time: Timestamp,
    /// Start of the window.
    pub since: Timestamp,
    /// Who; [`OTHERS`] for those beyond the bound.
    pub who: String,
    /// Cause of the last one.
    pub cause: &'static str,
    /// Address the last one came from.
    pub peer: String,
    /// Its sentence.
    pub sentence: String,
    /// Refusals that this entry stands for.
    pub count: u64,
    /// The same by cause, in the order of first occurrence.
    pub causes: Vec<(&'static str, u64)>,
    /// Whether it sums up the rest of a window, after its first.
    pub is_summary: bool,
}

impl fmt::Display for RefusalEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let from = if self.peer.is_empty() { String::new() } else { format!(" from {}", self.peer) };
        if !self.is_summary {
            return write!(f, "refused {}{from}: {}: {}", self.who, self.cause, self.sentence);
        }
        write!(f, "refused {} and {} more times since {} (", self.who, self.count, self.since)?;
        for (at, (cause, count)) in self.causes.iter().enumerate() {
            write!(f, "{}{cause}: {count}", if at == 0 { "" } else { ", " })?;
        }
        write!(f, "), last{from}: {}", self.sentence)
    }
}

/// Name of those who are not told apart.
pub const OTHERS: &str = "others";

/// The windows that are open.
#[derive(Debug)]
pub struct Refusals {
    window_ms: i64,
    identities: usize,
    open: HashMap<String, Window>,
}

#[derive(Debug)]
struct Window {
    since: Timestamp,
    repeats: u64,
    causes: Vec<(&'static str, u64)>,
    last_cause: &'static str,
    last_peer: String,
    last_sentence: String,
}

impl Refusals {
    /// With the manager's bounds.
    #[must_use]
    pub fn new() -> Self {
        Self::with_bounds(i64::try_from(REFUSAL_WINDOW.as_millis()).unwrap_or(i64::MAX), REFUSAL_IDENTITIES)
    }

    fn with_bounds(window_ms: i64, identities: usize) -> Self {
        Self { window_ms, identities, open: HashMap::new() }
    }

    /// Takes a refusal in. What comes back is to be written now: the first of a window, and before it the summary of
    /// the window that ended unnoticed, if there was one.
    #[must_use]
    pub fn refused(&mut self, now: Timestamp, seen: RefusalSeen<'_>) -> Vec<RefusalEntry> {
        let who = if self.open.contains_key(seen.who) || self.open.len() < self.identities { seen.who } else { OTHERS };
        let mut entries = Vec::new();
        if let Some(window) = self.open.get_mut(who) {
            if now.since(window.since) < self.window_ms {
                window.repeat(seen);
                return entries;
            }
            entries.extend(window.summary(who, now));
        }
        self.open.insert(who.to_owned(), Window::starting(now, seen));
        entries.push(RefusalEntry {
            time: now,
            since: now,
            who: who.to_owned(),
            cause: seen.cause,
            peer: seen.peer.to_owned(),
            sentence: seen.sentence.to_owned(),
            count: 1,
            causes: vec![(seen.cause, 1)],
            is_summary: false,
        });
        entries
    }

    /// Ends the windows whose time is over: the summaries of those in which something was repeated.
    #[must_use]
    pub fn ended(&mut self, now: Timestamp) -> Vec<RefusalEntry> {
        let over = |window: &Window| now.since(window.since) >= self.window_ms;
        let mut entries: Vec<RefusalEntry> = self
            .open
            .iter()
            .filter(|(_, window)| over(window))
            .filter_map(|(who, window)| window.summary(who, now))
            .collect();
        entries.sort_by(|a, b| a.who.cmp(&b.who));
        let window_ms = self.window_ms;
        self.open.retain(|_, window| now.since(window.since) < window_ms);
        entries
    }

    /// Ends all windows, for a manager that stops.
    #[must_use]
    pub fn finish(&mut self, now: Timestamp) -> Vec<RefusalEntry> {
        let mut entries: Vec<RefusalEntry> =
            self.open.drain().filter_map(|(who, window)| window.summary(&who, now)).collect();
        entries.sort_by(|a, b| a.who.cmp(&b.who));
        entries
    }
}

impl Default for Refusals {
    fn default() -> Self {
        Self::new()
    }
}

impl Window {
    fn starting(now: Timestamp, seen: RefusalSeen<'_>) -> Self {
        Self {
            since: now,
            repeats: 0,
            causes: Vec::new(),
            last_cause: seen.cause,
            last_peer: seen.peer.to_owned(),
            last_sentence: seen.sentence.to_owned(),
        }
    }

    fn repeat(&mut self, seen: RefusalSeen<'_>) {
        self.repeats += 1;
        // Causes are names in the code: there are few.
        match self.causes.iter_mut().find(|(cause, _)| *cause == seen.cause) {
            Some((_, count)) => *count += 1,
            None => self.causes.push((seen.cause, 1)),
        }
        self.last_cause = seen.cause;
        seen.peer.clone_into(&mut self.last_peer);
        seen.sentence.clone_into(&mut self.last_sentence);
    }

    fn summary(&self, who: &str, now: Timestamp) -> Option<RefusalEntry> {
        (self.repeats > 0).then(|| RefusalEntry {
            time: now,
            since: self.since,
            who: who.to_owned(),
            cause: self.last_cause,
            peer: self.last_peer.clone(),
            sentence: self.last_sentence.clone(),
            count: self.repeats,
            causes: self.causes.clone(),
            is_summary: true,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seen<'a>(who: &'a str, cause: &'static str) -> RefusalSeen<'a> {
        RefusalSeen { who, cause, peer: "192.0.2.1:4000", sentence: "so it is" }
    }

    #[test]
    fn the_first_is_told_at_once_and_the_rest_when_the_window_ends() {
        let mut refusals = Refusals::with_bounds(60_000, 10);
        let first = refusals.refused(Timestamp(0), seen("ab12", "expired"));
        assert_eq!(first.len(), 1);
        assert_eq!(first[0].to_string(), "refused ab12 from 192.0.2.1:4000: expired: so it is");
        for at in 1..=312 {
            assert_eq!(refusals.refused(Timestamp(at), seen("ab12", "expired")), []);
        }
        assert_eq!(refusals.refused(Timestamp(400), seen("ab12", "revoked")), []);
        assert_eq!(refusals.ended(Timestamp(59_999)), []);
        let summary = refusals.ended(Timestamp(60_000));
        assert_eq!(summary.len(), 1);
        assert_eq!(
            summary[0].to_string(),
            "refused ab12 and 313 more times since 1970-01-01T00:00:00.000Z (expired: 312, revoked: 1), \
             last from 192.0.2.1:4000: so it is"
        );
        assert_eq!(refusals.refused(Timestamp(60_001), seen("ab12", "expired")).len(), 1, "a new window");
    }

    #[test]
    fn a_single_refusal_has_no_summary() {
        let mut refusals = Refusals::with_bounds(60_000, 10);
        assert_eq!(refusals.refused(Timestamp(0), seen("a", "expired")).len(), 1);
        assert_eq!(refusals.ended(Timestamp(60_000)), []);
        assert!(refusals.open.is_empty());
    }

    #[test]
    fn identities_beyond_the_bound_share_an_entry() {
        let mut refusals = Refusals::with_bounds(60_000, 2);
        for who in ["a", "b", "c"] {
            assert_eq!(refusals.refused(Timestamp(0), seen(who, "expired")).len(), 1);
        }
        assert_eq!(refusals.refused(Timestamp(1), seen("d", "expired")), []);
        assert_eq!(refusals.refused(Timestamp(1), seen("a", "expired")), []);
        let who: Vec<String> = refusals.finish(Timestamp(2)).into_iter().map(|entry| entry.who).collect();
        assert_eq!(who, ["a", OTHERS]);
    }

    proptest! {
        #[test]
        fn every_refusal_is_told_exactly_once(steps in proptest::collection::vec((0_usize..6, 0_i64..40, any::<bool>()), 0..200)) {
            let names = ["a", "b", "c", "d", "e", "f"];
            let mut refusals = Refusals::with_bounds(100, 3);
            let (mut now, mut told) = (0, 0);
            for (who, gap, tick) in &steps {
                now += gap;
                told += refusals.refused(Timestamp(now), seen(names[*who], "expired")).iter().map(|e| e.count).sum::<u64>();
                if *tick {
                    told += refusals.ended(Timestamp(now)).iter().map(|e| e.count).sum::<u64>();
                }
                prop_assert!(refusals.open.len() <= 4);
            }
            told += refusals.finish(Timestamp(now)).iter().map(|e| e.count).sum::<u64>();
            prop_assert_eq!(told, steps.len() as u64);
        }
    }
}
