//! What an operator decided about a component that is not in the configuration, and what it was decided on.
//!
//! A decision is about an identity as one authority vouches for it: the component that the certificate names (its SAN URI),
//! together with the key of the trust anchor that its chain ends in. So it outlives the certificate: a renewed one, of the
//! same authority, is covered; the same name vouched for by another authority is not. Plain values; who may speak by
//! them is `dispatch`'s to say.

use serde::{Deserialize, Serialize};

use super::{ComponentRef, Timestamp};

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It may report.
    Approved,
    /// It is refused at connection, until it is approved.
    Rejected,
}

impl Verdict {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Rejected => "rejected",
        }
    }
}

/// What a certificate says of whom it was issued to and by whom, as far as an operator has to see it to decide.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownCertificate {
    /// SHA-256 of the certificate, lower-case hex.
    pub fingerprint: String,
    /// Subject as RFC 4514 text.
    pub subject: String,
    /// Issuer as RFC 4514 text.
    pub issuer: String,
    /// SHA-256 of the public key (`SubjectPublicKeyInfo`) of the trust anchor that its chain ends in, lower-case hex.
    pub authority: String,
    /// End of validity.
    pub not_after: Timestamp,
}

/// A decision of an operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolmentDecision {
    /// About whom.
    pub component: ComponentRef,
    /// What.
    pub verdict: Verdict,
    /// The certificate that was shown when it was decided; its `authority` is part of what was decided.
    pub certificate: ShownCertificate,
    /// Name of the token that decided.
    pub by: String,
    /// Why, may be empty.
    pub note: String,
    /// When, by the manager's clock.
    pub time: Timestamp,
}
