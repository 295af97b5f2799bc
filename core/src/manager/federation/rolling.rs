//! What an aggregator adds up: from the documents that are held to the roll-up that is published.
//!
//! In: the state machine's documents and who is a member of which area. Out: a roll-up that stays the same while its sources say
//! the same: of a document that says nothing new, the version that first said it stays named. What adds up how is not known
//! here (`federation/section/rollup`), nor whether the sum may be told (border, filter).

use std::{collections::BTreeMap, sync::Arc};

use super::driver::Core;
use crate::federation::{
    protocol::{Freshness, Held, Member, OriginId, Role, SectionBody, Slot, Standing},
    section::{
        Rollup,
        rollup::{self, AreaSum, DISPUTED, MOST_BYTES, MOST_SOURCES, Said, Source, UNHEARD},
    },
};

/// A member of an area, and its documents that can be added up.
pub struct Heard {
    area: Arc<str>,
    origin: OriginId,
    documents: Vec<Told>,
}

/// A document, named as a source would name it.
struct Told {
    source: Source,
    still_holds: bool,
    sections: BTreeMap<Arc<str>, SectionBody>,
}

fn told(slot: &Slot, held: &Held, (standing, is_behind): (Standing, bool), now: u64) -> Option<Told> {
    let (age, valid_for) = (held.age(now), held.manifest.valid_for_ms);
    // Another document of it may be newer than this one.
    let is_old = age > valid_for && matches!(standing.freshness, Freshness::Fresh | Freshness::Indirect);
    let state = match standing.freshness {
        _ if standing.disputed => DISPUTED,
        _ if is_old => Freshness::Stale.as_str(),
        Freshness::Unreachable if is_behind => UNHEARD,
        freshness => freshness.as_str(),
    };
    let source = Source {
        origin: slot.origin.to_string(),
        state: state.to_owned(),
        age_s: Some(rollup::age_told(age, valid_for)),
        audience: Some(rollup::audience_word(&slot.audience)?.to_owned()),
        version: Some(held.manifest.version.to_string()),
        manifest_hash: Some(rollup::half(&held.hash)),
        content_hash: Some(rollup::content_hash(&held.manifest)),
    };
    Some(Told { source, still_holds: age <= valid_for, sections: held.sections.clone() })
}

/// What is held of the members whom `own` adds up: of its area, or of every area if it has none. Nothing unless it is an aggregator.
pub(super) fn heard(core: &Core, own: &OriginId) -> Vec<Heard> {
    let (node, roster, now) = (&core.node, &core.membership.roster, core.now().mono);
    let Some(us) = roster.members.get(own).filter(|us| us.role == Role::Aggregator) else { return Vec::new() };
    let is_ours = |area: &str| !area.is_empty() && (us.area.is_empty() || *us.area == *area);
    let members = roster.members.iter().filter(|(_, member)| member.role == Role::Member && is_ours(&member.area));
    let one = |(origin, member): (&OriginId, &Member)| {
        let standing = node.standing(origin, now);
        // Whose way is silent is not heard, and may be well.
        let is_behind = core.silent_way(origin).is_some();
        // What a former life said to its area or to aggregators, it may tell them no more.
        let documents = node.documents_of_its_life(origin);
        let documents = documents.filter_map(|(slot, held)| told(slot, held, (standing?, is_behind), now)).collect();
        Heard { area: Arc::clone(&member.area), origin: origin.clone(), documents }
    };
    members.map(one).collect()
}

/// What is named of a document, and what it says.
type Named = BTreeMap<(String, Option<String>), (Source, Said)>;

/// Rolls up, and remembers what was named of each source.
#[derive(Debug, Default)]
pub(super) struct Roller {
    named: Named,
    /// Areas that did not fit the last time.
    left_out: Vec<Arc<str>>,
}

