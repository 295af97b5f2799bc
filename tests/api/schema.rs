//! The description against the binary: schemathesis sends what the description allows and what it does not, and checks
//! every answer against it.

use std::{process::Command, time::Duration};

use harness::settings::OPERATOR_TOKEN;

use crate::{
    program::{named, run},
    site::Site,
};

/// What a schema cannot say, so that a request that keeps to it may still be refused: that `from` is before `to`, and
/// that a cursor is one that a page gave out. And a component that is asked and does not answer is no fault of the
/// manager, though it is told with 504.
const SETTINGS: &str = r#"
[[operations]]
include-path-regex = "/(history|histories|inventory|topology|resources|values|audit|usage)"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "401", "403", "404", "409", "429", "5xx"]

[[operations]]
include-operation-id = "requestStatus"
checks.not_a_server_error.expected-statuses = ["2xx", "4xx", "502", "504"]
"#;

/// Longer than it takes by far, and short enough for every run of the tests.
const PATIENCE: Duration = Duration::from_secs(90);

#[test]
fn the_api_does_what_its_description_says_whatever_is_sent() {
    let Some(schemathesis) = named("QKDNM_SCHEMATHESIS", "schemathesis") else { return };
    let site = Site::start();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("schemathesis.toml"), SETTINGS).unwrap();
    let mut command = Command::new(schemathesis);
    command
        .args(["run", &format!("{}/api/v1/openapi.json", site.manager.api().root())])
        .args(["--header", &format!("Authorization: Bearer {OPERATOR_TOKEN}")])
        .args(["--phases", "examples,coverage,fuzzing", "--max-examples", "15", "--seed", "7", "--workers", "1"])
        // A stream without an end.
        .args(["--exclude-path", "/api/v1/events", "--request-timeout", "15", "--no-color"])
        .env("HYPOTHESIS_STORAGE_DIRECTORY", folder.path().join("hypothesis"));
    let (output, text) = run(&mut command, folder.path(), PATIENCE);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("Tested: ") && !text.contains("Tested: 0"), "{text}");
    drop(site.client);
}

#[test]
fn the_description_that_is_served_is_the_one_that_is_checked_in() {
    let site = Site::start();
    let answer = site.manager.api().get("/api/v1/openapi.json");
    let checked_in = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/openapi.json");
    assert_eq!((answer.status, answer.content_type.as_str()), (200, "application/json"));
    assert!(answer.text == std::fs::read_to_string(checked_in).unwrap(), "run `cargo xtask openapi`");
}
