//! Checks of how the manager speaks TLS to a target that it asks by itself: an exporter's, or a host of a collector.
//!
//! In: the keys as written, and whether the `url` is one of TLS. Out: what is used; without TLS nothing, and none of the keys may be there.

use std::path::PathBuf;

use super::Checker;
use crate::config::{
    exporter::ExporterTls,
    problem::Problem,
    source::{Place, Spot},
};

/// The keys of one target.
pub(super) struct RawOutgoingTls<'a> {
    pub(super) trust_anchors: Option<&'a Spot<Vec<Spot<String>>>>,
    pub(super) certificate: Option<&'a Spot<String>>,
    pub(super) private_key: Option<&'a Spot<String>>,
    pub(super) allow_tls12: Option<&'a Spot<bool>>,
}

impl Checker<'_> {
    /// `no_anchors` is the problem of a target that nobody could vouch for.
    pub(super) fn outgoing_tls(
        &self,
        raw: &RawOutgoingTls<'_>,
        https: bool,
        no_anchors: impl FnOnce() -> Problem,
    ) -> Option<ExporterTls> {
        if !https {
            self.nothing_of_tls(raw);
            return None;
        }
        let anchors = raw.trust_anchors.into_iter().flat_map(|list| &list.value);
        let trust_anchors: Vec<PathBuf> = anchors.map(|spot| self.file(spot, "trust anchor")).collect();
        if trust_anchors.is_empty() {
            self.found.add(no_anchors());
        }
        let client = match (raw.certificate, raw.private_key) {
            (Some(certificate), Some(key)) => {
                Some((self.file(certificate, "certificate"), self.file(key, "private key")))
            }
            (Some(spot), None) | (None, Some(spot)) => {
                let problem = Problem::error(spot.place, "`certificate` and `private_key` come together");
                self.found.add(problem.help("add the other one, or leave both out"));
                None
            }
            (None, None) => None,
        };
        Some(ExporterTls { trust_anchors, client, allow_tls12: raw.allow_tls12.is_some_and(|spot| spot.value) })
    }

    fn nothing_of_tls(&self, raw: &RawOutgoingTls<'_>) {
        let given: [(&str, Option<Place>); 4] = [
            ("trust_anchors", raw.trust_anchors.map(|spot| spot.place)),
            ("certificate", raw.certificate.map(|spot| spot.place)),
            ("private_key", raw.private_key.map(|spot| spot.place)),
            ("allow_tls12", raw.allow_tls12.map(|spot| spot.place)),
        ];
        for (key, place) in given.into_iter().filter_map(|(key, place)| Some((key, place?))) {
            let problem = Problem::error(place, format!("`{key}` means nothing without TLS"));
            self.found.add(problem.help("write the `url` with https://"));
        }
    }
}
