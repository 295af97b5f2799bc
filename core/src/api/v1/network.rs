//! `/api/v1/inventory`, `/api/v1/topology` and `/api/v1/usage`

use axum::{Json, extract::State};
use serde::Deserialize;

use crate::{
    api::{
        page::Page,
        params::{self, Parameters},
        problem::Problem,
        router::ApiState,
        views::{NetworkChangeView, NetworkEntryView, NetworkFilter, UsageBy, UsageFilter, UsageTotalView},
    },
    model::{ComponentRef, Timestamp},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    component: Option<ComponentRef>,
    resource: Option<String>,
    name: Option<String>,
    cursor: Option<String>,
    limit: Option<usize>,
}

impl ListQuery {
    fn filter(&self, inventory: bool) -> NetworkFilter {
        let Self { component, resource, name, .. } = self;
        NetworkFilter { component: component.clone(), inventory, resource: resource.clone(), name: name.clone() }
    }
}

async fn list(state: &ApiState, query: ListQuery, inventory: bool) -> Result<Json<Page<NetworkEntryView>>, Problem> {
    let filter = query.filter(inventory);
    Ok(Json(state.backend.network(&filter, &params::page(query.cursor, query.limit)?)))
}

async fn changes(
    state: &ApiState,
    query: ListQuery,
    inventory: bool,
) -> Result<Json<Page<NetworkChangeView>>, Problem> {
    let filter = query.filter(inventory);
    let cursor = query.cursor.map(|cursor| cursor.parse::<u64>()).transpose();
    let cursor = cursor.map_err(|_| {
        Problem::bad_request("bad-parameter", "Query not understood", "`cursor` is no number of a change")
    })?;
    Ok(Json(state.backend.network_changes(&filter, &params::page(cursor, query.limit)?).await?))
}

/// What is known of components, by value.
pub(crate) async fn inventory(
    State(state): State<ApiState>,
    Parameters(query): Parameters<ListQuery>,
) -> Result<Json<Page<NetworkEntryView>>, Problem> {
    list(&state, query, true).await
}

/// Changes of inventory, newest first.
pub(crate) async fn inventory_changes(
    State(state): State<ApiState>,
    Parameters(query): Parameters<ListQuery>,
) -> Result<Json<Page<NetworkChangeView>>, Problem> {
    changes(&state, query, true).await
}

/// Nodes, links and routes, as each component sees them.
pub(crate) async fn topology(
    State(state): State<ApiState>,
    Parameters(query): Parameters<ListQuery>,
) -> Result<Json<Page<NetworkEntryView>>, Problem> {
    list(&state, query, false).await
}

/// Changes of the topology, newest first.
pub(crate) async fn topology_changes(
    State(state): State<ApiState>,
    Parameters(query): Parameters<ListQuery>,
) -> Result<Json<Page<NetworkChangeView>>, Problem> {
    changes(&state, query, false).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UsageQuery {
    #[serde(default)]
    by: UsageBy,
    component: Option<ComponentRef>,
    from: Option<String>,
    to: Option<String>,
}

/// Usage added up.
pub(crate) async fn usage(
    State(state): State<ApiState>,
    Parameters(query): Parameters<UsageQuery>,
) -> Result<Json<Page<UsageTotalView>>, Problem> {
    let time = |key: &str, text: Option<String>| match text {
        None => Ok(None),
        Some(text) => Timestamp::parse(&text).map(Some).ok_or_else(|| {
            let detail = format!("`{key}` is no time such as 2026-11-26T08:00:00Z");
            Problem::bad_request("bad-parameter", "Query not understood", detail)
        }),
    };
    let filter = UsageFilter { component: query.component, from: time("from", query.from)?, to: time("to", query.to)? };
    Ok(Json(Page { items: state.backend.usage(query.by, &filter).await?, next: None }))
}
