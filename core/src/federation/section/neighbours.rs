//! What single domains are told: our ends of what joins us with them, and nothing of others.
//!
//! In: the picture of our domain and what is disclosed. Out: for each domain that there is something to say to, its sections, and
//! the names that may be in them: those that the configuration has for that very domain.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{DomainPicture, KeyRelations, Links, Sections, Services, incidents, maintenance};
use crate::model::disclosure::Topic;

/// Sections, and the names that may be in them.
pub(super) type Told<'a> = (Sections, BTreeSet<&'a str>);

#[derive(Default)]
struct ToOne<'a> {
    sections: Sections,
    names: BTreeSet<&'a str>,
}

impl ToOne<'_> {
    fn add(&mut self, name: &str, content: &impl Serialize) {
        self.sections.extend(serde_json::to_value(content).map(|content| (name.into(), content)));
    }
}

/// What each domain is told that there is something to say to.
pub(super) fn told<'a>(picture: &'a DomainPicture, disclosed: &[Topic]) -> BTreeMap<&'a str, Told<'a>> {
    let is_told = |topic: Topic| disclosed.contains(&topic);
    let mut told: BTreeMap<&str, ToOne<'a>> = BTreeMap::new();
    for (peer, ends) in by(picture.links.iter().map(|end| (end.peer.as_str(), end))) {
        let one = told.entry(peer).or_default();
        one.names.extend(ends.iter().map(|end| end.id.as_str()));
        one.add("links", &Links { ends: ends.into_iter().cloned().collect() });
        let announced = picture.maintenance.get(peer).into_iter().flatten();
        one.names.extend(announced.map(|window| window.id.as_str()));
        one.sections.extend(maintenance::to_peer(picture, peer));
        one.sections.extend(incidents::to_peer(picture, peer).filter(|_| is_told(Topic::Incidents)));
    }
    if is_told(Topic::KeyRelations) {
        for (peer, relations) in by(picture.relations.iter().map(|one| (one.peer.as_str(), one))) {
            let one = told.entry(peer).or_default();
            one.names.extend(relations.iter().map(|relation| relation.id.as_str()));
            one.add("keyRelations", &KeyRelations { relations: relations.into_iter().cloned().collect() });
        }
    }
    if is_told(Topic::Services) {
        let spans = picture
            .services
            .iter()
            .flat_map(|(domains, service)| domains.iter().map(move |domain| (domain.as_str(), service)));
        for (peer, services) in by(spans) {
            let one = told.entry(peer).or_default();
            one.names.extend(services.iter().map(|service| service.id.as_str()));
            one.add("services", &Services { services: services.into_iter().cloned().collect() });
        }
    }
    if is_told(Topic::Settlement) {
        for (peer, settlement) in &picture.settlements {
            told.entry(peer).or_default().add("settlement", settlement);
        }
    }
    let whole = |(peer, ToOne { sections, mut names }): (&'a str, ToOne<'a>)| {
        names.insert(peer);
        (peer, (sections, names))
    };
    told.into_iter().map(whole).collect()
}

