//! What domains tell each other, section by section: its form, and the filter that nothing gets past.
//!
//! In: a [`DomainPicture`], what the manager knows of its own domain. Out: the bytes of sections for an audience; and back,
//! what another domain's sections say. Aggregates only: no component is named, no free text leaves the domain. Whatever made a
//! section, it is written through the filter (`form`), which knows every member and word that there may be.
//!
//! ```text
//!   picture --steady: small changes are none--> drafts: disclosed, export policies, form--> bytes of sections
//!   bytes of another domain's sections --form, own ends only--> what is shown, and what is wrong with it
//! ```

mod audiences;
mod comparison;
mod contents;
mod crossing;
pub(in crate::federation) mod form;
pub mod incidents;
mod link_ranges;
pub mod maintenance;
mod neighbours;
pub mod rollup;
mod steady;
mod two_ends;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::protocol::{Audience, Draft, OriginId, Roster};
use crate::model::disclosure::Topic;

pub use audiences::Disclosed;
pub use comparison::{Comparison, Kind};
pub use crossing::{
    InterDomainLink, InterDomainLinks, KeyRelation, KeyRelations, Objective, Service, Services, Settlement, Total,
    minute,
};
pub use form::Fitted;
pub use link_ranges::{LinkRanges, Range};
pub use rollup::Rollup;
pub use steady::Steady;
pub use two_ends::TwoEnds;
pub(super) use two_ends::{ONE_SIDED, joined, rank};

/// Components of one reference point, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Counts {
    /// Configured, or heard of.
    pub known: u64,
    /// With a connection now.
    pub connected: u64,
    /// Held for silent.
    pub silent: u64,
    /// With an alarm that is raised and major or critical.
    pub impaired: u64,
}

/// Section `health`: components by reference point (`mq`, `mk`, ...).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Health {
    /// By reference point.
    pub components: BTreeMap<String, Counts>,
}

/// Section `alarms`: how many alarms are raised.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Alarms {
    /// Raised, by severity (RFC 8632).
    pub raised: BTreeMap<String, u64>,
    /// Raised, by type of alarm of the catalogue; all others under `other`.
    pub types: BTreeMap<String, u64>,
}

/// One end of an inter-domain link, as its own domain sees it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LinkEnd {
    /// The link's name, the same in both domains.
    pub id: String,
    /// The domain at the other end.
    pub peer: String,
    /// `up`, `degraded`, `down` or `unknown`.
    pub state: String,
    /// QBER of sifted key, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qber_ratio: Option<f64>,
    /// Secret key rate, bits per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_key_rate_bps: Option<f64>,
    /// Filling of the key store for the link, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_store_fill_ratio: Option<f64>,
    /// Time to exhaustion of that store at the present rates, seconds; absent: none in sight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_to_exhaustion_s: Option<f64>,
}

/// Section `links`: our ends of links to other domains.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Links {
    /// Our ends.
    pub ends: Vec<LinkEnd>,
}

/// Section `capabilities`: what the manager can do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Capabilities {
    /// Name of the program.
    pub program: String,
    /// Its version.
    pub version: String,
    /// Reference points that are served.
    pub reference_points: Vec<String>,
    /// Sections that are spoken.
    pub sections: Vec<String>,
}

/// What a manager knows of its own domain that others may hear of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DomainPicture {
    /// Components.
    pub health: Health,
    /// Alarms.
    pub alarms: Alarms,
    /// Our ends of inter-domain links.
    pub links: Vec<LinkEnd>,
    /// What we can do.
    pub capabilities: Capabilities,
    /// Areas in sum, where we are an aggregator.
    pub rollup: Option<Rollup>,
    /// Maintenance of inter-domain links that we have announced, by the domain at the other end.
    pub maintenance: BTreeMap<String, Vec<maintenance::Window>>,
    /// Our incidents on inter-domain links, by the domain at the other end.
    pub incidents: BTreeMap<String, Vec<incidents::Incident>>,
    /// Our ends of key relations with other domains.
    pub relations: Vec<KeyRelation>,
    /// Our part of services, each with the other domains that it spans.
    pub services: Vec<(Vec<String>, Service)>,
    /// What was used with other domains.
    pub settlements: Vec<(String, Settlement)>,
}

/// Names of all sections.
pub fn names() -> impl Iterator<Item = &'static str> {
    contents::SECTIONS.iter().map(|(name, _)| *name)
}

/// Sections on their way: names and contents.
pub type Sections = Vec<(Arc<str>, Value)>;

/// What stands between what may be said and what is said. Whatever it does, the filter comes behind it.
pub trait ExportPolicies {
    /// What of these passes to an audience.
    fn pass(&mut self, audience: &Audience, sections: Sections) -> Sections;

    /// What links with an audience may be called instead of their names.
    fn aliases(&self, audience: &Audience) -> Vec<(String, String)>;
}

