//! Tokens from their making to their end, and who may read without one.

use std::process::Command;

use harness::{ManagerProcess, Settings, binary, settings::OPERATOR_TOKEN};
use serde_json::{Value, json};

/// What `qkdnm token new` prints.
fn new_token(arguments: &[&str]) -> (Option<i32>, Value) {
    let output = Command::new(binary::qkdnm()).args(["token", "new", "-o", "json"]).args(arguments).output().unwrap();
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default())
}

fn status(manager: &ManagerProcess, path: &str, token: Option<&str>) -> u16 {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut request = agent.get(format!("{}{path}", manager.api().root()));
    if let Some(token) = token {
        request = request.header("Authorization", format!("Bearer {token}"));
    }
    request.call().unwrap().status().as_u16()
}

#[test]
fn a_new_token_opens_what_its_role_may_and_nothing_when_it_has_expired() {
    let (code, viewer) = new_token(&["--name", "v", "--role", "viewer", "--expires", "30d"]);
    assert_eq!(code, Some(0));
    let (_, brief) = new_token(&["--name", "b", "--role", "operator", "--expires", "2s"]);
    assert_eq!(new_token(&["--name", "x", "--role", "operator", "--expires", "2020-01-01T00:00:00Z"]).0, Some(2));
    assert_eq!(new_token(&["--name", "x", "--role", "king"]).0, Some(2));
    let table = |token: &Value| {
        let text = |key: &str| token[key].as_str().unwrap().to_owned();
        let (name, sha256, role, expires) = (text("name"), text("sha256"), text("role"), text("expires"));
        format!("[[api.tokens]]\nname = {name:?}\nsha256 = {sha256:?}\nrole = {role:?}\nexpires = {expires:?}\n")
    };
    let settings = Settings::one("mk", &["km-1"]).with(&table(&viewer)).with(&table(&brief));
    let manager = ManagerProcess::start(settings);
    let token = |token: &Value| token["token"].as_str().unwrap().to_owned();
    let act = |token: &str| manager.api().post("/api/v1/alarms/1/close", Some(token), &json!({})).status;
    assert_eq!(act(&token(&viewer)), 403);
    assert_eq!(act(&format!("{}0", token(&viewer))), 401);
    assert_eq!(status(&manager, "/api/v1/audit", Some(&token(&viewer))), 403);
    assert_eq!(status(&manager, "/api/v1/audit", None), 401);
    assert_eq!(status(&manager, "/api/v1/audit", Some(OPERATOR_TOKEN)), 200);
    harness::eventually("the end of a token", harness::PATIENCE, || (act(&token(&brief)) == 401).then_some(()));
    assert_eq!(act(OPERATOR_TOKEN), 404, "entitled, but there is no such alarm");
}

#[test]
fn reading_takes_a_token_where_the_configuration_says_so() {
    let mut settings = Settings::one("mk", &["km-1"]);
    settings.api_lines = "read_without_token = \"never\"".to_owned();
    let manager = ManagerProcess::start(settings);
    for path in ["/api/v1/components", "/api/v1/alarms", "/api/v1/health", "/metrics", "/api/v1/events"] {
        assert_eq!(status(&manager, path, None), 401, "{path}");
        if path != "/api/v1/events" {
            assert_eq!(status(&manager, path, Some(OPERATOR_TOKEN)), 200, "{path}");
        }
    }
    for path in ["/livez", "/readyz", "/api/v1/openapi.json", "/ui/"] {
        assert_eq!(status(&manager, path, None), 200, "{path}");
    }
    let refused = manager.command(&["component", "list"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("QKDNM_TOKEN"), "says what to try: {said}");
}
