//! Laws of [`Change`]: what is the same is no change, what was added one way was removed the other, nothing is missed.

use std::time::Duration;

use proptest::prelude::*;

use super::{Change, Config, ReadWithoutToken, load::load_text, source::SourceText};

const BASE: &str = "[manager]\nid = \"m\"\ndomain = \"d\"\nshards = 2\n[tls]\ncertificate = \"c\"\nprivate_key = \
                    \"c\"\ntrust_anchors = \"c\"\n";

fn read(text: &str) -> Config {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("c"), "").unwrap();
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder.path().join("c"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let main = SourceText { name: "m.toml".into(), folder: folder.path().into(), text: format!("{BASE}{text}") };
    let mut config = load_text(main, &[]).unwrap().config;
    // Each text is read from a folder of its own.
    config.manager.data_dir = "data".into();
    config.plugins.cache_dir = "data/cache".into();
    for tls in config.interfaces.iter_mut().map(|one| &mut one.tls).chain([&mut config.tls]) {
        (tls.certificate, tls.private_key) = ("c".into(), "c".into());
        tls.trust_anchors = vec!["c".into()];
    }
    config
}

/// A configuration made of numbers: for each of a few names, absent (0) or one of two forms.
fn text(components: &[u8], policies: &[u8], interfaces: &[u8], idle: u8) -> String {
    let mut text = String::new();
    for (number, form) in interfaces.iter().enumerate().filter(|(_, form)| **form > 0) {
        let point = ["mq", "mk"][number];
        text.push_str(&format!(
            "[interfaces.{point}]\nlisten = \"127.0.0.1:0\"\nidle_timeout = \"{}s\"\n",
            form + idle
        ));
    }
    for (number, form) in components.iter().enumerate().filter(|(_, form)| **form > 0) {
        text.push_str(&format!("[[components]]\nid = \"km-{number}\"\nreference_point = \"mk\"\nsite = \"s{form}\"\n"));
    }
    for (number, form) in policies.iter().enumerate().filter(|(_, form)| **form > 0) {
        text.push_str(&format!(
            "[[policies]]\nname = \"p{number}\"\nfunction = \"fault\"\nplugin = \"builtin:state\"\nconfig = {{ n = {form} }}\n"
        ));
    }
    text
}

prop_compose! {
    fn config()(
        components in prop::collection::vec(0_u8..3, 4),
        policies in prop::collection::vec(0_u8..3, 3),
        interfaces in prop::collection::vec(0_u8..3, 2),
        idle in 1_u8..3,
    ) -> Config {
        read(&text(&components, &policies, &interfaces, idle))
    }
}

