//! What a bad handler does.

use serde::Deserialize;

use super::bindings::{
    exports::qkdn::manager::handler::{Handled, Refusal, Sample},
    qkdn::manager::host::log,
};

/// One way to be a bad plugin; nothing by default.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Misbehaviour {
    /// Behaves.
    #[default]
    Nothing,
    /// Panics in `handle`.
    Panic,
    /// Never returns from `handle`.
    Loop,
    /// Takes memory until there is none.
    EatMemory,
    /// Answers with megabytes of text.
    BigAnswer,
    /// Answers with more refusals than there were reports.
    ManyRefusals,
    /// Answers about a report that is not there.
    PositionOutOfRange,
    /// Answers with an alarm of no known severity.
    UnknownSeverity,
    /// Answers with an alarm without a type.
    NoAlarmType,
    /// Answers with a sample whose name nobody knows.
    UnknownName,
    /// Answers with a NaN.
    NotANumber,
    /// Recurses without end.
    Recurse,
    /// Writes a thousand log lines.
    Chatter,
    /// Panics in `bind`.
    PanicInBind,
    /// Never returns from `configure`.
    LoopInConfigure,
    /// Computes for some milliseconds, as an honest handler with much to do may.
    Slow,
}

impl Misbehaviour {
    pub(crate) fn in_configure(self) {
        if matches!(self, Self::LoopInConfigure) {
            spin();
        }
    }

    #[allow(clippy::panic, reason = "what the test wants")]
    pub(crate) fn in_bind(self) {
        if matches!(self, Self::PanicInBind) {
            panic!("no symbols, please");
        }
    }

    #[allow(clippy::panic, reason = "what the test wants")]
    pub(crate) fn in_handle(self, handled: &mut Handled) {
        match self {
            Self::Nothing | Self::PanicInBind | Self::LoopInConfigure => {}
            Self::Slow => work(),
            Self::Panic => panic!("the beast was in the batch"),
            Self::Loop => spin(),
            Self::EatMemory => eat(),
            Self::BigAnswer => handled.refusals = vec![refusal(0, &"a".repeat(4 << 20))],
            Self::ManyRefusals => handled.refusals = (0..100).map(|_| refusal(0, "no")).collect(),
            Self::PositionOutOfRange => handled.refusals = vec![refusal(64, "no")],
            Self::UnknownSeverity => {
                handled.alarms = vec![super::ComponentAlarm { severity: "awful".to_owned(), ..super::alarm(0, 1.0) }]
            }
            Self::NoAlarmType => {
                handled.alarms = vec![super::ComponentAlarm { alarm_type: String::new(), ..super::alarm(0, 1.0) }]
            }
            Self::UnknownName => handled.samples = vec![sample(4_000_000_000, 0.0)],
            Self::NotANumber => handled.samples = vec![sample(1, f64::NAN)],
            Self::Recurse => log("info", &deep(1).to_string()),
            Self::Chatter => (0..1_000).for_each(|line| log("info", &format!("Line {line}."))),
        }
    }
}

fn refusal(report: u32, reason: &str) -> Refusal {
    Refusal { report, reason: reason.to_owned() }
}

fn sample(name: u32, value: f64) -> Sample {
    Sample { report: 0, name, resource: String::new(), value, kind: 0 }
}

fn spin() {
    let mut n: u64 = 0;
    while std::hint::black_box(n) != u64::MAX {
        n = n.wrapping_add(2);
    }
}

/// Some milliseconds of honest work.
fn work() {
    let mut sum: u64 = 0;
    for n in 0..4_000_000_u64 {
        sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(n));
    }
    std::hint::black_box(sum);
}

fn eat() {
    let mut eaten: Vec<Vec<u8>> = Vec::new();
    loop {
        eaten.push(std::hint::black_box(vec![1; 1 << 20]));
    }
}

fn deep(n: u64) -> u64 {
    let room = std::hint::black_box([n; 64]);
    if room[0] == u64::MAX { 0 } else { deep(n + 1) + std::hint::black_box(room)[63] }
}
