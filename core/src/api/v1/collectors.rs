//! `/api/v1/collectors`

use axum::{
    Json,
    extract::{Path, State},
    response::Response,
};

use crate::api::{
    listing::Listing,
    page::Page,
    params::{FormatOnly, NoParameters, Parameters},
    problem::Problem,
    router::ApiState,
    views::CollectorView,
};

/// Lists collectors, in the order of the configuration.
#[utoipa::path(get, path = "/collectors", tag = "collectors", operation_id = "listCollectors", params(FormatOnly),
    responses((status = 200, description = "All collectors.", body = Page<CollectorView>)))]
pub(crate) async fn list(
    State(state): State<ApiState>,
    Parameters(query): Parameters<FormatOnly>,
    listing: Listing,
) -> Result<Response, Problem> {
    listing.answer(query.format, Page::whole(state.backend.collectors()))
}

/// Shows one collector: whom it may ask, what was refused, how its last collections went.
#[utoipa::path(get, path = "/collectors/{name}", tag = "collectors", operation_id = "getCollector",
    params(("name" = String, Path, description = "Its name in the configuration.", min_length = 1, example = "kme-1")),
    responses((status = 200, description = "The collector.", body = CollectorView)))]
pub(crate) async fn show(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Json<CollectorView>, Problem> {
    let found = state.backend.collectors().into_iter().find(|one| one.name == name);
    let unknown = || Problem::not_found(format!("there is no collector `{name}`; GET /api/v1/collectors lists them"));
    found.map(Json).ok_or_else(unknown)
}
