//! The data directory: made if it is not there, and locked for one manager at a time.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{Read, Seek, Write},
    path::{Path, PathBuf},
};

use super::error::StorageError;

/// A locked data directory; unlocked when dropped, also by a crash.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    // Holding the file holds the lock.
    _lock: File,
}

impl DataDir {
    /// Makes the directory if need be and locks it.
    pub fn lock(path: &Path) -> Result<Self, StorageError> {
        fs::create_dir_all(path).map_err(StorageError::io("create", path))?;
        let lock_path = path.join("LOCK");
        let failed = |source| StorageError::Io { what: "lock", path: lock_path.clone(), source };
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&lock_path);
        let mut file = options.map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let _ = file.take(32).read_to_string(&mut text);
                let holder = text.trim();
                let holder = if holder.is_empty() { "unknown" } else { holder }.to_owned();
                return Err(StorageError::Locked { path: lock_path, holder });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        // The number is for people; the lock is what counts.
        let written = file.set_len(0).and_then(|()| file.rewind());
        written.and_then(|()| writeln!(file, "{}", std::process::id())).map_err(failed)?;
        Ok(Self { path: path.to_owned(), _lock: file })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_manager_is_refused_and_told_who_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data");
        let first = DataDir::lock(&path).unwrap();
        let refused = DataDir::lock(&path).unwrap_err().to_string();
        assert!(refused.contains(&std::process::id().to_string()) && refused.contains("LOCK"), "{refused}");
        drop(first);
        assert_eq!(DataDir::lock(&path).unwrap().path(), path);
    }
}
