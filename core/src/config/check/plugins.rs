//! Checks of `[[handlers]]` and `[[policies]]`. What a plugin thinks of its own `config` is asked later, by whoever loads
//! it; the places kept here let its answer be shown in the user's file.

use std::collections::HashMap;

use super::Checker;
use crate::{
    config::{
        ComponentMatch, HandlerConfig, OnFailure, PluginSource, PolicyConfig, PolicyMode,
        problem::Problem,
        raw::{RawHandler, RawPolicy},
        raw_match::RawMatch,
        source::{Place, Spot},
        tree::{Node, to_json},
    },
    model::ReferencePoint,
};

/// Where handlers and policies are written, by name.
#[derive(Clone, Debug, Default)]
pub struct PluginPlaces {
    /// Of `[[handlers]]`; the standard handlers are in no file.
    pub handlers: HashMap<String, EntryPlaces>,
    /// Of `[[policies]]`.
    pub policies: HashMap<String, EntryPlaces>,
    /// Of `[[collectors]]`.
    pub collectors: HashMap<String, EntryPlaces>,
    /// Of the files of exchange policies.
    pub exchange: HashMap<String, EntryPlaces>,
}

/// Where one of them is written.
#[derive(Clone, Debug)]
pub struct EntryPlaces {
    /// Its table.
    pub table: Place,
    /// Its `plugin`.
    pub plugin: Place,
    /// Its `sha256`.
    pub sha256: Option<Place>,
    /// Its `then`, of a handler.
    pub then: Option<Place>,
    /// Its `config`, whole.
    pub config: Option<Node>,
}

