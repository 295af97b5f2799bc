//! What a configuration shows of itself: it reads back as the same, and every value says where it came from.

use std::{fs, path::Path};

use proptest::prelude::*;

use super::{
    Change, Loaded,
    load::{examine_texts, load_text},
    origin::{Document, Origin},
    source::SourceText,
    written_out,
};

const COMPLETE: &str = include_str!("../../../config/manager.toml");
const MINIMAL: &str = include_str!("../../../config/manager.minimal.toml");
/// Beside the complete sample: what it has only as comments.
const MORE: &str = r#"
[[handlers]]
name = "mq-acme"
reference_point = "mq"
match = { vendor = "acme", model = ["q*", "r?"] }
plugin = "builtin:mq"
on_failure = "keep-raw"
allow_key_names = ["/a/\"b\""]
config = { "odd key" = [1, 2.5, { a = true }], text = "tab\t, quote \", \u007F, é" }

[[policies]]
name = "drift"
function = "configuration"
plugin = "builtin:configuration-drift"
mode = "shadow"
config_files = { baseline = "baseline.toml" }
config = { severity = "minor" }

[[exporters]]
name = "noc"
kind = "webhook"
url = "https://[::1]:8443/alarms"
filter = { severity_at_least = "major", functions = ["fault"], reference_points = "mk" }
secret_file = "pki/ca.pem"
trust_anchors = ["pki/ca.pem"]
certificate = "pki/manager-east.pem"
private_key = "pki/manager-east.key"

[[exporters]]
name = "am"
kind = "alertmanager"
url = "http://127.0.0.1:9093"
resend_interval = "2m"

[[components]]
id = "km 2/ä"
reference_point = "mk"
identity = { fingerprint = "sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff" }
dial = "192.0.2.7:7104"
"#;

fn folder() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("pki")).unwrap();
    for name in ["manager-east.pem", "manager-east.key", "ca.pem"] {
        let path = folder.path().join("pki").join(name);
        fs::write(&path, "x").unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let baseline = "[[components]]\ncomponent = \"mq/a\"\nvalues = { max_loss_db = 12, model = [\"x\", \"y\"] }\n";
    fs::write(folder.path().join("baseline.toml"), baseline).unwrap();
    folder
}

fn main_text(folder: &Path, text: &str) -> SourceText {
    SourceText { name: "manager.toml".into(), folder: folder.into(), text: text.into() }
}

fn load_in(folder: &Path, text: &str, variables: &[(&str, &str)]) -> Loaded {
    let variables: Vec<_> = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    load_text(main_text(folder, text), &variables).unwrap()
}

#[test]
fn what_is_shown_reads_back_as_the_same() {
    let folder = folder();
    for text in [MINIMAL.to_owned(), COMPLETE.to_owned(), format!("{COMPLETE}{MORE}")] {
        let loaded = load_in(folder.path(), &text, &[("QKDNM__INTERFACES__MK__LISTEN", "127.0.0.1:0,[::1]:0")]);
        let document = Document::effective(&loaded, folder.path());
        for origins in [false, true] {
            let shown = written_out::toml(&document, origins);
            // Paths are in full: it may stand anywhere.
            let again = load_in(Path::new("/nowhere"), &shown, &[]);
            let change = Change::between(&loaded.config, &again.config);
            assert!(change.is_empty(), "{change}\n{shown}");
            let back = Document::effective(&again, Path::new("/nowhere"));
            assert_eq!(back.configuration, document.configuration, "{shown}");
        }
        let written = written_out::toml(&Document::written(&loaded), true);
        let change = Change::between(&loaded.config, &load_in(folder.path(), &written, &[]).config);
        assert!(change.is_empty(), "{change}\n{written}");
    }
}

