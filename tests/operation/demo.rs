//! `qkdnm demo`, the first command of the README: the real manager, the story to its end, and its configuration afterwards.

use std::{fs, process::Command};

use harness::binary;

#[test]
fn the_story_comes_to_a_good_end_and_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("demo");
    let output = Command::new(binary::qkdnm())
        .args(["demo", "--for", "20s", "--seed", "7", "--keep"])
        .arg(&folder)
        .current_dir(dir.path())
        .output()
        .unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}");
    for part in [
        "Everything went as it should.",
        "why  policy qber (performance, builtin:threshold): observed 0.",
        "why  policy link-loss (fault, builtin:threshold): observed 1",
        "why  policy key-store-forecast (performance, builtin:key-store-forecast)",
        "alarm list",
    ] {
        assert!(text.contains(part), "the text says `{part}`:\n{text}");
    }
    let log = fs::read_to_string(folder.join("manager.log")).unwrap();
    assert!(!log.contains(" ERROR "), "{log}");

    // What it leaves can be read and run again.
    let check = Command::new(binary::qkdnm()).arg("check").arg(folder.join("manager.toml")).output().unwrap();
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
}
