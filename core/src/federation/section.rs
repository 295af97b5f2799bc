//! What domains tell each other, section by section: its form, and the filter that nothing gets past.
//!
//! In: a [`DomainPicture`], what the manager knows of its own domain. Out: the bytes of sections for an audience; and back,
//! what another domain's sections say. Aggregates only: no component is named, no free text leaves the domain. Whatever made a
//! section, it is written through [`filtered`], which knows every member that there may be.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::protocol::{Audience, Draft};

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
    /// Raised, by type of alarm, as in the catalogue.
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

/// Names of the sections that there are, with what may be in them.
const SECTIONS: [(&str, Form); 4] = [
    ("health", Form::Members(&[("components", Form::Named(&COUNTS))])),
    ("alarms", Form::Members(&[("raised", Form::Named(&Form::Count)), ("types", Form::Named(&Form::Count))])),
    ("links", Form::Members(&[("ends", Form::List(&LINK))])),
    (
        "capabilities",
        Form::Members(&[
            ("program", Form::Word),
            ("version", Form::Word),
            ("referencePoints", Form::List(&Form::Word)),
            ("sections", Form::List(&Form::Word)),
        ]),
    ),
];

const COUNTS: Form = Form::Members(&[
    ("known", Form::Count),
    ("connected", Form::Count),
    ("silent", Form::Count),
    ("impaired", Form::Count),
]);
const LINK: Form = Form::Members(&[
    ("id", Form::Word),
    ("peer", Form::Word),
    ("state", Form::OneOf(&["up", "degraded", "down", "unknown"])),
    ("qberRatio", Form::Number),
    ("secretKeyRateBps", Form::Number),
    ("keyStoreFillRatio", Form::Number),
    ("timeToExhaustionS", Form::Number),
]);

/// What a value may be.
#[derive(Clone, Copy, Debug)]
enum Form {
    /// A whole number that is not negative.
    Count,
    /// A finite number that is not negative.
    Number,
    /// A name or identifier: short, without white space but between words, and nothing that looks like a key.
    Word,
    /// One of these.
    OneOf(&'static [&'static str]),
    /// An object with these members and no others.
    Members(&'static [(&'static str, Form)]),
    /// An object whose members have words for names.
    Named(&'static Form),
    /// A list, bounded.
    List(&'static Form),
}

/// Entries of a list or map in a section.
const MOST_ENTRIES: usize = 256;
/// Characters of a word.
const WORD_CHARS: usize = 64;

fn is_word(text: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || "-_.:/ ".contains(c);
    // Keys in hexadecimal or base64 are long runs of letters and digits without a break.
    let longest_run = text.split(|c: char| !c.is_ascii_alphanumeric()).map(str::len).max().unwrap_or(0);
    !text.is_empty() && text.chars().count() <= WORD_CHARS && text.chars().all(plain) && longest_run <= 24
}

/// What of a value has the form; `None` if nothing.
fn fit(value: &Value, form: &Form) -> Option<Value> {
    match form {
        Form::Count => value.as_u64().map(Value::from),
        Form::Number => value.as_f64().filter(|number| *number >= 0.0).map(|_| value.clone()),
        Form::Word => value.as_str().filter(|text| is_word(text)).map(Value::from),
        Form::OneOf(words) => value.as_str().filter(|text| words.contains(text)).map(Value::from),
        Form::Members(members) => {
            let object = value.as_object()?;
            let kept =
                members.iter().filter_map(|(name, form)| Some(((*name).to_owned(), fit(object.get(*name)?, form)?)));
            Some(Value::Object(kept.collect::<Map<_, _>>()))
        }
        Form::Named(form) => {
            let entries = value.as_object()?.iter().filter(|(name, _)| is_word(name)).take(MOST_ENTRIES);
            Some(Value::Object(entries.filter_map(|(name, value)| Some((name.clone(), fit(value, form)?))).collect()))
        }
        Form::List(form) => {
            Some(value.as_array()?.iter().take(MOST_ENTRIES).filter_map(|value| fit(value, form)).collect())
        }
    }
}

/// What of a section may leave the domain, or be believed of another: the members that there are, in their form. `None`:
/// there is no such section.
#[must_use]
pub fn filtered(name: &str, value: &Value) -> Option<Value> {
    let (_, form) = SECTIONS.iter().find(|(known, _)| *known == name)?;
    fit(value, form)
}

/// Names of all sections.
pub fn names() -> impl Iterator<Item = &'static str> {
    SECTIONS.iter().map(|(name, _)| *name)
}

