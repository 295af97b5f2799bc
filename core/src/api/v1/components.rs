//! `/api/v1/components`

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::HeaderMap,
};
use serde::Deserialize;

use crate::{
    api::{
        page::Page,
        params::{self, NoParameters, Parameters},
        problem::Problem,
        router::ApiState,
        views::{ComponentDetail, ComponentFilter, ComponentSummary, StatusAnswer, StatusQuery},
    },
    config::{Role, limits},
    model::{ComponentRef, ReferencePoint},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ListQuery {
    reference_point: Option<ReferencePoint>,
    connected: Option<bool>,
    vendor: Option<String>,
    model: Option<String>,
    site: Option<String>,
    tag: Option<String>,
    cursor: Option<ComponentRef>,
    limit: Option<usize>,
}

/// Components that meet the query.
pub(crate) async fn list(
    State(state): State<ApiState>,
    Parameters(query): Parameters<ListQuery>,
) -> Result<Json<Page<ComponentSummary>>, Problem> {
    let page = params::page(query.cursor, query.limit)?;
    let filter = ComponentFilter {
        reference_point: query.reference_point,
        connected: query.connected,
        vendor: query.vendor,
        model: query.model,
        site: query.site,
        tag: query.tag,
    };
    Ok(Json(state.backend.components(&filter, &page)))
}

/// One component with its last values.
pub(crate) async fn show(
    State(state): State<ApiState>,
    Path((point, id)): Path<(String, String)>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Json<ComponentDetail>, Problem> {
    let component = params::component(&point, &id)?;
    state.backend.component(&component).map(Json).ok_or_else(|| {
        Problem::not_found(format!(
            "the manager knows no component `{component}`; GET /api/v1/components lists those that are known"
        ))
    })
}

/// Asks a component for a status report and shows its answer.
pub(crate) async fn request(
    State(state): State<ApiState>,
    Path((point, id)): Path<(String, String)>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Json<StatusAnswer>, Problem> {
    let caller = state.tokens.authorise(&headers, Role::Operator, state.backend.now())?;
    let component = params::component(&point, &id)?;
    let query: StatusQuery = params::body(&bytes)?;
    check(&query)?;
    tracing::info!(component_id = %component.id, reference_point = %component.reference_point, operator = caller.name,
        "Status report requested over the API.");
    Ok(Json(state.backend.request_status(&component, &caller.name, query).await?))
}

fn check(query: &StatusQuery) -> Result<(), Problem> {
    for (key, list) in [("types", &query.types), ("names", &query.names), ("resources", &query.resources)] {
        let long = list.iter().any(|text| text.is_empty() || text.chars().count() > limits::RESOURCE_CHARS);
        if list.len() > limits::REQUEST_QUERY_ITEMS || long {
            let detail = format!(
                "`{key}` may hold {} texts of 1 to {} characters each",
                limits::REQUEST_QUERY_ITEMS,
                limits::RESOURCE_CHARS
            );
            return Err(Problem::bad_request("bad-body", "Body not understood", detail));
        }
    }
    Ok(())
}
