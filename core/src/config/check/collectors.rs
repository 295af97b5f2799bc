//! Checks of `[[collectors]]`: whom they report for, whom they may ask, and that it can be spoken with as written.

use std::{collections::HashMap, time::Duration};

use super::{Checker, exporters::read_url, outgoing_tls::RawOutgoingTls, plugins::EntryPlaces};
use crate::{
    config::{
        ComponentConfig, InterfaceConfig,
        collector::{CollectorConfig, HostConfig},
        exporter::{ExporterTls, ExporterUrl},
        limits,
        problem::Problem,
        raw_collector::{RawCollector, RawHost},
        source::Spot,
    },
    model::ComponentRef,
};

impl Checker<'_> {
    /// The collectors in order.
    pub(super) fn collectors(
        &self,
        raw: Vec<RawCollector>,
        components: &[ComponentConfig],
        interfaces: &[InterfaceConfig],
    ) -> (Vec<CollectorConfig>, HashMap<String, EntryPlaces>) {
        self.unique("collector", raw.iter().filter_map(|raw| raw.name.clone()));
        if let Some(one) = raw.get(limits::COLLECTORS) {
            let text = format!("there are {} collectors; at most {} are served", raw.len(), limits::COLLECTORS);
            self.found.add(Problem::error(one.place, text));
        }
        self.each_component_has_one(&raw);
        let (mut collectors, mut places) = (Vec::new(), HashMap::new());
        for raw in raw {
            if let Some((collector, place)) = self.collector(raw, components, interfaces) {
                places.insert(collector.name.clone(), place);
                collectors.push(collector);
            }
        }
        (collectors, places)
    }

    fn each_component_has_one(&self, raw: &[RawCollector]) {
        let mut first: HashMap<&str, &Spot<String>> = HashMap::new();
        for text in raw.iter().flat_map(|raw| raw.components.iter().flat_map(|list| &list.value)) {
            if let Some(other) = first.insert(&text.value, text) {
                let problem = Problem::error(text.place, format!("`{}` is collected twice", text.value));
                self.found.add(problem.related(other.place, "the other one"));
            }
        }
    }

    fn collector(
        &self,
        raw: RawCollector,
        components: &[ComponentConfig],
        interfaces: &[InterfaceConfig],
    ) -> Option<(CollectorConfig, EntryPlaces)> {
        let sha256 = self.pin(raw.sha256.as_ref());
        let source = raw.plugin.as_ref().and_then(|spot| self.plugin_source(spot, sha256.is_some()));
        let (config, config_node) = self.plugin_config(raw.config, raw.config_files.as_ref());
        let name = raw.name.as_ref().and_then(|spot| self.name_in_paths(spot, "collector"));
        let texts = raw.components.iter().flat_map(|list| &list.value);
        let wanted: Vec<Option<ComponentRef>> =
            texts.map(|text| self.collected(text, components, interfaces)).collect();
        if let Some(list) = raw.components.as_ref().filter(|list| list.value.is_empty()) {
            self.found.add(Problem::error(list.place, "a collector without components has nobody to report for"));
        }
        if let Some(list) = raw.components.as_ref().filter(|list| list.value.len() > limits::COLLECTOR_COMPONENTS) {
            let label = format!("at most {} components", limits::COLLECTOR_COMPONENTS);
            self.found.add(Problem::error(list.place, "a collector has too many components").label(label));
        }
        self.unique("host", raw.http.iter().filter_map(|host| host.name.clone()));
        if let Some(one) = raw.http.get(limits::COLLECTOR_HOSTS) {
            let text = format!("a collector may be granted {} hosts", limits::COLLECTOR_HOSTS);
            self.found.add(Problem::error(one.place, text));
        }
        let http: Vec<Option<HostConfig>> = raw.http.iter().map(|host| self.host(host)).collect();
        let time = |spot: &Option<Spot<Duration>>, default| spot.as_ref().map_or(default, |spot| spot.value);
        let interval = time(&raw.interval, limits::COLLECTOR_INTERVAL);
        if let Some(most) = raw.retry_max.as_ref().filter(|most| most.value < interval) {
            let problem = Problem::error(most.place, "`retry_max` is shorter than `interval`");
            self.found.add(problem.help("after a failure it waits longer than usual, not shorter"));
        }
        let places = EntryPlaces {
            table: raw.place,
            plugin: raw.plugin.as_ref().map_or(raw.place, |spot| spot.place),
            sha256: raw.sha256.map(|spot| spot.place),
            then: None,
            config: config_node,
        };
        let collector = CollectorConfig {
            name: name?,
            components: wanted.into_iter().collect::<Option<Vec<_>>>()?,
            plugin: source?,
            sha256,
            http: http.into_iter().collect::<Option<Vec<_>>>()?,
            interval,
            timeout: time(&raw.timeout, limits::COLLECTOR_TIMEOUT),
            retry_max: time(&raw.retry_max, limits::COLLECTOR_RETRY_MAX.max(interval)),
            config,
        };
        Some((collector, places))
    }

    /// A component that a collector reports for: one of the configuration, at an interface that is there.
    fn collected(
        &self,
        text: &Spot<String>,
        components: &[ComponentConfig],
        interfaces: &[InterfaceConfig],
    ) -> Option<ComponentRef> {
        let Ok(component) = text.value.parse::<ComponentRef>() else {
            let problem = Problem::error(text.place, format!("`{}` names no component", text.value));
            self.found.add(problem.label("expected REFERENCE-POINT/ID, such as \"mk/kme-1\""));
            return None;
        };
        let point = component.reference_point;
        if !components.iter().any(|known| known.component == component) {
            let problem = Problem::error(text.place, format!("`{component}` is not in [[components]]"));
            let (id, sample) = (&component.id, "vendor, model and the like as for every other");
            self.found.add(
                problem.help(format!("add [[components]] with id = \"{id}\", reference_point = \"{point}\"; {sample}")),
            );
            return None;
        }
        if !interfaces.iter().any(|interface| interface.reference_point == point) {
            let problem = Problem::error(text.place, format!("there is no [interfaces.{point}]"));
            self.found
                .add(problem.help(format!("what is collected for {component} goes by its limits: add the table")));
            return None;
        }
        Some(component)
    }

    fn host(&self, raw: &RawHost) -> Option<HostConfig> {
        let name = raw.name.as_ref().and_then(|spot| self.name_in_paths(spot, "host"));
        let spot = raw.url.as_ref()?;
        let url = match read_url(&spot.value, None) {
            Ok(url) if url.path.contains('?') => Err("a query belongs to each request, not here".to_owned()),
            other => other,
        };
        let url = match url {
            Ok(url) => url,
            Err(label) => {
                let problem = Problem::error(spot.place, "`url` cannot be used").label(label);
                self.found.add(problem.help("write it as \"https://kme-1.example.net:8443\""));
                return None;
            }
        };
        if !url.https && !url.is_loopback() {
            let problem = Problem::warning(spot.place, "the host is spoken to without TLS");
            self.found.add(problem.label("anybody on the way can answer in its place"));
        }
        let tls = self.host_tls(raw, &url);
        Some(HostConfig { name: name?, url, tls })
    }

    fn host_tls(&self, raw: &RawHost, url: &ExporterUrl) -> Option<ExporterTls> {
        let keys = RawOutgoingTls {
            trust_anchors: raw.trust_anchors.as_ref(),
            certificate: raw.certificate.as_ref(),
            private_key: raw.private_key.as_ref(),
            allow_tls12: raw.allow_tls12.as_ref(),
        };
        self.outgoing_tls(&keys, url.https, || {
            Problem::error(raw.place, "[[collectors.http]] with https has no `trust_anchors`")
                .help("add trust_anchors = [\"pki/devices-ca.pem\"], the authorities that may vouch for the host")
        })
    }
}

/// A component that is collected and has no `expected_interval` is expected to be heard of at every other collection: one
/// that cannot be collected is silent like one that does not report.
pub(super) fn expect_collected(collectors: &[CollectorConfig], components: &mut [ComponentConfig]) {
    for one in components.iter_mut().filter(|one| one.expected_interval.is_none()) {
        let collector = collectors.iter().find(|collector| collector.components.contains(&one.component));
        one.expected_interval = collector.map(|collector| collector.interval.saturating_mul(2));
    }
}
