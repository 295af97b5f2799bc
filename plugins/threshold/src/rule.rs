//! When a level counts as crossed: hysteresis and hold-off, for each level on its own.
//!
//! A subject's state is its last value, the time of its timer, and for each level a phase and the time since when it is
//! in it. Levels are sorted in the direction of the rule, so that the last one crossed is the gravest.

use qkdn_plugin::Span;

/// Levels and hold-offs for a subject.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rule {
    /// Which way is bad.
    pub(crate) direction: Direction,
    /// Sorted: mildest first.
    pub(crate) levels: Vec<Level>,
    /// How long a value must stay beyond a level to raise.
    pub(crate) hold_off: Span,
    /// How long it must stay back to clear.
    pub(crate) clear_hold_off: Span,
}

/// Which way is bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Above the level.
    Above,
    /// Below the level.
    Below,
}

/// A level.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Level {
    /// Crossed beyond this.
    pub(crate) raise: f64,
    /// Left on the good side of this; `None`: when no longer beyond `raise`.
    pub(crate) clear: Option<f64>,
    /// Severity of the alarm.
    pub(crate) severity: String,
}

/// What a step brought.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Step {
    /// Highest level crossed before.
    pub(crate) before: Option<usize>,
    /// Highest level crossed now.
    pub(crate) after: Option<usize>,
    /// The value looked at.
    pub(crate) value: f64,
    /// A timer to set; 0 takes it back.
    pub(crate) timer: Option<u64>,
}

impl Rule {
    /// Moves a subject's state on by a value, or by the clock alone.
    pub(crate) fn step(&self, state: &mut [f64], value: Option<f64>, now: u64) -> Step {
        let before = top(state);
        let [last, timer, levels @ ..] = state else {
            return Step { before, after: before, value: 0.0, timer: None };
        };
        let value = value.unwrap_or(*last);
        *last = value;
        let mut next = 0;
        let mut rules = self.levels.iter();
        for slot in levels.chunks_exact_mut(STATE_PER_LEVEL) {
            let [phase, since] = slot else { continue };
            let (moved, due) = match rules.next() {
                Some(level) => self.move_on(level, (*phase, *since), value, now),
                None => ((IDLE, 0.0), 0),
            };
            (*phase, *since) = moved;
            if due != 0 && (next == 0 || due < next) {
                next = due;
            }
        }
        let changed = *timer != next as f64;
        *timer = next as f64;
        Step { before, after: top(state), value, timer: changed.then_some(next) }
    }

    /// Text of a raised alarm.
    pub(crate) fn raised_text(&self, level: &Level, name: &str, value: f64) -> String {
        let (raise, held) = (level.raise, held(self.hold_off));
        match (self.direction, self.beyond(level, value)) {
            (Direction::Above, true) => format!("{name} {value} is above {raise}{held}"),
            (Direction::Below, true) => format!("{name} {value} is below {raise}{held}"),
            (Direction::Above, false) => format!("{name} {value} has been above {raise} and is not back yet"),
            (Direction::Below, false) => format!("{name} {value} has been below {raise} and is not back yet"),
        }
    }

    /// Why an alarm is over.
    pub(crate) fn cleared_text(&self, name: &str, value: f64) -> String {
        let held = held(self.clear_hold_off);
        let level = self.levels.first();
        let raise = level.map_or(0.0, |level| level.raise);
        match (self.direction, level.and_then(|level| level.clear)) {
            (Direction::Above, Some(clear)) => format!("{name} {value} is below {clear}{held}"),
            (Direction::Below, Some(clear)) => format!("{name} {value} is above {clear}{held}"),
            (Direction::Above, None) => format!("{name} {value} is not above {raise}{held}"),
            (Direction::Below, None) => format!("{name} {value} is not below {raise}{held}"),
        }
    }

    /// A level's next phase and since when, and when the clock alone would change it.
    fn move_on(&self, level: &Level, (phase, since): (f64, f64), value: f64, now: u64) -> ((f64, f64), u64) {
        let crossed = phase == ACTIVE || phase == FALLING;
        let leaves = if crossed { self.back(level, value) } else { self.beyond(level, value) };
        let settled = if crossed { ACTIVE } else { IDLE };
        if !leaves {
            return ((settled, 0.0), 0);
        }
        let wait = if crossed { self.clear_hold_off } else { self.hold_off }.millis();
        let since = if phase == settled { now } else { since as u64 };
        let due = since.saturating_add(wait);
        if now >= due {
            return ((if crossed { IDLE } else { ACTIVE }, 0.0), 0);
        }
        ((if crossed { FALLING } else { RISING }, since as f64), due)
    }

    fn beyond(&self, level: &Level, value: f64) -> bool {
        match self.direction {
            Direction::Above => value > level.raise,
            Direction::Below => value < level.raise,
        }
    }

    fn back(&self, level: &Level, value: f64) -> bool {
        match (self.direction, level.clear) {
            (_, None) => !self.beyond(level, value),
            (Direction::Above, Some(clear)) => value < clear,
            (Direction::Below, Some(clear)) => value > clear,
        }
    }
}

/// Whether an alarm is raised.
pub(crate) fn is_raised(state: &[f64]) -> bool {
    top(state).is_some()
}

/// The timer has fired: the state's copy of it goes.
pub(crate) fn timer_fired(state: &mut [f64]) {
    if let Some(timer) = state.get_mut(1) {
        *timer = 0.0;
    }
}

/// Highest level that is crossed.
fn top(state: &[f64]) -> Option<usize> {
    let levels = state.get(FIXED_STATE..)?;
    levels.chunks_exact(STATE_PER_LEVEL).rposition(|slot| slot.first().is_some_and(|&p| p == ACTIVE || p == FALLING))
}

fn held(hold_off: Span) -> String {
    if hold_off.millis() == 0 { String::new() } else { format!(" (for {hold_off})") }
}

/// State of a subject before that of its levels: last value, timer.
pub(crate) const FIXED_STATE: usize = 2;
/// State of a level: phase, since when.
pub(crate) const STATE_PER_LEVEL: usize = 2;

/// Not crossed.
const IDLE: f64 = 0.0;
/// Beyond the level, not for long enough yet.
const RISING: f64 = 1.0;
/// Crossed.
const ACTIVE: f64 = 2.0;
/// Crossed; back, not for long enough yet.
const FALLING: f64 = 3.0;
