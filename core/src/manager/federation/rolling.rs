//! What an aggregator adds up: from the documents that are held to the roll-up that is published.
//!
//! In: the state machine's documents and who is a member of which area. Out: a roll-up that stays the same while its sources say
//! the same: of a document that says nothing new, the version that first said it stays named. What adds up how is not known
//! here (`federation/section/rollup`), nor whether the sum may be told (border, filter).

use std::{collections::BTreeMap, sync::Arc};

use crate::federation::{
    protocol::{Audience, Freshness, Held, Node, OriginId, Role, Roster, SectionBody, Slot},
    section::{
        Rollup,
        rollup::{self, DISPUTED, MOST_SOURCES, Said, Source, UNHEARD},
    },
};

/// A member of an area, and the document of it that can be added up.
pub struct Heard {
    area: Arc<str>,
    source: Source,
    sections: BTreeMap<Arc<str>, SectionBody>,
}

/// The document that says most to us of those that still hold: what an aggregator is told before what the area is, and that
/// before what everybody is.
fn best<'a>(documents: &[(&'a Slot, &'a Held)], now: u64) -> Option<(&'a Slot, &'a Held)> {
    let rank = |(slot, held): &(&Slot, &Held)| {
        let closeness = match slot.audience {
            Audience::Aggregator => 2,
            Audience::Area(_) => 1,
            Audience::Federation | Audience::Adjacent(_) => 0,
        };
        (held.age(now) <= held.manifest.valid_for_ms, !held.sections.is_empty(), closeness)
    };
    documents.iter().copied().max_by_key(rank)
}

/// What is held of the members whom `own` adds up: of its area, or of every area if it has none. Nothing unless it is an aggregator.
pub(super) fn heard(node: &Node, roster: &Roster, own: &OriginId, now: u64) -> Vec<Heard> {
    let Some(us) = roster.members.get(own).filter(|us| us.role == Role::Aggregator) else { return Vec::new() };
    let mut documents: BTreeMap<&OriginId, Vec<(&Slot, &Held)>> = BTreeMap::new();
    for (slot, held) in node.documents().filter(|(slot, _)| rollup::audience_word(&slot.audience).is_some()) {
        documents.entry(&slot.origin).or_default().push((slot, held));
    }
    let is_ours = |area: &str| !area.is_empty() && (us.area.is_empty() || *us.area == *area);
    let members = roster.members.iter().filter(|(_, member)| member.role == Role::Member && is_ours(&member.area));
    let one = |(origin, area): (&OriginId, &Arc<str>)| {
        let held = documents.get(origin).and_then(|documents| best(documents, now));
        let standing = node.standing(origin, now);
        let (Some((slot, held)), Some(standing)) = (held, standing) else {
            let source = Source { origin: origin.to_string(), state: UNHEARD.to_owned(), ..Source::default() };
            return Heard { area: Arc::clone(area), source, sections: BTreeMap::new() };
        };
        let (age, valid_for) = (held.age(now), held.manifest.valid_for_ms);
        // Another document of it may be newer than this one.
        let is_old = age > valid_for && matches!(standing.freshness, Freshness::Fresh | Freshness::Indirect);
        let state = match standing.freshness {
            _ if standing.disputed => DISPUTED,
            _ if is_old => Freshness::Stale.as_str(),
            freshness => freshness.as_str(),
        };
        let source = Source {
            origin: origin.to_string(),
            state: state.to_owned(),
            age_s: Some(rollup::age_told(age, valid_for)),
            audience: rollup::audience_word(&slot.audience).map(str::to_owned),
            version: Some(held.manifest.version.to_string()),
            manifest_hash: Some(rollup::half(&held.hash)),
            content_hash: Some(rollup::content_hash(&held.manifest)),
        };
        Heard { area: Arc::clone(area), source, sections: held.sections.clone() }
    };
    members.map(|(origin, member)| one((origin, &member.area))).collect()
}

/// Rolls up, and remembers what was named of each source.
#[derive(Debug, Default)]
pub(super) struct Roller {
    named: BTreeMap<String, (Source, Said)>,
    /// Areas that did not fit the last time.
    left_out: Vec<Arc<str>>,
}

