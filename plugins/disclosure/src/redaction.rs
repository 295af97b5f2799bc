//! What passes and what does not, by path: `alarms/types`, `health/components/mu`, `links/ends/*/qberRatio`.
//!
//! A path is a section and members of it; `*` stands for any one step, and for the positions in a list. It means the member
//! and all that is in it. Paths are held against what sections there are, so that one with a slip is refused.

use qkdn_plugin::{Problems, catalogue};
use serde_json::Value;

/// Sections with their members, as far as they go; `{point}`, `{severity}` and `{type}` stand for words, `*` for positions.
const KNOWN: [&str; 65] = [
    "health/components/{point}/known",
    "health/components/{point}/connected",
    "health/components/{point}/silent",
    "health/components/{point}/impaired",
    "alarms/raised/{severity}",
    "alarms/types/{type}",
    "links/ends/*/id",
    "links/ends/*/peer",
    "links/ends/*/state",
    "links/ends/*/qberRatio",
    "links/ends/*/secretKeyRateBps",
    "links/ends/*/keyStoreFillRatio",
    "links/ends/*/timeToExhaustionS",
    "linkRanges/states",
    "linkRanges/qberRatio",
    "linkRanges/secretKeyRateBps",
    "linkRanges/keyStoreFillRatio",
    "rollup/areas",
    "maintenance/announced",
    "maintenance/underWay",
    "maintenance/windows/*/id",
    "maintenance/windows/*/links",
    "maintenance/windows/*/from",
    "maintenance/windows/*/until",
    "maintenance/windows/*/effect",
    "maintenance/windows/*/state",
    "incidents/raised/{severity}",
    "incidents/open/*/id",
    "incidents/open/*/link",
    "incidents/open/*/since",
    "incidents/open/*/severity",
    "incidents/open/*/alarmType",
    "incidents/open/*/state",
    "interDomainLinks/links/*/id",
    "interDomainLinks/links/*/peer",
    "interDomainLinks/links/*/state",
    "interDomainLinks/links/*/secretKeyRateBps",
    "interDomainLinks/links/*/keyStoreFillRatio",
    "keyRelations/relations/*/id",
    "keyRelations/relations/*/peer",
    "keyRelations/relations/*/state",
    "keyRelations/relations/*/keyRateBps",
    "keyRelations/relations/*/keyStoreFillRatio",
    "keyRelations/relations/*/timeToExhaustionS",
    "services/services/*/id",
    "services/services/*/state",
    "services/services/*/since",
    "services/services/*/windowS",
    "services/services/*/observedS",
    "services/services/*/keyRateBps/objective",
    "services/services/*/keyRateBps/measured",
    "services/services/*/longestWithoutKeyS/objective",
    "services/services/*/longestWithoutKeyS/measured",
    "services/services/*/availabilityRatio/objective",
    "services/services/*/availabilityRatio/measured",
    "settlement/period",
    "settlement/totals/*/start",
    "settlement/totals/*/intervals",
    "settlement/totals/*/consumedBits",
    "settlement/totals/*/suppliedKeys",
    "settlement/totals/*/relayedBits",
    "capabilities/program",
    "capabilities/version",
    "capabilities/referencePoints",
    "capabilities/sections",
];
const POINTS: [&str; 7] = ["mq", "mops", "mqrp", "mk", "mc", "mu", "mx"];
const SEVERITIES: [&str; 5] = ["warning", "minor", "major", "critical", "indeterminate"];
/// Without these an entry of a list cannot be told.
const OF_EVERY_ENTRY: [(&str, &[&str]); 7] = [
    ("links", &["id", "peer", "state"]),
    ("maintenance", &["id", "links", "from", "until", "effect", "state"]),
    ("incidents", &["id", "link", "since", "severity", "alarmType", "state"]),
    ("interDomainLinks", &["id", "peer", "state"]),
    ("keyRelations", &["id", "peer", "state"]),
    ("services", &["id", "state"]),
    ("settlement", &["start", "intervals"]),
];
/// And without these a figure of a service.
const OF_EVERY_FIGURE: [&str; 2] = ["objective", "state"];

