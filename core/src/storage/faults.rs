//! Fault points: named places in storage at which a test can kill the process, break the thread or have an operation
//! fail.
//!
//! They exist only with the cargo feature `fault-points`; without it every call is an empty function. A specification
//! lists points, each with an action and the hits (counted from 1) at which it happens:
//! `after_write_before_sync=kill@17;write=enospc@5..9;sync=eio@3`. The range includes both ends; without `@` every
//! hit counts. The environment variable is `QKDNM_FAULTS`.
//!
//! Points, in the order of a commit: `before_submit` (on the shard's thread), `before_write`, `write`, `after_partial_write`, `after_write_before_sync`, `sync`,
//! `after_sync_before_tell`; of the rest: `segment_create`, `segment_roll`, `during_state_flush`, `state_flush`,
//! `checkpoint`, `retention_delete`, `recovery_before_reset`.

use std::io;

/// The points that there are; a specification that names another is refused.
pub const POINTS: [&str; 14] = [
    "before_submit",
    "before_write",
    "write",
    "after_partial_write",
    "after_write_before_sync",
    "sync",
    "after_sync_before_tell",
    "segment_create",
    "segment_roll",
    "during_state_flush",
    "state_flush",
    "checkpoint",
    "retention_delete",
    "recovery_before_reset",
];

/// The faults of one process or test. Cloning shares the counts.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    #[cfg(feature = "fault-points")]
    armed: std::sync::Arc<armed::Armed>,
}

#[cfg(not(feature = "fault-points"))]
impl Faults {
    /// No faults: this build has none.
    pub fn from_env() -> Result<Self, String> {
        if std::env::var_os("QKDNM_FAULTS").is_some() {
            return Err("QKDNM_FAULTS is set, but this build has no fault points (feature `fault-points`)".to_owned());
        }
        Ok(Self::default())
    }

    /// Never fails.
    #[inline]
    #[expect(clippy::unused_self, reason = "the same signature as with the feature")]
    pub(crate) const fn hit(&self, _point: &'static str) -> io::Result<()> {
        Ok(())
    }

    /// Never.
    #[inline]
    #[expect(clippy::unused_self, reason = "the same signature as with the feature")]
    pub(crate) const fn is_armed(&self, _point: &'static str) -> bool {
        false
    }
}

#[cfg(feature = "fault-points")]
impl Faults {
    /// Reads `QKDNM_FAULTS`; none if it is not set.
    pub fn from_env() -> Result<Self, String> {
        std::env::var("QKDNM_FAULTS").map_or_else(|_| Ok(Self::default()), |text| Self::parse(&text))
    }

    /// Reads a specification.
    pub fn parse(text: &str) -> Result<Self, String> {
        let faults = Self::default();
        faults.set(text)?;
        Ok(faults)
    }

    /// Replaces the faults by those of a specification, counting anew.
    pub fn set(&self, text: &str) -> Result<(), String> {
        self.armed.set(text)
    }

    /// How often a point was passed since the last [`Self::set`] that named it.
    #[must_use]
    pub fn hits(&self, point: &str) -> u64 {
        self.armed.hits(point)
    }

    /// Passes a point: returns, fails, or kills the process.
    pub(crate) fn hit(&self, point: &'static str) -> io::Result<()> {
        self.armed.hit(point)
    }

    /// Whether anything is set for a point.
    pub(crate) fn is_armed(&self, point: &'static str) -> bool {
        self.armed.is_armed(point)
    }
}

#[cfg(feature = "fault-points")]
mod armed {
    use std::{
        io,
        sync::{Mutex, MutexGuard, PoisonError},
    };

    #[derive(Clone, Copy, Debug)]
    enum Action {
        Kill,
        Panic,
        Fail(rustix::io::Errno),
    }

    #[derive(Debug)]
    struct Rule {
        point: String,
        action: Action,
        first: u64,
        last: u64,
        hits: u64,
    }

    #[derive(Debug, Default)]
    pub(super) struct Armed(Mutex<Vec<Rule>>);

