//! Who is told how much of a domain: the federation, its area, aggregators.
//!
//! In: what the configuration discloses. Out: audiences, each with all it is told; who is told no more than everybody has no
//! document of its own. What is said of links by name is between the domains at their ends, and not known here.

use std::sync::Arc;

use crate::{
    federation::protocol::{Audience, Role},
    model::disclosure::Topic,
};

/// What is disclosed to whom: as the configuration has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disclosed {
    /// To the whole federation.
    pub federation: Vec<Topic>,
    /// To the own area beyond that.
    pub area: Vec<Topic>,
    /// To aggregators beyond what the federation is told.
    pub aggregators: Vec<Topic>,
    /// The own area, or empty.
    pub own_area: Arc<str>,
    /// The own role.
    pub role: Role,
}

impl Disclosed {
    /// Audiences with what they are told. A member of an area that tells the federation nothing is not there for it either: its
    /// area and aggregators hear it, and others hear of the area in sum.
    pub(super) fn audiences(&self) -> Vec<(Audience, Vec<Topic>)> {
        let everybody = !self.federation.is_empty() || self.own_area.is_empty() || self.role == Role::Aggregator;
        let mut audiences = Vec::new();
        if everybody {
            audiences.push((Audience::Federation, self.federation.clone()));
        }
        let area = (!self.own_area.is_empty()).then(|| Audience::Area(Arc::clone(&self.own_area)));
        let beyond = [(area, &self.area), (Some(Audience::Aggregator), &self.aggregators)];
        for (audience, more) in beyond.into_iter().filter_map(|(audience, more)| Some((audience?, more))) {
            let mut all = [self.federation.as_slice(), more].concat();
            all.sort_unstable();
            all.dedup();
            if !everybody || all.len() > self.federation.len() {
                audiences.push((audience, all));
            }
        }
        audiences
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disclosed(federation: &[Topic], area: &[Topic], aggregators: &[Topic]) -> Disclosed {
        Disclosed {
            federation: federation.to_vec(),
            area: area.to_vec(),
            aggregators: aggregators.to_vec(),
            ..Disclosed::default()
        }
    }

    fn told(disclosed: &Disclosed) -> Vec<String> {
        let words = |topics: Vec<Topic>| topics.into_iter().map(Topic::as_str).collect::<Vec<_>>().join(",");
        disclosed.audiences().into_iter().map(|(audience, topics)| format!("{audience} {}", words(topics))).collect()
    }

    #[test]
    fn who_is_told_more_than_everybody_has_a_document_of_its_own_with_all_of_it() {
        use Topic::{Alarms, Health};
        let north = |disclosed: Disclosed| Disclosed { own_area: "north".into(), ..disclosed };
        assert_eq!(told(&disclosed(&Topic::DEFAULT, &[], &[])), ["federation health,alarms"]);
        let more = disclosed(&[Health], &[Alarms], &[Alarms, Health]);
        assert_eq!(told(&more), ["federation health", "aggregator health,alarms"]);
        assert_eq!(told(&north(more)), ["federation health", "area:north health,alarms", "aggregator health,alarms"]);
        assert_eq!(told(&north(disclosed(&[Health], &[Health], &[]))), ["federation health"]);
    }

    #[test]
    fn who_tells_everybody_nothing_is_there_for_its_area_and_aggregators_alone() {
        let nothing = disclosed(&[], &[], &[]);
        assert_eq!(told(&nothing), ["federation "]);
        let north = Disclosed { own_area: "north".into(), area: vec![Topic::Health], ..nothing };
        assert_eq!(told(&north), ["area:north health", "aggregator "]);
        let aggregator = Disclosed { role: Role::Aggregator, ..north };
        assert_eq!(told(&aggregator), ["federation ", "area:north health"], "its roll-ups are for everybody");
    }
}
