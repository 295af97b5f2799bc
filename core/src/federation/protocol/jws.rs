//! JSON web signatures (RFC 7515, flattened form) over a manifest's exact bytes: made, taken apart, verified.
//!
//! The algorithm is the roster's word on the key, never the header's: a header that says another is refused. The signatures
//! themselves are made and checked by whoever implements [`Signatures`].

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use super::{
    manifest::{Hash, Manifest},
    roster::Key,
};

/// `typ` of the header.
const TYPE: &str = "qkdn-mx+jws";

/// A signed manifest, in the form in which it travels. All three are base64url without padding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jws {
    /// Header: algorithm, key, type.
    pub protected: String,
    /// The manifest.
    pub payload: String,
    /// Over `protected.payload`.
    pub signature: String,
}

#[derive(Serialize, Deserialize)]
struct Header {
    alg: String,
    kid: String,
    typ: String,
}

/// Makes and checks signatures.
pub trait Signatures {
    /// Whether `signature` over `message` is by the key's owner.
    fn verify(&self, key: &Key, message: &[u8], signature: &[u8]) -> bool;
}

/// Signs for the own domain.
pub trait SigningKey {
    /// Name of the key in the roster.
    fn kid(&self) -> &str;
    /// Algorithm as in RFC 7518 and its successors, such as `EdDSA`.
    fn algorithm(&self) -> &str;
    /// The signature; `None` if the key is not to be had just now.
    fn sign(&self, message: &[u8]) -> Option<Vec<u8>>;
}

/// Why a signed manifest is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwsError {
    /// Not what a signed manifest looks like.
    #[error("no signed manifest")]
    Form,
    /// Not one of the origin's keys for this generation, or not valid now.
    #[error("signed by a key that is not the origin's now")]
    UnknownKey,
    /// The header names another algorithm than the roster.
    #[error("signed with another algorithm than the roster says")]
    Algorithm,
    /// Forged, or damaged.
    #[error("the signature is wrong")]
    Signature,
}

fn decoded(text: &str) -> Result<Vec<u8>, JwsError> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| JwsError::Form)
}

impl Jws {
    /// Signs a manifest.
    pub fn sign(manifest: &Manifest, key: &dyn SigningKey) -> Option<Self> {
        let header = Header { alg: key.algorithm().to_owned(), kid: key.kid().to_owned(), typ: TYPE.to_owned() };
        let protected = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&header).ok()?);
        let payload = URL_SAFE_NO_PAD.encode(manifest.to_bytes());
        let signature = URL_SAFE_NO_PAD.encode(key.sign(format!("{protected}.{payload}").as_bytes())?);
        Some(Self { protected, payload, signature })
    }

    /// Reads the manifest, believing nothing yet.
    ///
    /// # Errors
    /// If it is none.
    pub fn manifest(&self) -> Result<Manifest, JwsError> {
        serde_json::from_slice(&decoded(&self.payload)?).map_err(|_| JwsError::Form)
    }

    /// Checks the signature against the origin's keys, of which `valid` tells those that count now.
    ///
    /// # Errors
    /// Why it is not believed.
    pub fn verify<'key>(
        &self,
        valid: impl Iterator<Item = &'key Key>,
        signatures: &dyn Signatures,
    ) -> Result<(), JwsError> {
        let header: Header = serde_json::from_slice(&decoded(&self.protected)?).map_err(|_| JwsError::Form)?;
        if header.typ != TYPE {
            return Err(JwsError::Form);
        }
        let mut valid = valid;
        let key = valid.find(|key| key.kid == header.kid).ok_or(JwsError::UnknownKey)?;
        if key.algorithm != header.alg {
            return Err(JwsError::Algorithm);
        }
        let message = format!("{}.{}", self.protected, self.payload);
        let right = signatures.verify(key, message.as_bytes(), &decoded(&self.signature)?);
        if right { Ok(()) } else { Err(JwsError::Signature) }
    }

    /// Names the manifest. Not over the signature: some algorithms have several for one message.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Hash::of(&[self.protected.as_bytes(), b".", self.payload.as_bytes()])
    }

    /// Bytes it takes on the wire, about.
    #[must_use]
    pub fn size(&self) -> usize {
        self.protected.len() + self.payload.len() + self.signature.len()
    }
}
