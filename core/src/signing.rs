//! Keys that sign, and the check of signatures: Ed25519 (`EdDSA`, RFC 8032) and ML-DSA-65 (FIPS 204).
//!
//! In: keys as PEM text, messages. Out: signatures, and whether one is right. Serves whoever signs: domains that speak to each
//! other, vendors of plugins. Files are not opened here, and what a message means is not known.

use aws_lc_rs::{
    digest::{SHA256, digest},
    encoding::{AsDer as _, PublicKeyX509Der},
    signature::{
        ED25519, Ed25519KeyPair, KeyPair as _, ML_DSA_65, ML_DSA_65_SIGNING, PqdsaKeyPair, UnparsedPublicKey,
        VerificationAlgorithm,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rustls_pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer, pem::PemObject as _};
use x509_parser::{prelude::FromDer as _, x509::SubjectPublicKeyInfo};

/// Name of Ed25519, as in JWS (RFC 8037).
pub const EDDSA: &str = "EdDSA";
/// Name of ML-DSA-65.
pub const ML_DSA: &str = "ML-DSA-65";

/// Why a key cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No PEM of the kind.
    #[error("no {0} in PEM is in it")]
    NotPem(&'static str),
    /// Another algorithm.
    #[error("it is no key for Ed25519 or ML-DSA-65; `qkdnm pki signing-key` makes one")]
    Algorithm,
}

/// The public half of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// Its name: 16 bytes of the SHA-256 of `spki`, in base64url.
    pub kid: String,
    /// [`EDDSA`] or [`ML_DSA`].
    pub algorithm: &'static str,
    /// SubjectPublicKeyInfo (RFC 5280), DER.
    pub spki: Vec<u8>,
}

impl PublicKey {
    fn new(algorithm: &'static str, spki: Vec<u8>) -> Self {
        Self { kid: kid(&spki), algorithm, spki }
    }

    /// Reads one (SubjectPublicKeyInfo in PEM).
    ///
    /// # Errors
    /// If it is none that can sign here.
    pub fn from_pem(pem: &[u8]) -> Result<Self, KeyError> {
        let spki = SubjectPublicKeyInfoDer::from_pem_slice(pem).map_err(|_| KeyError::NotPem("public key"))?;
        let (_, parsed) = SubjectPublicKeyInfo::from_der(&spki).map_err(|_| KeyError::NotPem("public key"))?;
        let algorithm = match parsed.algorithm.algorithm.to_id_string().as_str() {
            "1.3.101.112" => EDDSA,
            "2.16.840.1.101.3.4.3.18" => ML_DSA,
            _ => return Err(KeyError::Algorithm),
        };
        Ok(Self::new(algorithm, spki.to_vec()))
    }
}

/// The name of a public key: 16 bytes of the SHA-256 of its SubjectPublicKeyInfo, in base64url. Enough that nobody finds a
/// second key of the name; and one who did would still have to be trusted.
#[must_use]
pub fn kid(spki: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, spki).as_ref().get(..16).unwrap_or_default())
}

enum Pair {
    Ed25519(Box<Ed25519KeyPair>),
    MlDsa(Box<PqdsaKeyPair>),
}

/// A key that signs.
pub struct PrivateKey {
    pair: Pair,
    public: PublicKey,
}

impl std::fmt::Debug for PrivateKey {
    /// The public half alone.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PrivateKey").field("kid", &self.public.kid).finish_non_exhaustive()
    }
}

impl PrivateKey {
    /// Reads one (PKCS#8 in PEM).
    ///
    /// # Errors
    /// If it is none that can sign here.
    pub fn from_pem(pem: &[u8]) -> Result<Self, KeyError> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|_| KeyError::NotPem("private key (PKCS#8)"))?;
        let der = der.secret_pkcs8_der();
        let algorithm = |_| KeyError::Algorithm;
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8(der) {
            let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(algorithm)?;
            let public = PublicKey::new(EDDSA, spki.as_ref().to_vec());
            return Ok(Self { pair: Pair::Ed25519(Box::new(pair)), public });
        }
        let pair = PqdsaKeyPair::from_pkcs8(&ML_DSA_65_SIGNING, der).map_err(|_| KeyError::Algorithm)?;
        let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(algorithm)?;
        let public = PublicKey::new(ML_DSA, spki.as_ref().to_vec());
        Ok(Self { pair: Pair::MlDsa(Box::new(pair)), public })
    }

    /// The public half.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// A signature. `None` if the library fails, which it does where the machine gives no randomness.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        match &self.pair {
            Pair::Ed25519(pair) => pair.try_sign(message).ok().map(|signature| signature.as_ref().to_vec()),
            Pair::MlDsa(pair) => {
                let mut signature = vec![0; ML_DSA_65_SIGNING.signature_len()];
                let length = pair.sign(message, &mut signature).ok()?;
                signature.truncate(length);
                Some(signature)
            }
        }
    }
}

/// Whether the signature is one of this key (DER) by this algorithm.
#[must_use]
pub fn verifies(algorithm: &str, spki: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let algorithm: &'static dyn VerificationAlgorithm = match algorithm {
        EDDSA => &ED25519,
        ML_DSA => &ML_DSA_65,
        _ => return false,
    };
    UnparsedPublicKey::new(algorithm, spki).verify(message, signature).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::{SigningAlgorithm, signing_key_pems};

    #[test]
    fn both_algorithms_sign_and_are_told_apart() {
        for algorithm in [SigningAlgorithm::Ed25519, SigningAlgorithm::MlDsa65] {
            let (private, public) = signing_key_pems(algorithm).unwrap();
            let own = PrivateKey::from_pem(private.as_bytes()).unwrap();
            let known = PublicKey::from_pem(public.as_bytes()).unwrap();
            assert_eq!(*own.public(), known);
            let signature = own.sign(b"status").unwrap();
            let is_right = |key: &PublicKey, message: &[u8], signature: &[u8]| {
                verifies(key.algorithm, &key.spki, message, signature)
            };
            assert!(is_right(&known, b"status", &signature));
            assert!(!is_right(&known, b"statuS", &signature));
            let mut damaged = signature.clone();
            damaged[7] ^= 1;
            assert!(!is_right(&known, b"status", &damaged));
            let other = PublicKey::from_pem(signing_key_pems(algorithm).unwrap().1.as_bytes()).unwrap();
            assert!(!is_right(&other, b"status", &signature));
            let confused = PublicKey { algorithm: if known.algorithm == EDDSA { ML_DSA } else { EDDSA }, ..known };
            assert!(!is_right(&confused, b"status", &signature));
        }
    }

    #[test]
    fn what_is_no_key_is_told() {
        assert_eq!(PublicKey::from_pem(b"hello").unwrap_err(), KeyError::NotPem("public key"));
        let (private, _) = signing_key_pems(SigningAlgorithm::Ed25519).unwrap();
        assert_eq!(PublicKey::from_pem(private.as_bytes()).unwrap_err(), KeyError::NotPem("public key"));
        assert!(PrivateKey::from_pem(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").is_err());
    }
}
