//! Component IDs (Q.QKDN_Mk table 1) and the SAN URI that carries one in a certificate.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use super::ReferencePoint;

/// Most Unicode scalar values in a component ID (PROTOCOL section 3).
pub const MAX_COMPONENT_ID_CHARS: usize = 256;

/// ID of a functional component: opaque text of 1 to 256 Unicode scalar values.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ComponentId(Arc<str>);

/// Why a text is no component ID.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ComponentIdError {
    /// The text is empty or longer than 256 characters.
    #[error("a component ID has 1 to 256 characters, this one has {0}")]
    Length(usize),
    /// A reference such as `mk/km-1` was expected.
    #[error("expected REFERENCE-POINT/ID such as mk/km-1, found `{0}`")]
    Form(String),
}

impl ComponentId {
    /// Checks the length.
    pub fn new(text: &str) -> Result<Self, ComponentIdError> {
        let chars = if text.len() <= MAX_COMPONENT_ID_CHARS && !text.is_empty() { 1 } else { text.chars().count() };
        if chars == 0 || chars > MAX_COMPONENT_ID_CHARS {
            return Err(ComponentIdError::Length(chars));
        }
        Ok(Self(Arc::from(text)))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ComponentId {
    type Error = ComponentIdError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(&text)
    }
}

impl From<ComponentId> for String {
    fn from(id: ComponentId) -> Self {
        id.0.as_ref().to_owned()
    }
}

impl fmt::Display for ComponentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A component of the domain: reference point and ID together, written `mk/km-1` (the ID alone is not unique: Mops and
/// Mqrp share the QKD link ID).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ComponentRef {
    /// Where it connects.
    pub reference_point: ReferencePoint,
    /// Which it is there.
    pub id: ComponentId,
}

impl ComponentRef {
    /// Joins both parts.
    #[must_use]
    pub const fn new(reference_point: ReferencePoint, id: ComponentId) -> Self {
        Self { reference_point, id }
    }

    /// The SAN URI of a certificate for this component: `urn:qkdn:mk:km-1`, the ID percent-encoded.
    #[must_use]
    pub fn urn(&self) -> String {
        let mut urn = format!("urn:qkdn:{}:", self.reference_point);
        for byte in self.id.as_str().bytes() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
                urn.push(char::from(byte));
            } else {
                urn.push_str(&format!("%{byte:02X}"));
            }
        }
        urn
    }

    /// Reads a SAN URI; `None` if it is not one of ours or its ID is malformed. The scheme and namespace are
    /// compared without regard to case (RFC 8141), the reference point is lower case.
    #[must_use]
    pub fn from_urn(urn: &str) -> Option<Self> {
        let prefix = urn.get(..9)?;
        if !prefix.eq_ignore_ascii_case("urn:qkdn:") {
            return None;
        }
        let (point, encoded) = urn.get(9..)?.split_once(':')?;
        let mut bytes = Vec::with_capacity(encoded.len());
        let mut rest = encoded.bytes();
        while let Some(byte) = rest.next() {
            if byte == b'%' {
                let high = char::from(rest.next()?).to_digit(16)?;
                let low = char::from(rest.next()?).to_digit(16)?;
                bytes.push(u8::try_from(high * 16 + low).ok()?);
            } else {
                bytes.push(byte);
            }
        }
        let id = ComponentId::new(std::str::from_utf8(&bytes).ok()?).ok()?;
        Some(Self { reference_point: point.parse().ok()?, id })
    }
}

impl utoipa::PartialSchema for ComponentRef {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .pattern(Some("^(mq|mops|mqrp|mk|mc|mu|mx)/[^\\x00-\\x1f\\x7f-\\x9f]{1,256}$"))
            .description(Some("Reference point and component ID."))
            .examples(["mk/km-1"])
            .into()
    }
}

impl utoipa::ToSchema for ComponentRef {}

impl fmt::Display for ComponentRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.reference_point, self.id)
    }
}

impl FromStr for ComponentRef {
    type Err = ComponentIdError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = || ComponentIdError::Form(text.to_owned());
        let (point, id) = text.split_once('/').ok_or_else(form)?;
        Ok(Self { reference_point: point.parse().map_err(|_| form())?, id: ComponentId::new(id)? })
    }
}

impl TryFrom<String> for ComponentRef {
    type Error = ComponentIdError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ComponentRef> for String {
    fn from(component: ComponentRef) -> Self {
        component.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_id_survives_the_certificate_and_the_text_form(id in ".{1,40}", point in 0_usize..7) {
            let component = ComponentRef::new(ReferencePoint::ALL[point], ComponentId::new(&id).unwrap());
            prop_assert_eq!(ComponentRef::from_urn(&component.urn()), Some(component.clone()));
            prop_assert_eq!(component.to_string().parse::<ComponentRef>().unwrap(), component);
        }
    }

    #[test]
    fn length_counts_scalar_values() {
        assert!(ComponentId::new(&"ü".repeat(256)).is_ok());
        assert_eq!(ComponentId::new(&"ü".repeat(257)), Err(ComponentIdError::Length(257)));
        assert_eq!(ComponentId::new(""), Err(ComponentIdError::Length(0)));
    }

    #[test]
    fn foreign_and_broken_uris_are_no_identity() {
        for urn in [
            "urn:qkdn:mk",
            "urn:qkdn:mk:",
            "urn:qkdn:MK:a",
            "urn:qkdn:xx:a",
            "urn:other:mk:a",
            "urn:qkdn:mk:%G0",
            "urn:qkdn:mk:%F",
            "urn:qkdn:mk:%FF",
            "",
        ] {
            assert_eq!(ComponentRef::from_urn(urn), None, "{urn}");
        }
    }
}
