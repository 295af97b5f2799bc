//! The federation as the API shows it: read from the state machine under its lock, for a moment.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

use super::{
    Federation, behind,
    driver::Core,
    locked,
    rollups::{self, Sources},
    shown::{Shown, Shows},
};
use crate::{
    api::{
        FederationDesk,
        views::{
            BottleneckView, DisclosureView, DocumentView, DomainAlarmView, DomainComparisonView, DomainConnectionView,
            DomainLinkView, DomainPathView, DomainView, FailedDialsView, GraphView, PeerView, PreviewView, RollupView,
            SectionView,
        },
    },
    federation::{
        graph::{Bottleneck, Evidence, Graph},
        protocol::{Audience, Freshness, Held, OriginId, Role, SectionBody, Slot, Standing},
        section::{LinkEnd, Links, TwoEnds, rollup},
    },
    model::Timestamp,
    storage::federation::{self as stored, Disclosure},
    telemetry::federation::FederationLevels,
};

/// The door to the federation.
#[derive(Clone)]
pub struct Desk {
    /// The federation.
    pub federation: Arc<Federation>,
    /// What of documents is shown.
    pub shows: Arc<Shows>,
    /// Our domain.
    pub domain: OriginId,
    /// Where what was disclosed is read.
    pub data_dir: PathBuf,
}

/// How a domain is seen that has said nothing yet.
pub(super) const UNHEARD: &str = "unheard";

fn section_view(body: &SectionBody, shown: Option<&Shown>) -> SectionView {
    let Shown { content, malformed, withheld } = shown.cloned().unwrap_or_default();
    SectionView { name: body.name.to_string(), bytes: body.data.len() as u64, content, malformed, withheld }
}

/// What is known of a domain, taken from the state machine under its lock. It is looked at after that: import policies take
/// their time, and the protocol does not wait for them.
pub(super) struct Found {
    pub(super) domain: OriginId,
    area: String,
    role: Role,
    pub(super) standing: Option<Standing>,
    /// The silent domain through which alone it is known.
    behind: Option<OriginId>,
    pub(super) documents: Vec<(Slot, Held)>,
    /// The age of its document for all, milliseconds.
    age_ms: u64,
}

impl Found {
    pub(super) fn of(core: &Core, domain: OriginId) -> Self {
        let now = core.now().mono;
        let documents = core.node.shown_of(&domain, now);
        let documents: Vec<(Slot, Held)> = documents.map(|(slot, held)| (slot.clone(), held.clone())).collect();
        let for_all = documents.iter().find(|(slot, _)| slot.audience == Audience::Federation);
        let member = core.membership.roster.members.get(&domain);
        let (standing, behind) = core.told(&domain);
        Self {
            area: member.map(|member| member.area.to_string()).unwrap_or_default(),
            role: member.map(|member| member.role).unwrap_or_default(),
            standing,
            behind,
            age_ms: for_all.map_or(0, |(_, held)| held.age(now)),
            documents,
            domain,
        }
    }

    pub(super) fn freshness(&self) -> &'static str {
        self.standing.map_or(UNHEARD, |standing| standing.freshness.as_str())
    }

    /// Whether it is not heard now: what it said says nothing about now.
    pub(super) fn is_silent(&self) -> bool {
        let seen = self.standing.map(|standing| standing.freshness);
        !matches!(seen, Some(Freshness::Fresh | Freshness::Indirect))
    }

    pub(super) fn told_to(&self, audience: &Audience) -> Option<&(Slot, Held)> {
        self.documents.iter().find(|(slot, _)| slot.audience == *audience)
    }
}

impl Desk {
    fn document_view(&self, slot: &Slot, held: &Held) -> DocumentView {
        let shown = self.shows.document(slot, held);
        DocumentView {
            audience: slot.audience.to_string(),
            version: held.manifest.version.to_string(),
            issued: Timestamp(i64::try_from(held.manifest.issued_at).unwrap_or(i64::MAX)),
            manifest_bytes: held.jws.size() as u64,
            from: held.from.to_string(),
            via: held.via.iter().map(ToString::to_string).collect(),
            sections: held.sections.iter().map(|(name, body)| section_view(body, shown.get(name))).collect(),
        }
    }

