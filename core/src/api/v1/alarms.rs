//! `/api/v1/alarms`

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::HeaderMap,
};
use serde::Deserialize;

use crate::{
    alarm::{AlarmFilter, AlarmSummary},
    api::{
        page::Page,
        params::{self, NoParameters, Parameters},
        problem::Problem,
        router::ApiState,
    },
    config::Role,
    model::{Alarm, ComponentRef, OperatorState, Severity},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// At least this severity.
    severity: Option<Severity>,
    cleared: Option<bool>,
    component: Option<ComponentRef>,
    resource: Option<String>,
    #[serde(rename = "type")]
    alarm_type_id: Option<String>,
    operator_state: Option<OperatorState>,
    cursor: Option<u64>,
    limit: Option<usize>,
}

/// Alarms that meet the query, the newest alarm first.
pub(crate) async fn list(
    State(state): State<ApiState>,
    Parameters(query): Parameters<ListQuery>,
) -> Result<Json<Page<Alarm>>, Problem> {
    let page = params::page(query.cursor, query.limit)?;
    let filter = AlarmFilter {
        severity_at_least: query.severity,
        cleared: query.cleared,
        component: query.component.map(|component| component.to_string()),
        resource: query.resource,
        alarm_type_id: query.alarm_type_id,
        operator_state: query.operator_state,
    };
    Ok(Json(state.backend.alarms(&filter, &page)))
}

/// All alarms, counted by severity.
pub(crate) async fn summary(
    State(state): State<ApiState>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Json<AlarmSummary> {
    Json(state.backend.alarm_summary())
}

/// One alarm with its history.
pub(crate) async fn show(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Json<Alarm>, Problem> {
    let id = number(&id)?;
    state
        .backend
        .alarm(id)
        .map(Json)
        .ok_or_else(|| Problem::not_found(format!("there is no alarm {id}; GET /api/v1/alarms lists them")))
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Operation {
    #[serde(default)]
    comment: String,
}

/// Sets the operator's state: `acknowledge`, `close`, or `reopen` to take either back.
pub(crate) async fn operate(
    State(state): State<ApiState>,
    Path((id, action)): Path<(String, String)>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Json<Alarm>, Problem> {
    let operator_state = match action.as_str() {
        "acknowledge" => OperatorState::Acknowledged,
        "close" => OperatorState::Closed,
        "reopen" => OperatorState::None,
        _ => {
            return Err(Problem::not_found(format!(
                "`{action}` is nothing that can be done to an alarm; try acknowledge, close or reopen"
            )));
        }
    };
    let caller = state.tokens.authorise(&headers, Role::Operator, state.backend.now())?;
    let id = number(&id)?;
    let Operation { comment } = params::body(&bytes)?;
    let alarm = state.backend.operate_alarm(id, &caller.name, operator_state, &comment).await?;
    tracing::info!(alarm = id, operator = caller.name, action, "Alarm operated on over the API.");
    Ok(Json(alarm))
}

fn number(id: &str) -> Result<u64, Problem> {
    id.parse().map_err(|_| {
        Problem::not_found(format!("`{id}` is no number of an alarm; GET /api/v1/alarms lists alarms with their `id`"))
    })
}
