//! What can go wrong in a simulated network, in words: `cut fibre brussels-evere for 30s`.
//!
//! [`Written`] is a fault as people write it, [`Fault`] the same once its target was found in a [`Plan`].

use std::{fmt, time::Duration};

use super::plan::{Kind, Plan};
use crate::config::quantity;

/// What goes wrong, with its figures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FaultKind {
    /// No light comes through a link.
    FibreCut,
    /// A link loses more and more light.
    RisingLoss {
        /// Loss on top of the healthy one when it has risen.
        loss_db: f64,
        /// How long it takes to rise.
        rise: Duration,
    },
    /// Somebody measures and sends again.
    Eavesdropper {
        /// Share of the pulses.
        share: f64,
    },
    /// The detectors of a module see less.
    DetectorDrift {
        /// What is left of their efficiency.
        efficiency: f64,
    },
    /// The detectors of a module are at another temperature.
    Temperature {
        /// Which.
        celsius: f64,
    },
    /// Applications at a key manager take more keys.
    Drain {
        /// How many on top, bits a second.
        bps: f64,
    },
    /// A component works no more, and says so.
    Failure,
    /// A switch holds the path to the first link of its node; the others get no light.
    Stuck,
    /// A component works and says nothing.
    Silence,
    /// A component fails and recovers again and again.
    Flapping {
        /// Half a turn.
        period: Duration,
    },
    /// A component's clock is wrong.
    ClockOffset {
        /// Seconds ahead; negative: behind.
        seconds: f64,
    },
    /// A component starts anew: its connection, counters and numbering.
    Restart,
    /// A component is gone: it neither works nor is connected.
    Crash,
}

/// What a fault can be at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Link,
    Module,
    Switch,
    KeyManager,
    Any,
}

/// Words for each, the first the one that is shown; what it is at; figures that it takes.
const WORDS: [(&[&str], At, &[&str]); 13] = [
    (&["fibre-cut", "cut"], At::Link, &[]),
    (&["rising-loss", "loss", "bend"], At::Link, &["loss_db", "rise"]),
    (&["eavesdropper", "eavesdrop", "tap"], At::Link, &["share"]),
    (&["detector-drift", "drift"], At::Module, &["efficiency"]),
    (&["temperature", "heat"], At::Module, &["celsius"]),
    (&["drain"], At::KeyManager, &["bps"]),
    (&["failure", "fail"], At::Any, &[]),
    (&["stuck"], At::Switch, &[]),
    (&["silence"], At::Any, &[]),
    (&["flapping", "flap"], At::Any, &["period"]),
    (&["clock-offset", "clock"], At::Any, &["seconds"]),
    (&["restart"], At::Any, &[]),
    (&["crash", "kill"], At::Any, &[]),
];

/// Words between the fault and its target that say nothing more.
const FILLERS: [&str; 9] = ["fibre", "link", "module", "switch", "store", "at", "on", "the", "component"];

/// The shown words of all faults.
#[must_use]
pub fn words() -> Vec<&'static str> {
    WORDS.iter().filter_map(|(words, ..)| words.first().copied()).collect()
}

/// Figures that any fault takes.
pub const FIGURES: [&str; 8] = ["loss_db", "rise", "share", "efficiency", "celsius", "bps", "period", "seconds"];

/// A line for each fault: its words, what it is at, its figures.
#[must_use]
pub fn manual() -> Vec<String> {
    WORDS
        .iter()
        .map(|(words, at, figures)| {
            let at = match at {
                At::Link => "LINK",
                At::Module => "MODULE",
                At::Switch => "SWITCH",
                At::KeyManager => "KEY-MANAGER",
                At::Any => "COMPONENT",
            };
            let figures: String = figures.iter().map(|figure| format!(" [{figure}=...]")).collect();
            format!("{} {at}{figures} [for TIME]", words.join("|"))
        })
        .collect()
}

/// A figure as written: a number or a duration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Figure {
    /// A number.
    Number(f64),
    /// A time.
    Time(Duration),
}

