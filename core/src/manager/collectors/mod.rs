//! Collectors: plugins that ask devices which do not report by themselves, each a task.
//!
//! In: `[[collectors]]`, plugins loaded. Out: connections of their components inside the process, over which status reports
//! come like those of any component. What may be fetched and when is `collect`'s to say; certificates stay in `fetch`, and
//! no plugin sees them. A device that is slow holds up nobody but its own collector.

mod collection;
mod fetch;
mod keeper;
mod session;
mod standing;
mod trouble;

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{collection::Means, fetch::Host, keeper::Keeper, standing::Standing, trouble::Trouble};
use super::{alarms::AlarmDesk, live::Connections};
use crate::{
    api::views::{CollectorHostView, CollectorState, CollectorView, RefusedRequests},
    collect::{Refusal, Schedule},
    config::{CollectorConfig, limits::COLLECTIONS_AT_ONCE},
    model::ComponentRef,
    net::OutgoingTls,
    plugin::{LoadedCollector, PluginError, PluginHost},
    telemetry::{collector::CollectorMetrics, metrics::Metrics},
};

/// A collector that is ready to begin.
pub struct Prepared {
    config: Arc<CollectorConfig>,
    loaded: Arc<LoadedCollector>,
    tls: HostsTls,
}

/// Why collectors do not start.
#[derive(Debug, thiserror::Error)]
pub enum CollectorsError {
    /// A plugin.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// Certificates and keys, all problems.
    #[error("{}", .0.join("\n"))]
    Hosts(Vec<String>),
}

/// TLS of a collector's hosts, in their order; `None` for one without TLS.
type HostsTls = Vec<Option<OutgoingTls>>;

/// TLS of a collector's hosts, or every problem; and warnings.
pub fn load_hosts(config: &CollectorConfig) -> (Result<HostsTls, Vec<String>>, Vec<String>) {
    let (mut all, mut problems, mut warnings) = (Vec::new(), Vec::new(), Vec::new());
    for host in &config.http {
        let of = |text: String| format!("host {}: {text}", host.name);
        match host.tls.as_ref().map(OutgoingTls::load).transpose() {
            Ok(loaded) => {
                let (tls, more) = loaded.unzip();
                warnings.extend(more.into_iter().flatten().map(|warning| of(warning.0)));
                all.push(tls);
            }
            Err(errors) => problems.extend(errors.iter().map(|error| of(error.to_string()))),
        }
    }
    (if problems.is_empty() { Ok(all) } else { Err(problems) }, warnings)
}

/// Loads plugins, certificates and keys.
pub fn prepare(configs: &[CollectorConfig], host: &PluginHost) -> Result<Vec<Prepared>, CollectorsError> {
    let mut prepared = Vec::new();
    let mut problems = Vec::new();
    for config in configs {
        let loaded = host.load_collector(config)?;
        for name in loaded.hosts().filter(|name| !config.http.iter().any(|granted| granted.name == *name)) {
            tracing::warn!(
                collector = config.name,
                host = name,
                "The plugin asks for a host that is not granted: add [[collectors.http]] with this name and its url."
            );
        }
        for granted in config.http.iter().filter(|granted| !loaded.hosts().any(|name| name == granted.name)) {
            tracing::warn!(
                collector = config.name,
                host = granted.name,
                "A host is granted that the plugin does not ask for; it cannot be reached."
            );
        }
        let (tls, warnings) = load_hosts(config);
        warnings.iter().for_each(|warning| tracing::warn!(collector = config.name, "{warning}"));
        match tls {
            Ok(tls) => prepared.push(Prepared { config: Arc::new(config.clone()), loaded, tls }),
            Err(more) => problems.extend(more.into_iter().map(|text| format!("collector {}: {text}", config.name))),
        }
    }
    if problems.is_empty() { Ok(prepared) } else { Err(CollectorsError::Hosts(problems)) }
}

/// One that runs, as people see it.
struct Shown {
    config: Arc<CollectorConfig>,
    loaded: Arc<LoadedCollector>,
    standing: Arc<Standing>,
    metrics: Arc<CollectorMetrics>,
}

/// All collectors of a manager.
pub struct Collectors(Vec<Shown>);

