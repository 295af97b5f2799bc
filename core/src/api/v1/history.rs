//! `/api/v1/components/{point}/{id}/history` and `/api/v1/values`

use axum::{
    Json,
    extract::{Path, State},
};
use serde::Deserialize;

use crate::{
    api::{
        page::Page,
        params::{self, Parameters},
        problem::Problem,
        router::ApiState,
        views::{HistoryFilter, HistoryView, LastValueView, ValueFilter},
    },
    config::quantity,
    model::{ComponentRef, ReferencePoint, Timestamp},
};

/// Span that is shown if `from` is not said.
const DEFAULT_SPAN_MS: i64 = 3_600_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HistoryQuery {
    name: String,
    #[serde(default)]
    resource: String,
    from: Option<String>,
    to: Option<String>,
    step: Option<String>,
}

fn bad(detail: String) -> Problem {
    Problem::bad_request("bad-parameter", "Query not understood", detail)
}

/// A time, or how long ago: `2026-11-26T08:00:00Z`, `-6h`.
fn time(key: &str, text: &str, now: Timestamp) -> Result<Timestamp, Problem> {
    let ago = text.strip_prefix('-').and_then(|span| quantity::duration(span).ok());
    let ago = ago.and_then(|ago| i64::try_from(ago.as_millis()).ok()).map(|ago| now.plus(-ago));
    ago.or_else(|| Timestamp::parse(text))
        .ok_or_else(|| bad(format!("`{key}` is no time such as 2026-11-26T08:00:00Z, and no span ago such as -6h")))
}

/// The history of a value.
pub(crate) async fn show(
    State(state): State<ApiState>,
    Path((point, id)): Path<(String, String)>,
    Parameters(query): Parameters<HistoryQuery>,
) -> Result<Json<HistoryView>, Problem> {
    let component = params::component(&point, &id)?;
    // Up to now, what was reported just now included.
    let now = state.backend.now().plus(1);
    let to = query.to.map_or(Ok(now), |text| time("to", &text, now))?;
    let from = query.from.map_or(Ok(to.plus(-DEFAULT_SPAN_MS)), |text| time("from", &text, now))?;
    if from >= to {
        return Err(bad("`from` is not before `to`".to_owned()));
    }
    let step_ms = match query.step {
        None => 0,
        Some(text) => quantity::duration(&text)
            .ok()
            .and_then(|step| i64::try_from(step.as_millis()).ok())
            .filter(|step| *step >= 1)
            .ok_or_else(|| bad("`step` is no span such as 1m or 1h".to_owned()))?,
    };
    let filter = HistoryFilter { component, resource: query.resource, name: query.name, from, to, step_ms };
    Ok(Json(state.backend.history(&filter).await?))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ValuesQuery {
    reference_point: Option<ReferencePoint>,
    component: Option<ComponentRef>,
    resource: Option<String>,
    name: Option<String>,
    cursor: Option<String>,
    limit: Option<usize>,
}

/// The last value of everything.
pub(crate) async fn values(
    State(state): State<ApiState>,
    Parameters(query): Parameters<ValuesQuery>,
) -> Result<Json<Page<LastValueView>>, Problem> {
    let ValuesQuery { reference_point, component, resource, name, cursor, limit } = query;
    let filter = ValueFilter { reference_point, component, resource, name };
    Ok(Json(state.backend.values(&filter, &params::page(cursor, limit)?)))
}
