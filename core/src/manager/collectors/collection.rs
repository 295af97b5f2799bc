//! One collection: calls of the plugin, and between them what it wants fetched. Nothing is handed in here.
//!
//! In: the plugin's instance, its hosts, what it remembers. Out: reports for its components, or why there are none.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{fetch::Host, standing::Standing};
use crate::{
    clock::wall_time,
    collect::{Refusal, permitted, report::one_array},
    config::{
        CollectorConfig,
        limits::{COLLECTOR_COLLECTION, COLLECTOR_REPORTS, COLLECTOR_REQUESTS, COLLECTOR_ROUNDS},
    },
    plugin::{CollectedReport, CollectorInstance, Fetched, Get, LoadedCollector, PluginFailure, Step, Turn},
    telemetry::collector::CollectorMetrics,
};

/// What a collection works with, from one to the next.
pub(super) struct Means {
    pub(super) config: Arc<CollectorConfig>,
    pub(super) loaded: Arc<LoadedCollector>,
    /// `None` while a call is under way, and after one that was not waited for.
    pub(super) instance: Option<CollectorInstance>,
    pub(super) hosts: Vec<Host>,
    pub(super) memory: String,
    pub(super) metrics: Arc<CollectorMetrics>,
    pub(super) standing: Arc<Standing>,
}

/// Why a collection came to nothing.
#[derive(Debug)]
pub(super) enum Failed {
    /// The device, or what lies between.
    Device(String),
    /// The plugin itself.
    Plugin(PluginFailure),
}

impl Means {
    /// Collects once. Reports of a collection that fails do not count.
    pub(super) async fn collect(&mut self) -> Result<Vec<CollectedReport>, Failed> {
        match tokio::time::timeout(COLLECTOR_COLLECTION, self.rounds()).await {
            Ok(collected) => collected,
            Err(_) => Err(Failed::Device(format!("the collection was not over after {COLLECTOR_COLLECTION:?}"))),
        }
    }

    async fn rounds(&mut self) -> Result<Vec<CollectedReport>, Failed> {
        let (mut answers, mut reports, mut requests) = (Vec::new(), Vec::new(), 0);
        for round in 0..COLLECTOR_ROUNDS {
            let step = self.call(round, std::mem::take(&mut answers)).await?;
            self.memory = step.memory;
            for report in step.reports {
                let extension = one_array(&report.extension)
                    .map_err(|why| Failed::Plugin(PluginFailure::BadAnswer(format!("{}: {why}", report.component))))?;
                reports.push(CollectedReport { extension, ..report });
            }
            if reports.len() > COLLECTOR_REPORTS {
                let text = format!("a collection may have {COLLECTOR_REPORTS} reports");
                return Err(Failed::Plugin(PluginFailure::BadAnswer(text)));
            }
            if !step.failure.is_empty() {
                return Err(Failed::Device(step.failure));
            }
            if step.gets.is_empty() {
                return Ok(reports);
            }
            for get in step.gets {
                requests += 1;
                answers.push(self.fetch(get, requests).await);
            }
        }
        let text = format!("a collection may have {COLLECTOR_ROUNDS} calls, and this one asks for more");
        Err(Failed::Plugin(PluginFailure::BadAnswer(text)))
    }

    /// Calls the plugin, on a thread where that may take its time.
    async fn call(&mut self, round: u32, answers: Vec<Fetched>) -> Result<Step, Failed> {
        let now = u64::try_from(wall_time().0).unwrap_or(0);
        let turn = Turn { now, round, memory: self.memory.clone(), answers };
        let mut instance = self.instance.take().unwrap_or_else(|| self.loaded.instance());
        let called = tokio::task::spawn_blocking(move || (instance.collect(&turn), instance)).await;
        let (step, instance) = called.map_err(|_| {
            Failed::Plugin(PluginFailure::Trap("the call ended with a panic of the manager's own".to_owned()))
        })?;
        self.instance = Some(instance);
        step.map_err(Failed::Plugin)
    }

    async fn fetch(&mut self, get: Get, number: usize) -> Fetched {
        let permitted = match number {
            1..=COLLECTOR_REQUESTS => permitted(&get, self.loaded.hosts(), &self.config.http),
            _ => Err(Refusal::TooMany),
        };
        let (host, path) = match permitted {
            Ok(permitted) => permitted,
            Err(refusal) => return self.refused(get, &refusal),
        };
        let within: Duration = self.config.timeout;
        let Some(host) = self.hosts.get_mut(host) else { return self.refused(get, &Refusal::NotGranted) };
        self.metrics.requests.increment();
        let began = Instant::now();
        let got = host.get(&path, &get.accept, within).await;
        self.metrics.nanoseconds.add(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX));
        match got {
            Ok(got) => {
                self.metrics.bytes.add(got.body.len() as u64);
                Fetched { get, status: got.status, headers: got.headers, body: got.body, failure: String::new() }
            }
            Err(failure) => {
                self.metrics.requests_failed.increment();
                Fetched { get, failure, ..Fetched::default() }
            }
        }
    }

    fn refused(&self, get: Get, refusal: &Refusal) -> Fetched {
        self.loaded.refused();
        if let Some(counter) = self.metrics.requests_refused.get(refusal.index()) {
            counter.increment();
        }
        let path: String = get.path.chars().take(200).flat_map(char::escape_debug).collect();
        let host: String = get.host.chars().take(64).flat_map(char::escape_debug).collect();
        if self.standing.refused(wall_time(), format!("{host} {path}: {refusal}")) {
            tracing::warn!(collector = self.config.name, host, path, "A request was refused: {refusal}.");
        }
        Fetched { get, failure: format!("refused by the manager: {refusal}"), ..Fetched::default() }
    }
}
