//! The key store of a link: filled by its modules, drained by relaying and by applications.

/// Share of the room above which no more keys are taken in.
const HIGH_WATER: f64 = 0.9;

/// A store. Amounts are bits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Store {
    /// Room.
    pub capacity: f64,
    /// What is in it.
    pub level: f64,
    /// What came in so far.
    pub filled: f64,
    /// What was made and not taken in, the store being full.
    pub discarded: f64,
    /// What went to applications at the ends of the link.
    pub supplied: f64,
    /// What went to encrypting keys on their way.
    pub relayed: f64,
    /// What a fault took.
    pub drained: f64,
    /// Bits a second that came in during the last step.
    pub input_bps: f64,
    /// Bits a second that went out.
    pub output_bps: f64,
    start: f64,
}

impl Store {
    /// A store that is full to a share.
    #[must_use]
    pub fn new(capacity: f64, share: f64) -> Self {
        let level = capacity * share.clamp(0.0, 1.0);
        Self {
            capacity,
            level,
            filled: 0.0,
            discarded: 0.0,
            supplied: 0.0,
            relayed: 0.0,
            drained: 0.0,
            input_bps: 0.0,
            output_bps: 0.0,
            start: level,
        }
    }

    /// Share that is full.
    #[must_use]
    pub fn fill(&self) -> f64 {
        self.level / self.capacity
    }

    /// What was in it at the start.
    #[must_use]
    pub const fn start(&self) -> f64 {
        self.start
    }

    /// A step begins: keys come in at a rate for some seconds.
    pub(super) fn begin(&mut self, rate_bps: f64, seconds: f64) {
        let made = rate_bps * seconds;
        let taken = made.min((self.capacity * HIGH_WATER - self.level).max(0.0));
        self.level += taken;
        self.filled += taken;
        self.discarded += made - taken;
        self.input_bps = taken / seconds;
        self.output_bps = 0.0;
    }

    /// Takes out at most so many bits; how many it were.
    pub(super) fn take(&mut self, bits: f64, seconds: f64, by: Taker) -> f64 {
        let taken = bits.clamp(0.0, self.level);
        self.level -= taken;
        self.output_bps += taken / seconds;
        match by {
            Taker::Application => self.supplied += taken,
            Taker::Relay => self.relayed += taken,
            Taker::Fault => self.drained += taken,
        }
        taken
    }
}

/// Who takes keys out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taker {
    Application,
    Relay,
    Fault,
}