/// A document as it is named, which stays as it was while it says the same.
fn named(told: &mut Told, before: &mut Named, now: &mut Named) -> Said {
    let key = (told.source.origin.clone(), told.source.audience.clone());
    let same = |(named, _): &(Source, Said)| named.content_hash == told.source.content_hash;
    let known = before.remove(&key).filter(same);
    let (source, said) = known.unwrap_or_else(|| (told.source.clone(), Said::read(&told.sections)));
    told.source.version.clone_from(&source.version);
    told.source.manifest_hash.clone_from(&source.manifest_hash);
    now.insert(key, (source, said.clone()));
    said
}

/// Of those that still hold the one that says most; of such that say as much the one that most can check.
fn best(documents: Vec<(Told, Said)>) -> Option<(Source, Option<Said>)> {
    let rank = |(told, said): &(Told, Said)| {
        let read_by =
            ["aggregator", "area", "federation"].iter().position(|word| told.source.audience.as_deref() == Some(word));
        (told.still_holds, said.parts(), read_by)
    };
    documents.into_iter().max_by_key(rank).map(|(told, said)| (told.source, Some(said)))
}

impl Roller {
    /// What is published of what is heard now; `None`: there is nothing to add up.
    pub(super) fn roll_up(&mut self, heard: Vec<Heard>) -> Option<Rollup> {
        let mut areas: BTreeMap<Arc<str>, Vec<(Source, Option<Said>)>> = BTreeMap::new();
        let mut before = std::mem::take(&mut self.named);
        for Heard { area, origin, documents } in heard {
            let read = |mut told: Told| {
                let said = named(&mut told, &mut before, &mut self.named);
                (told, said)
            };
            let unheard =
                || (Source { origin: origin.to_string(), state: UNHEARD.to_owned(), ..Source::default() }, None);
            let source = best(documents.into_iter().map(read).collect()).unwrap_or_else(unheard);
            areas.entry(area).or_default().push(source);
        }
        let (mut rollup, mut room, mut left_out) = (Rollup::default(), Room::default(), Vec::new());
        for (area, sources) in areas {
            let sum = rollup::sum(&area, sources);
            if room.takes(&sum) {
                rollup.areas.push(sum);
            } else {
                left_out.push(area);
            }
        }
        self.leave_out(left_out);
        (!rollup.areas.is_empty()).then_some(rollup)
    }

    /// Says which areas did not fit, once for as long as they are the same.
    fn leave_out(&mut self, areas: Vec<Arc<str>>) {
        if areas != self.left_out && !areas.is_empty() {
            tracing::warn!(
                areas = areas.join(", "),
                most = MOST_SOURCES,
                most_bytes = MOST_BYTES,
                "Areas are left out of the roll-up: it has too many sources, or too many bytes. Give each area an aggregator; \
                 an area that has one and is left out is to be divided."
            );
        }
        self.left_out = areas;
    }
}

/// What of a roll-up is taken up by the areas that are in it.
struct Room {
    sources: usize,
    bytes: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self { sources: 0, bytes: r#"{"areas":[]}"#.len() }
    }
}

