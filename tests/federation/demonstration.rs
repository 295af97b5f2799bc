//! `qkdnm demo --federation`, as somebody would see it who tries the manager for the first time.

use std::process::Command;

use harness::binary;

#[test]
fn the_story_of_three_domains_comes_as_it_is_told() {
    let shown = Command::new(binary::qkdnm()).args(["demo", "--federation", "--for", "60s"]).output().unwrap();
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.status.success() && !text.contains("MISSED"), "{text}\n{}", String::from_utf8_lossy(&shown.stderr));
    let order = [
        "every domain is fresh in every manager",
        "Brabant and Wallonia know that a link is down in Flanders",
        "Flanders and Brabant hold Wallonia for stale",
        "Wallonia still shows the link down",
        "all three agree again",
        "0 refused",
    ];
    let mut rest = text.as_str();
    for told in order {
        let at = rest.find(told).unwrap_or_else(|| panic!("`{told}` is missing or out of order:\n{text}"));
        rest = &rest[at..];
    }
}
