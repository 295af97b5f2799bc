//! From a plugin's place in the configuration to its bytes: found, bounded, compared with the pinned digest, and told
//! apart by their header. Core modules become components here; compiling is `cache`'s work.

use std::{fmt::Write as _, io::Read as _, path::Path};

use aws_lc_rs::digest;

use super::{PluginError, vocabulary};
use crate::config::{PluginSource, limits};

include!(concat!(env!("OUT_DIR"), "/builtin_plugins.rs"));

/// In which form a plugin comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// WebAssembly.
    Component,
    /// A shared library, trusted.
    Library,
}

/// A plugin as found, not yet compiled.
#[derive(Debug)]
pub(super) struct Artifact {
    /// Its form.
    pub(super) form: Form,
    /// `builtin:mq`, or the file's path.
    pub(super) text: String,
    /// SHA-256 of the bytes, lower-case hex.
    pub(super) digest: String,
    /// The file as it was read, once.
    pub(super) bytes: Vec<u8>,
}

/// Names of the plugins inside the binary.
pub(super) fn builtin_names() -> impl Iterator<Item = &'static str> {
    BUILTIN_PLUGINS.iter().map(|(name, _)| *name)
}

impl Artifact {
    /// Finds a plugin's bytes and checks the pinned digest.
    pub(super) fn find(plugin: &str, source: &PluginSource, pinned: Option<&str>) -> Result<Self, PluginError> {
        let (text, bytes) = match source {
            PluginSource::Builtin(name) => (format!("builtin:{name}"), builtin(plugin, name)?.to_vec()),
            PluginSource::File(path) => (path.display().to_string(), read(plugin, path)?),
            PluginSource::Native(path) => (format!("native:{}", path.display()), read(plugin, path)?),
        };
        let form = if matches!(source, PluginSource::Native(_)) { Form::Library } else { Form::Component };
        let digest = hex(digest::digest(&digest::SHA256, &bytes).as_ref());
        if let Some(expected) =
            pinned.filter(|expected| !expected.is_empty() && !expected.eq_ignore_ascii_case(&digest))
        {
            return Err(PluginError::Digest {
                plugin: plugin.to_owned(),
                artifact: text,
                expected: expected.to_owned(),
                found: digest,
            });
        }
        Ok(Self { form, text, digest, bytes })
    }

    /// The bytes as a component; a core module is wrapped as its component type section says.
    pub(super) fn into_component(self) -> Result<Vec<u8>, String> {
        match self.bytes.get(..8) {
            Some(b"\0asm\x0d\0\x01\0") => Ok(self.bytes),
            Some(b"\0asm\x01\0\0\0") => wrap(&self.bytes),
            None if self.bytes.starts_with(b"\0asm") => Err(format!(
                "has {} bytes and ends within its first words: it is cut short; copy or build it again",
                self.bytes.len()
            )),
            Some([b'\0', b'a', b's', b'm', version @ ..]) => Err(format!(
                "is WebAssembly of an unknown version ({}); expected a component or a core module",
                hex(version)
            )),
            _ if self.bytes.starts_with(b"\x7fELF") || self.bytes.starts_with(b"\xcf\xfa\xed\xfe") => Err(
                "is a native library and no WebAssembly. A native plugin is named `native:PATH`, with its `sha256`, and \
                 needs `plugins.allow_native = true`: it is trusted like the manager itself"
                    .to_owned(),
            ),
            _ => Err("is no WebAssembly: it does not begin with the bytes 00 61 73 6d. Give the .wasm file that \
                      `cargo build --target wasm32-unknown-unknown` makes"
                .to_owned()),
        }
    }
}

/// The bytes of a plugin inside the binary.
#[must_use]
pub fn builtin_bytes(name: &str) -> Option<&'static [u8]> {
    BUILTIN_PLUGINS.iter().chain(YARDSTICKS).find(|(known, _)| *known == name).map(|(_, bytes)| *bytes)
}

fn builtin(plugin: &str, name: &str) -> Result<&'static [u8], PluginError> {
    builtin_bytes(name).ok_or_else(|| PluginError::UnknownBuiltin {
        plugin: plugin.to_owned(),
        name: name.to_owned(),
        suggestion: vocabulary::did_you_mean(name, builtin_names()),
        known: builtin_names().collect::<Vec<_>>().join(", "),
    })
}

fn read(plugin: &str, path: &Path) -> Result<Vec<u8>, PluginError> {
    let failed = |source| PluginError::Read { plugin: plugin.to_owned(), path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    file.take(limits::PLUGIN_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > limits::PLUGIN_FILE_BYTES {
        return Err(PluginError::TooLarge {
            plugin: plugin.to_owned(),
            artifact: path.display().to_string(),
            found: size.max(bytes.len() as u64),
            allowed: limits::PLUGIN_FILE_BYTES,
        });
    }
    Ok(bytes)
}

fn wrap(module: &[u8]) -> Result<Vec<u8>, String> {
    let is_plugin = [b"component-type".as_slice(), b"qkdn:manager".as_slice()]
        .iter()
        .all(|wanted| memchr::memmem::find(module, wanted).is_some());
    if !is_plugin {
        return Err(
            "is a core module without component type information: build it with the SDK's register! macro, or \
                    with wit-bindgen from the manager's WIT, and do not strip its custom sections"
                .to_owned(),
        );
    }
    wit_component::ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|encoder| encoder.encode())
        .map_err(|error| format!("is a core module that cannot be made a component: {error:#}"))
}

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: &[u8]) -> (tempfile::NamedTempFile, PluginSource) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let source = PluginSource::File(file.path().to_owned());
        (file, source)
    }

    #[test]
    fn the_pinned_digest_decides() {
        let (_file, source) = file(b"abc");
        let right = "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD";
        assert_eq!(Artifact::find("p", &source, Some(right)).unwrap().digest, right.to_lowercase());
        let text = Artifact::find("p", &source, Some(&right.replace('B', "C"))).unwrap_err().to_string();
        assert!(text.contains("ba7816bf") && text.contains("CA7816CF"), "{text}");
    }

    #[test]
    fn what_is_no_plugin_is_told_apart() {
        for (bytes, wanted) in [
            (b"#!/bin/sh".as_slice(), "no WebAssembly"),
            (b"\0asm".as_slice(), "has 4 bytes and ends"),
            (b"\x7fELF\x02\x01\x01\0\0".as_slice(), "`native:PATH`"),
            (b"\0asm\x07\0\0\0".as_slice(), "unknown version (07000000)"),
            (b"\0asm\x01\0\0\0".as_slice(), "register! macro"),
        ] {
            let (_file, source) = file(bytes);
            let problem = Artifact::find("p", &source, None).unwrap().into_component().unwrap_err();
            assert!(problem.contains(wanted), "{problem}");
        }
    }

    #[test]
    fn an_unknown_builtin_names_the_file_that_is_not_there() {
        let source = PluginSource::Builtin("treshold".to_owned());
        let error = Artifact::find("qber", &source, None).unwrap_err().to_string();
        assert!(error.contains("`qber`") && error.contains("`treshold`"), "{error}");
        let source = PluginSource::File("no/such/file.wasm".into());
        let error = Artifact::find("qber", &source, None).unwrap_err().to_string();
        assert!(error.contains("no/such/file.wasm"), "{error}");
    }
}
