//! Good handshakes, their bounds, and what a change of trust does.

use std::sync::Arc;

use rustls::{
    ClientConfig, HandshakeKind, NamedGroup,
    client::{ClientSessionMemoryCache, Resumption},
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::{
    config::{KeyExchange, TlsConfig},
    net::{
        Accepted, Cause, Listener,
        test_certificates::{Ca, Cert, Saying, Setting, Site, component},
    },
};

const KM: &[&str] = &["urn:qkdn:mk:km-1"];

#[tokio::test]
async fn key_exchange_is_hybrid_unless_the_peer_is_classical() {
    let mut site = Site::start(Setting::default()).await;
    let cert = site.ca.issue(&Saying::uris(KM));
    let stream = site.connect(site.client(Some(&cert))).await.unwrap();
    let group = stream.get_ref().1.negotiated_key_exchange_group().unwrap().name();
    assert_eq!(group, NamedGroup::X25519MLKEM768);
    let accepted = site.accepted().await;
    assert_eq!(accepted.agreed.key_exchange, "X25519MLKEM768");
    assert_eq!((accepted.agreed.tls_version, accepted.agreed.resumed), ("1.3", false));
    assert!(accepted.agreed.is_hybrid());
    assert_eq!(accepted.peer, stream.get_ref().0.local_addr().unwrap());
    assert_eq!(accepted.identity.components, ["mk/km-1".parse().unwrap()]);

    let stream = site.connect(site.client_with(Some(&cert), KeyExchange::Classical)).await.unwrap();
    assert_eq!(stream.get_ref().1.negotiated_key_exchange_group().unwrap().name(), NamedGroup::X25519);
    let accepted = site.accepted().await;
    assert_eq!(accepted.agreed.key_exchange, "X25519");
    assert!(!accepted.agreed.is_hybrid());
}

#[tokio::test]
async fn a_classical_interface_offers_no_hybrid() {
    let setting = Setting { tls: |tls| tls.key_exchange = KeyExchange::Classical, ..Setting::default() };
    let mut site = Site::start(setting).await;
    let cert = site.ca.issue(&Saying::uris(KM));
    let _stream = site.connect(site.client(Some(&cert))).await.unwrap();
    assert_eq!(site.accepted().await.agreed.key_exchange, "X25519");
}

/// Connects, lets the session tickets arrive by a byte each way, and closes.
async fn session(site: &mut Site, config: &Arc<ClientConfig>) -> (HandshakeKind, Box<Accepted>) {
    let mut stream = site.connect(Arc::clone(config)).await.unwrap();
    let kind = stream.get_ref().1.handshake_kind().unwrap();
    let mut accepted = site.accepted().await;
    accepted.stream.write_all(b"x").await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), b'x');
    (kind, accepted)
}

fn resuming(site: &Site, cert: &Cert) -> Arc<ClientConfig> {
    let mut config = site.client(Some(cert));
    config.resumption = Resumption::store(Arc::new(ClientSessionMemoryCache::new(8)));
    Arc::new(config)
}

#[tokio::test]
async fn resumed_sessions_are_checked_like_new_ones() {
    let mut site = Site::start(Setting::default()).await;
    let cert = site.ca.issue(&Saying { days: (-1, 5), ..Saying::uris(KM) });
    let config = resuming(&site, &cert);
    let (first, _) = session(&mut site, &config).await;
    assert_eq!(first, HandshakeKind::Full);
    let (second, accepted) = session(&mut site, &config).await;
    assert_eq!(second, HandshakeKind::Resumed);
    assert!(accepted.agreed.resumed);
    assert_eq!(accepted.identity.chain, std::slice::from_ref(&cert.der));
    // The certificate expires between two handshakes; rustls would resume all the same for a day.
    site.clock.forward_days(6);
    let refused = match site.connect(config).await {
        Ok(mut stream) => {
            let refused = site.refused().await;
            assert!(stream.read_u8().await.is_err());
            refused
        }
        Err(_) => site.refused().await,
    };
    assert_eq!(refused.cause, Cause::Expired);
}

