//! The chain of the audit trail: what a line carries beside its entry, and how a trail is verified.
//!
//! A line is a JSON object `{"number":n,"previous":"...",...}`: its number, the SHA-256 of the bytes of the line before (64
//! zeros for the first), the entry. The hash of a line is that over all its bytes, so that the hash of the last, the *head*,
//! stands for the whole trail: who has noted a head can prove later that nothing before it was changed, and that the end was
//! not cut off. Pure: lines in, findings out; which files they come from is the caller's.

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::AuditEntry;
use crate::model::Timestamp;

/// Where a chain stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Head {
    /// Number of the last line; 0: there is none.
    pub number: u64,
    /// Its hash, lower-case hex.
    pub hash: String,
}

impl Default for Head {
    fn default() -> Self {
        Self { number: 0, hash: "0".repeat(64) }
    }
}

/// A line of the trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Its number.
    pub number: u64,
    /// Hash of the line before.
    pub previous: String,
    /// What it tells.
    #[serde(flatten)]
    pub entry: AuditEntry,
}

/// The hash of a line, without its line feed.
#[must_use]
pub fn hash(line: &[u8]) -> String {
    digest(&SHA256, line).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Head {
    /// The chain with this line at its end.
    #[must_use]
    pub fn after(number: u64, line: &[u8]) -> Self {
        Self { number, hash: hash(line) }
    }

    /// The next line for an entry.
    pub fn link(&self, entry: AuditEntry) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&Link { number: self.number + 1, previous: self.hash.clone(), entry })
    }
}

/// Key of the detail of an entry that follows a line cut short by a crash: the hash of the last whole line.
pub const TORN_AFTER: &str = "tornAfter";
/// Key of the detail of an entry that tells that earlier ones were deleted: the number of the last of them.
pub const TRIMMED_TO: &str = "trimmedTo";

/// What a whole trail looks like.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verified {
    /// Entries found.
    pub entries: u64,
    /// Number of the first.
    pub first_number: u64,
    /// Time of the first and last.
    pub times: Option<(Timestamp, Timestamp)>,
    /// The head.
    pub head: Head,
    /// Whether the head asked for was passed.
    pub passed_head: bool,
    /// Lines cut short by crashes, each told by the entry behind it.
    pub torn: u64,
    /// Entries lost, as the trail says itself.
    pub lost: u64,
}

/// The first place where a trail does not hold together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}")]
pub struct Break {
    /// The line, as the caller named it.
    pub place: String,
    /// What is wrong.
    pub what: String,
}

/// Walks a trail line by line.
#[derive(Debug, Default)]
pub struct Verifier {
    found: Verified,
    wanted_head: Option<String>,
    trimmed_to: Option<u64>,
    /// A line that is no JSON: it counts as cut short if the next one says so.
    fragment: Option<(String, String)>,
}

impl Verifier {
    /// A walk that also looks for a head noted earlier.
    #[must_use]
    pub fn new(wanted_head: Option<String>) -> Self {
        Self { wanted_head, ..Self::default() }
    }

    /// The next line; `place` names it for people.
    pub fn line(&mut self, line: &[u8], place: impl Fn() -> String) -> Result<(), Break> {
        let broken = |what: String| Break { place: place(), what };
        let Ok(link) = serde_json::from_slice::<Link>(line) else {
            if let Some((first, _)) = self.fragment.replace((place(), hash(line))) {
                return Err(Break { place: first, what: "this is no entry of an audit trail".to_owned() });
            }
            return Ok(());
        };
        let is_first = self.found.entries == 0;
        let expected = self.found.head.clone();
        let detail = |key: &str| link.entry.detail.get(key).cloned().unwrap_or_default();
        match self.fragment.take() {
            Some((torn, hash)) => {
                let told = detail(TORN_AFTER);
                if link.previous != hash || told.as_str() != Some(expected.hash.as_str()) {
                    return Err(Break { place: torn, what: "this is no entry of an audit trail".to_owned() });
                }
                self.found.torn += 1;
            }
            None if !is_first && link.previous != expected.hash => {
                let what = format!(
                    "it does not follow the line before: that has the hash {}, this one expects {}",
                    expected.hash, link.previous
                );
                return Err(broken(what));
            }
            None => {}
        }
        if !is_first && link.number != expected.number + 1 {
            return Err(broken(format!("it has number {}, expected {}", link.number, expected.number + 1)));
        }
        if is_first {
            self.found.first_number = link.number;
            if link.number == 1 && link.previous != Head::default().hash {
                return Err(broken("it is the first entry and follows another".to_owned()));
            }
        }
        self.trimmed_to = self.trimmed_to.max(detail(TRIMMED_TO).as_u64());
        self.found.lost += detail("lost").as_u64().unwrap_or(0);
        let first = self.found.times.map_or(link.entry.time, |(first, _)| first);
        self.found.times = Some((first, link.entry.time));
        self.found.entries += 1;
        self.found.head = Head::after(link.number, line);
        self.found.passed_head |= self.wanted_head.as_ref() == Some(&self.found.head.hash);
        Ok(())
    }

