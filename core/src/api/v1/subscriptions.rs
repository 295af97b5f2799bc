//! `/api/v1/subscriptions`

use axum::{
    Json,
    extract::{Path, State},
    http::HeaderMap,
};

use crate::{
    api::{
        page::Page,
        params::{NoParameters, Parameters},
        problem::Problem,
        router::ApiState,
        views::SubscriptionView,
    },
    config::Role,
};

fn busy() -> Problem {
    Problem::unavailable("the manager has too many subscription commands waiting; try again")
}

fn unknown(id: &str) -> Problem {
    Problem::not_found(format!("there is no subscription `{id}`; GET /api/v1/subscriptions lists them"))
}

/// All subscriptions, the oldest first.
pub(crate) async fn list(
    State(state): State<ApiState>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Json<Page<SubscriptionView>>, Problem> {
    let items = state.backend.subscriptions().await.ok_or_else(busy)?;
    Ok(Json(Page { items, next: None }))
}

/// One subscription.
pub(crate) async fn show(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Json<SubscriptionView>, Problem> {
    let all = state.backend.subscriptions().await.ok_or_else(busy)?;
    all.into_iter().find(|one| one.id == id).map(Json).ok_or_else(|| unknown(&id))
}

/// Ends a subscription.
pub(crate) async fn remove(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    headers: HeaderMap,
) -> Result<Json<serde_json::Value>, Problem> {
    let caller = state.tokens.authorise(&headers, Role::Operator, state.backend.now())?;
    if !state.backend.remove_subscription(&id, &caller.name).await.ok_or_else(busy)? {
        return Err(unknown(&id));
    }
    tracing::info!(subscription = id, operator = caller.name, "Subscription removed over the API.");
    Ok(Json(serde_json::json!({ "removed": id })))
}
