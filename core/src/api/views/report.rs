//! Stored reports, and status reports asked for, as the API shows them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ValueView;
use crate::{
    config::limits,
    model::{ComponentRef, Timestamp},
    storage::JournalPosition,
};

/// Where a report stands in the journal: the batch, and the report's place in it. Orders reports by acceptance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReportCursor {
    /// The batch.
    pub position: JournalPosition,
    /// The report's place in the batch.
    pub index: u32,
}

impl fmt::Display for ReportCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.position, self.index)
    }
}

/// The text is no position of a report.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no position of a report (expected BLOCK.BATCH.PLACE such as 12.0.3)")]
pub struct ReportCursorError(pub String);

impl FromStr for ReportCursor {
    type Err = ReportCursorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let mut parts = text.split('.');
            let block: u64 = parts.next()?.parse().ok()?;
            let batch: u16 = parts.next()?.parse().ok()?;
            let index: u32 = parts.next()?.parse().ok()?;
            let whole = parts.next().is_none() && block < 1 << 48;
            whole.then(|| Self { position: JournalPosition((block << 16) | u64::from(batch)), index })
        };
        parse().ok_or_else(|| ReportCursorError(text.to_owned()))
    }
}

impl utoipa::PartialSchema for ReportCursor {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .pattern(Some("^[0-9]{1,14}\\.[0-9]{1,4}\\.[0-9]{1,9}$"))
            .description(Some("Place of a report in the journal: block, batch, place in the batch."))
            .examples(["12.0.3"])
            .into()
    }
}

impl ToSchema for ReportCursor {}

impl Serialize for ReportCursor {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ReportCursor {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReportOutcome {
    /// Accepted and applied.
    Accepted,
    /// A repeat of one accepted before.
    Repeat,
    /// Refused; the sentence is beside it.
    Refused,
    /// Stored as received after its handler failed.
    KeptRaw,
}

impl ReportOutcome {
    /// The word in JSON and tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Repeat => "repeat",
            Self::Refused => "refused",
            Self::KeptRaw => "kept-raw",
        }
    }
}

/// A report as the journal holds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportView {
    /// Its number in the journal, unique and rising.
    pub position: ReportCursor,
    /// Who reported.
    pub component: ComponentRef,
    /// When the manager took it.
    pub received: Timestamp,
    /// When the status was true at its source; the time of receipt if the report did not say.
    pub time: Timestamp,
    /// Incarnation of the numbering, where it is numbered.
    pub incarnation: Option<u64>,
    /// Its sequence number, where it has one.
    pub sequence: Option<u64>,
    /// What became of it.
    pub outcome: ReportOutcome,
    /// Reason code and sentence of a refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// Whether it answers a status report request.
    pub answers_request: bool,
    /// Its samples: performance and state, those that its handler added included.
    pub values: Vec<ValueView>,
    /// What was kept as received beside them; absent if nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension: Option<serde_json::Value>,
}

/// What a status report request asks for (PROTOCOL section 5); all empty: everything the component has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct StatusQuery {
    /// Types of extension objects, such as `performance`.
    #[schema(schema_with = query_texts)]
    pub types: Vec<String>,
    /// Names of values, such as `qber_ratio`.
    #[schema(schema_with = query_texts)]
    pub names: Vec<String>,
    /// Parts of the component.
    #[schema(schema_with = query_texts)]
    pub resources: Vec<String>,
}

/// At most so many texts, none of them empty or too long.
fn query_texts() -> utoipa::openapi::schema::Schema {
    let text = utoipa::openapi::ObjectBuilder::new().schema_type(utoipa::openapi::schema::Type::String);
    let text = text.min_length(Some(1)).max_length(Some(limits::RESOURCE_CHARS));
    let texts = utoipa::openapi::schema::ArrayBuilder::new().items(text);
    texts.max_items(Some(limits::REQUEST_QUERY_ITEMS)).build().into()
}

impl StatusQuery {
    /// Whether it asks for everything.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.types.is_empty() && self.names.is_empty() && self.resources.is_empty()
    }
}

/// A component's answer to a status report request that it met with success.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusAnswer {
    /// Who answered.
    pub component: ComponentRef,
    /// When the manager had the answer.
    pub received: Timestamp,
    /// When the status was true at its source.
    pub time: Timestamp,
    /// Performance and state in the answer.
    pub values: Vec<ValueView>,
    /// Names that were asked for and are not in the answer (NOTE 1 of Q.QKDN_Mk 8.4 wants all of them there).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// The extension as received, where the manager kept it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension: Option<serde_json::Value>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_position_survives_its_text(block in 0_u64..1 << 48, batch: u16, index: u32) {
            let cursor = ReportCursor { position: JournalPosition((block << 16) | u64::from(batch)), index };
            prop_assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
    }

    #[test]
    fn other_texts_are_no_position() {
        for text in ["", "1", "1.2", "1.2.3.4", "1.70000.3", "a.b.c", "281474976710656.0.0"] {
            assert!(text.parse::<ReportCursor>().is_err(), "{text}");
        }
    }
}
