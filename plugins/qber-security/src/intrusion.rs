//! Failed authentications and other security events of a subject: how many in the running window, and until when its
//! alarm stays.

use crate::config::Settings;

/// What a subject's state holds of events.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Intrusion {
    /// Failures in the window, and when it began.
    pub(crate) failures: f64,
    pub(crate) window_from: f64,
    /// 0: nothing raised, 1: a warning, 2: major.
    pub(crate) level: f64,
    /// When the last failure came.
    pub(crate) last_failure: f64,
    /// When the last other security event came, while its alarm is raised; else 0.
    pub(crate) last_event: f64,
    /// Flags raised: 1 tamper, 2 enclosure.
    pub(crate) flags: f64,
}

impl Intrusion {
    /// Numbers in the state.
    pub(crate) const WIDTH: usize = 6;

    pub(crate) fn read(state: &[f64]) -> Self {
        let at = |index: usize| state.get(index).copied().unwrap_or(0.0);
        let (failures, window_from, level) = (at(0), at(1), at(2));
        Self { failures, window_from, level, last_failure: at(3), last_event: at(4), flags: at(5) }
    }

    pub(crate) fn write(self, state: &mut [f64]) {
        if let Some(place) = state.get_mut(..Self::WIDTH) {
            let Self { failures, window_from, level, last_failure, last_event, flags } = self;
            place.copy_from_slice(&[failures, window_from, level, last_failure, last_event, flags]);
        }
    }

    /// A failed authentication; true: the level has risen.
    pub(crate) fn failed(&mut self, now: f64, settings: &Settings) -> bool {
        if now - self.window_from > settings.window {
            (self.failures, self.window_from) = (0.0, now);
        }
        self.failures += 1.0;
        self.last_failure = now;
        let level = if self.failures >= settings.major_failures {
            2.0
        } else if self.failures >= settings.failures {
            1.0
        } else {
            0.0
        };
        let risen = level > self.level;
        self.level = self.level.max(level);
        risen
    }

    /// When something has been quiet for long enough; none if nothing is raised.
    pub(crate) fn next_quiet(&self, settings: &Settings) -> Option<f64> {
        let failures = (self.level > 0.0).then_some(self.last_failure);
        let events = (self.last_event > 0.0).then_some(self.last_event);
        let first = [failures, events].into_iter().flatten().fold(f64::INFINITY, f64::min);
        first.is_finite().then_some(first + settings.quiet_time)
    }
}
