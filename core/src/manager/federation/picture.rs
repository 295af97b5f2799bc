//! What the manager knows of its own domain, in sum: taken from the published views, without waiting for anybody.

use std::{collections::BTreeSet, sync::Arc};

use super::measured::Measured;
use crate::{
    alarm::AlarmBoard,
    clock::wall_time,
    config::federation::{FederationConfig, ServiceConfig},
    dispatch::Registry,
    federation::{
        section::{self, Alarms, Capabilities, Counts, Disclosed, DomainPicture, Health, KeyRelation, LinkEnd},
        service::Look,
    },
    manager::{
        backend::SILENT,
        federation::announced::Announced,
        federation::membership::role,
        in_force::{Current, InForce},
    },
    model::{Catalogue, ReferencePoint, Severity, SymbolTable, disclosure::Topic},
};

/// Whether incidents are disclosed to anybody: if not, none are looked for.
fn tells_incidents(federation: &FederationConfig) -> bool {
    let FederationConfig { disclose, disclose_area, disclose_aggregators, .. } = federation;
    [disclose, disclose_area, disclose_aggregators].iter().any(|topics| topics.contains(&Topic::Incidents))
}

/// Where it is looked.
#[derive(Clone)]
pub struct Sources {
    /// The configuration in force.
    pub current: Current,
    /// Components.
    pub registry: Arc<Registry>,
    /// Alarms.
    pub board: Arc<AlarmBoard>,
    /// Names.
    pub symbols: Arc<SymbolTable>,
    /// Maintenance of links.
    pub announced: Announced,
}

impl Sources {
    /// Looks; also at how services are now that span other domains, each with what was agreed.
    #[must_use]
    pub fn picture(&self) -> (DomainPicture, Vec<(ServiceConfig, Look)>) {
        let in_force = self.current.get();
        let raised: Vec<_> = self.board.all().into_iter().filter(|alarm| !alarm.is_cleared).collect();
        let with = |wanted: &dyn Fn(&crate::model::Alarm) -> bool| -> BTreeSet<&str> {
            raised.iter().filter(|alarm| wanted(alarm)).map(|alarm| alarm.key.component.as_str()).collect()
        };
        let silent = with(&|alarm| alarm.key.alarm_type_id == SILENT);
        let impaired = with(&|alarm| alarm.report.severity >= Severity::Major);
        let mut health = Health::default();
        for entry in self.registry.all() {
            let point = entry.component.reference_point;
            // Managers of other domains are not of this one.
            if point == ReferencePoint::Mx {
                continue;
            }
            let counts: &mut Counts = health.components.entry(point.to_string()).or_default();
            let name = entry.component.to_string();
            counts.known += 1;
            counts.connected += u64::from(!entry.connections().is_empty());
            counts.silent += u64::from(silent.contains(name.as_str()));
            counts.impaired += u64::from(impaired.contains(name.as_str()));
        }
        let mut alarms = Alarms::default();
        let manager = ReferencePoint::Mx.to_string() + "/";
        for alarm in raised.iter().filter(|alarm| !alarm.key.component.starts_with(&manager)) {
            *alarms.raised.entry(alarm.report.severity.to_string()).or_default() += 1;
            // A component may call its alarms what it likes; only what the catalogue calls them is for others.
            let kind = Catalogue::get().shared_alarm_type(&alarm.key.alarm_type_id);
            *alarms.types.entry(kind.to_owned()).or_default() += 1;
        }
        let points = in_force.config.interfaces.iter().map(|interface| interface.reference_point.to_string());
        let capabilities = Capabilities {
            program: "qkdnm".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            reference_points: points.collect(),
            sections: section::names().map(str::to_owned).collect(),
        };
        let tells = in_force.config.federation.as_ref().filter(|one| tells_incidents(one));
        let of_incidents = tells.map(|one| one.links.as_slice()).unwrap_or_default();
        let picture = DomainPicture {
            health,
            alarms,
            links: self.links(&in_force, &silent),
            capabilities,
            maintenance: self.announced.windows(wall_time()),
            incidents: self.announced.incidents(&raised, of_incidents),
            relations: self.relations(&in_force, &silent),
            ..DomainPicture::default()
        };
        (picture, self.looks(&in_force, &silent))
    }

    /// Our ends of links to other domains, as the components that know of them last said.
    fn links(&self, in_force: &InForce, silent: &BTreeSet<&str>) -> Vec<LinkEnd> {
        let configured = in_force.config.federation.as_ref().map(|one| one.links.as_slice()).unwrap_or_default();
        configured.iter().map(|one| Measured::of(&one.from, self, silent).link(&one.name, &one.domain)).collect()
    }

    /// Our ends of key relations with other domains.
    fn relations(&self, in_force: &InForce, silent: &BTreeSet<&str>) -> Vec<KeyRelation> {
        let configured =
            in_force.config.federation.as_ref().map(|one| one.key_relations.as_slice()).unwrap_or_default();
        configured.iter().map(|one| Measured::of(&one.from, self, silent).relation(&one.name, &one.domain)).collect()
    }

    /// How services that span domains are now.
    fn looks(&self, in_force: &InForce, silent: &BTreeSet<&str>) -> Vec<(ServiceConfig, Look)> {
        let configured = in_force.config.federation.as_ref().map(|one| one.services.as_slice()).unwrap_or_default();
        configured.iter().map(|one| (one.clone(), Measured::of(&one.from, self, silent).look())).collect()
    }

    /// What may be said to whom, by the configuration in force.
    #[must_use]
    pub fn disclosed(&self) -> Disclosed {
        let config = &self.current.get().config;
        let of = |one: &FederationConfig| Disclosed {
            federation: one.disclose.clone(),
            area: one.disclose_area.clone(),
            aggregators: one.disclose_aggregators.clone(),
            own_area: one.area.as_str().into(),
            role: role(one.role),
        };
        config.federation.as_ref().map(of).unwrap_or_default()
    }
}
