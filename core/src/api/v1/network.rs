//! `/api/v1/inventory`, `/api/v1/topology` and `/api/v1/usage`

use axum::{extract::State, response::Response};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    api::{
        listing::{ListFormat, Listing},
        page::Page,
        params::{self, Number, Parameters, TimeText},
        problem::Problem,
        router::ApiState,
        views::{
            NetworkChangeView, NetworkCursor, NetworkEntryView, NetworkFilter, UsageBy, UsageFilter, UsageTotalView,
        },
    },
    model::ComponentRef,
};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// What this component says.
    #[param(inline)]
    component: Option<ComponentRef>,
    /// Of this part of a component.
    resource: Option<String>,
    /// Of this value name, node, link or route.
    name: Option<String>,
    /// `next` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<NetworkCursor>,
    /// Most items of the page.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Goes before the header `Accept`.
    #[param(inline)]
    format: Option<ListFormat>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangesQuery {
    /// What this component says.
    #[param(inline)]
    component: Option<ComponentRef>,
    /// Of this part of a component.
    resource: Option<String>,
    /// Of this value name, node, link or route.
    name: Option<String>,
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

fn list(state: &ApiState, query: ListQuery, inventory: bool, listing: &Listing) -> Result<Response, Problem> {
    let ListQuery { component, resource, name, cursor, limit, format } = query;
    let filter = NetworkFilter { component, inventory, resource, name };
    listing.answer(format, state.backend.network(&filter, &params::page(cursor, limit)?))
}

async fn changes(
    state: &ApiState,
    query: ChangesQuery,
    inventory: bool,
    listing: &Listing,
) -> Result<Response, Problem> {
    let ChangesQuery { component, resource, name, cursor, limit, format } = query;
    let filter = NetworkFilter { component, inventory, resource, name };
    listing.answer(format, state.backend.network_changes(&filter, &params::page(cursor, limit)?).await?)
}

/// Lists inventory as components report it.
#[utoipa::path(get, path = "/inventory", tag = "network", operation_id = "listInventory", params(ListQuery),
    responses((status = 200, description = "A page of values.", body = Page<NetworkEntryView>)))]
pub(crate) async fn inventory(
    State(state): State<ApiState>,
    Parameters(query): Parameters<ListQuery>,
    listing: Listing,
) -> Result<Response, Problem> {
    list(&state, query, true, &listing)
}

/// Lists changes of inventory, the newest first.
#[utoipa::path(get, path = "/inventory/changes", tag = "network", operation_id = "listInventoryChanges", params(ChangesQuery),
    responses((status = 200, description = "A page of changes.", body = Page<NetworkChangeView>),
        (status = 429, description = "Too many readers of what is stored at a time.")))]
pub(crate) async fn inventory_changes(
    State(state): State<ApiState>,
    Parameters(query): Parameters<ChangesQuery>,
    listing: Listing,
) -> Result<Response, Problem> {
    changes(&state, query, true, &listing).await
}

/// Lists nodes, links and routes, as each component sees them.
#[utoipa::path(get, path = "/topology", tag = "network", operation_id = "listTopology", params(ListQuery),
    responses((status = 200, description = "A page of entries.", body = Page<NetworkEntryView>)))]
pub(crate) async fn topology(
    State(state): State<ApiState>,
    Parameters(query): Parameters<ListQuery>,
    listing: Listing,
) -> Result<Response, Problem> {
    list(&state, query, false, &listing)
}

/// Lists changes of the topology, the newest first.
#[utoipa::path(get, path = "/topology/changes", tag = "network", operation_id = "listTopologyChanges", params(ChangesQuery),
    responses((status = 200, description = "A page of changes.", body = Page<NetworkChangeView>),
        (status = 429, description = "Too many readers of what is stored at a time.")))]
pub(crate) async fn topology_changes(
    State(state): State<ApiState>,
    Parameters(query): Parameters<ChangesQuery>,
    listing: Listing,
) -> Result<Response, Problem> {
    changes(&state, query, false, &listing).await
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct UsageQuery {
    /// What it is added up by; the application, if not said.
    #[serde(default)]
    #[param(inline)]
    by: UsageBy,
    /// Reported by this component.
    #[param(inline)]
    component: Option<ComponentRef>,
    /// Intervals that ended at or after this time, or so long ago.
    #[param(inline, value_type = Option<TimeText>)]
    from: Option<String>,
    /// Intervals that ended before this time, or so long ago.
    #[param(inline, value_type = Option<TimeText>)]
    to: Option<String>,
    /// Goes before the header `Accept`.
    #[param(inline)]
    format: Option<ListFormat>,
}

/// Adds up consumed and supplied keys, each interval counted once.
#[utoipa::path(get, path = "/usage", tag = "usage", operation_id = "totalUsage", params(UsageQuery),
    responses((status = 200, description = "The most consumed bits first.", body = Page<UsageTotalView>),
        (status = 429, description = "Too many readers of what is stored at a time.")))]
pub(crate) async fn usage(
    State(state): State<ApiState>,
    Parameters(query): Parameters<UsageQuery>,
    listing: Listing,
) -> Result<Response, Problem> {
    let now = state.backend.now();
    let time = |key: &str, text: Option<String>| text.map(|text| params::time(key, &text, now)).transpose();
    let filter = UsageFilter { component: query.component, from: time("from", query.from)?, to: time("to", query.to)? };
    listing.answer(query.format, Page::whole(state.backend.usage(query.by, &filter).await?))
}
