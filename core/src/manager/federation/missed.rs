//! Alarms about services that span domains and miss what was agreed: one for each service, by what this domain measures itself. What the
//! other side measures is an alarm there, and stands beside ours in `qkdnm domain compare`.
//!
//! In: verdicts, with each look. Out: alarms, raised and cleared. When a verdict counts is decided in `federation/service`.

use std::collections::BTreeMap;

use crate::{
    config::federation::ServiceConfig,
    federation::{
        section::Service,
        service::{self, Settled},
    },
    manager::alarms::AlarmDesk,
    model::AlarmKey,
    shard::{AlarmRequest, alarms::own_report},
};

/// A service level agreement is not met.
const ALARM: &str = "sla-violated";

/// Which services have an alarm.
pub struct Missed {
    desk: AlarmDesk,
    /// The component of alarms about the manager itself (`mx/` and its ID).
    manager: String,
    services: BTreeMap<String, Settled>,
}

impl Missed {
    /// Nothing is missed yet.
    #[must_use]
    pub const fn new(desk: AlarmDesk, manager: String) -> Self {
        Self { desk, manager, services: BTreeMap::new() }
    }

    fn key(&self, service: &str) -> AlarmKey {
        AlarmKey {
            component: self.manager.clone(),
            resource: format!("service {service}"),
            alarm_type_id: ALARM.to_owned(),
            alarm_type_qualifier: "manager".to_owned(),
        }
    }

    fn clear(&self, service: &str, text: &str) {
        self.desk.put(AlarmRequest { key: self.key(service), report: None, text: text.to_owned() });
    }

    /// How a service is now, at `now` milliseconds.
    pub(super) fn look(&mut self, agreed: &ServiceConfig, is: &Service, now: u64) {
        match self.services.entry(agreed.name.clone()).or_default().turn(now, &is.state) {
            None => {}
            Some(false) => self.clear(&agreed.name, "what was agreed is met again"),
            Some(true) => {
                // An alarm that is raised keeps its text: it says what was agreed, not what is measured now.
                let (with, missed) = (agreed.domains.join(", "), service::missed(is).join("; "));
                let text = format!("service {} with {with} misses what was agreed: {missed}", agreed.name);
                let repairs =
                    ["See what both sides measure: qkdnm domain compare", "Ask the operators of the domains."];
                let report = Some(own_report(ALARM, text, &repairs));
                self.desk.put(AlarmRequest { key: self.key(&agreed.name), report, text: String::new() });
            }
        }
    }

    /// Services that are not configured any more have no alarm.
    pub(super) fn keep_only(&mut self, is_configured: impl Fn(&str) -> bool) {
        let gone = self.services.extract_if(.., |name, _| !is_configured(name));
        let gone: Vec<String> = gone.filter(|(_, settled)| settled.is_missed()).map(|(name, _)| name).collect();
        gone.iter().for_each(|name| self.clear(name, "the service is not configured any more"));
    }
}