#[test]
fn every_value_says_where_it_came_from() {
    let folder = folder();
    let main = format!("{MINIMAL}\n[log]\nlevel = \"warn\"\n");
    let part = "[log]\nformat = \"json\"\n[[components]]\nid = \"a\"\nreference_point = \"mq\"\n\
                [[policies]]\nname = \"drift\"\nfunction = \"configuration\"\nplugin = \"builtin:configuration-drift\"\n\
                config_files = { baseline = \"baseline.toml\" }\nconfig = { severity = \"minor\" }\n";
    let texts = vec![
        main_text(folder.path(), &main),
        SourceText { name: "conf.d/a.toml".into(), folder: folder.path().into(), text: part.into() },
    ];
    let variables = [("QKDNM__TLS__ALLOW_TLS12".to_owned(), "true".to_owned())];
    let loaded = examine_texts(texts, &variables).into_result().unwrap();
    let document = Document::effective(&loaded, Path::new("/")).hidden();
    let origin = |pointer: &str| document.origins[pointer].to_string();
    let line_of = |text: &str, what: &str| text.lines().position(|line| line.starts_with(what)).unwrap() + 1;
    assert_eq!(origin("/log/level"), format!("manager.toml:{}", line_of(&main, "level")));
    assert_eq!(origin("/log/format"), "conf.d/a.toml:2");
    assert_eq!(origin("/components/0/id"), "conf.d/a.toml:4");
    assert_eq!(origin("/components/0/identity/san"), "default");
    assert_eq!(origin("/tls/allow_tls12"), "QKDNM__TLS__ALLOW_TLS12");
    assert_eq!(origin("/interfaces/mq/allow_tls12"), "QKDNM__TLS__ALLOW_TLS12, from [tls]");
    let anchors = line_of(&main, "trust_anchors");
    assert_eq!(origin("/interfaces/mq/trust_anchors"), format!("manager.toml:{anchors}, from [tls]"));
    assert_eq!(origin("/interfaces/mq/key_exchange"), "default");
    assert_eq!(origin("/storage/history/raw"), "default");
    assert_eq!(origin("/policies/0/config/severity"), "conf.d/a.toml:11");
    assert_eq!(
        origin("/policies/0/config/baseline/components"),
        folder.path().join("baseline.toml").display().to_string()
    );
    assert!(matches!(document.origins["/log/level"], Origin::File { column: Some(9), .. }));

    // Whatever is shown has an origin, and nothing else has.
    let shown = written_out::toml(&document, true);
    let keys = shown.lines().filter(|line| line.contains(" = ")).count();
    assert_eq!(shown.lines().filter(|line| line.contains(" # ")).count(), keys, "{shown}");
    assert_eq!(document.origins.len(), keys, "{shown}\n{:#?}", document.origins);
}

#[test]
fn what_is_written_is_shown_as_written() {
    let folder = folder();
    let loaded = load_in(folder.path(), MINIMAL, &[("QKDNM__MANAGER__SHARDS", "3"), ("QKDNM__LOG__LEVEL", "warn")]);
    let shown = written_out::toml(&Document::written(&loaded), false);
    let expected = "[manager]\nid = \"manager-east\"\ndomain = \"east\"\nshards = 3\nenrolment = \"certificate\"\n\n\
                    [log]\nlevel = \"warn\"\n\n\
                    [tls]\ncertificate = \"pki/manager-east.pem\"\nprivate_key = \"pki/manager-east.key\"\n\
                    trust_anchors = \"pki/ca.pem\"\n\n[interfaces.mq]\n";
    assert_eq!(shown, expected);
}

#[test]
fn no_secret_is_shown() {
    let folder = folder();
    let digest = "ab".repeat(32);
    let text = format!(
        "{MINIMAL}\n[api]\ntokens = [{{ name = \"ops\", sha256 = \"{digest}\", role = \"admin\" }}]\n\
         [[exporters]]\nname = \"e\"\nkind = \"webhook\"\nurl = \"http://127.0.0.1/x?key=s3cret\"\nsecret_file = \"pki/ca.pem\"\n\
         [[policies]]\nname = \"p\"\nfunction = \"fault\"\nplugin = \"builtin:state\"\nconfig = {{ password = \"s3cret\" }}\n"
    );
    let loaded = load_in(folder.path(), &text, &[]);
    for document in [Document::effective(&loaded, Path::new("/")), Document::written(&loaded)] {
        let document = document.hidden();
        let shown = [written_out::toml(&document, true), serde_json::to_string(&document).unwrap()];
        for text in shown {
            assert!(!text.contains("s3cret") && !text.contains(&digest), "{text}");
            assert!(text.contains("ops"), "{text}");
        }
    }
}

proptest! {
    /// Whatever stands in a plugin's configuration comes back.
    #[test]
    fn any_plugin_configuration_reads_back(
        key in "\\PC{0,8}",
        text in "[\\PC\t\n]{0,20}",
        number in any::<i64>(),
        real in -1e300_f64..1e300,
    ) {
        let folder = folder();
        let mut loaded = load_in(folder.path(), &format!("{MINIMAL}{MORE}"), &[]);
        let config = serde_json::json!({ key.as_str(): { "text": text, "list": [number, real, { "b": text }] } });
        loaded.config.policies[0].config = config.clone();
        let shown = written_out::toml(&Document::effective(&loaded, folder.path()), false);
        let again = load_in(Path::new("/nowhere"), &shown, &[]);
        prop_assert_eq!(&again.config.policies[0].config, &config, "{}", shown);
    }
}
