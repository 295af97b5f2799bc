//! What must have come of it where a domain tells the federation nothing any more: whoever its last word can reach holds that word, which
//! has no sections, and no older copy in its place; and sees the domain as withdrawn, unless it is told something by another way.
//!
//! That it comes back with a higher version, and not before, is I2 and L1, as for everything else that is said.

use crate::{
    federation::protocol::{Audience, Freshness, Node, Slot, Version},
    machine::Machine,
};

/// What is wrong with what a node holds of a domain that has withdrawn from the federation.
#[must_use]
pub fn complaint(speaker: &Machine, reader: usize, node: &Node, freshness: Option<Freshness>) -> Option<String> {
    let origin = &speaker.origin;
    let slot = Slot { origin: origin.clone(), audience: Audience::Federation };
    let Some(held) = node.document(&slot) else {
        return Some(format!("L1: machine {reader} has no last word of {slot}"));
    };
    if !held.manifest.leaving || !held.sections.is_empty() {
        return Some(format!("L1: machine {reader} holds {} of {slot}, which was withdrawn", held.manifest.version));
    }
    let life = |version: Version| (version.key_gen, version.epoch);
    let others =
        node.documents_of(origin).filter(|(other, held)| other.audience != slot.audience && !held.manifest.leaving);
    let is_told_otherwise =
        others.map(|(_, held)| life(held.manifest.version)).max() >= Some(life(held.manifest.version));
    let is_withdrawn = freshness == Some(Freshness::Withdrawn);
    (is_withdrawn == is_told_otherwise).then(|| {
        format!("L2: machine {reader} sees {origin} as {freshness:?}, which has withdrawn from the federation")
    })
}
