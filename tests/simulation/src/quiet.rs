//! What a federation at rest sends, by the rules of `ALGORITHM.md` section 4, and whether it sends more (L4).
//!
//! Own refreshes go to each neighbour; of others' a reader without a session with the origin is told by each neighbour, and asks
//! once. Beside that go echoes and comparisons. Nothing of it is taken from what was sent.

use crate::{
    check::may_see,
    federation::protocol::{Document, Held, Item, OriginId},
    scenario::Scenario,
    wire,
};

/// Over how many milliseconds it is measured: two refreshes.
pub const WINDOW: u64 = 30_000;
/// How much more may be sent than foretold, in hundredths.
const MORE: u64 = 20;

/// What was sent at rest, and what had to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Traffic {
    /// Bytes that all managers sent within the window.
    pub sent: u64,
    /// By the rules.
    pub foretold: u64,
    /// Of that, one refresh of everybody: as much may come more or less within the window, as clocks run.
    pub once: u64,
}

fn bytes(held: &Held) -> usize {
    let document = Document { jws: held.jws.clone(), age_ms: 0, hops: 0, via: held.via.clone(), sections: Vec::new() };
    wire::item(&Item::Document(document))
}

impl Traffic {
    /// Of a scenario in its calm; `None` where liars or second processes send what they like, or somebody is dialled in vain.
    #[must_use]
    pub fn of(scenario: &Scenario, sent: u64) -> Option<Self> {
        let world = &scenario.world;
        let settings = &world.settings;
        let disturbed =
            |machine: &crate::machine::Machine| !machine.is_honest() || machine.twin && machine.node.is_some();
        if world.machines.iter().any(disturbed) || !world.violations.is_empty() {
            return None;
        }
        let (mut refreshes, mut others) = (0, 0);
        let times = |interval: u64| WINDOW.div_ceil(interval) as usize;
        // Refreshes of so many origins come within the time that announcements wait for each other.
        let together = (scenario.graph.size as u64 * settings.announce).div_ceil(settings.refresh) as usize;
        let envelope = wire::ENVELOPE / together.max(1);
        for host in &world.machines {
            let Some(node) = &host.node else { continue };
            let near: Vec<_> = node.session_peers().map(|(_, peer)| peer).collect();
            for (slot, held) in node.documents() {
                let readers =
                    near.iter().filter(|peer| may_see(&host.roster, peer, slot) && **peer != &slot.origin).count();
                if slot.origin == host.origin && held.manifest.leaving {
                    // What was withdrawn is not said again.
                } else if slot.origin == host.origin {
                    refreshes += readers * (bytes(held) + wire::ENVELOPE);
                } else if !near.contains(&&slot.origin)
                    && held.age(host.clock.read(world.now).mono) <= settings.valid_for
                {
                    // Asked for once, told to those who do not hold it yet.
                    let want = 90 + held.sections.len() * 46;
                    let claims = readers.saturating_sub(1) * (160 + envelope);
                    refreshes += bytes(held) + want + 2 * envelope + claims;
                } else {
                    refreshes += readers.saturating_sub(1) * (160 + envelope) / 2;
                }
            }
            // Who has just sent a refresh needs no echo.
            let echoes = times(settings.heartbeat) - times(settings.refresh);
            others += near.len() * echoes * (wire::ENVELOPE + 30);
            others += times(settings.repair) * (wire::ENVELOPE + 90);
            // What refreshes change while copies are compared shows as a difference; and always does to who is told of none.
            let untold = |domain: &&OriginId| {
                world.machines.iter().any(|machine| machine.origin == **domain && !machine.wishes.relay)
            };
            let differ =
                near.iter().filter(|peer| untold(peer)).count() + near.len() * usize::from(untold(&&host.origin));
            let digests = 2 * (node.documents().count() * 155 + 80 + wire::ENVELOPE);
            let compares = times(settings.repair);
            others += compares * digests * differ.min(near.len()) / near.len().max(1) + compares * digests / 8;
        }
        let foretold = (refreshes * times(settings.refresh) + others) as u64;
        Some(Self { sent, foretold, once: refreshes as u64 })
    }

    /// L4: what is wrong with it.
    #[must_use]
    pub fn complaint(&self) -> Option<String> {
        let Self { sent, foretold, once } = *self;
        let most = foretold + foretold * MORE / 100 + once / 4;
        (sent > most).then(|| format!("L4: {sent} bytes were sent at rest, the rules make it {foretold}"))
    }
}
