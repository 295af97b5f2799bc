//! The task that takes events of one exporter out of its outbox and to its target, one request after the other.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{
    credentials::Credentials,
    http_target::{Answer, HttpTarget},
    request::{Prepared, ends, of_alerts, of_events},
    standing::Standing,
    store::{Outgoing, Store},
};
use crate::{
    alarm::AlarmBoard,
    clock::wall_time,
    config::{ExporterConfig, exporter::ExporterKind, limits::EXPORTER_STOP},
    export::{Origin, alertmanager, answer, answer::Verdict, backoff::Backoff},
    telemetry::exporter::ExporterMetrics,
};

/// What one exporter's task works with.
#[derive(Clone)]
pub(super) struct Post {
    pub(super) index: usize,
    pub(super) config: Arc<ExporterConfig>,
    pub(super) credentials: Arc<Credentials>,
    pub(super) origin: Arc<Origin>,
    pub(super) store: Arc<Store>,
    pub(super) board: Arc<AlarmBoard>,
    pub(super) standing: Arc<Standing>,
    pub(super) metrics: Arc<ExporterMetrics>,
    /// An operator wants it tried at once.
    pub(super) again: Arc<Notify>,
}

pub(super) struct Delivery {
    post: Post,
    target: HttpTarget,
    fresh: Arc<Notify>,
    backoff: Backoff,
    random: fastrand::Rng,
    /// So many events go in requests of their own, after a request with several was refused.
    singly: usize,
    /// The event that was refused, and how often in a row.
    refused: (u64, u32),
    /// When raised alarms are sent again; always in the past for whoever has no such thing to do.
    resend_at: Instant,
}

/// What became of a request.
struct Said {
    verdict: Verdict,
    /// What went wrong.
    why: String,
    retry_after: Option<Duration>,
}

/// What a turn came to.
enum Turn {
    /// Go on at once.
    More,
    /// Nothing is there to be done.
    Idle,
    /// Not now.
    Wait(Duration),
}

impl Delivery {
    pub(super) fn new(post: Post) -> Self {
        let config = &post.config;
        Self {
            target: HttpTarget::new(Arc::clone(config), Arc::clone(&post.credentials)),
            fresh: post.store.fresh(post.index),
            backoff: Backoff::new(config.retry_min, config.retry_max),
            random: fastrand::Rng::new(),
            singly: 0,
            refused: (0, 0),
            // At once: the manager may have been away for longer than the target remembers.
            resend_at: Instant::now(),
            post,
        }
    }

    fn resends(&self) -> bool {
        self.post.config.kind == ExporterKind::Alertmanager
    }