fn names(config: &Config) -> Vec<String> {
    config.components.iter().map(|one| one.component.to_string()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_same_is_no_change(config in config()) {
        prop_assert!(Change::between(&config, &config).is_empty());
    }

    #[test]
    fn there_and_back_are_mirrored(was in config(), is in config()) {
        let (there, back) = (Change::between(&was, &is), Change::between(&is, &was));
        for (there, back) in [
            (&there.components, &back.components),
            (&there.policies, &back.policies),
            (&there.interfaces, &back.interfaces),
            (&there.handlers, &back.handlers),
        ] {
            let sorted = |names: &[String]| { let mut names = names.to_vec(); names.sort(); names };
            prop_assert_eq!(sorted(&there.added), sorted(&back.removed));
            prop_assert_eq!(sorted(&there.removed), sorted(&back.added));
            prop_assert_eq!(there.changed.len(), back.changed.len());
            prop_assert_eq!(there.reordered, back.reordered);
        }
        prop_assert_eq!(there.is_empty(), back.is_empty());
    }

    #[test]
    fn what_is_not_named_is_the_same(was in config(), is in config()) {
        let change = Change::between(&was, &is);
        let mut expected: Vec<String> =
            names(&was).into_iter().filter(|name| !change.components.removed.contains(name)).collect();
        expected.extend(change.components.added.clone());
        let mut found = names(&is);
        expected.sort();
        found.sort();
        prop_assert_eq!(expected, found);
        for new in &is.components {
            let name = new.component.to_string();
            let old = was.components.iter().find(|old| old.component == new.component);
            let told = change.components.changed.iter().any(|changed| changed.name == name);
            prop_assert_eq!(old.is_some_and(|old| old != new), told, "{}", name);
        }
        for new in &is.policies {
            let old = was.policies.iter().find(|old| old.name == new.name);
            let told = change.policies.changed.iter().any(|changed| changed.name == new.name);
            prop_assert_eq!(old.is_some_and(|old| old != new), told, "{}", new.name);
        }
    }
}

/// Every field of every part is looked at: a key that is added to the configuration and forgotten here would be taken over by
/// nobody and told by nobody.
#[test]
fn every_single_difference_is_told() {
    type Alter = (&'static str, fn(&mut Config));
    let alterations: Vec<Alter> = vec![
        ("manager.id", |config| config.manager.id.push('x')),
        ("manager.domain", |config| config.manager.domain.push('x')),
        ("manager.data_dir", |config| config.manager.data_dir.push("x")),
        ("manager.shards", |config| config.manager.shards += 1),
        ("manager.enrolment", |config| config.manager.enrolment = super::Enrolment::Certificate),
        ("manager.reload_on_change", |config| config.manager.reload_on_change ^= true),
        ("log.level", |config| config.log.level.push('x')),
        ("log.format", |config| config.log.json ^= true),
        ("interface mk changed (listen)", |config| config.interfaces[0].listen.clear()),
        ("(max_connections)", |config| config.interfaces[0].max_connections += 1),
        ("(max_connections_per_identity)", |config| config.interfaces[0].max_connections_per_identity += 1),
        ("(max_line_bytes)", |config| config.interfaces[0].max_line_bytes += 1),
        ("(max_in_flight)", |config| config.interfaces[0].max_in_flight += 1),
        ("(handshake_timeout)", |config| config.interfaces[0].handshake_timeout += Duration::from_secs(1)),
        ("(idle_timeout)", |config| config.interfaces[0].idle_timeout += Duration::from_secs(1)),
        ("(request_timeout)", |config| config.interfaces[0].request_timeout += Duration::from_secs(1)),
        ("(certificate)", |config| config.interfaces[0].tls.certificate.push("x")),
        ("(private_key)", |config| config.interfaces[0].tls.private_key.push("x")),
        ("(trust_anchors)", |config| config.interfaces[0].tls.trust_anchors.clear()),
        ("(revocation_lists)", |config| config.interfaces[0].tls.revocation_lists.push("x".into())),
        ("(key_exchange)", |config| config.interfaces[0].tls.key_exchange = super::KeyExchange::Classical),
        ("(allow_tls12)", |config| config.interfaces[0].tls.allow_tls12 ^= true),
        ("component mk/km-0 changed (identity)", |config| {
            config.components[0].identity = super::IdentityRule::Subject("CN=x".into());
        }),
        ("(dial)", |config| config.components[0].dial = Some("127.0.0.1:1".into())),
        ("(expected_interval)", |config| config.components[0].expected_interval = Some(Duration::from_secs(1))),
        ("(sees)", |config| config.components[0].sees.push(super::SeesRule::default())),
        ("(version)", |config| config.components[0].version.push('1')),
        ("(tags)", |config| config.components[0].tags.push("x".into())),
        ("handler mk-standard changed (match)", |config| config.handlers[3].matches.id.push("x".into())),
        ("(on_failure)", |config| config.handlers[3].on_failure = super::OnFailure::KeepRaw),
        ("(then)", |config| config.handlers[3].then = Some("x".into())),
        ("(allow_key_names)", |config| config.handlers[3].allow_key_names.push("x".into())),
        ("order of [[handler]] changed", |config| config.handlers.swap(0, 1)),
        ("policy p0 changed (mode)", |config| config.policies[0].mode = super::PolicyMode::Shadow),
        ("(applies_to)", |config| config.policies[0].applies_to.id.push("x".into())),
        ("(sha256)", |config| config.policies[0].sha256 = Some("x".into())),
        ("plugins.allow_native", |config| config.plugins.allow_native ^= true),
        ("plugins.cache_dir", |config| config.plugins.cache_dir.push("x")),
        ("plugins.cpu_time", |config| config.plugins.cpu_time += Duration::from_secs(1)),
        ("plugins.wall_time", |config| config.plugins.wall_time += Duration::from_secs(1)),
        ("plugins.table_elements", |config| config.plugins.table_elements += 1),
        ("plugins.answer_size", |config| config.plugins.answer_size += 1),
        ("plugins.memory", |config| config.plugins.memory += 1),
        ("plugins.state_per_component", |config| config.plugins.state_per_component += 1),
        ("plugins.log_lines_per_second", |config| config.plugins.log_lines_per_second += 1),
        ("storage.durability", |config| config.storage.durability = super::Durability::Os),
        ("storage.journal_segment_size", |config| config.storage.journal_segment_size *= 2),
        ("storage.journal_retention", |config| config.storage.journal_retention *= 2),
        ("storage.journal_max_size", |config| config.storage.journal_max_size *= 2),
        ("storage.history.raw", |config| config.storage.history.raw *= 2),
        ("storage.history.minute", |config| config.storage.history.minute *= 2),
        ("storage.history.hour", |config| config.storage.history.hour *= 2),
        ("api.listen", |config| config.api.listen.set_port(1)),
        ("api.read_without_token", |config| config.api.read_without_token = ReadWithoutToken::Never),
    ];
    let was = read(&text(&[1], &[1], &[0, 1], 1));
    for (words, alter) in alterations {
        let mut is = was.clone();
        alter(&mut is);
        let told = Change::between(&was, &is).to_string();
        assert!(told.contains(words), "{words}: {told}");
    }
}
