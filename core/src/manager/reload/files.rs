//! The files that a configuration is made of, and whether they are still what they were.
//!
//! Two looks at them: *stamps* (size, time, place on the disk), cheap enough for every second, and *contents*, a hash of
//! each, read only where stamps differ. A file that is not there has neither, which is a state like any other: making it
//! is a change.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use crate::{
    config::{Config, Loaded, PluginSource, TlsConfig},
    plugin::signature::signature_file,
};

/// Where a configuration is read from.
#[derive(Clone, Debug)]
pub struct FileSet {
    main: PathBuf,
    /// Certificates, keys, lists, plugins, and what `config_files` names.
    others: BTreeSet<PathBuf>,
}

/// What the system says of each file without reading it.
pub type Stamps = BTreeMap<PathBuf, Option<(u64, i64, i64, u64)>>;

/// A hash of each file's content.
pub type Contents = BTreeMap<PathBuf, Option<u128>>;

impl FileSet {
    /// Of a configuration that was read from this main file.
    #[must_use]
    pub fn of(main: &Path, loaded: &Loaded) -> Self {
        Self::new(main, &loaded.config, &loaded.files)
    }

    /// The main file and `conf.d` alone.
    #[must_use]
    pub fn only(main: &Path) -> Self {
        Self { main: main.to_path_buf(), others: BTreeSet::new() }
    }

    fn new(main: &Path, config: &Config, more: &[PathBuf]) -> Self {
        let mut others: BTreeSet<PathBuf> = more.iter().cloned().collect();
        for tls in config.interfaces.iter().map(|interface| &interface.tls).chain([&config.tls]) {
            others.extend(tls_files(tls).cloned());
        }
        let handlers = config.handlers.iter().map(|handler| &handler.plugin);
        let policies = config.policies.iter().map(|policy| &policy.plugin);
        for plugin in handlers.chain(policies).chain(config.exchange.iter().map(|policy| &policy.plugin)) {
            match plugin {
                PluginSource::Builtin(_) => {}
                PluginSource::File(path) | PluginSource::Native(path) => {
                    others.extend([path.clone(), signature_file(path)]);
                }
            }
        }
        others.extend(config.plugins.trusted_keys.iter().cloned());
        for peer in &config.peers {
            others.extend(
                [&peer.trust_anchors, &peer.revocation_lists, &peer.origin.signing_keys, &peer.export, &peer.import]
                    .into_iter()
                    .flatten()
                    .chain(&peer.pseudonym_key)
                    .cloned(),
            );
        }
        if let Some(federation) = &config.federation {
            others.insert(federation.signing_key.clone());
            others.extend(federation.origins.iter().flat_map(|origin| &origin.signing_keys).cloned());
        }
        others.remove(Path::new(""));
        Self { main: main.to_path_buf(), others }
    }

    /// The main file.
    #[must_use]
    pub fn main(&self) -> &Path {
        &self.main
    }

    /// Whether a path is one of the files with the configuration's text.
    #[must_use]
    pub fn is_text(&self, path: &Path) -> bool {
        !self.others.contains(path)
    }

    /// All paths; `conf.d` as it is now.
    fn paths(&self) -> BTreeSet<PathBuf> {
        let folder = self.main.parent().unwrap_or_else(|| Path::new("")).join("conf.d");
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let texts = entries.filter(|path| {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            name.ends_with(".toml") && !name.starts_with('.')
        });
        texts.chain([self.main.clone()]).chain(self.others.iter().cloned()).collect()
    }

    /// A quick look.
    #[must_use]
    pub fn stamps(&self) -> Stamps {
        let stamp = |path: &PathBuf| {
            // Follows symbolic links: where they are exchanged, so is what they lead to.
            let found = fs::metadata(path).ok()?;
            Some((found.len(), found.mtime(), found.mtime_nsec(), found.ino()))
        };
        self.paths().into_iter().map(|path| (path.clone(), stamp(&path))).collect()
    }

    /// A thorough look.
    #[must_use]
    pub fn contents(&self) -> Contents {
        self.paths().into_iter().map(|path| (path.clone(), Self::content(&path))).collect()
    }

    /// A thorough look at one file.
    #[must_use]
    pub fn content(path: &Path) -> Option<u128> {
        fs::read(path).ok().map(|bytes| xxhash_rust::xxh3::xxh3_128(&bytes))
    }
}

/// The files that a TLS configuration names.
pub fn tls_files(tls: &TlsConfig) -> impl Iterator<Item = &PathBuf> {
    [&tls.certificate, &tls.private_key].into_iter().chain(&tls.trust_anchors).chain(&tls.revocation_lists)
}

/// Waits for a change to be over: says yes once, when two looks in a row see the same and it is not what was settled on.
#[derive(Debug)]
pub struct Debounce {
    settled: Stamps,
    seen: Option<Stamps>,
}

impl Debounce {
    /// Settled on what is there now.
    #[must_use]
    pub const fn new(settled: Stamps) -> Self {
        Self { settled, seen: None }
    }

    /// Another look.
    pub fn look(&mut self, now: Stamps) -> bool {
        if now == self.settled {
            self.seen = None;
            return false;
        }
        if self.seen.as_ref() != Some(&now) {
            self.seen = Some(now);
            return false;
        }
        self.settled = now;
        self.seen = None;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamps(size: u64) -> Stamps {
        BTreeMap::from([(PathBuf::from("m.toml"), Some((size, 0, 0, 0)))])
    }

    #[test]
    fn a_change_counts_once_it_is_over() {
        let mut debounce = Debounce::new(stamps(1));
        let looks =
            [(1, false), (2, false), (3, false), (3, true), (3, false), (4, false), (3, false), (4, false), (4, true)];
        for (number, (size, expected)) in looks.into_iter().enumerate() {
            assert_eq!(debounce.look(stamps(size)), expected, "look {number}");
        }
    }

    #[test]
    fn what_is_made_changed_and_removed_shows_in_both_looks() {
        let folder = tempfile::tempdir().unwrap();
        let main = folder.path().join("m.toml");
        fs::write(&main, "a").unwrap();
        let set = FileSet { main: main.clone(), others: BTreeSet::from([folder.path().join("key.pem")]) };
        let looks = || (set.stamps(), set.contents());
        let first = looks();
        assert_eq!(first.1.get(&folder.path().join("key.pem")), Some(&None), "it is not there yet");
        fs::write(folder.path().join("key.pem"), "k").unwrap();
        let second = looks();
        assert!(first.0 != second.0 && first.1 != second.1);
        fs::create_dir(folder.path().join("conf.d")).unwrap();
        assert_eq!(looks(), second);
        fs::write(folder.path().join("conf.d/20.toml"), "").unwrap();
        fs::write(folder.path().join("conf.d/.20.toml.swp"), "").unwrap();
        fs::write(folder.path().join("conf.d/.20.toml"), "").unwrap();
        let third = looks();
        assert_eq!((third.0.len(), third.1.len()), (3, 3));
        fs::remove_file(folder.path().join("conf.d/20.toml")).unwrap();
        assert_eq!(looks(), second);
        // The same content, written anew: other stamps, the same contents.
        fs::remove_file(&main).unwrap();
        fs::write(&main, "a").unwrap();
        assert_eq!(looks().1, second.1);
    }
}