/// The picture as sections, before anything is left out.
#[must_use]
pub fn sections(picture: &DomainPicture) -> BTreeMap<String, Value> {
    let links = Links { ends: picture.links.clone() };
    let of = |name: &str, value: serde_json::Result<Value>| Some((name.to_owned(), value.ok()?));
    [
        of("health", serde_json::to_value(&picture.health)),
        of("alarms", serde_json::to_value(&picture.alarms)),
        of("links", serde_json::to_value(links)),
        of("capabilities", serde_json::to_value(&picture.capabilities)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What may be said to everybody without anything being configured: that we are there, and how we are in sum.
pub const TO_EVERYBODY: [&str; 3] = ["health", "alarms", "capabilities"];

/// What is said to each audience: to the federation how the domain is in sum, and to each domain that shares a link with us
/// our ends of those links.
#[must_use]
pub fn drafts(picture: &DomainPicture) -> BTreeMap<Audience, Draft> {
    let all = sections(picture);
    let mut drafts = BTreeMap::new();
    let to_everybody = all.iter().filter(|(name, _)| TO_EVERYBODY.contains(&name.as_str()));
    drafts.insert(Audience::Federation, draft(to_everybody.map(|(name, value)| (name.as_str(), value))));
    let mut by_peer: BTreeMap<&str, Vec<LinkEnd>> = BTreeMap::new();
    for end in &picture.links {
        by_peer.entry(&end.peer).or_default().push(end.clone());
    }
    for (peer, ends) in by_peer {
        let Ok(value) = serde_json::to_value(Links { ends }) else { continue };
        drafts.insert(Audience::Adjacent(peer.into()), draft([("links", &value)].into_iter()));
    }
    drafts
}

/// A draft of sections, through the filter.
pub fn draft<'a>(sections: impl Iterator<Item = (&'a str, &'a Value)>) -> Draft {
    let written = |(name, value): (&str, &Value)| {
        let bytes = serde_json::to_vec(&filtered(name, value)?).ok()?;
        Some((name.into(), bytes.into()))
    };
    Draft { sections: sections.filter_map(written).collect() }
}

/// What a section of another domain says, through the same filter. Of links only those whose other end is somebody else's than
/// the speaker's own: a domain speaks of its own end.
///
/// # Errors
/// If it is no JSON object.
pub fn read(name: &str, bytes: &[u8]) -> Result<Value, String> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| format!("section `{name}`: {error}"))?;
    if !value.is_object() {
        return Err(format!("section `{name}`: expected an object"));
    }
    // Sections that we do not know are somebody else's to understand.
    Ok(filtered(name, &value).unwrap_or(Value::Null))
}

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

    /// The worse of both states.
    #[must_use]
    pub fn state(&self) -> &str {
        let rank = |end: &&LinkEnd| ["unknown", "up", "degraded", "down"].iter().position(|known| *known == end.state);
        self.ours.iter().chain(&self.theirs).max_by_key(rank).map_or("unknown", |end| &end.state)
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
    use proptest::prelude::*;
    use serde_json::json;

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
        let drafts = drafts(&picture());
        let names = |audience: &Audience| drafts[audience].sections.keys().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(names(&Audience::Federation), ["alarms", "capabilities", "health"]);
        assert_eq!(names(&Audience::Adjacent("north".into())), ["links"]);
        let links = read("links", &drafts[&Audience::Adjacent("north".into())].sections["links"]).unwrap();
        assert_eq!(links["ends"][0]["qberRatio"], 0.021);
    }

    #[test]
    fn what_is_not_known_does_not_pass() {
        let sneaky = json!({
            "components": { "mq": { "known": 3, "operator": "Jane", "connected": -1 } },
            "keyMaterial": "c2VjcmV0",
        });
        assert_eq!(filtered("health", &sneaky), Some(json!({ "components": { "mq": { "known": 3 } } })));
        assert_eq!(filtered("inventory", &sneaky), None);
        let key = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        assert_eq!(filtered("alarms", &json!({ "types": { key: 1 } })), Some(json!({ "types": {} })));
    }

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
        assert_eq!((joined.len(), joined[0].state()), (1, "down"));
        assert_eq!(joined[0].differences(), ["we say up, they say down", "QBER 0.020 here, 0.050 there"]);
        // A domain does not speak of a link between others.
        let joined = TwoEnds::join("east", &[end("west", "up", 0.02)], &[end("north", "down", 0.05)]);
        assert_eq!(joined[0].theirs, None);
        assert_eq!(joined[0].differences(), ["the other domain says nothing of it"]);
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "[a-zA-Z0-9+/=]{0,80}".prop_map(Value::from),
        ];
        let name = prop_oneof![
            Just("components".to_owned()),
            Just("ends".to_owned()),
            Just("mq".to_owned()),
            Just("known".to_owned()),
            Just("id".to_owned()),
            Just("raised".to_owned()),
            "[a-z]{1,9}",
        ];
        leaf.prop_recursive(4, 64, 8, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(name.clone(), inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_filter_lets_its_own_work_pass_and_no_key(value in any_json(), key in "[A-Za-z0-9]{32,64}") {
            for name in names() {
                let mut planted = value.clone();
                if let Some(object) = planted.as_object_mut() {
                    object.insert("program".to_owned(), key.clone().into());
                    object.insert(key.clone(), 1.into());
                }
                let once = filtered(name, &planted);
                let text = serde_json::to_string(&once).unwrap();
                prop_assert!(!text.contains(&key), "{text}");
                if let Some(once) = once {
                    prop_assert_eq!(filtered(name, &once), Some(once));
                }
            }
        }
    }
}
