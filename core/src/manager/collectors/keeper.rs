//! One collector at work: waits for its turn or for a request, collects, and hands in what came of it.
//!
//! While a collection fails its components are not connected, as one whose line is cut would not be: silence and requests
//! then mean what they always mean.

use std::{collections::HashMap, sync::Arc};

use futures_util::future::select_all;
use tokio::{sync::Semaphore, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    collection::{Failed, Means},
    session::{Gone, Session},
    trouble::Trouble,
};
use crate::{
    clock::wall_time,
    collect::{Schedule, report::joined},
    manager::live::Connections,
    model::ComponentRef,
    plugin::CollectedReport,
};

/// A collector's task.
pub(super) struct Keeper {
    pub(super) means: Means,
    pub(super) schedule: Schedule,
    pub(super) connections: Arc<Connections>,
    pub(super) turns: Arc<Semaphore>,
    pub(super) trouble: Trouble,
    pub(super) sessions: Vec<Session>,
}

impl Keeper {
    /// Collects until `stop`.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut random = fastrand::Rng::new();
        let mut wait = self.schedule.first(random.f64());
        loop {
            self.means.standing.waits_until(wall_time().plus(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)));
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.wait(Instant::now() + wait) => {}
            }
            let turns = Arc::clone(&self.turns);
            if turns.available_permits() == 0 {
                self.means.metrics.collections_waited.increment();
            }
            let turn = tokio::select! {
                () = stop.cancelled() => return,
                turn = turns.acquire() => turn,
            };
            let succeeded = tokio::select! {
                () = stop.cancelled() => return,
                succeeded = self.turn() => succeeded,
            };
            drop(turn);
            wait = self.schedule.after(succeeded, random.f64());
        }
    }

    /// Ready when it is time, or the manager asks for a report; keeps the connections meanwhile.
    async fn wait(&mut self, until: Instant) {
        loop {
            if self.sessions.iter().any(Session::is_asked) {
                return;
            }
            let keep_alive = self.sessions.iter().map(|session| session.keep_alive).min();
            let look = keep_alive.map_or(until, |keep_alive| until.min(Instant::now() + keep_alive));
            let asked = select_all_asked(&mut self.sessions);
            let gone = tokio::select! {
                gone = asked => gone,
                () = tokio::time::sleep_until(look) => None,
            };
            if let Some(gone) = gone {
                self.sessions.remove(gone);
                continue;
            }
            if Instant::now() >= until {
                return;
            }
            let mut stays = Vec::new();
            for mut session in std::mem::take(&mut self.sessions) {
                if session.stay().await.is_ok() {
                    stays.push(session);
                }
            }
            self.sessions = stays;
        }
    }

    /// A collection and what follows from it; whether it succeeded.
    async fn turn(&mut self) -> bool {
        let metrics = Arc::clone(&self.means.metrics);
        metrics.collections.increment();
        let handed_in = match self.means.collect().await {
            Ok(reports) => self.hand_in(reports).await,
            Err(failed) => Err(failed),
        };
        let (name, now) = (self.means.config.name.as_str(), wall_time());
        match handed_in {
            Ok(()) => {
                if self.means.standing.succeeded(now) {
                    tracing::info!(collector = name, "It collects again.");
                }
                self.trouble.over();
                true
            }
            Err(failed) => {
                metrics.collections_failed.increment();
                let why = match &failed {
                    Failed::Device(why) => why.clone(),
                    Failed::Plugin(failure) => format!("the plugin fails: {failure}"),
                };
                let first = why.lines().next().unwrap_or_default().to_owned();
                if self.means.standing.failed(now, &first) {
                    tracing::warn!(collector = name, why, "A collection failed; it is tried again.");
                }
                match failed {
                    Failed::Plugin(failure) => self.trouble.with_plugin(&failure),
                    Failed::Device(_) => self.trouble.over(),
                }
                // Dropped: whoever asks the components now finds that they are not there.
                self.sessions.clear();
                false
            }
        }
    }

    async fn hand_in(&mut self, reports: Vec<CollectedReport>) -> Result<(), Failed> {
        let mut by_component: HashMap<String, Vec<String>> = HashMap::new();
        for report in &reports {
            by_component.entry(report.component.clone()).or_default().push(report.extension.clone());
        }
        let peer = self.means.hosts.iter().find_map(|host| host.peer);
        for component in self.means.config.components.clone() {
            let Some(extensions) = by_component.remove(&component.to_string()) else {
                // It was not found there: nobody answers for it.
                self.sessions.retain(|session| *session.component() != component);
                continue;
            };
            if self.session(&component).is_none() {
                let (pipe, idle_timeout) =
                    self.connections.collect(&component, &self.means.config.name, peer).map_err(Failed::Device)?;
                self.sessions.push(Session::new(component.clone(), pipe, idle_timeout));
            }
            let metrics = Arc::clone(&self.means.metrics);
            let Some(session) = self.session(&component) else { continue };
            let refused = told(session, &extensions, &metrics).await;
            let refused =
                refused.map_err(|Gone| Failed::Device(format!("{component}: the manager closed its connection")))?;
            if let Some(why) = refused {
                return Err(Failed::Device(format!("{component}: the manager answered {why}")));
            }
        }
        Ok(())
    }

    fn session(&mut self, component: &ComponentRef) -> Option<&mut Session> {
        self.sessions.iter_mut().find(|session| session.component() == component)
    }
}

/// Says the reports, in answer to a request where there is one; the reason if one was refused.
async fn told(
    session: &mut Session,
    extensions: &[String],
    metrics: &crate::telemetry::collector::CollectorMetrics,
) -> Result<Option<String>, Gone> {
    if session.is_asked() {
        session.answer(&joined(extensions)).await?;
        metrics.reports.increment();
        return Ok(None);
    }
    let mut refused = None;
    for extension in extensions {
        metrics.reports.increment();
        if let Some(why) = session.report(extension).await? {
            metrics.reports_refused.increment();
            refused.get_or_insert(why);
        }
    }
    Ok(refused)
}

/// Ready when one of them is asked for a report, or its connection is gone: then with its place.
async fn select_all_asked(sessions: &mut [Session]) -> Option<usize> {
    if sessions.is_empty() {
        return std::future::pending().await;
    }
    let waiting = sessions.iter_mut().map(|session| Box::pin(session.asked()));
    let (asked, place, _) = select_all(waiting).await;
    asked.err().map(|Gone| place)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn nobody_is_waited_for_where_nobody_is_connected() {
        let none = tokio::time::timeout(Duration::from_millis(1), select_all_asked(&mut [])).await;
        assert!(none.is_err());
    }
}
