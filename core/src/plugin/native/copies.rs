//! Copies of libraries, one a digest, in a folder that only the manager's user can write: what is loaded is what was read
//! and compared with the pinned digest, whatever happens to the file that the configuration names.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

/// The path of a copy of `bytes` in `folder`, made now if it is not there or differs.
pub(super) fn keep(folder: &Path, digest: &str, bytes: &[u8]) -> io::Result<PathBuf> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let metadata = fs::metadata(folder)?;
    if metadata.uid() != rustix::process::geteuid().as_raw() || metadata.mode() & 0o022 != 0 {
        return Err(io::Error::other(format!(
            "{} belongs to another user or can be written by others (mode {:o}); it has to be the manager's alone",
            folder.display(),
            metadata.mode() & 0o7777
        )));
    }
    let path = folder.join(format!("{digest}.so"));
    if fs::read(&path).is_ok_and(|kept| kept == bytes) {
        return Ok(path);
    }
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let new = folder.join(format!("{digest}.{}-{number}.new", process::id()));
    // Never changed in place: another process may have it loaded.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o500).open(&new)?;
    file.write_all(bytes)?;
    fs::rename(&new, &path)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_copy_is_what_was_read_whatever_stood_there() {
        let folder = tempfile::tempdir().unwrap();
        let copies = folder.path().join("native");
        let path = keep(&copies, "d1", b"library").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"library");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(&path, b"changed").unwrap();
        assert_eq!(fs::read(keep(&copies, "d1", b"library").unwrap()).unwrap(), b"library");
        assert_eq!(fs::read_dir(&copies).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_folder_that_others_can_write_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let error = keep(folder.path(), "d1", b"library").unwrap_err().to_string();
        assert!(error.contains("written by others"), "{error}");
    }
}
