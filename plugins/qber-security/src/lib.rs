//! Policy `qber-security`: signs of interception, tampering and failed authentication.
//!
//! In: QBER, counts and flags per component and resource, and `event` objects. Out: `possible-interception` or
//! `quantum-channel-loss-high` by what rises and what does not (`channel`), `qber-threshold-exceeded`, `tamper-detected`,
//! `authentication-failed` and `security-event` (`intrusion`), each with the figures that led to it as evidence.

mod channel;
mod config;
mod intrusion;

use qkdn_plugin::policy::{Alarm, Needs, Object, Sample, Subject, Symbols};
use qkdn_plugin::{Description, Policy, Problem, Symbol};
use serde::Deserialize;

use channel::{Channel, Finding};
pub use config::Config;
use config::Settings;
use intrusion::Intrusion;

/// The policy.
pub struct QberSecurity {
    settings: Settings,
    symbols: Vec<Symbol>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Event {
    name: String,
    reason: String,
    security: bool,
}

/// Value names, in the order of `symbols`. Of the counts the first that a report has is used.
const NAMES: [&str; 5] =
    ["qber_ratio", "detection_rate_cps", "sifted_key_rate_bps", "tamper_detected", "enclosure_open"];
/// Flags and their bits, severities and texts.
const FLAGS: [(usize, u8, &str, &str); 2] =
    [(3, 1, "critical", "the device reports tampering"), (4, 2, "major", "an enclosure is open")];

impl Policy for QberSecurity {
    type Config = Config;

    fn describe() -> Description {
        Description::new(
            "qber-security",
            env!("CARGO_PKG_VERSION"),
            "Tells possible interception from loss, and watches tampering and failed authentication.",
            include_str!("../schema.json"),
        )
    }

    fn configure(config: Config) -> Result<Self, Vec<Problem>> {
        Ok(Self { settings: config.check()?, symbols: Vec::new() })
    }

    fn needs(&self) -> Needs {
        Needs {
            names: NAMES.iter().map(|&name| name.into()).collect(),
            state_width: (Channel::WIDTH + Intrusion::WIDTH) as u32,
            objects: vec!["event".to_owned()],
            ..Needs::default()
        }
    }

    fn bind(&mut self, symbols: &Symbols) {
        self.symbols = symbols.names.iter().copied().map(Symbol).collect();
    }

    fn observe(&self, subject: &mut Subject<'_>, samples: &[Sample]) {
        let mut channel = Channel::read(subject.state());
        let (now, before) = (subject.now() as f64, channel);
        // A QBER is judged once the counts that stand behind it in its report are known.
        let mut waiting = None;
        let mut detections = false;
        for sample in samples {
            match self.symbols.iter().position(|&symbol| symbol == sample.name) {
                Some(0) => {
                    self.qber(subject, &mut channel, waiting.replace(sample.value), now);
                    detections = false;
                }
                Some(1) => {
                    channel.counted(sample.value, now);
                    detections = true;
                }
                Some(2) if !detections => channel.counted(sample.value, now),
                Some(flag) => self.flag(subject, flag, sample.value != 0.0),
                None => {}
            }
        }
        self.qber(subject, &mut channel, waiting, now);
        if channel != before {
            channel.write(subject.state_mut());
        }
    }

    fn object(&self, subject: &mut Subject<'_>, object: &Object) {
        let Ok(event) = serde_json::from_str::<Event>(&object.text) else { return };
        if self.settings.authentication_events.contains(&event.name) {
            self.authentication_failed(subject, &event);
        } else if event.security {
            self.security_event(subject, &event);
        }
    }

