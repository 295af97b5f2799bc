//! `/api/v1/plugins/{name}/reload` and `/rollback`: other versions of single plugins. `/api/v1/quarantine`: what plugins could not take.

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
        listing::Listing,
        page::Page,
        params::{FormatOnly, NoParameters, Parameters},
        problem::Problem,
        router::ApiState,
        views::{QuarantineView, ReloadResult, ReloadView},
    },
    config::Role,
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