/// A fault as written.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// What.
    pub kind: FaultKind,
    /// Where: a component, or a link as `a-b`.
    pub target: String,
    /// How long; without it, until it is ended.
    pub lasts: Option<Duration>,
}

/// A fault at a part of a plan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// Where.
    pub target: Target,
    /// How long; without it, until it is ended.
    pub lasts: Option<Duration>,
}

/// Where a fault is: position in the plan's lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A link.
    Link(usize),
    /// A component.
    Component(usize),
}

impl FaultKind {
    /// A fault by one of its words, with figures that differ from the usual ones. The error is for people.
    pub fn new(word: &str, figures: &[(String, Figure)]) -> Result<Self, String> {
        let (words, _, known) = WORDS
            .iter()
            .find(|(words, ..)| words.contains(&word))
            .ok_or_else(|| format!("`{word}` is no fault; expected one of {}", self::words().join(", ")))?;
        if let Some((unknown, _)) = figures.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(format!("`{word}` takes no figure `{unknown}`; it takes {known}"));
        }
        let number =
            |name: &str, usual: f64, least: f64, most: f64| match figures.iter().find(|(known, _)| known == name) {
                None => Ok(usual),
                Some((_, Figure::Number(value))) if (least..=most).contains(value) => Ok(*value),
                Some(_) => Err(format!("`{name}` has to be a number from {least} to {most}")),
            };
        let time = |name: &str, usual: u64| match figures.iter().find(|(known, _)| known == name) {
            None => Ok(Duration::from_secs(usual)),
            Some((_, Figure::Time(time))) if !time.is_zero() => Ok(*time),
            Some(_) => Err(format!("`{name}` has to be a time such as 10s")),
        };
        Ok(match words.first().copied().unwrap_or_default() {
            "fibre-cut" => Self::FibreCut,
            "rising-loss" => Self::RisingLoss { loss_db: number("loss_db", 6.0, 0.0, 60.0)?, rise: time("rise", 30)? },
            "eavesdropper" => Self::Eavesdropper { share: number("share", 0.25, 0.0, 1.0)? },
            "detector-drift" => Self::DetectorDrift { efficiency: number("efficiency", 0.4, 0.0, 1.0)? },
            "temperature" => Self::Temperature { celsius: number("celsius", 15.0, -200.0, 100.0)? },
            "drain" => Self::Drain { bps: number("bps", 1e6, 0.0, 1e12)? },
            "failure" => Self::Failure,
            "stuck" => Self::Stuck,
            "silence" => Self::Silence,
            "flapping" => Self::Flapping { period: time("period", 5)? },
            "clock-offset" => Self::ClockOffset { seconds: number("seconds", 120.0, -1e6, 1e6)? },
            "restart" => Self::Restart,
            _ => Self::Crash,
        })
    }

    fn place(&self) -> usize {
        match self {
            Self::FibreCut => 0,
            Self::RisingLoss { .. } => 1,
            Self::Eavesdropper { .. } => 2,
            Self::DetectorDrift { .. } => 3,
            Self::Temperature { .. } => 4,
            Self::Drain { .. } => 5,
            Self::Failure => 6,
            Self::Stuck => 7,
            Self::Silence => 8,
            Self::Flapping { .. } => 9,
            Self::ClockOffset { .. } => 10,
            Self::Restart => 11,
            Self::Crash => 12,
        }
    }

    fn at(&self) -> At {
        WORDS.get(self.place()).map_or(At::Any, |(_, at, _)| *at)
    }

    /// Whether it is over as soon as it has begun.
    #[must_use]
    pub const fn is_momentary(&self) -> bool {
        matches!(self, Self::Restart)
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = WORDS.get(self.place()).and_then(|(words, ..)| words.first()).copied().unwrap_or_default();
        f.write_str(word)?;
        match self {
            Self::RisingLoss { loss_db, rise } => {
                write!(f, " loss_db={loss_db} rise={}", quantity::show_duration(*rise))
            }
            Self::Eavesdropper { share } => write!(f, " share={share}"),
            Self::DetectorDrift { efficiency } => write!(f, " efficiency={efficiency}"),
            Self::Temperature { celsius } => write!(f, " celsius={celsius}"),
            Self::Drain { bps } => write!(f, " bps={bps}"),
            Self::Flapping { period } => write!(f, " period={}", quantity::show_duration(*period)),
            Self::ClockOffset { seconds } => write!(f, " seconds={seconds}"),
            _ => Ok(()),
        }
    }
}

