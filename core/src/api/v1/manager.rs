//! The manager itself: `/api/v1/policies`, `/handlers`, `/plugins`, `/interfaces`, `/catalogue`, `/health`, and outside of it `/metrics`,
//! `/livez`, `/readyz`.

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{
    api::{
        listing::Listing,
        metrics_text,
        page::Page,
        params::{FormatOnly, NoParameters, Parameters},
        problem::Problem,
        router::ApiState,
        views::{HandlerView, Health, InterfaceView, PluginActivityView, PluginView, PolicyView},
    },
    model::{Catalogue, ReferencePoint},
};

fn none_of(kind: &str, name: &str, list: &str) -> Problem {
    Problem::not_found(format!("there is no {kind} `{name}`; GET /api/v1/{list} lists them"))
}

/// Lists policies in the order of the configuration; those that are off are left out.
#[utoipa::path(get, path = "/policies", tag = "plugins", operation_id = "listPolicies", params(FormatOnly),
    responses((status = 200, description = "All of them.", body = Page<PolicyView>)))]
pub(crate) async fn policies(
    State(state): State<ApiState>,
    Parameters(query): Parameters<FormatOnly>,
    listing: Listing,
) -> Result<Response, Problem> {
    listing.answer(query.format, Page::whole(state.backend.policies()))
}

/// Shows one policy: what it watches, how it is configured, what it did.
#[utoipa::path(get, path = "/policies/{name}", tag = "plugins", operation_id = "getPolicy",
    params(("name" = String, Path, description = "Its name in the configuration.", min_length = 1, example = "store-low")),
    responses((status = 200, description = "The policy.", body = PolicyView)))]
pub(crate) async fn policy(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Json<PolicyView>, Problem> {
    let found = state.backend.policies().into_iter().find(|policy| policy.name == name);
    found.map(Json).ok_or_else(|| none_of("policy", &name, "policies"))
}

/// Lists handlers in the order of the configuration; the first that matches a component takes its reports.
#[utoipa::path(get, path = "/handlers", tag = "plugins", operation_id = "listHandlers", params(FormatOnly),
    responses((status = 200, description = "All of them.", body = Page<HandlerView>)))]
pub(crate) async fn handlers(
    State(state): State<ApiState>,
    Parameters(query): Parameters<FormatOnly>,
    listing: Listing,
) -> Result<Response, Problem> {
    listing.answer(query.format, Page::whole(state.backend.handlers()))
}

/// Shows one handler.
#[utoipa::path(get, path = "/handlers/{name}", tag = "plugins", operation_id = "getHandler",
    params(("name" = String, Path, description = "Its name in the configuration.", min_length = 1, example = "mk")),
    responses((status = 200, description = "The handler.", body = HandlerView)))]
pub(crate) async fn handler(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Json<HandlerView>, Problem> {
    let found = state.backend.handlers().into_iter().find(|handler| handler.name == name);
    found.map(Json).ok_or_else(|| none_of("handler", &name, "handlers"))
}

/// Lists plugins that are loaded.
#[utoipa::path(get, path = "/plugins", tag = "plugins", operation_id = "listPlugins", params(FormatOnly),
    responses((status = 200, description = "All of them.", body = Page<PluginView>)))]
pub(crate) async fn plugins(
    State(state): State<ApiState>,
    Parameters(query): Parameters<FormatOnly>,
    listing: Listing,
) -> Result<Response, Problem> {
    listing.answer(query.format, Page::whole(state.backend.plugins()))
}

/// Shows the plugins of a name: where a manager has two of one name, both.
#[utoipa::path(get, path = "/plugins/{name}", tag = "plugins", operation_id = "getPlugin",
    params(("name" = String, Path, description = "The name that it gives itself, or where it comes from, such as `builtin:mk`.",
        min_length = 1, example = "builtin:mk")),
    responses((status = 200, description = "At least one.", body = Page<PluginView>)))]
