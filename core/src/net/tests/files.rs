//! Files that are not as they should be, each named.

use std::path::PathBuf;

use crate::{
    config::TlsConfig,
    model::ReferencePoint,
    net::{
        InterfaceTrust,
        test_certificates::{Ca, Files, Saying, TestClock, tls_config},
    },
};

struct Fixture {
    files: Files,
    ca: Ca,
    clock: TestClock,
    tls: TlsConfig,
}

impl Fixture {
    fn new() -> Self {
        let (ca, files) = (Ca::new("site"), Files::new());
        let tls = tls_config(&files, &ca);
        restrict(&tls.private_key);
        Self { files, ca, clock: TestClock::new(), tls }
    }

    fn load(&self) -> Result<Vec<String>, String> {
        InterfaceTrust::load(ReferencePoint::Mk, &self.tls, &[], &[], self.clock.clock())
            .map(|(_, warnings)| warnings.iter().map(ToString::to_string).collect())
            .map_err(|error| error.to_string())
    }
}

fn restrict(path: &PathBuf) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn what_is_wrong_with_one_file() {
    let cert = |f: &Fixture| f.ca.issue(&Saying::uris(&[]));
    type Change = Box<dyn Fn(&mut Fixture)>;
    let cases: Vec<(Change, [&str; 3])> = vec![
        (Box::new(|f| f.tls.certificate = "nowhere.pem".into()), ["certificate", "nowhere.pem", "cannot read"]),
        (Box::new(|f| f.tls.certificate = f.files.write("x.pem", " \n")), ["certificate", "x.pem", "is empty"]),
        (
            Box::new(|f| f.tls.certificate = f.tls.private_key.clone()),
            ["certificate", "own.key", "a private key in it"],
        ),
        (Box::new(|f| f.tls.private_key = f.tls.certificate.clone()), ["private_key", "own.pem", "no private key"]),
        (
            Box::new(move |f| f.tls.private_key = f.files.write("x.key", cert(f).key.serialize_pem())),
            ["private_key", "x.key", "is not the key of the certificate"],
        ),
        (
            Box::new(|f| {
                f.tls.private_key = f.files.write(
                    "x.key",
                    "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
                )
            }),
            ["private_key", "x.key", "encrypted"],
        ),
        (Box::new(|f| f.tls.trust_anchors.clear()), ["trust_anchors", "no file is named", "CA certificates"]),
        (
            Box::new(|f| {
                f.tls.trust_anchors =
                    vec![f.files.write("x.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")]
            }),
            ["trust_anchors", "x.pem", "cannot serve"],
        ),
        (
            Box::new(|f| f.tls.revocation_lists = vec![f.tls.certificate.clone()]),
            ["revocation_lists", "own.pem", "nothing of the kind"],
        ),
        (
            Box::new(|f| f.tls.revocation_lists = vec![f.files.write("x.crl", [0x30, 1])]),
            ["revocation_lists", "x.crl", "cannot be read"],
        ),
    ];
    for (change, parts) in cases {
        let mut fixture = Fixture::new();
        change(&mut fixture);
        let error = fixture.load().unwrap_err();
        assert!(parts.iter().all(|part| error.contains(part)), "{parts:?} in {error}");
        assert!(error.starts_with("TLS of interface mk: ") && !error.contains('\n'), "{error}");
    }
}

#[test]
fn every_problem_is_named_at_once() {
    let mut fixture = Fixture::new();
    fixture.tls.certificate = "a.pem".into();
    fixture.tls.private_key = "b.key".into();
    fixture.tls.trust_anchors.push("c.pem".into());
    fixture.tls.revocation_lists.push("d.crl".into());
    let error = fixture.load().unwrap_err();
    assert!(["a.pem", "b.key", "c.pem", "d.crl"].iter().all(|name| error.contains(name)), "{error}");
}

#[test]
fn what_works_and_needs_attention() {
    let mut fixture = Fixture::new();
    fixture.tls.revocation_lists = vec![fixture.files.write("ca.crl", fixture.ca.revoke(&[]).pem().unwrap())];
    let warnings = fixture.load().unwrap();
    assert!(warnings.iter().any(|text| text.contains("own.pem expires at")), "within 30 days: {warnings:?}");
    fixture.clock.forward_days(31);
    let warnings = fixture.load().unwrap();
    assert!(warnings.iter().any(|text| text.contains("own.pem expired at")), "{warnings:?}");
    assert!(warnings.iter().any(|text| text.contains("ca.crl was to be replaced")), "{warnings:?}");

    let mut fixture = Fixture::new();
    let long = fixture.ca.issue(&Saying { days: (-1, 300), ..Saying::uris(&[]) });
    fixture.tls.certificate = fixture.files.write("long.pem", &long.pem);
    fixture.tls.private_key = fixture.files.write("long.key", long.key.serialize_pem());
    restrict(&fixture.tls.private_key);
    assert_eq!(fixture.load().unwrap(), Vec::<String>::new());
}
