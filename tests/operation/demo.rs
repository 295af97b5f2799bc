//! `qkdnm demo`, the first command of the README: the real manager, the story to its end, and its configuration afterwards.

use std::{
    fs,
    process::{Command, Stdio},
};

use harness::{PATIENCE, binary, eventually};

#[test]
fn the_story_comes_to_a_good_end_and_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("demo");
    let output = Command::new(binary::qkdnm())
        .args(["demo", "--for", "60s", "--seed", "7", "--keep"])
        .arg(&folder)
        .current_dir(dir.path())
        .output()
        .unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}");
    for part in [
        "Everything went as it should.",
        "> cut fibre antwerp-ghent",
        "mops/antwerp-ghent-fibre, quantum-channel-loss-high (major)",
        "why  policy link-loss (fault, builtin:threshold): observed ",
        "mq/evere-qkd-brussels, possible-interception (",
        "why  policy eavesdropping (security, builtin:qber-security): observed 0.",
        "mk/arlon-km, key-store-exhaustion-forecast (",
        "why  policy key-store-forecast (performance, builtin:key-store-forecast)",
        "mk/mons-km, component-silent (",
        "why  the manager's own observation",
        "cleared  mk/mons-km, component-silent",
        "alarm list",
        "--tell \"help\"",
    ] {
        assert!(text.contains(part), "the text says `{part}`:\n{text}");
    }
    let log = fs::read_to_string(folder.join("manager.log")).unwrap();
    assert!(!log.contains(" ERROR "), "{log}");

    // What it leaves can be read and run again, as it says.
    let again = text.lines().find_map(|line| line.strip_prefix("Run the manager again with `qkdnm ")).expect(&text);
    let ready = folder.join("ready.json");
    let mut manager = Command::new(binary::qkdnm())
        .args(again.trim_end_matches("`.").split(' '))
        .arg("--ready-file")
        .arg(&ready)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let began = eventually("the manager again", PATIENCE, || {
        let ended = manager.try_wait().unwrap().map(Err);
        ended.or_else(|| ready.exists().then_some(Ok(())))
    });
    let _ = manager.kill();
    let _ = manager.wait();
    assert_eq!(began, Ok(()), "{again}");
    let check = Command::new(binary::qkdnm()).arg("check").arg(folder.join("manager.toml")).output().unwrap();
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
}
