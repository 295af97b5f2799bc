//! `/api/v1/subscriptions`

use axum::{
    Json,
    extract::{Path, State},
    http::HeaderMap,
    response::Response,
};
use utoipa::ToSchema;

use crate::{
    api::{
        listing::Listing,
        page::Page,
        params::{FormatOnly, NoParameters, Parameters},
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

/// Lists subscriptions at the manager, the oldest first.
#[utoipa::path(get, path = "/subscriptions", tag = "subscriptions", operation_id = "listSubscriptions", params(FormatOnly),
    responses((status = 200, description = "All of them.", body = Page<SubscriptionView>)))]
pub(crate) async fn list(
    State(state): State<ApiState>,
    Parameters(query): Parameters<FormatOnly>,
    listing: Listing,
) -> Result<Response, Problem> {
    let items = state.backend.subscriptions().await.ok_or_else(busy)?;
    listing.answer(query.format, Page::whole(items))
}

/// Shows one subscription: what was granted, how far its notifications are.
#[utoipa::path(get, path = "/subscriptions/{id}", tag = "subscriptions", operation_id = "getSubscription",
    params(("id" = String, Path, description = "Its ID.", min_length = 1)),
    responses((status = 200, description = "The subscription.", body = SubscriptionView)))]
pub(crate) async fn show(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Json<SubscriptionView>, Problem> {
    let all = state.backend.subscriptions().await.ok_or_else(busy)?;
    all.into_iter().find(|one| one.id == id).map(Json).ok_or_else(|| unknown(&id))
}

/// The subscription that was ended.
#[derive(serde::Serialize, ToSchema)]
pub(crate) struct Removed {
    /// Its ID.
    removed: String,
}

/// Ends a subscription.
#[utoipa::path(post, path = "/subscriptions/{id}/remove", tag = "subscriptions", operation_id = "removeSubscription",
    params(("id" = String, Path, description = "Its ID.", min_length = 1)),
    responses((status = 200, description = "It is gone.", body = Removed)),
    security(("token" = ["operator"])))]
pub(crate) async fn remove(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    headers: HeaderMap,
) -> Result<Json<Removed>, Problem> {
    let caller = state.tokens.authorise(&headers, Role::Operator, state.backend.now())?;
    if !state.backend.remove_subscription(&id, &caller.name).await.ok_or_else(busy)? {
        return Err(unknown(&id));
    }
    tracing::info!(subscription = id, operator = caller.name, "Subscription removed over the API.");
    Ok(Json(Removed { removed: id }))
}
