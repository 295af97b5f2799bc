//! History of values: raw samples, rollups of a minute and of an hour, each kept as long as configured.
//!
//! In: committed batches, from the feed. Out: chunks of compressed samples and rollups in a database of their own
//! (`history.db`), written with the journal position that they reflect, so that after a crash the feed goes on from there: no
//! sample twice, none missing. A series is a component, one of its resources and a value name.
//!
//! | part | what it knows |
//! |---|---|
//! | `codec` | samples and rollups as bytes |
//! | `rollup` | what a minute or an hour amounts to |
//! | `series` | chunks being filled |
//! | `db` | the tables |
//! | `writer` | the thread that follows the feed |
//! | `read` | queries: raw, or by steps |

pub mod codec;
pub mod db;
pub mod read;
pub mod rollup;
pub mod series;
pub mod writer;

pub use rollup::Rollup;

use std::time::Duration;

/// How long each level is kept; zero: it is not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Samples as reported.
    pub raw: Duration,
    /// Rollups of a minute.
    pub minute: Duration,
    /// Rollups of an hour.
    pub hour: Duration,
}

impl Retention {
    /// Whether anything is kept.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        !self.raw.is_zero() || !self.minute.is_zero() || !self.hour.is_zero()
    }

    const fn of(&self, level: Level) -> Duration {
        match level {
            Level::Raw => self.raw,
            Level::Minute => self.minute,
            Level::Hour => self.hour,
        }
    }
}

/// How finely history is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Samples as reported.
    Raw,
    /// A minute.
    Minute,
    /// An hour.
    Hour,
}

impl Level {
    const ALL: [Self; 3] = [Self::Raw, Self::Minute, Self::Hour];

    /// Length of its steps in milliseconds; 0 for samples.
    #[must_use]
    pub const fn step_ms(self) -> i64 {
        match self {
            Self::Raw => 0,
            Self::Minute => 60_000,
            Self::Hour => 3_600_000,
        }
    }

    const fn number(self) -> i64 {
        match self {
            Self::Raw => 0,
            Self::Minute => 1,
            Self::Hour => 2,
        }
    }
}

/// Component, resource and value name, as symbols.
pub type SeriesKey = (u32, u32, u32);