    fn domain_view(&self, found: &Found, sources: &mut Sources<'_>) -> DomainView {
        let Found { domain, area, role, standing, documents, .. } = found;
        DomainView {
            domain: domain.to_string(),
            own: *domain == self.domain,
            area: (!area.is_empty()).then(|| area.clone()),
            role: role.as_str().to_owned(),
            rollups: self.rollups(found, sources),
            freshness: found.freshness().to_owned(),
            age_ms: standing.map_or(0, |standing| standing.age_ms),
            known_through: found.behind.as_ref().map(behind::behind),
            disputed: standing.is_some_and(|standing| standing.disputed),
            documents: documents.iter().map(|(slot, held)| self.document_view(slot, held)).collect(),
        }
    }

    /// Areas in sum, as an aggregator has them.
    fn rollups(&self, found: &Found, sources: &mut Sources<'_>) -> Vec<RollupView> {
        let Some(document) = found.told_to(&Audience::Federation).filter(|_| found.role == Role::Aggregator) else {
            return Vec::new();
        };
        let shown = self.shows.document(&document.0, &document.1);
        let content = shown.get(rollup::SECTION).map(|section| &section.content);
        let roster = &self.federation.border.rules().roster;
        content.map(|content| rollups::views(sources, roster, document, content, found.age_ms)).unwrap_or_default()
    }

    /// How it is now, in numbers.
    #[must_use]
    pub fn levels(&self) -> FederationLevels {
        let core = locked(&self.federation.core);
        let mut seen: BTreeMap<&'static str, u64> = Freshness::ALL.map(|one| (one.as_str(), 0)).into();
        seen.insert(UNHEARD, 0);
        let mut levels = FederationLevels::default();
        for domain in core.membership.roster.members.keys().filter(|domain| **domain != self.domain) {
            let (standing, _) = core.told(domain);
            *seen.entry(standing.map_or(UNHEARD, |standing| standing.freshness.as_str())).or_default() += 1;
            levels.disputed += u64::from(standing.is_some_and(|standing| standing.disputed));
        }
        levels.domains = seen.into_iter().collect();
        levels.peers = core.membership.peers.len() as u64;
        let with_session: BTreeSet<&OriginId> = core.node.session_peers().map(|(_, domain)| domain).collect();
        levels.connected = with_session.len() as u64;
        levels.documents = core.node.documents().count() as u64;
        levels.wanted = core.node.sizes().1 as u64;
        levels.stopped = core.node.has_stopped_publishing();
        let open = |ours: bool| core.book.entries().filter(|entry| entry.is_open() && entry.is_ours() == ours).count();
        (levels.requests_sent, levels.requests_waiting) = (open(true) as u64, open(false) as u64);
        levels
    }

    /// The domain that a peer speaks for, by its manager ID.
    pub(super) fn peer_domain(&self, id: &str) -> Option<OriginId> {
        self.domain_of(&locked(&self.federation.core), id)
    }

    fn domain_of(&self, core: &Core, id: &str) -> Option<OriginId> {
        let peers = &core.membership.peers;
        peers.iter().find(|(_, peer)| peer.manager.id.as_str() == id).map(|(domain, _)| domain.clone())
    }
}