impl Checker<'_> {
    /// The handlers in order, and the standard ones behind them.
    pub(super) fn handlers(&self, raw: Vec<RawHandler>) -> (Vec<HandlerConfig>, HashMap<String, EntryPlaces>) {
        self.unique("handler", raw.iter().filter_map(|handler| handler.name.clone()));
        let written: Vec<String> =
            raw.iter().filter_map(|handler| Some(handler.name.as_ref()?.value.clone())).collect();
        let mut places = HashMap::new();
        let mut handlers: Vec<HandlerConfig> = Vec::new();
        for raw in raw {
            if let Some((handler, place)) = self.handler(raw) {
                places.insert(handler.name.clone(), place);
                handlers.push(handler);
            }
        }
        handlers.extend(ReferencePoint::ALL.into_iter().map(standard_handler));
        self.chains(&handlers, &places, &written);
        (handlers, places)
    }

    fn handler(&self, raw: RawHandler) -> Option<(HandlerConfig, EntryPlaces)> {
        let sha256 = self.pin(raw.sha256.as_ref());
        let matches = self.matches(&raw.matches);
        let source = raw.plugin.as_ref().and_then(|spot| self.plugin_source(spot, sha256.is_some()));
        let (config, config_node) = self.plugin_config(raw.config, raw.config_files.as_ref());
        let allow_key_names = raw.allow_key_names.map(|list| list.value).unwrap_or_default();
        for path in allow_key_names.iter().filter(|path| path.value.trim().is_empty()) {
            self.found.add(Problem::error(path.place, "an empty path exempts nothing").label("expected a path"));
        }
        let name_spot = raw.name?;
        let name = self.name(&name_spot)?;
        if let Some(point) = standard_name(&name) {
            let problem = Problem::error(name_spot.place, format!("`{name}` is the name of a standard handler"))
                .help(format!("call it otherwise, such as \"{point}-acme\"; the standard handler is there by itself"));
            self.found.add(problem);
        }
        let places = EntryPlaces {
            table: raw.place,
            plugin: raw.plugin.as_ref().map_or(raw.place, |spot| spot.place),
            sha256: raw.sha256.map(|spot| spot.place),
            then: raw.then.as_ref().map(|spot| spot.place),
            config: config_node,
        };
        let handler = HandlerConfig {
            name,
            reference_point: raw.reference_point?.value,
            matches,
            plugin: source?,
            sha256,
            on_failure: raw.on_failure.map_or(OnFailure::Reject, |spot| spot.value),
            then: raw.then.as_ref().map(|spot| spot.value.clone()),
            allow_key_names: allow_key_names.into_iter().map(|path| path.value).collect(),
            config,
        };
        Some((handler, places))
    }

    /// The policies in order.
    pub(super) fn policies(&self, raw: Vec<RawPolicy>) -> (Vec<PolicyConfig>, HashMap<String, EntryPlaces>) {
        self.unique("policy", raw.iter().filter_map(|policy| policy.name.clone()));
        let mut places = HashMap::new();
        let mut policies = Vec::new();
        for raw in raw {
            if let Some((policy, place)) = self.policy(raw) {
                places.insert(policy.name.clone(), place);
                policies.push(policy);
            }
        }
        (policies, places)
    }

    fn policy(&self, raw: RawPolicy) -> Option<(PolicyConfig, EntryPlaces)> {
        let sha256 = self.pin(raw.sha256.as_ref());
        let applies_to = self.matches(&raw.applies_to);
        let source = raw.plugin.as_ref().and_then(|spot| self.plugin_source(spot, sha256.is_some()));
        let (config, config_node) = self.plugin_config(raw.config, raw.config_files.as_ref());
        let name = raw.name.and_then(|spot| self.name(&spot));
        let places = EntryPlaces {
            table: raw.place,
            plugin: raw.plugin.as_ref().map_or(raw.place, |spot| spot.place),
            sha256: raw.sha256.map(|spot| spot.place),
            then: None,
            config: config_node,
        };
        let policy = PolicyConfig {
            name: name?,
            function: raw.function?.value,
            plugin: source?,
            sha256,
            applies_to,
            mode: raw.mode.map_or(PolicyMode::Active, |spot| spot.value),
            config,
        };
        Some((policy, places))
    }

    pub(super) fn plugin_config(
        &self,
        mut node: Option<Node>,
        files: Option<&Node>,
    ) -> (serde_json::Value, Option<Node>) {
        let mut problems = Vec::new();
        let mut value = match &node {
            Some(node) => to_json(node, &mut problems),
            None => serde_json::Value::Object(serde_json::Map::new()),
        };
        problems.into_iter().for_each(|problem| self.found.add(problem));
        self.config_files(files, &mut value, &mut node);
        (value, node)
    }

    pub(super) fn pin(&self, spot: Option<&Spot<String>>) -> Option<String> {
        spot.filter(|spot| !spot.value.is_empty()).and_then(|spot| self.digest(spot, "sha256"))
    }

    pub(super) fn plugin_source(&self, spot: &Spot<String>, pinned: bool) -> Option<PluginSource> {
        if let Some(name) = spot.value.strip_prefix("builtin:") {
            if name.is_empty() {
                let problem = Problem::error(spot.place, "`plugin` names no built-in plugin");
                self.found.add(problem.label("expected a name after the colon, such as \"builtin:threshold\""));
                return None;
            }
            return Some(PluginSource::Builtin(name.to_owned()));
        }
        if let Some(path) = spot.value.strip_prefix("native:") {
            return self.native_source(spot, path, pinned);
        }
        Some(PluginSource::File(self.file(spot, "plugin")))
    }

    /// A native plugin may be named only where native plugins are allowed, and should be pinned.
    fn native_source(&self, spot: &Spot<String>, path: &str, pinned: bool) -> Option<PluginSource> {
        if !self.allow_native {
            let problem = Problem::error(spot.place, "native plugins are not allowed")
                .label("it would run inside the manager, with all its rights")
                .help("build the plugin as WebAssembly, or set `allow_native = true` in [plugins] if you trust it");
            self.found.add(problem);
            return None;
        }
        if path.is_empty() {
            let problem = Problem::error(spot.place, "`plugin` names no library");
            self.found.add(problem.label("expected a path after the colon, such as \"native:plugins/libacme.so\""));
            return None;
        }
        if !pinned {
            let problem = Problem::warning(spot.place, "a native plugin without `sha256`")
                .label("whoever can write this file can do all that the manager can")
                .help("pin it: `sha256sum` prints what `sha256` is to be");
            self.found.add(problem);
        }
        let path = Spot { value: path.to_owned(), place: spot.place };
        Some(PluginSource::Native(self.file(&path, "plugin")))
    }

    pub(super) fn matches(&self, raw: &RawMatch) -> ComponentMatch {
        let globs = |list: &[Spot<String>]| {
            list.iter().for_each(|glob| self.glob(glob));
            list.iter().map(|glob| glob.value.clone()).collect()
        };
        ComponentMatch {
            reference_points: raw.reference_points.iter().map(|spot| spot.value).collect(),
            id: globs(&raw.id),
            vendor: globs(&raw.vendor),
            model: globs(&raw.model),
            version: globs(&raw.version),
            site: globs(&raw.site),
            tags: globs(&raw.tags),
            any: self.match_parts("any", &raw.any),
            not: self.match_parts("not", &raw.not),
        }
    }

    fn match_parts(&self, key: &str, parts: &[RawMatch]) -> Vec<ComponentMatch> {
        let part = |raw: &RawMatch| {
            let part = self.matches(raw);
            if part == ComponentMatch::default() {
                let label = if key == "any" { "so `any` restricts nothing" } else { "so there is none left" };
                let problem = Problem::warning(raw.place, "an empty table matches every component");
                self.found.add(problem.label(label));
            }
            part
        };
        parts.iter().map(part).collect()
    }

    fn glob(&self, glob: &Spot<String>) {
        if glob.value.is_empty() {
            let problem = Problem::error(glob.place, "an empty pattern matches no component");
            self.found.add(problem.label("expected a pattern such as \"q*\"").help("leave the key out to match all"));
        } else if glob.value.contains(['[', ']', '{', '}', '\\']) {
            let problem = Problem::warning(glob.place, "only `*` and `?` are special in a pattern")
                .label("brackets, braces and backslashes stand for themselves");
            self.found.add(problem);
        }
    }
}

fn standard_name(name: &str) -> Option<ReferencePoint> {
    name.strip_suffix("-standard").and_then(|point| point.parse().ok())
}

fn standard_handler(point: ReferencePoint) -> HandlerConfig {
    HandlerConfig {
        name: format!("{point}-standard"),
        reference_point: point,
        matches: ComponentMatch::default(),
        plugin: PluginSource::Builtin(point.as_str().to_owned()),
        sha256: None,
        on_failure: OnFailure::Reject,
        then: None,
        allow_key_names: Vec::new(),
        config: serde_json::Value::Object(serde_json::Map::new()),
    }
}
