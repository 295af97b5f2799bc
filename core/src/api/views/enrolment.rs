//! Components that are not in the configuration: who waits for approval, and what was decided.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::model::{ComponentRef, Timestamp};

/// How it stands with a component under a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum EnrolmentState {
    /// It has shown up, and nobody has decided yet.
    Waiting,
    /// It may report.
    Approved,
    /// It is refused at connection.
    Rejected,
}

impl EnrolmentState {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
        }
    }
}

impl std::str::FromStr for EnrolmentState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::Waiting, Self::Approved, Self::Rejected];
        let found = all.into_iter().find(|state| state.as_str() == text);
        found.ok_or_else(|| format!("`{text}` is none of waiting, approved, rejected"))
    }
}

/// A component that waits, or that was decided about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EnrolmentView {
    /// Which component.
    pub component: ComponentRef,
    /// How it stands.
    pub state: EnrolmentState,
    /// The SAN URI that names it.
    pub san: String,
    /// SHA-256 of the certificate shown, of a decision that which was shown when it was made; lower-case hex.
    pub fingerprint: String,
    /// The certificate's subject (RFC 4514).
    pub subject: String,
    /// The certificate's issuer (RFC 4514).
    pub issuer: String,
    /// SHA-256 of the key of the trust anchor that vouches for it, lower-case hex. A decision holds for every certificate of
    /// this authority that names the component.
    pub authority: String,
    /// When the certificate ends.
    pub not_after: Timestamp,
    /// Where it last came from, of one that waits.
    pub address: Option<String>,
    /// Connections that wait open now.
    pub connections: usize,
    /// When it first came since the manager started, of one that waits.
    pub first_seen: Option<Timestamp>,
    /// When it last came or went, of one that waits.
    pub last_seen: Option<Timestamp>,
    /// Who decided.
    pub decided_by: Option<String>,
    /// When.
    pub decided: Option<Timestamp>,
    /// Why, as the operator wrote.
    pub note: Option<String>,
}

impl EnrolmentView {
    /// Its place in a list.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{}~{}", self.component, self.fingerprint)
    }
}