/// Whether what holds this member is told with it or not at all. `path`: to the member.
fn belongs(path: &[&str]) -> bool {
    match path {
        [section, _, _, member] => {
            let known = OF_EVERY_ENTRY.iter().find(|(known, _)| known == section);
            known.is_some_and(|(_, members)| *member == "*" || members.contains(member))
        }
        ["services", _, _, _, member] => *member == "*" || OF_EVERY_FIGURE.contains(member),
        _ => false,
    }
}

/// The steps of a path.
type Path = Vec<String>;

/// Which members pass.
#[derive(Debug)]
pub(crate) struct Redaction {
    only: Option<Vec<Path>>,
    leave_out: Vec<Path>,
}

impl Redaction {
    pub(crate) fn new(only: Option<&[String]>, leave_out: &[String], problems: &mut Problems) -> Self {
        let mut read = |list: &[String], key: &str| -> Vec<Path> {
            let mut paths = Vec::new();
            for (index, text) in list.iter().enumerate() {
                let path: Path = text.split('/').map(str::to_owned).collect();
                let place = format!("/{key}/{index}");
                if !leads_somewhere(&path) {
                    let example = KNOWN.iter().find(|known| known.split('/').next() == text.split('/').next());
                    let example = example.unwrap_or(&"health/components/mu, alarms/types, links");
                    problems.add(
                        place,
                        format!("`{text}` leads to nothing that is told; expected a path such as {example}"),
                    );
                } else if key == "leave_out" && belongs(&path.iter().map(String::as_str).collect::<Vec<_>>()) {
                    let section = path.first().map_or("", String::as_str);
                    let what = if section == "links" { "a link" } else { "what is there" };
                    problems.add(
                        place,
                        format!("{what} without `{text}` cannot be told; leave out `{section}` as a whole"),
                    );
                }
                paths.push(path);
            }
            paths
        };
        Self { leave_out: read(leave_out, "leave_out"), only: only.map(|only| read(only, "only")) }
    }

    /// Takes out what does not pass.
    pub(crate) fn apply(&self, sections: &mut Vec<(String, Value)>) {
        sections.retain_mut(|(name, content)| {
            let mut path = vec![name.as_str()];
            self.passes(&path) && {
                self.narrow(content, &mut path);
                true
            }
        });
    }

    fn narrow<'a>(&self, value: &'a mut Value, path: &mut Vec<&'a str>) {
        match value {
            Value::Object(members) => {
                // A link is told with its name and state, whatever else of it passes.
                members.retain(|name, _| {
                    let steps: Vec<&str> = path.iter().copied().chain([name.as_str()]).collect();
                    self.passes(&steps) || belongs(&steps)
                });
                for (name, value) in members {
                    path.push(name);
                    self.narrow(value, path);
                    path.pop();
                }
            }
            Value::Array(entries) => {
                for entry in entries {
                    path.push("*");
                    self.narrow(entry, path);
                    path.pop();
                }
            }
            _ => {}
        }
    }

    fn passes(&self, path: &[&str]) -> bool {
        let left_out = self.leave_out.iter().any(|pattern| pattern.len() <= path.len() && agree(pattern, path));
        // Inside what passes, or on the way to it.
        !left_out && self.only.as_ref().is_none_or(|only| only.iter().any(|pattern| agree(pattern, path)))
    }
}

/// Whether the steps that both have are the same.
fn agree(pattern: &[String], path: &[&str]) -> bool {
    pattern.iter().zip(path).all(|(pattern, step)| pattern == "*" || pattern == step || *step == "*")
}

fn leads_somewhere(path: &[String]) -> bool {
    let fits = |step: &str, known: &str| match known {
        _ if step == "*" => true,
        "{point}" => POINTS.contains(&step),
        "{severity}" => SEVERITIES.contains(&step),
        "{type}" => step == "other" || catalogue::ALARMS.iter().any(|kind| kind.id == step),
        known => step == known,
    };
    KNOWN.iter().any(|known| {
        let known: Vec<&str> = known.split('/').collect();
        path.len() <= known.len() && path.iter().zip(known).all(|(step, known)| fits(step, known))
    })
}
