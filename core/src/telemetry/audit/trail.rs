//! The files of the trail: `audit.jsonl`, and older ones as `audit.jsonl.1` and on. Each line is linked to the one before,
//! over files and restarts.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
};

use super::{
    AuditEntry,
    chain::{Head, Link, TORN_AFTER, TRIMMED_TO, hash},
};
use crate::{config::limits::AUDIT_ENTRY_BYTES, model::Timestamp};

/// Name of the current file.
pub const FILE: &str = "audit.jsonl";

/// The files that there are, oldest first.
#[must_use]
pub fn files(data_dir: &Path) -> Vec<PathBuf> {
    let path = data_dir.join(FILE);
    let mut files: Vec<PathBuf> = (1..).map(|age| aged(&path, age)).take_while(|path| path.exists()).collect();
    files.reverse();
    files.extend(path.exists().then_some(path));
    files
}

fn aged(path: &Path, age: usize) -> PathBuf {
    let mut name = path.to_path_buf().into_os_string();
    name.push(format!(".{age}"));
    PathBuf::from(name)
}

/// Room for an ordinary entry; a file may be longer than its bound by one entry.
const SOME_ENTRY: u64 = 256;

#[derive(Debug)]
pub(super) struct Trail {
    path: PathBuf,
    file: File,
    bytes: u64,
    head: Head,
    /// The file ends within a line that was cut short; its bytes.
    torn: Option<Vec<u8>>,
    max_bytes: u64,
    files: usize,
}

impl Trail {
    pub(super) fn open(path: PathBuf, max_bytes: u64, files: usize) -> io::Result<Self> {
        let file = open_private(&path)?;
        let bytes = file.metadata()?.len();
        let mut trail = Self { path, file, bytes, head: Head::default(), torn: None, max_bytes, files };
        for file in [trail.path.clone(), aged(&trail.path, 1)] {
            if trail.find_head(&file)? {
                break;
            }
        }
        Ok(trail)
    }

    /// The last whole line of a file becomes the head; false if it has none.
    fn find_head(&mut self, path: &Path) -> io::Result<bool> {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            other => other?,
        };
        let (mut reader, mut line, mut found) = (BufReader::new(file), Vec::new(), false);
        while reader.read_until(b'\n', &mut line)? > 0 {
            if line.last() == Some(&b'\n') {
                line.pop();
                if let Ok(link) = serde_json::from_slice::<Link>(&line) {
                    self.head = Head::after(link.number, &line);
                    found = true;
                }
            } else {
                self.torn = Some(std::mem::take(&mut line));
            }
            line.clear();
        }
        Ok(found)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) const fn head(&self) -> &Head {
        &self.head
    }

    /// The last entry of a kind, if the trail still has it.
    pub(super) fn last_of_kind(&self, kind: &str) -> Option<AuditEntry> {
        let folder = self.path.parent()?;
        files(folder).into_iter().rev().find_map(|path| {
            let text = std::fs::read(path).ok()?;
            let entries = text.split(|&byte| byte == b'\n').rev();
            entries
                .filter_map(|line| serde_json::from_slice::<Link>(line).ok())
                .map(|link| link.entry)
                .find(|entry| entry.kind == kind)
        })
    }

    pub(super) fn append(&mut self, entry: &AuditEntry) -> io::Result<()> {
        if let Some(fragment) = self.torn.take() {
            let after = std::mem::replace(&mut self.head.hash, hash(&fragment));
            let what = format!(
                "the line before this one was cut short after {} bytes: a crash, or a full disk",
                fragment.len()
            );
            let told = serde_json::json!({ TORN_AFTER: after });
            let told = AuditEntry::of_manager(entry.time, "audit", what, told);
            if let Err(error) = self.file.write_all(b"\n").and_then(|()| self.write(&told)) {
                // As before, to be told later; what of it is on disk now makes the fragment longer.
                self.head.hash = after_of(&told);
                self.torn = Some(self.last_fragment()?);
                return Err(error);
            }
        }
        if self.bytes > 0 && self.bytes + SOME_ENTRY > self.max_bytes {
            self.rotate(entry.time)?;
        }
        let written = self.write(entry);
        if written.is_err() {
            self.torn = Some(self.last_fragment()?).filter(|fragment| !fragment.is_empty());
        }
        written
    }

    fn write(&mut self, entry: &AuditEntry) -> io::Result<()> {
        let mut line = bounded_line(&self.head, entry)?;
        let head = Head::after(self.head.number + 1, &line);
        line.push(b'\n');
        self.file.write_all(&line)?;
        self.bytes += line.len() as u64;
        self.head = head;
        if entry.is_lasting() {
            self.file.sync_data()?;
        }
        Ok(())
    }

    /// What stands behind the last line feed.
    fn last_fragment(&self) -> io::Result<Vec<u8>> {
        let text = std::fs::read(&self.path)?;
        Ok(text.rsplit(|&byte| byte == b'\n').next().unwrap_or_default().to_vec())
    }

    fn rotate(&mut self, now: Timestamp) -> io::Result<()> {
        let trimmed = last_number(&aged(&self.path, self.files.saturating_sub(1)));
        for age in (1..self.files).rev() {
            let older = aged(&self.path, age);
            let newer = if age == 1 { self.path.clone() } else { aged(&self.path, age - 1) };
            match std::fs::rename(&newer, &older) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        self.file = open_private(&self.path)?;
        self.bytes = 0;
        if let Some(number) = trimmed {
            let what = format!("entries up to {number} were deleted: the trail keeps {} files", self.files);
            let told = serde_json::json!({ TRIMMED_TO: number });
            self.write(&AuditEntry::of_manager(now, "audit", what, told))?;
        }
        Ok(())
    }
}

