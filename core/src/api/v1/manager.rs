//! The manager itself: `/api/v1/policies`, `/handlers`, `/plugins`, `/interfaces`, `/health`, and outside of it `/metrics`, `/livez`, `/readyz`.

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::api::{
    metrics_text,
    page::Page,
    params::{NoParameters, Parameters},
    problem::Problem,
    router::ApiState,
    views::{HandlerView, Health, InterfaceView, PluginView, PolicyView},
};

/// Policies as configured.
pub(crate) async fn policies(
    State(state): State<ApiState>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Json<Page<PolicyView>> {
    Json(Page::whole(state.backend.policies()))
}

/// Handlers as configured.
pub(crate) async fn handlers(
    State(state): State<ApiState>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Json<Page<HandlerView>> {
    Json(Page::whole(state.backend.handlers()))
}

/// Plugins that are loaded.
pub(crate) async fn plugins(
    State(state): State<ApiState>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Json<Page<PluginView>> {
    Json(Page::whole(state.backend.plugins()))
}

/// Interfaces that are served.
pub(crate) async fn interfaces(
    State(state): State<ApiState>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Json<Page<InterfaceView>> {
    Json(Page::whole(state.backend.interfaces()))
}

/// How the manager is; always 200, `ready` says whether it is.
pub(crate) async fn health(
    State(state): State<ApiState>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Json<Health> {
    Json(state.backend.health())
}

/// Text for Prometheus. Parameters are ignored: scrapers may add their own.
pub(crate) async fn metrics(State(state): State<ApiState>) -> Result<Response, Problem> {
    let text = metrics_text::render(state.backend.metrics(), state.backend.gauges(), state.backend.health());
    let text = text.map_err(|_| {
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Fault of the manager",
            "the metrics could not be written as text",
        )
    })?;
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static(metrics_text::CONTENT_TYPE))], text).into_response())
}

/// The process answers; nothing more is claimed.
pub(crate) async fn livez() -> &'static str {
    "alive\n"
}

/// 200 if the manager takes reports and stores them, else 503 with the reasons.
pub(crate) async fn readyz(State(state): State<ApiState>) -> Result<&'static str, Problem> {
    let health = state.backend.health();
    if health.ready {
        return Ok("ready\n");
    }
    let detail = health.reasons.join(" ");
    Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not-ready", "Not ready", detail)
        .with_member("reasons", health.reasons))
}