impl Room {
    /// Takes an area in; false if it does not fit.
    fn takes(&mut self, sum: &AreaSum) -> bool {
        // What cannot be written would not be published either; a comma goes with each.
        let bytes = serde_json::to_vec(sum).map_or(MOST_BYTES, |text| text.len() + 1);
        let (sources, bytes) = (self.sources + sum.sources.len(), self.bytes.saturating_add(bytes));
        let fits = sources <= MOST_SOURCES && bytes <= MOST_BYTES;
        if fits {
            *self = Self { sources, bytes };
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::federation::protocol::Settings;

    fn heard(origin: &str, area: &str, version: &str, content: &str) -> Heard {
        let health = br#"{"components":{"mk":{"known":2}}}"#.as_slice();
        let documents = vec![document(origin, "federation", version, content, &[("health", health)])];
        Heard { area: area.into(), origin: origin.into(), documents }
    }

    fn document(origin: &str, audience: &str, version: &str, content: &str, sections: &[(&str, &[u8])]) -> Told {
        let body = |(name, data): &(&str, &[u8])| {
            let name: Arc<str> = (*name).into();
            (Arc::clone(&name), SectionBody { name, salt: [0; 16], data: (*data).into() })
        };
        let source = Source {
            origin: origin.to_owned(),
            state: "fresh".to_owned(),
            age_s: Some(45),
            audience: Some(audience.to_owned()),
            version: Some(version.to_owned()),
            manifest_hash: Some(version.to_owned()),
            content_hash: Some(content.to_owned()),
        };
        Told { source, still_holds: true, sections: sections.iter().map(body).collect() }
    }

    #[test]
    fn the_document_that_says_most_is_added_up_and_of_equals_the_one_that_most_can_check() {
        let health = ("health", br#"{"components":{"mk":{"known":2}}}"#.as_slice());
        let (types, alarms) = (("alarms", br#"{"types":{}}"#.as_slice()), ("alarms", br#"{"raised":{}}"#.as_slice()));
        let chosen = |documents: Vec<Told>| {
            let one = Heard { area: "north".into(), origin: "a".into(), documents };
            Roller::default().roll_up(vec![one]).unwrap().areas[0].sources[0].audience.clone().unwrap()
        };
        let of = |audience: &str, sections: &[(&str, &[u8])]| document("a", audience, "1.1.1", "x", sections);
        assert_eq!(chosen(vec![of("federation", &[health]), of("area", &[health, alarms])]), "area");
        assert_eq!(chosen(vec![of("area", &[health, alarms]), of("aggregator", &[health, alarms])]), "area");
        assert_eq!(chosen(vec![of("area", &[health, types]), of("aggregator", &[health, alarms])]), "aggregator");
        assert_eq!(chosen(vec![of("federation", &[health, types]), of("area", &[health])]), "federation");
        let old = Told { still_holds: false, ..of("area", &[health, alarms]) };
        assert_eq!(chosen(vec![of("federation", &[]), old]), "federation");
    }

    #[test]
    fn who_was_not_heard_is_listed() {
        let one = Heard { area: "north".into(), origin: "a".into(), documents: Vec::new() };
        let sum = Roller::default().roll_up(vec![one]).unwrap().areas.remove(0);
        assert_eq!((sum.domains["unheard"], sum.sources[0].state.as_str()), (1, "unheard"));
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
    fn a_roll_up_stays_below_what_readers_take_of_a_section() {
        // Sources as they are written: 90 of them have about 18 KiB.
        let hash = rollup::half(&crate::federation::protocol::Hash([255; 32]));
        let one = |area: &str, number: usize| {
            let mut one =
                heard(&format!("{area}-{number:03}-of-many-in-the-area"), area, "1.1876543210123456.7", &hash);
            one.documents[0].source.manifest_hash = Some(hash.clone());
            one
        };
        let many = |area: &str, count: usize| (0..count).map(|number| one(area, number)).collect::<Vec<_>>();
        let mut roller = Roller::default();
        let areas = [many("a", 90), many("b", 90), many("c", 75), many("d", 1)];
        let rollup = roller.roll_up(areas.into_iter().flatten().collect()).unwrap();
        assert_eq!(rollup.areas.iter().map(|one| one.area.as_str()).collect::<Vec<_>>(), ["a", "b", "d"]);
        assert_eq!(roller.left_out, [Arc::from("c")], "fewer than {MOST_SOURCES} sources, and yet too much");
        let whole = |rollup: &Rollup| serde_json::to_vec(rollup).unwrap().len();
        let third = rollup::sum("c", many("c", 75).into_iter().map(|mut one| (one.documents.remove(0).source, None)));
        assert!(whole(&rollup) <= MOST_BYTES, "{}", whole(&rollup));
        let with_it = Rollup { areas: rollup.areas.into_iter().chain([third]).collect() };
        assert!(whole(&with_it) > MOST_BYTES, "{}", whole(&with_it));
        assert!(MOST_BYTES < Settings::default().section_bytes);
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
