//! Maintenance of inter-domain links that is announced, by us and to us, and incidents that were handed over: as those who show
//! alarms and who speak for the domain look at it, without waiting for the federation's thread.
//!
//! In: requests, whenever they change. Out: whether an alarm concerns a link under maintenance, and what the sections `maintenance`
//! and `incidents` say. An alarm under maintenance is marked and stays what it is: raised, counted and exported. Who announced
//! maintenance may be wrong about what it does, and a fault behind it must not be lost.

use std::{collections::BTreeMap, sync::Arc};

use arc_swap::ArcSwap;

use crate::{
    api::views::MaintenanceMark,
    config::{FederationConfig, federation::LinkConfig},
    federation::{
        request::Entry,
        section::{incidents::Incident, maintenance::Window},
    },
    model::{
        Alarm, Catalogue, ComponentRef, OperatorState, Timestamp,
        peer_request::{Asked, RequestState},
    },
};

/// What requests say of links; clones are one.
#[derive(Clone, Debug, Default)]
pub struct Announced(Arc<ArcSwap<Vec<Entry>>>);

/// Whether an alarm is of this component. Asked for each alarm and each source of a link at every look: nothing is written for it.
fn is_of(alarm: &Alarm, component: &ComponentRef) -> bool {
    let id = alarm.key.component.strip_prefix(component.reference_point.as_str()).and_then(|id| id.strip_prefix('/'));
    id == Some(component.id.as_str())
}

/// Whether an alarm is about our end of a link: of a component or part that the configuration has for it.
fn concerns(alarm: &Alarm, link: &LinkConfig) -> bool {
    link.from
        .iter()
        .any(|(component, part)| is_of(alarm, component) && (part.is_empty() || alarm.key.resource == *part))
}

/// Links to other domains that an alarm is about.
#[must_use]
pub fn links_of(alarm: &Alarm, federation: &FederationConfig) -> Vec<String> {
    federation.links.iter().filter(|link| concerns(alarm, link)).map(|link| link.name.clone()).collect()
}