impl FederationDesk for Desk {
    fn peers(&self) -> Vec<PeerView> {
        let core = locked(&self.federation.core);
        let now = core.now().mono;
        let view = |(domain, peer): (&OriginId, &super::Peer)| {
            // A session that the state machine has closed may still be on its way out.
            let open: Vec<_> =
                core.node.session_peers().filter(|(_, other)| *other == domain).map(|(id, _)| id).collect();
            let session = open.first().and_then(|id| core.sessions.get(id));
            let standing = core.node.standing(domain, core.now().mono);
            let member = core.membership.roster.members.get(domain);
            PeerView {
                id: peer.manager.id.to_string(),
                domain: domain.to_string(),
                key_generation: member.map_or(1, |member| member.key_gen),
                min_epoch: member.map_or(0, |member| member.min_epoch),
                address: peer.address.clone(),
                failed_dials: core.unreached.of(domain).map(|failed| FailedDialsView {
                    since: failed.since,
                    at: failed.at,
                    times: failed.times,
                    why: failed.why.clone(),
                }),
                connected: session.is_some(),
                since: session.map(|session| session.since),
                dialled: session.map(|session| session.connection.dialled),
                peer_address: session.map(|session| session.connection.address.to_string()),
                tells_us: session.and_then(|session| session.tells_us),
                round_trip_ms: session.and_then(|session| session.round_trip).map(|time| time.as_secs_f64() * 1e3),
                sent: session.map_or(0, |session| session.messages.1),
                answered: session.map_or(0, |session| session.messages.0),
                freshness: standing.map(|standing| standing.freshness.as_str().to_owned()),
                heard_before_ms: core.node.heard_before(domain, now),
                relays: core.node.relays(domain, now),
                dropped: core.dropped.get(domain).copied().unwrap_or(0),
                may_ask: core.may_ask(domain),
            }
        };
        core.membership.peers.iter().map(view).collect()
    }

    fn domains(&self) -> Vec<DomainView> {
        let core = locked(&self.federation.core);
        let mut domains: Vec<OriginId> = core.membership.roster.members.keys().cloned().collect();
        domains.extend(core.node.documents().map(|(slot, _)| slot.origin.clone()));
        domains.sort_unstable();
        domains.dedup();
        let found: Vec<Found> = domains.into_iter().map(|domain| Found::of(&core, domain)).collect();
        drop(core);
        self.shows.keep_only(|slot| found.iter().any(|one| one.documents.iter().any(|(held, _)| held == slot)));
        let mut sources = Sources::of(&found);
        let mut views: Vec<_> = found.iter().map(|one| self.domain_view(one, &mut sources)).collect();
        rollups::compare(&mut views);
        behind::tell_of_sums(&mut views);
        views
    }

    fn links(&self) -> Vec<DomainLinkView> {
        let core = locked(&self.federation.core);
        let own = Found::of(&core, self.domain.clone());
        let peers: Vec<Found> = core.membership.peers.keys().map(|peer| Found::of(&core, peer.clone())).collect();
        drop(core);
        let ends = |found: &Found, audience: &Audience, other: &OriginId| -> Vec<LinkEnd> {
            let shown = found.told_to(audience).map(|(slot, held)| self.shows.document(slot, held));
            let links = shown.as_ref().and_then(|shown| shown.get("links")).map(|links| links.content.clone());
            let read = links.and_then(|links| serde_json::from_value::<Links>(links).ok());
            let mut ends = read.unwrap_or_default().ends;
            // Either end may call a link by its alias.
            ends.iter_mut().for_each(|end| end.id = self.federation.border.link_name(other, &end.id));
            ends
        };
        let mut links = Vec::new();
        for peer in &peers {
            let domain = &peer.domain;
            let ours = ends(&own, &Audience::Adjacent(domain.clone()), domain);
            let theirs = ends(peer, &Audience::Adjacent(self.domain.clone()), domain);
            let (freshness, is_silent) = (peer.freshness(), peer.is_silent());
            let age_ms = peer.standing.map(|standing| standing.age_ms);
            for both in TwoEnds::join(self.domain.as_str(), &ours, &theirs) {
                let json = |end: &Option<LinkEnd>| end.as_ref().and_then(|end| serde_json::to_value(end).ok());
                links.push(DomainLinkView {
                    id: both.id.clone(),
                    domain: domain.to_string(),
                    state: both.state(is_silent).to_owned(),
                    ours: json(&both.ours),
                    theirs: json(&both.theirs),
                    freshness: freshness.to_owned(),
                    age_ms,
                    differences: both.differences(),
                });
            }
        }
        links.sort_by(|a, b| a.id.cmp(&b.id));
        links
    }

