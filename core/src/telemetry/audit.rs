//! The audit trail: what was refused, changed or done by whom, as JSON lines in `data_dir/audit.jsonl`.
//!
//! In: [`AuditEntry`] from any thread, through a bounded queue; whoever records never waits. Out: one line an entry, in
//! order, by one writer thread, handed to the operating system as it comes. A full queue or disk loses entries, and the
//! trail then says how many. Files are rotated by size, and the oldest goes: the trail is bounded.
//!
//! An entry never holds key material; who records one answers for that. There is one writer, so that each line can
//! later carry the digest of the one before it.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread::JoinHandle,
};

use serde::Serialize;

use super::{metrics::Metrics, refusals::RefusalEntry};
use crate::{
    config::limits::{AUDIT_ENTRY_BYTES, AUDIT_FILE_BYTES, AUDIT_FILES, AUDIT_QUEUE},
    model::Timestamp,
};

/// One line of the trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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
    #[serde(skip_serializing_if = "serde_json::Value::is_null")]
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
                "peer": entry.peer,
                "count": entry.count,
                "since": entry.since,
            }),
        }
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
}

/// The writer's thread.
#[derive(Debug)]
pub struct AuditWriter {
    queue: SyncSender<Message>,
    thread: JoinHandle<()>,
}

#[derive(Debug)]
enum Message {
    Entry(Box<AuditEntry>),
    Close,
}

impl Audit {
    /// Opens or creates `audit.jsonl` in the folder and starts the writer.
    pub fn open(data_dir: &Path, metrics: Arc<Metrics>) -> Result<(Self, AuditWriter), AuditError> {
        let path = data_dir.join(FILE);
        let failed = |source| AuditError { path: path.clone(), source };
        let trail = Trail::open(path.clone(), AUDIT_FILE_BYTES, AUDIT_FILES).map_err(failed)?;
        let (queue, entries) = sync_channel(AUDIT_QUEUE);
        let counters = Arc::clone(&metrics);
        let thread = std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || write_all(trail, &entries, &counters))
            .map_err(failed)?;
        Ok((Self { queue: queue.clone(), metrics }, AuditWriter { queue, thread }))
    }

    /// Records an entry; a full queue drops it and counts that.
    pub fn record(&self, entry: AuditEntry) {
        match self.queue.try_send(Message::Entry(Box::new(entry))) {
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
    while let Ok(Message::Entry(entry)) = entries.recv() {
        let dropped = metrics.audit_dropped.get();
        if dropped > told {
            tracing::warn!(
                entries = dropped - told,
                "audit entries were lost: the queue was full or the disk refused them"
            );
            let gap = AuditEntry {
                time: entry.time,
                kind: "audit".to_owned(),
                who: "manager".to_owned(),
                what: format!(
                    "{} entries before this one were lost: the queue was full or the disk refused them",
                    dropped - told
                ),
                detail: serde_json::Value::Null,
            };
            // If the disk still refuses, the gap grows and is told later.
            if trail.append(&gap).is_ok() {
                told = dropped;
            }
        }
        if let Err(error) = trail.append(&entry) {
            metrics.audit_dropped.increment();
            tracing::error!(path = %trail.path.display(), %error, "cannot write to the audit trail");
        }
    }
}

/// The files of the trail: `audit.jsonl`, and older ones as `audit.jsonl.1` and on.
#[derive(Debug)]
struct Trail {
    path: PathBuf,
    file: File,
    bytes: u64,
    /// The file ends within a line that was cut short.
    torn: bool,
    max_bytes: u64,
    files: usize,
}

impl Trail {
    fn open(path: PathBuf, max_bytes: u64, files: usize) -> io::Result<Self> {
        let mut file = open_private(&path)?;
        let bytes = file.seek(SeekFrom::End(0))?;
        let mut last = [b'\n'];
        if bytes > 0 {
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
        }
        Ok(Self { path, file, bytes, torn: last != *b"\n", max_bytes, files })
    }

    fn append(&mut self, entry: &AuditEntry) -> io::Result<()> {
        let mut line = Vec::with_capacity(256);
        if self.torn {
            line.push(b'\n');
        }
        line.extend(bounded_line(entry)?);
        line.push(b'\n');
        if self.bytes > 0 && self.bytes + line.len() as u64 > self.max_bytes {
            self.rotate()?;
        }
        if let Err(error) = self.file.write_all(&line) {
            self.torn = true;
            return Err(error);
        }
        self.torn = false;
        self.bytes += line.len() as u64;
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        for age in (1..self.files).rev() {
            let older = self.aged(age);
            let newer = if age == 1 { self.path.clone() } else { self.aged(age - 1) };
            match std::fs::rename(&newer, &older) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        self.file = open_private(&self.path)?;
        self.bytes = 0;
        self.torn = false;
        Ok(())
    }

    fn aged(&self, age: usize) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{age}"));
        PathBuf::from(name)
    }
}

/// An entry as JSON; one that is too long loses its detail, then the end of its sentence.
fn bounded_line(entry: &AuditEntry) -> io::Result<Vec<u8>> {
    let line = serde_json::to_vec(entry)?;
    if line.len() <= AUDIT_ENTRY_BYTES {
        return Ok(line);
    }
    let cut = |text: &str| text.chars().take(AUDIT_ENTRY_BYTES / 32).collect::<String>();
    Ok(serde_json::to_vec(&AuditEntry {
        time: entry.time,
        kind: cut(&entry.kind),
        who: cut(&entry.who),
        what: cut(&entry.what),
        detail: serde_json::json!({ "shortened": true }),
    })?)
}

fn open_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true).read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o640);
    }
    options.open(path)
}