/// None: everything passes.
impl ExportPolicies for () {
    fn pass(&mut self, _: &Audience, sections: Sections) -> Sections {
        sections
    }

    fn aliases(&self, _: &Audience) -> Vec<(String, String)> {
        Vec::new()
    }
}

/// What is said to each audience: to the federation, to our area and to aggregators what is disclosed to each of how the domain is
/// in sum; to the federation also what we add up of others; and to each domain that shares a link with us our ends of those links.
/// In this order: what is disclosed, what of that the export policies let pass, what of that has its form and says no other names
/// than those that this audience may hear.
#[must_use]
pub fn drafts(
    picture: &DomainPicture,
    disclosed: &Disclosed,
    policies: &mut impl ExportPolicies,
) -> BTreeMap<Audience, Draft> {
    let mut draft = |audience: Audience, sections: Sections, names: BTreeSet<&str>| {
        let aliases = policies.aliases(&audience);
        let called = aliases.iter().filter(|(name, _)| names.contains(name.as_str())).map(|(_, alias)| alias.as_str());
        let names: BTreeSet<&str> = names.iter().copied().chain(called).collect();
        let offered: BTreeSet<Arc<str>> = sections.iter().map(|(name, _)| Arc::clone(name)).collect();
        let mut passed = policies.pass(&audience, sections);
        passed.retain(|(name, _)| offered.contains(name));
        let draft = filtered(passed, &audience, &names);
        (audience, draft)
    };
    let program = picture.capabilities.program.as_str();
    let mut drafts = BTreeMap::new();
    for (audience, topics) in disclosed.audiences() {
        let (mut sections, mut names) = (told(picture, &topics), BTreeSet::from([program]));
        if topics.contains(&Topic::LinkStates) {
            names.extend(picture.links.iter().flat_map(|end| [end.id.as_str(), end.peer.as_str()]));
        }
        if let Some(rollup) = picture.rollup.as_ref().filter(|_| audience == Audience::Federation) {
            names.extend(rollup::names(rollup));
            sections.extend(serde_json::to_value(rollup).map(|rollup| (rollup::SECTION.into(), rollup)));
        }
        drafts.extend([draft(audience, sections, names)]);
    }
    for (peer, (sections, names)) in neighbours::told(picture, &disclosed.federation) {
        drafts.extend([draft(Audience::Adjacent(peer.into()), sections, names)]);
    }
    drafts
}

/// What is disclosed in these topics. What is not is not there at all, so that no policy can fill it.
fn told(picture: &DomainPicture, disclosed: &[Topic]) -> Sections {
    let DomainPicture { health, alarms: Alarms { raised, types }, capabilities, .. } = picture;
    let told = |topic: Topic| disclosed.contains(&topic);
    let mut alarms = serde_json::Map::new();
    for (topic, member, counts) in [(Topic::Alarms, "raised", raised), (Topic::AlarmTypes, "types", types)] {
        if told(topic) {
            alarms.extend(serde_json::to_value(counts).map(|counts| (member.to_owned(), counts)));
        }
    }
    let health = told(Topic::Health).then(|| ("health", serde_json::to_value(health)));
    let alarms = (!alarms.is_empty()).then_some(("alarms", Ok(Value::Object(alarms))));
    let capabilities = told(Topic::Capabilities).then(|| ("capabilities", serde_json::to_value(capabilities)));
    let ranges = told(Topic::Links).then(|| ("linkRanges", serde_json::to_value(LinkRanges::of(&picture.links))));
    let links = || InterDomainLinks::of(&picture.links, told(Topic::LinkFigures));
    let links = told(Topic::LinkStates).then(|| ("interDomainLinks", serde_json::to_value(links())));
    let all = [health, alarms, capabilities, ranges, links].into_iter().flatten();
    let all = all.filter_map(|(name, value)| Some((name.into(), value.ok()?)));
    let maintenance = told(Topic::Maintenance).then(|| maintenance::to_everybody(picture));
    let incidents = told(Topic::Incidents).then(|| incidents::to_everybody(picture));
    all.chain(maintenance).chain(incidents).collect()
}

/// Sections as they are signed: through the filter, whoever made them.
fn filtered(sections: Sections, audience: &Audience, names: &BTreeSet<&str>) -> Draft {
    let written = |(name, value): (Arc<str>, Value)| {
        let mut fitted = form::leaving(&name, &value, names)?;
        links_to_one(&name, audience, &mut fitted);
        Some((name, serde_json::to_vec(&fitted.value).ok()?.into()))
    };
    Draft { sections: sections.into_iter().filter_map(written).collect() }
}

