//! `/api/v1/reports`

use axum::{Json, extract::State};
use serde::{Deserialize, Deserializer};

use crate::{
    api::{
        page::Page,
        params::{self, Parameters},
        problem::Problem,
        router::ApiState,
        views::{ReportCursor, ReportView},
    },
    model::ComponentRef,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ListQuery {
    component: ComponentRef,
    #[serde(default, deserialize_with = "number")]
    from_sequence: Option<u64>,
    cursor: Option<ReportCursor>,
    limit: Option<usize>,
}

fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    u64::deserialize(deserializer).map(Some)
}

/// Stored reports of a component, in the order of acceptance.
pub(crate) async fn list(
    State(state): State<ApiState>,
    Parameters(query): Parameters<ListQuery>,
) -> Result<Json<Page<ReportView>>, Problem> {
    let page = params::page(query.cursor, query.limit)?;
    Ok(Json(state.backend.reports(&query.component, query.from_sequence, &page).await?))
}
