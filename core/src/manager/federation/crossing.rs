//! Views over domains: what two of them tell of the same thing, links as all of them tell them, a path over several, alarms of one
//! cause.
//!
//! In: documents that are held, past the import policies like everything that is shown. Out: the API's views. What a path or a joined
//! alarm is, is decided in `federation/path` and `federation/joined_alarms`.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    desk::{Desk, Found},
    locked,
    sightings::{OF_LINKS, Sightings},
};
use crate::{
    api::views::{
        AlternativePathView, DomainAlarmView, DomainComparisonView, DomainPathView, LeastFigureView, LinkEndView,
        PathHopView,
    },
    federation::{
        joined_alarms::joined,
        known_links::{KnownLink, KnownLinks, Statement, ToldTo},
        path::{self, Hop, Least, Path},
        protocol::{Audience, OriginId, Slot},
        section::{Comparison, Kind},
    },
};

impl Desk {
    /// Everything that is known of all domains, and when it was learnt.
    fn found(&self) -> (Vec<Found>, Sightings) {
        let core = locked(&self.federation.core);
        let mut domains: BTreeSet<OriginId> = core.membership.roster.members.keys().cloned().collect();
        domains.insert(self.domain.clone());
        (domains.into_iter().map(|domain| Found::of(&core, domain)).collect(), core.sightings.clone())
    }

    /// Links between domains, as they tell us or everybody, or we them.
    fn known_links(&self, found: &[Found], sightings: &Sightings) -> Vec<KnownLink> {
        let mut known = KnownLinks::default();
        let silent = found.iter().filter(|one| one.domain != self.domain && one.is_silent());
        silent.for_each(|one| known.silent(one.domain.clone()));
        for one in found {
            for (slot, held) in &one.documents {
                let told_to = match &slot.audience {
                    Audience::Adjacent(_) if slot.origin == self.domain => ToldTo::Ourselves,
                    Audience::Adjacent(_) => ToldTo::Us,
                    // What we tell everybody of our links is less than what we know.
                    _ if slot.origin == self.domain => continue,
                    Audience::Federation => ToldTo::Everybody,
                    Audience::Area(_) | Audience::Aggregator => ToldTo::Several,
                };
                let shown = self.shows.document(slot, held);
                for (section, list) in OF_LINKS {
                    let entries = shown.get(section).and_then(|shown| shown.content.get(list)?.as_array());
                    for entry in entries.into_iter().flatten() {
                        self.add(&mut known, (one, slot, told_to), entry, sightings);
                    }
                }
            }
        }
        known.into_links()
    }

    fn add(&self, known: &mut KnownLinks, from: (&Found, &Slot, ToldTo), entry: &Value, sightings: &Sightings) {
        let (found, slot, told_to) = from;
        let text = |name: &str| entry[name].as_str().unwrap_or_default();
        let (id, peer) = (text("id"), OriginId::from(text("peer")));
        // Of our own links we know what an alias stands for.
        let with = if slot.origin == self.domain { &peer } else { &slot.origin };
        let is_ours = slot.origin == self.domain || peer == self.domain;
        let name = if is_ours { self.federation.border().link_name(with, id) } else { id.to_owned() };
        let said = Statement {
            state: text("state").to_owned(),
            secret_key_rate_bps: entry["secretKeyRateBps"].as_f64(),
            key_store_fill_ratio: entry["keyStoreFillRatio"].as_f64(),
            told_to,
            freshness: found.standing.map(|standing| standing.freshness),
            age_ms: found.standing.map_or(0, |standing| standing.age_ms),
            since: sightings.since(slot, id, peer.as_str()),
        };
        known.add(&name, &slot.origin, &peer, said);
    }

    pub(super) fn compared(&self) -> Vec<DomainComparisonView> {
        let (found, _) = self.found();
        let Some(own) = found.iter().find(|one| one.domain == self.domain) else { return Vec::new() };
        let section = |of: &Found, audience: &Audience, with: &OriginId, kind: Kind| -> Option<Value> {
            let (slot, held) = of.told_to(audience)?;
            let mut content = self.shows.document(slot, held).get(kind.section())?.content.clone();
            // Either end may call it by its alias.
            for entry in content.as_object_mut()?.values_mut().filter_map(Value::as_array_mut).flatten() {
                if let Some(id) = entry.get_mut("id") {
                    *id = self.federation.border().link_name(with, id.as_str().unwrap_or_default()).into();
                }
            }
            Some(content)
        };
        let mut views = Vec::new();
        for other in found.iter().filter(|one| one.domain != self.domain) {
            for kind in Kind::ALL {
                let ours = section(own, &Audience::Adjacent(other.domain.clone()), &other.domain, kind);
                let theirs = section(other, &Audience::Adjacent(self.domain.clone()), &other.domain, kind);
                let joined = Comparison::join(kind, ours.as_ref(), theirs.as_ref());
                views.extend(joined.into_iter().map(|one| DomainComparisonView {
                    kind: kind.as_str().to_owned(),
                    domain: other.domain.to_string(),
                    state: one.state(other.is_silent()),
                    freshness: other.freshness().to_owned(),
                    differences: one.differences(),
                    id: one.id,
                    ours: one.ours,
                    theirs: one.theirs,
                }));
            }
        }
        views.sort_by(|a, b| (&a.domain, &a.kind, &a.id).cmp(&(&b.domain, &b.kind, &b.id)));
        views
    }

