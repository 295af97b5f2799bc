//! `/api/v1/components/{point}/{id}/history`, `/histories` and `/api/v1/values`

use axum::{
    Json,
    extract::{Path, State},
    response::Response,
};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    api::{
        listing::{ListFormat, Listing},
        page::Page,
        params::{self, Parameters, TimeText},
        problem::Problem,
        router::ApiState,
        views::{HistoryError, HistoryFilter, HistoryPoint, HistoryView, LastValueView, ValueCursor, ValueFilter},
    },
    config::{limits, quantity},
    model::{ComponentRef, ReferencePoint, Timestamp},
};

/// Span that is shown if `from` is not said.
const DEFAULT_SPAN_MS: i64 = 3_600_000;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct HistoryQuery {
    /// Name of the value, such as `qber_ratio`.
    name: String,
    /// Part of the component; left out or empty: the component itself.
    #[serde(default)]
    #[param(required = false)]
    resource: String,
    /// From this time on, or so long ago; an hour before `to`, if not said.
    #[param(inline, value_type = Option<TimeText>)]
    from: Option<String>,
    /// Up to this time, or so long ago; now, if not said.
    #[param(inline, value_type = Option<TimeText>)]
    to: Option<String>,
    /// Steps of this length instead of samples, such as `1m` or `1h`.
    #[param(pattern = "^[1-9][0-9]{0,3}(s|m|h|d)$")]
    step: Option<String>,
    /// Goes before the header `Accept`.
    #[param(inline)]
    format: Option<ListFormat>,
}

/// From when to when, and in which steps; 0: samples.
struct Span {
    from: Timestamp,
    to: Timestamp,
    step_ms: i64,
}

impl Span {
    fn new(now: Timestamp, from: Option<&str>, to: Option<&str>, step: Option<&str>) -> Result<Self, Problem> {
        // Up to now, what was reported just now included.
        let now = now.plus(1);
        let to = to.map_or(Ok(now), |text| params::time("to", text, now))?;
        let from = from.map_or(Ok(to.plus(-DEFAULT_SPAN_MS)), |text| params::time("from", text, now))?;
        if from >= to {
            return Err(params::bad("`from` is not before `to`"));
        }
        let step_ms = match step {
            None => 0,
            Some(text) => quantity::duration(text)
                .ok()
                .and_then(|step| i64::try_from(step.as_millis()).ok())
                .filter(|step| *step >= 1)
                .ok_or_else(|| params::bad("`step` is no span such as 1m or 1h"))?,
        };
        Ok(Self { from, to, step_ms })
    }

    fn filter(&self, component: ComponentRef, resource: String, name: String) -> HistoryFilter {
        HistoryFilter { component, resource, name, from: self.from, to: self.to, step_ms: self.step_ms }
    }
}

/// Shows what a value was: samples, or steps with least, greatest, mean and last. CSV has the points alone.
#[utoipa::path(get, path = "/components/{point}/{id}/history", tag = "values", operation_id = "getHistory",
    params(params::ComponentPath, HistoryQuery),
    responses((status = 200, description = "In the order of time.", body = HistoryView),
        (status = 429, description = "Too many readers of what is stored at a time.")))]
pub(crate) async fn show(
    State(state): State<ApiState>,
    Path((point, id)): Path<(String, String)>,
    Parameters(query): Parameters<HistoryQuery>,
    listing: Listing,
) -> Result<Response, Problem> {
    let HistoryQuery { name, resource, from, to, step, format } = query;
    let component = params::component(&point, &id)?;
    let span = Span::new(state.backend.now(), from.as_deref(), to.as_deref(), step.as_deref())?;
    let view = state.backend.history(&span.filter(component, resource, name)).await?;
    listing.rows::<HistoryPoint, _>(format, view, |view| view.points)
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "its parameters are read one by one, since names may come several times")]
pub(crate) struct HistoriesQuery {
    /// Names of values, each as a parameter of its own; at most 16.
    #[param(min_items = 1, max_items = 16)]
    name: Vec<String>,
    /// Part of the component; left out or empty: the component itself.
    resource: Option<String>,
    /// From this time on, or so long ago; an hour before `to`, if not said.
    #[param(inline, value_type = Option<TimeText>)]
    from: Option<String>,
    /// Up to this time, or so long ago; now, if not said.
    #[param(inline, value_type = Option<TimeText>)]
    to: Option<String>,
    /// Steps of this length instead of samples, such as `1m` or `1h`.
    #[param(pattern = "^[1-9][0-9]{0,3}(s|m|h|d)$")]
    step: Option<String>,
}