#[tokio::test]
async fn no_session_outlives_the_trust_it_was_made_under() {
    let mut site = Site::start(Setting::default()).await;
    let cert = site.ca.issue(&Saying::uris(KM));
    let config = resuming(&site, &cert);
    session(&mut site, &config).await;
    assert_eq!(session(&mut site, &config).await.0, HandshakeKind::Resumed);
    site.trust.reload(&site.tls, &[], &[component("mk/km-1", None)]).unwrap();
    assert_eq!(session(&mut site, &config).await.0, HandshakeKind::Full);
    let mut tls = site.tls.clone();
    tls.revocation_lists = vec![site.files.write("ca.crl", site.ca.revoke(&[cert.serial]).pem().unwrap())];
    site.trust.reload(&tls, &[], &[component("mk/km-1", None)]).unwrap();
    if let Ok(mut stream) = site.connect(config).await {
        assert!(stream.read_u8().await.is_err());
    }
    assert_eq!(site.refused().await.cause, Cause::Revoked);
}

#[tokio::test]
async fn a_connection_that_a_change_of_trust_overtook_can_tell() {
    let mut site = Site::start(Setting::default()).await;
    let cert = site.ca.issue(&Saying::uris(KM));
    let _stream = site.connect(site.client(Some(&cert))).await.unwrap();
    let accepted = site.accepted().await;
    assert_eq!(accepted.trust_changes, site.trust.changes(), "nothing happened since");
    let broken = TlsConfig { certificate: "nowhere.pem".into(), ..site.tls.clone() };
    assert!(site.trust.reload(&broken, &[], &[]).is_err());
    assert_eq!(accepted.trust_changes, site.trust.changes(), "a reload that failed changes nothing");
    let mut tls = site.tls.clone();
    tls.revocation_lists = vec![site.files.write("ca.crl", site.ca.revoke(&[cert.serial]).pem().unwrap())];
    site.trust.reload(&tls, &[], &[component("mk/km-1", None)]).unwrap();
    assert_ne!(accepted.trust_changes, site.trust.changes());
    let refused = site.trust.still_entitled(&accepted.identity, site.clock.now()).unwrap_err();
    assert_eq!(refused.cause, Cause::Revoked);
}

#[tokio::test]
async fn a_reload_keeps_the_entitled_and_names_the_others() {
    let setting =
        Setting { components: vec![component("mk/km-1", None), component("mk/km-2", None)], ..Setting::default() };
    let mut site = Site::start(setting).await;
    let one = site.ca.issue(&Saying::uris(KM));
    let two = site.ca.issue(&Saying { days: (-1, 10), ..Saying::uris(&["urn:qkdn:mk:km-2"]) });
    let _streams =
        (site.connect(site.client(Some(&one))).await.unwrap(), site.connect(site.client(Some(&two))).await.unwrap());
    let (a, b) = (site.accepted().await.identity, site.accepted().await.identity);
    let (one, two) = if a.only_component().unwrap().id.as_str() == "km-1" { (a, b) } else { (b, a) };
    let now = site.clock.now();
    assert_eq!(site.trust.still_entitled(&one, now).unwrap(), *one);

    let mut tls = site.tls.clone();
    let serial = u64::from_str_radix(&one.serial, 16).unwrap();
    tls.revocation_lists = vec![site.files.write("ca.crl", site.ca.revoke(&[serial]).pem().unwrap())];
    let components = [component("mk/km-1", None), component("mk/km-2", None)];
    site.trust.reload(&tls, &[], &components).unwrap();
    let refused = site.trust.still_entitled(&one, now).unwrap_err();
    assert_eq!((refused.cause, refused.fingerprint.as_deref()), (Cause::Revoked, Some(one.fingerprint.as_str())));
    assert_eq!(site.trust.still_entitled(&two, now).unwrap(), *two);
    assert_eq!(site.trust.still_entitled(&two, two.not_after.plus(1000)).unwrap_err().cause, Cause::Expired);

    // Other files, other authority: nobody is entitled any more.
    let other = Ca::new("elsewhere");
    let tls =
        crate::config::TlsConfig { trust_anchors: vec![site.files.write("o.pem", &other.pem)], ..site.tls.clone() };
    site.trust.reload(&tls, &[], &components).unwrap();
    assert_eq!(site.trust.still_entitled(&two, now).unwrap_err().cause, Cause::UnknownIssuer);
    // A reload that fails leaves everything as it is.
    site.files.write("o.pem", "");
    assert!(site.trust.reload(&tls, &[], &components).unwrap_err().to_string().contains("o.pem"));
    assert_eq!(site.trust.still_entitled(&two, now).unwrap_err().cause, Cause::UnknownIssuer);
}

