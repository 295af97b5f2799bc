//! `/api/v1/plugins/{name}/reload` and `/rollback`: other versions of single plugins. `/api/v1/quarantine`: what plugins could not take.
//! `/api/v1/plugin-log`: what plugins said, and what went wrong in them.

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use utoipa::IntoParams;

use crate::{
    api::{
        backend::PluginExchangeError,
        listing::{ListFormat, Listing},
        page::Page,
        params::{FormatOnly, NoParameters, Number, Parameters, number},
        problem::Problem,
        router::ApiState,
        views::{PluginLineView, QuarantineView, ReloadResult, ReloadView},
    },
    config::Role,
    telemetry::plugin_log,
};

#[derive(Debug, Default, serde::Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct PluginReloadParameters {
    /// Only say what would be different: the last reports of the journal go through both versions.
    dry_run: bool,
    /// Take it over also if it fails where the version in force does not.
    anyway: bool,
}

#[derive(Debug, Default, serde::Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct PluginLogParameters {
    /// Only of this plugin: its name in the configuration.
    #[param(example = "qber")]
    plugin: Option<String>,
    /// Only lines behind this `id`: for whoever looks again and again.
    #[serde(deserialize_with = "number")]
    #[param(inline, value_type = Option<Number>)]
    after: Option<u64>,
    /// Goes before the header `Accept`.
    #[param(inline)]
    format: Option<ListFormat>,
}

/// Lists what plugins said and what went wrong in them, the oldest first: log lines, reasons of refused reports, failed calls with their
/// traces. Of each plugin the newest 1,000 lines are kept, at most 50 of a second and 256 KiB in all.
#[utoipa::path(get, path = "/plugin-log", tag = "plugins", operation_id = "listPluginLog", params(PluginLogParameters),
    responses((status = 200, description = "All of them.", body = Page<PluginLineView>),
        (status = 404, description = "There is no plugin of that name.")))]
pub(crate) async fn log(
    State(state): State<ApiState>,
    Parameters(query): Parameters<PluginLogParameters>,
    listing: Listing,
) -> Result<Response, Problem> {
    let metrics = state.backend.metrics();
    let newest = plugin_log::newest();
    // A number above all there are is from before a restart: everything is new then.
    let after = query.after.filter(|after| *after <= newest).unwrap_or(0);
    let mut lines = Vec::new();
    match &query.plugin {
        None => {
            for plugin in &metrics.plugins {
                lines.extend(plugin.lines.after(after).iter().map(|line| PluginLineView::new(plugin.key(), line)));
            }
        }
        Some(name) => {
            let Some(plugin) = metrics.plugins.get(name) else {
                return Err(Problem::not_found(format!(
                    "no plugin is configured as `{name}`; /api/v1/plugin-activity lists them"
                )));
            };
            lines.extend(plugin.lines.after(after).iter().map(|line| PluginLineView::new(name, line)));
        }
    }
    lines.retain(|line| line.id <= newest);
    lines.sort_by_key(|line| line.id);
    listing.answer(query.format, Page::whole(lines))
}

/// Lists reports that plugins could not take, the newest first, with what failed: at most 1,000 are kept. What came a moment ago may be
/// there a moment later.
#[utoipa::path(get, path = "/quarantine", tag = "plugins", operation_id = "listQuarantine", params(FormatOnly),
    responses((status = 200, description = "All of them.", body = Page<QuarantineView>),
        (status = 429, description = "Too many readers of what is stored at a time.")))]
pub(crate) async fn quarantine(
    State(state): State<ApiState>,
    Parameters(query): Parameters<FormatOnly>,
    listing: Listing,
) -> Result<Response, Problem> {
    listing.answer(query.format, Page::whole(state.backend.quarantine().await?))
}

/// Takes the file of a plugin over, whatever else changed in the files: compiled beside the version in force, checked with its
/// configuration, rehearsed with the last 1,000 reports that concern it, exchanged between two batches.
#[utoipa::path(post, path = "/plugins/{name}/reload", tag = "plugins", operation_id = "reloadPlugin",
    params(("name" = String, Path, description = "A handler's or policy's name in the configuration, or where plugins come from, such as \
        `plugins/acme.wasm`: then all that do.", min_length = 1, example = "qber"), PluginReloadParameters),
    responses((status = 200, description = "It is in force, or would be.", body = ReloadView),
        (status = 404, description = "There is none of that name."),
        (status = 409, description = "It cannot be exchanged now."),
        (status = 422, description = "Nothing was changed: `problems` says why.")),
    security(("token" = ["admin"])))]
pub(crate) async fn reload(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    Parameters(PluginReloadParameters { dry_run, anyway }): Parameters<PluginReloadParameters>,
    headers: HeaderMap,
) -> Result<Json<ReloadView>, Problem> {
    let caller = state.tokens.authorise(&headers, Role::Admin, state.backend.now())?;
    let view = state.backend.reload_plugin(&name, &caller.name, dry_run, anyway).await.map_err(not_exchanged)?;
    if view.result != ReloadResult::Refused {
        return Ok(Json(view));
    }
    let (kind, title) = ("plugin-refused", "Plugin refused");
    let detail = format!("nothing was changed: {}", view.summary);
    let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, kind, title, detail);
    Err(problem
        .with_member("problems", view.problems)
        .with_member("rehearsal", serde_json::to_value(view.rehearsal).unwrap_or_default()))
}

/// Puts the former version of a plugin in force again. The file is not taken over by itself while it has what was gone back from.
#[utoipa::path(post, path = "/plugins/{name}/rollback", tag = "plugins", operation_id = "rollBackPlugin",
    params(("name" = String, Path, description = "A handler's or policy's name in the configuration, or where plugins come from.",
        min_length = 1, example = "qber")),
    responses((status = 200, description = "The former version is in force.", body = ReloadView),
        (status = 404, description = "There is none of that name."),
        (status = 409, description = "There is no former version, or it cannot be exchanged now.")),
    security(("token" = ["admin"])))]
pub(crate) async fn roll_back(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    headers: HeaderMap,
) -> Result<Json<ReloadView>, Problem> {
    let caller = state.tokens.authorise(&headers, Role::Admin, state.backend.now())?;
    state.backend.roll_back_plugin(&name, &caller.name).await.map(Json).map_err(not_exchanged)
}

fn not_exchanged(error: PluginExchangeError) -> Problem {
    match error {
        PluginExchangeError::Unknown(_) => Problem::not_found(error.to_string()),
        PluginExchangeError::NotNow(text) => {
            Problem::new(StatusCode::CONFLICT, "plugin-not-exchanged", "Plugin not exchanged", text)
        }
    }
}
