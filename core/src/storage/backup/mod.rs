//! Backups: a copy of a data directory, made beside a manager at work, and the way back to a data directory.
//!
//! In: a data directory. Out: a folder with the databases, each as it was at one moment, the audit trail, the journal,
//! and [`manifest::FILE`] with the size and SHA-256 of every file. The journal is copied last: it holds at least what the
//! databases reflect, so that a manager recovers from the copy as it does after a crash. Keys and certificates are no
//! part of a data directory, and not of a backup; the cache of compiled plugins is left out, it makes itself anew.

pub(super) mod copying;
pub mod manifest;
pub mod restore;

use std::{fs, io, path::Path};

use manifest::{FileEntry, Manifest};

use super::{
    error::StorageError,
    journal::{
        reader::{JournalReader, ReadMode},
        segment::list_segments,
    },
    verify::{Verified, verify},
};
use crate::{model::Timestamp, telemetry::audit};

/// The databases of a data directory, in the order in which they are copied: what others follow comes last.
pub(super) const DATABASES: [&str; 5] = ["exports.db", "subscriptions.db", "federation.db", "history.db", "state.db"];

/// Files beside them, each replaced as a whole by who writes it.
const OTHERS: [&str; 1] = ["subscriptions.json"];

/// The folders within a data directory that a backup has.
const FOLDERS: [&str; 2] = ["journal", "checkpoints"];

/// How often a copy is made anew because a manager deleted old segments meanwhile.
const ATTEMPTS: usize = 3;

/// Copies a data directory into a folder that is not there or empty. A manager may be running.
pub fn back_up(data_dir: &Path, to: &Path, now: Timestamp) -> Result<(Manifest, Verified), StorageError> {
    copying::make_empty(to)?;
    let mut attempt = 1;
    let found = loop {
        let error = match copy_all(data_dir, to).and_then(|()| verify(to, ReadMode::Live)) {
            Ok(found) => break found,
            Err(error) => error,
        };
        copying::empty(to)?;
        if attempt == ATTEMPTS || !is_passing(&error, to) {
            return Err(of_source(error, data_dir, to));
        }
        attempt += 1;
    };
    cut_journal(to)?;
    let mut files = Vec::new();
    for path in copying::files_below(to)? {
        files.push(FileEntry::of(to, &path)?);
    }
    let manifest = Manifest::new(now, &found, files);
    manifest.write(to)?;
    copying::make_durable(to)?;
    Ok((manifest, found))
}

/// Whether another copy may be in order: a manager deletes old segments, begins new ones and renames files of the trail meanwhile.
fn is_passing(error: &StorageError, to: &Path) -> bool {
    match error {
        StorageError::Io { source, path, .. } => source.kind() == io::ErrorKind::NotFound && !path.starts_with(to),
        StorageError::Damaged { path, .. } | StorageError::BadState { path, .. } => path.starts_with(to),
        _ => false,
    }
}

/// An error that speaks of the copy, which is gone, speaks of what was copied.
fn of_source(error: StorageError, data_dir: &Path, to: &Path) -> StorageError {
    let text = error.chain();
    let copy = to.display().to_string();
    if !text.contains(&copy) || matches!(error, StorageError::Io { .. }) {
        return error;
    }
    let text = text.replace(&copy, &data_dir.display().to_string());
    StorageError::NotFound(format!("no backup was made, since the copy does not check. In the data directory: {text}"))
}

fn copy_all(data_dir: &Path, to: &Path) -> Result<(), StorageError> {
    for folder in FOLDERS {
        copying::make_folder(&to.join(folder))?;
    }
    for path in &audit::files(data_dir) {
        if let Some(name) = path.file_name() {
            copying::whole_lines(path, &to.join(name))?;
        }
    }
    for name in DATABASES {
        copying::database(&data_dir.join(name), &to.join(name))?;
    }
    for name in OTHERS {
        copying::file_if_there(&data_dir.join(name), &to.join(name))?;
    }
    for (_, path) in super::retention::list_checkpoints(&super::retention::checkpoints_dir(data_dir))? {
        if let Some(name) = path.file_name() {
            copying::file_if_there(&path, &to.join("checkpoints").join(name))?;
        }
    }
    copy_journal(&data_dir.join("journal"), &to.join("journal"))
}

/// Copies segments until there is none that was not there when it began: only a later one says which blocks of the one
/// before it are void, and the one that was last may have grown.
fn copy_journal(from: &Path, to: &Path) -> Result<(), StorageError> {
    let mut copied = None;
    loop {
        let segments = list_segments(from).map_err(StorageError::io("list", from))?;
        let last = segments.last().map(|(number, _)| *number);
        if last == copied {
            return Ok(());
        }
        for (number, path) in segments.iter().filter(|(number, _)| copied.is_none_or(|copied| *number >= copied)) {
            let Some(name) = path.file_name() else { continue };
            let target = to.join(name);
            if copied == Some(*number) {
                fs::remove_file(&target).map_err(StorageError::io("delete", &target))?;
            }
            copying::file(path, &target)?;
        }
        copied = last;
    }
}

/// Leaves out the room that a segment has behind its last block.
fn cut_journal(copy: &Path) -> Result<(), StorageError> {
    let mut reader = JournalReader::open(copy, ReadMode::Live)?;
    while reader.next_block()?.is_some() {}
    if let Some((path, end)) = reader.end().and_then(|end| end.last.clone()) {
        let file = fs::OpenOptions::new().write(true).open(&path).map_err(StorageError::io("open", &path))?;
        file.set_len(end).map_err(StorageError::io("cut", &path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
