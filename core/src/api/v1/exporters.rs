//! `/api/v1/exporters`

use axum::{
    Json,
    extract::{Path, State},
    http::HeaderMap,
};
use serde::Serialize;

use crate::{
    api::{
        page::Page,
        params::{NoParameters, Parameters},
        problem::Problem,
        router::ApiState,
        views::{ExporterView, ParkedEventView, RetryView, TestView},
    },
    config::Role,
};

fn unknown(name: &str) -> Problem {
    Problem::not_found(format!("there is no exporter `{name}`; GET /api/v1/exporters lists them"))
}

/// All exporters, in the order of the configuration.
pub(crate) async fn list(
    State(state): State<ApiState>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Json<Page<ExporterView>> {
    Json(Page::whole(state.backend.exporters().list()))
}

/// One exporter with the events that its target refused.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shown {
    #[serde(flatten)]
    exporter: ExporterView,
    parked_events: Vec<ParkedEventView>,
}

/// One exporter.
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
pub(crate) async fn test(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    headers: HeaderMap,
) -> Result<Json<TestView>, Problem> {
    let caller = state.tokens.authorise(&headers, Role::Operator, state.backend.now())?;
    state.backend.exporters().test(&name, &caller.name).await.map(Json).ok_or_else(|| unknown(&name))
}
