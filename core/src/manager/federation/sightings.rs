//! When this manager learnt that an end of a link is as it is: by its own receipt of a document, and its own clock.
//!
//! In: documents, each as it is taken. Out: for an end of a link, since when its domain has said the same. What was on the disk at the start
//! was learnt some time before it. Import policies are not asked: a time is shown only with what passes them.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    federation::{
        protocol::{Held, Roster, Slot},
        section,
    },
    model::Timestamp,
};

/// An end of a link in a document: the link's name and the domain at the other end.
type End = (String, String);

/// Ends of a document with their states, and since when.
type Ends = BTreeMap<End, (String, Option<Timestamp>)>;

/// What was learnt when. Copied for whoever looks, while the federation's thread waits; so what a document says is shared.
#[derive(Clone, Debug, Default)]
pub(super) struct Sightings {
    seen: BTreeMap<Slot, Arc<Ends>>,
}

impl Sightings {
    /// A document was taken, at a time; without one: it was there at the start.
    pub(super) fn taken(&mut self, slot: &Slot, held: &Held, at: Option<Timestamp>) {
        self.ends(slot, ends(slot, held), at);
    }

    fn ends(&mut self, slot: &Slot, ends: Vec<(End, String)>, at: Option<Timestamp>) {
        let mut before = self.seen.remove(slot).map(Arc::unwrap_or_clone).unwrap_or_default();
        let since = |(end, state): (End, String)| {
            let same = before.remove(&end).filter(|(was, _)| *was == state);
            let since = same.map_or(at, |(_, since)| since);
            (end, (state, since))
        };
        let now: Ends = ends.into_iter().map(since).collect();
        if !now.is_empty() {
            self.seen.insert(slot.clone(), Arc::new(now));
        }
    }

    /// Since when an end has been in its state; `None`: since before the start, or it is not known.
    pub(super) fn since(&self, slot: &Slot, id: &str, other: &str) -> Option<Timestamp> {
        self.seen.get(slot)?.get(&(id.to_owned(), other.to_owned()))?.1
    }

    /// Forgets documents that are not held any more.
    pub(super) fn keep_only(&mut self, is_held: impl Fn(&Slot) -> bool) {
        self.seen.retain(|slot, _| is_held(slot));
    }
}

/// Sections that tell of links, and the list in each.
pub(super) const OF_LINKS: [(&str, &str); 2] = [("links", "ends"), ("interDomainLinks", "links")];

/// Ends of links in a document, with their states.
fn ends(slot: &Slot, held: &Held) -> Vec<(End, String)> {
    let mut ends = Vec::new();
    // What is said of links is judged by who says it to whom, not by the roster.
    let roster = Roster::default();
    for (name, list) in OF_LINKS {
        let Some(body) = held.sections.get(name) else { continue };
        let read = section::read(&roster, &slot.origin, &slot.audience, name, &body.data).ok().flatten();
        let entries = read.and_then(|found| found.value.get(list)?.as_array().cloned()).unwrap_or_default();
        let text = |entry: &serde_json::Value, name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        ends.extend(entries.iter().map(|one| ((text(one, "id"), text(one, "peer")), text(one, "state"))));
    }
    ends
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::federation::protocol::Audience;

    #[test]
    fn a_state_is_as_old_as_it_has_been_the_same() {
        let slot = Slot { origin: "west".into(), audience: Audience::Federation };
        let mut sightings = Sightings::default();
        let mut take = |state: &str, at: Option<i64>| {
            let end = (("l".to_owned(), "east".to_owned()), state.to_owned());
            sightings.ends(&slot, vec![end], at.map(Timestamp));
            sightings.since(&slot, "l", "east").map(|since| since.0)
        };
        assert_eq!(take("up", None), None);
        assert_eq!(take("up", Some(10)), None, "it was so before the start");
        assert_eq!(take("down", Some(20)), Some(20));
        assert_eq!(take("down", Some(30)), Some(20));
        assert_eq!(take("up", Some(40)), Some(40));
        assert_eq!(sightings.since(&slot, "l", "north"), None);
        sightings.ends(&slot, Vec::new(), Some(Timestamp(50)));
        assert!(sightings.seen.is_empty());
    }
}
