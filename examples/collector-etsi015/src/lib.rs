//! Collector `collector-etsi015`: QKD nodes that do not report, and answer ETSI GS QKD 015 over RESTCONF.
//!
//! It has `GET /restconf/data/etsi-qkd-sdn-node:qkd_node` asked of the host `node`, and reports for the components of that node: its
//! key manager on Mk (the node, its links, its applications with what they consumed), its modules on Mq (an interface each, with the
//! physics of the link that ends there), its optical part on Mops (links). One request is one picture: what is told together
//! was so together.

use std::collections::{BTreeMap, HashMap};

use etsi015_objects::{Finding, MODULE, Says, Unit, application, interface, link, node};
use qkdn_plugin::collector::{Step, Turn};
use qkdn_plugin::{Collector, Description, Problem, Problems};
use serde::Deserialize;
use serde_json::{Map, Value, json};

#[cfg(test)]
mod tests;

/// The plugin's name for the node.
const HOST: &str = "node";

/// What schema.json describes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(default = "restconf")]
    root: String,
    #[serde(default)]
    qber_unit: QberUnit,
    #[serde(default)]
    interfaces: HashMap<String, String>,
}

fn restconf() -> String {
    "/restconf".to_owned()
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum QberUnit {
    #[default]
    Ratio,
    Percent,
}

/// The collector.
pub struct Etsi015 {
    path: String,
    qber: Unit,
    /// Component on Mk.
    manager: Option<String>,
    /// Component on Mops.
    optics: Option<String>,
    interfaces: HashMap<String, String>,
}

/// What is said of one component, in the order in which it was found.
type Told = BTreeMap<String, Vec<Finding>>;

impl Collector for Etsi015 {
    type Config = Config;

    fn describe() -> Description {
        Description::new(
            env!("CARGO_PKG_NAME"),
            env!("CARGO_PKG_VERSION"),
            "A QKD node over ETSI GS QKD 015 (RESTCONF), as its key manager, modules and optics.",
            include_str!("../schema.json"),
        )
        .asks(HOST)
    }

    fn configure(components: &[String], config: Config) -> Result<Self, Vec<Problem>> {
        let mut problems = Problems::new();
        let of = |point: &str| components.iter().filter(|one| one.starts_with(point)).cloned().collect::<Vec<_>>();
        for (id, component) in &config.interfaces {
            if !components.contains(component) {
                let path = format!("/interfaces/{id}");
                problems.add(path, format!("`{component}` is not among the collector's components"));
            }
        }
        for module in of("mq/").iter().filter(|module| !config.interfaces.values().any(|known| known == *module)) {
            problems.add("/interfaces", format!("`{module}` is the module of no interface: add its qkdi_id"));
        }
        let others =
            components.iter().filter(|one| !["mq/", "mk/", "mops/"].iter().any(|point| one.starts_with(point)));
        for other in others {
            problems.add("", format!("a node has components on mq, mops and mk, and `{other}` is none"));
        }
        let mut only = |point: &str| {
            let mut found = of(point);
            if found.len() > 1 {
                problems.add("", format!("a node has one component on {point}, not {}", found.join(" and ")));
            }
            found.pop()
        };
        let (manager, optics) = (only("mk/"), only("mops/"));
        let qber = match config.qber_unit {
            QberUnit::Ratio => Unit::Ratio,
            QberUnit::Percent => Unit::Percent,
        };
        let path = format!("{}/data/{MODULE}:qkd_node", config.root.trim_end_matches('/'));
        problems.or(Self { path, qber, manager, optics, interfaces: config.interfaces })
    }

    fn collect(&self, turn: &Turn) -> Step {
        let mut step = Step::nothing();
        if turn.round == 0 {
            step.get(HOST, &self.path);
            step.gets.iter_mut().for_each(|get| get.accept = "application/yang-data+json".into());
            return step;
        }
        let tree = turn.answers.first().map_or_else(|| Err("no answer came".to_owned()), |answer| answer.json());
        match tree.and_then(|tree| self.read(&tree)) {
            Ok(told) => {
                for (component, findings) in told {
                    step.report(&component, objects(findings));
                }
            }
            Err(why) => step.fail(why),
        }
        step
    }
}

impl Etsi015 {
    fn read(&self, tree: &Value) -> Result<Told, String> {
        let whole = tree.get(format!("{MODULE}:qkd_node")).or_else(|| tree.get("qkd_node"));
        let whole = whole.ok_or_else(|| format!("the answer has no {MODULE}:qkd_node"))?;
        let mut told = Told::new();
        let manager = self.manager.as_deref();
        say(&mut told, manager, node(whole).map_err(|wrong| format!("qkd_node{wrong}"))?);
        for (place, one) in list(whole, "qkd_interfaces", "qkd_interface").iter().enumerate() {
            let found = interface(one).map_err(|wrong| format!("qkd_interface[{place}]{wrong}"))?;
            match self.module(&one["qkdi_id"]) {
                // A module speaks of itself.
                Some(module) => say(&mut told, Some(module), found.into_iter().map(of_itself)),
                None => say(&mut told, manager, found),
            }
        }
        for (place, one) in list(whole, "qkd_links", "qkd_link").iter().enumerate() {
            let found = link(one, self.qber).map_err(|wrong| format!("qkd_link[{place}]{wrong}"))?;
            let module = self.module(&one["qkdl_local"]["qkdi_id"]);
            for finding in found {
                let to = match finding.says {
                    Says::Number("qber_ratio" | "snr_db" | "secret_key_rate_bps", _) => module.or(manager),
                    Says::Number("link_loss_db", _) | Says::Word("qkdl_status", _) | Says::Alarm { .. } => {
                        self.optics.as_deref().or(manager)
                    }
                    _ => manager,
                };
                let finding = if to == module { of_itself(finding) } else { finding };
                say(&mut told, to, [finding]);
            }
        }
        for (place, one) in list(whole, "qkd_applications", "qkd_app").iter().enumerate() {
            say(&mut told, manager, application(one).map_err(|wrong| format!("qkd_app[{place}]{wrong}"))?);
        }
        Ok(told)
    }

    fn module(&self, id: &Value) -> Option<&str> {
        let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
        self.interfaces.get(&id).map(String::as_str)
    }
}

fn of_itself(finding: Finding) -> Finding {
    Finding { resource: String::new(), ..finding }
}

fn list<'a>(whole: &'a Value, container: &str, name: &str) -> &'a [Value] {
    whole.get(container).and_then(|inner| inner.get(name)).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn say(told: &mut Told, component: Option<&str>, findings: impl IntoIterator<Item = Finding>) {
    // Nobody is configured for what is left out.
    let Some(component) = component else { return };
    told.entry(component.to_owned()).or_default().extend(findings);
}