/// What a section of a domain says to an audience, through the same filter, and what of it is not believed, with its place.
/// A domain speaks of its own ends of links to those at the other ends, and of nothing else's; an aggregator adds others up. `None`:
/// we do not know such sections; they are somebody else's to understand.
///
/// # Errors
/// If it is no JSON.
pub fn read(
    roster: &Roster,
    speaker: &OriginId,
    audience: &Audience,
    name: &str,
    bytes: &[u8],
) -> Result<Option<Fitted>, String> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| format!("expected JSON: {error}"))?;
    let Some(mut found) = form::fitted(name, &value) else { return Ok(None) };
    links_to_one(name, audience, &mut found);
    match name {
        "links" => own_ends("ends", false, (speaker, audience), &mut found),
        "keyRelations" => own_ends("relations", false, (speaker, audience), &mut found),
        "interDomainLinks" => own_ends("links", true, (speaker, audience), &mut found),
        "services" | "settlement" => told_to_one(speaker, audience, &mut found),
        rollup::SECTION => rollup::believed(speaker, roster, &mut found),
        _ => {}
    }
    Ok(Some(found))
}

/// What names links under maintenance or in trouble is for the domain at their other end alone.
fn links_to_one(section: &str, audience: &Audience, found: &mut Fitted) {
    let list = match section {
        maintenance::NAME => "windows",
        incidents::NAME => "open",
        _ => return,
    };
    let to_one = matches!(audience, Audience::Adjacent(_));
    if !to_one && found.value.as_object_mut().is_some_and(|members| members.remove(list).is_some()) {
        found.faults.push(format!("/{list}: links are spoken of with the domain at their other end alone"));
    }
}

/// Ends of what joins two domains: of those between the speaker and whom it told, or, in a section for several, of the speaker's own.
fn own_ends(list: &str, for_several: bool, (speaker, audience): (&OriginId, &Audience), found: &mut Fitted) {
    let Fitted { value, faults } = found;
    let Some(ends) = value.get_mut(list).and_then(Value::as_array_mut) else { return };
    ends.retain(|end| {
        let peer = end["peer"].as_str().unwrap_or_default();
        let told = match audience {
            Audience::Adjacent(other) => !for_several && other.as_str() == peer,
            Audience::Federation | Audience::Area(_) | Audience::Aggregator => for_several,
        };
        let own = told && peer != speaker.as_str();
        if !own {
            faults.push(format!("/{list}: a link with `{peer}` is not between {speaker} and whom it told of it"));
        }
        own
    });
}

