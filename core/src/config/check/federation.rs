//! Checks of `[federation]` and `[[peers]]`: that every domain and manager is named once, that those who sign have keys,
//! and that peers can be spoken with.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

use super::{Checker, crossing::Crossing};
use crate::{
    config::{
        ComponentConfig, IdentityRule, InterfaceConfig, ManagerConfig,
        federation::{EPOCH_RANDOM_BITS, FederationConfig, FederationRole, OriginConfig, PeerConfig},
        limits,
        problem::Problem,
        raw_federation::{RawFederation, RawOrigin, RawPeer},
        source::Spot,
    },
    model::{ComponentId, ComponentRef, ReferencePoint, Timestamp, disclosure::Topic, peer_request::RequestKind},
};

impl Checker<'_> {
    /// `[federation]`, if it is there and complete.
    pub(super) fn federation(
        &self,
        raw: Option<&RawFederation>,
        peers: &[RawPeer],
        manager: Option<&ManagerConfig>,
    ) -> Option<FederationConfig> {
        let raw = raw?;
        let mut domains: Vec<Spot<String>> = peers.iter().filter_map(|peer| peer.origin.domain.clone()).collect();
        domains.extend(raw.origins.iter().filter_map(|origin| origin.domain.clone()));
        for domain in domains.iter().filter(|domain| manager.is_some_and(|own| own.domain == domain.value)) {
            let problem = Problem::error(domain.place, format!("`{}` is this manager's own domain", domain.value));
            self.found.add(problem.label("expected the domain of another manager"));
        }
        self.unique("domain", domains.into_iter());
        let signing_key = raw.signing_key.as_ref().map(|spot| self.file(spot, "signing key"));
        let text = |spot: &Option<Spot<String>>| spot.as_ref().map(|spot| spot.value.clone()).unwrap_or_default();
        self.unique("inter-domain link", raw.links.iter().filter_map(|link| link.name.clone()));
        let known: Vec<&str> =
            peers.iter().filter_map(|peer| peer.origin.domain.as_ref()).map(|spot| spot.value.as_str()).collect();
        let links = raw.links.iter().filter_map(|link| self.link(link, &known)).collect();
        let Crossing { key_relations, services, settlements } = self.crossing(raw, &known);
        let origins = raw.origins.iter().filter_map(|origin| self.origin(origin, true)).collect();
        self.hierarchy(raw, peers);
        Some(FederationConfig {
            name: raw.name.as_ref().map(|spot| spot.value.clone())?,
            area: text(&raw.area),
            role: raw.role.as_ref().map_or(FederationRole::Member, |spot| spot.value),
            signing_key: signing_key?,
            key_generation: generation(raw.key_generation.as_ref()),
            min_epoch: self.least_epoch(raw.min_epoch.as_ref()),
            refresh: raw.refresh.as_ref().map_or(limits::FEDERATION_REFRESH, |spot| spot.value),
            disclose: disclosed(raw.disclose.as_ref().map_or(&Topic::DEFAULT[..], |topics| &topics.value)),
            disclose_area: beyond(raw.disclose_area.as_ref()),
            disclose_aggregators: beyond(raw.disclose_aggregators.as_ref()),
            export: self.exchange_files(raw.export.as_ref(), "export policy"),
            import: self.exchange_files(raw.import.as_ref(), "import policy"),
            origins,
            links,
            key_relations,
            services,
            settlements,
        })
    }

    /// An epoch says when a life of a domain began: a least one that is yet to come keeps out what the domain says until then.
    fn least_epoch(&self, raw: Option<&Spot<u64>>) -> u64 {
        let Some(spot) = raw else { return 0 };
        let begins = spot.value >> EPOCH_RANDOM_BITS;
        if begins > SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() {
            let begins = Timestamp(i64::try_from(begins).unwrap_or(i64::MAX).saturating_mul(1_000));
            let problem = Problem::warning(spot.place, "`min_epoch` is of a time that is yet to come");
            let label = format!("nothing counts that the domain publishes in an epoch begun before {begins}");
            self.found.add(problem.label(label).help(
                "take the epoch of a document that the domain signed after the one to be left out; `qkdnm domain show DOMAIN` shows it",
            ));
        }
        spot.value
    }

    fn origin(&self, raw: &RawOrigin, signs: bool) -> Option<OriginConfig> {
        let keys = raw.signing_keys.as_ref().map(|list| list.value.as_slice()).unwrap_or_default();
        if keys.is_empty() && signs {
            let problem = Problem::error(raw.place, "no key is named that signs for this domain");
            self.found.add(problem.help(
                "add signing_keys = [\"peers/west.pub\"], which that domain's operator has from `qkdnm pki signing-key`",
            ));
        }
        let text = |spot: &Option<Spot<String>>| spot.as_ref().map(|spot| spot.value.clone()).unwrap_or_default();
        Some(OriginConfig {
            domain: raw.domain.as_ref().map(|spot| spot.value.clone())?,
            area: text(&raw.area),
            role: raw.role.as_ref().map_or(FederationRole::Member, |spot| spot.value),
            key_generation: generation(raw.key_generation.as_ref()),
            min_epoch: self.least_epoch(raw.min_epoch.as_ref()),
            signing_keys: keys.iter().map(|spot| self.file(spot, "signing key")).collect(),
        })
    }

    /// All peers that are complete. Without `[federation]` they are taken for managers that know nothing of what this one
    /// exchanges with peers: their reports are taken like any component's.
    pub(super) fn peers(
        &self,
        raw: &[RawPeer],
        federation: Option<&RawFederation>,
        manager: Option<&ManagerConfig>,
        interfaces: &[InterfaceConfig],
    ) -> Vec<PeerConfig> {
        self.unique("peer", raw.iter().filter_map(|peer| peer.id.clone()));
        if let Some(first) = raw.first() {
            if federation.is_none() {
                let problem = Problem::warning(first.place, "there are peers, but no [federation]");
                self.found
                    .add(problem.help("nothing is exchanged with them; add [federation] with name and signing_key"));
            }
            if !interfaces.iter().any(|interface| interface.reference_point == ReferencePoint::Mx) {
                let problem = Problem::warning(first.place, "there are peers, but no [interfaces.mx]");
                self.found.add(problem.help("add [interfaces.mx]; peers are dialled from it too"));
            }
        }
        raw.iter().filter_map(|peer| self.peer(peer, manager)).collect()
    }

    fn peer(&self, raw: &RawPeer, manager: Option<&ManagerConfig>) -> Option<PeerConfig> {
        let files = |list: &Option<Spot<Vec<Spot<String>>>>, what: &str| -> Vec<PathBuf> {
            list.iter().flat_map(|list| &list.value).map(|spot| self.file(spot, what)).collect()
        };
        let trust_anchors = files(&raw.trust_anchors, "trust anchor");
        let revocation_lists = files(&raw.revocation_lists, "revocation list");
        if let Some(lists) =
            raw.revocation_lists.as_ref().filter(|list| trust_anchors.is_empty() && !list.value.is_empty())
        {
            let problem = Problem::error(lists.place, "`revocation_lists` of a peer without `trust_anchors`");
            let help =
                "[tls] vouches for it: name the lists in [tls] or [interfaces.mx], or give the peer its trust_anchors";
            self.found.add(problem.label("nobody would look at these lists").help(help));
        }
        let export = self.exchange_files(raw.export.as_ref(), "export policy");
        let import = self.exchange_files(raw.import.as_ref(), "import policy");
        let pseudonym_key = raw.pseudonym_key.as_ref().map(|spot| self.file(spot, "key for names of links"));
        if let Some(address) = &raw.address {
            self.dial_address(address);
        }
        // Without keys it is a manager that knows plain status reports only.
        let origin = self.origin(&raw.origin, false);
        let id = raw.id.as_ref()?;
        if let Err(error) = ComponentId::new(&id.value) {
            self.found.add(Problem::error(id.place, "this cannot be a manager ID").label(error.to_string()));
            return None;
        }
        if manager.is_some_and(|own| own.id == id.value) {
            let problem = Problem::error(id.place, format!("`{}` is this manager itself", id.value));
            self.found.add(problem.label("expected the ID of another manager"));
        }
        let address = raw.address.as_ref().map(|spot| spot.value.clone());
        Some(PeerConfig {
            id: id.value.clone(),
            origin: origin?,
            address,
            trust_anchors,
            revocation_lists,
            export,
            import,
            pseudonym_key,
            requests: allowed(raw.requests.as_deref()),
        })
    }
}

