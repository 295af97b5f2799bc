//! Checks of `[tls]` and `[interfaces.*]`.

use std::{net::SocketAddr, path::PathBuf};

use super::Checker;
use crate::config::{
    InterfaceConfig, KeyExchange, TlsConfig, limits,
    problem::Problem,
    raw_transport::{RawInterface, RawTls},
    source::{Place, Spot},
};

impl Checker<'_> {
    /// All listeners, with the keys of `[tls]` where they set none of their own.
    pub(super) fn interfaces(
        &self,
        tls: &RawTls,
        raw: &[RawInterface],
        api: Option<&Spot<SocketAddr>>,
    ) -> Vec<InterfaceConfig> {
        let mut taken: Vec<(SocketAddr, Place, String)> = Vec::new();
        match api {
            Some(api) => taken.push((api.value, api.place, "the API".to_owned())),
            None => taken.push((limits::API_LISTEN, Place::default(), "the API (its default)".to_owned())),
        }
        raw.iter()
            .filter_map(|interface| {
                let listen = self.addresses(interface, &mut taken);
                // A common part that is missing is reported once, by `common_tls`.
                let merged = self.tls(&interface.tls.clone().over(tls), false);
                self.weak_tls(&interface.tls);
                self.interface(interface, listen, merged?)
            })
            .collect()
    }

    fn interface(&self, raw: &RawInterface, listen: Vec<SocketAddr>, tls: TlsConfig) -> Option<InterfaceConfig> {
        let number = |spot: &Option<Spot<u64>>, default: usize| {
            spot.as_ref().map_or(default, |spot| usize::try_from(spot.value).unwrap_or(usize::MAX))
        };
        let time = |spot: &Option<Spot<_>>, default| spot.as_ref().map_or(default, |spot| spot.value);
        let config = InterfaceConfig {
            reference_point: raw.reference_point,
            listen,
            tls,
            max_connections: number(&raw.max_connections, limits::MAX_CONNECTIONS),
            max_connections_per_identity: number(
                &raw.max_connections_per_identity,
                limits::MAX_CONNECTIONS_PER_IDENTITY,
            ),
            max_line_bytes: number(&raw.max_line_bytes, limits::MAX_LINE_BYTES),
            max_in_flight: number(&raw.max_in_flight, limits::MAX_IN_FLIGHT),
            handshake_timeout: time(&raw.handshake_timeout, limits::HANDSHAKE_TIMEOUT),
            idle_timeout: time(&raw.idle_timeout, limits::IDLE_TIMEOUT),
            request_timeout: time(&raw.request_timeout, limits::REQUEST_TIMEOUT),
        };
        if let Some(spot) = &raw.max_connections_per_identity
            && config.max_connections_per_identity > config.max_connections
        {
            let problem = Problem::error(spot.place, "one identity may have more connections than all together");
            self.found.add(problem.label(format!("`max_connections` is {}", config.max_connections)));
        }
        Some(config)
    }

    fn addresses(&self, raw: &RawInterface, taken: &mut Vec<(SocketAddr, Place, String)>) -> Vec<SocketAddr> {
        let point = raw.reference_point;
        let listen = match &raw.listen {
            Some(list) => list.clone(),
            None => vec![Spot::new(SocketAddr::from(([0, 0, 0, 0], point.default_port())), raw.place)],
        };
        if listen.is_empty() && !raw.listen_unreadable {
            self.found.add(Problem::error(raw.place, format!("[interfaces.{point}] listens on no address")));
        }
        for address in &listen {
            if let Some((_, place, owner)) = taken.iter().find(|(other, ..)| collide(*other, address.value)) {
                let problem = Problem::error(address.place, format!("{} is taken already", address.value))
                    .label(format!("wanted for [interfaces.{point}]"));
                let problem = if *place == Place::default() {
                    problem.help(format!("{owner} listens on it"))
                } else {
                    problem.related(*place, format!("by {owner}"))
                };
                self.found.add(problem);
            }
            taken.push((address.value, address.place, format!("[interfaces.{point}]")));
        }
        listen.into_iter().map(|address| address.value).collect()
    }

    /// The TLS of components that are dialled; also where what every interface needs and has not is reported.
    pub(super) fn common_tls(&self, raw: &RawTls, interfaces: &[InterfaceConfig], dials: bool) -> Option<TlsConfig> {
        self.weak_tls(raw);
        match interfaces.first() {
            // Every interface brings its own: fine, unless somebody is dialled.
            Some(first) if raw.place.is_none() && !dials => Some(first.tls.clone()),
            _ => self.tls(raw, true),
        }
    }

    fn tls(&self, raw: &RawTls, complain: bool) -> Option<TlsConfig> {
        let missing = |key: &str, example: &str| {
            if complain && !raw.unreadable.contains(&key) {
                let problem = match raw.place {
                    Some(place) => Problem::error(place, format!("[tls] has no `{key}`")),
                    None => Problem::nowhere(format!("`tls.{key}` is not set")),
                };
                self.found.add(problem.help(format!("add {key} = {example} to [tls]; `qkdnm pki` makes such files")));
            }
        };
        let file = |spot: &Option<Spot<String>>, key: &str, what: &str, example: &str| match spot {
            Some(spot) => Some(self.file(spot, what)),
            None => {
                missing(key, example);
                None
            }
        };
        let certificate = file(&raw.certificate, "certificate", "certificate", "\"pki/manager-east.pem\"");
        let private_key = file(&raw.private_key, "private_key", "private key", "\"pki/manager-east.key\"");
        let anchors = match &raw.trust_anchors {
            Some(list) if list.value.is_empty() => {
                let problem = Problem::error(list.place, "`trust_anchors` is empty");
                self.found.add(problem.label("nobody could be trusted"));
                None
            }
            Some(list) => Some(self.files(&list.value, "trust anchor")),
            None => {
                missing("trust_anchors", "[\"pki/ca.pem\"]");
                None
            }
        };
        let lists = raw.revocation_lists.as_ref().map(|list| self.files(&list.value, "revocation list"));
        Some(TlsConfig {
            certificate: certificate?,
            private_key: private_key?,
            trust_anchors: anchors?,
            revocation_lists: lists.unwrap_or_default(),
            key_exchange: raw.key_exchange.as_ref().map_or(KeyExchange::HybridPreferred, |spot| spot.value),
            allow_tls12: raw.allow_tls12.as_ref().is_some_and(|spot| spot.value),
        })
    }

    fn files(&self, list: &[Spot<String>], what: &str) -> Vec<PathBuf> {
        list.iter().map(|spot| self.file(spot, what)).collect()
    }

    /// Warnings about settings that are allowed and weaken the connection.
    fn weak_tls(&self, raw: &RawTls) {
        if let Some(spot) = raw.key_exchange.as_ref().filter(|spot| spot.value == KeyExchange::Classical) {
            let problem = Problem::warning(spot.place, "the key exchange is classical only")
                .label("recorded connections can be read once a quantum computer exists")
                .help("\"hybrid-preferred\" also accepts components that cannot do better");
            self.found.add(problem);
        }
        let required = raw.key_exchange.as_ref().is_some_and(|spot| spot.value == KeyExchange::HybridRequired);
        if let Some(spot) = raw.allow_tls12.as_ref().filter(|spot| spot.value) {
            if required {
                let problem = Problem::error(spot.place, "TLS 1.2 cannot do the hybrid key exchange that is required");
                self.found.add(problem.help("set `allow_tls12` to false, or `key_exchange` to \"hybrid-preferred\""));
                return;
            }
            let problem = Problem::warning(spot.place, "TLS 1.2 is allowed")
                .label("it has no hybrid key exchange and sends certificates in the clear");
            self.found.add(problem);
        }
        if let Some(spot) = &raw.private_key
            && readable_by_all(&self.sources.resolve(&spot.value, spot.place))
        {
            let problem = Problem::warning(spot.place, "every user of this machine can read the private key");
            self.found.add(problem.help(format!("chmod 600 {}", spot.value)));
        }
    }
}