/// What concerns one domain, the speaker tells that domain alone.
fn told_to_one(speaker: &OriginId, audience: &Audience, found: &mut Fitted) {
    if !matches!(audience, Audience::Adjacent(other) if other != speaker) {
        found.value = Value::Object(serde_json::Map::new());
        found.faults.push(format!("/: expected this to be told to one other domain, and {audience} was told"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> DomainPicture {
        let counts = Counts { known: 8, connected: 7, silent: 1, impaired: 2 };
        let end = LinkEnd {
            id: "vienna-brno".into(),
            peer: "north".into(),
            state: "up".into(),
            qber_ratio: Some(0.021),
            ..LinkEnd::default()
        };
        DomainPicture {
            health: Health { components: [("mq".to_owned(), counts)].into() },
            alarms: Alarms { raised: [("major".to_owned(), 2)].into(), types: [("link-down".to_owned(), 1)].into() },
            links: vec![end],
            capabilities: Capabilities { program: "qkdnm".into(), version: "0.1.0".into(), ..Capabilities::default() },
            ..DomainPicture::default()
        }
    }

    fn everything() -> Disclosed {
        Disclosed { federation: Topic::ALL.to_vec(), ..Disclosed::default() }
    }

    #[test]
    fn links_are_told_to_the_domain_at_the_other_end_alone() {
        let drafts = drafts(&picture(), &everything(), &mut ());
        let names = |audience: &Audience| drafts[audience].sections.keys().map(ToString::to_string).collect::<Vec<_>>();
        let all = ["alarms", "capabilities", "health", "incidents", "interDomainLinks", "linkRanges", "maintenance"];
        assert_eq!(names(&Audience::Federation), all);
        assert_eq!(names(&Audience::Adjacent("north".into())), ["incidents", "links"]);
        let adjacent = Audience::Adjacent("north".into());
        let links = read(&Roster::default(), &"west".into(), &adjacent, "links", &drafts[&adjacent].sections["links"])
            .unwrap()
            .unwrap();
        assert_eq!(links.value["ends"][0]["qberRatio"], 0.021);
    }

    #[test]
    fn a_domain_speaks_of_its_own_ends_to_those_at_the_other() {
        let (west, north) = (OriginId::from("west"), OriginId::from("north"));
        let drafts = drafts(&picture(), &everything(), &mut ());
        let bytes = &drafts[&Audience::Adjacent(north.clone())].sections["links"];
        let told = |speaker: &OriginId, audience: &Audience| {
            let found = read(&Roster::default(), speaker, audience, "links", bytes).unwrap().unwrap();
            (found.value["ends"].as_array().unwrap().len(), found.faults.len())
        };
        assert_eq!(told(&west, &Audience::Adjacent(north.clone())), (1, 0));
        assert_eq!(told(&west, &Audience::Federation), (0, 1));
        assert_eq!(told(&west, &Audience::Adjacent("east".into())), (0, 1));
        assert_eq!(told(&north, &Audience::Adjacent(north.clone())), (0, 1));
        assert_eq!(read(&Roster::default(), &west, &Audience::Federation, "weather", b"{}"), Ok(None));
        assert!(read(&Roster::default(), &west, &Audience::Federation, "health", b"{").is_err());
    }

    #[test]
    fn what_is_not_disclosed_is_not_said() {
        let said = |topics: &[Topic]| {
            let drafts =
                drafts(&picture(), &Disclosed { federation: topics.to_vec(), ..Disclosed::default() }, &mut ());
            let sections = drafts[&Audience::Federation].sections.iter();
            sections.map(|(name, bytes)| format!("{name} {}", String::from_utf8_lossy(bytes))).collect::<Vec<_>>()
        };
        assert!(said(&[]).is_empty());
        let raised = "alarms {\"raised\":{\"major\":2}}";
        assert_eq!(said(&Topic::DEFAULT)[0], raised);
        assert_eq!(said(&[Topic::Alarms]), [raised]);
        assert_eq!(said(&[Topic::AlarmTypes]), ["alarms {\"types\":{\"link-down\":1}}"]);
    }

    /// Policies that put anything into the place of what was there.
    struct Hostile(fn(&Audience, Sections) -> Sections);

    impl ExportPolicies for Hostile {
        fn pass(&mut self, audience: &Audience, sections: Sections) -> Sections {
            (self.0)(audience, sections)
        }

        fn aliases(&self, _: &Audience) -> Vec<(String, String)> {
            vec![("vienna-brno".to_owned(), "alias-1".to_owned()), ("of-others".to_owned(), "alias-2".to_owned())]
        }
    }

    fn said(policies: fn(&Audience, Sections) -> Sections) -> String {
        let topics = vec![Topic::Health, Topic::Alarms, Topic::AlarmTypes, Topic::Capabilities];
        let disclosed = Disclosed { federation: topics, ..Disclosed::default() };
        let drafts = drafts(&picture(), &disclosed, &mut Hostile(policies));
        let all = drafts.into_values().flat_map(|draft| draft.sections);
        all.map(|(name, bytes)| format!("{name} {}\n", String::from_utf8_lossy(&bytes))).collect()
    }

    #[test]
    fn no_policy_gets_past_the_filter() {
        use serde_json::json;
        let said = said(|audience, mut sections| {
            for (_, content) in &mut sections {
                content["operator"] = json!("Jane");
                content["keyMaterial"] = json!("c2VjcmV0LXNlY3JldC1zZWNyZXQ");
            }
            let end =
                |id: &str| json!({ "id": id, "peer": "north", "state": "up", "rack": 7, "qberRatio": 0.123_456_789 });
            let ends = ["vienna-brno", "Jane Doe", "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQ", "alias-2"].map(end);
            let program = json!({ "program": "vienna-brno", "version": "call Jane", "sections": ["health", "Jane"] });
            sections.push(("inventory".into(), json!({ "Jane": 1 })));
            sections.push(("links".into(), json!({ "ends": ends })));
            sections.push(("capabilities".into(), program));
            sections
                .push(("alarms".into(), json!({ "raised": { "Jane": 1, "major": 12_379_813_738_877_118_345_u64 } })));
            assert!(matches!(audience, Audience::Federation | Audience::Adjacent(_)));
            sections
        });
        for never in ["Jane", "c2Vj", "q83v", "alias-2", "rack", "123456789", "12379813738877118345"] {
            assert!(!said.contains(never), "{never}: {said}");
        }
        // To the federation no link has a name, and to the neighbour it has few digits.
        let capabilities = said.lines().find(|line| line.starts_with("capabilities")).unwrap();
        assert_eq!(capabilities, "capabilities {\"sections\":[\"health\"]}");
        assert_eq!(said.matches("vienna-brno").count(), 1, "{said}");
        assert!(said.contains("0.1235"), "{said}");
    }

    #[test]
    fn a_link_is_called_by_its_alias_where_one_was_agreed() {
        let said = said(|_, mut sections| {
            for (_, content) in sections.iter_mut().filter(|(name, _)| &**name == "links") {
                content["ends"][0]["id"] = "alias-1".into();
            }
            sections
        });
        assert!(said.contains("\"id\":\"alias-1\"") && !said.contains("vienna-brno"), "{said}");
    }
}
