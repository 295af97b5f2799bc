//! Which components a handler or policy applies to: globs over what the configuration says of them.

use std::fmt;

use wildmatch::WildMatch;

use super::ComponentCard;
use crate::{config::ComponentMatch, model::ComponentRef};

/// A [`ComponentMatch`] with its globs compiled.
#[derive(Debug)]
pub struct Matcher {
    rule: ComponentMatch,
    id: Vec<WildMatch>,
    vendor: Vec<WildMatch>,
    model: Vec<WildMatch>,
    version: Vec<WildMatch>,
    site: Vec<WildMatch>,
    tags: Vec<WildMatch>,
    any: Vec<Self>,
    not: Vec<Self>,
}

fn compile(globs: &[String]) -> Vec<WildMatch> {
    globs.iter().map(|glob| WildMatch::new(glob)).collect()
}

fn any(globs: &[WildMatch], text: &str) -> bool {
    globs.is_empty() || globs.iter().any(|glob| glob.matches(text))
}

impl Matcher {
    /// Compiles the globs.
    #[must_use]
    pub fn new(rule: &ComponentMatch) -> Self {
        Self {
            id: compile(&rule.id),
            vendor: compile(&rule.vendor),
            model: compile(&rule.model),
            version: compile(&rule.version),
            site: compile(&rule.site),
            tags: compile(&rule.tags),
            any: rule.any.iter().map(Self::new).collect(),
            not: rule.not.iter().map(Self::new).collect(),
            rule: rule.clone(),
        }
    }

    /// Whether all that is given matches.
    #[must_use]
    pub fn matches(&self, component: &ComponentRef, card: &ComponentCard) -> bool {
        self.unmet(component, card).is_none()
    }

    /// The first condition that keeps the rule from applying, for people. `None` where it applies.
    #[must_use]
    pub fn mismatch(&self, component: &ComponentRef, card: &ComponentCard) -> Option<Mismatch> {
        let rule = &self.rule;
        let one = |facet, wanted: &[String], found: &str| Mismatch::new(facet, wanted, &[found.to_owned()]);
        Some(match self.unmet(component, card)? {
            Facet::ReferencePoint => {
                let points: Vec<String> = rule.reference_points.iter().map(ToString::to_string).collect();
                one("reference_point", &points, component.reference_point.as_str())
            }
            Facet::Id => one("id", &rule.id, component.id.as_str()),
            Facet::Vendor => one("vendor", &rule.vendor, &card.vendor),
            Facet::Model => one("model", &rule.model, &card.model),
            Facet::Version => one("version", &rule.version, &card.version),
            Facet::Site => one("site", &rule.site, &card.site),
            Facet::Tags => Mismatch::new("tags", &rule.tags, &card.tags),
            Facet::Any => {
                let whys = self.any.iter().filter_map(|part| part.mismatch(component, card));
                Mismatch { facet: "any", wanted: whys.map(|why| why.to_string()).collect(), found: Vec::new() }
            }
            Facet::Not => {
                let part = self.not.iter().find(|part| part.matches(component, card));
                Mismatch { facet: "not", wanted: part.map(Self::words).unwrap_or_default(), found: Vec::new() }
            }
        })
    }

    /// The globs, by key.
    fn words(&self) -> Vec<String> {
        let rule = &self.rule;
        let points: Vec<String> = rule.reference_points.iter().map(ToString::to_string).collect();
        let keys = [
            ("reference_point", &points),
            ("id", &rule.id),
            ("vendor", &rule.vendor),
            ("model", &rule.model),
            ("version", &rule.version),
            ("site", &rule.site),
            ("tags", &rule.tags),
        ];
        let given = keys.into_iter().filter(|(_, globs)| !globs.is_empty());
        given.map(|(key, globs)| format!("{key} {}", globs.join(", "))).collect()
    }

    fn unmet(&self, component: &ComponentRef, card: &ComponentCard) -> Option<Facet> {
        let points = &self.rule.reference_points;
        let is_met = [
            (Facet::ReferencePoint, points.is_empty() || points.contains(&component.reference_point)),
            (Facet::Id, any(&self.id, component.id.as_str())),
            (Facet::Vendor, any(&self.vendor, &card.vendor)),
            (Facet::Model, any(&self.model, &card.model)),
            (Facet::Version, any(&self.version, &card.version)),
            (Facet::Site, any(&self.site, &card.site)),
            (Facet::Tags, self.tags.is_empty() || card.tags.iter().any(|tag| any(&self.tags, tag))),
            (Facet::Any, self.any.is_empty() || self.any.iter().any(|part| part.matches(component, card))),
            (Facet::Not, !self.not.iter().any(|part| part.matches(component, card))),
        ];
        is_met.into_iter().find(|(_, met)| !met).map(|(facet, _)| facet)
    }
}

/// What a rule may ask for.
#[derive(Clone, Copy, Debug)]
enum Facet {
    ReferencePoint,
    Id,
    Vendor,
    Model,
    Version,
    Site,
    Tags,
    Any,
    Not,
}

/// A condition that a component does not meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Key of the condition: `vendor`. Of `any`, `wanted` has why each of its tables does not match; of `not`, the globs of the one
    /// that does.
    pub facet: &'static str,
    /// Globs, one of which would have to match.
    pub wanted: Vec<String>,
    /// What the component has; empty if nothing is configured of it.
    pub found: Vec<String>,
}

