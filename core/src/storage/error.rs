//! What can go wrong with storage, told to an operator: which file, what was expected, what to do.

use std::{
    io,
    path::{Path, PathBuf},
};

/// An error of storage.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// A file or folder could not be opened, read or written.
    #[error("cannot {what} {}", path.display())]
    Io {
        /// What was tried, such as `create`.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Another process has the data directory.
    #[error("{} is in use by process {holder}; stop that one, or set another manager.data_dir", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// Its process ID as the lock file tells it, or `unknown`.
        holder: String,
    },
    /// The journal does not check before its end.
    #[error(
        "{} is damaged at byte {offset}: {what}. Restore a backup (`qkdnm storage restore`), or have `qkdnm storage repair` \
         say what it would cut off and what is lost by it",
        path.display()
    )]
    Damaged {
        /// The segment.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// What was found.
        what: String,
    },
    /// A file was written by a later version of the program.
    #[error("{} has format version {found}, this program knows up to {known}; use a newer qkdnm", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// A database could not be read or written.
    #[error("database {}: cannot {what}", path.display())]
    Database {
        /// The database.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// Why not.
        #[source]
        source: rusqlite::Error,
    },
    /// The state database holds something that cannot be.
    #[error("state database {}: {what}. `qkdnm storage repair` says what can be had back", path.display())]
    BadState {
        /// The database.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// A batch of the journal cannot be read although its block checks.
    #[error("batch {position} of {}: {source}", path.display())]
    Batch {
        /// The segment.
        path: PathBuf,
        /// Position of the batch, `block.batch`.
        position: super::JournalPosition,
        /// Why not.
        #[source]
        source: super::decode::DecodeError,
    },
    /// A folder that is to be filled has something in it.
    #[error("{} is not empty; name a folder that is not there yet, or move away what is in it", path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// A backup is not what was written.
    #[error("the backup is damaged: {}: {what}. Use another backup", path.display())]
    BadBackup {
        /// The file.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// A database does not check.
    #[error("{} is damaged: {what}. `qkdnm storage repair` makes a plan of what can be had back, or restore a backup", path.display())]
    BadDatabase {
        /// The database.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// What was asked for is not there.
    #[error("{0}")]
    NotFound(String),
}

impl StorageError {
    /// Wraps an error of the file system.
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { what, path, source }
    }

    /// Wraps an error of SQLite.
    pub(crate) fn database(what: &'static str, path: &Path) -> impl FnOnce(rusqlite::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Database { path, what, source }
    }

    /// The error and its causes in one line, for the log and for answers.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(source) = cause {
            text.push_str(": ");
            text.push_str(&source.to_string());
            cause = source.source();
        }
        text
    }
}
