//! The rules of telling alarms to other systems: which alarms a target wants, what happened to them, what is said in the
//! words of Alertmanager and of CloudEvents, what waits, what may be left out, when it is tried again.
//!
//! Plain values in, plain values out: who follows the journal, keeps the outbox on disk and speaks HTTP is
//! `manager::exporters`.

pub mod alertmanager;
pub mod answer;
pub mod backoff;
pub mod change;
pub mod cloud_event;
pub mod filter;
pub mod function;
pub mod outbox;
pub mod signature;

#[cfg(test)]
mod testing;

use serde::{Deserialize, Serialize};

pub use change::{EventKind, Known};
pub use filter::Filter;
pub use function::Functions;

use crate::{config::FcapsFunction, model::Alarm};

/// Who tells: stands in everything that is sent, so that a target can serve several managers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Manager ID.
    pub manager: String,
    /// Its domain.
    pub domain: String,
}

/// Something that happened to an alarm, as it waits in an outbox. Its JSON is what is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Position of its batch in the journal.
    pub position: u64,
    /// Its place among the alarms of that batch.
    pub place: u32,
    /// What happened.
    pub kind: EventKind,
    /// Nothing happened: the target is told what is so, because what it was told before is not known.
    pub resync: bool,
    /// The FCAPS function that the alarm serves.
    pub function: FcapsFunction,
    /// The alarm as it became.
    pub alarm: Alarm,
}

impl Event {
    /// The same for the same event, however often it is sent: journal position, place, number of the alarm.
    #[must_use]
    pub fn id(&self) -> String {
        let (block, batch) = (self.position >> 16, self.position & 0xffff);
        let resync = if self.resync { "-resync" } else { "" };
        format!("{block}.{batch}.{}-{}{resync}", self.place, self.alarm.id)
    }

    /// Text that orders events of one manager as they happened, compared letter by letter.
    #[must_use]
    pub fn sequence(&self) -> String {
        format!("{:020}.{:05}", self.position, self.place)
    }
}
