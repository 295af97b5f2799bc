//! The catalogue of value names, words and alarm types as tables, generated from `wit/catalogue.toml`.
//!
//! The catalogue is part of the wire contract (PROTOCOL section 4) and grows by addition only. A plugin is compiled with
//! the catalogue of its day: a name it does not find here may still be known to the manager.

/// A `performance` value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Performance {
    /// The name, its unit as the suffix.
    pub name: &'static str,
    /// What it is, in one sentence.
    pub description: &'static str,
    /// `gauge`, `rate` or `counter`.
    pub kind: &'static str,
    /// Least value.
    pub min: Option<f64>,
    /// Greatest value.
    pub max: Option<f64>,
    /// Reference points it is expected on.
    pub points: &'static [&'static str],
}

/// A `state` value: one of `words`, or a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// The name.
    pub name: &'static str,
    /// What it is, in one sentence.
    pub description: &'static str,
    /// Its words; empty for a flag.
    pub words: &'static [&'static str],
    /// Reference points it is expected on.
    pub points: &'static [&'static str],
}

/// An `inventory` value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inventory {
    /// The name.
    pub name: &'static str,
    /// What it is, in one sentence.
    pub description: &'static str,
    /// True for a number; otherwise a text, one of `words` where there are any.
    pub number: bool,
    /// Its words, where it has them.
    pub words: &'static [&'static str],
}

/// An alarm type that policies and components share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlarmType {
    /// `alarmTypeId`.
    pub id: &'static str,
    /// What it is, in one sentence.
    pub description: &'static str,
    /// Typical severity.
    pub severity: &'static str,
    /// X.733 event type.
    pub event_type: &'static str,
    /// X.733 or X.736 probable cause.
    pub probable_cause: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/catalogue.rs"));

/// The `performance` value of a name.
#[must_use]
pub fn performance(name: &str) -> Option<&'static Performance> {
    PERFORMANCE.iter().find(|entry| entry.name == name)
}

/// The `state` value of a name.
#[must_use]
pub fn state(name: &str) -> Option<&'static State> {
    STATE.iter().find(|entry| entry.name == name)
}

/// The `inventory` value of a name.
#[must_use]
pub fn inventory(name: &str) -> Option<&'static Inventory> {
    INVENTORY.iter().find(|entry| entry.name == name)
}

/// The entry of an alarm type.
#[must_use]
pub fn alarm_type(id: &str) -> Option<&'static AlarmType> {
    ALARMS.iter().find(|entry| entry.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_hold_what_the_file_says() {
        let qber = performance("qber_ratio").expect("in the catalogue");
        assert_eq!((qber.min, qber.max, qber.kind), (Some(0.0), Some(1.0), "gauge"));
        assert_eq!(performance("snr_db").map(|entry| entry.min), Some(None));
        assert_eq!(performance("detector_temperature_celsius").and_then(|entry| entry.min), Some(-273.15));
        assert_eq!(state("operational_state").map(|entry| entry.words), Some(&["enabled", "disabled"][..]));
        assert_eq!(state("tamper_detected").map(|entry| entry.words.len()), Some(0));
        assert!(inventory("max_loss_db").is_some_and(|entry| entry.number));
        assert_eq!(inventory("link_type").map(|entry| entry.words), Some(&["PHYS", "VIRT"][..]));
        assert_eq!(alarm_type("key-store-empty").map(|entry| entry.severity), Some("critical"));
        assert_eq!(performance("operational_state"), None);
    }

    #[test]
    fn every_entry_is_described_in_one_sentence() {
        let performance = PERFORMANCE.iter().map(|entry| (entry.name, entry.description));
        let state = STATE.iter().map(|entry| (entry.name, entry.description));
        let inventory = INVENTORY.iter().map(|entry| (entry.name, entry.description));
        let alarms = ALARMS.iter().map(|entry| (entry.id, entry.description));
        for (name, description) in performance.chain(state).chain(inventory).chain(alarms) {
            assert!(description.ends_with('.') && description.len() > 12, "{name}: {description}");
            assert!(!description.trim_end_matches('.').contains(". "), "{name}: {description}");
        }
    }
}
