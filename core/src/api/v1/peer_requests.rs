//! `/api/v1/peer-requests`: what managers ask of each other.

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
        listing::{ListFormat, Listing},
        page::Page,
        params::{self, NoParameters, Parameters},
        peer_request_desk::{Ask, RequestError},
        problem::Problem,
        router::ApiState,
        views::PeerRequestView,
    },
    config::{Role, quantity},
    model::{
        Catalogue, Severity, Timestamp,
        peer_request::{
            Asked, MaintenanceEffect, PriorityCause, RequestDirection, RequestKind, RequestReason, RequestState,
        },
    },
};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// Sent by us, or received.
    #[param(inline)]
    direction: Option<RequestDirection>,
    /// In this state.
    #[param(inline)]
    state: Option<RequestState>,
    /// To or of the peer with this manager ID, or of this domain.
    peer: Option<String>,
    /// Goes before the header `Accept`.
    #[param(inline)]
    format: Option<ListFormat>,
}

/// Lists requests to peers and of them, the newest first.
#[utoipa::path(get, path = "/peer-requests", tag = "federation", operation_id = "listPeerRequests", params(ListQuery),
    responses((status = 200, description = "All that are kept.", body = Page<PeerRequestView>)))]
pub(crate) async fn list(
    State(state): State<ApiState>,
    Parameters(query): Parameters<ListQuery>,
    listing: Listing,
) -> Result<Response, Problem> {
    let mut all = state.backend.peer_requests().list();
    all.retain(|one| {
        query.direction.is_none_or(|direction| direction == one.direction)
            && query.state.is_none_or(|state| state == one.state)
            && query.peer.as_ref().is_none_or(|peer| one.peer.as_ref() == Some(peer) || one.domain == *peer)
    });
    listing.answer(query.format, Page::whole(all))
}

fn unknown(id: &str) -> Problem {
    Problem::not_found(format!("there is no request `{id}`; GET /api/v1/peer-requests lists them"))
}

/// Shows one request.
#[utoipa::path(get, path = "/peer-requests/{id}", tag = "federation", operation_id = "getPeerRequest",
    params(("id" = String, Path, description = "Its ID.", min_length = 1, example = "9f86d081884c7d65")),
    responses((status = 200, description = "The request.", body = PeerRequestView)))]
pub(crate) async fn show(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Json<PeerRequestView>, Problem> {
    state.backend.peer_requests().find(&id).map(Json).ok_or_else(|| unknown(&id))
}

/// What is asked of a peer; which members are needed depends on the kind.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Question {
    /// What kind of request.
    kind: RequestKind,
    /// Links with the peer, by their names in `federation.links`; one, but for maintenance.
    #[schema(min_items = 1, max_items = 16)]
    links: Vec<String>,
    /// Of maintenance: when it begins.
    from: Option<Timestamp>,
    /// Of maintenance and priority: until when.
    until: Option<Timestamp>,
    /// Of maintenance: what it is expected to do to the links.
    effect: Option<MaintenanceEffect>,
    /// Of priority: why.
    cause: Option<PriorityCause>,
    /// Of an incident: number of the alarm that it is about, on a component or part that is the end of the link here. Severity, type and
    /// time are taken from it, and not given.
    #[schema(minimum = 1)]
    alarm: Option<u64>,
    /// Of an incident: how bad it is.
    severity: Option<Severity>,
    /// Of an incident: alarm type of the catalogue; others are told as `other`.
    alarm_type: Option<String>,
    /// Of an incident: since when.
    since: Option<Timestamp>,
    /// How long it waits for a decision, such as `2h`; absent: until what it asks for is over, and for an incident a day.
    #[schema(example = "2h", pattern = "^[1-9][0-9]{0,3}(s|m|h|d)$")]
    expires_in: Option<String>,
}

fn bad(detail: impl Into<String>) -> Problem {
    Problem::bad_request("bad-body", "Body not understood", detail)
}

/// What is understood, and does not go together.
fn not_to_be_asked(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::CONFLICT, "not-possible", "Not to be asked", detail)
}

