//! Nothing that is a key, or a text, leaves with a request, and none that comes is kept or repeated.

use super::*;

/// What must not get out, and what nobody should be able to put in: keys in the forms that people write them in, and words.
const CANARIES: [&str; 6] = [
    "00112233445566778899aabbccddeeff",
    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
    "ABEiM0RVZneImaq7zN3u/wARIjNEVWZ3iJmqu8zd7v8=",
    "-----BEGIN PRIVATE KEY-----",
    "canary",
    "km-7 in rack 12, ask Jane",
];

#[test]
fn no_canary_leaves_and_none_that_comes_is_kept_or_repeated() {
    let links = BTreeSet::from(["vienna-brno"]);
    let leaves = [maintenance(&["vienna-brno"]), priority(), incident()].map(|asked| asks(1, asked));
    let answers = [outcome(1, RequestState::Declined, Some(RequestReason::Policy)), Said::Withdrawal { id: id(1) }];
    for canary in CANARIES {
        let name = || canary.to_owned();
        let Asked::IncidentHandOver { since, severity, .. } = incident() else { unreachable!() };
        let (until, cause) = (at(2), PriorityCause::PathLost);
        let loaded = [
            maintenance(&[canary]),
            maintenance(&["vienna-brno", canary]),
            Asked::EmergencyPriority { link: name(), until, cause },
            Asked::IncidentHandOver { link: name(), since, severity, alarm_type: "link-down".into() },
            Asked::IncidentHandOver { link: "vienna-brno".into(), since, severity, alarm_type: name() },
        ];
        for asked in loaded {
            // Whatever brought it into the book: the whole request stays here.
            let refused = wire::leaving(&asks(1, asked.clone()), &links).unwrap_err();
            assert!(!refused.contains(canary), "{refused}");
        }
        // Put into any member of any object, and as one more: refused, or left away.
        for said in leaves.iter().chain(&answers) {
            let object = wire::leaving(said, &links).unwrap();
            let members: Vec<String> = object.as_object().unwrap().keys().cloned().chain(["note".to_owned()]).collect();
            for member in members.iter().filter(|member| *member != "type") {
                for value in [serde_json::json!(canary), serde_json::json!([canary]), serde_json::json!({ canary: 1 })]
                {
                    let mut object = object.clone();
                    object[member] = value;
                    match wire::read(&[object.to_string()]) {
                        Err(error) => assert!(!error.to_string().contains(canary), "{error}"),
                        Ok(read) => {
                            let mut book = book("west", &RequestKind::ALL);
                            let plan = book.heard(&domain("west"), read[0].clone(), now(0));
                            assert!(!format!("{plan:?}").contains(canary), "{member}: {plan:?}");
                        }
                    }
                }
            }
        }
    }
}
