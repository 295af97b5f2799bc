//! Answers to messages: `success` or a reason code with a sentence (PROTOCOL section 3).

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a message was refused; the part of `response` before the colon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReasonCode {
    /// The line is not a valid message.
    Malformed,
    /// A limit on size was passed.
    TooLarge,
    /// A message type that is unknown or not for this direction.
    Unsupported,
    /// Covered by the identity, but not known to this manager.
    UnknownComponent,
    /// Not covered by the identity, or awaiting approval.
    NotAuthorized,
    /// Understood and refused.
    Rejected,
    /// A queue was full; try again later.
    Overloaded,
    /// Storage cannot commit now; try again later.
    Unavailable,
    /// The manager's or a plugin's fault.
    Internal,
}

impl ReasonCode {
    /// All codes, for tables of counters.
    pub const ALL: [Self; 9] = [
        Self::Malformed,
        Self::TooLarge,
        Self::Unsupported,
        Self::UnknownComponent,
        Self::NotAuthorized,
        Self::Rejected,
        Self::Overloaded,
        Self::Unavailable,
        Self::Internal,
    ];

    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::TooLarge => "too-large",
            Self::Unsupported => "unsupported",
            Self::UnknownComponent => "unknown-component",
            Self::NotAuthorized => "not-authorized",
            Self::Rejected => "rejected",
            Self::Overloaded => "overloaded",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a refusal carries in the extension of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefusalDetail {
    /// Nothing.
    None,
    /// `{"type":"retry","retryAfterMs":n}`.
    Retry {
        /// Wait at least this long before sending again.
        after_ms: u32,
    },
    /// `{"type":"sequence","incarnation":i,"last":n}`.
    Sequence {
        /// Incarnation the manager is at.
        incarnation: u64,
        /// Highest number accepted in it.
        last: u64,
    },
}

/// A refusal: code, sentence for a person, detail for a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The reason.
    pub code: ReasonCode,
    /// What is wrong and where, without the code.
    pub sentence: String,
    /// Extension of the answer.
    pub detail: RefusalDetail,
}

impl Refusal {
    /// A refusal without detail.
    #[must_use]
    pub fn new(code: ReasonCode, sentence: impl Into<String>) -> Self {
        Self { code, sentence: sentence.into(), detail: RefusalDetail::None }
    }

    /// A refusal that asks to come again.
    #[must_use]
    pub fn retry(code: ReasonCode, sentence: impl Into<String>, after_ms: u32) -> Self {
        Self { code, sentence: sentence.into(), detail: RefusalDetail::Retry { after_ms } }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.sentence)
    }
}

/// The `response` of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Response {
    /// Accepted by its handler and durable as configured.
    Success,
    /// Refused as a whole.
    Refused(Box<Refusal>),
}

impl From<Refusal> for Response {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

impl fmt::Display for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Success => f.write_str("success"),
            Self::Refused(refusal) => refusal.fmt(f),
        }
    }
}