    fn due(&self, subject: &mut Subject<'_>) {
        let mut seen = intrusion(subject);
        let quiet_since = subject.now() as f64 - self.settings.quiet_time;
        if seen.level > 0.0 && seen.last_failure <= quiet_since {
            (seen.level, seen.failures) = (0.0, 0.0);
            subject.clear(AUTHENTICATION, "", "no further failure for a while");
        }
        if seen.last_event > 0.0 && seen.last_event <= quiet_since {
            seen.last_event = 0.0;
            subject.clear(EVENT, "", "no further security event for a while");
        }
        self.keep(subject, seen);
    }
}

fn intrusion(subject: &Subject<'_>) -> Intrusion {
    Intrusion::read(subject.state().get(Channel::WIDTH..).unwrap_or_default())
}

impl QberSecurity {
    fn keep(&self, subject: &mut Subject<'_>, seen: Intrusion) {
        if let Some(place) = subject.state_mut().get_mut(Channel::WIDTH..) {
            seen.write(place);
        }
        match seen.next_quiet(&self.settings) {
            Some(at) => subject.call_at(at as u64),
            None => subject.cancel_call(),
        }
    }

    fn qber(&self, subject: &mut Subject<'_>, channel: &mut Channel, qber: Option<f64>, now: f64) {
        let Some(qber) = qber else { return };
        self.abort_level(subject, channel, qber);
        let before = Finding::of(channel.raised);
        let Some(finding) = channel.take(qber, now, &self.settings) else { return };
        let (was, is) = (alarm_of(before), alarm_of(finding));
        if let Some((alarm_type, qualifier)) = was.filter(|_| was.map(|(of, _)| of) != is.map(|(of, _)| of)) {
            subject.clear(alarm_type, qualifier, format!("QBER is {}", percent(qber)));
        }
        if let Some((alarm_type, qualifier)) = is {
            let mut alarm = self.evidence(alarm_for(alarm_type, finding, qber, channel), channel, qber, now);
            qualifier.clone_into(&mut alarm.qualifier);
            subject.raise(alarm);
        }
    }

    /// Above the level at which no key can be made nothing needs to be compared.
    fn abort_level(&self, subject: &mut Subject<'_>, channel: &mut Channel, qber: f64) {
        let above = f64::from(u8::from(qber > self.settings.abort_above));
        if above == channel.aborted {
            return;
        }
        channel.aborted = above;
        if above == 0.0 {
            return subject.clear(ABORT, ABORT_QUALIFIER, format!("QBER is {}", percent(qber)));
        }
        let limit = self.settings.abort_above;
        let text = format!("QBER is {}; above {} no secret key can be made", percent(qber), percent(limit));
        let alarm = Alarm::new(ABORT, "critical", text).crossing(qber, limit);
        let mut alarm = self.evidence(alarm, channel, qber, subject.now() as f64);
        alarm.event_type = "security-service-or-mechanism-violation".to_owned();
        ABORT_QUALIFIER.clone_into(&mut alarm.qualifier);
        subject.raise(alarm);
    }

    fn evidence(&self, alarm: Alarm, channel: &Channel, qber: f64, now: f64) -> Alarm {
        let usual = |number: f64, text: String| if number > 0.0 { text } else { "not known yet".to_owned() };
        let count =
            channel.count_now(now, &self.settings).map_or("none reported".to_owned(), |count| count.to_string());
        alarm
            .with_evidence("QBER", percent(qber))
            .with_evidence("usual QBER", usual(channel.qbers, percent(channel.usual_qber)))
            .with_evidence("rising above", usual(channel.qbers, percent(channel.limit(&self.settings))))
            .with_evidence("count", count)
            .with_evidence("usual count", usual(channel.counts, format!("{:.1}", channel.usual_count)))
            .with_evidence("counts steady within", percent(self.settings.steady_within))
            .with_evidence("reports in a row", channel.in_a_row.to_string())
            .with_evidence("learnt from reports", channel.qbers.to_string())
    }

    fn flag(&self, subject: &mut Subject<'_>, name: usize, is_set: bool) {
        let Some(&(place, bit, severity, text)) = FLAGS.iter().find(|(place, ..)| *place == name) else { return };
        let mut seen = intrusion(subject);
        let was = seen.flags as u8;
        if (was & bit != 0) == is_set {
            return;
        }
        seen.flags = f64::from(was ^ bit);
        self.keep(subject, seen);
        let value = NAMES.get(place).copied().unwrap_or_default();
        if is_set {
            let mut alarm = Alarm::new(TAMPER, severity, text).with_evidence(value, "true").with_repair(&[
                "Have the site looked at before the keys made there are used.",
                "Lock the component until it was.",
            ]);
            value.clone_into(&mut alarm.qualifier);
            subject.raise(alarm);
        } else {
            subject.clear(TAMPER, value, format!("{value} is false again"));
        }
    }

