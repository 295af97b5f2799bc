//! Other monitoring systems, as installed from their packages, measured beside the manager: the same change, the same cut.

pub mod icinga2;

use std::{fmt::Write as _, time::Duration};

use serde::Serialize;

/// A system to measure beside the manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Icinga 2: a satellite that takes results, and its master. Debian's package `icinga2-bin`.
    Icinga2,
}

impl Peer {
    /// Names as they are written on the command line.
    pub const NAMES: [&'static str; 1] = ["icinga2"];

    /// The system of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        (name == "icinga2").then_some(Self::Icinga2)
    }
}

/// What came of another system's federation. Times in milliseconds.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Federation {
    /// What, with its version.
    pub name: String,
    /// From a result given to one node until the other's API had it, asked each millisecond: median and 99th percentile.
    pub seen_ms: (f64, f64),
    /// From the end of the cut until the other node had what had changed meanwhile.
    pub agreed_ms: f64,
    /// Results made in the second before the end of the cut and in the time after it.
    pub around: usize,
    /// Of these, how many the other node never told of.
    pub lost: usize,
}

impl Federation {
    /// As a line of text.
    #[must_use]
    pub fn line(&self, cut: Duration) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "{}, two nodes: seen by the other after {:.2} ms (p99 {:.2}); after the same cut of {} s it had the change {:.0} ms \
             after its end; of {} results around the end of the cut {} never came.",
            self.name,
            self.seen_ms.0,
            self.seen_ms.1,
            cut.as_secs(),
            self.agreed_ms,
            self.around,
            self.lost
        );
        text
    }
}
