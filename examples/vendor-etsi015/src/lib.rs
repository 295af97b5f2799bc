//! Handler `vendor-etsi015`: devices that report objects of ETSI GS QKD 015 instead of the manager's own.
//!
//! In: status reports on Mq, Mops or Mk with objects such as `{"type":"etsi-qkd-sdn-node:qkd_link","qkdl_id":...}`. Out: values and
//! states of the catalogue with the interface, link or application as resource, and the alarms of notifications. A report
//! with an object that cannot be right is refused with object and key. Objects of the manager's own types are checked as the
//! decoder found them.

use std::collections::HashMap;

use etsi015_objects::{Finding, MODULE, Says, Unit, Wrong, application, interface, link, node, notification};
use qkdn_plugin::handler::{ComponentAlarm, Handled, Needs, Reports, Value};
use qkdn_plugin::{Description, Handler, Problem, Symbol};
use serde::Deserialize;

#[cfg(test)]
mod tests;

/// What schema.json describes.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(default)]
    qber_unit: QberUnit,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum QberUnit {
    #[default]
    Ratio,
    Percent,
}

/// The handler.
pub struct Etsi015 {
    qber: Unit,
    symbols: HashMap<&'static str, Symbol>,
}

/// Names and words that an object may say.
const VOCABULARY: [&str; 26] = [
    "qber_ratio",
    "snr_db",
    "secret_key_rate_bps",
    "effective_secret_key_rate_bps",
    "expected_consumption_bps",
    "link_loss_db",
    "qkdi_status",
    "qkdn_status",
    "qkdl_status",
    "app_status",
    "ENABLED",
    "DISABLED",
    "FAILED",
    "NEW",
    "OPERATING",
    "DOWN",
    "FAILURE",
    "OUT",
    "ACTIVE",
    "PASSIVE",
    "PENDING",
    "OFF",
    "ON",
    "DISCONNECTED",
    "OUT-OF-TIME",
    "ZOMBIE",
];

impl Handler for Etsi015 {
    type Config = Config;

    fn describe() -> Description {
        Description::new(
            env!("CARGO_PKG_NAME"),
            env!("CARGO_PKG_VERSION"),
            "Objects and notifications of ETSI GS QKD 015 in the words of the catalogue.",
            include_str!("../schema.json"),
        )
    }

    fn configure(reference_point: &str, config: Config) -> Result<Self, Vec<Problem>> {
        if !["mq", "mops", "mk"].contains(&reference_point) {
            let message = format!("devices report these objects on mq, mops and mk, not on {reference_point}");
            return Err(vec![Problem::new("", message)]);
        }
        let qber = match config.qber_unit {
            QberUnit::Ratio => Unit::Ratio,
            QberUnit::Percent => Unit::Percent,
        };
        Ok(Self { qber, symbols: HashMap::new() })
    }

    fn needs(&self) -> Needs {
        // The extension of each report, as JSON text.
        Needs { names: VOCABULARY.map(String::from).into(), raw: true, ..Needs::default() }
    }

    fn bind(&mut self, names: &[Symbol]) {
        self.symbols = VOCABULARY.into_iter().zip(names.iter().copied()).collect();
    }

    fn handle(&self, reports: &Reports) -> Handled {
        let mut handled = Handled::default();
        for report in reports.iter() {
            if let Some(fault) = report.faults().next() {
                handled.refuse(report.index, format!("{}: {}", fault.path, fault.message));
                continue;
            }
            let text = report.raw().unwrap_or("[]");
            let objects: Vec<serde_json::Value> = serde_json::from_str(text).unwrap_or_default();
            let mut found = Vec::new();
            for (index, object) in objects.iter().enumerate() {
                match self.read(object) {
                    Ok(findings) => found.extend(findings),
                    Err(wrong) => handled.refuse(report.index, format!("extension[{index}]{wrong}")),
                }
            }
            // Of a report that is refused nothing is kept.
            if !handled.refuses(report.index) {
                found.into_iter().for_each(|finding| self.say(report.index, finding, &mut handled));
            }
        }
        handled
    }
}

impl Etsi015 {
    /// What an object of the module says; nothing of other objects.
    fn read(&self, object: &serde_json::Value) -> Result<Vec<Finding>, Wrong> {
        let kind = object["type"].as_str().unwrap_or_default();
        match kind.split_once(':') {
            Some((MODULE, "qkd_node")) => node(object),
            Some((MODULE, "qkd_interface")) => interface(object),
            Some((MODULE, "qkd_link")) => link(object, self.qber),
            Some((MODULE, "qkd_application" | "qkd_app")) => application(object),
            Some((MODULE, name)) => Ok(notification(name, object, self.qber)?.unwrap_or_default()),
            _ => Ok(Vec::new()),
        }
    }

    fn symbol(&self, text: &str) -> Symbol {
        self.symbols.get(text).copied().unwrap_or(Symbol::NONE)
    }

    fn say(&self, report: u32, Finding { resource, says }: Finding, handled: &mut Handled) {
        match says {
            Says::Number(name, value) => handled.add(report, self.symbol(name), resource, Value::Number(value)),
            Says::Word(name, word) => {
                handled.add(report, self.symbol(name), resource, Value::Word(self.symbol(word)));
            }
            Says::Alarm { alarm_type, severity, text } => handled.alarms.push(ComponentAlarm {
                report,
                resource,
                alarm_type: alarm_type.into(),
                qualifier: String::new(),
                severity: severity.unwrap_or("cleared").into(),
                text,
                event_type: String::new(),
                probable_cause: String::new(),
            }),
            // These are in the report as received; the normal form of a handler has values and alarms.
            Says::Fact(..) | Says::Usage { .. } => {}
        }
    }
}

qkdn_plugin::register_handler!(Etsi015);
