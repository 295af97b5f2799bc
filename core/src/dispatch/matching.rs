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
    site: Vec<WildMatch>,
    tags: Vec<WildMatch>,
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
            site: compile(&rule.site),
            tags: compile(&rule.tags),
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
            Facet::Site => one("site", &rule.site, &card.site),
            Facet::Tags => Mismatch::new("tags", &rule.tags, &card.tags),
        })
    }

    fn unmet(&self, component: &ComponentRef, card: &ComponentCard) -> Option<Facet> {
        let points = &self.rule.reference_points;
        let is_met = [
            (Facet::ReferencePoint, points.is_empty() || points.contains(&component.reference_point)),
            (Facet::Id, any(&self.id, component.id.as_str())),
            (Facet::Vendor, any(&self.vendor, &card.vendor)),
            (Facet::Model, any(&self.model, &card.model)),
            (Facet::Site, any(&self.site, &card.site)),
            (Facet::Tags, self.tags.is_empty() || card.tags.iter().any(|tag| any(&self.tags, tag))),
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
    Site,
    Tags,
}

/// A condition that a component does not meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Key of the condition: `vendor`.
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
        let all = ["mq", "alice-1", "acme", "", "", "metro"];
        let rules = [
            ("mk", "reference_point", "its reference_point is mq, and mk is asked for"),
            ("bob-*", "id", "its id is alice-1, and bob-* is asked for"),
            ("zeta", "vendor", "its vendor is acme, and zeta is asked for"),
            ("q7", "model", "it has no model, and q7 is asked for"),
            ("graz", "site", "it has no site, and graz is asked for"),
            ("core", "tags", "its tags are metro, and core is asked for"),
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
                })
            };
            let mismatch = rule(glob).mismatch(&component, &card).unwrap();
            assert_eq!((mismatch.facet, mismatch.to_string().as_str()), (facet, text));
            if !all[position].is_empty() {
                assert_eq!(rule(all[position]).mismatch(&component, &card), None);
            }
        }
    }
}