#[tokio::test]
async fn places_are_bounded_and_given_back() {
    let mut site = Site::start(Setting { max_connections: 2, ..Setting::default() }).await;
    let cert = site.ca.issue(&Saying::uris(KM));
    let _first = site.connect(site.client(Some(&cert))).await.unwrap();
    let first = site.accepted().await;
    let _second = site.connect(site.client(Some(&cert))).await.unwrap();
    let second = site.accepted().await;
    assert_eq!(site.metrics.interfaces[3].connections.get(), 2);
    assert!(site.connect(site.client(Some(&cert))).await.is_err());
    assert_eq!(site.refused().await.cause, Cause::Full);
    drop(first);
    let _third = site.connect(site.client(Some(&cert))).await.unwrap();
    let third = site.accepted().await;
    assert_eq!(site.registry.places_left(), 0);
    drop((second, third));
    assert_eq!(site.registry.places_left(), 2);
    let counters = &site.metrics.interfaces[3];
    assert_eq!((counters.connections.get(), counters.connections_opened.get()), (0, 3));
}

#[tokio::test]
async fn an_identity_has_its_share_only() {
    let mut site = Site::start(Setting { per_identity: 1, ..Setting::default() }).await;
    let (one, two) = (site.ca.issue(&Saying::uris(KM)), site.ca.issue(&Saying::uris(KM)));
    let _stream = site.connect(site.client(Some(&one))).await.unwrap();
    let held = site.accepted().await;
    let mut again = site.connect(site.client(Some(&one))).await.unwrap();
    let refused = site.refused().await;
    assert_eq!((refused.cause, &refused.fingerprint), (Cause::IdentityFull, &Some(held.identity.fingerprint.clone())));
    assert_eq!(again.read(&mut [0; 8]).await.unwrap(), 0, "closed in good order");
    let _other = site.connect(site.client(Some(&two))).await.unwrap();
    site.accepted().await;
    let fingerprint = held.identity.fingerprint.clone();
    assert_eq!(site.registry.open_connections(&fingerprint), 1);
    drop(held);
    assert_eq!(site.registry.open_connections(&fingerprint), 0);
    let _stream = site.connect(site.client(Some(&one))).await.unwrap();
    site.accepted().await;
}

#[tokio::test]
async fn cancelling_stops_accepting_and_keeps_what_was_handed_over() {
    let mut site = Site::start(Setting::default()).await;
    let cert = site.ca.issue(&Saying::uris(KM));
    let mut stream = site.connect(site.client(Some(&cert))).await.unwrap();
    let mut accepted = site.accepted().await;
    let _unfinished = tokio::net::TcpStream::connect(site.address).await.unwrap();
    site.cancel.cancel();
    (&mut site.served).await.unwrap();
    assert!(tokio::net::TcpStream::connect(site.address).await.is_err());
    accepted.stream.write_all(b"y").await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), b'y');
}

#[tokio::test]
async fn an_address_that_cannot_be_bound_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let error = Listener::bind(crate::model::ReferencePoint::Mk, &[address]).await.unwrap_err().to_string();
    assert!(error.contains(&address.to_string()) && error.contains("interface mk"), "{error}");
    assert!(error.contains("another program"), "{error}");
    let error = Listener::bind(crate::model::ReferencePoint::Mq, &["192.0.2.1:0".parse().unwrap()]).await.unwrap_err();
    assert!(error.to_string().contains("no address 192.0.2.1"), "{error}");
}
