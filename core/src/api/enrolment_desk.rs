//! The door from the API to those who decide which components may report.

use super::{
    Page, PageRequest,
    backend::Answer,
    views::{EnrolmentState, EnrolmentView},
};
use crate::model::{ComponentRef, Verdict};

/// What an operator wants decided about a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decide {
    /// About whom.
    pub component: ComponentRef,
    /// What.
    pub verdict: Verdict,
    /// SHA-256 of the certificate that is meant, lower-case hex; `None`: the only one there is.
    pub fingerprint: Option<String>,
    /// Name of the token.
    pub by: String,
    /// Why, may be empty.
    pub note: String,
}

/// Why nothing was decided.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecideError {
    /// Nobody of that name waits or was decided about.
    #[error("{0}")]
    Unknown(String),
    /// It is not clear what about, or there is no room for another decision.
    #[error("{0}")]
    NotPossible(String),
    /// It could not be stored.
    #[error("the decision was not stored: {0}; nothing has changed, try again")]
    Unavailable(&'static str),
}

/// What the API needs of it.
pub trait EnrolmentDesk: Send + Sync {
    /// Who waits and what was decided, of a component or of all, in the order of components and certificates; `after` is the
    /// [`EnrolmentView::place`] of the last one seen.
    fn list(
        &self,
        component: Option<&ComponentRef>,
        state: Option<EnrolmentState>,
        page: &PageRequest<String>,
    ) -> Page<EnrolmentView>;

    /// Decides; answers once that is durable and holds.
    fn decide(&self, wish: Decide) -> Answer<'_, Result<EnrolmentView, DecideError>>;
}