/// Name of the current file.
const FILE: &str = "audit.jsonl";

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
        queue.send(Message::Entry(Box::new(entry(1)))).unwrap();
        std::thread::scope(|scope| {
            let metrics = &metrics;
            let writer = scope.spawn(move || write_all(trail, &entries, metrics));
            // The first entry is on disk before any is lost.
            while std::fs::read(&path).unwrap().is_empty() {
                std::thread::yield_now();
            }
            metrics.audit_dropped.add(7);
            queue.send(Message::Entry(Box::new(entry(2)))).unwrap();
            queue.send(Message::Close).unwrap();
            writer.join().unwrap();
        });
        let lines = lines(&path);
        assert_eq!(lines.len(), 3);
        assert!(lines[1]["what"].as_str().unwrap().starts_with("7 entries before this one were lost"));
    }

    #[test]
    fn files_rotate_and_are_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let mut trail = Trail::open(path.clone(), 200, 3).unwrap();
        (0..50).for_each(|n| trail.append(&entry(n)).unwrap());
        let mut names: Vec<String> = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["audit.jsonl", "audit.jsonl.1", "audit.jsonl.2"]);
        let newest = lines(&path);
        assert_eq!(newest.last().unwrap()["what"], "entry 49");
        let older = lines(&trail.aged(1));
        let (last, first) = (older.last().unwrap()["time"].as_str().unwrap(), newest[0]["time"].as_str().unwrap());
        assert!(last < first, "{last} is before {first}");
        assert!(std::fs::metadata(&path).unwrap().len() <= 200);
    }

    #[test]
    fn a_line_cut_short_does_not_spoil_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        std::fs::write(&path, "{\"time\":").unwrap();
        Trail::open(path.clone(), 1 << 20, 2).unwrap().append(&entry(1)).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let second: serde_json::Value = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
        assert_eq!(second["what"], "entry 1");
    }

    #[test]
    fn long_entries_are_shortened() {
        let mut long = entry(1);
        long.what = "\u{1}".repeat(AUDIT_ENTRY_BYTES);
        let line = bounded_line(&long).unwrap();
        assert!(line.len() <= AUDIT_ENTRY_BYTES, "{}", line.len());
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&line).unwrap()["detail"]["shortened"], true);
    }
}
