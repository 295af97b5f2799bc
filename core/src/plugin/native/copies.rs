//! Copies of libraries, one a digest, in a folder that only the manager's user can write: what is loaded is what was read
//! and compared with the pinned digest, whatever happens to the file that the configuration names.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::{config::limits, plugin::private_folder};

/// The path of a copy of `bytes` in `folder`, made now if it is not there or differs.
pub(super) fn keep(folder: &Path, digest: &str, bytes: &[u8]) -> io::Result<PathBuf> {
    private_folder::prepare(folder).map_err(|error| {
        io::Error::other(format!("{} must not belong to others or be written by others: {error}", folder.display()))
    })?;
    let path = folder.join(format!("{digest}.so"));
    if !private_folder::read(&path).is_ok_and(|kept| kept == bytes) {
        private_folder::keep(folder, &path, 0o500, &[bytes], limits::PLUGIN_CACHE_FILES)?;
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt as _};

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
