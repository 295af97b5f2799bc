//! Roll-ups: what the members of an area say, added up by an aggregator and published as its own.
//!
//! In: what each source says, and how fresh that is. Out: sums that carry their worst freshness and name their sources, so that
//! whoever holds these can add up again ([`check`]); and what of another's roll-up is believed. Nothing is decided here of who
//! may hear a source; a figure that all but one source of it have told everybody is not told as a sum.
//!
//! ```text
//!   documents held --Said--> sum --> section `rollup` --form, believed--> check: agrees, differs, cannot be checked
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::{Alarms, Counts, Fitted, Health, LinkRanges, Range, form};
use crate::federation::protocol::{Audience, Hash, Manifest, OriginId, Role, Roster, SectionBody, Slot};

/// Name of the section.
pub const SECTION: &str = "rollup";
/// Sources of all areas of one roll-up: what fits into [`MOST_BYTES`] if their names are short.
pub const MOST_SOURCES: usize = 256;
/// Bytes of one roll-up: three quarters of what readers take of a section, so that none of them refuses the document that it
/// is in.
pub const MOST_BYTES: usize = 48 * 1024;
/// A source has said nothing yet.
pub const UNHEARD: &str = "unheard";
/// A source has signed two manifests of one version: which of them holds, nobody knows.
pub const DISPUTED: &str = "disputed";
/// States of sources that are in the sum. All others are listed, and add nothing.
const IN_THE_SUM: [&str; 3] = ["fresh", "indirect", "stale"];
/// Ages are told up to this, in seconds.
const MOST_AGE_S: u64 = 9_999_999;

/// Section `rollup`: areas in sum.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rollup {
    /// By name.
    pub areas: Vec<AreaSum>,
}

/// An area in sum.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AreaSum {
    /// Its name.
    pub area: String,
    /// Components by reference point.
    pub components: BTreeMap<String, Counts>,
    /// Alarms raised, by severity.
    pub raised: BTreeMap<String, u64>,
    /// Ends of links to other domains.
    pub links: LinkRanges,
    /// How many sources are in which state.
    pub domains: BTreeMap<String, u64>,
    /// The oldest that is in the sum is at most so old, in seconds.
    pub worst_age_s: u64,
    /// All members of the area that the aggregator knows of, by name.
    pub sources: Vec<Source>,
}

/// A domain whose document is in a sum, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Source {
    /// Which.
    pub origin: String,
    /// How the aggregator sees it: `fresh`, `indirect`, `stale` are in the sum.
    pub state: String,
    /// It is at most so old, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_s: Option<u64>,
    /// Which of its documents: for the `federation`, its `area`, or an `aggregator`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// The first version that said this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Hash of the manifest of that version, its first half.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest_hash: Option<String>,
    /// Hash of what that manifest names, its first half: the same as long as the domain says the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_hash: Option<String>,
}

impl Source {
    fn is_in_the_sum(&self) -> bool {
        IN_THE_SUM.contains(&self.state.as_str())
    }

    /// Where its document has its place.
    #[must_use]
    pub fn slot(&self, area: &str) -> Option<Slot> {
        let audience = match self.audience.as_deref()? {
            "federation" => Audience::Federation,
            "area" => Audience::Area(area.into()),
            "aggregator" => Audience::Aggregator,
            _ => return None,
        };
        Some(Slot { origin: self.origin.as_str().into(), audience })
    }
}

/// What a source calls an audience; `None`: what it says to that is nobody's to add up.
#[must_use]
pub fn audience_word(audience: &Audience) -> Option<&'static str> {
    match audience {
        Audience::Federation => Some("federation"),
        Audience::Area(_) => Some("area"),
        Audience::Aggregator => Some("aggregator"),
        Audience::Adjacent(_) => None,
    }
}

/// Half of a hash is enough to tell documents of one domain apart, and too short for a key of 256 bits to pass as one.
const HASH_BYTES: usize = 16;

/// A hash as sources write it.
#[must_use]
pub fn half(hash: &Hash) -> String {
    URL_SAFE_NO_PAD.encode(&hash.0[..HASH_BYTES])
}

/// Whether a text is written like [`half`] does.
pub(super) fn is_half(text: &str) -> bool {
    URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == HASH_BYTES)
}