impl Mismatch {
    fn new(facet: &'static str, wanted: &[String], found: &[String]) -> Self {
        let found = found.iter().filter(|text| !text.is_empty()).cloned().collect();
        Self { facet, wanted: wanted.to_vec(), found }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (facet, wanted) = (self.facet, self.wanted.join(", "));
        match self.found.as_slice() {
            _ if facet == "any" => write!(f, "nothing in `any` matches: {}", self.wanted.join("; ")),
            _ if facet == "not" => write!(f, "`not` leaves it out: {}", self.wanted.join(" and ")),
            [] => write!(f, "it has no {facet}, and {wanted} is asked for"),
            found => {
                let verb = if facet == "tags" { "are" } else { "is" };
                write!(f, "its {facet} {verb} {}, and {wanted} is asked for", found.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_given_must_match() {
        let component: ComponentRef = "mq/alice-1".parse().unwrap();
        let card = ComponentCard {
            vendor: "acme".into(),
            model: "q7".into(),
            tags: vec!["metro".into()],
            ..ComponentCard::default()
        };
        let rule = |id: &str, model: &str, tag: &str| {
            let list = |text: &str| if text.is_empty() { vec![] } else { vec![text.to_owned()] };
            Matcher::new(&ComponentMatch {
                id: list(id),
                model: list(model),
                tags: list(tag),
                ..ComponentMatch::default()
            })
        };
        assert!(rule("", "", "").matches(&component, &card));
        assert!(rule("alice-*", "q*", "metro").matches(&component, &card));
        assert!(!rule("alice-*", "x*", "metro").matches(&component, &card));
        assert!(!rule("", "", "core").matches(&component, &card));
    }

    #[test]
    fn what_does_not_match_is_told_with_what_was_wanted() {
        let component: ComponentRef = "mq/alice-1".parse().unwrap();
        let card = ComponentCard { vendor: "acme".into(), tags: vec!["metro".into()], ..ComponentCard::default() };
        let card = ComponentCard { version: "2.4.1".into(), ..card };
        let all = ["mq", "alice-1", "acme", "", "", "metro", "2.*"];
        let rules = [
            ("mk", "reference_point", "its reference_point is mq, and mk is asked for"),
            ("bob-*", "id", "its id is alice-1, and bob-* is asked for"),
            ("zeta", "vendor", "its vendor is acme, and zeta is asked for"),
            ("q7", "model", "it has no model, and q7 is asked for"),
            ("graz", "site", "it has no site, and graz is asked for"),
            ("core", "tags", "its tags are metro, and core is asked for"),
            ("1.*", "version", "its version is 2.4.1, and 1.* is asked for"),
        ];
        for (position, (glob, facet, text)) in rules.into_iter().enumerate() {
            let globs = |at: usize, glob: &str| if at == position { vec![glob.to_owned()] } else { Vec::new() };
            let rule = |glob: &str| {
                let points = globs(0, glob).iter().map(|point| point.parse().unwrap()).collect();
                Matcher::new(&ComponentMatch {
                    reference_points: points,
                    id: globs(1, glob),
                    vendor: globs(2, glob),
                    model: globs(3, glob),
                    site: globs(4, glob),
                    tags: globs(5, glob),
                    version: globs(6, glob),
                    ..ComponentMatch::default()
                })
            };
            let mismatch = rule(glob).mismatch(&component, &card).unwrap();
            assert_eq!((mismatch.facet, mismatch.to_string().as_str()), (facet, text));
            if !all[position].is_empty() {
                assert_eq!(rule(all[position]).mismatch(&component, &card), None);
            }
        }
    }

    #[test]
    fn of_any_one_has_to_match_and_of_not_none_may() {
        let component: ComponentRef = "mq/alice-1".parse().unwrap();
        let card = |model: &str, version: &str| ComponentCard {
            vendor: "acme".into(),
            model: model.into(),
            version: version.into(),
            ..ComponentCard::default()
        };
        let part = |model: &str, version: &str| ComponentMatch {
            model: vec![model.into()],
            version: vec![version.into()],
            ..ComponentMatch::default()
        };
        let rule = Matcher::new(&ComponentMatch {
            vendor: vec!["acme".into()],
            any: vec![part("q7", "2.*"), part("q9*", "*")],
            not: vec![part("q9-lab", "*"), part("*", "*-beta")],
            ..ComponentMatch::default()
        });
        let told = |model: &str, version: &str| {
            rule.mismatch(&component, &card(model, version)).map_or_else(String::new, |mismatch| mismatch.to_string())
        };
        assert_eq!(told("q7", "2.4"), "");
        assert_eq!(told("q9-s", "1"), "");
        assert_eq!(
            told("q7", "1.9"),
            "nothing in `any` matches: its version is 1.9, and 2.* is asked for; its model is q7, and q9* is asked for"
        );
        assert_eq!(told("q9-lab", "3"), "`not` leaves it out: model q9-lab and version *");
        assert_eq!(told("q7", "2.4-beta"), "`not` leaves it out: model * and version *-beta");
        let none = Matcher::new(&ComponentMatch { not: vec![ComponentMatch::default()], ..ComponentMatch::default() });
        assert!(!none.matches(&component, &card("q7", "2")), "an empty table matches everybody");
    }
}