pub(crate) async fn plugin(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Json<Page<PluginView>>, Problem> {
    let mut found = state.backend.plugins();
    found.retain(|plugin| plugin.name == name || plugin.plugin == name);
    if found.is_empty() { Err(none_of("plugin", &name, "plugins")) } else { Ok(Json(Page::whole(found))) }
}

/// Lists handlers, policies and exchange policies as configured, with what their calls cost and what became of them.
#[utoipa::path(get, path = "/plugin-activity", tag = "plugins", operation_id = "listPluginActivity", params(FormatOnly),
    responses((status = 200, description = "All of them.", body = Page<PluginActivityView>)))]
pub(crate) async fn plugin_activity(
    State(state): State<ApiState>,
    Parameters(query): Parameters<FormatOnly>,
    listing: Listing,
) -> Result<Response, Problem> {
    listing.answer(query.format, Page::whole(state.backend.plugin_activity()))
}

/// Lists the reference points that are served.
#[utoipa::path(get, path = "/interfaces", tag = "manager", operation_id = "listInterfaces", params(FormatOnly),
    responses((status = 200, description = "All of them.", body = Page<InterfaceView>)))]
pub(crate) async fn interfaces(
    State(state): State<ApiState>,
    Parameters(query): Parameters<FormatOnly>,
    listing: Listing,
) -> Result<Response, Problem> {
    listing.answer(query.format, Page::whole(state.backend.interfaces()))
}

/// Shows one reference point that is served.
#[utoipa::path(get, path = "/interfaces/{point}", tag = "manager", operation_id = "getInterface",
    params(("point" = ReferencePoint, Path, description = "The reference point.", example = "mk")),
    responses((status = 200, description = "The interface.", body = InterfaceView)))]
pub(crate) async fn interface(
    State(state): State<ApiState>,
    Path(point): Path<String>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Json<InterfaceView>, Problem> {
    let found = state.backend.interfaces().into_iter().find(|one| one.reference_point.as_str() == point);
    found.map(Json).ok_or_else(|| none_of("interface", &point, "interfaces"))
}

/// Shows the catalogue of value names, units, words and alarm types that this manager was built with.
#[utoipa::path(get, path = "/catalogue", tag = "manager", operation_id = "getCatalogue",
    responses((status = 200, description = "The catalogue.", body = Catalogue)))]
pub(crate) async fn catalogue(Parameters(NoParameters {}): Parameters<NoParameters>) -> Json<&'static Catalogue> {
    Json(Catalogue::get())
}

/// Shows how the manager is; always 200, `ready` says whether it takes reports and stores them.
#[utoipa::path(get, path = "/health", tag = "manager", operation_id = "getHealth",
    responses((status = 200, description = "How it is.", body = Health)))]
pub(crate) async fn health(
    State(state): State<ApiState>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Json<Health> {
    Json(state.backend.health())
}

/// Gives what is counted as text for Prometheus. Parameters are ignored: scrapers may add their own.
#[utoipa::path(get, path = "/metrics", tag = "probes", operation_id = "getMetrics",
    responses((status = 200, description = "Text format 0.0.4.", body = String, content_type = "text/plain")))]
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

/// Says that the process answers; nothing more is claimed.
#[utoipa::path(get, path = "/livez", tag = "probes", operation_id = "getLivez", security(()),
    responses((status = 200, description = "It answers.", body = String, content_type = "text/plain")))]
pub(crate) async fn livez() -> &'static str {
    "alive\n"
}

/// Says whether the manager takes reports and stores them; 503 with the reasons if not.
#[utoipa::path(get, path = "/readyz", tag = "probes", operation_id = "getReadyz", security(()),
    responses((status = 200, description = "It does.", body = String, content_type = "text/plain")))]
pub(crate) async fn readyz(State(state): State<ApiState>) -> Result<&'static str, Problem> {
    let health = state.backend.health();
    if health.ready {
        return Ok("ready\n");
    }
    let detail = health.reasons.join(" ");
    Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not-ready", "Not ready", detail)
        .with_member("reasons", health.reasons))
}
