//! The managers we are configured to speak with: when to dial, and whom not to believe as a relay.

use super::limits::Settings;

/// A configured neighbour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Neighbour {
    /// We dial it.
    pub dial: bool,
}

/// A neighbour at run time.
#[derive(Debug, Default)]
pub(super) struct NeighbourState {
    /// As configured.
    pub configured: Neighbour,
    /// An attempt is under way.
    pub dialling: bool,
    /// Monotonic time of the next attempt.
    pub next_dial: u64,
    /// The wait before it.
    wait: u64,
    bad: Vec<u64>,
    quarantined_until: u64,
}

/// Bad items are counted within this time, in milliseconds.
const BAD_WINDOW: u64 = 60_000;

impl NeighbourState {
    /// A new one, to be dialled at once.
    #[must_use]
    pub(super) fn new(configured: Neighbour, now: u64) -> Self {
        Self { configured, next_dial: now, ..Self::default() }
    }

    /// An attempt failed, or a session ended after living so long. `random` in 0..1,000.
    pub(super) fn back_off(&mut self, lived: u64, longest: u64, settings: &Settings, now: u64, random: u64) {
        self.dialling = false;
        let doubled = if lived >= settings.settled || self.wait == 0 { settings.redial } else { self.wait * 2 };
        self.wait = doubled.min(longest);
        self.next_dial = now + self.wait / 2 + self.wait * (random % 1_000) / 2_000;
    }

    /// There is a sign that it can be reached: try soon.
    pub(super) fn encourage(&mut self, settings: &Settings, now: u64) {
        self.wait = 0;
        self.next_dial = self.next_dial.min(now + settings.redial / 2);
    }

    /// Whether it may relay.
    #[must_use]
    pub(super) fn may_relay(&self, now: u64) -> bool {
        now >= self.quarantined_until
    }

    /// Counts a bad item; true if it loses the right to relay by it.
    pub(super) fn blame(&mut self, settings: &Settings, now: u64) -> bool {
        self.bad.retain(|&at| now.saturating_sub(at) < BAD_WINDOW);
        self.bad.push(now);
        if self.bad.len() < settings.bad_items as usize {
            return false;
        }
        self.bad.clear();
        let news = self.may_relay(now);
        self.quarantined_until = now + settings.quarantine;
        news
    }
}
