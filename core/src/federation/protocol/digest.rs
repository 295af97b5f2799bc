//! What two managers compare: the slots that both may see.

use std::collections::BTreeMap;

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
        let generation = roster.members.get(&slot.origin).map(|member| member.key_gen);
        state.held.as_ref().map(|held| held.manifest.version.key_gen) == generation
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
    let text: Vec<String> = claims
        .iter()
        .map(|claim| {
            let Claim { slot, version, hash, disputed } = claim;
            format!("{}\n{}\n{version}\n{hash}\n{}\n", slot.origin, slot.audience, u8::from(*disputed))
        })
        .collect();
    let parts: Vec<&[u8]> = text.iter().map(String::as_bytes).collect();
    Hash::of(&parts)
}
