//! Machine code of plugins on disk: compiling takes a third of a second for a Rust guest and many for a Python one.
//!
//! A file holds what wasmtime serialised and its SHA-256, and is named after the plugin's digest and everything its
//! code depends on. wasmtime trusts such a file, so it is taken only from a directory that nobody else can write, and
//! only whole. Files are written under another name and renamed, never changed in place. Whatever goes wrong, the
//! plugin is compiled again: a cache can be slow to be of use, not wrong.

use std::{
    hash::{Hash as _, Hasher as _},
    io,
    path::{Path, PathBuf},
};

use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use wasmtime::{Engine, component::Component};
use xxhash_rust::xxh3::Xxh3;

use crate::{config::limits, plugin::private_folder};

/// The directory of compiled plugins, if it can be used.
#[derive(Debug)]
pub(super) struct CodeCache {
    directory: Option<PathBuf>,
    compatibility: u64,
}

impl CodeCache {
    /// Makes the directory where it is missing. One that others can write is not used, and a warning says so.
    pub(super) fn open(directory: &Path, engine: &Engine) -> Self {
        let mut hasher = Xxh3::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        env!("CARGO_PKG_VERSION").hash(&mut hasher);
        let directory = match private_folder::prepare(directory) {
            Ok(()) => Some(directory.to_owned()),
            Err(error) => {
                tracing::warn!(
                    directory = %directory.display(), %error,
                    "The plugin cache (plugins.cache_dir) cannot be used; plugins are compiled at every start."
                );
                None
            }
        };
        Self { directory, compatibility: hasher.finish() }
    }

    /// The component with this digest: from the cache, or compiled from what `bytes` gives.
    pub(super) fn component(
        &self,
        engine: &Engine,
        digest: &str,
        bytes: impl FnOnce() -> Result<Vec<u8>, String>,
    ) -> Result<Component, String> {
        let path = self.directory.as_ref().map(|directory| directory.join(self.file_name(digest)));
        if let Some(component) = path.as_deref().and_then(|path| load(engine, path)) {
            return Ok(component);
        }
        let component = Component::new(engine, bytes()?).map_err(|error| format!("does not compile: {error:#}"))?;
        if let (Some(directory), Some(path)) = (&self.directory, &path) {
            let kept = component.serialize().map_err(io::Error::other).and_then(|code| keep(directory, path, &code));
            if let Err(error) = kept {
                tracing::warn!(path = %path.display(), %error, "A compiled plugin was not kept.");
            }
        }
        Ok(component)
    }

    fn file_name(&self, digest: &str) -> String {
        format!("{digest}-{:016x}.cwasm", self.compatibility)
    }
}

fn load(engine: &Engine, path: &Path) -> Option<Component> {
    let code = match read(path) {
        Ok(code) => code,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "A compiled plugin cannot be used and is compiled again.");
            return None;
        }
    };
    // SAFETY: these bytes carry the digest that `keep` put behind them, in a file and directory that only this user
    // can write: they are what wasmtime serialised here. It checks version, settings and CPU itself.
    #[expect(unsafe_code, reason = "the one way to load compiled code")]
    let component = unsafe { Component::deserialize(engine, &code) };
    component.inspect_err(|error| tracing::info!(path = %path.display(), %error, "A plugin is compiled again.")).ok()
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut code = private_folder::read(path)?;
    let end = code.len().saturating_sub(SHA256_OUTPUT_LEN);
    let whole = code.split_at_checked(end).is_some_and(|(code, sum)| digest(&SHA256, code).as_ref() == sum);
    if !whole {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is damaged"));
    }
    code.truncate(end);
    Ok(code)
}

fn keep(directory: &Path, path: &Path, code: &[u8]) -> io::Result<()> {
    let sum = digest(&SHA256, code);
    private_folder::keep(directory, path, 0o600, &[code, sum.as_ref()], limits::PLUGIN_CACHE_FILES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    /// The smallest component there is.
    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    fn compiled_again(cache: &CodeCache, engine: &Engine) -> bool {
        let mut again = false;
        let bytes = || {
            again = true;
            Ok(EMPTY.to_vec())
        };
        cache.component(engine, "d1", bytes).unwrap();
        again
    }

    fn only_file(directory: &Path) -> PathBuf {
        let mut files = std::fs::read_dir(directory).unwrap();
        let file = files.next().unwrap().unwrap().path();
        assert!(files.next().is_none(), "no temporary file stays");
        file
    }

    #[test]
    fn code_is_compiled_once_and_again_after_any_damage() {
        let engine = super::super::engine::start(false).unwrap();
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("data/cache");
        let cache = CodeCache::open(&directory, &engine);
        assert!(compiled_again(&cache, &engine));
        assert!(!compiled_again(&cache, &engine));
        let file = only_file(&directory);
        let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&directory), mode(&file)), (0o700, 0o600));
        let good = std::fs::read(&file).unwrap();
        let mut flipped = good.clone();
        flipped[good.len() / 2] ^= 1;
        for bad in [&[][..], &good[..good.len() / 2], &flipped, b"not code"] {
            std::fs::write(&file, bad).unwrap();
            assert!(compiled_again(&cache, &engine));
            assert!(!compiled_again(&cache, &engine), "the bad file was replaced");
        }
    }

    #[test]
    fn what_others_can_write_is_not_used() {
        let engine = super::super::engine::start(false).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let cache = CodeCache::open(directory.path(), &engine);
        assert!(compiled_again(&cache, &engine));
        let file = only_file(directory.path());
        let allow = |path: &Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        allow(&file, 0o620);
        assert!(compiled_again(&cache, &engine));
        assert!(!compiled_again(&cache, &engine));
        std::fs::rename(&file, directory.path().join("elsewhere")).unwrap();
        std::os::unix::fs::symlink(directory.path().join("elsewhere"), &file).unwrap();
        assert!(compiled_again(&cache, &engine), "a link is not followed");
        allow(directory.path(), 0o777);
        let cache = CodeCache::open(directory.path(), &engine);
        assert!(compiled_again(&cache, &engine));
        assert!(compiled_again(&cache, &engine));
    }
}
