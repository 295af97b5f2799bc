//! Repeated refusals of one identity for one cause become one entry (DESIGN section 4).
//!
//! In: each refusal, with its time. Out: what is to be written and alarmed about: the first of its kind in a window at
//! once, the rest as one summary when the window ends. Who has proved who it is is never counted together with who only
//! claims it: a stranger cannot hide somebody's refusals behind its own, nor take up the room that is kept for them. Pure
//! and bounded: a peer that tries a thousand times a second, or comes under a thousand names, costs one entry a minute
//! each, and the last of these names share one.

use std::{collections::HashMap, fmt};

use crate::{
    config::limits::{REFUSAL_IDENTITIES, REFUSAL_WINDOW},
    model::Timestamp,
};

/// Something was refused.
#[derive(Clone, Copy, Debug)]
pub struct RefusalSeen<'a> {
    /// Who: certificate subject, component, or address if nothing better is known.
    pub who: &'a str,
    /// Whether that is proved, or only what a peer that was refused in the handshake says of itself.
    pub is_verified: bool,
    /// Short name of the cause. Refusals of one `who` for one cause coalesce.
    pub cause: &'static str,
    /// Alarm type, such as `authentication-failed`.
    pub alarm_type: &'static str,
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
    /// Whether that is proved.
    pub is_verified: bool,
    /// Cause of all of them; of those beyond the bound: of the last one.
    pub cause: &'static str,
    /// Alarm type of the last one.
    pub alarm_type: &'static str,
    /// Address the last one came from.
    pub peer: String,
    /// Its sentence.
    pub sentence: String,
    /// Refusals that this entry stands for.
    pub count: u64,
    /// Whether it sums up the rest of a window, after its first.
    pub is_summary: bool,
}

impl fmt::Display for RefusalEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { who, cause, sentence, count, since, .. } = self;
        let doubt = if self.is_verified || who == OTHERS { "" } else { " (not verified)" };
        let from = if self.peer.is_empty() { String::new() } else { format!(" from {}", self.peer) };
        if !self.is_summary {
            return write!(f, "refused {who}{doubt}{from}: {cause}: {sentence}");
        }
        let times = if *count == 1 { "once more".to_owned() } else { format!("{count} more times") };
        write!(f, "refused {who}{doubt} {times} since {since}: {cause}, last{from}: {sentence}")
    }
}

/// Name of those who are not told apart.
pub const OTHERS: &str = "others";

/// The windows that are open.
#[derive(Debug)]
pub struct Refusals {
    window_ms: i64,
    /// Most windows of those who are verified, and as many of those who are not.
    identities: usize,
    verified: HashMap<Kind, Window>,
    unverified: HashMap<Kind, Window>,
}

