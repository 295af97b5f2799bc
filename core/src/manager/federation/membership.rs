//! From the configuration to who takes part: roster and peers, with their keys read from files; our own key; whom the anchors
//! of peers vouch for.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use crate::{
    config::{
        Config, FederationConfig, PeerConfig,
        federation::{FederationRole, OriginConfig},
    },
    federation::{
        alias,
        keys::{self, OwnKey},
        protocol::{Key, Member, OriginId, Role, Roster},
        request::Terms,
    },
    manager::federation::{Membership, Peer},
    model::{ComponentId, ComponentRef, ReferencePoint},
    net::{Scope, TrustSource},
};

/// A key file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{key}: {}: {problem}", .path.display())]
pub struct MembershipError {
    /// The key of the configuration that names it.
    pub key: &'static str,
    /// The file.
    pub path: std::path::PathBuf,
    /// What is wrong with it.
    pub problem: String,
}

fn read<T, E: ToString>(
    key: &'static str,
    path: &Path,
    parse: impl FnOnce(&[u8]) -> Result<T, E>,
) -> Result<T, MembershipError> {
    let failed = |problem: String| MembershipError { key, path: path.to_owned(), problem };
    let bytes = fs::read(path).map_err(|error| failed(error.to_string()))?;
    parse(&bytes).map_err(|error| failed(error.to_string()))
}

/// Whether this is a public key that could sign for a domain.
///
/// # Errors
/// If not; what is wrong with it.
pub fn is_signing_key(pem: &[u8]) -> Result<(), String> {
    keys::public_key(pem).map(drop).map_err(|error| error.to_string())
}

/// Reads our own key.
fn own_key(federation: &FederationConfig) -> Result<OwnKey, MembershipError> {
    read("federation.signing_key", &federation.signing_key, OwnKey::from_pem)
}

fn member(origin: &OriginConfig, problems: &mut Vec<MembershipError>) -> Member {
    let mut keys: Vec<Key> = Vec::new();
    for path in &origin.signing_keys {
        match read("signing_keys", path, keys::public_key) {
            Ok(key) => keys.push(key),
            Err(problem) => problems.push(problem),
        }
    }
    Member {
        area: origin.area.as_str().into(),
        role: role(origin.role),
        key_gen: origin.key_generation,
        keys,
        min_epoch: origin.min_epoch,
    }
}

/// As the protocol has it.
pub(super) const fn role(role: FederationRole) -> Role {
    match role {
        FederationRole::Member => Role::Member,
        FederationRole::Aggregator => Role::Aggregator,
    }
}

/// Names of our links, key relations and services with a peer, and what they may be called instead.
fn link_aliases(
    peer: &PeerConfig,
    federation: &FederationConfig,
    problems: &mut Vec<MembershipError>,
) -> BTreeMap<String, String> {
    let Some(path) = &peer.pseudonym_key else { return BTreeMap::new() };
    let key = match read("peers.pseudonym_key", path, alias::key) {
        Ok(key) => key,
        Err(problem) => {
            problems.push(problem);
            return BTreeMap::new();
        }
    };
    let domain = &peer.origin.domain;
    let links = federation.links.iter().chain(&federation.key_relations).filter(|link| link.domain == *domain);
    let services = federation.services.iter().filter(|service| service.domains.contains(domain));
    let names = links.map(|link| &link.name).chain(services.map(|service| &service.name));
    names.map(|name| (name.clone(), alias::alias(&key, &federation.name, name))).collect()
}

/// What a peer may ask for, and our links with it.
fn terms_of(peer: &PeerConfig, federation: &FederationConfig) -> Terms {
    let ours = federation.links.iter().filter(|link| link.domain == peer.origin.domain);
    Terms { kinds: peer.requests.iter().copied().collect(), links: ours.map(|link| link.name.clone()).collect() }
}

