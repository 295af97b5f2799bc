//! Runs the test vectors of requests between managers that the project publishes for authors of other managers (`tests/vectors`).

use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Said, wire};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    r#in: String,
    expect: Expected,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Expected {
    Said(Vec<Value>),
    Rejected(String),
}

fn shown(said: &Said) -> Value {
    match said {
        Said::Request { id, asked, .. } => json!({ "id": id, "kind": asked.kind(), "links": asked.links() }),
        Said::Outcome { id, state, reason } => json!({ "id": id, "state": state, "reason": reason }),
        Said::Withdrawal { id } => json!({ "id": id, "withdrawn": true }),
    }
}

#[test]
fn requests_are_understood_and_refused_as_the_vectors_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/requests.json");
    let cases: Vec<Case> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(cases.len() >= 20);
    for Case { name, r#in, expect } in cases {
        let objects: Vec<Box<serde_json::value::RawValue>> = serde_json::from_str(&r#in).unwrap();
        let texts: Vec<&str> = objects.iter().map(|object| object.get()).collect();
        match (wire::read(&texts), expect) {
            (Ok(said), Expected::Said(expected)) => {
                assert_eq!(said.iter().map(shown).collect::<Vec<_>>(), expected, "{name}");
            }
            (Err(error), Expected::Rejected(begins)) => {
                assert!(error.to_string().starts_with(&begins), "{name}: {error}");
            }
            (found, _) => panic!("{name}: {found:?}"),
        }
    }
}
