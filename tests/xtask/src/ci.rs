//! What has to be clean before a change is taken, beside the tests.

use crate::{
    steps::Steps,
    test::FEATURES,
    workspace::{cargo, ensure_guest_target, is_there},
};

/// `cargo xtask ci`.
pub(crate) fn ci() -> Result<bool, String> {
    ensure_guest_target()?;
    let mut steps = Steps::default();
    steps.run("format", &mut cargo(&["fmt", "--all", "--check"]));
    let lint = ["--", "--deny", "warnings"];
    steps.run("lints", cargo(&["clippy", "--quiet", "--workspace", "--all-targets", FEATURES]).args(lint));
    // What operators get has no fault points, and has to compile as well.
    steps.run("lints without fault points", cargo(&["clippy", "--quiet", "--workspace", "--lib", "--bins"]).args(lint));
    steps.run(
        "documentation",
        cargo(&["doc", "--quiet", "--workspace", "--no-deps", FEATURES]).env("RUSTDOCFLAGS", "--deny warnings"),
    );
    if is_there("cargo", &["deny", "--version"]) {
        // Advisories need a database that is fetched; the rest needs the registry alone.
        steps.run("licences and sources", &mut cargo(&["deny", "check", "bans", "licenses", "sources"]));
    } else {
        steps.skip(
            "licences and sources",
            "cargo-deny is not installed (`cargo install --locked cargo-deny`); the house rules check licences and \
             banned crates too",
        );
    }
    steps.run("house rules", &mut cargo(&["test", "--quiet", "--workspace", FEATURES, "--test", "tidy"]));
    Ok(steps.summary())
}
