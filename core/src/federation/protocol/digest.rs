//! What two managers compare: the slots that both may see.

use std::{collections::BTreeMap, fmt::Write as _};

use super::{
    identity::{OriginId, Slot},
    manifest::Hash,
    message::Claim,
    roster::Roster,
    slots::SlotState,
};

/// Whether a slot may be spoken of between two managers: both are entitled to it. To what is said to an adjacent domain
/// only that and the origin are: so it goes directly or not at all.
#[must_use]
pub(super) fn is_shared(roster: &Roster, one: &OriginId, other: &OriginId, slot: &Slot) -> bool {
    roster.entitled(one, &slot.origin, &slot.audience) && roster.entitled(other, &slot.origin, &slot.audience)
}

/// Claims of all that two managers may see of what one holds; with `held_before`, without what came since.
#[must_use]
pub(super) fn claims(
    slots: &BTreeMap<Slot, SlotState>,
    roster: &Roster,
    pair: (&OriginId, &OriginId),
    held_before: Option<u64>,
) -> Vec<Claim> {
    let settled = |state: &SlotState| {
        held_before.is_none_or(|limit| state.held.as_ref().is_some_and(|held| held.received_at <= limit))
    };
    let current = |slot: &Slot, state: &SlotState| {
        let member = roster.members.get(&slot.origin);
        state.held.as_ref().zip(member).is_some_and(|(held, member)| member.admits(held.manifest.version))
    };
    slots
        .iter()
        .filter(|(slot, state)| is_shared(roster, pair.0, pair.1, slot) && settled(state) && current(slot, state))
        .filter_map(|(slot, state)| state.claim(slot))
        .collect()
}

/// One hash over claims in the order of their slots.
#[must_use]
pub(super) fn root(claims: &[Claim]) -> Hash {
    let mut text = String::with_capacity(claims.len() * 128);
    for Claim { slot, version, hash, disputed } in claims {
        let disputed = u8::from(*disputed);
        // Writing to memory does not fail.
        let _ = write!(text, "{}\n{}\n{version}\n{hash}\n{disputed}\n", slot.origin, slot.audience);
    }
    Hash::of(&[text.as_bytes()])
}
