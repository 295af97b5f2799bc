//! The audit trail: what was refused, changed or done by whom, as JSON lines in `data_dir/audit.jsonl`.
//!
//! In: [`AuditEntry`] from any thread, through a bounded queue; whoever records never waits. Out: one line an entry, in
//! order, by one writer thread, handed to the operating system as it comes. A full queue or disk loses entries, and the
//! trail then says how many. Files are rotated by size, and the oldest goes: the trail is bounded.
//!
//! An entry never holds key material; who records one answers for that. There is one writer, and each line carries the
//! digest of the one before it (`chain`), so that a change, a gap or an exchange can be found: `qkdnm audit verify`. What
//! operators do and how the manager is configured is on stable storage before the next entry is taken; refusals, which
//! can be many, are handed to the operating system.

pub mod chain;
mod trail;

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread::JoinHandle,
};

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use self::trail::Trail;
pub use self::trail::{FILE, files};
use super::{metrics::Metrics, refusals::RefusalEntry};
use crate::{
    config::limits::{AUDIT_FILE_BYTES, AUDIT_FILES, AUDIT_QUEUE},
    model::Timestamp,
};

/// One line of the trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When.
    pub time: Timestamp,
    /// Short name of what kind of thing happened: `refused`, `operator`, `configuration`, ...
    pub kind: String,
    /// Who did it or was refused: fingerprint, component, operator, or `manager`.
    pub who: String,
    /// What happened, for a person.
    pub what: String,
    /// More, for programs.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub detail: serde_json::Value,
}

impl From<&RefusalEntry> for AuditEntry {
    fn from(entry: &RefusalEntry) -> Self {
        Self {
            time: entry.time,
            kind: "refused".to_owned(),
            who: entry.who.clone(),
            what: entry.to_string(),
            detail: serde_json::json!({
                "cause": entry.cause,
                "alarmType": entry.alarm_type,
                "verified": entry.is_verified,
                "peer": entry.peer,
                "count": entry.count,
                "since": entry.since,
            }),
        }
    }
}

impl AuditEntry {
    /// An entry of the manager's own.
    #[must_use]
    pub fn of_manager(time: Timestamp, kind: &str, what: impl Into<String>, detail: serde_json::Value) -> Self {
        Self { time, kind: kind.to_owned(), who: "manager".to_owned(), what: what.into(), detail }
    }

    /// Whether it is made durable at once.
    fn is_lasting(&self) -> bool {
        matches!(self.kind.as_str(), "operator" | "configuration" | "start" | "stop" | "audit")
    }
}

/// The trail could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the audit trail {}: {source}; is `data_dir` a folder that this user may write to?", .path.display())]
pub struct AuditError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

/// Where entries are recorded; clones share one trail.
#[derive(Clone, Debug)]
pub struct Audit {
    queue: SyncSender<Message>,
    metrics: Arc<Metrics>,
    last_start: Option<Arc<AuditEntry>>,
}

/// The writer's thread.
#[derive(Debug)]
pub struct AuditWriter {
    queue: SyncSender<Message>,
    thread: JoinHandle<()>,
}

#[derive(Debug)]
enum Message {
    /// With whom to tell once it is written.
    Entry(Box<AuditEntry>, Option<oneshot::Sender<()>>),
    Close,
}

impl Audit {
    /// Opens or creates `audit.jsonl` in the folder and starts the writer.
    pub fn open(data_dir: &Path, metrics: Arc<Metrics>) -> Result<(Self, AuditWriter), AuditError> {
        let path = data_dir.join(FILE);
        let failed = |source| AuditError { path: path.clone(), source };
        let trail = Trail::open(path.clone(), AUDIT_FILE_BYTES, AUDIT_FILES).map_err(failed)?;
        let head = trail.head().clone();
        if head.number == 0 {
            tracing::info!("A new audit trail begins.");
        } else {
            tracing::info!(entries = head.number, head = %head.hash, "The audit trail goes on.");
        }
        let before = trail.last_of_kind("start");
        let (queue, entries) = sync_channel(AUDIT_QUEUE);
        let counters = Arc::clone(&metrics);
        let thread = std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || write_all(trail, &entries, &counters))
            .map_err(failed)?;
        Ok((Self { queue: queue.clone(), metrics, last_start: before.map(Arc::new) }, AuditWriter { queue, thread }))
    }

    /// The entry of the start before this one, if the trail still has it.
    #[must_use]
    pub fn last_start(&self) -> Option<&AuditEntry> {
        self.last_start.as_deref()
    }

    /// Records an entry and waits until it is written; a full queue drops it and counts that. For what somebody is
    /// told to be done.
    pub async fn record_and_wait(&self, entry: AuditEntry) {
        let (written, is_written) = oneshot::channel();
        self.put(Message::Entry(Box::new(entry), Some(written)));
        // An error means that it was not written, which is counted and logged where it happened.
        let _ = is_written.await;
    }

    /// Records an entry; a full queue drops it and counts that.
    pub fn record(&self, entry: AuditEntry) {
        self.put(Message::Entry(Box::new(entry), None));
    }

    fn put(&self, message: Message) {
        match self.queue.try_send(message) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.metrics.audit_dropped.increment();
            }
        }
    }
}

