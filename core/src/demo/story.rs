//! The script: acts that do something to the network, and what the manager should notice of each. Time, alarms and the
//! network come as arguments; nothing here waits or prints.

use std::time::Duration;

use crate::{model::Alarm, simulate::Network};

/// Calm after an act before the next begins.
const LINGER: Duration = Duration::from_millis(1_500);
/// Longest wait for the manager to notice, where the demo has no length.
const PATIENCE: Duration = Duration::from_secs(30);
/// What is not noticed by so much after the end of the demo is missed.
const GRACE: Duration = Duration::from_secs(5);
/// Calm between two rounds, where the demo has no length.
const PAUSE: Duration = Duration::from_secs(15);
/// What an application takes that drains a store: it is empty within the horizon of the demo's forecast, however full.
const DRAIN_BPS: f64 = 60_000.0;
/// What fills it again.
const REFILL_BPS: f64 = 120_000.0;

/// What should come of an act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// Every component had a report acknowledged.
    Reporting,
    /// An alarm of this type at each of these components.
    Raised(&'static str, &'static [&'static str]),
    /// None of this type at any of these.
    Cleared(&'static str, &'static [&'static str]),
}

struct Act {
    /// What is told when it begins.
    text: &'static str,
    /// What it does, once.
    change: fn(&mut Network),
    expected: Expected,
    /// What is told when it came so.
    noticed: &'static str,
}

const MODULES: &[&str] = &["mq/alice", "mq/bob"];
const STORE: &[&str] = &["mk/km-alice"];
const QBER: &str = "qber-threshold-exceeded";
const FORECAST: &str = "key-store-exhaustion-forecast";

const ACTS: [Act; 5] = [
    Act {
        text: "Two QKD modules, their link, two key managers and a controller begin to report.",
        change: |_| {},
        expected: Expected::Reporting,
        noticed: "All six are connected over TLS, and their reports are acknowledged.",
    },
    Act {
        text: "The fibre between alice and bob is disturbed: more loss, more errors.",
        change: |network| network.link.disturbance = 1.0,
        expected: Expected::Raised(QBER, MODULES),
        noticed: "The manager noticed at both ends. Its security policy looks at the counts too: a fibre, or an eavesdropper?",
    },
    Act {
        text: "The fibre is left alone again.",
        change: |network| network.link.disturbance = 0.0,
        expected: Expected::Cleared(QBER, MODULES),
        noticed: "Both alarms about error rates are cleared. They stay on record, with their history.",
    },
    Act {
        text: "An application at km-alice takes keys much faster than the modules make them.",
        change: |network| {
            let [alice, _] = &mut network.key_managers;
            alice.demand_bps = DRAIN_BPS;
        },
        expected: Expected::Raised(FORECAST, STORE),
        noticed: "The manager saw the end of the store coming, while there still are keys in it.",
    },
    Act {
        text: "The application is content, and a second link helps to fill the store.",
        change: |network| {
            let [alice, _] = &mut network.key_managers;
            alice.calm();
            alice.supply_bps = REFILL_BPS;
        },
        expected: Expected::Cleared(FORECAST, STORE),
        noticed: "The forecast is taken back.",
    },
];

/// Something to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// What happens to the network.
    Happens(&'static str),
    /// That the manager noticed.
    Noticed(&'static str),
    /// That it did not.
    Missed(String),
    /// That the story is over, or begins again after a pause.
    Pause(&'static str),
}

/// Where the story is.
#[derive(Clone, Debug)]
pub struct Story {
    length: Option<Duration>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The act begins at this time.
    Before(usize, Duration),
    /// The act began at this time.
    Within(usize, Duration),
    Over,
}

impl Story {
    /// A story that is told once within `length`, or again and again without one.
    #[must_use]
    pub fn new(length: Option<Duration>) -> Self {
        Self { length, state: State::Before(0, Duration::ZERO) }
    }

    /// When an act that began at `begin` has failed.
    fn deadline(&self, begin: Duration) -> Duration {
        self.length.map_or(begin + PATIENCE, |length| (begin + length / 2).min(length + GRACE))
    }

    /// Whether everything was told.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// Goes on: what there is to tell now. `reporting`: every component had a report acknowledged.
    pub fn advance(&mut self, now: Duration, alarms: &[Alarm], network: &mut Network, reporting: bool) -> Vec<Told> {
        match self.state {
            State::Before(act, begin) if now >= begin => match ACTS.get(act) {
                Some(script) => {
                    (script.change)(network);
                    self.state = State::Within(act, now);
                    vec![Told::Happens(script.text)]
                }
                None => self.end(now, network),
            },
            State::Within(act, begin) => match ACTS.get(act) {
                Some(script) if is_so(script.expected, alarms, reporting) => {
                    self.state = State::Before(act + 1, now + LINGER);
                    vec![Told::Noticed(script.noticed)]
                }
                Some(script) if now >= self.deadline(begin) => {
                    self.state = State::Before(act + 1, now);
                    vec![Told::Missed(missed(script, now.saturating_sub(begin)))]
                }
                _ => Vec::new(),
            },
            State::Before(..) | State::Over => Vec::new(),
        }
    }

    fn end(&mut self, now: Duration, network: &mut Network) -> Vec<Told> {
        network.key_managers.iter_mut().for_each(crate::simulate::key_manager::KeyManager::calm);
        if self.length.is_none() {
            self.state = State::Before(1, now + PAUSE);
            vec![Told::Pause("That was the story; it begins again in a moment. Ctrl-C ends the demo.")]
        } else {
            self.state = State::Over;
            vec![Told::Pause("That was the story.")]
        }
    }
}

fn missed(script: &Act, waited: Duration) -> String {
    let seconds = waited.as_secs();
    match script.expected {
        Expected::Reporting => format!("not every component had a report acknowledged within {seconds} s"),
        Expected::Raised(alarm, at) => format!("no alarm {alarm} at {} within {seconds} s", at.join(" and ")),
        Expected::Cleared(alarm, at) => format!("{alarm} at {} was not cleared within {seconds} s", at.join(" and ")),
    }
}

fn is_so(expected: Expected, alarms: &[Alarm], reporting: bool) -> bool {
    let raised = |alarm_type: &str, component: &str| {
        alarms
            .iter()
            .any(|alarm| alarm.key.alarm_type_id == alarm_type && alarm.key.component == component && !alarm.is_cleared)
    };
    match expected {
        Expected::Reporting => reporting,
        Expected::Raised(alarm, at) => at.iter().all(|component| raised(alarm, component)),
        Expected::Cleared(alarm, at) => at.iter().all(|component| !raised(alarm, component)),
    }
}
