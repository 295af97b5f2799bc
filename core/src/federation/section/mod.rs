//! What domains tell each other, section by section: its form, and the filter that nothing gets past.
//!
//! In: a [`DomainPicture`], what the manager knows of its own domain. Out: the bytes of sections for an audience; and back,
//! what another domain's sections say. Aggregates only: no component is named, no free text leaves the domain. Whatever made a
//! section, it is written through the filter (`form`), which knows every member and word that there may be.
//!
//! ```text
//!   picture --steady: small changes are none--> drafts --form--> bytes of sections
//!   bytes of another domain's sections --form, own ends only--> what is shown, and what is wrong with it
//! ```

mod form;
mod steady;
mod two_ends;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::protocol::{Audience, Draft, OriginId};
use crate::model::disclosure::Topic;

pub use form::Fitted;
pub use steady::Steady;
pub use two_ends::TwoEnds;

/// Stands for every type of alarm that the catalogue has not: such names are a component's, or its vendor's.
pub const OTHER_TYPES: &str = "other";

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
    /// Raised, by type of alarm of the catalogue; all others under [`OTHER_TYPES`].
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
}

/// Names of all sections.
pub fn names() -> impl Iterator<Item = &'static str> {
    form::SECTIONS.iter().map(|(name, _)| *name)
}

/// What is said to each audience: to the federation what is disclosed of how the domain is in sum, and to each domain that
/// shares a link with us our ends of those links.
#[must_use]
pub fn drafts(picture: &DomainPicture, disclosed: &[Topic]) -> BTreeMap<Audience, Draft> {
    let names: BTreeSet<&str> = picture
        .links
        .iter()
        .flat_map(|end| [end.id.as_str(), &end.peer])
        .chain([picture.capabilities.program.as_str()])
        .collect();
    let to_everybody = [
        disclosed.contains(&Topic::Health).then(|| ("health", serde_json::to_value(&picture.health))),
        alarms(picture, disclosed).map(|alarms| ("alarms", serde_json::to_value(&alarms))),
        disclosed.contains(&Topic::Capabilities).then(|| ("capabilities", serde_json::to_value(&picture.capabilities))),
    ];
    let to_everybody = to_everybody.into_iter().flatten();
    let mut drafts = BTreeMap::from([(Audience::Federation, draft(to_everybody, &names))]);
    let mut by_peer: BTreeMap<&str, Vec<LinkEnd>> = BTreeMap::new();
    for end in &picture.links {
        by_peer.entry(&end.peer).or_default().push(end.clone());
    }
    for (peer, ends) in by_peer {
        let links = ("links", serde_json::to_value(Links { ends }));
        drafts.insert(Audience::Adjacent(peer.into()), draft([links].into_iter(), &names));
    }
    drafts
}

fn alarms(picture: &DomainPicture, disclosed: &[Topic]) -> Option<Alarms> {
    let Alarms { raised, types } = picture.alarms.clone();
    let (by_severity, by_type) = (disclosed.contains(&Topic::Alarms), disclosed.contains(&Topic::AlarmTypes));
    let of = |told: bool, counts: BTreeMap<String, u64>| if told { counts } else { BTreeMap::new() };
    (by_severity || by_type).then(|| Alarms { raised: of(by_severity, raised), types: of(by_type, types) })
}

/// A draft of sections, through the filter.
fn draft<'a>(sections: impl Iterator<Item = (&'a str, serde_json::Result<Value>)>, names: &BTreeSet<&str>) -> Draft {
    let written = |(name, value): (&str, serde_json::Result<Value>)| {
        let Fitted { value, .. } = form::leaving(name, &value.ok()?, names)?;
        Some((name.into(), serde_json::to_vec(&value).ok()?.into()))
    };
    Draft { sections: sections.filter_map(written).collect() }
}

/// What a section of a domain says to an audience, through the same filter, and what of it is not believed, with its place.
/// A domain speaks of its own ends of links to those at the other ends, and of nothing else's. `None`: we do not know such
/// sections; they are somebody else's to understand.
///
/// # Errors
/// If it is no JSON.
pub fn read(speaker: &OriginId, audience: &Audience, name: &str, bytes: &[u8]) -> Result<Option<Fitted>, String> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| format!("expected JSON: {error}"))?;
    let Some(mut found) = form::fitted(name, &value) else { return Ok(None) };
    if name == "links" {
        own_ends(speaker, audience, &mut found);
    }
    Ok(Some(found))
}

fn own_ends(speaker: &OriginId, audience: &Audience, found: &mut Fitted) {
    let Fitted { value, faults } = found;
    let Some(ends) = value.get_mut("ends").and_then(Value::as_array_mut) else { return };
    ends.retain(|end| {
        let peer = end["peer"].as_str().unwrap_or_default();
        let told = matches!(audience, Audience::Adjacent(other) if other.as_str() == peer);
        let own = told && peer != speaker.as_str();
        if !own {
            faults.push(format!("/ends: a link with `{peer}` is not between {speaker} and whom it told of it"));
        }
        own
    });
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
        }
    }

    #[test]
    fn links_are_told_to_the_domain_at_the_other_end_alone() {
        let drafts = drafts(&picture(), &Topic::ALL);
        let names = |audience: &Audience| drafts[audience].sections.keys().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(names(&Audience::Federation), ["alarms", "capabilities", "health"]);
        assert_eq!(names(&Audience::Adjacent("north".into())), ["links"]);
        let adjacent = Audience::Adjacent("north".into());
        let links = read(&"west".into(), &adjacent, "links", &drafts[&adjacent].sections["links"]).unwrap().unwrap();
        assert_eq!(links.value["ends"][0]["qberRatio"], 0.021);
    }

    #[test]
    fn a_domain_speaks_of_its_own_ends_to_those_at_the_other() {
        let (west, north) = (OriginId::from("west"), OriginId::from("north"));
        let drafts = drafts(&picture(), &Topic::ALL);
        let bytes = &drafts[&Audience::Adjacent(north.clone())].sections["links"];
        let told = |speaker: &OriginId, audience: &Audience| {
            let found = read(speaker, audience, "links", bytes).unwrap().unwrap();
            (found.value["ends"].as_array().unwrap().len(), found.faults.len())
        };
        assert_eq!(told(&west, &Audience::Adjacent(north.clone())), (1, 0));
        assert_eq!(told(&west, &Audience::Federation), (0, 1));
        assert_eq!(told(&west, &Audience::Adjacent("east".into())), (0, 1));
        assert_eq!(told(&north, &Audience::Adjacent(north.clone())), (0, 1));
        assert_eq!(read(&west, &Audience::Federation, "weather", b"{}"), Ok(None));
        assert!(read(&west, &Audience::Federation, "health", b"{").is_err());
    }

    #[test]
    fn what_is_not_disclosed_is_not_said() {
        let said = |topics: &[Topic]| {
            let drafts = drafts(&picture(), topics);
            let sections = drafts[&Audience::Federation].sections.iter();
            sections.map(|(name, bytes)| format!("{name} {}", String::from_utf8_lossy(bytes))).collect::<Vec<_>>()
        };
        assert!(said(&[]).is_empty());
        let raised = "alarms {\"raised\":{\"major\":2},\"types\":{}}";
        assert_eq!(said(&Topic::DEFAULT)[0], raised);
        assert_eq!(said(&[Topic::Alarms]), [raised]);
        assert_eq!(said(&[Topic::AlarmTypes]), ["alarms {\"raised\":{},\"types\":{\"link-down\":1}}"]);
    }
}
