//! A folder whose files are trusted as code: compiled components, copies of native libraries.
//!
//! Only the manager's user may write it or anything in it. Files are written under another name, synced and renamed, never
//! changed in place; links are not followed. Knows nothing of what the files hold.

use std::{
    fs::{self, DirBuilder, Metadata, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

/// Makes the folder where it is missing; an error if others can write it.
pub(super) fn prepare(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    check_ours(&fs::metadata(folder)?)
}

fn check_ours(metadata: &Metadata) -> io::Result<()> {
    let user = rustix::process::geteuid().as_raw();
    if metadata.uid() != user {
        return Err(io::Error::other(format!(
            "it belongs to user {}, and the manager runs as user {user}",
            metadata.uid()
        )));
    }
    if metadata.mode() & 0o022 != 0 {
        return Err(io::Error::other(format!(
            "others can write it (mode {:o}); take that right away with `chmod go-w`",
            metadata.mode() & 0o7777
        )));
    }
    Ok(())
}

/// A file that nobody else can have written.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let no_link = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or(0);
    let mut file = OpenOptions::new().read(true).custom_flags(no_link).open(path)?;
    let metadata = file.metadata()?;
    check_ours(&metadata)?;
    let mut content = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
    file.read_to_end(&mut content)?;
    Ok(content)
}

/// Puts a file in its place, whole or not at all; of its kind (the end of its name) only the `most` newest stay.
pub(super) fn keep(folder: &Path, path: &Path, mode: u32, parts: &[&[u8]], most: usize) -> io::Result<()> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let temporary = folder.join(format!("{}-{number}.part", std::process::id()));
    let written = write(&temporary, mode, parts).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written?;
    match path.extension().and_then(|kind| kind.to_str()) {
        Some(kind) => remove_oldest(folder, kind, most),
        None => Ok(()),
    }
}

fn write(path: &Path, mode: u32, parts: &[&[u8]]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    parts.iter().try_for_each(|part| file.write_all(part))?;
    file.sync_all()
}

/// Leaves the `most` newest files of a kind, what an interrupted write left among them.
fn remove_oldest(folder: &Path, kind: &str, most: usize) -> io::Result<()> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let ours = path.extension().is_some_and(|extension| extension == kind || extension == "part");
        if ours && let Ok(modified) = entry.metadata().and_then(|metadata| metadata.modified()) {
            files.push((modified, path));
        }
    }
    files.sort_unstable();
    let surplus = files.len().saturating_sub(most);
    for (_, path) in files.iter().take(surplus) {
        fs::remove_file(path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn the_oldest_files_go() {
        let directory = tempfile::tempdir().unwrap();
        for (age, name) in ["new.cwasm", "old.cwasm", "older.part", "other.txt"].into_iter().enumerate() {
            let file = File::create(directory.path().join(name)).unwrap();
            let age = std::time::Duration::from_secs(age as u64 * 1_000);
            file.set_modified(std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000) - age)
                .unwrap();
        }
        remove_oldest(directory.path(), "cwasm", 1).unwrap();
        let mut names: Vec<_> =
            std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["new.cwasm", "other.txt"]);
    }
}
