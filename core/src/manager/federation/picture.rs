//! What the manager knows of its own domain, in sum: taken from the published views, without waiting for anybody.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    alarm::AlarmBoard,
    clock::wall_time,
    config::federation::{FederationConfig, LinkConfig},
    dispatch::Registry,
    federation::section::{self, Alarms, Capabilities, Counts, Disclosed, DomainPicture, Health, LinkEnd, OTHER_TYPES},
    manager::{
        backend::SILENT,
        federation::announced::Announced,
        federation::membership::role,
        in_force::{Current, InForce},
    },
    model::{
        Catalogue, ReferencePoint, Severity, Symbol, SymbolTable,
        report_batch::{SampleKind, sample_kind},
    },
    state::LastValue,
};

/// What a word says of a link.
fn link_state(name: &str, word: &str) -> Option<&'static str> {
    match (name, word) {
        ("kma_link_state" | "ksa_link_state", "up") | ("qkdi_status", "ENABLED") | ("qkdl_status", "ACTIVE") => {
            Some("up")
        }
        ("kma_link_state" | "ksa_link_state", "degraded") | ("qkdl_status", "PENDING") => Some("degraded"),
        ("kma_link_state" | "ksa_link_state", "down")
        | ("qkdi_status", "DISABLED" | "FAILED")
        | ("qkdl_status", "OFF" | "PASSIVE")
        | ("distillation_state", "aborted") => Some("down"),
        _ => None,
    }
}

/// The worse of two states.
fn worse<'a>(one: &'a str, other: &'a str) -> &'a str {
    let rank = |state: &str| ["unknown", "up", "degraded", "down"].iter().position(|known| *known == state);
    if rank(one) >= rank(other) { one } else { other }
}

/// What is known of a key store.
#[derive(Clone, Copy, Debug, Default)]
struct Store {
    /// Bits.
    level: Option<f64>,
    /// Bits per second.
    comes_in: Option<f64>,
    /// Bits per second.
    goes_out: Option<f64>,
}

impl Store {
    /// How many seconds it lasts at these rates; `None` if it does not shrink, or if too little is known.
    fn lasts(self) -> Option<f64> {
        let drain = self.goes_out? - self.comes_in?;
        (drain > 0.0).then_some(self.level? / drain)
    }
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
    /// Looks.
    #[must_use]
    pub fn picture(&self) -> DomainPicture {
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
            let shared = Catalogue::get().alarm_type(&alarm.key.alarm_type_id);
            let kind = shared.map_or(OTHER_TYPES, |kind| kind.id.as_str());
            *alarms.types.entry(kind.to_owned()).or_default() += 1;
        }
        let points = in_force.config.interfaces.iter().map(|interface| interface.reference_point.to_string());
        let capabilities = Capabilities {
            program: "qkdnm".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            reference_points: points.collect(),
            sections: section::names().map(str::to_owned).collect(),
        };
        let ours = in_force.config.federation.as_ref().map(|one| one.links.as_slice()).unwrap_or_default();
        DomainPicture {
            health,
            alarms,
            links: self.links(&in_force),
            capabilities,
            rollup: None,
            maintenance: self.announced.windows(wall_time()),
            incidents: self.announced.incidents(&raised, ours),
        }
    }

    /// Our ends of links to other domains, as the components that know of them last said.
    fn links(&self, in_force: &InForce) -> Vec<LinkEnd> {
        let configured = in_force.config.federation.as_ref().map(|one| one.links.as_slice()).unwrap_or_default();
        configured.iter().map(|link| self.link(link)).collect()
    }

    fn link(&self, link: &LinkConfig) -> LinkEnd {
        let mut end = LinkEnd {
            id: link.name.clone(),
            peer: link.domain.clone(),
            state: "unknown".to_owned(),
            ..LinkEnd::default()
        };
        for (component, part) in &link.from {
            let Some(view) = self.registry.find(component).and_then(|entry| entry.view.load_full()) else { continue };
            let of_part = |value: &&LastValue| *self.symbols.text(Symbol(value.resource)) == **part;
            let mut store = Store::default();
            for value in view.values.0.iter().filter(of_part) {
                let name = self.symbols.text(Symbol(value.name));
                match (&*name, sample_kind(value.kind)) {
                    ("qber_ratio", SampleKind::Number) => end.qber_ratio = Some(value.value),
                    ("secret_key_rate_bps", SampleKind::Number) => end.secret_key_rate_bps = Some(value.value),
                    ("key_store_fill_ratio", SampleKind::Number) => end.key_store_fill_ratio = Some(value.value),
                    ("key_store_level_bits", SampleKind::Number) => store.level = Some(value.value),
                    ("key_input_rate_bps", SampleKind::Number) => store.comes_in = Some(value.value),
                    ("key_output_rate_bps", SampleKind::Number) => store.goes_out = Some(value.value),
                    (_, SampleKind::Word) => {
                        let word = self.symbols.text(Symbol(value.value as u32));
                        if let Some(state) = link_state(&name, &word) {
                            end.state = worse(&end.state, state).to_owned();
                        }
                    }
                    _ => {}
                }
            }
            end.time_to_exhaustion_s = store.lasts().or(end.time_to_exhaustion_s);
        }
        end
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_lasts_as_long_as_what_leaves_it_exceeds_what_enters() {
        let store = |level, comes_in, goes_out| Store { level, comes_in, goes_out }.lasts();
        assert_eq!(store(Some(6_000.0), Some(40.0), Some(50.0)), Some(600.0));
        assert_eq!(store(Some(6_000.0), Some(50.0), Some(50.0)), None);
        assert_eq!(store(None, Some(40.0), Some(50.0)), None);
    }

    #[test]
    fn the_worse_state_counts() {
        assert_eq!((worse("up", "degraded"), worse("unknown", "up"), worse("down", "up")), ("degraded", "up", "down"));
    }
}
