//! The documents held, one a slot, and what waits beside them for its sections.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    freshness::Delays,
    identity::{OriginId, Slot},
    jws::Jws,
    manifest::{Hash, Manifest, SectionBody},
    message::{Claim, Proof},
    version::Version,
};

/// A document, whole or waiting to be.
#[derive(Clone, Debug)]
pub struct Held {
    /// As signed.
    pub jws: Jws,
    /// What was signed.
    pub manifest: Manifest,
    /// Names the manifest.
    pub hash: Hash,
    /// Its sections; all of them, once it is held.
    pub sections: BTreeMap<Arc<str>, SectionBody>,
    /// Our monotonic time of receipt.
    pub received_at: u64,
    /// Its age then.
    pub age_at_receipt: u64,
    /// Relays on its way.
    pub hops: u32,
    /// Which.
    pub via: Vec<OriginId>,
    /// The neighbour it came by; ourselves for our own.
    pub from: OriginId,
    /// It came as the answer to a want.
    pub repaired: bool,
}

impl Held {
    /// Age in milliseconds.
    #[must_use]
    pub fn age(&self, now: u64) -> u64 {
        self.age_at_receipt.saturating_add(now.saturating_sub(self.received_at))
    }

    /// Whether every section that the manifest names is here.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.sections.len() == self.manifest.sections.len()
    }

    /// Hashes of the sections that are here, as the manifest names them: what is here fits it.
    pub(super) fn hashes(&self) -> impl Iterator<Item = Hash> {
        self.sections.keys().filter_map(|name| Some(self.manifest.sections.get(name)?.hash))
    }

    /// The sections that a manifest names as this one does.
    pub(super) fn shared_with(&self, manifest: &Manifest) -> Vec<SectionBody> {
        let same = |body: &&SectionBody| self.manifest.sections.get(&body.name) == manifest.sections.get(&body.name);
        self.sections.values().filter(same).cloned().collect()
    }

    /// Whether it is above another: by version, and of one version the lower hash.
    #[must_use]
    pub fn outranks(&self, version: Version, hash: Hash) -> bool {
        outranks((self.manifest.version, self.hash), (version, hash))
    }
}

/// The total order of documents of one slot.
#[must_use]
pub(super) fn outranks(one: (Version, Hash), other: (Version, Hash)) -> bool {
    one.0 > other.0 || (one.0 == other.0 && one.1 < other.1)
}

/// A slot.
#[derive(Debug, Default)]
pub(super) struct SlotState {
    /// What readers and neighbours see.
    pub held: Option<Held>,
    /// A higher one, some sections of which are missing.
    pub waiting: Option<Held>,
    /// Our monotonic time when the version last rose.
    pub advanced_at: u64,
    /// How quickly the origin's manifests come.
    pub delays: Delays,
    /// Two manifests of one version.
    pub proof: Option<(Version, Proof)>,
}

impl SlotState {
    /// Whether the origin signed two manifests in the epoch of the document held, or in one that is not known yet.
    #[must_use]
    pub(super) fn is_disputed(&self) -> bool {
        let life = |version: Version| (version.key_gen, version.epoch);
        match (&self.proof, &self.held) {
            (Some((version, _)), Some(held)) => life(*version) >= life(held.manifest.version),
            (proof, None) => proof.is_some(),
            (None, Some(_)) => false,
        }
    }

    /// What a digest says of it.
    #[must_use]
    pub(super) fn claim(&self, slot: &Slot) -> Option<Claim> {
        let held = self.held.as_ref()?;
        Some(Claim {
            slot: slot.clone(),
            version: held.manifest.version,
            hash: held.hash,
            disputed: self.is_disputed(),
        })
    }
}
