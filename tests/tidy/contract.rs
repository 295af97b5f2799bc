//! The contract with plugins is frozen: a released folder of `wit` says tomorrow what it says today.

use std::{fs, path::Path};

use harness::binary::repository;

use crate::dashboard::sha256;

/// Released folders, and the SHA-256 of what is in each: a line for each file in the order of their names, with its own SHA-256 and name.
const FROZEN: [(&str, &str); 1] = [("wit/v0.1", "9ec7bd3d91cf7780f4515fb437f71170996757a42cd88180f3f9f26d3cfa8d68")];

fn digest(folder: &Path) -> String {
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let line = |name: &String| format!("{}  {name}\n", sha256(&fs::read(folder.join(name)).expect("a file")));
    sha256(names.iter().map(line).collect::<String>().as_bytes())
}

#[test]
fn released_versions_of_the_contract_do_not_change() {
    for (folder, frozen) in FROZEN {
        let found = digest(&repository().join(folder));
        assert_eq!(
            found, frozen,
            "{folder} is released: plugins that were built for it have to run as they are, so nothing in it changes, not even a comment \
             (wit/README.md, Versions). What is new goes into a folder beside it; git restores this one: `git checkout {folder}`"
        );
    }
}

#[test]
fn plugins_built_for_released_versions_are_kept_as_they_were_built() {
    for (file, built) in [
        (
            "tests/guests/golden-handler/golden-handler.wasm",
            "071320d73d6c91fd95fae1b91e2ed7ddcd821754f3a982513c3e80c263701f4b",
        ),
        (
            "tests/guests/golden-policy/golden-policy.wasm",
            "8ef26a3329feff352a9b9763d6a22fbbaccde1d4dd130d64db48a2f95c10f7d1",
        ),
    ] {
        let found = sha256(&fs::read(repository().join(file)).expect("it is kept"));
        assert_eq!(found, built, "{file} stands for plugins in the field, which nobody builds again: git restores it");
    }
}