/// Each once, in one order: so that the same list is the same configuration.
fn disclosed(topics: &[Topic]) -> Vec<Topic> {
    let topics: BTreeSet<Topic> = topics.iter().copied().collect();
    topics.into_iter().collect()
}

fn beyond(topics: Option<&Spot<Vec<Topic>>>) -> Vec<Topic> {
    topics.map(|spot| disclosed(&spot.value)).unwrap_or_default()
}

/// Each once, in one order.
fn allowed(kinds: Option<&[RequestKind]>) -> Vec<RequestKind> {
    let kinds: BTreeSet<RequestKind> = kinds.unwrap_or_default().iter().copied().collect();
    kinds.into_iter().collect()
}

fn generation(spot: Option<&Spot<u64>>) -> u32 {
    spot.map_or(1, |spot| u32::try_from(spot.value).unwrap_or(u32::MAX))
}

/// Peers are components on Mx like any other: those that are not in `[[components]]` are listed by being peers.
pub(super) fn listed_by_being_peers(peers: &[PeerConfig], components: &mut Vec<ComponentConfig>) {
    for peer in peers {
        let Ok(id) = ComponentId::new(&peer.id) else { continue };
        let component = ComponentRef::new(ReferencePoint::Mx, id);
        if !components.iter().any(|known| known.component == component) {
            components.push(ComponentConfig {
                identity: IdentityRule::San(component.urn()),
                vendor: String::new(),
                model: String::new(),
                version: String::new(),
                site: String::new(),
                tags: Vec::new(),
                expected_interval: None,
                dial: None,
                sees: Vec::new(),
                component,
            });
        }
    }
}
