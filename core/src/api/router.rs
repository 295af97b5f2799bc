//! Paths to endpoints, and what holds for all of them: whose requests are served, how large and how slow they may be.

use std::sync::Arc;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderValue, Method, StatusCode, Uri, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};

use tokio::sync::Semaphore;

use super::{
    auth::Tokens,
    backend::Backend,
    dashboard,
    host_check::HostCheck,
    problem::Problem,
    v1::{alarms, components, configuration, events, exporters, history, manager, network, reports, subscriptions},
};
use crate::config::limits;

/// What endpoints share.
#[derive(Clone)]
pub(crate) struct ApiState {
    /// The manager.
    pub(crate) backend: Arc<dyn Backend>,
    /// Who may write.
    pub(crate) tokens: Arc<Tokens>,
    /// Places of those who follow events.
    pub(crate) listeners: Arc<Semaphore>,
}

/// All paths.
pub(crate) fn router(state: ApiState, hosts: HostCheck) -> Router {
    let v1 = Router::new()
        .route("/components", get(components::list))
        .route("/components/{point}/{id}", get(components::show))
        .route("/components/{point}/{id}/history", get(history::show))
        .route("/values", get(history::values))
        .route("/components/{point}/{id}/request", post(components::request))
        .route("/alarms", get(alarms::list))
        .route("/alarms/summary", get(alarms::summary))
        .route("/alarms/{id}", get(alarms::show))
        .route("/alarms/{id}/{action}", post(alarms::operate))
        .route("/configuration/reload", get(configuration::status).post(configuration::reload))
        .route("/events", get(events::follow))
        .route("/exporters", get(exporters::list))
        .route("/exporters/{name}", get(exporters::show))
        .route("/exporters/{name}/retry", post(exporters::retry))
        .route("/exporters/{name}/test", post(exporters::test))
        .route("/reports", get(reports::list))
        .route("/inventory", get(network::inventory))
        .route("/inventory/changes", get(network::inventory_changes))
        .route("/topology", get(network::topology))
        .route("/topology/changes", get(network::topology_changes))
        .route("/usage", get(network::usage))
        .route("/subscriptions", get(subscriptions::list))
        .route("/subscriptions/{id}", get(subscriptions::show))
        .route("/subscriptions/{id}/remove", post(subscriptions::remove))
        .route("/policies", get(manager::policies))
        .route("/handlers", get(manager::handlers))
        .route("/plugins", get(manager::plugins))
        .route("/interfaces", get(manager::interfaces))
        .route("/health", get(manager::health));
    Router::new()
        .nest("/api/v1", v1)
        .route("/", get(dashboard::root))
        .route("/ui", get(dashboard::root))
        .route("/ui/", get(dashboard::index))
        .route("/ui/{*path}", get(dashboard::file))
        .route("/metrics", get(manager::metrics))
        .route("/livez", get(manager::livez))
        .route("/readyz", get(manager::readyz))
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::max(limits::API_BODY_BYTES))
        .layer(middleware::from_fn(within_limits))
        .layer(middleware::from_fn_with_state(hosts, for_this_host))
        .layer(middleware::map_response(plain_answers))
        .with_state(state)
}

async fn no_such_path(uri: Uri) -> Problem {
    Problem::not_found(format!(
        "there is no `{}`; try /api/v1/components, /api/v1/values, /api/v1/alarms, /api/v1/events, /api/v1/exporters, /api/v1/reports, /api/v1/inventory, \
         /api/v1/topology, /api/v1/usage, /api/v1/policies, /api/v1/handlers, /api/v1/plugins, /api/v1/interfaces, /api/v1/subscriptions, /api/v1/configuration/reload, /api/v1/health, /metrics, /livez or /readyz",
        uri.path()
    ))
}

async fn no_such_method(method: Method, uri: Uri) -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method-not-allowed",
        "Method not allowed",
        format!("`{}` does not take {method}; the header `Allow` has what it takes", uri.path()),
    )
}

/// Refuses what is too long, and gives up what takes too long; turns the framework's refusals into problems.
async fn within_limits(request: Request, next: Next) -> Response {
    let header_bytes: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if header_bytes + request.uri().to_string().len() > limits::API_HEADER_BYTES {
        return Problem::new(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "too-large",
            "Request too large",
            format!("the target and headers of a request may have {} bytes together", limits::API_HEADER_BYTES),
        )
        .into_response();
    }
    let Ok(response) = tokio::time::timeout(limits::API_REQUEST_TIMEOUT, next.run(request)).await else {
        return Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "timeout",
            "Timed out",
            format!("the request took more than {} s and was given up", limits::API_REQUEST_TIMEOUT.as_secs()),
        )
        .into_response();
    };
    if response.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            "Request too large",
            format!("the body of a request may have {} bytes", limits::API_BODY_BYTES),
        )
        .into_response();
    }
    response
}

/// Refuses requests whose host is not this machine where the listener is for this machine only.
async fn for_this_host(State(hosts): State<HostCheck>, request: Request, next: Next) -> Response {
    // A target in absolute form goes before the header (RFC 9112, 3.2.2), so it has to pass as well.
    let header = request.headers().get(header::HOST).map(|host| host.to_str().unwrap_or_default());
    let target = request.uri().authority().map(|authority| authority.as_str());
    if hosts.permits(header) && target.is_none_or(|target| hosts.permits(Some(target))) {
        return next.run(request).await;
    }
    Problem::new(
        StatusCode::MISDIRECTED_REQUEST,
        "wrong-host",
        "Wrong host",
        "this API listens on a loopback address and answers only requests for localhost, 127.0.0.1 or [::1], so that \
         no web page can reach it under a name of its own; use one of these, or set `api.listen` to another address",
    )
    .into_response()
}

/// Nothing of this API is to be kept by caches (the dashboard says otherwise of its files) or guessed at by browsers.
async fn plain_answers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