impl RawTls {
    /// These keys, and those of `base` where they are absent.
    fn over(self, base: &Self) -> Self {
        Self {
            place: self.place.or(base.place),
            unreadable: self.unreadable,
            certificate: self.certificate.or_else(|| base.certificate.clone()),
            private_key: self.private_key.or_else(|| base.private_key.clone()),
            trust_anchors: self.trust_anchors.or_else(|| base.trust_anchors.clone()),
            revocation_lists: self.revocation_lists.or_else(|| base.revocation_lists.clone()),
            key_exchange: self.key_exchange.or_else(|| base.key_exchange.clone()),
            allow_tls12: self.allow_tls12.or_else(|| base.allow_tls12.clone()),
        }
    }
}

/// Whether two listeners cannot both have their address. Port 0 is a different port each time.
fn collide(a: SocketAddr, b: SocketAddr) -> bool {
    let same_kind = a.is_ipv4() == b.is_ipv4();
    a.port() == b.port()
        && a.port() != 0
        && (a.ip() == b.ip() || (same_kind && (a.ip().is_unspecified() || b.ip().is_unspecified())))
}

#[cfg(unix)]
fn readable_by_all(path: &std::path::Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
}

#[cfg(not(unix))]
fn readable_by_all(_: &std::path::Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::collide;

    #[test]
    fn addresses_collide_when_one_covers_the_other() {
        let collide = |a: &str, b: &str| collide(a.parse().unwrap(), b.parse().unwrap());
        assert!(collide("0.0.0.0:7101", "127.0.0.1:7101"));
        assert!(collide("[::1]:7101", "[::1]:7101"));
        assert!(!collide("127.0.0.1:7101", "127.0.0.2:7101"));
        assert!(!collide("127.0.0.1:7101", "127.0.0.1:7102"));
        assert!(!collide("127.0.0.1:0", "127.0.0.1:0"));
    }
}
