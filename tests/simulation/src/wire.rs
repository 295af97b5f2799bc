//! How many bytes items take as JSON on the wire, about: for measures of traffic.

use crate::federation::protocol::{Claim, Document, Item, Want};

/// What is around the items of a report, and its answer.
pub const ENVELOPE: usize = 260;

/// What an item is called in measures.
#[must_use]
pub fn kind(item: &Item) -> &'static str {
    match item {
        Item::Document(document) if document.sections.is_empty() => "refresh",
        Item::Document(_) => "change",
        Item::Root { .. } => "root",
        Item::Digest { .. } => "digest",
        Item::Announce(_) => "announce",
        Item::Echo { .. } => "echo",
        Item::Proof(_) => "proof",
    }
}

fn document(document: &Document) -> usize {
    let sections: usize = document.sections.iter().map(|body| body.data.len() * 4 / 3 + 140).sum();
    document.jws.size() + 120 + document.via.iter().map(|hop| hop.as_str().len() + 3).sum::<usize>() + sections
}

fn claims(claims: &[Claim]) -> usize {
    claims.iter().map(|claim| 150 + claim.slot.origin.as_str().len()).sum::<usize>() + 40
}

/// Bytes of an item.
#[must_use]
pub fn item(item: &Item) -> usize {
    match item {
        Item::Document(held) => document(held),
        Item::Root { .. } => 90,
        Item::Digest { claims: all, .. } => claims(all) + 40,
        Item::Announce(all) => claims(all),
        Item::Echo { direct } => 30 + direct.iter().flatten().map(|domain| domain.as_str().len() + 3).sum::<usize>(),
        Item::Proof(proof) => proof.first.size() + proof.second.size() + 100,
    }
}

/// Bytes of wants.
#[must_use]
pub fn wants(wants: &[Want]) -> usize {
    ENVELOPE + wants.iter().map(|want| 90 + want.have.len() * 46).sum::<usize>()
}
