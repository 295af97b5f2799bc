//! Requests, outcomes and withdrawals as JSON objects of an extension (status protocol, section 7: `mx.request`, `mx.outcome`,
//! `mx.withdrawal`), and back.
//!
//! In and out: texts of objects. Both ways go through the forms that sections go through (`section/form`): a member that is not
//! known does not pass, a word is one of a closed list, a name is that of a link that both domains configured. An object that has
//! not its form is refused with its place, and nothing of the report that it came in is believed.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::RequestId;
use crate::{
    config::limits::{REQUEST_LINKS, REQUESTS_A_REPORT},
    federation::{
        messages::FormError,
        section::form::{self, Form, Member, Vocabulary, required},
    },
    model::peer_request::{Asked, MaintenanceEffect, PriorityCause, RequestKind, RequestReason, RequestState},
};

const REQUEST: &str = "mx.request";
const OUTCOME: &str = "mx.outcome";
const WITHDRAWAL: &str = "mx.withdrawal";

/// What one manager says to the other of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// `mx.request`
    Request {
        /// Its ID.
        id: RequestId,
        /// What is asked.
        asked: Asked,
        /// Seconds until it expires, seen from the sending; no clocks are compared. 0: what became of it is asked for.
        valid_for_s: u64,
    },
    /// `mx.outcome`
    Outcome {
        /// Of this request.
        id: RequestId,
        /// Where it stands; never `sent`.
        state: RequestState,
        /// Why, if it was declined or refused.
        reason: Option<RequestReason>,
    },
    /// `mx.withdrawal`
    Withdrawal {
        /// Of this request.
        id: RequestId,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestObject {
    id: RequestId,
    #[serde(flatten)]
    asked: Asked,
    valid_for_s: u64,
}

#[derive(Serialize, Deserialize)]
struct WithdrawalObject {
    id: RequestId,
}

#[derive(Serialize, Deserialize)]
struct OutcomeObject {
    id: RequestId,
    state: RequestState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<RequestReason>,
}

const KIND: Member = required("kind", Form::OneOf(&["maintenance", "emergencyPriority", "incidentHandOver"]));
const ID: Member = required("id", Form::RequestId);
const VALID_FOR: Member = required("validForS", Form::Count);
const NAME: Form = Form::Name;

const MAINTENANCE: Form = Form::Members(&[
    ID,
    KIND,
    VALID_FOR,
    required("links", Form::List(&NAME)),
    required("from", Form::Time),
    required("until", Form::Time),
    required("effect", Form::OneOf(MaintenanceEffect::WORDS)),
]);
const PRIORITY: Form = Form::Members(&[
    ID,
    KIND,
    VALID_FOR,
    required("link", NAME),
    required("until", Form::Time),
    required("cause", Form::OneOf(PriorityCause::WORDS)),
]);
const INCIDENT: Form = Form::Members(&[
    ID,
    KIND,
    VALID_FOR,
    required("link", NAME),
    required("since", Form::Time),
    required("severity", Form::Of(Vocabulary::Severities)),
    required("alarmType", Form::Of(Vocabulary::AlarmTypes)),
]);
const OF_OUTCOMES: Form = Form::Members(&[
    ID,
    required("state", Form::OneOf(&["pending", "accepted", "declined", "expired", "refused", "withdrawn"])),
    form::member("reason", Form::OneOf(RequestReason::WORDS)),
]);

const OF_WITHDRAWALS: Form = Form::Members(&[ID]);

const fn form_of(kind: RequestKind) -> Form {
    match kind {
        RequestKind::Maintenance => MAINTENANCE,
        RequestKind::EmergencyPriority => PRIORITY,
        RequestKind::IncidentHandOver => INCIDENT,
    }
}

/// Whether a state goes with a reason: with one where somebody said no, and with none elsewhere.
fn fits(state: RequestState, reason: Option<RequestReason>) -> bool {
    match (state, reason) {
        (RequestState::Declined, Some(reason)) => reason.is_of_operators(),
        (RequestState::Refused, Some(reason)) => !reason.is_of_operators(),
        (RequestState::Declined | RequestState::Refused, None) => false,
        (_, reason) => reason.is_none(),
    }
}

/// What is said, as an object that may leave the domain.
///
/// # Errors
/// If it has not its form, or says another name than `links`: then it does not leave.
pub fn leaving(said: &Said, links: &BTreeSet<&str>) -> Result<Value, String> {
    let id = match said {
        Said::Request { id, .. } | Said::Outcome { id, .. } | Said::Withdrawal { id } => id.clone(),
    };
    let names = links.iter().copied().chain([id.as_str()]).collect();
    let (kind, value, form) = match said.clone() {
        Said::Request { id, asked, valid_for_s } => {
            let form = form_of(asked.kind());
            (REQUEST, serde_json::to_value(RequestObject { id, asked, valid_for_s }), form)
        }
        Said::Outcome { id, state, reason } => {
            (OUTCOME, serde_json::to_value(OutcomeObject { id, state, reason }), OF_OUTCOMES)
        }
        Said::Withdrawal { id } => (WITHDRAWAL, serde_json::to_value(WithdrawalObject { id }), OF_WITHDRAWALS),
    };
    let mut value = form::strict(&value.map_err(|error| error.to_string())?, &form, Some(&names))?;
    value["type"] = kind.into();
    Ok(value)
}

fn request(value: &Value) -> Result<Said, String> {
    let kind = value.get("kind").and_then(Value::as_str).unwrap_or_default();
    let Some(kind) = RequestKind::ALL.into_iter().find(|known| known.as_str() == kind) else {
        return Err("/kind: expected one of maintenance, emergencyPriority, incidentHandOver".to_owned());
    };
    let value = form::strict(value, &form_of(kind), None)?;
    let RequestObject { id, asked, valid_for_s } = serde_json::from_value(value).map_err(|error| error.to_string())?;
    if !(1..=REQUEST_LINKS).contains(&asked.links().len()) {
        return Err(format!("/links: expected 1 to {REQUEST_LINKS} names"));
    }
    Ok(Said::Request { id, asked, valid_for_s })
}

fn outcome(value: &Value) -> Result<Said, String> {
    let value = form::strict(value, &OF_OUTCOMES, None)?;
    let OutcomeObject { id, state, reason } = serde_json::from_value(value).map_err(|error| error.to_string())?;
    if !fits(state, reason) {
        return Err("/reason: expected why, where it was declined or refused, and nothing elsewhere".to_owned());
    }
    Ok(Said::Outcome { id, state, reason })
}

fn withdrawal(value: &Value) -> Result<Said, String> {
    let value = form::strict(value, &OF_WITHDRAWALS, None)?;
    let WithdrawalObject { id } = serde_json::from_value(value).map_err(|error| error.to_string())?;
    Ok(Said::Withdrawal { id })
}

/// What a report says of requests. Objects of other types are somebody else's.
///
/// # Errors
/// For the first object that has the wrong form, or is one too many.
pub fn read<Text: AsRef<str>>(objects: &[Text]) -> Result<Vec<Said>, FormError> {
    #[derive(Deserialize)]
    struct Typed {
        #[serde(rename = "type")]
        kind: String,
    }
    let mut said = Vec::new();
    for (index, text) in objects.iter().enumerate() {
        let wrong = |problem: String| FormError { path: format!("mx[{index}]"), problem };
        let typed: Typed = serde_json::from_str(text.as_ref()).map_err(|error| wrong(error.to_string()))?;
        let look = match typed.kind.as_str() {
            REQUEST => request,
            OUTCOME => outcome,
            WITHDRAWAL => withdrawal,
            _ => continue,
        };
        if said.len() == REQUESTS_A_REPORT {
            return Err(wrong(format!(
                "expected at most {REQUESTS_A_REPORT} requests, outcomes and withdrawals in a report"
            )));
        }
        let value: Value = serde_json::from_str(text.as_ref()).map_err(|error| wrong(error.to_string()))?;
        said.push(look(&value).map_err(|problem| wrong(format!("`{}`: {problem}", typed.kind)))?);
    }
    Ok(said)
}