impl Question {
    /// Takes what is asked about an incident from the alarm that it names.
    fn with_alarm(self, state: &ApiState) -> Result<Self, Problem> {
        let Some(number) = self.alarm else { return Ok(self) };
        if self.kind != RequestKind::IncidentHandOver {
            let kind = self.kind.as_str();
            return Err(not_to_be_asked(format!("`alarm` does not belong to a request of kind `{kind}`")));
        }
        let given = [self.severity.is_some(), self.alarm_type.is_some(), self.since.is_some()];
        if given.contains(&true) {
            let text = "`severity`, `alarmType` and `since` are taken from the alarm: give `alarm`, or these three";
            return Err(not_to_be_asked(text));
        }
        let unknown = || Problem::not_found(format!("there is no alarm {number}; GET /api/v1/alarms lists them"));
        let alarm = state.backend.alarm(number).ok_or_else(unknown)?.alarm;
        let links = state.backend.alarm_links(number);
        if let Some(link) = self.links.iter().find(|link| !links.contains(link)) {
            let about = if links.is_empty() { "no link to another domain".to_owned() } else { links.join(", ") };
            return Err(not_to_be_asked(format!(
                "alarm {number}, {} of {}, is not about `{link}`: by `from` in [[federation.links]] it is about {about}",
                alarm.key.alarm_type_id, alarm.key.component
            )));
        }
        Ok(Self {
            severity: Some(alarm.report.severity),
            alarm_type: Some(alarm.key.alarm_type_id),
            since: Some(alarm.last_raised),
            ..self
        })
    }

    /// What is asked, with times in whole seconds.
    fn asked(self) -> Result<(Asked, Option<i64>), Problem> {
        let kind = self.kind.as_str();
        let needed = |name: &str| not_to_be_asked(format!("a request of kind `{kind}` needs `{name}`"));
        let seconds = Timestamp::whole_seconds;
        let one = |mut links: Vec<String>| match (links.pop(), links.is_empty()) {
            (Some(link), true) => Ok(link),
            _ => Err(not_to_be_asked(format!("a request of kind `{kind}` names one link in `links`"))),
        };
        let given = [
            ("from", self.from.is_some(), self.kind == RequestKind::Maintenance),
            ("until", self.until.is_some(), self.kind != RequestKind::IncidentHandOver),
            ("effect", self.effect.is_some(), self.kind == RequestKind::Maintenance),
            ("cause", self.cause.is_some(), self.kind == RequestKind::EmergencyPriority),
            ("severity", self.severity.is_some(), self.kind == RequestKind::IncidentHandOver),
            ("alarmType", self.alarm_type.is_some(), self.kind == RequestKind::IncidentHandOver),
            ("since", self.since.is_some(), self.kind == RequestKind::IncidentHandOver),
        ];
        if let Some((name, ..)) = given.into_iter().find(|(_, given, belongs)| *given && !belongs) {
            return Err(not_to_be_asked(format!("`{name}` does not belong to a request of kind `{kind}`")));
        }
        let until = || self.until.map(seconds).ok_or_else(|| needed("until"));
        let asked = match self.kind {
            RequestKind::Maintenance => Asked::Maintenance {
                from: self.from.map(seconds).ok_or_else(|| needed("from"))?,
                until: until()?,
                effect: self.effect.ok_or_else(|| needed("effect"))?,
                links: self.links,
            },
            RequestKind::EmergencyPriority => Asked::EmergencyPriority {
                until: until()?,
                cause: self.cause.ok_or_else(|| needed("cause"))?,
                link: one(self.links)?,
            },
            RequestKind::IncidentHandOver => {
                let told = self.alarm_type.ok_or_else(|| needed("alarmType"))?;
                Asked::IncidentHandOver {
                    since: self.since.map(seconds).ok_or_else(|| needed("since"))?,
                    severity: self.severity.ok_or_else(|| needed("severity"))?,
                    alarm_type: Catalogue::get().shared_alarm_type(&told).to_owned(),
                    link: one(self.links)?,
                }
            }
        };
        let lives = self.expires_in.map(|text| quantity::duration(&text)).transpose();
        let lives = lives.map_err(|problem| bad(format!("`expiresIn`: {problem}")))?;
        Ok((asked, lives.map(|lives| i64::try_from(lives.as_millis()).unwrap_or(i64::MAX))))
    }
}

/// Asks a peer for something: that it notes maintenance, gives priority, takes over an incident. Its operator decides; what
/// became of it is seen in the request.
#[utoipa::path(post, path = "/peers/{id}/requests", tag = "federation", operation_id = "askPeer",
    params(("id" = String, Path, description = "Its manager ID.", min_length = 1, example = "manager-west")),
    request_body = Question,
    responses((status = 200, description = "The request, which is durable, and on its way if the peer is there.", body = PeerRequestView),
        (status = 409, description = "What is asked does not go together (members of another kind, unknown links, times, an alarm of another link), the same is asked and open, as many requests wait as may, or the peer knows none.")),
    security(("token" = ["operator"])))]