/// Whoever has a key signs for its domain: one that stands under two would speak for both.
fn one_domain_a_key(config: &Config, roster: &Roster, problems: &mut Vec<MembershipError>) {
    let mut known: BTreeMap<&str, &OriginId> = BTreeMap::new();
    for (domain, member) in &roster.members {
        for key in &member.keys {
            let Some(other) = known.insert(&key.kid, domain).filter(|other| *other != domain) else { continue };
            let peers = config.peers.iter().map(|peer| &peer.origin);
            let origins = config.federation.iter().flat_map(|one| &one.origins);
            let of = |name: &OriginId| {
                let mut all = peers.clone().chain(origins.clone());
                all.find(|origin| origin.domain == name.as_str())
                    .and_then(|origin| origin.signing_keys.first().cloned())
            };
            let path = of(domain).or_else(|| of(other)).unwrap_or_default();
            let problem = format!("this key is said to sign for two domains, {other} and {domain}; each needs its own");
            problems.push(MembershipError { key: "signing_keys", path, problem });
        }
    }
}

/// Who takes part, and our own key; `None` if the configuration has no federation.
///
/// # Errors
/// Every key file that cannot be used.
pub fn membership(config: &Config) -> Result<Option<(Membership, OwnKey)>, Vec<MembershipError>> {
    let Some(federation) = &config.federation else { return Ok(None) };
    let mut problems = Vec::new();
    let own = own_key(federation).map_err(|problem| problems.push(problem)).ok();
    let mut members: BTreeMap<OriginId, Member> = BTreeMap::new();
    let ours = Member {
        area: federation.area.as_str().into(),
        role: role(federation.role),
        key_gen: federation.key_generation,
        keys: own.iter().map(|own| own.public().clone()).collect(),
        min_epoch: federation.min_epoch,
    };
    let (mut peers, mut aliases, mut terms) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for peer in &config.peers {
        let domain = OriginId::from(peer.origin.domain.as_str());
        members.insert(domain.clone(), member(&peer.origin, &mut problems));
        aliases.insert(domain.clone(), link_aliases(peer, federation, &mut problems));
        terms.insert(domain.clone(), terms_of(peer, federation));
        let Ok(id) = ComponentId::new(&peer.id) else { continue };
        let manager = ComponentRef::new(ReferencePoint::Mx, id);
        peers.insert(domain, Peer { manager, address: peer.address.clone() });
    }
    for origin in &federation.origins {
        members.insert(origin.domain.as_str().into(), member(origin, &mut problems));
    }
    members.insert(config.manager.domain.as_str().into(), ours);
    // It has no version: no roster comes from elsewhere, and whoever writes the configuration has the last word.
    let roster = Roster { federation: Arc::from(federation.name.as_str()), version: 0, members };
    one_domain_a_key(config, &roster, &mut problems);
    match own {
        Some(own) if problems.is_empty() => Ok(Some((Membership { roster, peers, aliases, terms }, own))),
        _ => Err(problems),
    }
}

/// What the anchors of peers vouch for on an interface: each for one manager on Mx, and nothing elsewhere.
#[must_use]
pub fn trust_sources(config: &Config, point: ReferencePoint) -> Vec<TrustSource> {
    if point != ReferencePoint::Mx {
        return Vec::new();
    }
    let source = |peer: &crate::config::PeerConfig| {
        let id = ComponentId::new(&peer.id).ok().filter(|_| !peer.trust_anchors.is_empty())?;
        Some(TrustSource {
            trust_anchors: peer.trust_anchors.clone(),
            revocation_lists: peer.revocation_lists.clone(),
            scope: Scope::Only([ComponentRef::new(point, id)].into()),
        })
    };
    config.peers.iter().filter_map(source).collect()
}

#[cfg(test)]
mod tests {
    use crate::{config::federation::EPOCH_RANDOM_BITS, federation::protocol::epoch};

    #[test]
    fn the_configuration_reads_the_second_of_an_epoch_as_the_protocol_writes_it() {
        let taken = epoch(0, 1_700_000_000_000, u64::MAX).unwrap();
        assert_eq!(taken >> EPOCH_RANDOM_BITS, 1_700_000_000);
    }
}
