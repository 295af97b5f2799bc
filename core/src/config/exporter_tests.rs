//! `[[exporters]]` in a whole configuration: the sample, the defaults, and what is refused.

use std::{fs, time::Duration};

use super::{
    FcapsFunction, Loaded, Problems,
    exporter::{ExporterKind, SecretSource},
    load::load_text,
    problem::Level,
    source::SourceText,
};
use crate::model::{ReferencePoint, Severity};

const SAMPLE: &str = include_str!("../../../config/manager.toml");
const BASE: &str = "[manager]\nid = \"m\"\ndomain = \"d\"\n[tls]\ncertificate = \"x\"\nprivate_key = \"x\"\n\
    trust_anchors = [\"x\"]\n[interfaces.mq]\n[[components]]\nid = \"a\"\nreference_point = \"mq\"\n";

fn load(text: &str) -> (Result<Loaded, Problems>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    for name in ["pki/manager-east.pem", "pki/manager-east.key", "pki/ca.pem", "secrets/noc", "x"] {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "").unwrap();
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let main = SourceText { name: "m.toml".into(), folder: folder.path().into(), text: text.into() };
    (load_text(main, &[]), folder)
}

/// The sample's section without its comment signs, as somebody would use it.
fn sample() -> String {
    let section = SAMPLE.split("# [[exporters]]").nth(1).unwrap().split("\n\n").next().unwrap();
    let keys = section.lines().map(|line| line.trim_start_matches("# "));
    let keys: Vec<&str> =
        keys.filter(|line| line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '))).collect();
    format!("[[exporters]]\n{}\n", keys.join("\n"))
}

#[test]
fn the_sample_can_be_used_and_says_the_defaults() {
    let (loaded, folder) = load(&format!("{BASE}{}", sample()));
    let loaded = loaded.unwrap();
    assert_eq!(loaded.warnings, []);
    let short = "[[exporters]]\nname = \"noc\"\nkind = \"webhook\"\nurl = \"http://[::1]/\"\nsecret_env = \"S\"\n\
                 [[exporters]]\nname = \"am\"\nkind = \"alertmanager\"\nurl = \"http://localhost:9093\"\n";
    let (defaults, _kept) = load(&format!("{BASE}{short}"));
    let defaults = defaults.unwrap();
    assert_eq!(defaults.warnings, []);
    let (one, plain, am) = (&loaded.config.exporters[0], &defaults.config.exporters[0], &defaults.config.exporters[1]);
    assert_eq!((one.timeout, one.retry_min, one.retry_max), (plain.timeout, plain.retry_min, plain.retry_max));
    assert_eq!((one.batch_size, one.outbox, one.refused_after), (plain.batch_size, plain.outbox, plain.refused_after));
    assert_eq!((one.unreachable_after, one.batch_size), (plain.unreachable_after, 1));
    assert_eq!(one.secret, Some(SecretSource::File(folder.path().join("secrets/noc"))));
    assert_eq!(plain.secret, Some(SecretSource::Environment("S".into())));
    let tls = one.tls.as_ref().unwrap();
    assert_eq!(tls.trust_anchors, [folder.path().join("pki/ca.pem")]);
    assert!(tls.client.is_some() && !tls.allow_tls12);
    assert_eq!(one.filter.severity_at_least, Some(Severity::Major));
    assert_eq!(one.filter.functions, [FcapsFunction::Fault, FcapsFunction::Security]);
    assert_eq!(one.filter.reference_points, [ReferencePoint::Mk]);
    assert_eq!((am.kind, am.url.path.as_str()), (ExporterKind::Alertmanager, "/api/v2/alerts"));
    assert_eq!((am.batch_size, am.resend_interval), (64, Duration::from_secs(60)));
}

#[test]
fn what_cannot_work_is_refused_with_its_place() {
    let head = "[[exporters]]\nname = \"x\"\nkind = \"webhook\"\n";
    for (more, message) in [
        ("url = \"https://h/\"\nsecret_env = \"S\"", "[[exporters]] with https has no `trust_anchors`"),
        ("url = \"http://h/\"\ntrust_anchors = \"x\"", "`trust_anchors` means nothing without TLS"),
        ("url = \"http://h/\"\nsecret = \"s\"", "a secret is never written into the configuration"),
        ("url = \"http://h/\"\nsecret_file = \"x\"\nsecret_env = \"S\"", "the secret is said to be in two places"),
        ("url = \"http://h/\"\nsecret_file = \"gone\"", "cannot read the secret"),
        ("url = \"http://h/\"\nretry_min = \"9s\"\nretry_max = \"1s\"", "`retry_min` is longer than `retry_max`"),
        ("url = \"http://h/\"\nresend_interval = \"9s\"", "`resend_interval` means nothing for a webhook"),
        ("url = \"http://h/\"\nfilter = { components = [\"km\"] }", "`km` names no components"),
        ("url = \"http://h/\"\nfilter = { functions = [\"faults\"] }", "`functions` cannot have `faults`"),
        (
            "url = \"https://h/\"\ntrust_anchors = \"x\"\ncertificate = \"x\"",
            "`certificate` and `private_key` come together",
        ),
        ("url = \"http://u:p@h/\"", "`url` cannot be used"),
        (
            "url = \"http://h/\"\n[[exporters]]\nname = \"x\"\nkind = \"webhook\"\nurl = \"http://i/\"",
            "a second exporter is called `x`",
        ),
        ("url = \"http://h/\"\ntimout = \"1s\"", "unknown key `timout` in [[exporters]]"),
    ] {
        let (loaded, _folder) = load(&format!("{BASE}{head}{more}\n"));
        let problems = loaded.map(|loaded| loaded.config.exporters).unwrap_err();
        let found = problems.list.iter().find(|problem| problem.level == Level::Error && problem.message == message);
        assert!(found.is_some_and(|problem| problem.place.is_some()), "{message}: {problems}");
    }
    let (loaded, _folder) = load(&format!("{BASE}{head}url = \"http://h/\"\n"));
    let warnings = loaded.unwrap().warnings;
    let messages: Vec<&str> = warnings.iter().map(|warning| warning.message.as_str()).collect();
    assert_eq!(messages, ["the events of this webhook are not signed", "the target is spoken to without TLS"]);
}