/// Names what a manifest's sections say, whatever its version.
#[must_use]
pub fn content_hash(manifest: &Manifest) -> String {
    let lens: Vec<[u8; 4]> = manifest.sections.values().map(|section| section.len.to_be_bytes()).collect();
    let mut parts: Vec<&[u8]> = Vec::new();
    for ((name, section), len) in manifest.sections.iter().zip(&lens) {
        parts.extend([name.as_bytes(), &section.hash.0, len]);
    }
    half(&Hash::of(&parts))
}

/// An age in seconds as it is told: within its validity that, and beyond it doubled until it is enough. So what is fresh has one
/// age, and what grows old is told anew less and less often; never is anything older than is told.
#[must_use]
pub fn age_told(age_ms: u64, valid_for_ms: u64) -> u64 {
    let mut told = valid_for_ms.max(1_000);
    while told < age_ms {
        told = told.saturating_mul(2);
    }
    told.div_ceil(1_000).min(MOST_AGE_S)
}

/// What of a source's document can be added up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Said {
    health: Option<Health>,
    alarms: Option<Alarms>,
    links: Option<LinkRanges>,
}

impl Said {
    /// Through the filter. What has not its form is not added up.
    #[must_use]
    pub fn read(sections: &BTreeMap<Arc<str>, SectionBody>) -> Self {
        fn one<T: DeserializeOwned>(sections: &BTreeMap<Arc<str>, SectionBody>, name: &str) -> Option<T> {
            let value = serde_json::from_slice(&sections.get(name)?.data).ok()?;
            serde_json::from_value(form::fitted(name, &value)?.value).ok()
        }
        // Alarms by type alone are not added up.
        let has_raised =
            |data: &[u8]| serde_json::from_slice::<Value>(data).is_ok_and(|value| value["raised"].is_object());
        let alarms = sections.get("alarms").filter(|body| has_raised(&body.data));
        Self {
            health: one(sections, "health"),
            alarms: alarms.and_then(|_| one(sections, "alarms")),
            links: one(sections, "linkRanges"),
        }
    }

    /// How many parts of it there are.
    #[must_use]
    pub fn parts(&self) -> usize {
        [self.health.is_some(), self.alarms.is_some(), self.links.is_some()]
            .into_iter()
            .filter(|is_there| *is_there)
            .count()
    }
}

/// Adds, up to what may be told of anything counted.
fn add(sum: &mut u64, count: u64) {
    *sum = sum.saturating_add(count).min(form::MOST_COUNTED);
}

/// What is handed in of each source: what it says, where that is known.
type Sources<'a> = [(Source, Option<&'a Said>)];

/// What those in the sum say of one figure. Who says nothing of it, or zero, has no part in it. Where one alone of those that
/// have did not tell everybody, the sum would tell what it said: then there is none.
fn told_of<'a, T: Default + PartialEq>(sources: &Sources<'a>, of: impl Fn(&'a Said) -> Option<T>) -> Vec<T> {
    let counted = sources.iter().filter(|(source, _)| source.is_in_the_sum());
    let told = counted.filter_map(|(source, said)| Some((source, of((*said)?)?)));
    let told: Vec<_> = told.filter(|(_, figure)| *figure != T::default()).collect();
    let in_confidence = told.iter().filter(|(source, _)| source.audience.as_deref() != Some("federation")).count();
    if in_confidence == 1 { Vec::new() } else { told.into_iter().map(|(_, figure)| figure).collect() }
}