/// Whose refusals, for which cause; those beyond the bound have no cause of their own.
type Kind = (String, Option<&'static str>);

#[derive(Debug)]
struct Window {
    since: Timestamp,
    repeats: u64,
    last_cause: (&'static str, &'static str),
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
        Self { window_ms, identities, verified: HashMap::new(), unverified: HashMap::new() }
    }

    /// Takes a refusal in. What comes back is to be written now: the first of a window, and before it the summary of
    /// the window that ended unnoticed, if there was one.
    #[must_use]
    pub fn refused(&mut self, now: Timestamp, seen: RefusalSeen<'_>) -> Vec<RefusalEntry> {
        let open = if seen.is_verified { &mut self.verified } else { &mut self.unverified };
        let mut kind: Kind = (seen.who.to_owned(), Some(seen.cause));
        if open.len() >= self.identities && !open.contains_key(&kind) {
            kind = (OTHERS.to_owned(), None);
        }
        let mut entries = Vec::new();
        if let Some(window) = open.get_mut(&kind) {
            if now.since(window.since) < self.window_ms {
                window.repeat(seen);
                return entries;
            }
            entries.extend(window.summary(&kind, seen.is_verified, now));
        }
        entries.push(RefusalEntry {
            time: now,
            since: now,
            who: kind.0.clone(),
            is_verified: seen.is_verified,
            cause: seen.cause,
            alarm_type: seen.alarm_type,
            peer: seen.peer.to_owned(),
            sentence: seen.sentence.to_owned(),
            count: 1,
            is_summary: false,
        });
        open.insert(kind, Window::starting(now, seen));
        entries
    }

    /// Ends the windows whose time is over: the summaries of those in which something was repeated.
    #[must_use]
    pub fn ended(&mut self, now: Timestamp) -> Vec<RefusalEntry> {
        let window_ms = self.window_ms;
        self.end(now, |window| now.since(window.since) >= window_ms)
    }

    /// Ends all windows, for a manager that stops.
    #[must_use]
    pub fn finish(&mut self, now: Timestamp) -> Vec<RefusalEntry> {
        self.end(now, |_| true)
    }

    fn end(&mut self, now: Timestamp, over: impl Fn(&Window) -> bool) -> Vec<RefusalEntry> {
        let mut entries = Vec::new();
        for (open, is_verified) in [(&mut self.verified, true), (&mut self.unverified, false)] {
            let ended = open.extract_if(|_, window| over(window));
            entries.extend(ended.filter_map(|(kind, window)| window.summary(&kind, is_verified, now)));
        }
        entries.sort_by(|a, b| (&a.who, a.cause).cmp(&(&b.who, b.cause)));
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
            last_cause: (seen.cause, seen.alarm_type),
            last_peer: seen.peer.to_owned(),
            last_sentence: seen.sentence.to_owned(),
        }
    }

    fn repeat(&mut self, seen: RefusalSeen<'_>) {
        self.repeats += 1;
        self.last_cause = (seen.cause, seen.alarm_type);
        seen.peer.clone_into(&mut self.last_peer);
        seen.sentence.clone_into(&mut self.last_sentence);
    }

    fn summary(&self, (who, _): &Kind, is_verified: bool, now: Timestamp) -> Option<RefusalEntry> {
        (self.repeats > 0).then(|| RefusalEntry {
            time: now,
            since: self.since,
            who: who.clone(),
            is_verified,
            cause: self.last_cause.0,
            alarm_type: self.last_cause.1,
            peer: self.last_peer.clone(),
            sentence: self.last_sentence.clone(),
            count: self.repeats,
            is_summary: true,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seen<'a>(who: &'a str, cause: &'static str) -> RefusalSeen<'a> {
        RefusalSeen {
            who,
            is_verified: true,
            cause,
            alarm_type: "refused",
            peer: "192.0.2.1:4000",
            sentence: "so it is",
        }
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
        assert_eq!(refusals.refused(Timestamp(400), seen("ab12", "revoked")).len(), 1, "another cause");
        assert_eq!(refusals.ended(Timestamp(59_999)), []);
        let summary = refusals.ended(Timestamp(60_000));
        assert_eq!(summary.len(), 1);
        assert_eq!(
            summary[0].to_string(),
            "refused ab12 312 more times since 1970-01-01T00:00:00.000Z: expired, last from 192.0.2.1:4000: so it is"
        );
        assert_eq!(refusals.refused(Timestamp(60_001), seen("ab12", "expired")).len(), 1, "a new window");
    }

    #[test]
    fn a_single_refusal_has_no_summary() {
        let mut refusals = Refusals::with_bounds(60_000, 10);
        assert_eq!(refusals.refused(Timestamp(0), seen("a", "expired")).len(), 1);
        assert_eq!(refusals.ended(Timestamp(60_000)), []);
        assert!(refusals.verified.is_empty());
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

    #[test]
    fn who_only_claims_a_name_hides_nobody_and_takes_nobodys_room() {
        let mut refusals = Refusals::with_bounds(60_000, 2);
        for name in ["CN=km-1", "CN=a", "CN=b", "CN=c"] {
            let claimed = RefusalSeen { is_verified: false, ..seen(name, "unknown-issuer") };
            let _ = refusals.refused(Timestamp(0), claimed);
        }
        let entries = refusals.refused(Timestamp(1), seen("CN=km-1", "not-covered"));
        assert_eq!(entries[0].to_string(), "refused CN=km-1 from 192.0.2.1:4000: not-covered: so it is");
        let claimed = RefusalSeen { is_verified: false, ..seen("CN=km-1", "unknown-issuer") };
        assert_eq!(refusals.refused(Timestamp(2), claimed), []);
        let told: Vec<String> = refusals.finish(Timestamp(3)).iter().map(ToString::to_string).collect();
        let since = "since 1970-01-01T00:00:00.000Z: unknown-issuer, last from 192.0.2.1:4000: so it is";
        assert_eq!(
            told,
            [format!("refused CN=km-1 (not verified) once more {since}"), format!("refused others once more {since}")]
        );
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
                prop_assert!(refusals.verified.len() <= 4);
            }
            told += refusals.finish(Timestamp(now)).iter().map(|e| e.count).sum::<u64>();
            prop_assert_eq!(told, steps.len() as u64);
        }
    }
}
