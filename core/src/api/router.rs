//! Paths to endpoints, and what holds for all of them: whose requests are served, how large and how slow they may be.

use std::sync::Arc;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderValue, Method, StatusCode, Uri, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};

use tokio::sync::Semaphore;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::{self, Tokens},
    backend::Backend,
    dashboard,
    host_check::HostCheck,
    openapi,
    problem::Problem,
    v1::{
        alarms, audit, collectors, components, configuration, domains, enrolment, events, exporters, federation,
        history, manager, network, peer_requests, plugins, reports, resources, subscriptions,
    },
};
use crate::config::{Role, limits};

/// What endpoints share.
#[derive(Clone)]
pub(crate) struct ApiState {
    /// The manager.
    pub(crate) backend: Arc<dyn Backend>,
    /// Who may write, and read where not everybody may.
    pub(crate) tokens: Arc<Tokens>,
    /// Whether reading needs no token.
    pub(crate) reads_are_open: bool,
    /// Places of those who follow events.
    pub(crate) listeners: Arc<Semaphore>,
}

/// Endpoints with their descriptions: one line each says both, so that neither is without the other.
pub(crate) fn endpoints() -> OpenApiRouter<ApiState> {
    let v1 = OpenApiRouter::new()
        .routes(routes!(components::list))
        .routes(routes!(components::show))
        .routes(routes!(components::explain))
        .routes(routes!(components::request))
        .routes(routes!(enrolment::list))
        .routes(routes!(enrolment::approve))
        .routes(routes!(enrolment::reject))
        .routes(routes!(history::show))
        .routes(routes!(history::several))
        .routes(routes!(history::values))
        .routes(routes!(resources::list))
        .routes(routes!(resources::show))
        .routes(routes!(alarms::list))
        .routes(routes!(alarms::summary))
        .routes(routes!(alarms::show))
        .routes(routes!(alarms::operate))
        .routes(routes!(configuration::show))
        .routes(routes!(configuration::status, configuration::reload))
        .routes(routes!(collectors::list))
        .routes(routes!(collectors::show))
        .routes(routes!(exporters::list))
        .routes(routes!(exporters::show))
        .routes(routes!(exporters::retry))
        .routes(routes!(exporters::test))
        .routes(routes!(federation::peers))
        .routes(routes!(federation::peer))
        .routes(routes!(federation::preview))
        .routes(routes!(federation::disclosures))
        .routes(routes!(federation::domains))
        .routes(routes!(federation::domain))
        .routes(routes!(federation::links))
        .routes(routes!(federation::graph))
        .routes(routes!(peer_requests::ask))
        .routes(routes!(peer_requests::list))
        .routes(routes!(peer_requests::show))
        .routes(routes!(peer_requests::accept))
        .routes(routes!(peer_requests::decline))
        .routes(routes!(peer_requests::withdraw))
        .routes(routes!(domains::comparisons))
        .routes(routes!(domains::path))
        .routes(routes!(domains::alarms))
        .routes(routes!(events::follow))
        .routes(routes!(reports::list))
        .routes(routes!(network::inventory))
        .routes(routes!(network::inventory_changes))
        .routes(routes!(network::topology))
        .routes(routes!(network::topology_changes))
        .routes(routes!(network::usage))
        .routes(routes!(subscriptions::list))
        .routes(routes!(subscriptions::show))
        .routes(routes!(subscriptions::remove))
        .merge(of_plugins())
        .routes(routes!(manager::interfaces))
        .routes(routes!(manager::interface))
        .routes(routes!(manager::catalogue))
        .routes(routes!(manager::health))
        .routes(routes!(audit::list))
        .routes(routes!(openapi::serve));
    OpenApiRouter::with_openapi(openapi::start())
        .nest("/api/v1", v1)
        .routes(routes!(manager::metrics))
        .routes(routes!(manager::livez))
        .routes(routes!(manager::readyz))
}

/// Endpoints about plugins.
fn of_plugins() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(manager::policies))
        .routes(routes!(manager::policy))
        .routes(routes!(manager::handlers))
        .routes(routes!(manager::handler))
        .routes(routes!(manager::plugins))
        .routes(routes!(manager::plugin))
        .routes(routes!(manager::plugin_activity))
        .routes(routes!(plugins::log))
        .routes(routes!(plugins::quarantine))
        .routes(routes!(plugins::reload))
        .routes(routes!(plugins::roll_back))
}

/// All paths.
pub(crate) fn router(state: ApiState, hosts: HostCheck) -> Router {
    Router::from(endpoints())
        .layer(middleware::from_fn_with_state(state.clone(), for_readers))
        .route("/", get(dashboard::root))
        .route("/ui", get(dashboard::root))
        .route("/ui/", get(dashboard::index))
        .route("/ui/{*path}", get(dashboard::file))
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::max(limits::API_BODY_BYTES))
        .layer(middleware::from_fn(within_limits))
        .layer(middleware::from_fn_with_state(hosts, for_this_host))
        .layer(middleware::map_response(plain_answers))
        .with_state(state)
}

/// Paths that say nothing of the network, and are for supervisors and clients that have no token yet.
const FOR_EVERYBODY: [&str; 3] = ["/livez", "/readyz", openapi::PATH];

/// Lets those read who may: everybody where reading needs no token, else whoever has one. Who brings a token that is wrong
/// or has expired is told so even where none is needed. What writes asks for its role itself.
async fn for_readers(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    let asks = !FOR_EVERYBODY.contains(&request.uri().path())
        && (!state.reads_are_open || auth::presents_token(request.headers()));
    if asks && let Err(problem) = state.tokens.authorise(request.headers(), Role::Viewer, state.backend.now()) {
        return problem.into_response();
    }
    next.run(request).await
}

async fn no_such_path(uri: Uri) -> Problem {
    Problem::not_found(format!(
        "there is no `{}`; try /api/v1/components, /api/v1/alarms or /api/v1/health; {} describes everything",
        uri.path(),
        openapi::PATH
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
