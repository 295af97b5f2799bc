//! Checks of what crosses the domain's border: `[[federation.links]]`, `key_relations`, `services` and `settlements`. Each is told to
//! peers by name, so the peers have to be there and the names have to be such that the other side takes them.

use crate::{
    config::{
        federation::{LinkConfig, ServiceConfig, SettlementConfig},
        limits,
        problem::Problem,
        raw_federation::{RawFederation, RawLink, RawService, RawSettlement},
        source::{Place, Spot},
    },
    model::{
        ComponentRef,
        disclosure::{Topic, is_name},
    },
};

use super::Checker;

/// What crosses the border besides links.
pub(super) struct Crossing {
    pub(super) key_relations: Vec<LinkConfig>,
    pub(super) services: Vec<ServiceConfig>,
    pub(super) settlements: Vec<SettlementConfig>,
}

impl Checker<'_> {
    /// Key relations, services and settlements that are complete.
    pub(super) fn crossing(&self, raw: &RawFederation, peers: &[&str]) -> Crossing {
        self.unique("key relation", raw.key_relations.iter().filter_map(|one| one.name.clone()));
        self.unique("service", raw.services.iter().filter_map(|one| one.name.clone()));
        self.unique("settlement", raw.settlements.iter().filter_map(|one| one.domain.clone()));
        self.is_disclosed(raw, Topic::KeyRelations, raw.key_relations.first().map(|one| one.place));
        self.is_disclosed(raw, Topic::Services, raw.services.first().map(|one| one.place));
        self.is_disclosed(raw, Topic::Settlement, raw.settlements.first().map(|one| one.place));
        self.figures_have_links(raw);
        Crossing {
            key_relations: raw.key_relations.iter().filter_map(|one| self.link(one, peers)).collect(),
            services: raw.services.iter().filter_map(|one| self.service(one, peers)).collect(),
            settlements: raw.settlements.iter().filter_map(|one| self.settlement(one, peers)).collect(),
        }
    }

    /// What is in the configuration and told to nobody is so on purpose, or forgotten.
    fn is_disclosed(&self, raw: &RawFederation, topic: Topic, place: Option<Place>) {
        let told = raw.disclose.as_ref().is_some_and(|topics| topics.value.contains(&topic));
        if let Some(place) = place.filter(|_| !told) {
            let word = topic.as_str();
            let problem = Problem::warning(place, format!("`federation.disclose` has no `{word}`"));
            self.found.add(problem.help(format!("nobody is told of this; add \"{word}\" to `disclose`")));
        }
    }

    /// Figures are told with the states of links, which name them: without those they are told to nobody.
    fn figures_have_links(&self, raw: &RawFederation) {
        let to_all = raw.disclose.as_ref().map(|topics| topics.value.as_slice()).unwrap_or_default();
        let lists = [
            ("disclose", &raw.disclose),
            ("disclose_area", &raw.disclose_area),
            ("disclose_aggregators", &raw.disclose_aggregators),
        ];
        for (key, told) in lists.into_iter().filter_map(|(key, list)| Some((key, list.as_ref()?))) {
            let has = |topic: Topic| told.value.contains(&topic);
            if has(Topic::LinkFigures) && !has(Topic::LinkStates) && !to_all.contains(&Topic::LinkStates) {
                let message = format!("`link-figures` in `{key}` tells nobody anything");
                let problem = Problem::warning(told.place, message).label("there is no `link-states`");
                let help = format!(
                    "figures of links go with their states: add \"link-states\" to `{key}`; \"links\" tells ranges over all of them, by no name"
                );
                self.found.add(problem.help(help));
            }
        }
    }

    pub(super) fn link(&self, raw: &RawLink, peers: &[&str]) -> Option<LinkConfig> {
        let domain = raw.domain.as_ref()?;
        self.is_a_peers(domain, peers);
        self.names(raw.name.iter().chain([domain]));
        let from = self.sources(raw.from.as_ref(), raw.place);
        Some(LinkConfig { name: raw.name.as_ref()?.value.clone(), domain: domain.value.clone(), from })
    }

    fn service(&self, raw: &RawService, peers: &[&str]) -> Option<ServiceConfig> {
        let domains = self.texts(raw.domains.as_ref(), raw.place, "no other domain is named that it spans");
        domains.iter().for_each(|domain| self.is_a_peers(domain, peers));
        self.names(raw.name.iter().chain(domains));
        let ratio = raw.availability.as_ref().filter(|spot| !(0.0..=1.0).contains(&spot.value));
        if let Some(spot) = ratio {
            self.found
                .add(Problem::error(spot.place, "an availability is a share of the time").label("expected 0 to 1"));
        }
        if let Some(spot) = raw.key_rate.as_ref().filter(|spot| !(0.0..=1e12).contains(&spot.value)) {
            self.found
                .add(Problem::error(spot.place, "this is no key rate").label("expected 0 to 1e12 bits per second"));
        }
        Some(ServiceConfig {
            name: raw.name.as_ref()?.value.clone(),
            domains: domains.iter().map(|spot| spot.value.clone()).collect(),
            from: self.sources(raw.from.as_ref(), raw.place),
            key_rate: raw.key_rate.as_ref().map(|spot| spot.value),
            without_key: raw.without_key.as_ref().map(|spot| spot.value),
            availability: raw.availability.as_ref().map(|spot| spot.value),
            window: raw.window.as_ref().map_or(limits::SERVICE_WINDOW, |spot| spot.value),
        })
    }

    fn settlement(&self, raw: &RawSettlement, peers: &[&str]) -> Option<SettlementConfig> {
        let domain = raw.domain.as_ref()?;
        self.is_a_peers(domain, peers);
        let called = self.texts(raw.peers.as_ref(), raw.place, "nothing is named that usage calls that domain's side");
        Some(SettlementConfig {
            domain: domain.value.clone(),
            peers: called.iter().map(|spot| spot.value.clone()).collect(),
            period: raw.period.as_ref().map(|spot| spot.value).unwrap_or_default(),
        })
    }

    fn is_a_peers(&self, domain: &Spot<String>, peers: &[&str]) {
        if !peers.contains(&domain.value.as_str()) {
            let problem = Problem::error(domain.place, format!("`{}` is the domain of no peer", domain.value));
            self.found
                .add(problem.help("what is said of this goes to the peer at the other end alone: add it to [[peers]]"));
        }
    }

    fn names<'a>(&self, names: impl Iterator<Item = &'a Spot<String>>) {
        for name in names.filter(|name| !is_name(&name.value)) {
            let problem =
                Problem::error(name.place, "another domain could not take this for the name of a link or domain");
            let expected =
                "expected at most 32 letters and digits, with `-_.:/` or spaces between them, 64 characters in all";
            self.found.add(problem.label(expected));
        }
    }

    /// A list that is not empty.
    fn texts<'a>(&self, list: Option<&'a Spot<Vec<Spot<String>>>>, place: Place, empty: &str) -> &'a [Spot<String>] {
        let texts = list.map(|list| list.value.as_slice()).unwrap_or_default();
        if texts.is_empty() && list.is_some() {
            self.found.add(Problem::error(place, empty));
        }
        texts
    }

    /// Components, and a part of each.
    fn sources(&self, list: Option<&Spot<Vec<Spot<String>>>>, place: Place) -> Vec<(ComponentRef, String)> {
        let source = |spot: &Spot<String>| {
            let (component, resource) = spot.value.split_once(' ').unwrap_or((&spot.value, ""));
            match component.parse::<ComponentRef>() {
                Ok(component) => Some((component, resource.trim().to_owned())),
                Err(error) => {
                    let problem = Problem::error(spot.place, "this names no component").label(error.to_string());
                    let how = "write REFERENCE-POINT/ID, and a part of it behind a space: \"mk/km-1 west-link\"";
                    self.found.add(problem.help(how));
                    None
                }
            }
        };
        self.texts(list, place, "nothing is named that knows of our end").iter().filter_map(source).collect()
    }
}
