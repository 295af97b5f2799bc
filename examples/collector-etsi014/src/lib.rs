//! Collector `collector-etsi014`: key management entities that do not report, and answer ETSI GS QKD 014.
//!
//! For each SAE it has `GET /api/v1/keys/{SAE}/status` asked of the host `kme`, and reports for one component on Mk: how much key is
//! stored for whom, and what the entity is. It asks for no keys, and could not: the manager refuses requests that would hand
//! them out. An SAE that the entity does not know is reported as unavailable; an entity that answers nothing is a failed
//! collection.

use std::fmt::Write as _;

use qkdn_plugin::collector::{Answer, Step, Turn};
use qkdn_plugin::{Collector, Description, Problem, Problems};
use serde::Deserialize;
use serde_json::{Value, json};

#[cfg(test)]
mod tests;

/// The plugin's name for the entity.
const HOST: &str = "kme";

/// What schema.json describes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    saes: Vec<String>,
}

/// The collector.
pub struct Etsi014 {
    component: String,
    saes: Vec<String>,
}

impl Collector for Etsi014 {
    type Config = Config;

    fn describe() -> Description {
        Description::new(
            env!("CARGO_PKG_NAME"),
            env!("CARGO_PKG_VERSION"),
            "Status of a key management entity over ETSI GS QKD 014, as a key manager on Mk.",
            include_str!("../schema.json"),
        )
        .asks(HOST)
    }

    fn configure(components: &[String], config: Config) -> Result<Self, Vec<Problem>> {
        let mut problems = Problems::new();
        let component = match components {
            [one] if one.starts_with("mk/") => one.clone(),
            _ => {
                let found = components.join(", ");
                problems.add("", format!("it reports for one component on mk, and is configured for {found}"));
                String::new()
            }
        };
        for (place, sae) in config.saes.iter().enumerate() {
            if config.saes.iter().take(place).any(|other| other == sae) {
                problems.add(format!("/saes/{place}"), format!("`{sae}` stands there twice"));
            }
        }
        problems.or(Self { component, saes: config.saes })
    }

    fn collect(&self, turn: &Turn) -> Step {
        let mut step = Step::nothing();
        if turn.round == 0 {
            for sae in &self.saes {
                step.get(HOST, format!("/api/v1/keys/{}/status", escaped(sae)));
            }
            return step;
        }
        let mut objects = Vec::new();
        let mut known = 0;
        for (sae, answer) in self.saes.iter().zip(&turn.answers) {
            match status(answer) {
                Ok(status) => {
                    known += 1;
                    objects.extend(told(sae, &status, known == 1));
                }
                // The entity is there, and does not serve this one.
                Err(_) if (400..500).contains(&answer.status) => objects
                    .push(json!({ "type": "state", "resource": sae, "values": { "service_state": "unavailable" } })),
                Err(why) => step.fail(why),
            }
        }
        if step.failure.is_empty() {
            objects.push(json!({ "type": "state", "values": { "operational_state": "enabled" } }));
            step.report(&self.component, objects);
        }
        step
    }
}

/// The data structure "Status" of ETSI GS QKD 014, of what is told on.
#[derive(Deserialize)]
struct Status {
    #[serde(rename = "source_KME_ID")]
    kme_id: String,
    key_size: u64,
    stored_key_count: u64,
    max_key_count: u64,
    max_key_per_request: u64,
}

fn status(answer: &Answer) -> Result<Status, String> {
    let object = answer.json()?;
    serde_json::from_value(object)
        .map_err(|error| format!("{}{}: no status of ETSI 014: {error}", answer.host, answer.path))
}

/// What is said of an SAE, and once of the entity.
fn told(sae: &str, status: &Status, is_first: bool) -> Vec<Value> {
    let (stored, most, size) = (status.stored_key_count, status.max_key_count, status.key_size);
    let mut values = json!({
        "stored_key_count": stored,
        "max_key_count": most,
        "key_store_level_bits": stored.saturating_mul(size),
        "key_store_capacity_bits": most.saturating_mul(size),
    });
    if most > 0 && stored <= most {
        values["key_store_fill_ratio"] = json!(stored as f64 / most as f64);
    }
    let state = if stored > 0 { "available" } else { "unavailable" };
    let mut objects = vec![
        json!({ "type": "performance", "resource": sae, "values": values }),
        json!({ "type": "state", "resource": sae, "values": { "service_state": state } }),
    ];
    if is_first {
        let facts = json!({
            "kme_id": status.kme_id, "key_size_bits": size, "max_key_per_request": status.max_key_per_request,
        });
        objects.push(json!({ "type": "inventory", "values": facts }));
    }
    objects
}

/// A path's segment: what is not a letter, digit or one of `-._~` is encoded.
fn escaped(segment: &str) -> String {
    let mut text = String::new();
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a text does not fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

qkdn_plugin::register_collector!(Etsi014);
