//! What is sent to a target: headers and body, from events. Signed here.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use hyper::body::Bytes;
use serde_json::Value;

use super::{credentials::Credentials, store::Outgoing};
use crate::{
    config::{ExporterConfig, exporter::ExporterKind, limits::EXPORTER_RESENDS_MISSED},
    export::{
        Origin,
        alertmanager::{self, Told},
        cloud_event,
    },
    model::{Severity, Timestamp},
};

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// A request, ready to be sent.
pub(super) struct Prepared {
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// Under which severity each alarm fires at the target once it has this.
    pub(super) firing: Vec<(u64, Option<Severity>)>,
}

/// When the target is to consider an alarm over by itself.
pub(super) fn ends(config: &ExporterConfig, now: Timestamp) -> Timestamp {
    let span: Duration = config.resend_interval.saturating_mul(EXPORTER_RESENDS_MISSED);
    now.plus(i64::try_from(span.as_millis()).unwrap_or(i64::MAX))
}

fn headers(content_type: &'static str, credentials: &Credentials) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::USER_AGENT, HeaderValue::from_static(concat!("qkdnm/", env!("CARGO_PKG_VERSION"))));
    if let Some(bearer) = &credentials.bearer {
        headers.insert(header::AUTHORIZATION, bearer.0.clone());
    }
    headers
}

/// The request that tells a target of events. `bad_enough` says whether an alarm of the event's severity is to fire.
pub(super) fn of_events(
    config: &ExporterConfig,
    credentials: &Credentials,
    origin: &Origin,
    events: &[Outgoing],
    now: Timestamp,
    bad_enough: impl Fn(&Outgoing) -> bool,
) -> Prepared {
    if config.kind == ExporterKind::Alertmanager {
        let (mut alerts, mut firing) = (Vec::new(), Vec::new());
        for outgoing in events {
            let alarm = &outgoing.event.alarm;
            let after = (!alarm.is_cleared && bad_enough(outgoing)).then_some(alarm.report.severity);
            let told = Told { before: outgoing.told, after };
            alerts.extend(alertmanager::alerts(&outgoing.event, told, origin, now, ends(config, now)));
            firing.push((alarm.id, after));
        }
        return of_alerts(credentials, alerts, firing);
    }
    let values: Vec<Value> =
        events.iter().map(|one| cloud_event::cloud_event(&one.event, one.superseded, origin)).collect();
    let id = match (events.first(), events.last()) {
        (Some(first), Some(last)) if events.len() > 1 => format!("{}_{}", first.event.id(), last.event.id()),
        (Some(only), _) => only.event.id(),
        (None, _) => String::new(),
    };
    of_cloud_events(credentials, &id, values, config.batch_size > 1, now)
}

/// The request with these alerts.
pub(super) fn of_alerts(
    credentials: &Credentials,
    alerts: Vec<Value>,
    firing: Vec<(u64, Option<Severity>)>,
) -> Prepared {
    let body = Bytes::from(Value::Array(alerts).to_string());
    Prepared { headers: headers(alertmanager::CONTENT_TYPE, credentials), body, firing }
}

/// The request with these events, as a batch or with the only one.
pub(super) fn of_cloud_events(
    credentials: &Credentials,
    id: &str,
    mut events: Vec<Value>,
    as_batch: bool,
    now: Timestamp,
) -> Prepared {
    let (content_type, value) = match events.pop() {
        Some(only) if !as_batch && events.is_empty() => (cloud_event::CONTENT_TYPE, only),
        last => {
            events.extend(last);
            (cloud_event::BATCH_CONTENT_TYPE, Value::Array(events))
        }
    };
    let body = Bytes::from(value.to_string());
    let mut headers = headers(content_type, credentials);
    let seconds = now.0.div_euclid(1_000);
    let signature = credentials.signing.as_ref().map(|key| key.sign(id, seconds, &body));
    let values = [(ID, Some(id.to_owned())), (TIMESTAMP, Some(seconds.to_string())), (SIGNATURE, signature)];
    for (name, value) in values {
        // Digits, Base64 and IDs of our own: always a header.
        if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
            headers.insert(name, value);
        }
    }
    Prepared { headers, body, firing: Vec::new() }
}