/// Shows what several values of a component were, over one time and in the same steps. A value that was never reported
/// is left out.
#[utoipa::path(get, path = "/components/{point}/{id}/histories", tag = "values", operation_id = "getHistories",
    params(params::ComponentPath, HistoriesQuery),
    responses((status = 200, description = "In the order of the names asked for.", body = Page<HistoryView>),
        (status = 429, description = "Too many readers of what is stored at a time.")))]
pub(crate) async fn several(
    State(state): State<ApiState>,
    Path((point, id)): Path<(String, String)>,
    Parameters(pairs): Parameters<Vec<(String, String)>>,
) -> Result<Json<Page<HistoryView>>, Problem> {
    let component = params::component(&point, &id)?;
    let (names, rest): (Vec<_>, Vec<_>) = pairs.into_iter().partition(|(key, _)| key == "name");
    if names.is_empty() || names.len() > limits::API_HISTORIES {
        let most = limits::API_HISTORIES;
        return Err(params::bad(format!("`name` has to be there 1 to {most} times, and is {} times", names.len())));
    }
    let mut known: [(&str, Option<String>); 4] = ["resource", "from", "to", "step"].map(|key| (key, None));
    for (key, value) in rest {
        let place = known.iter_mut().find(|(name, _)| *name == key);
        let place = place.ok_or_else(|| {
            params::bad(format!("unknown parameter `{key}`, expected `name`, `resource`, `from`, `to` or `step`"))
        })?;
        if place.1.replace(value).is_some() {
            return Err(params::bad(format!("`{key}` is there twice")));
        }
    }
    let [(_, resource), (_, from), (_, to), (_, step)] = known;
    let span = Span::new(state.backend.now(), from.as_deref(), to.as_deref(), step.as_deref())?;
    if state.backend.component(&component).is_none() {
        return Err(params::unknown_component(&component));
    }
    let mut items = Vec::new();
    for (_, name) in names {
        let filter = span.filter(component.clone(), resource.clone().unwrap_or_default(), name);
        match state.backend.history(&filter).await {
            Ok(view) => items.push(view),
            Err(HistoryError::Unknown(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Json(Page::whole(items)))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ValuesQuery {
    /// Of components on this reference point.
    #[param(inline)]
    reference_point: Option<ReferencePoint>,
    /// Of this component.
    #[param(inline)]
    component: Option<ComponentRef>,
    /// Of this part of a component; empty: of components themselves.
    resource: Option<String>,
    /// Of this name.
    name: Option<String>,
    /// `next` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<ValueCursor>,
    /// Most items of the page.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Goes before the header `Accept`.
    #[param(inline)]
    format: Option<ListFormat>,
}

/// Lists the last value of everything.
#[utoipa::path(get, path = "/values", tag = "values", operation_id = "listValues", params(ValuesQuery),
    responses((status = 200, description = "A page of values.", body = Page<LastValueView>)))]
pub(crate) async fn values(
    State(state): State<ApiState>,
    Parameters(query): Parameters<ValuesQuery>,
    listing: Listing,
) -> Result<Response, Problem> {
    let ValuesQuery { reference_point, component, resource, name, cursor, limit, format } = query;
    let filter = ValueFilter { reference_point, component, resource, name };
    listing.answer(format, state.backend.values(&filter, &params::page(cursor, limit)?))
}
