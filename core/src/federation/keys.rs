//! Keys that sign what domains say, and the check of signatures: Ed25519 (`EdDSA`, RFC 8037) and ML-DSA-65 (FIPS 204).
//!
//! In: keys as PEM text. Out: what the protocol signs and verifies with. A key's name (`kid`) is made of the key itself, so that
//! it needs not be agreed on. Files are not opened here.

use aws_lc_rs::{
    encoding::{AsDer as _, PublicKeyX509Der},
    signature::{
        ED25519, Ed25519KeyPair, KeyPair as _, ML_DSA_65, ML_DSA_65_SIGNING, PqdsaKeyPair, UnparsedPublicKey,
        VerificationAlgorithm,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rustls_pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer, pem::PemObject as _};
use x509_parser::{prelude::FromDer as _, x509::SubjectPublicKeyInfo};

use super::protocol::{Hash, Key, Signatures, SigningKey};

/// Name of Ed25519 in headers of signatures.
pub const EDDSA: &str = "EdDSA";
/// Name of ML-DSA-65 in headers of signatures.
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

/// The name of a public key: 16 bytes of the SHA-256 of its SubjectPublicKeyInfo, in base64url. Enough that nobody finds a
/// second key of the name; and one who did would still have to be in the roster.
#[must_use]
pub fn kid(spki: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(&Hash::of(&[spki]).0[..16])
}

/// Reads a public key (SubjectPublicKeyInfo in PEM).
///
/// # Errors
/// If it is none that can sign here.
pub fn public_key(pem: &[u8]) -> Result<Key, KeyError> {
    let spki = SubjectPublicKeyInfoDer::from_pem_slice(pem).map_err(|_| KeyError::NotPem("public key"))?;
    let (_, parsed) = SubjectPublicKeyInfo::from_der(&spki).map_err(|_| KeyError::NotPem("public key"))?;
    let algorithm = match parsed.algorithm.algorithm.to_id_string().as_str() {
        "1.3.101.112" => EDDSA,
        "2.16.840.1.101.3.4.3.18" => ML_DSA,
        _ => return Err(KeyError::Algorithm),
    };
    Ok(Key {
        kid: kid(&spki),
        algorithm: algorithm.to_owned(),
        public: spki.to_vec(),
        not_before: 0,
        not_after: u64::MAX,
    })
}

enum Pair {
    Ed25519(Box<Ed25519KeyPair>),
    MlDsa(Box<PqdsaKeyPair>),
}

/// A private key that signs for our domain.
pub struct OwnKey {
    pair: Pair,
    public: Key,
}

impl std::fmt::Debug for OwnKey {
    /// The public half alone.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OwnKey").field("kid", &self.public.kid).finish_non_exhaustive()
    }
}

impl OwnKey {
    /// Reads a private key (PKCS#8 in PEM).
    ///
    /// # Errors
    /// If it is none that can sign here.
    pub fn from_pem(pem: &[u8]) -> Result<Self, KeyError> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|_| KeyError::NotPem("private key (PKCS#8)"))?;
        let der = der.secret_pkcs8_der();
        let (pair, spki) = if let Ok(pair) = Ed25519KeyPair::from_pkcs8(der) {
            let spki: Result<PublicKeyX509Der<'_>, _> = pair.public_key().as_der();
            let spki = spki.map_err(|_| KeyError::Algorithm)?.as_ref().to_vec();
            (Pair::Ed25519(Box::new(pair)), (EDDSA, spki))
        } else {
            let pair = PqdsaKeyPair::from_pkcs8(&ML_DSA_65_SIGNING, der).map_err(|_| KeyError::Algorithm)?;
            let spki: Result<PublicKeyX509Der<'_>, _> = pair.public_key().as_der();
            let spki = spki.map_err(|_| KeyError::Algorithm)?.as_ref().to_vec();
            (Pair::MlDsa(Box::new(pair)), (ML_DSA, spki))
        };
        let (algorithm, public) = spki;
        let public =
            Key { kid: kid(&public), algorithm: algorithm.to_owned(), public, not_before: 0, not_after: u64::MAX };
        Ok(Self { pair, public })
    }

    /// The public half, as it stands in rosters.
    #[must_use]
    pub const fn public(&self) -> &Key {
        &self.public
    }
}

impl SigningKey for OwnKey {
    fn kid(&self) -> &str {
        &self.public.kid
    }

    fn algorithm(&self) -> &str {
        &self.public.algorithm
    }

    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
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

/// Checks signatures of both algorithms.
#[derive(Clone, Copy, Debug)]
pub struct Verifier;

impl Signatures for Verifier {
    fn verify(&self, key: &Key, message: &[u8], signature: &[u8]) -> bool {
        let algorithm: &'static dyn VerificationAlgorithm = match key.algorithm.as_str() {
            EDDSA => &ED25519,
            ML_DSA => &ML_DSA_65,
            _ => return false,
        };
        UnparsedPublicKey::new(algorithm, &key.public).verify(message, signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::{SigningAlgorithm, signing_key_pems};

    #[test]
    fn both_algorithms_sign_and_are_told_apart() {
        for algorithm in [SigningAlgorithm::Ed25519, SigningAlgorithm::MlDsa65] {
            let (private, public) = signing_key_pems(algorithm).unwrap();
            let own = OwnKey::from_pem(private.as_bytes()).unwrap();
            let known = public_key(public.as_bytes()).unwrap();
            assert_eq!(*own.public(), known);
            let signature = own.sign(b"status").unwrap();
            assert!(Verifier.verify(&known, b"status", &signature));
            assert!(!Verifier.verify(&known, b"statuS", &signature));
            let mut damaged = signature.clone();
            damaged[7] ^= 1;
            assert!(!Verifier.verify(&known, b"status", &damaged));
            let other = public_key(signing_key_pems(algorithm).unwrap().1.as_bytes()).unwrap();
            assert!(!Verifier.verify(&other, b"status", &signature));
            let name = if known.algorithm == EDDSA { ML_DSA } else { EDDSA };
            let confused = Key { algorithm: name.to_owned(), ..known };
            assert!(!Verifier.verify(&confused, b"status", &signature));
        }
    }

    #[test]
    fn what_is_no_key_is_told() {
        assert_eq!(public_key(b"hello").unwrap_err(), KeyError::NotPem("public key"));
        let (private, _) = signing_key_pems(SigningAlgorithm::Ed25519).unwrap();
        assert_eq!(public_key(private.as_bytes()).unwrap_err(), KeyError::NotPem("public key"));
        assert!(OwnKey::from_pem(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").is_err());
    }
}