impl Written {
    /// Reads `cut fibre a-b for 30s`, `drain a-km bps=2000000`. The error is for people.
    pub fn read(line: &str) -> Result<Self, String> {
        let mut words = line.split_whitespace();
        let word = words.next().ok_or("nothing is written")?;
        let (mut target, mut figures, mut lasts) = (None, Vec::new(), None);
        while let Some(next) = words.next() {
            if next == "for" {
                let time = words.next().ok_or("`for` needs a time, such as `for 30s`")?;
                lasts = Some(quantity::duration(time)?);
            } else if let Some((name, value)) = next.split_once('=') {
                figures.push((name.to_owned(), figure(value)?));
            } else if target.is_none() && FILLERS.contains(&next) {
            } else if target.is_none() {
                target = Some(next.to_owned());
            } else {
                return Err(format!("`{next}` is one word too many"));
            }
        }
        let kind = FaultKind::new(word, &figures)?;
        let target = target.ok_or_else(|| format!("`{word}` needs a link or component; `list` shows them"))?;
        Ok(Self { kind, target, lasts })
    }

    /// Finds the target. The error is for people.
    pub fn resolve(&self, plan: &Plan) -> Result<Fault, String> {
        let target = plan.find(&self.target).ok_or_else(|| {
            let near = plan.resembling(&self.target).map_or(String::new(), |near| format!("; did you mean `{near}`?"));
            format!("there is no link and no component `{}`{near}", self.target)
        })?;
        let kind = match target {
            Target::Component(index) => plan.components.get(index).map(|component| component.kind),
            Target::Link(_) => None,
        };
        let fault = |target| Ok(Fault { kind: self.kind, target, lasts: self.lasts });
        match (self.kind.at(), target, kind) {
            (At::Link, Target::Link(_), _) => fault(target),
            (At::Link, _, Some(Kind::Fibre { link } | Kind::RelayPoint { link } | Kind::Module { link, .. })) => {
                fault(Target::Link(link))
            }
            (At::Module, Target::Link(link), _) => {
                // The detectors are at the far end.
                let module = plan.links.get(link).and_then(|link| link.pairs.first()).map(|pair| pair[1]);
                module.map_or_else(|| Err("this link has no modules".to_owned()), |it| fault(Target::Component(it)))
            }
            (At::Module, _, Some(Kind::Module { .. }))
            | (At::Switch, _, Some(Kind::Switch { .. }))
            | (At::KeyManager, _, Some(Kind::KeyManager { .. })) => fault(target),
            (At::Any, Target::Link(link), _) => {
                let fibre = plan.links.get(link).map(|link| link.fibre);
                fibre.map_or_else(|| Err("this link is not there".to_owned()), |it| fault(Target::Component(it)))
            }
            (At::Any, ..) => fault(target),
            (at, ..) => {
                let wanted = match at {
                    At::Link => "a link",
                    At::Module => "a QKD module",
                    At::Switch => "an optical switch",
                    At::KeyManager | At::Any => "a key manager",
                };
                Err(format!("`{}` is no place for this: it happens to {wanted}", self.target))
            }
        }
    }
}

fn figure(text: &str) -> Result<Figure, String> {
    if let Ok(number) = text.parse::<f64>()
        && number.is_finite()
    {
        return Ok(Figure::Number(number));
    }
    quantity::duration(text).map(Figure::Time).map_err(|error| format!("`{text}` is no number and no time: {error}"))
}