impl Roller {
    /// What is published of what is heard now; `None`: there is nothing to add up.
    pub(super) fn roll_up(&mut self, heard: Vec<Heard>) -> Option<Rollup> {
        let mut areas: BTreeMap<Arc<str>, Vec<(Source, Option<Said>)>> = BTreeMap::new();
        let mut before = std::mem::take(&mut self.named);
        for Heard { area, mut source, sections } in heard {
            let said = source.content_hash.is_some().then(|| {
                let same = |(named, _): &(Source, Said)| {
                    (&named.content_hash, &named.audience) == (&source.content_hash, &source.audience)
                };
                let (named, said) = before
                    .remove(&source.origin)
                    .filter(same)
                    .unwrap_or_else(|| (source.clone(), Said::read(&sections)));
                source.version.clone_from(&named.version);
                source.manifest_hash.clone_from(&named.manifest_hash);
                self.named.insert(source.origin.clone(), (named, said.clone()));
                said
            });
            areas.entry(area).or_default().push((source, said));
        }
        let (mut rollup, mut listed, mut left_out) = (Rollup::default(), 0, Vec::new());
        for (area, sources) in areas {
            if listed + sources.len() > MOST_SOURCES {
                left_out.push(area);
                continue;
            }
            listed += sources.len();
            rollup.areas.push(rollup::sum(&area, sources));
        }
        if left_out != self.left_out && !left_out.is_empty() {
            let areas = left_out.join(", ");
            tracing::warn!(
                areas,
                most = MOST_SOURCES,
                "Areas are left out of the roll-up: it has too many sources. Give each area an aggregator."
            );
        }
        self.left_out = left_out;
        (!rollup.areas.is_empty()).then_some(rollup)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(origin: &str, area: &str, version: &str, content: &str) -> Heard {
        let health = br#"{"components":{"mk":{"known":2}}}"#.as_slice();
        let body = SectionBody { name: "health".into(), salt: [0; 16], data: health.into() };
        let source = Source {
            origin: origin.to_owned(),
            state: "fresh".to_owned(),
            age_s: Some(45),
            audience: Some("federation".to_owned()),
            version: Some(version.to_owned()),
            manifest_hash: Some(version.to_owned()),
            content_hash: Some(content.to_owned()),
        };
        Heard { area: area.into(), source, sections: [("health".into(), body)].into() }
    }

    #[test]
    fn a_refresh_changes_nothing_and_other_content_names_its_version() {
        let mut roller = Roller::default();
        let first = roller.roll_up(vec![heard("a", "north", "1.1.1", "x"), heard("b", "south", "1.1.1", "x")]).unwrap();
        assert_eq!(first.areas.iter().map(|one| one.components["mk"].known).collect::<Vec<_>>(), [2, 2]);
        let refreshed = roller.roll_up(vec![heard("a", "north", "1.1.2", "x"), heard("b", "south", "1.1.2", "x")]);
        assert_eq!(refreshed.as_ref(), Some(&first));
        let changed =
            roller.roll_up(vec![heard("a", "north", "1.1.3", "y"), heard("b", "south", "1.1.3", "x")]).unwrap();
        let versions = |rollup: &Rollup| -> Vec<_> {
            rollup.areas.iter().flat_map(|one| &one.sources).map(|one| one.version.clone().unwrap()).collect()
        };
        assert_eq!(versions(&changed), ["1.1.3", "1.1.1"]);
        assert_eq!(roller.roll_up(Vec::new()), None);
        assert!(roller.named.is_empty(), "what is not heard of any more is forgotten");
    }

    #[test]
    fn an_area_that_does_not_fit_is_left_out_whole() {
        let many = |area: &str, count: usize| {
            (0..count).map(|number| heard(&format!("{area}-{number}"), area, "1.1.1", "x")).collect::<Vec<_>>()
        };
        let mut roller = Roller::default();
        let all = [many("a", 200), many("b", 100), many("c", 56)].into_iter().flatten().collect();
        let rollup = roller.roll_up(all).unwrap();
        assert_eq!(rollup.areas.iter().map(|one| one.area.as_str()).collect::<Vec<_>>(), ["a", "c"]);
        assert_eq!(roller.left_out, [Arc::from("b")]);
    }
}