pub(crate) async fn ask(
    State(state): State<ApiState>,
    Path(peer): Path<String>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Json<PeerRequestView>, Problem> {
    let caller = state.tokens.authorise(&headers, Role::Operator, state.backend.now())?;
    let question: Question =
        serde_json::from_slice(&bytes).map_err(|error| bad(format!("the body is not the JSON expected: {error}")))?;
    let (asked, valid_for) = question.with_alarm(&state)?.asked()?;
    let ask = Ask { peer, asked, valid_for, by: caller.name.clone() };
    Ok(Json(state.backend.peer_requests().ask(ask).await?))
}

/// Accepts a peer's request; of maintenance: acknowledges it.
#[utoipa::path(post, path = "/peer-requests/{id}/accept", tag = "federation", operation_id = "acceptPeerRequest",
    params(("id" = String, Path, description = "Its ID.", min_length = 1, example = "9f86d081884c7d65")),
    responses((status = 200, description = "The decision, which is durable.", body = PeerRequestView),
        (status = 409, description = "Nothing is to be decided about it, or the peer may not ask for it any more: then it can be declined alone.")),
    security(("token" = ["operator"])))]
pub(crate) async fn accept(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    headers: HeaderMap,
) -> Result<Json<PeerRequestView>, Problem> {
    let caller = state.tokens.authorise(&headers, Role::Operator, state.backend.now())?;
    Ok(Json(state.backend.peer_requests().decide(&id, None, caller.name.clone()).await?))
}

/// Why a request is declined.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Declined {
    /// `conflict`, `capacity`, `policy`, `not-ours`, `duplicate`; absent: `unspecified`. The other domain is told it.
    reason: Option<RequestReason>,
}

/// Declines a peer's request; of maintenance: objects to it.
#[utoipa::path(post, path = "/peer-requests/{id}/decline", tag = "federation", operation_id = "declinePeerRequest",
    params(("id" = String, Path, description = "Its ID.", min_length = 1, example = "9f86d081884c7d65")),
    request_body(content = Option<Declined>, description = "May be left out."),
    responses((status = 200, description = "The decision, which is durable.", body = PeerRequestView),
        (status = 409, description = "Nothing is to be decided about it, or not for this reason.")),
    security(("token" = ["operator"])))]
pub(crate) async fn decline(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Json<PeerRequestView>, Problem> {
    let caller = state.tokens.authorise(&headers, Role::Operator, state.backend.now())?;
    let Declined { reason } = params::body(&bytes)?;
    let reason = reason.unwrap_or(RequestReason::Unspecified);
    if !reason.is_of_operators() {
        let words = RequestReason::OF_OPERATORS.map(RequestReason::as_str).join(", ");
        return Err(not_to_be_asked(format!(
            "`{reason}` is a manager's reason, not an operator's: expected one of {words}"
        )));
    }
    Ok(Json(state.backend.peer_requests().decide(&id, Some(reason), caller.name.clone()).await?))
}

/// Takes a request of this manager back: one that is not answered yet, or maintenance that is not over. The peer is told until it has
/// confirmed.
#[utoipa::path(post, path = "/peer-requests/{id}/withdraw", tag = "federation", operation_id = "withdrawPeerRequest",
    params(("id" = String, Path, description = "Its ID.", min_length = 1, example = "9f86d081884c7d65")),
    responses((status = 200, description = "The request, withdrawn, which is durable.", body = PeerRequestView),
        (status = 409, description = "It is the peer's own, or answered.")),
    security(("token" = ["operator"])))]
pub(crate) async fn withdraw(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    headers: HeaderMap,
) -> Result<Json<PeerRequestView>, Problem> {
    let caller = state.tokens.authorise(&headers, Role::Operator, state.backend.now())?;
    Ok(Json(state.backend.peer_requests().withdraw(&id, caller.name.clone()).await?))
}

impl From<RequestError> for Problem {
    fn from(error: RequestError) -> Self {
        let text = error.to_string();
        match error {
            RequestError::UnknownPeer(_) | RequestError::Unknown(_) => Self::not_found(text),
            RequestError::Wrong(_) => not_to_be_asked(text),
            RequestError::NotPossible(_) => Self::new(StatusCode::CONFLICT, "not-possible", "Not possible", text),
            RequestError::Unavailable(_) => Self::unavailable(text),
        }
    }
}
