//! `/api/v1/exporters`

use axum::{
    Json,
    extract::{Path, State},
    http::HeaderMap,
    response::Response,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    api::{
        listing::Listing,
        page::Page,
        params::{FormatOnly, NoParameters, Parameters},
        problem::Problem,
        router::ApiState,
        views::{ExporterView, ParkedEventView, RetryView, TestView},
    },
    config::Role,
};

fn unknown(name: &str) -> Problem {
    Problem::not_found(format!("there is no exporter `{name}`; GET /api/v1/exporters lists them"))
}

/// Lists exporters, in the order of the configuration.
#[utoipa::path(get, path = "/exporters", tag = "exporters", operation_id = "listExporters", params(FormatOnly),
    responses((status = 200, description = "All exporters.", body = Page<ExporterView>)))]
pub(crate) async fn list(
    State(state): State<ApiState>,
    Parameters(query): Parameters<FormatOnly>,
    listing: Listing,
) -> Result<Response, Problem> {
    listing.answer(query.format, Page::whole(state.backend.exporters().list()))
}

/// One exporter with the events that its target refused.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ExporterDetail)]
pub(crate) struct Shown {
    #[serde(flatten)]
    exporter: ExporterView,
    /// Events that its target refused, oldest first.
    parked_events: Vec<ParkedEventView>,
}

/// Shows one exporter with the events that its target refused.
#[utoipa::path(get, path = "/exporters/{name}", tag = "exporters", operation_id = "getExporter",
    params(("name" = String, Path, description = "Its name in the configuration.", min_length = 1, example = "noc")),
    responses((status = 200, description = "The exporter.", body = Shown)))]
pub(crate) async fn show(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Json<Shown>, Problem> {
    let desk = state.backend.exporters();
    let exporter = desk.list().into_iter().find(|one| one.name == name).ok_or_else(|| unknown(&name))?;
    let parked_events = desk.parked(&name).await.ok_or_else(|| unknown(&name))?.map_err(Problem::unavailable)?;
    Ok(Json(Shown { exporter, parked_events }))
}

/// Puts parked events back and tries at once.
#[utoipa::path(post, path = "/exporters/{name}/retry", tag = "exporters", operation_id = "retryExporter",
    params(("name" = String, Path, description = "Its name in the configuration.", min_length = 1, example = "noc")),
    responses((status = 200, description = "How many events wait again.", body = RetryView)),
    security(("token" = ["operator"])))]
pub(crate) async fn retry(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    headers: HeaderMap,
) -> Result<Json<RetryView>, Problem> {
    let caller = state.tokens.authorise(&headers, Role::Operator, state.backend.now())?;
    let done = state.backend.exporters().retry(&name, &caller.name).await.ok_or_else(|| unknown(&name))?;
    done.map(Json).map_err(Problem::unavailable)
}

/// Sends a test event. The answer says what came of it; that the target did not take it is no error of this API.
#[utoipa::path(post, path = "/exporters/{name}/test", tag = "exporters", operation_id = "testExporter",
    params(("name" = String, Path, description = "Its name in the configuration.", min_length = 1, example = "noc")),
    responses((status = 200, description = "What became of the test event.", body = TestView)),
    security(("token" = ["operator"])))]
pub(crate) async fn test(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    headers: HeaderMap,
) -> Result<Json<TestView>, Problem> {
    let caller = state.tokens.authorise(&headers, Role::Operator, state.backend.now())?;
    state.backend.exporters().test(&name, &caller.name).await.map(Json).ok_or_else(|| unknown(&name))
}
