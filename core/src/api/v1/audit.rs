//! `/api/v1/audit`: who was refused, what was changed, what operators did.

use axum::{extract::State, http::HeaderMap, response::Response};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    api::{
        listing::{ListFormat, Listing},
        page::Page,
        params::{self, Number, Parameters, TimeText},
        problem::Problem,
        router::ApiState,
        views::{AuditEntryView, AuditFilter},
    },
    config::Role,
};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// Of this kind: refused, operator, configuration, start, stop, audit.
    kind: Option<String>,
    /// Of this operator, component or fingerprint.
    who: Option<String>,
    /// At or after this time, or so long ago.
    #[param(inline, value_type = Option<TimeText>)]
    from: Option<String>,
    /// Before this time, or so long ago.
    #[param(inline, value_type = Option<TimeText>)]
    to: Option<String>,
    /// `next` of the page before.
    #[serde(default, deserialize_with = "params::number")]
    #[param(inline, value_type = Option<Number>)]
    cursor: Option<u64>,
    /// Most items of the page.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Goes before the header `Accept`.
    #[param(inline)]
    format: Option<ListFormat>,
}

/// Lists entries of the audit trail, the newest first.
///
/// Always needs a token: the trail names people and addresses. What was refused a moment ago may come a moment later. The
/// chain is not verified here; `qkdnm audit verify` does that on the manager's machine.
#[utoipa::path(get, path = "/audit", tag = "manager", operation_id = "listAudit", params(ListQuery),
    responses((status = 200, description = "A page of entries.", body = Page<AuditEntryView>),
        (status = 429, description = "Too many readers of what is stored at a time.")),
    security(("token" = ["operator"])))]
pub(crate) async fn list(
    State(state): State<ApiState>,
    Parameters(query): Parameters<ListQuery>,
    headers: HeaderMap,
    listing: Listing,
) -> Result<Response, Problem> {
    let now = state.backend.now();
    state.tokens.authorise(&headers, Role::Operator, now)?;
    let page = params::page(query.cursor, query.limit)?;
    let time = |key: &str, text: Option<String>| text.map(|text| params::time(key, &text, now)).transpose();
    let filter =
        AuditFilter { kind: query.kind, who: query.who, from: time("from", query.from)?, to: time("to", query.to)? };
    listing.answer(query.format, state.backend.audit(&filter, &page).await?)
}
