//! What a quantum channel usually does, and what a change of it means.
//!
//! Reading a qubit disturbs it: somebody who intercepts and resends makes errors, and as many photons arrive as before.
//! A worse fibre makes errors too, but because fewer photons arrive and the detectors' dark counts weigh more. So a QBER
//! that rises is set against the counts. What is usual is a slow average that learns only while nothing is wrong, and never
//! a QBER above a ceiling, so that a patient attacker cannot teach it.

use crate::config::Settings;

/// What a subject's state holds of the channel.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Channel {
    /// Usual QBER, from how many reports.
    pub(crate) usual_qber: f64,
    pub(crate) qbers: f64,
    /// Usual counts, from how many reports.
    pub(crate) usual_count: f64,
    pub(crate) counts: f64,
    /// Last count and when, milliseconds since 1970.
    pub(crate) count: f64,
    pub(crate) count_at: f64,
    /// Finding of the last reports and how many in a row had it.
    pub(crate) finding: f64,
    pub(crate) in_a_row: f64,
    /// Finding whose alarm is raised.
    pub(crate) raised: f64,
    /// Whether the QBER was above the level of no key.
    pub(crate) aborted: f64,
}

/// What a QBER means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// As usual, or not known yet.
    Usual,
    /// More errors, as many counts: somebody disturbs the signal.
    Disturbance,
    /// More errors, and more counts: light comes in.
    Light,
    /// More errors, fewer counts: loss.
    Loss,
    /// More errors, and no counts to set them against.
    Unexplained,
}

impl Finding {
    const ALL: [Self; 5] = [Self::Usual, Self::Disturbance, Self::Light, Self::Loss, Self::Unexplained];

    pub(crate) fn number(self) -> f64 {
        Self::ALL.iter().position(|&finding| finding == self).unwrap_or(0) as f64
    }

    pub(crate) fn of(number: f64) -> Self {
        Self::ALL.get(number as usize).copied().unwrap_or(Self::Usual)
    }
}

impl Channel {
    /// Numbers in the state.
    pub(crate) const WIDTH: usize = 10;

    pub(crate) fn read(state: &[f64]) -> Self {
        let at = |index: usize| state.get(index).copied().unwrap_or(0.0);
        Self {
            usual_qber: at(0),
            qbers: at(1),
            usual_count: at(2),
            counts: at(3),
            count: at(4),
            count_at: at(5),
            finding: at(6),
            in_a_row: at(7),
            raised: at(8),
            aborted: at(9),
        }
    }

    pub(crate) fn write(self, state: &mut [f64]) {
        if let Some(place) = state.get_mut(..Self::WIDTH) {
            place.copy_from_slice(&[
                self.usual_qber,
                self.qbers,
                self.usual_count,
                self.counts,
                self.count,
                self.count_at,
                self.finding,
                self.in_a_row,
                self.raised,
                self.aborted,
            ]);
        }
    }

    /// A count came in.
    pub(crate) const fn counted(&mut self, count: f64, now: f64) {
        self.count = count;
        self.count_at = now;
    }

    /// A count that is still good to be set against a QBER.
    pub(crate) fn count_now(&self, now: f64, settings: &Settings) -> Option<f64> {
        (self.count_at > 0.0 && now - self.count_at <= settings.counts_valid_for).then_some(self.count)
    }

    /// The QBER above which it is rising.
    pub(crate) fn limit(&self, settings: &Settings) -> f64 {
        self.usual_qber + settings.rise.max(self.usual_qber * settings.rise_ratio)
    }

    /// What a QBER means, with what is known so far.
    fn judge(&self, qber: f64, now: f64, settings: &Settings) -> Finding {
        if self.qbers < settings.warm_up {
            return Finding::Usual;
        }
        // Back to usual only at half the rise, lest it flap.
        let limit = self.limit(settings);
        let is_out = self.raised != 0.0;
        let limit = if is_out { self.usual_qber + (limit - self.usual_qber) / 2.0 } else { limit };
        if qber <= limit {
            return Finding::Usual;
        }
        match self.count_now(now, settings).filter(|_| self.counts >= settings.warm_up && self.usual_count > 0.0) {
            None => Finding::Unexplained,
            Some(count) => {
                let change = count / self.usual_count - 1.0;
                if change < -settings.steady_within {
                    Finding::Loss
                } else if change > settings.steady_within {
                    Finding::Light
                } else {
                    Finding::Disturbance
                }
            }
        }
    }

    /// A QBER came in, with the count that belongs to it. Learns from it if it is usual; the finding to be acted upon, if
    /// enough reports in a row agree and it is another than what is raised.
    pub(crate) fn take(&mut self, qber: f64, now: f64, settings: &Settings) -> Option<Finding> {
        let finding = self.judge(qber, now, settings);
        if finding == Finding::of(self.finding) {
            self.in_a_row = (self.in_a_row + 1.0).min(1e9);
        } else {
            (self.finding, self.in_a_row) = (finding.number(), 1.0);
        }
        if finding == Finding::Usual && self.raised == 0.0 {
            self.learn(qber, now, settings);
        }
        let is_new = self.raised != finding.number() && self.in_a_row >= settings.confirm;
        is_new.then(|| {
            self.raised = finding.number();
            finding
        })
    }

    fn learn(&mut self, qber: f64, now: f64, settings: &Settings) {
        let qber = qber.min(settings.usual_at_most);
        average(&mut self.usual_qber, &mut self.qbers, qber, settings.learning_rate);
        if let Some(count) = self.count_now(now, settings) {
            average(&mut self.usual_count, &mut self.counts, count, settings.learning_rate);
        }
    }
}

/// The plain mean at first, then an average in which a new value weighs `rate`.
fn average(mean: &mut f64, number: &mut f64, value: f64, rate: f64) {
    *number = (*number + 1.0).min(1e9);
    *mean += (value - *mean) * rate.max(1.0 / *number);
}
