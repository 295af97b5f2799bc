//! What a backup says of itself: `backup.json`.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Component, Path, PathBuf},
};

use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use crate::{
    model::Timestamp,
    storage::{error::StorageError, verify::Verified},
};

/// Name of the file within a backup.
pub const FILE: &str = "backup.json";

/// Version of what is written here.
const FORMAT: u32 = 1;

/// A backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Version of this file.
    pub format: u32,
    /// Version of the program that made it.
    pub program: String,
    /// When it was made.
    pub taken: Timestamp,
    /// Number of the last block of the journal in it.
    pub last_block: u64,
    /// When that was committed: what was reported later is not in it.
    pub last_time: Option<Timestamp>,
    /// Reports in the journal.
    pub reports: u64,
    /// Every file but this one.
    pub files: Vec<FileEntry>,
}

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileEntry {
    /// Where it is, from the backup's folder.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256, lower-case hex.
    pub sha256: String,
}

impl FileEntry {
    /// The entry of a file as it is.
    pub(super) fn of(folder: &Path, path: &Path) -> Result<Self, StorageError> {
        let mut hash = Hash::new();
        let mut file = File::open(path).map_err(StorageError::io("open", path))?;
        std::io::copy(&mut file, &mut hash).map_err(StorageError::io("read", path))?;
        let relative = path.strip_prefix(folder).unwrap_or(path).to_owned();
        let (bytes, sha256) = hash.finish();
        Ok(Self { path: relative, bytes, sha256 })
    }

    /// Whether its path stays within the folder.
    pub(super) fn is_inside(&self) -> bool {
        let normal = |part: Component<'_>| matches!(part, Component::Normal(_));
        self.path.components().next().is_some() && self.path.components().all(normal)
    }
}

/// Bytes counted and hashed.
pub(super) struct Hash {
    bytes: u64,
    context: Context,
}

impl Hash {
    pub(super) fn new() -> Self {
        Self { bytes: 0, context: Context::new(&SHA256) }
    }

    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.context.update(bytes);
    }

    pub(super) fn finish(self) -> (u64, String) {
        let digest = self.context.finish();
        (self.bytes, digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

impl std::io::Write for Hash {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.take(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Manifest {
    pub(super) fn new(taken: Timestamp, found: &Verified, files: Vec<FileEntry>) -> Self {
        let (last_block, last_time, reports) = (found.last_block, found.last_time, found.reports);
        Self {
            format: FORMAT,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            taken,
            last_block,
            last_time,
            reports,
            files,
        }
    }

    /// Bytes of all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    pub(super) fn write(&self, folder: &Path) -> Result<(), StorageError> {
        let path = folder.join(FILE);
        let mut text =
            serde_json::to_vec_pretty(self).map_err(std::io::Error::other).map_err(StorageError::io("write", &path))?;
        text.push(b'\n');
        let written = File::create_new(&path).and_then(|mut file| {
            file.write_all(&text)?;
            file.sync_all()
        });
        written.map_err(StorageError::io("write", &path))
    }

    /// What a backup says of itself.
    pub fn read(folder: &Path) -> Result<Self, StorageError> {
        let path = folder.join(FILE);
        let text = match fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(StorageError::NotFound(format!(
                    "{} is no backup, or an unfinished one: it has no {FILE}; name a folder that `qkdnm storage backup` made",
                    folder.display()
                )));
            }
            other => other.map_err(StorageError::io("read", &path))?,
        };
        let bad = |what: String| StorageError::BadBackup { path: path.clone(), what };
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let Format { format } = serde_json::from_slice(&text).map_err(|error| bad(error.to_string()))?;
        if format > FORMAT {
            return Err(StorageError::Version { path, found: format, known: FORMAT });
        }
        let manifest: Self = serde_json::from_slice(&text).map_err(|error| bad(error.to_string()))?;
        match manifest.files.iter().find(|file| !file.is_inside()) {
            Some(file) => Err(bad(format!("`{}` is no path within the backup", file.path.display()))),
            None => Ok(manifest),
        }
    }
}
