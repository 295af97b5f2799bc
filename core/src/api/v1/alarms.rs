//! `/api/v1/alarms`

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::HeaderMap,
    response::Response,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    alarm::{AlarmFilter, AlarmSummary},
    api::{
        listing::{ListFormat, Listing},
        page::Page,
        params::{self, NoParameters, Number, Parameters, TimeText},
        problem::Problem,
        router::ApiState,
        views::AlarmView,
    },
    config::{FcapsFunction, Role},
    model::{ComponentRef, OperatorState, ReferencePoint, Severity},
};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// Of this severity or a worse one; of a cleared alarm the last it had counts.
    #[param(inline)]
    severity: Option<Severity>,
    /// Cleared alarms only (true), or raised ones only (false).
    cleared: Option<bool>,
    /// Of components on this reference point.
    #[param(inline)]
    reference_point: Option<ReferencePoint>,
    /// Of this component.
    #[param(inline)]
    component: Option<ComponentRef>,
    /// Of this part of a component; empty: of components themselves.
    resource: Option<String>,
    /// Of this alarm type, such as `qber-threshold-exceeded`.
    #[serde(rename = "type")]
    alarm_type_id: Option<String>,
    /// Of which the operator says this.
    #[param(inline)]
    operator_state: Option<OperatorState>,
    /// Of this FCAPS function, by its word or its letter.
    #[serde(default, deserialize_with = "function")]
    #[param(inline, value_type = Option<FunctionWord>)]
    function: Option<FcapsFunction>,
    /// Whose severity, text or clearance changed at or after this time, or so long ago.
    #[param(inline, value_type = Option<TimeText>)]
    since: Option<String>,
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

/// Words and letters of the five functions.
const FUNCTIONS: [(&str, &str, FcapsFunction); 5] = [
    ("fault", "F", FcapsFunction::Fault),
    ("configuration", "C", FcapsFunction::Configuration),
    ("accounting", "A", FcapsFunction::Accounting),
    ("performance", "P", FcapsFunction::Performance),
    ("security", "S", FcapsFunction::Security),
];

fn function<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<FcapsFunction>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let found = FUNCTIONS.iter().find(|(word, letter, _)| text == *word || text == *letter);
    found.map(|(.., function)| Some(*function)).ok_or_else(|| {
        serde::de::Error::custom(format!(
            "`{text}` is no FCAPS function (expected fault, configuration, accounting, performance, security, or F, C, A, P, S)"
        ))
    })
}

/// What [`function`] reads, in the description of the API.
struct FunctionWord;

impl ToSchema for FunctionWord {}

impl utoipa::PartialSchema for FunctionWord {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        let words = FUNCTIONS.iter().flat_map(|(word, letter, _)| [*word, *letter]);
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .enum_values(Some(words.collect::<Vec<_>>()))
            .build()
            .into()
    }
}

/// Lists alarms, the newest alarm first.
#[utoipa::path(get, path = "/alarms", tag = "alarms", operation_id = "listAlarms", params(ListQuery),
    responses((status = 200, description = "A page of alarms.", body = Page<AlarmView>)))]
pub(crate) async fn list(
    State(state): State<ApiState>,
    Parameters(query): Parameters<ListQuery>,
    listing: Listing,
) -> Result<Response, Problem> {
    let page = params::page(query.cursor, query.limit)?;
    let since = query.since.map(|text| params::time("since", &text, state.backend.now())).transpose()?;
    let filter = AlarmFilter {
        severity_at_least: query.severity,
        cleared: query.cleared,
        reference_point: query.reference_point,
        component: query.component.map(|component| component.to_string()),
        resource: query.resource,
        alarm_type_id: query.alarm_type_id,
        operator_state: query.operator_state,
        since,
    };
    listing.answer(query.format, state.backend.alarms(&filter, query.function, &page))
}

/// Counts all alarms by severity (RFC 8632 alarm-summary).
#[utoipa::path(get, path = "/alarms/summary", tag = "alarms", operation_id = "summariseAlarms",
    responses((status = 200, description = "The worst severity first.", body = AlarmSummary)))]
pub(crate) async fn summary(
    State(state): State<ApiState>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Json<AlarmSummary> {
    Json(state.backend.alarm_summary())
}

/// Shows one alarm with its history.
#[utoipa::path(get, path = "/alarms/{id}", tag = "alarms", operation_id = "getAlarm",
    params(("id" = u64, Path, description = "Number of the alarm.", example = 1)),
    responses((status = 200, description = "The alarm.", body = AlarmView)))]
pub(crate) async fn show(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Json<AlarmView>, Problem> {
    let id = number(&id)?;
    state
        .backend
        .alarm(id)
        .map(Json)
        .ok_or_else(|| Problem::not_found(format!("there is no alarm {id}; GET /api/v1/alarms lists them")))
}

/// What an operator says beside setting a state.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Operation {
    /// Comment for the alarm's history.
    #[serde(default)]
    #[schema(max_length = 1024)]
    comment: String,
}

/// What an operator can do to an alarm.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "its schema is what documents the path")]
pub(crate) enum AlarmAction {
    /// Somebody looks after it.
    Acknowledge,
    /// It is done with, in the operator's view. Does not clear it.
    Close,
    /// Takes either back.
    Reopen,
}

/// Sets the operator's state of an alarm: `acknowledge`, `close`, or `reopen` to take either back.
#[utoipa::path(post, path = "/alarms/{id}/{action}", tag = "alarms", operation_id = "operateAlarm",
    params(("id" = u64, Path, description = "Number of the alarm.", example = 1),
        ("action" = inline(AlarmAction), Path, description = "What to do.")),
    request_body(content = Option<Operation>, description = "May be left out."),
    responses((status = 200, description = "The alarm as it is now, on stable storage.", body = AlarmView),
        (status = 409, description = "It is so already.")),
    security(("token" = ["operator"])))]
pub(crate) async fn operate(
    State(state): State<ApiState>,
    Path((id, action)): Path<(String, String)>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Json<AlarmView>, Problem> {
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