/// Extension objects: values of a resource together, alarms and usage each its own.
fn objects(findings: Vec<Finding>) -> Vec<Value> {
    let mut tables: BTreeMap<(&str, String), Map<String, Value>> = BTreeMap::new();
    let mut others = Vec::new();
    for Finding { resource, says } in findings {
        let mut table = |kind: &'static str, name: &str, value: Value| {
            tables.entry((kind, resource.clone())).or_default().insert(name.to_owned(), value);
        };
        match says {
            Says::Number(name, value) => table("performance", name, json!(value)),
            Says::Word(name, word) => table("state", name, json!(word)),
            Says::Fact(name, text) => table("inventory", name, json!(text)),
            Says::Alarm { alarm_type, severity, text } => {
                let mut alarm =
                    json!({ "type": "alarm", "resource": resource, "alarmTypeId": alarm_type, "text": text });
                match severity {
                    Some(severity) => alarm["severity"] = json!(severity),
                    None => alarm["cleared"] = json!(true),
                }
                others.push(alarm);
            }
            // A period of an application is the same however often it is told.
            Says::Usage { start, end, consumed } => others.push(json!({
                "type": "usage", "usageId": format!("{resource} {end}"), "application": resource,
                "startTime": start, "endTime": end, "consumedBits": consumed,
            })),
        }
    }
    let table = |((kind, resource), values): ((&str, String), Map<String, Value>)| {
        let mut object = json!({ "type": kind, "values": values });
        if !resource.is_empty() {
            object["resource"] = json!(resource);
        }
        object
    };
    tables.into_iter().map(table).chain(others).collect()
}

qkdn_plugin::register_collector!(Etsi015);