    impl Armed {
        fn rules(&self) -> MutexGuard<'_, Vec<Rule>> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }

        pub(super) fn set(&self, text: &str) -> Result<(), String> {
            let parts = text.split(';').map(str::trim).filter(|part| !part.is_empty());
            let rules = parts.map(parse_rule).collect::<Result<Vec<_>, _>>()?;
            *self.rules() = rules;
            Ok(())
        }

        pub(super) fn hits(&self, point: &str) -> u64 {
            self.rules().iter().filter(|rule| rule.point == point).map(|rule| rule.hits).max().unwrap_or(0)
        }

        pub(super) fn is_armed(&self, point: &str) -> bool {
            self.rules().iter().any(|rule| rule.point == point)
        }

        pub(super) fn hit(&self, point: &str) -> io::Result<()> {
            let mut action = None;
            for rule in self.rules().iter_mut().filter(|rule| rule.point == point) {
                rule.hits += 1;
                if (rule.first..=rule.last).contains(&rule.hits) {
                    action = Some(rule.action);
                }
            }
            match action {
                None => Ok(()),
                Some(Action::Fail(errno)) => Err(errno.into()),
                #[expect(clippy::panic, reason = "this is what the fault is for")]
                Some(Action::Panic) => panic!("fault at {point}"),
                Some(Action::Kill) => {
                    let me = rustix::process::getpid();
                    rustix::process::kill_process(me, rustix::process::Signal::KILL)?;
                    // The signal is on its way; nothing may happen after it.
                    std::process::abort()
                }
            }
        }
    }

    fn parse_rule(text: &str) -> Result<Rule, String> {
        let wrong = |why: &str| format!("fault `{text}`: {why}");
        let (point, rest) = text.split_once('=').ok_or_else(|| wrong("expected POINT=ACTION[@HIT[..HIT]]"))?;
        if !super::POINTS.contains(&point) {
            return Err(wrong(&format!("no such point; there are {}", super::POINTS.join(", "))));
        }
        let (action, hits) = rest.split_once('@').map_or((rest, None), |(action, hits)| (action, Some(hits)));
        let action = match action {
            "kill" => Action::Kill,
            "panic" => Action::Panic,
            "enospc" => Action::Fail(rustix::io::Errno::NOSPC),
            "eio" => Action::Fail(rustix::io::Errno::IO),
            _ => return Err(wrong("the action is none of kill, panic, enospc, eio")),
        };
        let number = |text: &str| text.parse::<u64>().map_err(|_| wrong("a hit is a number from 1 on"));
        let (first, last) = match hits.map(|hits| (hits, hits.split_once(".."))) {
            None => (1, u64::MAX),
            Some((hits, None)) => (number(hits)?, number(hits)?),
            Some((_, Some((first, last)))) => (number(first)?, number(last)?),
        };
        Ok(Rule { point: point.to_owned(), action, first, last, hits: 0 })
    }
}

#[cfg(all(test, feature = "fault-points"))]
mod tests {
    use super::*;

    #[test]
    fn hits_are_counted_and_fail_in_their_range() {
        let faults = Faults::parse("write=enospc@2..3; sync=eio").unwrap();
        let kinds: Vec<_> = (0..4).map(|_| faults.hit("write").map_err(|e| e.kind()).err()).collect();
        assert_eq!(kinds, [None, Some(io::ErrorKind::StorageFull), Some(io::ErrorKind::StorageFull), None]);
        assert!(faults.hit("sync").is_err());
        assert_eq!(faults.hits("write"), 4);
        assert!(faults.is_armed("sync") && !faults.is_armed("checkpoint"));
        assert!(faults.hit("checkpoint").is_ok());
    }

    #[test]
    fn a_wrong_specification_is_refused() {
        for text in ["write", "nowhere=kill", "write=explode", "write=kill@x", "write=kill@1..x"] {
            assert!(Faults::parse(text).is_err(), "{text}");
        }
    }
}
