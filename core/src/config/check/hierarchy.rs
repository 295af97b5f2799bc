//! Checks of areas and aggregators: that an area has a name which others can take, and that what is told to an area or to
//! aggregators has a way to them.
//!
//! In: `[federation]` and `[[peers]]` as written. Out: problems. It does not know what is told.

use super::Checker;
use crate::{
    config::{
        federation::FederationRole,
        problem::Problem,
        raw_federation::{RawFederation, RawOrigin, RawPeer},
        source::Spot,
    },
    model::disclosure::is_name,
};

fn text(spot: Option<&Spot<String>>) -> &str {
    spot.map_or("", |spot| spot.value.as_str())
}

fn is_aggregator(role: Option<&Spot<FederationRole>>) -> bool {
    role.is_some_and(|spot| spot.value == FederationRole::Aggregator)
}

impl Checker<'_> {
    /// Areas and roles of `[federation]`, against those of the other domains.
    pub(super) fn hierarchy(&self, raw: &RawFederation, peers: &[RawPeer]) {
        let of_peers = peers.iter().map(|peer| &peer.origin);
        let others: Vec<&RawOrigin> = of_peers.clone().chain(&raw.origins).collect();
        for area in raw.area.iter().chain(others.iter().filter_map(|other| other.area.as_ref())) {
            // No area may be written out as such.
            if !area.value.is_empty() && !is_name(&area.value) {
                let problem = Problem::error(area.place, "another domain could not take this for the name of an area");
                let expected =
                    "expected at most 32 letters and digits, with `-_.:/` or spaces between them, 64 characters in all";
                self.found.add(problem.label(expected));
            }
        }
        let area = text(raw.area.as_ref());
        let is_of_area = |other: &&RawOrigin| !area.is_empty() && text(other.area.as_ref()) == area;
        if let Some(told) = raw.disclose_area.as_ref().filter(|told| !told.value.is_empty()) {
            if area.is_empty() {
                let problem = Problem::error(told.place, "this is told to nobody: the domain has no area");
                self.found.add(problem.help("add area = \"north\" to [federation], or take `disclose_area` out"));
            } else if !of_peers.clone().any(|peer| is_of_area(&peer)) {
                let problem = Problem::warning(told.place, format!("no peer is of area `{area}`"));
                let help =
                    "what an area is told goes by domains of the area alone: give a peer this `area`, in [[peers]]";
                self.found.add(problem.help(help));
            }
        }
        let ours = is_aggregator(raw.role.as_ref());
        if let Some(told) = raw.disclose_aggregators.as_ref().filter(|told| !told.value.is_empty())
            && !ours
            && !of_peers.clone().any(|peer| is_aggregator(peer.role.as_ref()))
        {
            let problem = Problem::warning(told.place, "no peer is an aggregator");
            let help =
                "what aggregators are told goes by aggregators alone: give a peer role = \"aggregator\", in [[peers]]";
            self.found.add(problem.help(help));
        }
        let added_up = |other: &&RawOrigin| {
            let theirs = text(other.area.as_ref());
            !is_aggregator(other.role.as_ref()) && !theirs.is_empty() && (area.is_empty() || theirs == area)
        };
        if let Some(role) = raw.role.as_ref().filter(|_| ours && !others.iter().any(added_up)) {
            let problem = Problem::warning(role.place, "there is nothing that this aggregator could add up");
            let whose = if area.is_empty() {
                "no other domain has an `area`".to_owned()
            } else {
                format!("no other domain is a member of area `{area}`")
            };
            self.found.add(
                problem.label(whose).help("give the members their `area`, in [[peers]] and [[federation.origins]]"),
            );
        }
    }
}