    /// What was found, if everything holds together. A line cut short at the very end is a crash that nobody has gone on
    /// from yet.
    pub fn finish(mut self) -> Result<Verified, Break> {
        let whole = |what: String| Break { place: "the trail".to_owned(), what };
        self.found.torn += u64::from(self.fragment.is_some());
        let missing = self.found.first_number.saturating_sub(1);
        if self.found.entries > 0 && missing > 0 && self.trimmed_to.unwrap_or(0) < missing {
            let what = format!(
                "it begins with entry {}, and no entry says that the {missing} before it were deleted by age",
                self.found.first_number
            );
            return Err(whole(what));
        }
        if let Some(head) = self.wanted_head.filter(|_| !self.found.passed_head) {
            return Err(whole(format!(
                "the head {head} is not in it: entries were cut off or changed since it was noted"
            )));
        }
        Ok(self.found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn trail(count: u64) -> Vec<Vec<u8>> {
        let mut head = Head::default();
        let entry =
            |n: u64| AuditEntry::of_manager(Timestamp(n as i64), "test", format!("entry {n}"), serde_json::Value::Null);
        (1..=count)
            .map(|n| {
                let line = head.link(entry(n)).unwrap();
                head = Head::after(n, &line);
                line
            })
            .collect()
    }

    fn verify(lines: &[Vec<u8>], head: Option<String>) -> Result<Verified, Break> {
        let mut verifier = Verifier::new(head);
        for (number, line) in lines.iter().enumerate() {
            verifier.line(line, || format!("line {}", number + 1))?;
        }
        verifier.finish()
    }

    #[test]
    fn a_trail_holds_together_and_its_head_stands_for_it() {
        let lines = trail(5);
        let found = verify(&lines, None).unwrap();
        assert_eq!((found.entries, found.first_number, found.head.number), (5, 1, 5));
        let third = hash(&lines[2]);
        assert!(verify(&lines, Some(third.clone())).unwrap().passed_head);
        let cut = verify(&lines[..2], Some(third)).unwrap_err();
        assert!(cut.what.contains("cut off"), "{cut}");
        assert!(verify(&lines[1..], None).unwrap_err().what.contains("begins with entry 2"));
    }

    #[test]
    fn a_line_cut_short_is_believed_only_if_the_next_entry_tells_it() {
        let lines = trail(3);
        let torn = lines[2][..20].to_vec();
        let after = Head::after(2, &lines[1]);
        let told = serde_json::json!({ TORN_AFTER: after.hash });
        let next = |detail: serde_json::Value| {
            let entry = AuditEntry::of_manager(Timestamp(9), "audit", "cut short", detail);
            Head { number: 2, hash: hash(&torn) }.link(entry).unwrap()
        };
        let found = verify(&[lines[0].clone(), lines[1].clone(), torn.clone(), next(told)], None).unwrap();
        assert_eq!((found.entries, found.torn), (3, 1));
        let untold = [lines[0].clone(), lines[1].clone(), torn.clone(), next(serde_json::Value::Null)];
        assert!(verify(&untold, None).is_err());
        assert_eq!(verify(&[lines[0].clone(), torn], None).unwrap().torn, 1, "nobody went on yet");
    }

    proptest! {
        /// Any change of one byte, any line left out, doubled or exchanged is found, if the head is known.
        #[test]
        fn tampering_is_found(count in 2_u64..12, which in any::<prop::sample::Index>(), other in any::<prop::sample::Index>(), byte in any::<prop::sample::Index>(), flip in 1_u8..=255, how in 0_u8..4) {
            let lines = trail(count);
            let head = hash(lines.last().unwrap());
            let mut changed = lines.clone();
            let at = which.index(lines.len());
            match how {
                0 => {
                    let line = &mut changed[at];
                    let place = byte.index(line.len());
                    line[place] ^= flip;
                    // A line feed would make two lines of it.
                    prop_assume!(line[place] != b'\n');
                }
                1 => drop(changed.remove(at)),
                2 => {
                    let with = other.index(lines.len());
                    prop_assume!(at != with);
                    changed.swap(at, with);
                }
                _ => {
                    let line = changed[at].clone();
                    changed.insert(at, line);
                }
            }
            prop_assert!(verify(&changed, Some(head)).is_err());
        }
    }
}