impl AuditWriter {
    /// Writes what is queued, and ends. Entries recorded later are dropped and counted.
    pub fn close(self) {
        // The writer is gone already if this fails; then there is nothing to wait for.
        let _ = self.queue.send(Message::Close);
        if self.thread.join().is_err() {
            tracing::error!("the writer of the audit trail ended by a panic");
        }
    }
}

fn write_all(mut trail: Trail, entries: &Receiver<Message>, metrics: &Metrics) {
    let mut told = metrics.audit_dropped.get();
    while let Ok(Message::Entry(entry, written)) = entries.recv() {
        let dropped = metrics.audit_dropped.get();
        if dropped > told {
            tracing::warn!(
                entries = dropped - told,
                "audit entries were lost: the queue was full or the disk refused them"
            );
            let lost = dropped - told;
            let what = format!("{lost} entries before this one were lost: the queue was full or the disk refused them");
            let gap = AuditEntry::of_manager(entry.time, "audit", what, serde_json::json!({ "lost": lost }));
            // If the disk still refuses, the gap grows and is told later.
            if trail.append(&gap).is_ok() {
                told = dropped;
            }
        }
        match trail.append(&entry) {
            // Whoever asked may have stopped waiting.
            Ok(()) => drop(written.map(|written| written.send(()))),
            Err(error) => {
                metrics.audit_dropped.increment();
                tracing::error!(path = %trail.path().display(), %error, "cannot write to the audit trail");
            }
        }
    }
    tracing::info!(entries = trail.head().number, head = %trail.head().hash, "The audit trail ends here for now.");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(n: i64) -> AuditEntry {
        AuditEntry {
            time: Timestamp(n),
            kind: "test".to_owned(),
            who: "manager".to_owned(),
            what: format!("entry {n}"),
            detail: serde_json::Value::Null,
        }
    }

    fn lines(path: &Path) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(path).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn entries_are_lines_in_order_and_survive_reopening() {
        let dir = tempfile::tempdir().unwrap();
        let metrics = Arc::new(Metrics::default());
        for round in 0..2 {
            let (audit, writer) = Audit::open(dir.path(), Arc::clone(&metrics)).unwrap();
            (0..3).for_each(|n| audit.record(entry(round * 3 + n)));
            writer.close();
        }
        let lines = lines(&dir.path().join(FILE));
        let what: Vec<&str> = lines.iter().map(|line| line["what"].as_str().unwrap()).collect();
        assert_eq!(what, ["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5"]);
        assert_eq!(lines[1]["time"], "1970-01-01T00:00:00.001Z");
        assert!(lines[0].get("detail").is_none());
        assert_eq!(metrics.audit_dropped.get(), 0);
    }

    #[test]
    fn what_is_recorded_after_the_end_is_counted() {
        let dir = tempfile::tempdir().unwrap();
        let metrics = Arc::new(Metrics::default());
        let (audit, writer) = Audit::open(dir.path(), Arc::clone(&metrics)).unwrap();
        writer.close();
        audit.record(entry(1));
        assert_eq!(metrics.audit_dropped.get(), 1);
    }

    #[test]
    fn a_gap_is_told_in_the_trail() {
        let dir = tempfile::tempdir().unwrap();
        let metrics = Metrics::default();
        let (queue, entries) = sync_channel(4);
        let path = dir.path().join(FILE);
        let trail = Trail::open(path.clone(), 1 << 20, 2).unwrap();
        queue.send(Message::Entry(Box::new(entry(1)), None)).unwrap();
        std::thread::scope(|scope| {
            let metrics = &metrics;
            let writer = scope.spawn(move || write_all(trail, &entries, metrics));
            // The first entry is on disk before any is lost.
            while std::fs::read(&path).unwrap().is_empty() {
                std::thread::yield_now();
            }
            metrics.audit_dropped.add(7);
            queue.send(Message::Entry(Box::new(entry(2)), None)).unwrap();
            queue.send(Message::Close).unwrap();
            writer.join().unwrap();
        });
        let lines = lines(&path);
        assert_eq!(lines.len(), 3);
        assert!(lines[1]["what"].as_str().unwrap().starts_with("7 entries before this one were lost"));
    }
}
