//! `/api/v1/events`: what changes, as server-sent events (HTML Living Standard, 9.2).
//!
//! `alarm` carries the alarm as it is now; `components` names components that reported since the last such event; `domain` says
//! that another domain told something or is seen otherwise; `resync`
//! says that something is missing, so that everything is to be fetched anew. `ready` comes first and gives the place from
//! which to resume: a client that reconnects with `Last-Event-ID` misses nothing that the log still holds.

use std::{convert::Infallible, sync::Arc};

use axum::{
    extract::State,
    http::HeaderMap,
    response::sse::{Event as Sse, KeepAlive, Sse as Stream},
};
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;
use utoipa::IntoParams;

use crate::{
    api::{
        event_log::{EventId, EventLog, Read},
        params::Parameters,
        problem::Problem,
        router::ApiState,
    },
    config::limits::{API_EVENTS_KEEP_ALIVE, API_EVENTS_RETRY, API_LISTENERS, EVENTS_AT_ONCE},
};

/// Kinds that a listener may ask for.
const KINDS: [&str; 3] = ["alarm", "components", "domain"];

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Query {
    /// Kinds wanted, with commas between them; all, if absent.
    types: Option<String>,
    /// As the header, for what cannot set one.
    last_event_id: Option<String>,
}

/// A listener between two answers.
struct Listener {
    log: Arc<EventLog>,
    seen: EventId,
    kinds: Vec<String>,
    waiting: std::vec::IntoIter<Sse>,
    #[expect(dead_code, reason = "held for its drop: it makes room for another listener")]
    permit: OwnedSemaphorePermit,
}

/// Follows what changes, as server-sent events; the header `Last-Event-ID` resumes.
#[utoipa::path(get, path = "/events", tag = "events", operation_id = "followEvents", params(Query),
    responses((status = 200, description = "Events without end: `ready`, `alarm`, `components`, `domain`, `resync`.",
        body = String, content_type = "text/event-stream")))]
pub(crate) async fn follow(
    State(state): State<ApiState>,
    Parameters(query): Parameters<Query>,
    headers: HeaderMap,
) -> Result<Stream<impl stream::Stream<Item = Result<Sse, Infallible>>>, Problem> {
    let kinds = kinds(query.types.as_deref())?;
    let header = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let resumed = header.or(query.last_event_id.as_deref()).filter(|text| !text.is_empty());
    let permit = Arc::clone(&state.listeners).try_acquire_owned().map_err(|_| {
        Problem::unavailable(format!("{API_LISTENERS} listeners follow events already; try again later"))
    })?;
    let log = state.backend.events();
    // What cannot be understood is older than anything.
    let seen = resumed.map_or_else(|| log.newest(), |text| text.parse().unwrap_or_default());
    let first = vec![Sse::default().event("ready").id(seen.to_string()).retry(API_EVENTS_RETRY).data("{}")];
    let first = if resumed.is_some() { Vec::new() } else { first };
    let listener = Listener { log, seen, kinds, waiting: first.into_iter(), permit };
    let events = stream::unfold(listener, |mut listener| async move {
        let event = listener.next().await?;
        Some((Ok(event), listener))
    });
    Ok(Stream::new(events).keep_alive(KeepAlive::new().interval(API_EVENTS_KEEP_ALIVE)))
}

fn kinds(wanted: Option<&str>) -> Result<Vec<String>, Problem> {
    let Some(wanted) = wanted else { return Ok(KINDS.map(str::to_owned).to_vec()) };
    let list: Vec<String> = wanted.split(',').map(|kind| kind.trim().to_owned()).collect();
    match list.iter().find(|kind| !KINDS.contains(&kind.as_str())) {
        None => Ok(list),
        Some(kind) => Err(Problem::bad_request(
            "bad-parameter",
            "Query not understood",
            format!("`types`: there are no events of type `{kind}`; there are {}", KINDS.join(", ")),
        )),
    }
}

impl Listener {
    /// The next event; `None` ends the stream.
    async fn next(&mut self) -> Option<Sse> {
        loop {
            if let Some(event) = self.waiting.next() {
                return Some(event);
            }
            match self.log.behind(self.seen, EVENTS_AT_ONCE) {
                Read::Closed => return None,
                Read::Resync(newest) => {
                    self.seen = newest;
                    let event = Sse::default().event("resync").id(newest.to_string());
                    return Some(event.retry(API_EVENTS_RETRY).data("{}"));
                }
                Read::Events(events) if events.is_empty() => self.log.grown(self.seen).await,
                Read::Events(events) => {
                    self.seen = events.last().map_or(self.seen, |event| event.id);
                    let wanted = events.into_iter().filter(|event| self.kinds.iter().any(|kind| kind == event.kind));
                    let events = wanted.map(|event| {
                        Sse::default().event(event.kind).id(event.id.to_string()).data(event.data.as_ref())
                    });
                    self.waiting = events.collect::<Vec<_>>().into_iter();
                }
            }
        }
    }
}
