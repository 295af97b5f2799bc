//! Whether what an author works on was saved: sources of a project, or the file of a component.

use std::{
    hash::{Hash as _, Hasher as _},
    io,
    path::{Path, PathBuf},
    sync::mpsc::SyncSender,
    time::{Duration, SystemTime},
};

use xxhash_rust::xxh3::Xxh3;

use super::Event;
use crate::cli::{CommandError, plugin_author::usage};

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(200);
/// Files that are looked at, at most.
const MOST_FILES: usize = 10_000;
/// What tools put into a project.
const OF_TOOLS: [&str; 7] =
    ["target", "node_modules", "__pycache__", "Cargo.lock", "test_plugin", "package-lock.json", "dist"];
/// Endings of what is made of the sources.
const MADE: [&str; 4] = [".wasm", ".wasm.new", ".decisions.txt", ".pyc"];

/// What is looked at.
pub(super) struct Watched(PathBuf);

impl Watched {
    /// A project's folder or a component's file.
    pub(super) fn open(path: &Path) -> Result<Self, CommandError> {
        if path.exists() {
            return Ok(Self(path.to_owned()));
        }
        Err(usage(format!("{}: there is no such folder or file", path.display())))
    }

    /// Begins to look, on a thread of its own, until nobody wants to know. A save counts once it is whole: when two looks in a row see
    /// the same.
    pub(super) fn begin(self, events: SyncSender<Event>) -> io::Result<()> {
        let mut known = self.state();
        let mut last = known;
        std::thread::Builder::new().name("saves".to_owned()).spawn(move || {
            loop {
                std::thread::sleep(LOOK);
                let now = self.state();
                if now == last && now != known {
                    known = now;
                    if events.send(Event::Saved).is_err() {
                        break;
                    }
                }
                last = now;
            }
        })?;
        Ok(())
    }

    /// Names, times and sizes of all files.
    fn state(&self) -> u64 {
        let mut files = Vec::new();
        if self.0.is_dir() {
            collect(&self.0, &mut files);
        } else if let Ok(metadata) = self.0.metadata() {
            files.push((self.0.clone(), metadata.modified().ok(), metadata.len()));
        }
        files.sort();
        let mut hasher = Xxh3::new();
        files.hash(&mut hasher);
        hasher.finish()
    }
}

fn collect(folder: &Path, files: &mut Vec<(PathBuf, Option<SystemTime>, u64)>) {
    let Ok(entries) = folder.read_dir() else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_made = MADE.iter().any(|ending| name.ends_with(ending));
        if name.starts_with('.') || OF_TOOLS.contains(&name.as_str()) || is_made || files.len() >= MOST_FILES {
            continue;
        }
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => collect(&entry.path(), files),
            Ok(metadata) => files.push((entry.path(), metadata.modified().ok(), metadata.len())),
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_count_and_what_is_made_of_them_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(at("src")).unwrap();
        std::fs::create_dir_all(at("target/debug")).unwrap();
        std::fs::write(at("src/lib.rs"), "1").unwrap();
        let watched = Watched::open(folder.path()).unwrap();
        let first = watched.state();
        for made in ["acme.wasm", "acme.wasm.new", "target/debug/x", ".git", "Cargo.lock", "src/first.mk.decisions.txt"]
        {
            std::fs::write(at(made), "1").unwrap();
            assert_eq!(watched.state(), first, "{made}");
        }
        std::fs::write(at("src/lib.rs"), "22").unwrap();
        let second = watched.state();
        assert_ne!(second, first);
        std::fs::write(at("src/first.mk.toml"), "").unwrap();
        assert_ne!(watched.state(), second);
        assert!(Watched::open(&at("no")).is_err());
    }
}
