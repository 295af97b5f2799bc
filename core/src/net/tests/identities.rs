//! From certificates to components, without a connection.

use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::{
    config::{ComponentConfig, IdentityRule},
    model::{ComponentId, ComponentRef, ReferencePoint},
    net::{
        Cause, IdentityRules, InterfaceTrust, Refused, Role, Scope, TrustSource,
        identity::fingerprint,
        test_certificates::{Ca, Cert, Files, Saying, TestClock, component, tls_config},
    },
};

fn covered(components: &[ComponentConfig], cert: &Cert) -> Result<(Vec<String>, bool), Refused> {
    let rules = IdentityRules::new(ReferencePoint::Mk, components);
    let identity = rules.identify(std::slice::from_ref(&cert.der), &Role::Client)?;
    assert!(identity.components.iter().all(|one| identity.covers(one)));
    Ok((identity.components.iter().map(ToString::to_string).collect(), identity.covers_unlisted))
}

#[test]
fn a_certificate_may_cover_several_components() {
    let cert = Ca::new("site").issue(&Saying::uris(&[
        "urn:qkdn:mk:km-2",
        "URN:QKDN:mk:km%2D1",
        "urn:qkdn:mq:module",
        "urn:qkdn:mk:km-2",
    ]));
    let listed = [component("mk/km-1", None), component("mk/km-2", None)];
    assert_eq!(covered(&listed, &cert).unwrap(), (vec!["mk/km-1".to_owned(), "mk/km-2".to_owned()], false));
    assert!(covered(&listed[..1], &cert).unwrap().1, "km-2 is not listed");
}

#[test]
fn mappings_by_san_fingerprint_and_subject() {
    let cert = Ca::new("site").issue(&Saying::uris(&["urn:qkdn:mk:km-1", "spiffe://site/km"]));
    let digest = fingerprint(&cert.der);
    let upper = digest.to_uppercase();
    let colons = upper.as_bytes().chunks(2).map(|two| std::str::from_utf8(two).unwrap().to_owned());
    let rules = [
        IdentityRule::San("spiffe://site/km".to_owned()),
        IdentityRule::San("LocalHost".to_owned()),
        IdentityRule::San("urn:qkdn:mk:km-1".to_owned()),
        IdentityRule::Fingerprint(digest.clone()),
        IdentityRule::Fingerprint(format!("sha256:{}", colons.collect::<Vec<_>>().join(":"))),
        IdentityRule::Subject("CN=holder,O=Acme\\, Ltd".to_owned()),
    ];
    for rule in rules {
        let listed = [component("mk/mapped", Some(rule.clone()))];
        let (names, _) = covered(&listed, &cert).unwrap();
        assert_eq!(names, ["mk/km-1", "mk/mapped"], "{rule:?}");
    }
    for rule in [
        IdentityRule::San("spiffe://site/KM".to_owned()),
        IdentityRule::Fingerprint(digest.replace(char::is_numeric, "a")),
        IdentityRule::Subject("CN=holder".to_owned()),
    ] {
        let listed = [component("mk/km-1", Some(rule.clone()))];
        assert_eq!(covered(&listed, &cert).unwrap_err().cause, Cause::MappedElsewhere, "{rule:?}");
    }
}

#[test]
fn entries_of_other_reference_points_do_not_count() {
    let cert = Ca::new("site").issue(&Saying::uris(&[]));
    let listed = [component("mq/module", Some(IdentityRule::Fingerprint(fingerprint(&cert.der))))];
    assert_eq!(covered(&listed, &cert).unwrap_err().cause, Cause::NoIdentity);
}

#[test]
fn what_is_no_certificate_is_refused() {
    let rules = IdentityRules::new(ReferencePoint::Mk, &[]);
    let cert = Ca::new("site").issue(&Saying::uris(&["urn:qkdn:mk:km-1"]));
    for end in 0..cert.der.len() {
        let cut = rustls_pki_types::CertificateDer::from(cert.der[..end].to_vec());
        assert_eq!(rules.identify(&[cut], &Role::Client).unwrap_err().cause, Cause::BadCertificate, "{end}");
    }
    assert_eq!(rules.identify(&[], &Role::Client).unwrap_err().cause, Cause::NoCertificate);
}

#[test]
fn anchors_of_a_peer_vouch_for_that_peer_only() {
    let (ca, west, files, clock) = (Ca::new("site"), Ca::new("west"), Files::new(), TestClock::new());
    let tls = tls_config(&files, &ca);
    let peer: ComponentRef = "mx/manager-west".parse().unwrap();
    let source = TrustSource {
        trust_anchors: vec![files.write("west.pem", &west.pem)],
        revocation_lists: Vec::new(),
        scope: Scope::Only(BTreeSet::from([peer.clone()])),
    };
    let (trust, _) = InterfaceTrust::load(ReferencePoint::Mx, &tls, &[source], &[], clock.clock()).unwrap();
    let entitled = |ca: &Ca, uris: &[&'static str]| {
        trust.entitled_now(&[ca.issue(&Saying::uris(uris)).der], &Role::Client).map(|identity| identity.components)
    };
    assert_eq!(entitled(&west, &["urn:qkdn:mx:manager-west"]).unwrap(), std::slice::from_ref(&peer));
    assert_eq!(entitled(&west, &["urn:qkdn:mx:manager-west", "urn:qkdn:mx:manager-south"]).unwrap(), [peer]);
    let refused = entitled(&west, &["urn:qkdn:mx:manager-south"]).unwrap_err();
    assert_eq!(refused.cause, Cause::UnknownIssuer);
    assert!(refused.sentence.contains("mx/manager-south"), "{refused}");
    assert_eq!(entitled(&ca, &["urn:qkdn:mx:manager-south"]).unwrap(), ["mx/manager-south".parse().unwrap()]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_mapped_component_is_never_covered_by_its_san(id in "[a-zA-Z0-9 /:.%-]{1,20}", mapped in any::<bool>()) {
        let component_ref = ComponentRef::new(ReferencePoint::Mk, ComponentId::new(&id).unwrap());
        let urn: &'static str = Box::leak(component_ref.urn().into_boxed_str());
        let cert = Ca::new("site").issue(&Saying::uris(&[urn]));
        let rule = mapped.then(|| IdentityRule::Fingerprint("ab".repeat(32)));
        let result = covered(&[component(&component_ref.to_string(), rule)], &cert);
        if mapped {
            prop_assert_eq!(result.unwrap_err().cause, Cause::MappedElsewhere);
        } else {
            prop_assert_eq!(result.unwrap().0, [component_ref.to_string()]);
        }
    }
}