/// The same of figures that have names: each is one.
fn told_by_name<'a, T: Copy + Default + PartialEq + 'a>(
    sources: &Sources<'a>,
    of: impl Fn(&'a Said) -> Option<&'a BTreeMap<String, T>>,
) -> Vec<(&'a str, T)> {
    let all = sources.iter().filter_map(|(_, said)| of((*said)?));
    let names: BTreeSet<&str> = all.flat_map(BTreeMap::keys).map(String::as_str).collect();
    let one = |name| {
        let figures = told_of(sources, |said| of(said)?.get(name).copied());
        figures.into_iter().map(move |figure| (name, figure))
    };
    names.into_iter().flat_map(one).collect()
}

/// The sum of what sources say. Each is in it once, whatever is handed in.
#[must_use]
pub fn sum(area: &str, sources: impl IntoIterator<Item = (Source, Option<Said>)>) -> AreaSum {
    let mut once: BTreeMap<String, (Source, Option<Said>)> = BTreeMap::new();
    for (source, said) in sources {
        once.entry(source.origin.clone()).or_insert((source, said));
    }
    let held: Vec<(Source, Option<&Said>)> =
        once.values().map(|(source, said)| (source.clone(), said.as_ref())).collect();
    add_up(area, &held)
}

fn links(sources: &Sources<'_>) -> LinkRanges {
    let range = |of: fn(&LinkRanges) -> Option<Range>| {
        let told = told_of(sources, |said| of(said.links.as_ref()?).filter(|range| range.count > 0));
        let all = told.into_iter().reduce(Range::join)?;
        Some(Range { count: all.count.min(form::MOST_COUNTED), ..all })
    };
    let mut states = BTreeMap::new();
    for (state, count) in told_by_name(sources, |said| Some(&said.links.as_ref()?.states)) {
        add(states.entry(state.to_owned()).or_default(), count);
    }
    LinkRanges {
        states,
        qber_ratio: range(|links| links.qber_ratio),
        secret_key_rate_bps: range(|links| links.secret_key_rate_bps),
        key_store_fill_ratio: range(|links| links.key_store_fill_ratio),
    }
}

fn add_up(area: &str, sources: &Sources<'_>) -> AreaSum {
    let mut all = AreaSum { area: area.to_owned(), links: links(sources), ..AreaSum::default() };
    for (point, counts) in told_by_name(sources, |said| Some(&said.health.as_ref()?.components)) {
        let sum = all.components.entry(point.to_owned()).or_default();
        add(&mut sum.known, counts.known);
        add(&mut sum.connected, counts.connected);
        add(&mut sum.silent, counts.silent);
        add(&mut sum.impaired, counts.impaired);
    }
    for (severity, count) in told_by_name(sources, |said| Some(&said.alarms.as_ref()?.raised)) {
        add(all.raised.entry(severity.to_owned()).or_default(), count);
    }
    for (source, _) in sources {
        add(all.domains.entry(source.state.clone()).or_default(), 1);
        if source.is_in_the_sum() {
            all.worst_age_s = all.worst_age_s.max(source.age_s.unwrap_or(MOST_AGE_S));
        }
        all.sources.push(source.clone());
    }
    all
}

/// What adding up again says of a sum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// It is what its sources add up to.
    Agrees,
    /// It is not; what is different.
    Differs(Vec<&'static str>),
    /// Not everything that it was made of is held here; why.
    CannotBeChecked(String),
}

/// Adds up again. `held` has what a source says where it is held here, and says what the sum was made of.
#[must_use]
pub fn check<'a>(told: &AreaSum, held: impl Fn(&Source) -> Option<&'a Said>) -> Check {
    if told.domains.values().sum::<u64>() != told.sources.len() as u64 {
        return Check::CannotBeChecked("not all of its sources are listed, or known here".to_owned());
    }
    let sources: Vec<(Source, Option<&Said>)> =
        told.sources.iter().map(|source| (source.clone(), held(source))).collect();
    let again = add_up(&told.area, &sources);
    let mut different = Vec::new();
    if (&again.domains, again.worst_age_s) != (&told.domains, told.worst_age_s) {
        different.push("freshness");
    }
    let missing: Vec<&str> = sources
        .iter()
        .filter(|(source, said)| source.is_in_the_sum() && said.is_none())
        .map(|(source, _)| source.origin.as_str())
        .collect();
    if missing.is_empty() {
        let parts = [
            ("components", again.components != told.components),
            ("alarms", again.raised != told.raised),
            ("links", again.links != told.links),
        ];
        different.extend(parts.into_iter().filter(|(_, differs)| *differs).map(|(what, _)| what));
    }
    match (different.is_empty(), missing.is_empty()) {
        (false, _) => Check::Differs(different),
        (true, true) => Check::Agrees,
        (true, false) => {
            Check::CannotBeChecked(format!("what it was made of is not held here: {}", missing.join(", ")))
        }
    }
}

