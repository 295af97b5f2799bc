//! From a backup to a data directory.

use std::{fs, path::Path};

use super::{
    copying,
    manifest::{Hash, Manifest},
};
use crate::storage::{
    data_dir::DataDir,
    error::StorageError,
    journal::reader::ReadMode,
    verify::{Verified, verify},
};

/// Copies a backup to a data directory that is not there or empty, and checks every byte on the way and the whole at the
/// end. Where something is wrong with the backup, nothing is left behind.
pub fn restore(backup: &Path, data_dir: &Path) -> Result<(Manifest, Verified), StorageError> {
    let manifest = Manifest::read(backup)?;
    copying::make_empty(data_dir)?;
    let lock = DataDir::lock(data_dir)?;
    let restored = copy_all(&manifest, backup, data_dir);
    if restored.is_err() {
        // It was empty before, and nobody else has it. What went wrong first is what is told.
        let _emptied = copying::empty(data_dir);
    }
    drop(lock);
    restored.map(|found| (manifest, found))
}

fn copy_all(manifest: &Manifest, backup: &Path, data_dir: &Path) -> Result<Verified, StorageError> {
    for entry in &manifest.files {
        let (from, to) = (backup.join(&entry.path), data_dir.join(&entry.path));
        if let Some(folder) = to.parent() {
            copying::make_folder(folder)?;
        }
        let mut hash = Hash::new();
        copying::copy(&from, &to, |bytes| hash.take(bytes))?;
        let (bytes, sha256) = hash.finish();
        if (bytes, sha256.as_str()) != (entry.bytes, entry.sha256.as_str()) {
            let what = if bytes == entry.bytes {
                format!("its SHA-256 is {sha256}, the backup was made with {}", entry.sha256)
            } else {
                format!("it has {bytes} bytes, the backup was made with {}", entry.bytes)
            };
            return Err(StorageError::BadBackup { path: from, what });
        }
    }
    fs::create_dir_all(data_dir.join("journal")).map_err(StorageError::io("create", data_dir))?;
    copying::make_durable(data_dir)?;
    verify(data_dir, ReadMode::Still)
}
