//! Every cause of a refusal, produced by a peer that gives it.

use rustls::{AlertDescription, Error as TlsError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::{
    config::{IdentityRule, KeyExchange},
    net::{
        Cause, Scope, TrustSource,
        test_certificates::{Ca, Cert, Saying, ServerAuth, Setting, Site, component},
    },
};

/// Connects with a certificate and returns the cause at the site and the alert at the peer.
async fn refusal(site: &mut Site, cert: Option<&Cert>) -> (crate::net::Refused, Option<AlertDescription>) {
    let alert = match site.connect(site.client(cert)).await {
        // In TLS 1.3 the client is done before the server has looked at its certificate.
        Ok(mut stream) => {
            let _ = stream.write_all(b"{\"messageType\":\"statusReport\"}\n").await;
            stream.read_u8().await.unwrap_err()
        }
        Err(error) => error,
    };
    let alert = match alert.get_ref().and_then(|error| error.downcast_ref::<TlsError>()) {
        Some(TlsError::AlertReceived(alert)) => Some(*alert),
        _ => None,
    };
    (site.refused().await, alert)
}

#[tokio::test]
async fn certificates_that_are_not_good() {
    let mut site = Site::start(Setting::default()).await;
    let km = ["urn:qkdn:mk:km-1"];
    let expired = site.ca.issue(&Saying { days: (-10, -2), ..Saying::uris(&km) });
    let early = site.ca.issue(&Saying { days: (2, 10), ..Saying::uris(&km) });
    let server_only = site.ca.issue(&Saying { usages: vec![ServerAuth], ..Saying::uris(&km) });
    let foreign = Ca::new("elsewhere").issue(&Saying::uris(&km));
    let namesake = Ca::new("site").issue(&Saying::uris(&km));
    let self_signed = Saying::uris(&km).self_signed();
    let cases = [
        (&expired, Cause::Expired, AlertDescription::CertificateExpired, "expired at"),
        (&early, Cause::NotYetValid, AlertDescription::CertificateExpired, "valid from"),
        (&server_only, Cause::WrongUsage, AlertDescription::UnsupportedCertificate, "ServerAuth"),
        (&foreign, Cause::UnknownIssuer, AlertDescription::UnknownCA, "CN=elsewhere"),
        (&namesake, Cause::UnknownIssuer, AlertDescription::DecryptError, "not with the key"),
        (&self_signed, Cause::UnknownIssuer, AlertDescription::UnknownCA, "holder"),
    ];
    for (cert, cause, alert, part) in cases {
        let (refused, seen) = refusal(&mut site, Some(cert)).await;
        assert_eq!((refused.cause, seen), (cause, Some(alert)), "{refused}");
        assert!(refused.sentence.contains(part), "{refused}");
        assert_eq!(refused.subject.as_deref(), Some("CN=holder,O=Acme\\, Ltd"));
        assert_eq!(refused.fingerprint.as_deref().map(str::len), Some(64));
        assert!(site.metrics.handshakes_refused.get(cause.as_str()).unwrap().get() >= 1);
    }
    let (refused, alert) = refusal(&mut site, None).await;
    assert_eq!((refused.cause, alert), (Cause::NoCertificate, Some(AlertDescription::CertificateRequired)));
    while site.registry.places_left() < 100 {
        // Places are held until the refused have closed their side.
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn certificates_that_speak_for_nobody_here() {
    let mapped = component("mk/km-2", Some(IdentityRule::Fingerprint("00".repeat(32))));
    let mut site =
        Site::start(Setting { components: vec![component("mk/km-1", None), mapped], ..Setting::default() }).await;
    let cases: [(&[&'static str], Cause, &str); 5] = [
        (&[], Cause::NoIdentity, "names no component"),
        (&["https://example.org/"], Cause::NoIdentity, "urn:qkdn:mk:"),
        (&["urn:qkdn:mq:module-1"], Cause::WrongReferencePoint, "mq/module-1"),
        (&["urn:qkdn:mk:%zz"], Cause::MalformedIdentity, "urn:qkdn:mk:%zz"),
        (&["urn:qkdn:mk:km-2"], Cause::MappedElsewhere, "mk/km-2"),
    ];
    for (uris, cause, part) in cases {
        let cert = site.ca.issue(&Saying::uris(uris));
        let (refused, alert) = refusal(&mut site, Some(&cert)).await;
        assert_eq!((refused.cause, alert), (cause, Some(AlertDescription::CertificateUnknown)), "{refused}");
        assert!(refused.sentence.contains(part), "{refused}");
        assert!(refused.subject.is_some());
    }
}

#[tokio::test]
async fn revoked_certificates() {
    let mut site = Site::start(Setting::default()).await;
    let (bad, good) =
        (site.ca.issue(&Saying::uris(&["urn:qkdn:mk:km-1"])), site.ca.issue(&Saying::uris(&["urn:qkdn:mk:km-1"])));
    let list = site.ca.revoke(&[bad.serial]);
    for (name, content) in [("list.pem", list.pem().unwrap().into_bytes()), ("list.der", list.der().to_vec())] {
        let mut tls = site.tls.clone();
        tls.revocation_lists = vec![site.files.write(name, content)];
        site.trust.reload(&tls, &[], &[component("mk/km-1", None)]).unwrap();
        let (refused, alert) = refusal(&mut site, Some(&bad)).await;
        assert_eq!((refused.cause, alert), (Cause::Revoked, Some(AlertDescription::CertificateRevoked)), "{name}");
        let _stream = site.connect(site.client(Some(&good))).await.unwrap();
        site.accepted().await;
    }
}

#[tokio::test]
async fn what_a_peers_list_revokes_is_revoked_though_another_anchor_vouches_for_it_too() {
    let mut site = Site::start(Setting::default()).await;
    let names = ["urn:qkdn:mk:km-1"];
    let (bad, good) = (site.ca.issue(&Saying::uris(&names)), site.ca.issue(&Saying::uris(&names)));
    let listed = [component("mk/km-1", None)];
    let source = TrustSource {
        trust_anchors: site.tls.trust_anchors.clone(),
        revocation_lists: vec![site.files.write("peer.crl", site.ca.revoke(&[bad.serial]).pem().unwrap())],
        scope: Scope::Only([listed[0].component.clone()].into()),
    };
    site.trust.reload(&site.tls, &[source], &listed).unwrap();
    let (refused, alert) = refusal(&mut site, Some(&bad)).await;
    assert_eq!((refused.cause, alert), (Cause::Revoked, Some(AlertDescription::CertificateRevoked)));
    let _stream = site.connect(site.client(Some(&good))).await.unwrap();
    site.accepted().await;
}

#[tokio::test]
async fn a_list_covers_its_own_issuer_only() {
    let mut site = Site::start(Setting::default()).await;
    let other = Ca::new("second");
    let serial_twin = site.ca.issue(&Saying::uris(&["urn:qkdn:mk:km-1"]));
    let mut tls = site.tls.clone();
    tls.trust_anchors.push(site.files.write("second.pem", &other.pem));
    tls.revocation_lists = vec![site.files.write("second.crl", other.revoke(&[serial_twin.serial]).pem().unwrap())];
    site.trust.reload(&tls, &[], &[component("mk/km-1", None)]).unwrap();
    let _stream = site.connect(site.client(Some(&serial_twin))).await.unwrap();
    site.accepted().await;
}

#[tokio::test]
async fn alpn_is_ours_or_none() {
    let mut site = Site::start(Setting::default()).await;
    let cert = site.ca.issue(&Saying::uris(&["urn:qkdn:mk:km-1"]));
    let mut config = site.client(Some(&cert));
    config.alpn_protocols = vec![b"h2".to_vec()];
    assert!(site.connect(config).await.is_err());
    assert_eq!(site.refused().await.cause, Cause::Alpn);
    let mut config = site.client(Some(&cert));
    config.alpn_protocols = Vec::new();
    let _without = site.connect(config).await.unwrap();
    site.accepted().await;
    let mut config = site.client(Some(&cert));
    config.alpn_protocols = vec![b"h2".to_vec(), b"qkdn/1".to_vec()];
    let stream = site.connect(config).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"qkdn/1"[..]));
    site.accepted().await;
}

#[tokio::test]
async fn no_common_group_or_version() {
    let setting = Setting { tls: |tls| tls.key_exchange = KeyExchange::HybridRequired, ..Setting::default() };
    let mut site = Site::start(setting).await;
    let cert = site.ca.issue(&Saying::uris(&["urn:qkdn:mk:km-1"]));
    assert!(site.connect(site.client_with(Some(&cert), KeyExchange::Classical)).await.is_err());
    assert_eq!(site.refused().await.cause, Cause::NoCommonKeyExchange);
    let _stream = site.connect(site.client(Some(&cert))).await.unwrap();
    assert!(site.accepted().await.agreed.is_hybrid());

    let mut site = Site::start(Setting::default()).await;
    let old = old_client(&site);
    assert!(site.connect(old).await.is_err());
    let refused = site.refused().await;
    assert_eq!(refused.cause, Cause::NoCommonVersion, "{refused}");
}

#[tokio::test]
async fn tls_12_where_it_is_allowed() {
    let mut site = Site::start(Setting { tls: |tls| tls.allow_tls12 = true, ..Setting::default() }).await;
    let old = old_client(&site);
    let _stream = site.connect(old).await.unwrap();
    assert_eq!(site.accepted().await.agreed.tls_version, "1.2");
}

/// Speaks TLS 1.2 only.
fn old_client(site: &Site) -> rustls::ClientConfig {
    let cert = site.ca.issue(&Saying::uris(&["urn:qkdn:mk:km-1"]));
    let mut roots = rustls::RootCertStore::empty();
    roots.add(site.ca.der.clone()).unwrap();
    rustls::ClientConfig::builder_with_provider(crate::net::tls::provider(KeyExchange::Classical))
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![cert.der.clone()], cert.key())
        .unwrap()
}

#[tokio::test]
async fn peers_that_do_not_speak_tls() {
    let mut site = Site::start(Setting::default()).await;
    let mut plain = tokio::net::TcpStream::connect(site.address).await.unwrap();
    plain.write_all(b"{\"messageType\":\"statusReport\"}\n").await.unwrap();
    let refused = site.refused().await;
    assert_eq!(refused.cause, Cause::Protocol);
    assert!(refused.sentence.contains("not TLS"), "{refused}");
    drop(tokio::net::TcpStream::connect(site.address).await.unwrap());
    assert_eq!(site.refused().await.cause, Cause::Closed);
}

#[tokio::test]
async fn peers_that_say_nothing() {
    let setting = Setting { handshake_timeout: std::time::Duration::from_millis(20), ..Setting::default() };
    let mut site = Site::start(setting).await;
    let _silent = tokio::net::TcpStream::connect(site.address).await.unwrap();
    assert_eq!(site.refused().await.cause, Cause::HandshakeTimeout);
}

#[tokio::test]
async fn peers_that_do_not_trust_us() {
    let mut site = Site::start(Setting::default()).await;
    let cert = site.ca.issue(&Saying::uris(&["urn:qkdn:mk:km-1"]));
    let mut roots = rustls::RootCertStore::empty();
    roots.add(Ca::new("elsewhere").der).unwrap();
    let wary = rustls::ClientConfig::builder_with_provider(crate::net::tls::provider(KeyExchange::Classical))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![cert.der.clone()], cert.key())
        .unwrap();
    assert!(site.connect(wary).await.is_err());
    let refused = site.refused().await;
    assert_eq!(refused.cause, Cause::RefusedByPeer);
    assert!(refused.sentence.contains("UnknownCA"), "{refused}");
}
