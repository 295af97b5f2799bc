//! What the API sees of the exporters, and what operators do to them.

use std::{sync::Arc, time::Instant};

use super::{Exporters, delivery::Post, http_target::HttpTarget, request, watch::is_unreachable};
use crate::{
    api::{
        Answer, ExporterDesk,
        views::{ExporterState, ExporterView, ParkedEventView, RetryView, TestView},
    },
    clock::wall_time,
    config::{exporter::ExporterKind, limits::EXPORTER_PARKED_SHOWN},
    export::{
        Event, alertmanager,
        answer::{Verdict, verdict},
        cloud_event,
    },
    storage::exports::StoredEvent,
    telemetry::audit::AuditEntry,
};

fn view(post: &Post) -> Option<ExporterView> {
    let (level, lately) = (post.store.level(post.index)?, post.standing.get());
    let state = match (is_unreachable(post, &lately), lately.failing_since, lately.last_success) {
        (true, ..) => ExporterState::Unreachable,
        (false, Some(_), _) => ExporterState::Retrying,
        (false, None, Some(_)) => ExporterState::Working,
        (false, None, None) => ExporterState::New,
    };
    let (last_error_time, last_error) = lately.last_error.unzip();
    Some(ExporterView {
        name: post.config.name.clone(),
        kind: post.config.kind,
        url: post.config.url.to_string(),
        state,
        cursor: level.cursor.to_string(),
        delivered: level.delivered.to_string(),
        pending: level.pending,
        parked: level.parked,
        firing: level.firing,
        events_delivered: post.metrics.delivered.get(),
        requests_failed: post.metrics.requests_failed.get(),
        superseded: post.metrics.left_out.get(),
        last_success: lately.last_success,
        failing_since: lately.failing_since,
        last_error,
        last_error_time,
        next_attempt: lately.next_attempt,
    })
}

fn parked(stored: StoredEvent) -> Option<ParkedEventView> {
    let event: Event = serde_json::from_str(&stored.body).ok()?;
    let (parked, why) = stored.parked?;
    Some(ParkedEventView {
        event: event.id(),
        kind: event.kind.as_str().to_owned(),
        alarm: event.alarm.id,
        component: event.alarm.key.component,
        alarm_type_id: event.alarm.key.alarm_type_id,
        severity: event.alarm.report.severity,
        parked,
        why,
    })
}

/// Sends a test event on a connection of its own.
async fn try_out(post: Post) -> TestView {
    let now = wall_time();
    let prepared = match post.config.kind {
        ExporterKind::Alertmanager => {
            let ends = request::ends(&post.config, now);
            let alert = alertmanager::test_alert(&post.config.name, &post.origin, now, ends);
            request::of_alerts(&post.credentials, vec![alert], Vec::new())
        }
        ExporterKind::Webhook => {
            let id = format!("test-{}-{:08x}", now.0, fastrand::u32(..));
            let event = cloud_event::test_event(&id, &post.config.name, &post.origin, now);
            request::of_cloud_events(&post.credentials, &id, vec![event], post.config.batch_size > 1, now)
        }
    };
    let began = Instant::now();
    let mut target = HttpTarget::new(Arc::clone(&post.config), Arc::clone(&post.credentials));
    let answer = target.post(&prepared.headers, &prepared.body).await;
    let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    match answer {
        Ok(answer) => {
            let delivered = verdict(answer.status) == Verdict::Delivered;
            let error = (!delivered).then(|| format!("status {} {}", answer.status, answer.text).trim_end().to_owned());
            TestView { delivered, status: Some(answer.status), milliseconds, error }
        }
        Err(error) => TestView { delivered: false, status: None, milliseconds, error: Some(error) },
    }
}

impl Exporters {
    fn post(&self, name: &str) -> Option<Post> {
        self.posts().into_iter().find(|post| post.config.name == name)
    }

    fn record(&self, operator: &str, what: String) {
        self.around.audit.record(AuditEntry {
            time: self.around.clock.now(),
            kind: "exporter".to_owned(),
            who: operator.to_owned(),
            what,
            detail: serde_json::Value::Null,
        });
    }
}

/// Runs what reads or writes the outboxes off the runtime's threads.
async fn off<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, crate::storage::error::StorageError> + Send + 'static,
) -> Result<T, String> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(|error| error.chain()),
        Err(error) => Err(error.to_string()),
    }
}

impl ExporterDesk for Exporters {
    fn list(&self) -> Vec<ExporterView> {
        self.posts().iter().filter_map(view).collect()
    }

    fn parked(&self, name: &str) -> Answer<'_, Option<Result<Vec<ParkedEventView>, String>>> {
        let post = self.post(name);
        Box::pin(async move {
            let post = post?;
            let stored = off(move || post.store.parked(post.index, EXPORTER_PARKED_SHOWN)).await;
            Some(stored.map(|stored| stored.into_iter().filter_map(parked).collect()))
        })
    }

    fn retry(&self, name: &str, operator: &str) -> Answer<'_, Option<Result<RetryView, String>>> {
        let (post, operator) = (self.post(name), operator.to_owned());
        Box::pin(async move {
            let post = post?;
            let (store, index) = (Arc::clone(&post.store), post.index);
            let done = off(move || store.retry(index)).await;
            post.again.notify_one();
            post.store.fresh(index).notify_one();
            Some(done.map(|(requeued, outdated)| {
                self.record(&operator, format!("exporter {}: {requeued} parked events sent again", post.config.name));
                RetryView { requeued, outdated }
            }))
        })
    }

    fn test(&self, name: &str, operator: &str) -> Answer<'_, Option<TestView>> {
        let (post, operator) = (self.post(name), operator.to_owned());
        Box::pin(async move {
            let post = post?;
            let name = post.config.name.clone();
            let outcome = try_out(post).await;
            let came = outcome.error.as_deref().unwrap_or("it arrived");
            self.record(&operator, format!("exporter {name}: a test event was sent: {came}"));
            Some(outcome)
        })
    }
}
