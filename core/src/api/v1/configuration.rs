//! `/api/v1/configuration` and `/api/v1/configuration/reload`

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
};

use utoipa::IntoParams;

use crate::{
    api::{
        params::{NoParameters, Parameters},
        problem::Problem,
        router::ApiState,
        views::{ConfigurationView, ReloadResult, ReloadStatusView, ReloadView},
    },
    config::Role,
};

#[derive(Debug, Default, serde::Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct ReloadParameters {
    /// Only say what would be done.
    dry_run: bool,
}

/// Tells the configuration in force: defaults filled in, with the origin of each value, without secrets. For operators:
/// limits of security policies say what these do not see.
#[utoipa::path(get, path = "/configuration", tag = "configuration", operation_id = "getConfiguration",
    responses((status = 200, description = "The configuration in force.", body = ConfigurationView)),
    security(("token" = ["operator"])))]
pub(crate) async fn show(
    State(state): State<ApiState>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    headers: HeaderMap,
) -> Result<Json<ConfigurationView>, Problem> {
    state.tokens.authorise(&headers, Role::Operator, state.backend.now())?;
    Ok(Json(state.backend.configuration()))
}

/// Says how the configuration in force stands to the files, and what became of the last reload.
#[utoipa::path(get, path = "/configuration/reload", tag = "configuration", operation_id = "getReloadStatus",
    responses((status = 200, description = "How it stands.", body = ReloadStatusView)))]
pub(crate) async fn status(
    State(state): State<ApiState>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Json<ReloadStatusView> {
    Json(state.backend.reload_status())
}

/// Takes the files over, whole or not at all.
#[utoipa::path(post, path = "/configuration/reload", tag = "configuration", operation_id = "reloadConfiguration",
    params(ReloadParameters),
    responses((status = 200, description = "They are in force, or would be.", body = ReloadView),
        (status = 422, description = "Nothing was changed: `problems` and `needsRestart` say why.")),
    security(("token" = ["admin"])))]
pub(crate) async fn reload(
    State(state): State<ApiState>,
    Parameters(ReloadParameters { dry_run }): Parameters<ReloadParameters>,
    headers: HeaderMap,
) -> Result<Json<ReloadView>, Problem> {
    let caller = state.tokens.authorise(&headers, Role::Admin, state.backend.now())?;
    let view = state.backend.reload(&caller.name, dry_run).await;
    if view.result != ReloadResult::Refused {
        return Ok(Json(view));
    }
    let problem = Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "configuration-refused",
        "Configuration refused",
        format!("nothing was changed: {}", view.summary),
    );
    Err(problem.with_member("problems", view.problems).with_member("needsRestart", view.needs_restart))
}