    /// Delivers until `stop`.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        loop {
            let Some(turn) = self.turn_unless(&stop).await else { return };
            let wait = match turn {
                Turn::More => continue,
                Turn::Idle if self.resends() => self.resend_at.saturating_duration_since(Instant::now()),
                Turn::Idle => Duration::MAX,
                Turn::Wait(wait) => wait,
            };
            let idle = matches!(turn, Turn::Idle);
            let (fresh, again) = (Arc::clone(&self.fresh), Arc::clone(&self.post.again));
            tokio::select! {
                () = stop.cancelled() => return,
                () = again.notified() => self.backoff.reset(),
                () = fresh.notified(), if idle => {}
                () = tokio::time::sleep(wait.min(Duration::from_secs(86_400))) => {}
            }
        }
    }

    /// A turn; `None` if it was to end. A request under way may still be answered, so that what arrived is not sent again.
    async fn turn_unless(&mut self, stop: &CancellationToken) -> Option<Turn> {
        if stop.is_cancelled() {
            return None;
        }
        let turn = self.turn();
        tokio::pin!(turn);
        tokio::select! {
            turn = &mut turn => return Some(turn),
            () = stop.cancelled() => {}
        }
        let _answered = tokio::time::timeout(EXPORTER_STOP, turn).await;
        None
    }

    async fn turn(&mut self) -> Turn {
        if self.resends() && Instant::now() >= self.resend_at {
            if let Some(wait) = self.resend().await {
                return wait;
            }
            self.resend_at = Instant::now() + self.post.config.resend_interval;
        }
        let most = if self.singly > 0 { 1 } else { self.post.config.batch_size };
        let (store, index) = (Arc::clone(&self.post.store), self.post.index);
        let events = tokio::task::spawn_blocking(move || store.next(index, most)).await;
        match events {
            Ok(Ok(events)) if events.is_empty() => Turn::Idle,
            Ok(Ok(events)) => self.send(events).await,
            // The disk refuses, which is told elsewhere.
            _ => Turn::Wait(self.post.config.retry_min),
        }
    }

    /// Sends again what fires at the target and of which nothing new waits. What to do instead, if that did not succeed.
    async fn resend(&mut self) -> Option<Turn> {
        let post = self.post.clone();
        let now = wall_time();
        let firing = post.store.firing(post.index);
        let alerts = firing.into_iter().filter_map(|(id, severity)| {
            let alarm = post.board.find(id).filter(|alarm| !alarm.is_cleared && alarm.report.severity == severity)?;
            let (function, _) = post.store.judge(post.index, &alarm);
            Some(alertmanager::alert(&alarm, function, severity, &post.origin, ends(&post.config, now)))
        });
        let alerts: Vec<serde_json::Value> = alerts.collect();
        for part in alerts.chunks(post.config.batch_size) {
            let said = self.ask(&of_alerts(&post.credentials, part.to_vec(), Vec::new())).await;
            match said.verdict {
                Verdict::Delivered => {}
                // Each was taken before: that the target wants one no more holds up nothing else.
                Verdict::Refused => {
                    tracing::warn!(exporter = post.config.name, why = said.why, "Alerts were refused when sent again.");
                }
                Verdict::Later => return Some(self.later(said.retry_after, &said.why)),
            }
        }
        None
    }

    /// Sends a request and keeps the standing.
    async fn ask(&mut self, prepared: &Prepared) -> Said {
        let (metrics, name) = (Arc::clone(&self.post.metrics), self.post.config.name.clone());
        metrics.requests.increment();
        let said = read(self.target.post(&prepared.headers, &prepared.body).await);
        let (now, url, standing) = (wall_time(), &self.post.config.url, &self.post.standing);
        match said.verdict {
            Verdict::Delivered => {
                if standing.succeeded(now) {
                    tracing::info!(exporter = name, %url, "The target can be reached again.");
                }
                self.backoff.reset();
            }
            Verdict::Refused => {
                metrics.requests_failed.increment();
                standing.refused(now, &said.why);
            }
            Verdict::Later => {
                metrics.requests_failed.increment();
                if standing.failed(now, &said.why) {
                    tracing::warn!(exporter = name, %url, why = said.why, "The target cannot be reached; events wait.");
                }
            }
        }
        said
    }

    async fn send(&mut self, events: Vec<Outgoing>) -> Turn {
        let post = &self.post;
        let bad_enough = |one: &Outgoing| post.store.judge(post.index, &one.event.alarm).1;
        let prepared = of_events(&post.config, &post.credentials, &post.origin, &events, wall_time(), bad_enough);
        match self.ask(&prepared).await {
            Said { verdict: Verdict::Delivered, .. } => {
                self.singly = self.singly.saturating_sub(1);
                self.refused = (0, 0);
                let (store, index) = (Arc::clone(&self.post.store), self.post.index);
                let write = move || store.delivered(index, &events, &prepared.firing);
                let _written = tokio::task::spawn_blocking(write).await;
                Turn::More
            }
            Said { verdict: Verdict::Refused, why, .. } if events.len() > 1 => {
                tracing::debug!(
                    exporter = self.post.config.name,
                    why,
                    "A request was refused; its events are sent one by one."
                );
                self.singly = events.len();
                Turn::More
            }
            Said { verdict: Verdict::Refused, why, .. } => {
                self.refused(events.first().map_or(0, |event| event.number), &why).await
            }
            Said { verdict: Verdict::Later, why, retry_after } => self.later(retry_after, &why),
        }
    }

    /// The target does not want this event: again after a while, or parked.
    async fn refused(&mut self, number: u64, why: &str) -> Turn {
        let before = if self.refused.0 == number { self.refused.1 } else { 0 };
        self.refused = (number, before + 1);
        if before + 1 < self.post.config.refused_after {
            let wait = self.backoff.next_wait(self.random.f64(), None);
            return self.wait(wait);
        }
        tracing::warn!(exporter = self.post.config.name, why, "An event was refused too often and is parked.");
        self.refused = (0, 0);
        self.singly = self.singly.saturating_sub(1);
        self.backoff.reset();
        let (store, index, why) = (Arc::clone(&self.post.store), self.post.index, why.to_owned());
        let _written = tokio::task::spawn_blocking(move || store.park(index, number, &why, wall_time())).await;
        Turn::More
    }

    fn later(&mut self, retry_after: Option<Duration>, why: &str) -> Turn {
        let wait = self.backoff.next_wait(self.random.f64(), retry_after);
        tracing::debug!(exporter = self.post.config.name, why, ?wait, "A delivery failed.");
        self.wait(wait)
    }

    fn wait(&self, wait: Duration) -> Turn {
        let milliseconds = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        self.post.standing.waits_until(wall_time().plus(milliseconds));
        Turn::Wait(wait)
    }
}

/// What an answer, or none, comes to.
fn read(answer: Result<Answer, String>) -> Said {
    match answer {
        Err(why) => Said { verdict: Verdict::Later, why, retry_after: None },
        Ok(Answer { status, retry_after, text }) => {
            let colon = if text.is_empty() { "" } else { ": " };
            Said { verdict: answer::verdict(status), why: format!("status {status}{colon}{text}"), retry_after }
        }
    }
}
