//! What our domain says: its picture, settled, disclosed, past the border and through the filter; and the same in plain objects for
//! managers that know nothing of the federation's messages.
//!
//! In: the picture of the domain. Out: drafts for each audience; alarms about services that miss what was agreed, and what of them is to be
//! remembered. Nobody is told by the plain way what the federation is not told.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Instant,
};

use serde_json::{Map, Value, json};

use super::{
    PlainSpeaker, Speaker,
    books::Books,
    border::Gate,
    locked,
    missed::Missed,
    picture::Sources,
    rolling::{Heard, Roller},
};
use crate::{
    clock::wall_time,
    config::{federation::ServiceConfig, limits::SERVICE_STORED_EVERY},
    federation::{
        protocol::{Audience, Draft, OriginId},
        section::{self, DomainPicture, ExportPolicies, Sections, Steady},
        service::{Kept, Look, Watched},
    },
};

/// Speaks for the domain.
pub struct Speaking {
    sources: Sources,
    steady: Steady,
    roller: Roller,
    books: Books,
    /// Services by name, as they were over time.
    watched: BTreeMap<String, Watched>,
    /// Those with an alarm.
    missed: Missed,
    /// When they were remembered last.
    remembered: Instant,
    begun: Instant,
    /// Milliseconds since 1970 at that time: looks are given in times that mean the same after a restart.
    begun_at: u64,
    policies: AtTheBorder,
    /// What the federation was told last.
    told: Arc<Mutex<Draft>>,
}

struct AtTheBorder {
    gate: Gate,
    own: OriginId,
}

impl ExportPolicies for AtTheBorder {
    fn pass(&mut self, audience: &Audience, sections: Sections) -> Sections {
        self.gate.export(&self.own, audience, sections)
    }

    fn aliases(&self, audience: &Audience) -> Vec<(String, String)> {
        self.gate.aliases(audience)
    }
}

impl Speaking {
    /// One who speaks, and one who says the same in plain objects; with what was remembered of services.
    #[must_use]
    pub fn new(
        sources: Sources,
        (books, missed): (Books, Missed),
        gate: Gate,
        own: OriginId,
        services: Vec<(String, String)>,
    ) -> (Self, PlainSpeaker) {
        let told = Arc::new(Mutex::new(Draft::default()));
        let heard = Arc::clone(&told);
        let begun_at = u64::try_from(wall_time().0).unwrap_or(0);
        let recalled = |(name, document): (String, String)| {
            let kept: Kept = serde_json::from_str(&document)
                .inspect_err(|error| tracing::warn!(service = name, %error, "What was stored of a service cannot be read; its window begins anew."))
                .ok()?;
            Some((name, Watched::recalled(&kept, begun_at)))
        };
        let speaking = Self {
            sources,
            steady: Steady::default(),
            roller: Roller::default(),
            books,
            watched: services.into_iter().filter_map(recalled).collect(),
            missed,
            remembered: Instant::now(),
            begun: Instant::now(),
            begun_at,
            policies: AtTheBorder { gate, own },
            told,
        };
        (speaking, Box::new(move || plain(&locked(&heard))))
    }

    /// Services and settlements, which are of more than this moment.
    fn cross(&mut self, picture: &mut DomainPicture, looks: &[(ServiceConfig, Look)]) {
        let passed = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let now = self.begun_at.saturating_add(passed);
        let wall = wall_time();
        let is_configured = |name: &str| looks.iter().any(|(service, _)| service.name == name);
        self.watched.retain(|name, _| is_configured(name));
        self.missed.keep_only(is_configured);
        for (service, look) in looks {
            let window = u64::try_from(service.window.as_millis()).unwrap_or(u64::MAX);
            let watched = self.watched.entry(service.name.clone()).or_default();
            watched.look(now, *look, window);
            let judged = watched.judged(service, wall);
            self.missed.look(service, &judged, now);
            picture.services.push((service.domains.clone(), judged));
        }
        let in_force = self.sources.current.get();
        let settlements = in_force.config.federation.as_ref().map(|one| one.settlements.as_slice());
        picture.settlements = self.books.settled(settlements.unwrap_or_default(), wall);
    }
}

impl Speaker for Speaking {
    fn drafts(&mut self, heard: Vec<Heard>) -> BTreeMap<Audience, Draft> {
        let (mut picture, looks) = self.sources.picture();
        self.cross(&mut picture, &looks);
        picture.rollup = self.roller.roll_up(heard);
        self.steady.settle(&mut picture.links);
        self.steady.settle_relations(&mut picture.relations);
        self.steady.settle_services(picture.services.iter_mut().map(|(_, service)| service));
        let drafts = section::drafts(&picture, &self.sources.disclosed(), &mut self.policies);
        self.policies.gate.keep_only(|_, audience| drafts.contains_key(audience));
        // Who tells the federation nothing tells nobody anything by the plain way.
        *locked(&self.told) = drafts.get(&Audience::Federation).cloned().unwrap_or_default();
        drafts
    }

    fn to_remember(&mut self, is_end: bool) -> Option<Vec<(String, String)>> {
        if self.watched.is_empty() || !(is_end || self.remembered.elapsed() >= SERVICE_STORED_EVERY) {
            return None;
        }
        self.remembered = Instant::now();
        let document = |watched: &Watched| serde_json::to_string(&watched.kept()).ok();
        Some(self.watched.iter().filter_map(|(name, watched)| Some((name.clone(), document(watched)?))).collect())
    }
}

/// The status of the domain in objects of section 4: how many components of each kind there are, and how the service is, as far as
/// the federation is told it.
fn plain(told: &Draft) -> String {
    let section = |name: &str| -> Option<Value> { serde_json::from_slice(told.sections.get(name)?).ok() };
    let mut objects = Vec::new();
    if let Some(raised) = section("alarms").as_ref().and_then(|alarms| alarms.get("raised")) {
        let is_raised = |severity: &str| raised[severity].as_u64().unwrap_or(0) > 0;
        let state = match (is_raised("critical"), is_raised("major")) {
            (false, false) => "available",
            (false, true) => "degraded",
            _ => "unavailable",
        };
        objects.push(json!({ "type": "state", "values": { "service_state": state } }));
    }
    if let Some(Value::Object(points)) = section("health").as_ref().and_then(|health| health.get("components")) {
        let mut counts = Map::new();
        for (point, told) in points {
            for (name, member) in [("components", "known"), ("components_connected", "connected")] {
                counts.extend(told.get(member).map(|count| (format!("{point}_{name}"), count.clone())));
            }
        }
        objects.push(json!({ "type": "inventory", "values": counts }));
    }
    Value::Array(objects).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plainly_no_more_is_said_than_the_federation_is_told() {
        assert_eq!(plain(&Draft::default()), "[]");
        let section = |name: &str, content: Value| (Arc::from(name), content.to_string().into_bytes().into());
        let health =
            section("health", json!({ "components": { "mq": { "known": 5 }, "mk": { "known": 3, "connected": 2 } } }));
        let alarms = section("alarms", json!({ "raised": { "major": 1 } }));
        let told: Value = serde_json::from_str(&plain(&Draft { sections: [health, alarms].into() })).unwrap();
        assert_eq!(
            told,
            json!([
                { "type": "state", "values": { "service_state": "degraded" } },
                { "type": "inventory", "values": { "mk_components": 3, "mk_components_connected": 2, "mq_components": 5 } },
            ])
        );
        let types = section("alarms", json!({ "types": { "link-down": 1 } }));
        assert_eq!(plain(&Draft { sections: [types].into() }), "[]");
    }
}
