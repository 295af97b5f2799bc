//! What an origin signs, and the sections that it names by their hashes.

use std::{collections::BTreeMap, fmt, str::FromStr, sync::Arc};

use aws_lc_rs::digest::{Context, SHA256};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use super::{
    identity::{Audience, OriginId, Slot},
    version::Version,
};

/// A SHA-256; in text base64url without padding.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// Of the parts, one after the other.
    #[must_use]
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut context = Context::new(&SHA256);
        parts.iter().for_each(|part| context.update(part));
        let mut hash = [0; 32];
        hash.copy_from_slice(context.finish().as_ref());
        Self(hash)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Hash {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| format!("`{text}` is no SHA-256 in base64url"))
    }
}

impl TryFrom<String> for Hash {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Hash> for String {
    fn from(hash: Hash) -> Self {
        hash.to_string()
    }
}

/// Random bytes in front of a section, so that its hash tells nothing to whom does not have it.
pub type Salt = [u8; 16];

/// A section as its manifest names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SectionRef {
    /// SHA-256 of salt and bytes.
    pub hash: Hash,
    /// Number of bytes.
    pub len: u32,
}

/// A section: exact bytes, never written anew on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SectionBody {
    /// Name in the manifest.
    pub name: Arc<str>,
    /// In front of the bytes when they are hashed.
    pub salt: Salt,
    /// What is said.
    pub data: Arc<[u8]>,
}

impl SectionBody {
    /// How a manifest names it.
    #[must_use]
    pub fn reference(&self) -> SectionRef {
        let len = u32::try_from(self.data.len()).unwrap_or(u32::MAX);
        SectionRef { hash: Hash::of(&[&self.salt, &self.data]), len }
    }
}

/// The payload that is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Form of the manifest: 1.
    pub v: u32,
    /// Name of the federation: keeps what was signed for one out of another.
    pub federation: Arc<str>,
    /// Whose document.
    pub origin: OriginId,
    /// For whom.
    pub audience: Audience,
    /// Which of its versions.
    #[serde(flatten)]
    pub version: Version,
    /// Unix time in milliseconds when it was signed, by the origin's clock: for people, and for delays.
    pub issued_at: u64,
    /// How long it may be thought of as fresh.
    pub valid_for_ms: u64,
    /// The origin leaves the federation in good order.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leaving: bool,
    /// Its sections, by name.
    pub sections: BTreeMap<Arc<str>, SectionRef>,
}

impl Manifest {
    /// Where it has its place.
    #[must_use]
    pub fn slot(&self) -> Slot {
        Slot { origin: self.origin.clone(), audience: self.audience.clone() }
    }

    /// The payload's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        // Maps have text keys and numbers are finite: writing to memory does not fail.
        serde_json::to_vec(self).unwrap_or_default()
    }
}
