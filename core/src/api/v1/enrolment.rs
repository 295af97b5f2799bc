//! `/api/v1/enrolments`, and decisions about components.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::{
    api::{
        enrolment_desk::{Decide, DecideError},
        listing::{ListFormat, Listing},
        page::Page,
        params::{self, NoParameters, Parameters},
        problem::Problem,
        router::ApiState,
        views::{EnrolmentState, EnrolmentView},
    },
    config::{Role, limits},
    model::{ComponentRef, Verdict},
};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// Of this component.
    #[param(inline)]
    component: Option<ComponentRef>,
    /// In this state.
    #[param(inline)]
    state: Option<EnrolmentState>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Most items of the page.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Goes before the header `Accept`.
    #[param(inline)]
    format: Option<ListFormat>,
}

/// Lists components that wait for approval and those that were decided about, in the order of components and certificates.
#[utoipa::path(get, path = "/enrolments", tag = "components", operation_id = "listEnrolments", params(ListQuery),
    responses((status = 200, description = "A page of them.", body = Page<EnrolmentView>)))]
pub(crate) async fn list(
    State(state): State<ApiState>,
    Parameters(query): Parameters<ListQuery>,
    listing: Listing,
) -> Result<Response, Problem> {
    let page = params::page(query.cursor, query.limit)?;
    listing.answer(query.format, state.backend.enrolment().list(query.component.as_ref(), query.state, &page))
}

/// What a decision may say beside itself.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Decision {
    /// SHA-256 of the certificate that is meant, in hex, with or without `sha256:` and colons. The decision is refused if
    /// another one was shown. Absent: the certificate of the only authority there is.
    fingerprint: Option<String>,
    /// Why; kept with the decision and in the audit trail.
    #[serde(default)]
    #[schema(max_length = 1000)]
    note: String,
}

/// Approves a component: it may report, at once and from now on.
#[utoipa::path(post, path = "/components/{point}/{id}/approve", tag = "components", operation_id = "approveComponent",
    params(params::ComponentPath),
    request_body(content = Option<Decision>, description = "May be left out."),
    responses((status = 200, description = "The decision, which is durable.", body = EnrolmentView),
        (status = 409, description = "Another certificate was shown, or certificates of several authorities.")),
    security(("token" = ["admin"])))]
pub(crate) async fn approve(
    State(state): State<ApiState>,
    Path(path): Path<(String, String)>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Json<EnrolmentView>, Problem> {
    decide(state, path, Verdict::Approved, &headers, &bytes).await
}

/// Rejects a component: its connections are closed, and it is refused until it is approved.
#[utoipa::path(post, path = "/components/{point}/{id}/reject", tag = "components", operation_id = "rejectComponent",
    params(params::ComponentPath),
    request_body(content = Option<Decision>, description = "May be left out."),
    responses((status = 200, description = "The decision, which is durable.", body = EnrolmentView),
        (status = 409, description = "Another certificate was shown, or certificates of several authorities.")),
    security(("token" = ["admin"])))]
pub(crate) async fn reject(
    State(state): State<ApiState>,
    Path(path): Path<(String, String)>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Json<EnrolmentView>, Problem> {
    decide(state, path, Verdict::Rejected, &headers, &bytes).await
}

async fn decide(
    state: ApiState,
    (point, id): (String, String),
    verdict: Verdict,
    headers: &HeaderMap,
    bytes: &[u8],
) -> Result<Json<EnrolmentView>, Problem> {
    let caller = state.tokens.authorise(headers, Role::Admin, state.backend.now())?;
    let component = params::component(&point, &id)?;
    let Decision { fingerprint, note } = params::body(bytes)?;
    let fingerprint = fingerprint.map(|text| digits(&text)).transpose()?;
    if note.chars().count() > limits::ENROLMENT_NOTE_CHARS {
        let detail = format!("`note` may have {} characters", limits::ENROLMENT_NOTE_CHARS);
        return Err(Problem::bad_request("bad-body", "Body not understood", detail));
    }
    let wish = Decide { component, verdict, fingerprint, by: caller.name.clone(), note };
    Ok(Json(state.backend.enrolment().decide(wish).await?))
}

/// A fingerprint as the manager writes it.
fn digits(text: &str) -> Result<String, Problem> {
    let text = text.trim();
    let digits: String = text.strip_prefix("sha256:").unwrap_or(text).chars().filter(|c| *c != ':').collect();
    if digits.len() != 64 || !digits.chars().all(|c| c.is_ascii_hexdigit()) {
        let detail = "`fingerprint` is the SHA-256 of a certificate: 64 hex digits";
        return Err(Problem::bad_request("bad-body", "Body not understood", detail));
    }
    Ok(digits.to_ascii_lowercase())
}

impl From<DecideError> for Problem {
    fn from(error: DecideError) -> Self {
        let text = error.to_string();
        match error {
            DecideError::Unknown(_) => Self::not_found(format!("{text}; GET /api/v1/enrolments lists those that are")),
            DecideError::NotPossible(_) => Self::new(StatusCode::CONFLICT, "not-decided", "Not decided", text),
            DecideError::Unavailable(_) => Self::unavailable(text),
        }
    }
}