fn after_of(told: &AuditEntry) -> String {
    told.detail.get(TORN_AFTER).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
}

/// Number of the last entry in a file that is about to go.
fn last_number(path: &Path) -> Option<u64> {
    let text = std::fs::read(path).ok()?;
    let mut lines = text.split(|&byte| byte == b'\n').rev();
    lines.find_map(|line| serde_json::from_slice::<Link>(line).ok()).map(|link| link.number)
}

/// An entry as a line; one that is too long loses its detail, then the end of its sentence.
fn bounded_line(head: &Head, entry: &AuditEntry) -> io::Result<Vec<u8>> {
    let line = head.link(entry.clone())?;
    if line.len() <= AUDIT_ENTRY_BYTES {
        return Ok(line);
    }
    let cut = |text: &str| text.chars().take(AUDIT_ENTRY_BYTES / 32).collect::<String>();
    Ok(head.link(AuditEntry {
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

#[cfg(test)]
mod tests {
    use super::{super::chain::Verifier, *};

    fn entry(n: i64) -> AuditEntry {
        AuditEntry::of_manager(Timestamp(n), "test", format!("entry {n}"), serde_json::Value::Null)
    }

    fn verify(folder: &Path) -> Result<super::super::chain::Verified, super::super::chain::Break> {
        let mut verifier = Verifier::new(None);
        for file in files(folder) {
            let text = std::fs::read(&file).unwrap();
            for line in text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
                verifier.line(line, || file.display().to_string())?;
            }
        }
        verifier.finish()
    }

    #[test]
    fn files_rotate_are_bounded_and_what_went_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let mut trail = Trail::open(path.clone(), 600, 3).unwrap();
        for n in 0..50 {
            trail.append(&entry(n)).unwrap();
            if n % 7 == 0 {
                trail = Trail::open(path.clone(), 600, 3).unwrap();
            }
        }
        let names: Vec<_> = files(dir.path()).iter().map(|file| file.file_name().unwrap().to_owned()).collect();
        assert_eq!(names, ["audit.jsonl.2", "audit.jsonl.1", "audit.jsonl"]);
        let found = verify(dir.path()).unwrap();
        assert!(found.first_number > 1 && found.head.number > 50, "{found:?}");
        std::fs::remove_file(dir.path().join("audit.jsonl.2")).unwrap();
        assert!(verify(dir.path()).is_err(), "a file that somebody else deleted is missed");
    }

    #[test]
    fn a_line_cut_short_is_told_and_the_chain_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let mut trail = Trail::open(path.clone(), 1 << 20, 2).unwrap();
        (0..3).for_each(|n| trail.append(&entry(n)).unwrap());
        let text = std::fs::read(&path).unwrap();
        std::fs::write(&path, &text[..text.len() - 10]).unwrap();
        let mut trail = Trail::open(path.clone(), 1 << 20, 2).unwrap();
        assert_eq!(trail.head().number, 2);
        trail.append(&entry(7)).unwrap();
        let found = verify(dir.path()).unwrap();
        assert_eq!((found.entries, found.torn, found.head.number), (4, 1, 4));
    }

    #[test]
    fn long_entries_are_shortened() {
        let mut long = entry(1);
        long.what = "\u{1}".repeat(AUDIT_ENTRY_BYTES);
        let line = bounded_line(&Head::default(), &long).unwrap();
        assert!(line.len() <= AUDIT_ENTRY_BYTES, "{}", line.len());
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&line).unwrap()["detail"]["shortened"], true);
    }
}
