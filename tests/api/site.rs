//! A manager with something of everything in it: components that report and that do not, parts, values, inventory,
//! topology, usage, alarms raised and cleared, a subscription.

use harness::{ManagerProcess, RawClient, Settings, report, response_code};
use serde_json::{Value, json};

/// The manager, and a connection that is held open.
pub(crate) struct Site {
    pub(crate) manager: ManagerProcess,
    pub(crate) client: RawClient,
}

const POLICY: &str = r#"
[[policies]]
name = "store-low"
function = "performance"
plugin = "builtin:threshold"
config = { value = "key_store_fill_ratio", raise_below = 0.2, clear_above = 0.3, severity = "major", alarm_type = "key-store-low" }
"#;

impl Site {
    pub(crate) fn start() -> Self {
        let settings = Settings::default()
            // A request that nobody answers is not to hold up a test of thousands of them.
            .interface("mk", "request_timeout = \"100ms\"")
            .interface("mq", "")
            .component(
                "mk",
                "km-1",
                "site = \"vienna\"\nvendor = \"acme\"\ntags = [\"metro\"]\nexpected_interval = \"1h\"",
            )
            .component("mk", "km-2", "")
            .component("mq", "qm-1", "")
            .with(POLICY);
        let manager = ManagerProcess::start(settings);
        // The alarms.
        manager.expect_warnings();
        let mut client = manager.connect("mk", "km-1");
        let fill = |resource: &str, ratio: f64| json!({ "type": "performance", "resource": resource, "values": { "key_store_fill_ratio": ratio } });
        let first = json!([
            fill("kma-1", 0.1),
            fill("kma-2", 0.15),
            { "type": "performance", "values": { "key_store_fill_ratio": 0.5, "key_supply_rate_bps": 1000 } },
            { "type": "inventory", "values": { "vendor": "acme", "serial_number": "7" } },
            { "type": "topology", "nodes": [{ "id": "n-1" }, { "id": "n-2" }], "links": [{ "id": "l-1", "a": "n-1", "b": "n-2" }] },
        ]);
        let second = json!([fill("kma-2", 0.9)]);
        for extension in [first, second] {
            let answer = client.ask(&report("km-1", extension));
            assert_eq!(response_code(&answer), "success", "{answer}");
        }
        manager.api().await_alarm("key-store-low", |alarm| alarm["resource"] == "kma-2" && alarm["isCleared"] == true);
        Self { manager, client }
    }

    /// The lines of a CSV answer, split at commas; for tables without quotes.
    pub(crate) fn csv(&self, path: &str) -> Vec<Vec<String>> {
        let answer = self.manager.api().get(path);
        assert_eq!((answer.status, answer.content_type.as_str()), (200, "text/csv"), "{}", answer.text);
        answer.text.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect()
    }

    pub(crate) fn json(&self, path: &str) -> Value {
        let answer = self.manager.api().get(path);
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }
}