impl Announced {
    /// Goes by these from now on.
    pub(super) fn set<'a>(&self, entries: impl Iterator<Item = &'a Entry>) {
        let speaks = |entry: &&Entry| match entry.asked {
            Asked::Maintenance { .. } => entry.holds(),
            Asked::IncidentHandOver { .. } => entry.is_ours() && entry.state == RequestState::Accepted,
            Asked::EmergencyPriority { .. } => false,
        };
        self.0.store(Arc::new(entries.filter(speaks).cloned().collect()));
    }

    /// Maintenance that we have announced and that is not over, by the domain at the other end.
    #[must_use]
    pub fn windows(&self, now: Timestamp) -> BTreeMap<String, Vec<Window>> {
        let mut windows: BTreeMap<String, Vec<Window>> = BTreeMap::new();
        for entry in self.0.load().iter().filter(|entry| entry.is_ours()) {
            let Asked::Maintenance { links, from, until, effect } = &entry.asked else { continue };
            if *until <= now {
                continue;
            }
            let state = match entry.state {
                RequestState::Accepted => "acknowledged",
                RequestState::Declined => "objected",
                _ => "announced",
            };
            windows.entry(entry.peer.to_string()).or_default().push(Window {
                id: entry.id.to_string(),
                links: links.clone(),
                from: *from,
                until: *until,
                effect: *effect,
                state: state.to_owned(),
                under_way: *from <= now,
            });
        }
        windows
    }

    /// Our incidents on inter-domain links, by the domain at the other end.
    #[must_use]
    pub fn incidents(&self, raised: &[Arc<Alarm>], links: &[LinkConfig]) -> BTreeMap<String, Vec<Incident>> {
        let mut incidents: BTreeMap<String, Vec<Incident>> = BTreeMap::new();
        for link in links {
            for alarm in raised.iter().filter(|alarm| concerns(alarm, link)) {
                let alarm_type = Catalogue::get().shared_alarm_type(&alarm.key.alarm_type_id).to_owned();
                let state = if self.is_handed_over(link, &alarm_type, alarm.last_raised) {
                    "handed-over"
                } else if alarm.operator_state == OperatorState::None {
                    "open"
                } else {
                    "acknowledged"
                };
                incidents.entry(link.domain.clone()).or_default().push(Incident {
                    id: alarm.id,
                    link: link.name.clone(),
                    since: alarm.last_raised.whole_seconds(),
                    severity: alarm.report.severity,
                    alarm_type,
                    state: state.to_owned(),
                });
            }
        }
        incidents
    }

    /// Whether the domain at the other end has taken over this incident: the same link, type and second.
    fn is_handed_over(&self, link: &LinkConfig, kind: &str, raised: Timestamp) -> bool {
        self.0.load().iter().filter(|entry| entry.peer.as_str() == link.domain).any(|entry| match &entry.asked {
            Asked::IncidentHandOver { link: name, since, alarm_type, .. } => {
                *name == link.name && alarm_type == kind && *since == raised.whole_seconds()
            }
            _ => false,
        })
    }

    /// The maintenance under way on a link that an alarm is about.
    #[must_use]
    pub fn mark(
        &self,
        alarm: &Alarm,
        federation: Option<&FederationConfig>,
        own: &str,
        now: Timestamp,
    ) -> Option<MaintenanceMark> {
        if alarm.is_cleared {
            return None;
        }
        let entries = self.0.load();
        // Nearly always there is none: nothing of the configuration is looked at then.
        let mut under_way = entries.iter().filter_map(|entry| match &entry.asked {
            Asked::Maintenance { links, from, until, effect } if (*from..*until).contains(&now) => {
                Some((entry, links, *until, *effect))
            }
            _ => None,
        });
        under_way.find_map(|(entry, names, until, effect)| {
            let links = federation?.links.iter().filter(|link| link.domain == entry.peer.as_str());
            let link = links.filter(|link| names.contains(&link.name)).find(|link| concerns(alarm, link))?;
            Some(MaintenanceMark {
                link: link.name.clone(),
                announced_by: if entry.is_ours() { own.to_owned() } else { entry.peer.to_string() },
                request: entry.id.to_string(),
                until,
                effect,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        alarm,
        federation::request::RequestId,
        model::{
            AlarmKey, Severity,
            peer_request::{MaintenanceEffect, RequestDirection},
        },
        shard::alarms::own_report,
    };

    const HOUR: i64 = 3_600_000;

    fn entry(direction: RequestDirection, state: RequestState, asked: Asked) -> Entry {
        Entry {
            id: RequestId::of(1),
            peer: "west".into(),
            direction,
            asked,
            state,
            reason: None,
            by: None,
            made: Timestamp(0),
            deadline: Timestamp(9 * HOUR),
            settled: None,
            answered: false,
        }
    }

    fn maintenance() -> Asked {
        Asked::Maintenance {
            links: vec!["vienna-brno".into()],
            from: Timestamp(HOUR),
            until: Timestamp(2 * HOUR),
            effect: MaintenanceEffect::Degraded,
        }
    }

    fn link(from: &[(&str, &str)]) -> LinkConfig {
        let source = |(component, part): &(&str, &str)| (component.parse().unwrap(), (*part).to_owned());
        LinkConfig { name: "vienna-brno".into(), domain: "west".into(), from: from.iter().map(source).collect() }
    }

    fn alarm(component: &str, resource: &str) -> Alarm {
        let key = AlarmKey {
            component: component.into(),
            resource: resource.into(),
            alarm_type_id: "link-down".into(),
            alarm_type_qualifier: String::new(),
        };
        alarm::raise(None, key, own_report("link-down", String::new(), &[]), "component", || 7, Timestamp(5_700))
            .unwrap()
    }

    fn federation(links: Vec<LinkConfig>) -> FederationConfig {
        FederationConfig {
            name: "f".into(),
            area: String::new(),
            role: crate::config::federation::FederationRole::Member,
            signing_key: "k".into(),
            key_generation: 1,
            min_epoch: 0,
            refresh: std::time::Duration::from_secs(15),
            disclose: Vec::new(),
            disclose_area: Vec::new(),
            disclose_aggregators: Vec::new(),
            key_relations: Vec::new(),
            services: Vec::new(),
            settlements: Vec::new(),
            export: Vec::new(),
            import: Vec::new(),
            origins: Vec::new(),
            links,
        }
    }

    #[test]
    fn an_alarm_is_marked_while_its_link_is_worked_on_by_those_who_said_so() {
        use RequestDirection::{Received, Sent};
        let config = federation(vec![link(&[("mq/border-1", ""), ("mk/km-1", "west-link")])]);
        let marked = |entry: Entry, alarm: &Alarm, hours: i64| {
            let announced = Announced::default();
            announced.set([entry].iter());
            announced.mark(alarm, Some(&config), "east", Timestamp(hours * HOUR)).map(|mark| mark.announced_by)
        };
        let theirs = |state| entry(Received, state, maintenance());
        let ours = |state| entry(Sent, state, maintenance());
        let one = alarm("mk/km-1", "west-link");
        let of_west = || Some("west".to_owned());
        assert_eq!([0, 1, 2].map(|hours| marked(theirs(RequestState::Pending), &one, hours)), [None, of_west(), None]);
        assert_eq!(marked(theirs(RequestState::Accepted), &alarm("mq/border-1", "laser"), 1), of_west());
        let others = ["mq/inside", "mq/border-12", "mq/border-", "mk/border-1", "border-1"].map(|one| alarm(one, ""));
        for other in [alarm("mk/km-1", "north-link"), alarm("mk/km-1", "")].into_iter().chain(others) {
            assert_eq!(marked(theirs(RequestState::Accepted), &other, 1), None, "{}", other.key);
        }
        assert_eq!(marked(theirs(RequestState::Declined), &one, 1), None, "what we objected to explains nothing");
        assert_eq!(marked(ours(RequestState::Declined), &one, 1), Some("east".to_owned()));
        assert_eq!(marked(ours(RequestState::Refused), &one, 1), None);
    }

    #[test]
    fn incidents_are_alarms_on_our_ends_and_say_who_has_taken_them_over() {
        let links = [link(&[("mk/km-1", "west-link")])];
        let raised = [alarm("mk/km-1", "west-link"), alarm("mk/km-1", "")].map(Arc::new);
        let announced = Announced::default();
        let incidents = announced.incidents(&raised, &links);
        let [incident] = &incidents["west"][..] else { panic!("{incidents:?}") };
        assert_eq!((incident.id, incident.since, incident.state.as_str()), (7, Timestamp(5_000), "open"));
        let handed = |state| {
            let asked = Asked::IncidentHandOver {
                link: "vienna-brno".into(),
                since: Timestamp(5_000),
                severity: Severity::Major,
                alarm_type: "link-down".into(),
            };
            announced.set([entry(RequestDirection::Sent, state, asked)].iter());
            announced.incidents(&raised, &links)["west"][0].state.clone()
        };
        assert_eq!(
            (handed(RequestState::Pending), handed(RequestState::Accepted)),
            ("open".into(), "handed-over".into())
        );
    }

    #[test]
    fn windows_are_those_that_we_announced_and_that_are_not_over() {
        let announced = Announced::default();
        announced.set([entry(RequestDirection::Sent, RequestState::Accepted, maintenance())].iter());
        let at = |hours: i64| announced.windows(Timestamp(hours * HOUR));
        assert_eq!([0, 1].map(|hours| at(hours)["west"][0].under_way), [false, true]);
        assert_eq!(at(0)["west"][0].state, "acknowledged");
        assert!(at(2).is_empty());
        announced.set([entry(RequestDirection::Received, RequestState::Accepted, maintenance())].iter());
        assert!(at(1).is_empty(), "theirs is theirs to tell");
    }
}
