//! The script: acts that do something to the network, and what the manager should notice of each. Time and alarms come
//! as arguments, what is to be done to the network goes out as lines of its prompt; nothing here waits or prints.

use std::time::Duration;

use crate::model::Alarm;

/// Calm after an act before the next begins.
const LINGER: Duration = Duration::from_millis(1_500);
/// Longest wait for the manager to notice, where the demo has no length.
const PATIENCE: Duration = Duration::from_secs(60);
/// What is not noticed by so much after the end of the demo is missed.
const GRACE: Duration = Duration::from_secs(15);
/// Calm between two rounds, where the demo has no length.
const PAUSE: Duration = Duration::from_secs(15);

/// An alarm: its type, and where.
type Seen = (&'static str, &'static str);

/// What should come of an act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// Every component had a report acknowledged, and modules reported long enough for policies to know what is usual.
    Reporting,
    /// All of these alarms.
    Raised(&'static [Seen]),
    /// None of these any more.
    Cleared(&'static [Seen]),
}

struct Act {
    /// What is told when it begins.
    text: &'static str,
    /// What is said at the network's prompt.
    line: &'static str,
    expected: Expected,
    /// What is told when it came so.
    noticed: &'static str,
}

const CUT: &[Seen] =
    &[("quantum-channel-loss-high", "mops/antwerp-ghent-fibre"), ("link-down", "mops/antwerp-ghent-fibre")];
const TAPPED: &[Seen] =
    &[("possible-interception", "mq/evere-qkd-brussels"), ("possible-interception", "mq/brussels-qkd-evere")];
const DRAINED: &[Seen] = &[("key-store-exhaustion-forecast", "mk/arlon-km")];
const FAILED: &[Seen] = &[
    ("component-silent", "mk/mons-km"),
    ("kma-link-down", "mk/vilvoorde-km"),
    ("kma-link-down", "mk/charleroi-km"),
    ("service-degraded", "mu/mons-users"),
];

const ACTS: [Act; 9] = [
    Act {
        text: "Twenty nodes begin to report: modules, fibres, switches, a relay point, key managers, controllers, users, a peer.",
        line: "",
        expected: Expected::Reporting,
        noticed: "All are connected over TLS, each with a certificate of its own, and their reports are acknowledged.",
    },
    Act {
        text: "An excavator cuts the fibre between Antwerp and Ghent.",
        line: "cut fibre antwerp-ghent",
        expected: Expected::Raised(CUT),
        noticed: "The fibre's monitor lost the light, and both modules their key. Keys go by Kortrijk now: users notice nothing.",
    },
    Act {
        text: "The fibre is spliced.",
        line: "end all",
        expected: Expected::Cleared(CUT),
        noticed: "The alarms are cleared. They stay on record, with their history.",
    },
    Act {
        text: "Somebody measures a fifth of the light between Evere and Brussels, and sends it again.",
        line: "eavesdrop on evere-brussels share=0.2",
        expected: Expected::Raised(TAPPED),
        noticed: "Errors rose while counts stayed as they were. A worse fibre loses light; this looks like somebody who listens.",
    },
    Act {
        text: "The eavesdropper leaves.",
        line: "end all",
        expected: Expected::Cleared(TAPPED),
        noticed: "The error rate is as usual again.",
    },
    Act {
        text: "Applications at Arlon take keys faster than its two long links make them.",
        line: "drain store arlon-km bps=400000",
        expected: Expected::Raised(DRAINED),
        noticed: "The manager saw the end of the store coming, while there still are keys in it.",
    },
    Act {
        text: "The applications are content.",
        line: "end all",
        expected: Expected::Cleared(DRAINED),
        noticed: "The forecast is taken back.",
    },
    Act {
        text: "The key manager at Mons fails: its connection is gone.",
        line: "crash mons-km",
        expected: Expected::Raised(FAILED),
        noticed: "It is silent; its neighbours lost their links to it; users at Mons have no service, all others go round it.",
    },
    Act {
        text: "The key manager at Mons is back.",
        line: "end all",
        expected: Expected::Cleared(FAILED),
        noticed: "It reports again, links and service are back.",
    },
];

/// Something to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// What happens to the network, and the line of its prompt that does it.
    Happens(&'static str, &'static str),
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
    pub const fn new(length: Option<Duration>) -> Self {
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

    /// Goes on: what there is to tell now. `reporting`: all components report, and have for a while.
    pub fn advance(&mut self, now: Duration, alarms: &[Alarm], reporting: bool) -> Vec<Told> {
        match self.state {
            State::Before(act, begin) if now >= begin => match ACTS.get(act) {
                Some(script) => {
                    self.state = State::Within(act, now);
                    vec![Told::Happens(script.text, script.line)]
                }
                None => self.end(now),
            },
            State::Within(act, begin) => match ACTS.get(act) {
                Some(script) if is_so(script.expected, alarms, reporting) => {
                    self.state = State::Before(act + 1, now + LINGER);
                    vec![Told::Noticed(script.noticed)]
                }
                Some(script) if now >= self.deadline(begin) => {
                    self.state = State::Before(act + 1, now);
                    vec![Told::Missed(missed(script, now.saturating_sub(begin), alarms))]
                }
                _ => Vec::new(),
            },
            State::Before(..) | State::Over => Vec::new(),
        }
    }

    fn end(&mut self, now: Duration) -> Vec<Told> {
        if self.length.is_none() {
            self.state = State::Before(1, now + PAUSE);
            vec![Told::Pause("That was the story; it begins again in a moment. Ctrl-C ends the demo.")]
        } else {
            self.state = State::Over;
            vec![Told::Pause("That was the story.")]
        }
    }
}

fn is_raised(alarms: &[Alarm], (alarm_type, component): Seen) -> bool {
    alarms
        .iter()
        .any(|alarm| alarm.key.alarm_type_id == alarm_type && alarm.key.component == component && !alarm.is_cleared)
}

fn missed(script: &Act, waited: Duration, alarms: &[Alarm]) -> String {
    let seconds = waited.as_secs();
    let list = |seen: &[Seen], raised: bool| {
        let those = seen.iter().filter(|seen| is_raised(alarms, **seen) == raised);
        those.map(|(alarm_type, component)| format!("{alarm_type} at {component}")).collect::<Vec<_>>().join(", ")
    };
    match script.expected {
        Expected::Reporting => format!("not every component had its reports acknowledged within {seconds} s"),
        Expected::Raised(seen) => format!("no alarm {} within {seconds} s", list(seen, false)),
        Expected::Cleared(seen) => format!("{} not cleared within {seconds} s", list(seen, true)),
    }
}

fn is_so(expected: Expected, alarms: &[Alarm], reporting: bool) -> bool {
    match expected {
        Expected::Reporting => reporting,
        Expected::Raised(seen) => seen.iter().all(|seen| is_raised(alarms, *seen)),
        Expected::Cleared(seen) => !seen.iter().any(|seen| is_raised(alarms, *seen)),
    }
}
