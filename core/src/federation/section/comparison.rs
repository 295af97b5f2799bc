//! What two domains tell of the same thing: a key relation, a service or a period of settlement, from both sides.
//!
//! In: what our section for the other domain says, and what its section for us says. Out: both side by side, and what they say
//! differently, in words. Links have a comparison of their own (`two_ends`).

use serde_json::Value;

use super::two_ends::ONE_SIDED;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A key relation: section `keyRelations`.
    KeyRelation,
    /// A service: section `services`.
    Service,
    /// A period of settlement: section `settlement`.
    Settlement,
}

/// How far apart two numbers may be before it is told.
#[derive(Clone, Copy, Debug)]
enum Apart {
    /// So much.
    By(f64),
    /// This share of the larger.
    Share(f64),
}

/// Members that are compared as numbers: where they are, what they are called, and how far apart they may be. Rates and times are
/// told in steps, so both ends of one thing may be a step apart; what was agreed may not be.
type Figures = &'static [(&'static str, &'static str, Apart)];

impl Kind {
    /// All.
    pub const ALL: [Self; 3] = [Self::KeyRelation, Self::Service, Self::Settlement];

    /// As the API writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::KeyRelation => "key-relation",
            Self::Service => "service",
            Self::Settlement => "settlement",
        }
    }

    /// The section that tells of it.
    #[must_use]
    pub const fn section(self) -> &'static str {
        match self {
            Self::KeyRelation => "keyRelations",
            Self::Service => "services",
            Self::Settlement => "settlement",
        }
    }

    const fn list(self) -> &'static str {
        match self {
            Self::KeyRelation => "relations",
            Self::Service => "services",
            Self::Settlement => "totals",
        }
    }

    const fn figures(self) -> Figures {
        match self {
            Self::KeyRelation => &[
                ("/keyRateBps", "key rate", Apart::Share(0.25)),
                ("/keyStoreFillRatio", "filling of the key store", Apart::By(0.1)),
            ],
            Self::Service => &[
                ("/keyRateBps/objective", "agreed key rate", Apart::Share(0.0)),
                ("/longestWithoutKeyS/objective", "agreed time without key", Apart::Share(0.0)),
                ("/availabilityRatio/objective", "agreed availability", Apart::By(0.0)),
                ("/keyRateBps/measured", "key rate", Apart::Share(0.25)),
                ("/longestWithoutKeyS/measured", "longest time without key", Apart::Share(0.25)),
                ("/availabilityRatio/measured", "availability", Apart::By(0.01)),
            ],
            // Four digits are told: less is no difference, but rounding.
            Self::Settlement => &[
                ("/consumedBits", "bits consumed", Apart::Share(0.001)),
                ("/suppliedKeys", "keys supplied", Apart::Share(0.001)),
                ("/relayedBits", "bits relayed", Apart::Share(0.001)),
            ],
        }
    }
}

/// One thing as both sides tell it.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// What it is.
    pub kind: Kind,
    /// Its name; of a settlement, the period and its begin.
    pub id: String,
    /// What we tell.
    pub ours: Option<Value>,
    /// What the other domain tells.
    pub theirs: Option<Value>,
}

impl Comparison {
    /// Joins what both sections have, by name.
    #[must_use]
    pub fn join(kind: Kind, ours: Option<&Value>, theirs: Option<&Value>) -> Vec<Self> {
        let entries = |section: Option<&Value>| -> Vec<(String, Value)> {
            let list = section.and_then(|section| section.get(kind.list())?.as_array()).cloned().unwrap_or_default();
            let period = section.and_then(|section| section.get("period")?.as_str()).unwrap_or_default();
            let id = |entry: &Value| match kind {
                Kind::Settlement => format!("{period} {}", entry["start"].as_str().unwrap_or_default()),
                _ => entry["id"].as_str().unwrap_or_default().to_owned(),
            };
            list.into_iter().map(|entry| (id(&entry), entry)).collect()
        };
        let (ours, theirs) = (entries(ours), entries(theirs));
        let mut ids: Vec<&String> = ours.iter().chain(&theirs).map(|(id, _)| id).collect();
        ids.sort_unstable();
        ids.dedup();
        let of = |list: &[(String, Value)], id: &str| {
            list.iter().find(|(known, _)| known == id).map(|(_, entry)| entry.clone())
        };
        ids.into_iter().map(|id| Self { kind, id: id.clone(), ours: of(&ours, id), theirs: of(&theirs, id) }).collect()
    }

    /// The worse of what both say of its state; of a settlement, `agreed`, `differs` or `one-sided`. Where the other domain `is_silent`,
    /// what it once said says nothing about now: then it is ours alone, and `one-sided` instead of `up` or `met`. Books that are closed
    /// stay as they were told.
    #[must_use]
    pub fn state(&self, is_silent: bool) -> String {
        if self.kind == Kind::Settlement {
            return match (&self.ours, &self.theirs) {
                (Some(_), Some(_)) if self.differences().is_empty() => "agreed",
                (Some(_), Some(_)) => "differs",
                _ => ONE_SIDED,
            }
            .to_owned();
        }
        const RANK: [&str; 6] = ["up", "met", "unknown", "degraded", "down", "missed"];
        let theirs = self.theirs.iter().filter(|_| !is_silent);
        let states = self.ours.iter().chain(theirs).filter_map(|side| side["state"].as_str());
        match states.max_by_key(|state| RANK.iter().position(|known| known == state)) {
            Some("up" | "met") if is_silent => ONE_SIDED.to_owned(),
            worst => worst.unwrap_or("unknown").to_owned(),
        }
    }

