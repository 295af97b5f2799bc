//! What a subscriber may see, and what of a wish is granted. Deny by default: one sees one's own component, and what the
//! configuration's `sees` says.

use super::{SeriesKey, globs::Globs};
use crate::{
    config::SeesRule,
    model::{Catalogue, OBJECT_TYPES},
    wire::subscription::{EventFilter, FailedEvent},
};

#[derive(Clone, Debug)]
struct Rule {
    components: Globs,
    resources: Globs,
    types: Globs,
    names: Globs,
}

impl Rule {
    fn permits(&self, key: &SeriesKey) -> bool {
        self.components.matches(&key.subject)
            && self.resources.matches(&key.resource)
            && self.types.matches(&key.kind)
            && self.names.matches(&key.name)
    }
}

/// What one subscriber may see.
#[derive(Clone, Debug)]
pub struct Visibility(Vec<Rule>);

impl Visibility {
    /// Its own component, whole, and what the configuration says.
    #[must_use]
    pub fn new(own: &str, sees: &[SeesRule]) -> Self {
        // A component's ID may hold the letters of globs; `?` stands for them, which is one character as well.
        let own = own.replace('*', "?");
        let all = Globs::default;
        let own = Rule { components: Globs::new(&[own]), resources: all(), types: all(), names: all() };
        let rules = sees.iter().map(|rule| Rule {
            components: Globs::new(&rule.components),
            resources: Globs::new(&rule.resources),
            types: Globs::new(&rule.types),
            names: Globs::new(&rule.names),
        });
        Self(std::iter::once(own).chain(rules).collect())
    }

    /// Whether it may be told.
    #[must_use]
    pub fn permits(&self, key: &SeriesKey) -> bool {
        self.0.iter().any(|rule| rule.permits(key))
    }

    /// Whether an event may bring anything.
    fn meets(&self, event: &EventFilter) -> bool {
        self.0.iter().any(|rule| {
            rule.components.meet_any(&event.components)
                && rule.resources.meet_any(&event.resources)
                && rule.types.meet_any(&event.types)
                && rule.names.meet_any(&event.names)
        })
    }

    /// Splits a wish into what is granted and what is not. What is granted is still held against [`Self::permits`], change by
    /// change.
    #[must_use]
    pub fn grant(&self, wish: &[EventFilter]) -> (Vec<EventFilter>, Vec<FailedEvent>) {
        let (mut granted, mut failed) = (Vec::new(), Vec::new());
        for (index, event) in wish.iter().enumerate() {
            if let Some(event) = self.grant_one(index, event, &mut failed) {
                granted.push(event);
            }
        }
        (granted, failed)
    }

    fn grant_one(&self, index: usize, event: &EventFilter, failed: &mut Vec<FailedEvent>) -> Option<EventFilter> {
        let mut rest = event.clone();
        let mut fail = |what: EventFilter, reason: &str| {
            failed.push(FailedEvent { event: index, what, reason: reason.to_owned() });
        };
        let unknown =
            take_out(&mut rest.types, |kind| OBJECT_TYPES.iter().any(|known| super::globs::overlap(known, kind)));
        if !unknown.is_empty() {
            fail(EventFilter { types: unknown, ..EventFilter::default() }, "rejected: no such type of object");
        }
        let values_only =
            !rest.types.is_empty() && rest.types.iter().all(|kind| kind == "performance" || kind == "state");
        let unknown = take_out(&mut rest.names, |name| !values_only || is_value_name(name));
        if !unknown.is_empty() {
            fail(EventFilter { names: unknown, ..EventFilter::default() }, "rejected: no value has this name");
        }
        if emptied(event, &rest) {
            return None;
        }
        let unseen = "not-authorized: this may not be seen by the subscriber";
        if !self.meets(&rest) {
            // One element at a time may still do, when the others are left out.
            let whole = rest.clone();
            fail(whole, unseen);
            return None;
        }
        let lists: [fn(&mut EventFilter) -> &mut Vec<String>; 4] =
            [|e| &mut e.components, |e| &mut e.resources, |e| &mut e.types, |e| &mut e.names];
        for list in lists {
            let all = rest.clone();
            let hidden = take_out(list(&mut rest), |text| {
                let mut one = all.clone();
                *list(&mut one) = vec![text.to_owned()];
                self.meets(&one)
            });
            if !hidden.is_empty() {
                let mut what = EventFilter::default();
                *list(&mut what) = hidden;
                fail(what, unseen);
            }
        }
        Some(rest)
    }
}

/// Takes the texts out that do not hold.
fn take_out(list: &mut Vec<String>, holds: impl Fn(&str) -> bool) -> Vec<String> {
    let (kept, out) = std::mem::take(list).into_iter().partition(|text| holds(text));
    *list = kept;
    out
}

/// Whether a list lost all of its elements: empty would mean all.
fn emptied(before: &EventFilter, after: &EventFilter) -> bool {
    (after.types.is_empty() && !before.types.is_empty()) || (after.names.is_empty() && !before.names.is_empty())
}

/// Whether the catalogue has a value that is meant. Vendors' names beyond it are never in the arrays, so they never change.
fn is_value_name(glob: &str) -> bool {
    let catalogue = Catalogue::get();
    let performance = catalogue.performance.iter().map(|value| value.name.as_str());
    let state = catalogue.state.iter().map(|value| value.name.as_str());
    performance.chain(state).any(|name| super::globs::overlap(name, glob))
}

/// What a subscription asks for and its subscriber may see.
#[derive(Clone, Debug)]
pub struct Gate {
    visibility: Visibility,
    events: Vec<Rule>,
}

impl Gate {
    /// Of granted events.
    #[must_use]
    pub fn new(visibility: Visibility, events: &[EventFilter]) -> Self {
        let rule = |event: &EventFilter| Rule {
            components: Globs::new(&event.components),
            resources: Globs::new(&event.resources),
            types: Globs::new(&event.types),
            names: Globs::new(&event.names),
        };
        Self { visibility, events: events.iter().map(rule).collect() }
    }

    /// Whether a change is asked for and may be told.
    #[must_use]
    pub fn passes(&self, key: &SeriesKey) -> bool {
        self.events.iter().any(|event| event.permits(key)) && self.visibility.permits(key)
    }

    /// Whether anything of a component may pass: asked before its values are looked at.
    #[must_use]
    pub fn passes_component(&self, component: &str) -> bool {
        self.events.iter().any(|event| event.components.matches(component))
            && self.visibility.0.iter().any(|rule| rule.components.matches(component))
    }
}
