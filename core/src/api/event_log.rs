//! What changed lately, for those who follow the manager live: a bounded log of events, each with the journal position that
//! it followed from.
//!
//! In: events, in the order of the journal. Out: the events behind the one a listener saw last. Listeners read at their own
//! pace and nobody waits for them; one that asks for more than the log still holds is told to fetch everything anew
//! ([`Read::Resync`]). Pure but for the waking of listeners; knows nothing of HTTP or of what events mean.

use std::{
    collections::VecDeque,
    fmt,
    str::FromStr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use crate::{
    config::limits::{EVENT_LOG_BYTES, EVENT_LOG_EVENTS},
    storage::JournalPosition,
};

/// Where an event stands: the batch it followed from, and its number among that batch's events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventId {
    /// The batch.
    pub position: JournalPosition,
    /// Which of its events, from 1.
    pub number: u32,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.position.0 >> 16, self.position.0 & 0xffff, self.number)
    }
}

/// The text is no event ID.
#[derive(Debug, thiserror::Error)]
#[error("expected the `id` of an event, such as 12.0.1")]
pub struct BadEventId;

impl FromStr for EventId {
    type Err = BadEventId;
    fn from_str(text: &str) -> Result<Self, BadEventId> {
        let mut parts = text.split('.');
        let mut part = |most: u64| parts.next()?.parse::<u64>().ok().filter(|number| *number <= most);
        let numbers = (part(u64::MAX >> 16), part(0xffff), part(u64::from(u32::MAX)));
        let (Some(block), Some(batch), Some(number)) = numbers else { return Err(BadEventId) };
        if parts.next().is_some() {
            return Err(BadEventId);
        }
        let number = u32::try_from(number).map_err(|_| BadEventId)?;
        Ok(Self { position: JournalPosition(block << 16 | batch), number })
    }
}

/// Something that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Where it stands.
    pub id: EventId,
    /// What kind it is: `alarm`, `components`.
    pub kind: &'static str,
    /// JSON on one line.
    pub data: Arc<str>,
}

/// What a listener is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// What came behind the event that it saw last, oldest first; empty if nothing did.
    Events(Vec<Event>),
    /// Something is missing: it has to fetch everything anew and goes on behind this event.
    Resync(EventId),
    /// There will be no more.
    Closed,
}

#[derive(Debug)]
struct Ring {
    events: VecDeque<Event>,
    bytes: usize,
    /// Everything behind this event is in `events`.
    complete_behind: EventId,
    newest: EventId,
    closed: bool,
}

/// The log.
#[derive(Debug)]
pub struct EventLog {
    ring: Mutex<Ring>,
    grown: watch::Sender<EventId>,
}