/// How fresh a sum is, in words: `2 fresh, 1 stale (max age 94 s), 1 excluded left out`. `since_ms`: how old the roll-up is.
#[must_use]
pub fn in_words(told: &AreaSum, since_ms: u64) -> String {
    let states = |counted: bool| {
        let all = told.domains.iter().filter(move |(state, _)| IN_THE_SUM.contains(&state.as_str()) == counted);
        all.map(|(state, count)| format!("{count} {state}")).collect::<Vec<_>>()
    };
    let (in_it, left_out) = (states(true), states(false));
    let age = told.worst_age_s.saturating_add(since_ms.div_ceil(1_000));
    let sum = if in_it.is_empty() { "none".to_owned() } else { format!("{} (max age {age} s)", in_it.join(", ")) };
    if left_out.is_empty() { sum } else { format!("{sum}; {} left out", left_out.join(", ")) }
}

/// What another aggregator does with the members of an area that one does not: how each sees them, by domain. That one has a
/// session with a source and the other has not makes no difference.
#[must_use]
pub fn differences(one: &BTreeMap<&str, &str>, other: &BTreeMap<&str, &str>) -> Vec<String> {
    let is_in = |state: &&&str| IN_THE_SUM.contains(*state);
    let mut domains: Vec<&&str> = one.keys().chain(other.keys()).collect();
    domains.sort_unstable();
    domains.dedup();
    let said = |domain: &&str| match (one.get(*domain), other.get(*domain)) {
        (Some(_), None) => Some(format!("does not know {domain}")),
        (None, Some(state)) => Some(format!("knows {domain}, {state}")),
        (Some(here), Some(there)) if is_in(&here) && !is_in(&there) => Some(format!("leaves {domain} out, {there}")),
        (Some(here), Some(there)) if !is_in(&here) && is_in(&there) => {
            Some(format!("has {domain} in the sum, {there}"))
        }
        _ => None,
    };
    domains.into_iter().filter_map(said).collect()
}

/// Names and hashes that a roll-up of ours says: of domains and areas that we know, and of documents that we hold.
pub(super) fn names(rollup: &Rollup) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    for area in &rollup.areas {
        names.insert(area.area.as_str());
        for Source { origin, version, manifest_hash, content_hash, .. } in &area.sources {
            names.insert(origin.as_str());
            names.extend([version, manifest_hash, content_hash].into_iter().flatten().map(String::as_str));
        }
    }
    names
}

/// What of another's roll-up is believed: an aggregator speaks for members of its area, or of any if it has none; of each area
/// once, and in each of every domain once.
pub(super) fn believed(speaker: &OriginId, roster: &Roster, found: &mut Fitted) {
    let member = roster.members.get(speaker);
    let Some(aggregator) = member.filter(|member| member.role == Role::Aggregator) else {
        found.faults.push(format!("/: roll-ups are for aggregators to publish, and {speaker} is none"));
        found.value = Value::Object(Map::new());
        return;
    };
    let Fitted { value, faults } = found;
    let mut rollup: Rollup = serde_json::from_value(value.take()).unwrap_or_default();
    let mut areas = BTreeSet::new();
    rollup.areas.retain_mut(|one| {
        let may_speak = aggregator.area.is_empty() || *aggregator.area == *one.area;
        let why = match () {
            () if !may_speak => Some("it is not the aggregator's"),
            () if !areas.insert(one.area.clone()) => Some("it is there twice"),
            () => sources_problem(one, roster),
        };
        if let Some(why) = why {
            faults.push(format!("/areas: area `{}` is not shown: {why}", one.area));
            return false;
        }
        let listed = one.sources.len();
        one.sources.retain(|source| roster.members.contains_key(&OriginId::from(source.origin.as_str())));
        if one.sources.len() != listed {
            let unknown = listed - one.sources.len();
            faults.push(format!("/areas: of area `{}`, {unknown} of the sources are not in our roster", one.area));
        }
        true
    });
    *value = serde_json::to_value(rollup).unwrap_or_default();
}

fn sources_problem(one: &AreaSum, roster: &Roster) -> Option<&'static str> {
    let mut once = BTreeSet::new();
    one.sources.iter().find_map(|source| match roster.members.get(&OriginId::from(source.origin.as_str())) {
        _ if !once.insert(source.origin.as_str()) => Some("one of its sources is there twice"),
        Some(member) if member.role == Role::Aggregator => Some("one of its sources is an aggregator"),
        Some(member) if *member.area != *one.area => Some("one of its sources is of another area"),
        _ => None,
    })
}

#[cfg(test)]
#[path = "rollup_tests.rs"]
mod tests;