    fn authentication_failed(&self, subject: &mut Subject<'_>, event: &Event) {
        let mut seen = intrusion(subject);
        if seen.failed(subject.now() as f64, &self.settings) {
            let severity = if seen.level > 1.0 { "major" } else { "warning" };
            let seconds = self.settings.window / 1_000.0;
            let text = format!("{} failed authentications within {seconds} s", seen.failures);
            subject.raise(
                Alarm::new(AUTHENTICATION, severity, text)
                    .with_evidence("last event", event.name.as_str())
                    .with_evidence("reason", event.reason.as_str())
                    .with_evidence("failures", seen.failures.to_string())
                    .with_repair(&["Find out who tries.", "Renew the credentials if they may be known."]),
            );
        }
        self.keep(subject, seen);
    }

    fn security_event(&self, subject: &mut Subject<'_>, event: &Event) {
        let mut seen = intrusion(subject);
        let is_new = seen.last_event == 0.0;
        seen.last_event = subject.now() as f64;
        if is_new {
            let reason = if event.reason.is_empty() { String::new() } else { format!(": {}", event.reason) };
            let mut alarm = Alarm::new(EVENT, "warning", format!("security event {}{reason}", event.name))
                .with_evidence("event", event.name.as_str())
                .with_evidence("reason", event.reason.as_str());
            alarm.event_type = "security-service-or-mechanism-violation".to_owned();
            alarm.probable_cause = "unexpected-information".to_owned();
            subject.raise(alarm);
        }
        self.keep(subject, seen);
    }
}

/// Alarm type and qualifier of a finding.
const fn alarm_of(finding: Finding) -> Option<(&'static str, &'static str)> {
    match finding {
        Finding::Usual => None,
        Finding::Disturbance | Finding::Light => Some(("possible-interception", "")),
        Finding::Loss => Some(("quantum-channel-loss-high", "")),
        Finding::Unexplained => Some((ABORT, "")),
    }
}

fn alarm_for(alarm_type: &str, finding: Finding, qber: f64, channel: &Channel) -> Alarm {
    let rose = format!("QBER rose from {} to {}", percent(channel.usual_qber), percent(qber));
    let counts = format!("counts {:.0}, usually {:.0}", channel.count, channel.usual_count);
    let (severity, why, repair): (_, _, &[&str]) = match finding {
        Finding::Disturbance => (
            "critical",
            format!("{rose} while as many photons arrive as ever ({counts}): disturbance or possible interception"),
            &["Do not use keys made since then until it is explained.", "Have the fibre and its sites inspected."],
        ),
        Finding::Light => (
            "critical",
            format!("{rose} and more is detected than usual ({counts}): light is coming in, or is being sent in"),
            &["Do not use keys made since then until it is explained.", "Look for stray light and open connectors."],
        ),
        Finding::Loss => (
            "major",
            format!("{rose} while fewer photons arrive ({counts}): loss on the quantum channel"),
            &["Check connectors, bends and the optical path."],
        ),
        Finding::Unexplained | Finding::Usual => (
            "major",
            format!("{rose}; no counts are reported that could tell interception from loss"),
            &["Have the module report detection_rate_cps.", "Treat it as possible interception until explained."],
        ),
    };
    Alarm::new(alarm_type, severity, why).crossing(qber, channel.usual_qber).with_repair(repair)
}

fn percent(ratio: f64) -> String {
    format!("{:.2} %", ratio * 100.0)
}

const ABORT: &str = "qber-threshold-exceeded";
const ABORT_QUALIFIER: &str = "no-key";
const TAMPER: &str = "tamper-detected";
const AUTHENTICATION: &str = "authentication-failed";
const EVENT: &str = "security-event";

qkdn_plugin::register_policy!(QberSecurity);

#[cfg(test)]
mod tests;