impl Collectors {
    /// Starts them; they end with `stop`.
    #[must_use]
    pub fn start(
        prepared: Vec<Prepared>,
        connections: &Arc<Connections>,
        (desk, manager): (&AlarmDesk, &str),
        metrics: &Metrics,
        (tasks, stop): (&TaskTracker, &CancellationToken),
    ) -> Arc<Self> {
        let turns = Arc::new(Semaphore::new(COLLECTIONS_AT_ONCE));
        let mut all = Vec::new();
        for Prepared { config, loaded, tls } in prepared {
            let counters = Arc::clone(metrics.collectors.entry(config.name.clone()).or_default().value());
            let standing = Arc::new(Standing::default());
            let hosts = config.http.iter().cloned().zip(tls).map(|(host, tls)| Host::new(host, tls)).collect();
            let means = Means {
                config: Arc::clone(&config),
                loaded: Arc::clone(&loaded),
                instance: None,
                hosts,
                memory: String::new(),
                metrics: Arc::clone(&counters),
                standing: Arc::clone(&standing),
            };
            let keeper = Keeper {
                means,
                schedule: Schedule::new(config.interval, config.retry_max),
                connections: Arc::clone(connections),
                turns: Arc::clone(&turns),
                trouble: Trouble::new(desk.clone(), manager.to_owned(), config.name.clone()),
                sessions: Vec::new(),
            };
            tasks.spawn(keeper.run(stop.clone()));
            all.push(Shown { config, loaded, standing, metrics: counters });
        }
        Arc::new(Self(all))
    }

    /// All of them, in the order of the configuration.
    #[must_use]
    pub fn list(&self) -> Vec<CollectorView> {
        self.0.iter().map(Shown::view).collect()
    }

    /// How each is configured, and its plugin.
    pub(super) fn loaded(&self) -> impl Iterator<Item = (&CollectorConfig, &LoadedCollector)> {
        self.0.iter().map(|one| (&*one.config, &*one.loaded))
    }

    /// The name of the collector that reports for a component.
    #[must_use]
    pub fn of(&self, component: &ComponentRef) -> Option<String> {
        let found = self.0.iter().find(|one| one.config.components.contains(component));
        found.map(|one| one.config.name.clone())
    }
}

impl Shown {
    fn view(&self) -> CollectorView {
        let (config, metrics, lately) = (&self.config, &self.metrics, self.standing.get());
        let hosts = config.http.iter().map(|host| CollectorHostView {
            name: host.name.clone(),
            url: host.url.to_string(),
            asked_for: self.loaded.hosts().any(|name| name == host.name),
        });
        let ungranted = self.loaded.hosts().filter(|name| !config.http.iter().any(|host| host.name == *name));
        let refused = Refusal::NAMES
            .iter()
            .zip(&metrics.requests_refused)
            .filter(|(_, counter)| counter.get() > 0)
            .map(|(why, counter)| RefusedRequests { why: (*why).to_owned(), requests: counter.get() });
        let milliseconds = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        CollectorView {
            name: config.name.clone(),
            components: config.components.clone(),
            plugin: config.plugin.to_string(),
            sha256: self.loaded.digest().to_owned(),
            state: match (&lately.failing_since, &lately.last_success) {
                (Some(_), _) => CollectorState::Failing,
                (None, Some(_)) => CollectorState::Working,
                (None, None) => CollectorState::New,
            },
            hosts: hosts.collect(),
            not_granted: ungranted.map(str::to_owned).collect(),
            interval_ms: milliseconds(config.interval),
            collections: metrics.collections.get(),
            collections_failed: metrics.collections_failed.get(),
            requests: metrics.requests.get(),
            requests_failed: metrics.requests_failed.get(),
            requests_refused: refused.collect(),
            reports: metrics.reports.get(),
            reports_refused: metrics.reports_refused.get(),
            last_success: lately.last_success,
            failing_since: lately.failing_since,
            last_error_time: lately.last_error.as_ref().map(|(at, _)| *at),
            last_error: lately.last_error.map(|(_, why)| why),
            last_refusal: lately.last_refusal.map(|(_, what)| what),
            next_collection: lately.next,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_counted_under_the_names_that_metrics_have() {
        assert_eq!(Refusal::NAMES, crate::api::metrics_text::COLLECTOR_REFUSALS);
        let all = [Refusal::NotAsked, Refusal::NotGranted, Refusal::Keys, Refusal::Malformed(""), Refusal::TooMany];
        assert_eq!(all.map(|refusal| refusal.index()), [0, 1, 2, 3, 4]);
    }
}