    fn graph(&self) -> GraphView {
        let core = locked(&self.federation.core);
        let mut graph = Graph::from(self.domain.clone());
        core.membership.peers.keys().for_each(|peer| graph.add(&self.domain, peer, Evidence::Configured));
        core.node.session_peers().for_each(|(_, peer)| graph.add(&self.domain, peer, Evidence::Session));
        for (one, other) in core.node.told_sessions() {
            graph.add(one, other, Evidence::Told);
            // Who tells of its session with us tells of all of them.
            if *other == self.domain {
                graph.tells_all(one);
            }
        }
        let now = core.now().mono;
        for (slot, held) in core.node.documents() {
            // Ways of what is old say nothing about now.
            let current = core
                .node
                .standing(&slot.origin, now)
                .is_some_and(|standing| matches!(standing.freshness, Freshness::Fresh | Freshness::Indirect));
            let way = std::iter::once(&slot.origin).chain(&held.via);
            let steps = way.clone().zip(way.skip(1)).filter(|_| current);
            steps.for_each(|(one, other)| graph.add(one, other, Evidence::Way));
        }
        let distances = graph.distances();
        let known = core.membership.roster.members.keys();
        let unreached = known.filter(|domain| !distances.contains_key(domain)).map(ToString::to_string).collect();
        let connection = |(one, other, evidence): (&OriginId, &OriginId, Evidence)| DomainConnectionView {
            one: one.to_string(),
            other: other.to_string(),
            known_by: evidence.as_str().to_owned(),
            first_hand: evidence == Evidence::Session,
        };
        let bottleneck = |one: Bottleneck<'_>| BottleneckView {
            domain: one.domain.to_string(),
            cuts_off: one.cuts_off.into_iter().map(ToString::to_string).collect(),
            certain: one.certain,
        };
        let all: BTreeSet<&OriginId> = distances.keys().copied().chain(core.membership.roster.members.keys()).collect();
        let (whole, in_part): (Vec<&OriginId>, Vec<&OriginId>) =
            all.into_iter().partition(|one| graph.is_known_whole(one));
        let names = |all: Vec<&OriginId>| all.into_iter().map(ToString::to_string).collect();
        GraphView {
            domain: self.domain.to_string(),
            connections: graph.connections().map(connection).collect(),
            bottlenecks: graph.bottlenecks().into_iter().map(bottleneck).collect(),
            unreached,
            known_whole: names(whole),
            known_in_part: names(in_part),
        }
    }

    fn comparisons(&self) -> Vec<DomainComparisonView> {
        self.compared()
    }

    fn path(&self, from: &str, to: &str) -> Result<DomainPathView, String> {
        self.path_over(from, to)
    }

    fn alarms(&self) -> Vec<DomainAlarmView> {
        self.joined_alarms()
    }

    fn preview(&self, peer: &str) -> Option<PreviewView> {
        let core = locked(&self.federation.core);
        let domain = self.domain_of(&core, peer)?;
        let visible: Vec<_> = core.node.visible_to(&domain).collect();
        let ours = visible.iter().filter(|(slot, _)| slot.origin == self.domain);
        let mut relayed: Vec<String> = visible
            .iter()
            .filter(|(slot, _)| slot.origin != self.domain && slot.origin != domain)
            .filter(|(slot, _)| !matches!(slot.audience, Audience::Adjacent(_)))
            .map(|(slot, _)| slot.origin.to_string())
            .collect();
        relayed.dedup();
        Some(PreviewView {
            domain: domain.to_string(),
            own: ours.map(|(slot, held)| self.document_view(slot, held)).collect(),
            relayed,
        })
    }

    fn disclosures(&self, peer: &str, limit: u32) -> Option<Result<Vec<DisclosureView>, String>> {
        let domain = self.domain_of(&locked(&self.federation.core), peer)?;
        let view = |told: Disclosure| DisclosureView {
            time: told.time,
            audience: told.audience,
            version: told.version,
            sections: told.sections,
            bytes: told.bytes,
        };
        let read = stored::disclosures(&self.data_dir, domain.as_str(), limit);
        Some(read.map(|told| told.into_iter().map(view).collect()).map_err(|error| error.to_string()))
    }
}
