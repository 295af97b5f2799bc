//! `/api/v1/reports`

use axum::{extract::State, response::Response};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    api::{
        listing::{ListFormat, Listing},
        page::Page,
        params::{self, Number, Parameters},
        problem::Problem,
        router::ApiState,
        views::{ReportCursor, ReportView},
    },
    model::ComponentRef,
};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// Whose reports.
    #[param(inline)]
    component: ComponentRef,
    /// Only numbered reports, from this sequence number on.
    #[serde(default, deserialize_with = "params::number")]
    #[param(inline, value_type = Option<Number>)]
    from_sequence: Option<u64>,
    /// `next` of the page before.
    #[param(inline)]
    cursor: Option<ReportCursor>,
    /// Most items of the page.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Goes before the header `Accept`.
    #[param(inline)]
    format: Option<ListFormat>,
}

/// Lists stored reports of a component, in the order of acceptance.
#[utoipa::path(get, path = "/reports", tag = "reports", operation_id = "listReports", params(ListQuery),
    responses((status = 200, description = "A page of reports.", body = Page<ReportView>),
        (status = 404, description = "The manager does not know the component."),
        (status = 429, description = "Too many readers of what is stored at a time.")))]
pub(crate) async fn list(
    State(state): State<ApiState>,
    Parameters(query): Parameters<ListQuery>,
    listing: Listing,
) -> Result<Response, Problem> {
    let page = params::page(query.cursor, query.limit)?;
    listing.answer(query.format, state.backend.reports(&query.component, query.from_sequence, &page).await?)
}