impl EventLog {
    /// A log of what comes behind a position.
    #[must_use]
    pub fn new(behind: JournalPosition) -> Self {
        let start = EventId { position: behind, number: 0 };
        let ring = Ring { events: VecDeque::new(), bytes: 0, complete_behind: start, newest: start, closed: false };
        Self { ring: Mutex::new(ring), grown: watch::Sender::new(start) }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an event that followed from a batch. What the log has no room for falls out at its old end.
    pub fn add(&self, position: JournalPosition, kind: &'static str, data: impl Into<Arc<str>>) {
        let data = data.into();
        let mut ring = self.ring();
        let position = position.max(ring.newest.position);
        let number = if position == ring.newest.position { ring.newest.number.saturating_add(1) } else { 1 };
        let id = EventId { position, number };
        ring.newest = id;
        ring.bytes += data.len();
        ring.events.push_back(Event { id, kind, data });
        while ring.events.len() > EVENT_LOG_EVENTS || ring.bytes > EVENT_LOG_BYTES {
            let Some(oldest) = ring.events.pop_front() else { break };
            ring.bytes -= oldest.data.len();
            ring.complete_behind = oldest.id;
        }
        drop(ring);
        self.grown.send_replace(id);
    }

    /// Something came and is not here: whoever listens has to begin anew.
    pub fn lose(&self) {
        let mut ring = self.ring();
        let newest = ring.newest;
        let id = EventId { number: newest.number.saturating_add(1), ..newest };
        ring.events.clear();
        ring.bytes = 0;
        (ring.newest, ring.complete_behind) = (id, id);
        drop(ring);
        self.grown.send_replace(id);
    }

    /// The newest event.
    #[must_use]
    pub fn newest(&self) -> EventId {
        self.ring().newest
    }

    /// Up to `limit` events behind one.
    #[must_use]
    pub fn behind(&self, seen: EventId, limit: usize) -> Read {
        let ring = self.ring();
        if seen < ring.complete_behind || seen > ring.newest {
            return Read::Resync(ring.newest);
        }
        let start = ring.events.partition_point(|event| event.id <= seen);
        let events: Vec<Event> = ring.events.range(start..).take(limit).cloned().collect();
        if events.is_empty() && ring.closed { Read::Closed } else { Read::Events(events) }
    }

    /// Waits until there is something behind an event, or the log is closed.
    pub async fn grown(&self, seen: EventId) {
        let mut grown = self.grown.subscribe();
        if self.ring().closed {
            return;
        }
        // The sender lives as long as the log.
        let _ = grown.wait_for(|newest| *newest > seen || self.ring().closed).await;
    }

    /// No more events: listeners are to go.
    pub fn close(&self) {
        self.ring().closed = true;
        self.grown.send_modify(|_| {});
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(block: u64) -> JournalPosition {
        JournalPosition(block << 16)
    }

    fn numbers(read: Read) -> Vec<String> {
        match read {
            Read::Events(events) => events.iter().map(|event| event.data.to_string()).collect(),
            other => vec![format!("{other:?}")],
        }
    }

    #[test]
    fn a_listener_goes_on_where_it_was() {
        let log = EventLog::new(at(5));
        let start = log.newest();
        for number in 0..4_u64 {
            log.add(at(6 + number / 2), "alarm", number.to_string());
        }
        assert_eq!(numbers(log.behind(start, 10)), ["0", "1", "2", "3"]);
        assert_eq!(numbers(log.behind(start, 2)), ["0", "1"]);
        assert_eq!(numbers(log.behind("6.0.2".parse().unwrap(), 10)), ["2", "3"]);
        assert_eq!(numbers(log.behind(log.newest(), 10)), Vec::<String>::new());
        log.close();
        assert_eq!(log.behind(log.newest(), 10), Read::Closed);
    }

    #[test]
    fn what_is_gone_or_was_never_there_is_told() {
        let log = EventLog::new(at(5));
        log.add(at(6), "alarm", "0");
        assert_eq!(log.behind("4.0.1".parse().unwrap(), 10), Read::Resync(log.newest()), "before this log began");
        assert_eq!(log.behind("9.0.1".parse().unwrap(), 10), Read::Resync(log.newest()), "of another journal");
        let seen = log.newest();
        for number in 0..=EVENT_LOG_EVENTS {
            log.add(at(7), "alarm", number.to_string());
        }
        assert_eq!(log.behind(seen, 10), Read::Resync(log.newest()));
    }

    #[test]
    fn a_loss_is_told_to_everybody_once() {
        let log = EventLog::new(at(5));
        log.add(at(6), "alarm", "0");
        let seen = log.newest();
        log.lose();
        assert_eq!(log.behind(seen, 10), Read::Resync(log.newest()));
        let seen = log.newest();
        log.add(at(6), "alarm", "1");
        assert_eq!(numbers(log.behind(seen, 10)), ["1"]);
    }

    #[test]
    fn the_log_is_bounded_by_bytes_too() {
        let log = EventLog::new(at(0));
        let long = "x".repeat(EVENT_LOG_BYTES / 4);
        (0..20).for_each(|number| log.add(at(number), "alarm", long.as_str()));
        assert!(log.ring().events.len() <= 4);
    }

    proptest! {
        #[test]
        fn an_id_survives_its_text(block in 0_u64..1 << 48, batch: u16, number: u32) {
            let id = EventId { position: JournalPosition(block << 16 | u64::from(batch)), number };
            prop_assert_eq!(id.to_string().parse::<EventId>().unwrap(), id);
        }

        /// Whatever is added and read when: a listener sees each event once and in order, or is told to begin anew.
        #[test]
        fn nothing_is_missed_or_seen_twice(steps in prop::collection::vec((0_u64..2, 1_usize..5, any::<bool>()), 1..60)) {
            let log = EventLog::new(at(1));
            let (mut seen, mut block, mut told, mut next) = (log.newest(), 1, Vec::new(), 0_u64);
            for (forward, limit, read) in steps {
                block += forward;
                log.add(at(block), "alarm", next.to_string());
                next += 1;
                if read && let Read::Events(events) = log.behind(seen, limit) {
                    seen = events.last().map_or(seen, |event| event.id);
                    told.extend(events.into_iter().map(|event| event.data.parse::<u64>().unwrap()));
                }
            }
            if let Read::Events(events) = log.behind(seen, usize::MAX) {
                told.extend(events.into_iter().map(|event| event.data.parse::<u64>().unwrap()));
            }
            prop_assert_eq!(told, (0..next).collect::<Vec<_>>());
        }
    }
}
