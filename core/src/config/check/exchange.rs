//! Checks of exchange policies: their files, and the lists that name them. What a plugin thinks of its own `config` is asked later,
//! by whoever loads it.

use std::{collections::HashMap, path::PathBuf};

use super::{Checker, plugins::EntryPlaces};
use crate::config::{
    PluginSource, federation::ExchangeConfig, limits::EXCHANGE_POLICIES, problem::Problem, raw_exchange::RawExchange,
    source::Spot,
};

impl Checker<'_> {
    /// The policies of all files, and where they are written, by name.
    pub(super) fn exchange(&self, raw: Vec<RawExchange>) -> (Vec<ExchangeConfig>, HashMap<String, EntryPlaces>) {
        let (mut policies, mut places) = (Vec::new(), HashMap::new());
        for raw in raw {
            let sha256 = self.pin(raw.sha256.as_ref());
            let source = raw.plugin.as_ref().and_then(|spot| self.exchange_source(spot, sha256.is_some()));
            let (config, node) = self.plugin_config(raw.config, raw.config_files.as_ref());
            let Some(plugin) = source else { continue };
            let place = EntryPlaces {
                table: raw.place,
                plugin: raw.plugin.as_ref().map_or(raw.place, |spot| spot.place),
                sha256: raw.sha256.map(|spot| spot.place),
                then: None,
                config: node,
            };
            let policy = ExchangeConfig { path: raw.path, plugin, sha256, config };
            places.insert(policy.name(), place);
            policies.push(policy);
        }
        (policies, places)
    }

    fn exchange_source(&self, spot: &Spot<String>, pinned: bool) -> Option<PluginSource> {
        if spot.value.starts_with("native:") {
            let problem = Problem::error(spot.place, "an exchange policy cannot be a native plugin");
            self.found.add(problem.label("it would have no limits").help("build it as WebAssembly"));
            return None;
        }
        self.plugin_source(spot, pinned)
    }

    /// A list of files, in its order.
    pub(super) fn exchange_files(&self, list: Option<&Spot<Vec<Spot<String>>>>, what: &str) -> Vec<PathBuf> {
        let Some(list) = list else { return Vec::new() };
        if list.value.len() > EXCHANGE_POLICIES {
            let problem = Problem::error(list.place, format!("there are {} policies in this list", list.value.len()));
            self.found.add(problem.label(format!("expected at most {EXCHANGE_POLICIES}")));
        }
        self.unique(what, list.value.iter().cloned());
        list.value.iter().map(|spot| self.file(spot, what)).collect()
    }
}