    pub(super) fn path_over(&self, from: &str, to: &str) -> Result<DomainPathView, String> {
        let (found, sightings) = self.found();
        let links = self.known_links(&found, &sightings);
        let named = |name: &str| {
            let domain = OriginId::from(name);
            let is_known =
                found.iter().any(|one| one.domain == domain) || links.iter().any(|link| link.other(&domain).is_some());
            is_known.then_some(domain).ok_or_else(|| name.to_owned())
        };
        let (from, to) = (named(from)?, named(to)?);
        let told: BTreeSet<&OriginId> = links
            .iter()
            .flat_map(|link| &link.ends)
            .filter(|(_, said)| said.is_some())
            .map(|(domain, _)| domain)
            .collect();
        let undisclosed = found.iter().filter(|one| !told.contains(&one.domain)).map(|one| one.domain.to_string());
        let mut view = DomainPathView {
            from: from.to_string(),
            to: to.to_string(),
            state: "none".to_owned(),
            undisclosed: undisclosed.collect(),
            ..DomainPathView::default()
        };
        let Some(best) = path::find(&links, &from, &to) else { return Ok(view) };
        view.state = best.path.state().to_owned();
        view.hops = hops(&best.path);
        (view.bottleneck_rate_bps, view.lowest_store_fill_ratio) = least(&best.path);
        view.alternative = best.alternative.as_ref().map(|other| {
            let (bottleneck_rate_bps, lowest_store_fill_ratio) = least(other);
            AlternativePathView {
                state: other.state().to_owned(),
                hops: hops(other),
                bottleneck_rate_bps,
                lowest_store_fill_ratio,
                shared_links: best.shared.iter().map(ToString::to_string).collect(),
                shared_domains: best.shared_domains.iter().map(ToString::to_string).collect(),
            }
        });
        view.without_other_way = best.without_other_way.iter().map(ToString::to_string).collect();
        Ok(view)
    }

    pub(super) fn joined_alarms(&self) -> Vec<DomainAlarmView> {
        let (found, sightings) = self.found();
        let links = self.known_links(&found, &sightings);
        let view = |one: crate::federation::joined_alarms::Joined<'_>| DomainAlarmView {
            link: one.link.id.clone(),
            domains: one.link.ends.iter().map(|(domain, _)| domain.to_string()).collect(),
            severity: one.severity,
            sides: one.sides.as_str().to_owned(),
            first: one.first.map(ToString::to_string),
            ends: one.link.ends.iter().map(|(domain, said)| end(domain, said.as_ref())).collect(),
        };
        joined(&links).into_iter().map(view).collect()
    }
}

fn hops(path: &Path<'_>) -> Vec<PathHopView> {
    let hop = |hop: &Hop<'_>| PathHopView {
        link: hop.link.id.clone(),
        from: hop.from.to_string(),
        to: hop.to.to_string(),
        state: hop.link.state().to_owned(),
        ends: [hop.from, hop.to].map(|domain| end(domain, hop.link.end(domain))).into(),
    };
    path.hops.iter().map(hop).collect()
}

fn least(path: &Path<'_>) -> (LeastFigureView, LeastFigureView) {
    let view = |least: Least<'_>| LeastFigureView {
        value: least.value,
        link: least.link.map(str::to_owned),
        not_disclosed: least.unknown.iter().map(ToString::to_string).collect(),
    };
    (view(path.least(|said| said.secret_key_rate_bps)), view(path.least(|said| said.key_store_fill_ratio)))
}

fn end(domain: &OriginId, said: Option<&Statement>) -> LinkEndView {
    LinkEndView {
        domain: domain.to_string(),
        state: said.map(|said| said.state.clone()),
        secret_key_rate_bps: said.and_then(|said| said.secret_key_rate_bps),
        key_store_fill_ratio: said.and_then(|said| said.key_store_fill_ratio),
        told_to: said.map(|said| said.told_to.as_str().to_owned()),
        freshness: said.and_then(|said| said.freshness).map(|freshness| freshness.as_str().to_owned()),
        age_ms: said.map(|said| said.age_ms),
        since: said.and_then(|said| said.since),
    }
}