fn by<'a, T>(all: impl Iterator<Item = (&'a str, T)>) -> BTreeMap<&'a str, Vec<T>> {
    let mut by: BTreeMap<&str, Vec<T>> = BTreeMap::new();
    all.for_each(|(peer, one)| by.entry(peer).or_default().push(one));
    by
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::federation::{
        protocol::{Audience, OriginId, Roster},
        section::{Disclosed, ExportPolicies, KeyRelation, LinkEnd, Service, Settlement, drafts, read},
    };

    fn picture() -> DomainPicture {
        let link = |id: &str, peer: &str| LinkEnd {
            id: id.into(),
            peer: peer.into(),
            state: "up".into(),
            ..LinkEnd::default()
        };
        let relation = |id: &str, peer: &str| KeyRelation {
            id: id.into(),
            peer: peer.into(),
            state: "up".into(),
            key_rate_bps: Some(900.0),
            ..KeyRelation::default()
        };
        let service = |id: &str| Service { id: id.into(), state: "met".into(), ..Service::default() };
        let settlement = Settlement { period: "hour".into(), ..Settlement::default() };
        DomainPicture {
            links: vec![link("north-1", "north")],
            relations: vec![relation("r-north", "north"), relation("r-west", "west")],
            services: vec![
                (vec!["north".into(), "west".into()], service("gov-vpn")),
                (vec!["west".into()], service("west-only")),
            ],
            settlements: vec![("west".into(), settlement)],
            ..DomainPicture::default()
        }
    }

    fn to_all(topics: &[Topic]) -> Disclosed {
        Disclosed { federation: topics.to_vec(), ..Disclosed::default() }
    }

    fn sections(peer: &str, topics: &[Topic]) -> Vec<String> {
        let picture = picture();
        let told = told(&picture, topics);
        told.get(peer)
            .map(|(sections, _)| sections.iter().map(|(name, _)| name.to_string()).collect())
            .unwrap_or_default()
    }

    #[test]
    fn what_is_not_disclosed_is_told_to_nobody() {
        assert_eq!(sections("north", &Topic::DEFAULT), ["links"]);
        assert!(sections("west", &Topic::DEFAULT).is_empty());
        assert_eq!(sections("west", &[Topic::KeyRelations]), ["keyRelations"]);
        assert_eq!(sections("west", &Topic::ALL), ["keyRelations", "services", "settlement"]);
        assert_eq!(sections("north", &Topic::ALL), ["links", "incidents", "keyRelations", "services"]);
    }

    #[test]
    fn each_domain_hears_names_of_its_own_alone() {
        let drafts = drafts(&picture(), &to_all(&Topic::ALL), &mut ());
        let said = |peer: &str| {
            let draft = &drafts[&Audience::Adjacent(peer.into())];
            draft.sections.values().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect::<String>()
        };
        assert!(said("west").contains("west-only") && said("west").contains("r-west"), "{}", said("west"));
        for never in ["west-only", "r-west", "\"west\""] {
            assert!(!said("north").contains(never), "{never}: {}", said("north"));
        }
        assert!(!said("west").contains("north"), "{}", said("west"));
    }

    /// Puts the names of all into the section of each.
    struct Mixes;

    impl ExportPolicies for Mixes {
        fn pass(&mut self, _: &Audience, mut sections: Sections) -> Sections {
            for (name, content) in &mut sections {
                if &**name == "services" {
                    let service =
                        |id: &str| serde_json::json!({ "id": id, "state": "met", "windowS": 1, "observedS": 1 });
                    content["services"] = ["gov-vpn", "west-only", "r-west"].map(service).to_vec().into();
                }
            }
            sections
        }

        fn aliases(&self, _: &Audience) -> Vec<(String, String)> {
            Vec::new()
        }
    }

    #[test]
    fn no_policy_tells_one_domain_the_names_of_another() {
        let drafts = drafts(&picture(), &to_all(&Topic::ALL), &mut Mixes);
        let bytes = &drafts[&Audience::Adjacent("north".into())].sections["services"];
        let told = read(&Roster::default(), &"east".into(), &Audience::Adjacent("north".into()), "services", bytes)
            .unwrap()
            .unwrap();
        let ids: Vec<&str> =
            told.value["services"].as_array().unwrap().iter().filter_map(|one| one["id"].as_str()).collect();
        assert_eq!(ids, ["gov-vpn"]);
    }

    #[test]
    fn what_concerns_one_domain_is_believed_by_that_domain_alone() {
        let drafts = drafts(&picture(), &to_all(&Topic::ALL), &mut ());
        let west = Audience::Adjacent("west".into());
        let believed = |speaker: &str, audience: &Audience, section: &str| {
            let bytes = &drafts[&west].sections[section];
            let found = read(&Roster::default(), &OriginId::from(speaker), audience, section, bytes).unwrap().unwrap();
            let list = found
                .value
                .as_object()
                .unwrap()
                .values()
                .any(|value| value.as_array().is_some_and(|all| !all.is_empty()));
            (list || found.value["period"].is_string(), found.faults.is_empty())
        };
        for section in ["keyRelations", "services", "settlement"] {
            assert_eq!(believed("east", &west, section), (true, true), "{section}");
            assert_eq!(believed("east", &Audience::Federation, section), (false, false), "{section}");
            assert_eq!(believed("west", &west, section), (false, false), "{section}");
        }
    }

    #[test]
    fn links_of_ones_own_are_told_to_everybody_and_no_others() {
        let drafts = drafts(&picture(), &to_all(&[Topic::LinkStates]), &mut ());
        let bytes = &drafts[&Audience::Federation].sections["interDomainLinks"];
        let count = |speaker: &str, audience: &Audience| {
            let found =
                read(&Roster::default(), &speaker.into(), audience, "interDomainLinks", bytes).unwrap().unwrap();
            found.value["links"].as_array().unwrap().len()
        };
        assert_eq!(count("east", &Audience::Federation), 1);
        assert_eq!(count("north", &Audience::Federation), 0, "a link with itself");
        assert_eq!(count("east", &Audience::Adjacent("north".into())), 0);
        assert!(
            !super::super::drafts(&picture(), &to_all(&Topic::DEFAULT), &mut ())[&Audience::Federation]
                .sections
                .contains_key("interDomainLinks")
        );
    }
}
