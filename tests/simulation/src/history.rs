//! What was really signed, by whom and when in true time: the truth that invariants compare with.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::federation::protocol::{Hash, Manifest, Slot, Version};

/// One signature.
#[derive(Clone, Debug)]
pub struct Signed {
    /// What was signed.
    pub manifest: Manifest,
    /// True time in milliseconds.
    pub at: u64,
}

/// All signatures of a run.
#[derive(Debug, Default)]
pub struct History {
    /// True time, kept by the world.
    pub now: u64,
    /// By the manifest's hash.
    pub signed: HashMap<Hash, Signed>,
    first: HashMap<(Slot, Version), Hash>,
    /// What honest signers did wrong.
    pub violations: Vec<String>,
}

/// Shared by the signers of all machines.
#[derive(Clone, Debug, Default)]
pub struct SharedHistory(Arc<Mutex<History>>);

impl SharedHistory {
    /// To read or write.
    pub fn lock(&self) -> MutexGuard<'_, History> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl History {
    /// Notes that `protected.payload` was signed; an honest signer never uses a version twice (I4).
    pub fn note(&mut self, message: &[u8], honest: bool) {
        let payload = message.split(|&byte| byte == b'.').nth(1).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        let Some(manifest) = payload.and_then(|bytes| serde_json::from_slice::<Manifest>(&bytes).ok()) else { return };
        let hash = Hash::of(&[message]);
        let place = (manifest.slot(), manifest.version);
        if honest && self.first.get(&place).is_some_and(|other| *other != hash) {
            self.violations.push(format!("I4: {} signed twice as {}", place.0, place.1));
        }
        if honest {
            self.first.insert(place, hash);
        }
        let at = self.now;
        self.signed.entry(hash).or_insert(Signed { manifest, at });
    }
}
