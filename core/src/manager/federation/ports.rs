//! What the protocol's state machine needs of the world: an epoch on stable storage, and random numbers.

use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};

use super::locked;
use crate::{
    federation::protocol::{Epochs, Jws, OriginId, SectionBody, Slot, Stored},
    storage::federation::{FederationDb, StoredDocument},
};

/// Storage and randomness.
pub(super) struct Ports {
    pub(super) db: Arc<Mutex<FederationDb>>,
    pub(super) random: SystemRandom,
}

impl Epochs for Ports {
    fn record(&mut self, epoch: u64) -> bool {
        let recorded = locked(&self.db).record_epoch(epoch);
        if let Err(error) = &recorded {
            tracing::error!(%error, "The epoch could not be recorded: this domain publishes nothing until it can be.");
        }
        recorded.is_ok()
    }

    fn random(&mut self) -> u64 {
        let mut bytes = [0; 8];
        // The system's generator does not fail once it is seeded; a fixed number would only make salts guessable once.
        if self.random.fill(&mut bytes).is_err() {
            tracing::error!("The system gave no random numbers.");
        }
        u64::from_le_bytes(bytes)
    }
}

/// A document as the database has it.
pub(super) fn to_row(slot: &Slot, stored: Stored) -> StoredDocument {
    let Stored { jws: Jws { protected, payload, signature }, via, sections } = stored;
    let section = |body: SectionBody| (body.name.to_string(), body.salt.to_vec(), body.data.to_vec());
    StoredDocument {
        origin: slot.origin.to_string(),
        audience: slot.audience.to_string(),
        jws: [protected, payload, signature],
        via: via.iter().map(ToString::to_string).collect(),
        sections: sections.into_iter().map(section).collect(),
    }
}

/// A document as the protocol has it; what is damaged in it is not taken for a section of it.
pub(super) fn from_row(row: StoredDocument) -> Stored {
    let [protected, payload, signature] = row.jws;
    let section = |(name, salt, data): (String, Vec<u8>, Vec<u8>)| {
        Some(SectionBody { name: name.into(), salt: salt.try_into().ok()?, data: data.into() })
    };
    Stored {
        jws: Jws { protected, payload, signature },
        via: row.via.iter().map(|name| OriginId::from(name.as_str())).collect(),
        sections: row.sections.into_iter().filter_map(section).collect(),
    }
}
