//! Roll-ups of aggregators as the API shows them, each added up again where what it was made of is held here.
//!
//! In: documents that are held. Out: views. Sums are shown as import policies leave them, and checked as they were signed.

use std::collections::BTreeMap;

use super::desk::Found;
use crate::{
    api::views::{DomainView, RollupSourceView, RollupView},
    federation::{
        protocol::{Audience, Held, OriginId, Roster, Slot},
        section::{
            self, Rollup,
            rollup::{self, AreaSum, Check, Said, Source},
        },
    },
};

/// All documents that are held, by their place.
pub(super) struct Sources<'found> {
    held: BTreeMap<&'found Slot, &'found Held>,
    /// What they say that can be added up, with the hash of it.
    said: BTreeMap<&'found Slot, (String, Said)>,
}

impl<'found> Sources<'found> {
    pub(super) fn of(all: &'found [Found]) -> Self {
        let held = all.iter().flat_map(|found| &found.documents).map(|(slot, held)| (slot, held));
        Self { held: held.collect(), said: BTreeMap::new() }
    }

    /// Reads what these sums were made of.
    fn read(&mut self, areas: &[AreaSum]) {
        for (area, source) in areas.iter().flat_map(|one| one.sources.iter().map(move |source| (&one.area, source))) {
            let slot = source.slot(area).and_then(|slot| self.held.get_key_value(&slot));
            if let Some((slot, held)) = slot {
                self.said
                    .entry(slot)
                    .or_insert_with(|| (rollup::content_hash(&held.manifest), Said::read(&held.sections)));
            }
        }
    }

    /// What a source says, if what is held says the same as what the sum was made of.
    fn said(&self, area: &str, source: &Source) -> Option<&Said> {
        let (content, said) = self.said.get(&source.slot(area)?)?;
        (source.content_hash.as_ref() == Some(content)).then_some(said)
    }
}

/// The roll-up in a document as it was signed.
fn as_signed(roster: &Roster, (slot, held): &(Slot, Held)) -> Rollup {
    let read = held.sections.get(rollup::SECTION).and_then(|body| {
        section::read(roster, &slot.origin, &slot.audience, rollup::SECTION, &body.data).ok().flatten()
    });
    read.and_then(|found| serde_json::from_value(found.value).ok()).unwrap_or_default()
}

fn view(aggregator: &OriginId, one: &AreaSum, since_ms: u64, check: &Check) -> RollupView {
    let (verdict, detail) = match check {
        Check::Agrees => ("agrees", String::new()),
        Check::Differs(what) => ("differs", what.join(", ")),
        Check::CannotBeChecked(why) => ("cannot be checked", why.clone()),
    };
    let source = |source: &Source| RollupSourceView {
        domain: source.origin.clone(),
        state: source.state.clone(),
        max_age_ms: source.age_s.map(|age| age.saturating_mul(1_000).saturating_add(since_ms)),
        audience: source.audience.clone(),
        version: source.version.clone(),
        manifest_hash: source.manifest_hash.clone(),
    };
    let object = |value: Result<serde_json::Value, serde_json::Error>| value.unwrap_or_default();
    RollupView {
        area: one.area.clone(),
        aggregator: aggregator.to_string(),
        sum_of: rollup::in_words(one, since_ms),
        components: object(serde_json::to_value(&one.components)),
        raised: object(serde_json::to_value(&one.raised)),
        links: object(serde_json::to_value(&one.links)),
        domains: one.domains.clone(),
        max_age_ms: one.worst_age_s.saturating_mul(1_000).saturating_add(since_ms),
        check: verdict.to_owned(),
        detail,
        differences: Vec::new(),
        sources: one.sources.iter().map(source).collect(),
    }
}

/// Compares sums over one area by several aggregators.
pub(super) fn compare(domains: &mut [DomainView]) {
    let seen: Vec<(String, String, BTreeMap<String, String>)> = domains
        .iter()
        .flat_map(|domain| &domain.rollups)
        .map(|one| {
            let sources = one.sources.iter().map(|source| (source.domain.clone(), source.state.clone()));
            (one.area.clone(), one.aggregator.clone(), sources.collect())
        })
        .collect();
    fn borrowed(sources: &BTreeMap<String, String>) -> BTreeMap<&str, &str> {
        sources.iter().map(|(domain, state)| (domain.as_str(), state.as_str())).collect()
    }
    for one in domains.iter_mut().flat_map(|domain| &mut domain.rollups) {
        let Some((_, _, ours)) = seen.iter().find(|(area, by, _)| (area, by) == (&one.area, &one.aggregator)) else {
            continue;
        };
        for (_, by, theirs) in seen.iter().filter(|(area, by, _)| *area == one.area && *by != one.aggregator) {
            let told = rollup::differences(&borrowed(ours), &borrowed(theirs));
            one.differences.extend(told.into_iter().map(|what| format!("{by} {what}")));
        }
    }
}

/// The roll-ups in a document: `shown` is what of the section is shown here.
pub(super) fn views(
    sources: &mut Sources<'_>,
    roster: &Roster,
    document: &(Slot, Held),
    shown: &serde_json::Value,
    age_ms: u64,
) -> Vec<RollupView> {
    let shown: Rollup = serde_json::from_value(shown.clone()).unwrap_or_default();
    let (slot, _) = document;
    if slot.audience != Audience::Federation || shown.areas.is_empty() {
        return Vec::new();
    }
    let signed = as_signed(roster, document);
    sources.read(&signed.areas);
    let check = |one: &AreaSum| {
        let signed = signed.areas.iter().find(|signed| signed.area == one.area);
        let none = || Check::CannotBeChecked("an import policy renamed the area".to_owned());
        signed.map_or_else(none, |signed| rollup::check(signed, |source| sources.said(&signed.area, source)))
    };
    shown.areas.iter().map(|one| view(&slot.origin, one, age_ms, &check(one))).collect()
}