    /// What the two sides say differently, in words.
    #[must_use]
    pub fn differences(&self) -> Vec<String> {
        let (ours, theirs) = match (&self.ours, &self.theirs) {
            (Some(ours), Some(theirs)) => (ours, theirs),
            (Some(_), None) => return vec!["the other domain says nothing of it".to_owned()],
            _ => return vec!["we say nothing of it".to_owned()],
        };
        let mut found = Vec::new();
        let state = |side: &Value| side["state"].as_str().map(str::to_owned);
        if let (Some(one), Some(other)) = (state(ours), state(theirs))
            && one != other
        {
            found.push(format!("we say {one}, they say {other}"));
        }
        for (path, name, apart) in self.kind.figures() {
            let number = |side: &Value| side.pointer(path).and_then(Value::as_f64);
            let (Some(one), Some(other)) = (number(ours), number(theirs)) else { continue };
            let most = match apart {
                Apart::By(most) => *most,
                Apart::Share(share) => share * one.max(other),
            };
            if (one - other).abs() > most {
                found.push(format!("{name} {one} here, {other} there ({:+})", rounded(one - other)));
            }
        }
        found
    }
}

/// Without what subtraction leaves behind the last digit that was told.
fn rounded(difference: f64) -> f64 {
    format!("{difference:.3e}").parse().unwrap_or(difference)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_sides_of_a_relation_are_joined_by_its_name() {
        let ours = json!({ "relations": [{ "id": "r", "peer": "west", "state": "up", "keyRateBps": 1000.0 }, { "id": "ours", "peer": "west", "state": "up" }] });
        let theirs = json!({ "relations": [{ "id": "r", "peer": "east", "state": "down", "keyRateBps": 500.0 }] });
        let joined = Comparison::join(Kind::KeyRelation, Some(&ours), Some(&theirs));
        assert_eq!(joined.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["ours", "r"]);
        assert_eq!(joined[0].differences(), ["the other domain says nothing of it"]);
        assert_eq!(joined[1].state(false), "down");
        assert_eq!(joined[1].state(true), "one-sided", "what they said is old, and ours is up");
        assert_eq!(joined[1].differences(), ["we say up, they say down", "key rate 1000 here, 500 there (+500)"]);
    }

    #[test]
    fn what_was_agreed_of_a_service_is_the_same_on_both_sides_or_told() {
        let service = |objective: f64, state: &str| json!({ "services": [{ "id": "s", "state": state, "keyRateBps": { "objective": objective, "measured": 900.0, "state": state } }] });
        let joined = Comparison::join(Kind::Service, Some(&service(1_000.0, "missed")), Some(&service(800.0, "met")));
        assert_eq!((joined[0].state(false), joined[0].state(true)), ("missed".to_owned(), "missed".to_owned()));
        assert_eq!(
            joined[0].differences(),
            ["we say missed, they say met", "agreed key rate 1000 here, 800 there (+200)"]
        );
        let same = Comparison::join(Kind::Service, Some(&service(800.0, "met")), Some(&service(800.0, "met")));
        assert!(same[0].differences().is_empty());
    }

    #[test]
    fn books_agree_or_differ_or_are_one_sidedly_kept() {
        let books = |bits: f64, starts: &[&str]| {
            let totals: Vec<Value> =
                starts.iter().map(|start| json!({ "start": start, "intervals": 2, "consumedBits": bits })).collect();
            json!({ "period": "hour", "totals": totals })
        };
        let (one, two) = ("2026-01-01T12:00:00Z", "2026-01-01T13:00:00Z");
        let state = |theirs: &Value| {
            let joined = Comparison::join(Kind::Settlement, Some(&books(2_560.0, &[one])), Some(theirs));
            joined.into_iter().map(|one| (one.id.clone(), one.state(true), one.differences())).collect::<Vec<_>>()
        };
        let id = format!("hour {one}");
        assert_eq!(state(&books(2_561.0, &[one])), [(id.clone(), "agreed".to_owned(), vec![])]);
        let differs = vec!["bits consumed 2560 here, 2304 there (+256)".to_owned()];
        assert_eq!(state(&books(2_304.0, &[one])), [(id, "differs".to_owned(), differs)]);
        assert_eq!(
            state(&books(2_560.0, &[two])).iter().map(|(_, state, _)| state.as_str()).collect::<Vec<_>>(),
            ["one-sided"; 2]
        );
        // Hours are not days.
        let days = json!({ "period": "day", "totals": [{ "start": one, "intervals": 2, "consumedBits": 2560.0 }] });
        assert_eq!(state(&days).len(), 2);
    }
}
