//! `/api/v1/configuration/reload`

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
};

use crate::{
    api::{
        params::{NoParameters, Parameters},
        problem::Problem,
        router::ApiState,
        views::{ReloadResult, ReloadStatusView, ReloadView},
    },
    config::Role,
};

#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct ReloadParameters {
    /// Only say what would be done.
    dry_run: bool,
}

/// How the configuration in force stands to the files.
pub(crate) async fn status(
    State(state): State<ApiState>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Json<ReloadStatusView> {
    Json(state.backend.reload_status())
}

/// Takes the files over, whole or not at all.
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
