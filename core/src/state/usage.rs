//! Accounting: which intervals of usage a component has reported, each counted once.
//!
//! A `usageId` counts once per component within 35 days; an interval that ended earlier is refused (PROTOCOL section 4).
//! Only digests of the IDs are kept here, and for that time; what was counted goes to whoever keeps the books.

use std::collections::{BTreeSet, HashSet};

use aws_lc_rs::digest::{SHA256, digest as sha};
use serde::Deserialize;

use crate::{
    config::limits::{USAGE_DAYS, USAGE_INTERVALS_PER_COMPONENT},
    model::Timestamp,
};

const DAY_MS: i64 = 86_400_000;

/// An interval that counts.
#[derive(Clone, Debug, PartialEq)]
pub struct UsageEntry {
    /// Symbol of the component.
    pub component: u32,
    /// What it says.
    pub usage: Usage,
    /// When the manager accepted it.
    pub counted: Timestamp,
}

/// What a `usage` object says.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Names the interval.
    pub usage_id: String,
    /// The application.
    pub application: String,
    /// The user, if said.
    #[serde(default)]
    pub user: String,
    /// The other side, if said.
    #[serde(default)]
    pub peer: String,
    /// Begin of the interval, RFC 3339.
    pub start_time: String,
    /// Its end.
    pub end_time: String,
    /// Bits of keys consumed.
    #[serde(default)]
    pub consumed_bits: f64,
    /// Keys supplied.
    #[serde(default)]
    pub supplied_keys: f64,
    /// Bits relayed.
    #[serde(default)]
    pub relayed_bits: f64,
}

impl Usage {
    /// Reads an object; nothing if it is none (a vendor's handler may have let it pass).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// Begin of the interval.
    #[must_use]
    pub fn start(&self) -> Option<Timestamp> {
        Timestamp::parse(&self.start_time)
    }

    /// End of the interval.
    #[must_use]
    pub fn end(&self) -> Option<Timestamp> {
        Timestamp::parse(&self.end_time)
    }
}

/// Digest of a `usageId`: too long for anybody to find two of one.
pub type UsageDigest = [u8; 16];

/// The digest of an ID.
#[must_use]
pub fn digest(usage_id: &str) -> UsageDigest {
    let mut short = UsageDigest::default();
    short.iter_mut().zip(sha(&SHA256, usage_id.as_bytes()).as_ref()).for_each(|(to, from)| *to = *from);
    short
}

/// The intervals of a component that were counted and are not too old.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageWindow {
    digests: HashSet<UsageDigest>,
    by_end: BTreeSet<(Timestamp, UsageDigest)>,
}

impl UsageWindow {
    /// Why an interval cannot be accepted: the key that is wrong, and what is wrong with it.
    #[must_use]
    pub fn refusal(&self, usage: &Usage, now: Timestamp) -> Option<(&'static str, String)> {
        let end = usage.end()?;
        if end < earliest(now) {
            let text = format!("ended more than {USAGE_DAYS} days ago and can no longer be told from a repeat");
            return Some(("endTime", text));
        }
        let full =
            self.digests.len() >= USAGE_INTERVALS_PER_COMPONENT && !self.digests.contains(&digest(&usage.usage_id));
        full.then(|| {
            let text = format!(
                "this component has reported {USAGE_INTERVALS_PER_COMPONENT} intervals within {USAGE_DAYS} days, the most that are \
                 counted; report longer ones"
            );
            ("usageId", text)
        })
    }

    /// Counts an interval, and forgets those that have become too old. False: it was counted before.
    pub fn count(&mut self, digest: UsageDigest, end: Timestamp, now: Timestamp) -> bool {
        while let Some(&(oldest, old)) = self.by_end.first().filter(|(oldest, _)| *oldest < earliest(now)) {
            self.by_end.remove(&(oldest, old));
            self.digests.remove(&old);
        }
        let is_new = self.digests.insert(digest);
        if is_new {
            self.by_end.insert((end, digest));
        }
        is_new
    }

    /// Takes an interval back.
    pub fn undo(&mut self, digest: &UsageDigest, end: Timestamp) {
        self.digests.remove(digest);
        self.by_end.remove(&(end, *digest));
    }
}

/// An interval that ended before this is refused.
#[must_use]
pub const fn earliest(now: Timestamp) -> Timestamp {
    now.plus(-(USAGE_DAYS * DAY_MS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn usage(id: &str, end: &str) -> Usage {
        let text = format!(
            r#"{{"type":"usage","usageId":"{id}","application":"a","startTime":"{end}","endTime":"{end}","suppliedKeys":3}}"#
        );
        Usage::parse(&text).unwrap()
    }

    #[test]
    fn old_intervals_are_refused_and_forgotten() {
        let now = Timestamp::parse("2026-03-10T00:00:00Z").unwrap();
        let mut window = UsageWindow::default();
        let old = usage("x", "2026-02-02T23:59:59Z");
        assert_eq!(window.refusal(&old, now).unwrap().0, "endTime");
        let new = usage("x", "2026-02-03T00:00:00Z");
        assert_eq!(window.refusal(&new, now), None);
        assert!(window.count(digest("x"), new.end().unwrap(), now));
        assert!(!window.count(digest("x"), now, now), "counted once, whatever the interval");
        assert!(window.count(digest("y"), now, now.plus(DAY_MS)));
        assert_eq!(window.digests.len(), 1, "x is too old now");
    }

    proptest! {
        /// What is taken back is as if it had never been; what is counted is counted once.
        #[test]
        fn counting_is_undone_exactly(ids in prop::collection::vec((0_u8..20, 0_i64..1_000), 0..40), more in prop::collection::vec((0_u8..30, 0_i64..1_000), 0..20)) {
            let mut window = UsageWindow::default();
            let count = |window: &mut UsageWindow, (id, end): (u8, i64)| {
                let digest = digest(&id.to_string());
                window.count(digest, Timestamp(end), Timestamp(0)).then_some((digest, Timestamp(end)))
            };
            let counted = ids.iter().filter_map(|&one| count(&mut window, one)).count();
            let distinct: HashSet<u8> = ids.iter().map(|(id, _)| *id).collect();
            prop_assert_eq!(counted, distinct.len());
            let before = window.clone();
            let done: Vec<_> = more.iter().filter_map(|&one| count(&mut window, one)).collect();
            done.iter().rev().for_each(|(digest, end)| window.undo(digest, *end));
            prop_assert_eq!(window, before);
        }
    }
}
