//! What of another domain's documents is shown here: through the reader's filter, then the import policies, then the filter
//! again, since a policy may say anything.
//!
//! In: a document as it is held. Out: its sections as API and command line show them. Signatures, relaying and what is kept are
//! not touched. A document is asked about once for its version, and again after a second, since some policies go by time.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Instant,
};

use serde_json::Value;

use super::{
    border::{Border, Gate},
    locked,
};
use crate::{
    config::limits::IMPORT_LOOK,
    federation::{
        protocol::{Hash, Held, OriginId, Roster, SectionBody, Slot},
        section::{self, Sections},
    },
    plugin::Direction,
};

/// A section as it is shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shown {
    /// What it says; null: nothing that is understood, or nothing that is shown.
    pub content: Value,
    /// What is wrong with it.
    pub malformed: Option<String>,
    /// Why it is not shown, if import policies are to blame.
    pub withheld: Option<String>,
}

type ByName = BTreeMap<Arc<str>, Shown>;

/// A document that was asked about.
struct Seen {
    hash: Hash,
    rules: usize,
    at: Instant,
    sections: Arc<ByName>,
}

/// Shows documents.
pub struct Shows {
    border: Arc<Border>,
    own: OriginId,
    inner: Mutex<Inner>,
}

struct Inner {
    gate: Gate,
    seen: BTreeMap<Slot, Seen>,
}

impl Shows {
    /// Past this border; our own domain's documents are shown as they are signed.
    #[must_use]
    pub fn new(border: &Arc<Border>, own: OriginId) -> Arc<Self> {
        let gate = Gate::new(Arc::clone(border), Direction::Import);
        Arc::new(Self { border: Arc::clone(border), own, inner: Mutex::new(Inner { gate, seen: BTreeMap::new() }) })
    }

    /// The sections of a document.
    pub(super) fn document(&self, slot: &Slot, held: &Held) -> Arc<ByName> {
        let in_force = self.border.rules();
        if slot.origin == self.own {
            return Arc::new(read(&in_force.roster, slot, held));
        }
        let rules = Arc::as_ptr(&in_force) as usize;
        let mut inner = locked(&self.inner);
        if let Some(seen) = inner.seen.get(slot)
            && (seen.hash == held.hash && seen.rules == rules && seen.at.elapsed() < IMPORT_LOOK)
        {
            return Arc::clone(&seen.sections);
        }
        let sections = Arc::new(pass(&mut inner.gate, &in_force.roster, slot, read(&in_force.roster, slot, held)));
        let seen = Seen { hash: held.hash, rules, at: Instant::now(), sections: Arc::clone(&sections) };
        inner.seen.insert(slot.clone(), seen);
        sections
    }

    /// Forgets documents that are not held any more.
    pub(super) fn keep_only(&self, is_held: impl Fn(&Slot) -> bool) {
        let mut inner = locked(&self.inner);
        inner.seen.retain(|slot, _| is_held(slot));
        inner.gate.keep_only(|domain, audience| is_held(&Slot { origin: domain.clone(), audience: audience.clone() }));
    }
}

fn read(roster: &Roster, slot: &Slot, held: &Held) -> ByName {
    let read = |(name, body): (&Arc<str>, &SectionBody)| {
        let shown = match section::read(roster, &slot.origin, &slot.audience, name, &body.data) {
            Ok(Some(found)) => Shown {
                content: found.value,
                malformed: (!found.faults.is_empty()).then(|| found.faults.join("; ")),
                withheld: None,
            },
            Ok(None) => Shown::default(),
            Err(problem) => Shown { malformed: Some(problem), ..Shown::default() },
        };
        (Arc::clone(name), shown)
    };
    held.sections.iter().map(read).collect()
}

fn pass(gate: &mut Gate, roster: &Roster, slot: &Slot, mut shown: ByName) -> ByName {
    let understood = shown.iter().filter(|(_, one)| !one.content.is_null());
    let sections: Sections = understood.map(|(name, one)| (Arc::clone(name), one.content.clone())).collect();
    if sections.is_empty() {
        return shown;
    }
    let (mut passed, why) = match gate.import(&slot.origin, &slot.audience, sections) {
        Ok(passed) => (passed, "left out by an import policy".to_owned()),
        Err(closed) => (Sections::new(), format!("import policy {} failed", closed.policy)),
    };
    for (name, one) in shown.iter_mut().filter(|(_, one)| !one.content.is_null()) {
        let content = passed.iter().position(|(known, _)| known == name).map(|at| passed.swap_remove(at).1);
        // What a policy made of it is held against the form like what a domain told.
        let fitted = content.and_then(|content| {
            section::read(roster, &slot.origin, &slot.audience, name, content.to_string().as_bytes()).ok().flatten()
        });
        match fitted {
            Some(fitted) => one.content = fitted.value,
            None => *one = Shown { withheld: Some(why.clone()), ..Shown::default() },
        }
    }
    shown
}
