//! Keys of the simulated domains: by default a keyed hash that the simulation alone can make, on request real Ed25519.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use crate::{
    federation::protocol::{Hash, Key, Signatures, SigningKey},
    history::SharedHistory,
};

/// The algorithm's name in rosters and headers.
pub const ALGORITHM: &str = "EdDSA";

/// Name of a domain's key of a generation.
#[must_use]
pub fn kid(domain: &str, generation: u32) -> String {
    format!("{domain}-{generation}")
}

fn secret(kid: &str) -> [u8; 32] {
    Hash::of(&[b"secret of ", kid.as_bytes()]).0
}

fn pair(kid: &str) -> Option<Ed25519KeyPair> {
    Ed25519KeyPair::from_seed_unchecked(&secret(kid)).ok()
}

/// The public half as a roster has it.
#[must_use]
pub fn public(domain: &str, generation: u32, real: bool) -> Key {
    let kid = kid(domain, generation);
    let public = if real {
        pair(&kid).map(|pair| pair.public_key().as_ref().to_vec()).unwrap_or_default()
    } else {
        secret(&kid).to_vec()
    };
    Key { kid, algorithm: ALGORITHM.to_owned(), public, not_before: 0, not_after: u64::MAX }
}

/// Name of a key of a domain that has not counted for long, and that was stolen.
#[must_use]
pub fn expired_kid(domain: &str) -> String {
    format!("{domain}-expired")
}

/// Its public half, as the roster still has it.
#[must_use]
pub fn expired(domain: &str, real: bool) -> Key {
    let kid = expired_kid(domain);
    let public = pair(&kid).filter(|_| real).map(|pair| pair.public_key().as_ref().to_vec());
    let public = public.unwrap_or_else(|| secret(&kid).to_vec());
    Key { kid, algorithm: ALGORITHM.to_owned(), public, not_before: 0, not_after: 1_000_000_000_000 }
}

/// A signature of a key, whoever makes it.
#[must_use]
pub fn signature(kid: &str, message: &[u8], real: bool) -> Vec<u8> {
    if real {
        pair(kid).map(|pair| pair.sign(message).as_ref().to_vec()).unwrap_or_default()
    } else {
        Hash::of(&[&secret(kid), message]).0.to_vec()
    }
}

/// Checks signatures.
#[derive(Clone, Copy, Debug)]
pub struct Verifier {
    /// Real Ed25519.
    pub real: bool,
}

impl Signatures for Verifier {
    fn verify(&self, key: &Key, message: &[u8], signature: &[u8]) -> bool {
        if self.real {
            UnparsedPublicKey::new(&ED25519, &key.public).verify(message, signature).is_ok()
        } else {
            Hash::of(&[&key.public, message]).0.as_slice() == signature
        }
    }
}

/// A domain's signing key: of the generation that its machine's roster names.
#[derive(Clone, Debug)]
pub struct Signer {
    kids: Vec<String>,
    /// Generation, changed with the roster.
    pub generation: Arc<AtomicU32>,
    history: SharedHistory,
    real: bool,
    honest: bool,
}

impl Signer {
    /// For a domain; what it signs is noted in the history.
    #[must_use]
    pub fn new(domain: &str, generation: u32, history: SharedHistory, real: bool, honest: bool) -> Self {
        let kids = (0..32).map(|generation| kid(domain, generation)).collect();
        Self { kids, generation: Arc::new(AtomicU32::new(generation)), history, real, honest }
    }
}

impl SigningKey for Signer {
    fn kid(&self) -> &str {
        self.kids.get(self.generation.load(Ordering::Relaxed) as usize).map_or("", String::as_str)
    }

    fn algorithm(&self) -> &str {
        ALGORITHM
    }

    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        self.history.lock().note(message, self.honest);
        Some(signature(self.kid(), message, self.real))
    }
}
