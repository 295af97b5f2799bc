//! Keys that sign what domains say, as the protocol has them: with the time in which they are good, and by the name under which
//! rosters and signatures know them.
//!
//! In: keys as PEM text. Out: what the protocol signs and verifies with. The cryptography is `signing`'s; files are not opened.

use super::protocol::{Key, Signatures, SigningKey};
use crate::signing::{self, KeyError, PrivateKey, PublicKey};

impl From<&PublicKey> for Key {
    fn from(key: &PublicKey) -> Self {
        Self {
            kid: key.kid.clone(),
            algorithm: key.algorithm.to_owned(),
            public: key.spki.clone(),
            not_before: 0,
            not_after: u64::MAX,
        }
    }
}

/// Reads a public key (SubjectPublicKeyInfo in PEM).
///
/// # Errors
/// If it is none that can sign here.
pub fn public_key(pem: &[u8]) -> Result<Key, KeyError> {
    PublicKey::from_pem(pem).map(|key| Key::from(&key))
}

/// A private key that signs for our domain.
#[derive(Debug)]
pub struct OwnKey {
    key: PrivateKey,
    public: Key,
}

impl OwnKey {
    /// Reads a private key (PKCS#8 in PEM).
    ///
    /// # Errors
    /// If it is none that can sign here.
    pub fn from_pem(pem: &[u8]) -> Result<Self, KeyError> {
        let key = PrivateKey::from_pem(pem)?;
        let public = Key::from(key.public());
        Ok(Self { key, public })
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
        self.key.sign(message)
    }
}

/// Checks signatures of both algorithms.
#[derive(Clone, Copy, Debug)]
pub struct Verifier;

impl Signatures for Verifier {
    fn verify(&self, key: &Key, message: &[u8], signature: &[u8]) -> bool {
        signing::verifies(&key.algorithm, &key.public, message, signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::{SigningAlgorithm, signing_key_pems};

    #[test]
    fn a_key_signs_under_the_name_by_which_rosters_know_it() {
        let (private, public) = signing_key_pems(SigningAlgorithm::Ed25519).unwrap();
        let own = OwnKey::from_pem(private.as_bytes()).unwrap();
        let known = public_key(public.as_bytes()).unwrap();
        assert_eq!((own.kid(), own.algorithm()), (known.kid.as_str(), known.algorithm.as_str()));
        assert!(Verifier.verify(&known, b"status", &own.sign(b"status").unwrap()));
        assert!(!Verifier.verify(&known, b"statuS", &own.sign(b"status").unwrap()));
    }
}
