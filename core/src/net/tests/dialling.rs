//! The manager dials a component.

use std::{sync::Arc, time::Duration};

use crate::{
    config::IdentityRule,
    model::{ComponentRef, ReferencePoint},
    net::{
        Accepted, Bounds, Cause, ConnectionRegistry, DialError, InterfaceTrust, Role, dial,
        test_certificates::{
            Ca, Cert, ClientAuth, Files, Saying, TestClock, component, listening_component, tls_config,
        },
    },
    telemetry::metrics::Metrics,
};

struct Dialler {
    ca: Ca,
    files: Files,
    clock: TestClock,
    trust: InterfaceTrust,
    registry: Arc<ConnectionRegistry>,
    metrics: Arc<Metrics>,
}

impl Dialler {
    fn new(components: &[crate::config::ComponentConfig]) -> Self {
        let (ca, files, clock) = (Ca::new("site"), Files::new(), TestClock::new());
        let tls = tls_config(&files, &ca);
        let (trust, _) = InterfaceTrust::load(ReferencePoint::Mk, &tls, &[], components, clock.clock()).unwrap();
        let metrics = Arc::new(Metrics::default());
        let registry = ConnectionRegistry::new(
            ReferencePoint::Mk,
            Bounds { max_connections: 0, per_identity: 2, handshake_timeout: Duration::from_secs(20) },
            Arc::clone(&metrics),
        );
        Self { ca, files, clock, trust, registry, metrics }
    }

    async fn dial(&self, cert: &Cert) -> Result<Accepted, DialError> {
        let address = listening_component(&self.ca, cert).await.to_string();
        dial(&km_1(), &address, &self.trust, &self.registry, Duration::from_secs(20)).await
    }
}

fn km_1() -> ComponentRef {
    "mk/km-1".parse().unwrap()
}

fn cause(result: Result<Accepted, DialError>) -> Cause {
    match result {
        Err(DialError::Refused { refused, .. }) => refused.cause,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_component_meant_and_no_other() {
    let dialler = Dialler::new(&[component("mk/km-1", None)]);
    let right = dialler.ca.issue(&Saying::uris(&["urn:qkdn:mk:km-1"]));
    let accepted = dialler.dial(&right).await.unwrap();
    assert_eq!(accepted.identity.role, Role::Dialled(km_1()));
    assert!(accepted.agreed.is_hybrid() && accepted.identity.covers(&km_1()));
    assert_eq!(dialler.metrics.interfaces[3].connections.get(), 1);
    let km = ["urn:qkdn:mk:km-1"];
    let cases = [
        (dialler.ca.issue(&Saying::uris(&["urn:qkdn:mk:km-2"])), Cause::WrongComponent),
        (dialler.ca.issue(&Saying::uris(&["urn:qkdn:mq:km-1"])), Cause::WrongReferencePoint),
        (dialler.ca.issue(&Saying::uris(&[])), Cause::NoIdentity),
        (dialler.ca.issue(&Saying { days: (-9, -2), ..Saying::uris(&km) }), Cause::Expired),
        (dialler.ca.issue(&Saying { usages: vec![ClientAuth], ..Saying::uris(&km) }), Cause::WrongUsage),
        (Ca::new("elsewhere").issue(&Saying::uris(&km)), Cause::UnknownIssuer),
    ];
    for (cert, expected) in cases {
        assert_eq!(cause(dialler.dial(&cert).await), expected);
    }
    assert_eq!(dialler.metrics.handshakes_refused.get("wrong-component").unwrap().get(), 1);
}

#[tokio::test]
async fn revocation_counts_when_dialling_and_later() {
    let dialler = Dialler::new(&[component("mk/km-1", None)]);
    let cert = dialler.ca.issue(&Saying::uris(&["urn:qkdn:mk:km-1"]));
    let accepted = dialler.dial(&cert).await.unwrap();
    dialler.trust.still_entitled(&accepted.identity, dialler.clock.now()).unwrap();
    let mut tls = tls_config(&dialler.files, &dialler.ca);
    tls.revocation_lists = vec![dialler.files.write("ca.crl", dialler.ca.revoke(&[cert.serial]).pem().unwrap())];
    dialler.trust.reload(&tls, &[], &[component("mk/km-1", None)]).unwrap();
    assert_eq!(cause(dialler.dial(&cert).await), Cause::Revoked);
    let refused = dialler.trust.still_entitled(&accepted.identity, dialler.clock.now()).unwrap_err();
    assert_eq!(refused.cause, Cause::Revoked);
}

#[tokio::test]
async fn a_mapping_replaces_the_san() {
    let rule = IdentityRule::Subject("cn=holder, o=Acme\\, Ltd".to_owned());
    let dialler = Dialler::new(&[component("mk/km-1", Some(rule))]);
    let mapped = dialler.ca.issue(&Saying::uris(&[]));
    assert!(dialler.dial(&mapped).await.unwrap().identity.covers(&km_1()));
    let rule = IdentityRule::Subject("CN=someone else".to_owned());
    let dialler = Dialler::new(&[component("mk/km-1", Some(rule))]);
    let named = dialler.ca.issue(&Saying::uris(&["urn:qkdn:mk:km-1"]));
    assert_eq!(cause(dialler.dial(&named).await), Cause::MappedElsewhere);
}

#[tokio::test]
async fn nobody_there() {
    let dialler = Dialler::new(&[component("mk/km-1", None)]);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let error = dial(&km_1(), &free, &dialler.trust, &dialler.registry, Duration::from_secs(20)).await.unwrap_err();
    assert!(matches!(error, DialError::Connect { .. }), "{error}");
    assert!(error.to_string().contains("mk/km-1") && error.to_string().contains(&free));
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let result = dial(&km_1(), &address, &dialler.trust, &dialler.registry, Duration::from_millis(20)).await;
    assert_eq!(cause(result), Cause::HandshakeTimeout);
}
