//! Which components a handler or policy applies to: globs over what the configuration says of them.

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
        (self.rule.reference_points.is_empty() || self.rule.reference_points.contains(&component.reference_point))
            && any(&self.id, component.id.as_str())
            && any(&self.vendor, &card.vendor)
            && any(&self.model, &card.model)
            && any(&self.site, &card.site)
            && (self.tags.is_empty() || card.tags.iter().any(|tag| any(&self.tags, tag)))
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
}
