//! `/api/v1/components`

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::HeaderMap,
    response::Response,
};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    api::{
        listing::{ListFormat, Listing},
        page::Page,
        params::{self, NoParameters, Parameters},
        problem::Problem,
        router::ApiState,
        views::{ComponentDetail, ComponentFilter, ComponentSummary, ExplanationView, StatusAnswer, StatusQuery},
    },
    config::{Role, limits},
    model::{ComponentRef, ReferencePoint},
};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// On this reference point.
    #[param(inline)]
    reference_point: Option<ReferencePoint>,
    /// Connected now (true), or not (false).
    connected: Option<bool>,
    /// Silent for longer than its expected interval allows (true), or not (false).
    silent: Option<bool>,
    /// Of this vendor.
    vendor: Option<String>,
    /// Of this model.
    model: Option<String>,
    /// At this site.
    site: Option<String>,
    /// With this tag.
    tag: Option<String>,
    /// `next` of the page before.
    #[param(inline)]
    cursor: Option<ComponentRef>,
    /// Most items of the page.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Goes before the header `Accept`.
    #[param(inline)]
    format: Option<ListFormat>,
}

/// Lists components, in the order of reference points and IDs.
#[utoipa::path(get, path = "/components", tag = "components", operation_id = "listComponents", params(ListQuery),
    responses((status = 200, description = "A page of components.", body = Page<ComponentSummary>)))]
pub(crate) async fn list(
    State(state): State<ApiState>,
    Parameters(query): Parameters<ListQuery>,
    listing: Listing,
) -> Result<Response, Problem> {
    let page = params::page(query.cursor, query.limit)?;
    let filter = ComponentFilter {
        reference_point: query.reference_point,
        connected: query.connected,
        vendor: query.vendor,
        model: query.model,
        site: query.site,
        tag: query.tag,
        silent: query.silent,
    };
    listing.answer(query.format, state.backend.components(&filter, &page))
}

/// Shows one component with its connections and last values.
#[utoipa::path(get, path = "/components/{point}/{id}", tag = "components", operation_id = "getComponent",
    params(params::ComponentPath),
    responses((status = 200, description = "The component.", body = ComponentDetail)))]
pub(crate) async fn show(
    State(state): State<ApiState>,
    Path((point, id)): Path<(String, String)>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Json<ComponentDetail>, Problem> {
    let component = params::component(&point, &id)?;
    state.backend.component(&component).map(Json).ok_or_else(|| params::unknown_component(&component))
}

/// Explains which handler takes a component's reports and which policies see it, rule by rule; also for one that is not known yet.
#[utoipa::path(get, path = "/components/{point}/{id}/explanation", tag = "components", operation_id = "explainComponent",
    params(params::ComponentPath),
    responses((status = 200, description = "The rules, and whether each applies.", body = ExplanationView)))]
pub(crate) async fn explain(
    State(state): State<ApiState>,
    Path((point, id)): Path<(String, String)>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Json<ExplanationView>, Problem> {
    let component = params::component(&point, &id)?;
    // No component of the API's has such an ID, nor will one.
    if component.id.as_str().chars().any(char::is_control) {
        return Err(params::unknown_component(&component));
    }
    Ok(Json(state.backend.explanation(&component)))
}

/// Asks a component for a status report (Q.QKDN_Mk 7.2) and shows its answer.
#[utoipa::path(post, path = "/components/{point}/{id}/request", tag = "components", operation_id = "requestStatus",
    params(params::ComponentPath),
    request_body(content = Option<StatusQuery>, description = "May be left out: then for everything it has."),
    responses((status = 200, description = "What the component answered.", body = StatusAnswer),
        (status = 409, description = "The component is not connected."),
        (status = 429, description = "Too many requests are open at the component."),
        (status = 502, description = "The component refused, or its answer was refused."),
        (status = 504, description = "The component did not answer in time.")),
    security(("token" = ["operator"])))]
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
