//! Copies of files of several kinds, private to their owner.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OpenFlags};

use crate::storage::error::StorageError;

/// Read and written by their owner alone.
const PRIVATE_FILE: u32 = 0o600;
const PRIVATE_FOLDER: u32 = 0o700;

/// Bytes read at a time.
const SOME: usize = 1 << 20;

/// A folder that is there and empty.
pub(in crate::storage) fn make_empty(folder: &Path) -> Result<(), StorageError> {
    make_folder(folder)?;
    let mut entries = fs::read_dir(folder).map_err(StorageError::io("list", folder))?;
    if entries.next().is_some() {
        return Err(StorageError::NotEmpty { path: folder.to_owned() });
    }
    Ok(())
}

/// A folder, made if it is not there.
pub(in crate::storage) fn make_folder(folder: &Path) -> Result<(), StorageError> {
    let made = fs::DirBuilder::new().recursive(true).mode(PRIVATE_FOLDER).create(folder);
    made.map_err(StorageError::io("create", folder))
}

/// Deletes what is in a folder.
pub(in crate::storage) fn empty(folder: &Path) -> Result<(), StorageError> {
    for entry in fs::read_dir(folder).map_err(StorageError::io("list", folder))? {
        let path = entry.map_err(StorageError::io("list", folder))?.path();
        let deleted = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        deleted.map_err(StorageError::io("delete", &path))?;
    }
    Ok(())
}

/// Copies a file.
pub(in crate::storage) fn file(from: &Path, to: &Path) -> Result<(), StorageError> {
    copy(from, to, |_| {})
}

/// Copies a file and shows every byte of it to `see`.
pub(in crate::storage) fn copy(from: &Path, to: &Path, mut see: impl FnMut(&[u8])) -> Result<(), StorageError> {
    let mut source = File::open(from).map_err(StorageError::io("open", from))?;
    let options = OpenOptions::new().write(true).create_new(true).mode(PRIVATE_FILE).open(to);
    let mut target = options.map_err(StorageError::io("create", to))?;
    let mut buffer = vec![0; SOME];
    loop {
        let read = match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(StorageError::io("read", from)(error)),
        };
        let bytes = buffer.get(..read).unwrap_or_default();
        see(bytes);
        target.write_all(bytes).map_err(StorageError::io("write", to))?;
    }
    target.sync_all().map_err(StorageError::io("write", to))
}

/// Copies a file that may be deleted just now.
pub(in crate::storage) fn file_if_there(from: &Path, to: &Path) -> Result<(), StorageError> {
    match file(from, to) {
        Err(StorageError::Io { what: "open", source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Copies a file of lines without a line that is being written at its end.
pub(in crate::storage) fn whole_lines(from: &Path, to: &Path) -> Result<(), StorageError> {
    let (mut length, mut end) = (0_u64, 0_u64);
    copy(from, to, |bytes| {
        if let Some(last) = memchr::memrchr(b'\n', bytes) {
            end = length + last as u64 + 1;
        }
        length += bytes.len() as u64;
    })?;
    let cut = OpenOptions::new().write(true).open(to).and_then(|file| {
        file.set_len(end)?;
        file.sync_all()
    });
    cut.map_err(StorageError::io("cut", to))
}

/// Copies a database as it is at one moment, whoever may be writing it. Nothing is done where there is none.
pub(in crate::storage) fn database(from: &Path, to: &Path) -> Result<(), StorageError> {
    if !from.exists() {
        return Ok(());
    }
    let Some(target) = to.to_str() else {
        return Err(StorageError::NotFound(format!("{} is no path in UTF-8, as SQLite wants it", to.display())));
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let copied = Connection::open_with_flags(from, flags).and_then(|connection| {
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        connection.execute("VACUUM INTO ?1", [target]).map(|_| ())
    });
    copied.map_err(StorageError::database("copy it", from))?;
    let durable = File::open(to).and_then(|file| {
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(PRIVATE_FILE))?;
        file.sync_all()
    });
    durable.map_err(StorageError::io("write", to))
}

/// The files below a folder, in the order of their paths.
pub(in crate::storage) fn files_below(folder: &Path) -> Result<Vec<PathBuf>, StorageError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(StorageError::io("list", folder))? {
        let path = entry.map_err(StorageError::io("list", folder))?.path();
        if path.is_dir() {
            files.extend(files_below(&path)?);
        } else {
            files.push(path);
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// Has the names in a folder and in those within it survive a power cut.
pub(in crate::storage) fn make_durable(folder: &Path) -> Result<(), StorageError> {
    for entry in fs::read_dir(folder).map_err(StorageError::io("list", folder))? {
        let path = entry.map_err(StorageError::io("list", folder))?.path();
        if path.is_dir() {
            make_durable(&path)?;
        }
    }
    File::open(folder).and_then(|file| file.sync_all()).map_err(StorageError::io("write", folder))
}
