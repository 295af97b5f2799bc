//! The README says what works: its configuration passes the check, its commands and files exist.

use std::{fs, process::Command};

use harness::binary::{qkdnm, repository};

fn readme() -> String {
    fs::read_to_string(repository().join("README.md")).expect("README.md")
}

/// Contents of the fenced blocks of one language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    text.split(&format!("\n```{language}\n"))
        .skip(1)
        .filter_map(|rest| Some(rest.split_once("\n```")?.0.to_owned()))
        .collect()
}

#[test]
fn its_configuration_passes_the_check_and_its_messages_are_json() {
    let dir = tempfile::tempdir().unwrap();
    let text = readme();
    let parts: [String; 3] =
        blocks(&text, "toml").try_into().expect("a whole configuration, what peers add to it, and what an area does");
    let [toml, peers, area] = parts;
    fs::write(dir.path().join("manager.toml"), &toml).unwrap();
    // The commands before it, as they stand there.
    for line in blocks(&text, "sh")
        .iter()
        .flat_map(|block| block.lines())
        .filter(|line| line.starts_with("qkdnm pki ") || line.starts_with("qkdnm check "))
    {
        let output = Command::new(qkdnm()).args(line.split(' ').skip(1)).current_dir(dir.path()).output().unwrap();
        assert!(output.status.success(), "{line}\n{}", String::from_utf8_lossy(&output.stderr));
    }
    // With peers, whose files came from their operators.
    let run = |arguments: &[&str]| {
        let output = Command::new(qkdnm()).args(arguments).current_dir(dir.path()).output().unwrap();
        assert!(output.status.success(), "{arguments:?}\n{}", String::from_utf8_lossy(&output.stderr));
    };
    run(&["pki", "init", "peers/west"]);
    fs::rename(dir.path().join("peers/west/ca.pem"), dir.path().join("peers/west-ca.pem")).unwrap();
    run(&["pki", "signing-key", "peers/west.key"]);
    fs::write(dir.path().join("manager.toml"), format!("{toml}\n{peers}")).unwrap();
    run(&["check", "manager.toml"]);
    // With an area, which is the peer's too.
    let peers = peers.replacen("[[peers]]", "[[peers]]\narea = \"north\"", 1);
    let peers = peers.replacen("[federation]", area.trim_end(), 1);
    fs::write(dir.path().join("manager.toml"), format!("{toml}\n{peers}")).unwrap();
    run(&["check", "manager.toml"]);
    let messages = blocks(&text, "json");
    assert!(!messages.is_empty());
    for line in messages.iter().flat_map(|block| block.lines()) {
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{line}");
    }
}

#[test]
fn its_commands_are_commands() {
    for line in blocks(&readme(), "sh").iter().flat_map(|block| block.lines()).filter(|line| line.starts_with("qkdnm "))
    {
        let words: Vec<_> =
            line.split_whitespace().skip(1).take_while(|word| word.chars().all(|c| c.is_ascii_lowercase())).collect();
        // A positional argument may look like a subcommand: `pki init pki`.
        let help = |words: &[&str]| {
            Command::new(qkdnm()).args(words).arg("--help").output().is_ok_and(|output| output.status.success())
        };
        assert!(help(&words) || help(&words[..words.len() - 1]), "{line}");
    }
}

#[test]
fn what_documents_link_to_is_there() {
    for document in ["README.md", "core/ARCHITECTURE.md", "tests/README.md", "examples/python-client/README.md"] {
        let path = repository().join(document);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{document}: {error}"));
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.contains("://") || target.starts_with('#') {
                continue;
            }
            let file = path.parent().unwrap().join(target);
            assert!(file.exists(), "{document} links to {target}, which is not there");
        }
    }
}

#[test]
fn files_that_the_architecture_names_are_there() {
    let root = repository();
    let text = fs::read_to_string(root.join("core/ARCHITECTURE.md")).unwrap();
    let is_path = |word: &&str| {
        !word.starts_with('/')
            && word.contains('/')
            && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '.' | '-'))
    };
    let named: Vec<_> = text.split('`').skip(1).step_by(2).filter(is_path).collect();
    assert!(named.len() > 20, "the names are found: {named:?}");
    for name in named {
        let places =
            [format!("core/src/{name}.rs"), format!("core/src/{name}"), format!("core/{name}"), name.to_owned()];
        assert!(places.iter().any(|place| root.join(place).exists()), "core/ARCHITECTURE.md names `{name}`");
    }
}
