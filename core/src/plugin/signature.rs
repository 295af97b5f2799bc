//! Signatures of plugins: who approved these bytes.
//!
//! A signature stands in a file of its own beside the plugin, `PLUGIN.sig`: text that people can read and that can be checked
//! without the manager (`wit/README.md` says how). What is signed is the first four lines, which name format, SHA-256 of the
//! plugin, key and algorithm; the signature itself is the fifth. In: a plugin's path and digest, files of trusted keys. Out:
//! whose signature it carries, or what is wrong with it. Whether a signature is needed is for `host` to know.

use std::{
    fmt,
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::artifact::hex;
use crate::{
    config::limits,
    signing::{EDDSA, KeyError, ML_DSA, PrivateKey, PublicKey, verifies},
};

const FIRST_LINE: &str = "qkdnm plugin signature 1";

/// Whose signature a plugin carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signature {
    /// There is none.
    None,
    /// Of a trusted key: its name, and its file.
    Of {
        /// Name of the key.
        kid: String,
        /// Its file, as configured.
        file: PathBuf,
    },
    /// There is one that says nothing: why, as the rest of a sentence about the file of the signature.
    Worthless(String),
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("not signed"),
            Self::Of { kid, file } => write!(f, "signed with {kid} ({})", file.display()),
            Self::Worthless(problem) => write!(f, "its signature {problem}"),
        }
    }
}

/// Why a plugin cannot be signed, or a key not be used.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// A file cannot be read or written.
    #[error("cannot {what} {}: {error}", path.display())]
    File {
        /// `read` or `write`.
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A key cannot be used.
    #[error("{}: {problem}", path.display())]
    Key {
        /// Its file.
        path: PathBuf,
        /// Why.
        problem: KeyError,
    },
    /// No manager would load it.
    #[error("{} has more than {allowed} bytes, which is the most that a plugin may have", path.display())]
    TooLarge {
        /// Which.
        path: PathBuf,
        /// The limit.
        allowed: u64,
    },
    /// The machine gave no randomness, or the library failed.
    #[error("the library could not sign")]
    Library,
}

/// Where the signature of a plugin stands: its name with `.sig` behind it.
#[must_use]
pub fn signature_file(plugin: &Path) -> PathBuf {
    let mut name = plugin.as_os_str().to_owned();
    name.push(".sig");
    name.into()
}

fn read(path: &Path, most: u64) -> Result<Vec<u8>, SignatureError> {
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes));
    read.map(|_| bytes).map_err(|error| SignatureError::File { what: "read", path: path.to_owned(), error })
}

/// SHA-256 of a plugin's file, lower-case hex.
fn digest_of(plugin: &Path) -> Result<String, SignatureError> {
    let bytes = read(plugin, limits::PLUGIN_FILE_BYTES + 1)?;
    if bytes.len() as u64 > limits::PLUGIN_FILE_BYTES {
        return Err(SignatureError::TooLarge { path: plugin.to_owned(), allowed: limits::PLUGIN_FILE_BYTES });
    }
    Ok(hex(digest(&SHA256, &bytes).as_ref()))
}

fn signed_text(sha256: &str, kid: &str, algorithm: &str) -> String {
    format!("{FIRST_LINE}\nsha256 {sha256}\nkey {kid}\nalgorithm {algorithm}\n")
}

/// Signs a plugin's file with a private key's. The file of the signature, and the name of the key.
///
/// # Errors
/// If a file cannot be read or written, or the key cannot sign.
pub fn sign(plugin: &Path, key: &Path) -> Result<(PathBuf, String), SignatureError> {
    let pem = read(key, limits::SIGNING_KEY_BYTES)?;
    let private =
        PrivateKey::from_pem(&pem).map_err(|problem| SignatureError::Key { path: key.to_owned(), problem })?;
    let sha256 = digest_of(plugin)?;
    let PublicKey { kid, algorithm, .. } = private.public();
    let mut text = signed_text(&sha256, kid, algorithm);
    let signature = private.sign(text.as_bytes()).ok_or(SignatureError::Library)?;
    text.push_str(&format!("signature {}\n", STANDARD.encode(signature)));
    let file = signature_file(plugin);
    let failed = |error| SignatureError::File { what: "write", path: file.clone(), error };
    // Under another name first: a manager may look at any moment.
    let fresh = file.with_extension("sig.new");
    let written = std::fs::File::create(&fresh).and_then(|mut to| {
        to.write_all(text.as_bytes())?;
        to.sync_all()
    });
    written.and_then(|()| std::fs::rename(&fresh, &file)).map_err(failed)?;
    Ok((file, kid.clone()))
}

/// Reads trusted keys.
///
/// # Errors
/// With every file that is none.
pub fn trusted_keys(files: &[PathBuf]) -> Result<Vec<(PathBuf, PublicKey)>, Vec<SignatureError>> {
    let (mut keys, mut problems) = (Vec::new(), Vec::new());
    for path in files {
        let key = read(path, limits::SIGNING_KEY_BYTES).and_then(|pem| {
            PublicKey::from_pem(&pem).map_err(|problem| SignatureError::Key { path: path.clone(), problem })
        });
        match key {
            Ok(key) => keys.push((path.clone(), key)),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(keys) } else { Err(problems) }
}

/// SHA-256 of a plugin's file (lower-case hex), and whose signature it carries.
///
/// # Errors
/// If the plugin cannot be read. What is the matter with its signature is no error.
pub fn verify(plugin: &Path, trusted: &[(PathBuf, PublicKey)]) -> Result<(String, Signature), SignatureError> {
    let sha256 = digest_of(plugin)?;
    let signature = signature_of(plugin, &sha256, trusted);
    Ok((sha256, signature))
}

/// Whose signature the plugin with this digest carries.
pub(super) fn signature_of(plugin: &Path, sha256: &str, trusted: &[(PathBuf, PublicKey)]) -> Signature {
    match read(&signature_file(plugin), limits::PLUGIN_SIGNATURE_BYTES + 1) {
        Err(SignatureError::File { error, .. }) if error.kind() == io::ErrorKind::NotFound => Signature::None,
        Err(SignatureError::File { error, .. }) => Signature::Worthless(format!("cannot be read: {error}")),
        Err(other) => Signature::Worthless(other.to_string()),
        Ok(text) => check(&text, sha256, trusted).unwrap_or_else(Signature::Worthless),
    }
}

/// What a plugin's signature says of itself, checked by nobody, for a person.
#[must_use]
pub fn claimed(plugin: &Path) -> String {
    let Ok(text) = read(&signature_file(plugin), limits::PLUGIN_SIGNATURE_BYTES) else {
        return Signature::None.to_string();
    };
    let text = String::from_utf8_lossy(&text);
    let kid = text.lines().find_map(|line| line.strip_prefix("key "));
    let kid = kid.filter(|kid| is_name(kid));
    kid.map_or_else(
        || "of no format that is known".to_owned(),
        |kid| format!("names the key {kid}; `qkdnm plugin verify` checks it"),
    )
}

/// Whether it can be the name of a key: nothing else of the file is repeated to people.
fn is_name(kid: &str) -> bool {
    kid.len() < 64 && kid.bytes().all(|byte| byte.is_ascii_graphic())
}

fn check(text: &[u8], sha256: &str, trusted: &[(PathBuf, PublicKey)]) -> Result<Signature, String> {
    let not_one = || format!("is not of the format `{FIRST_LINE}`; `qkdnm plugin sign` writes it");
    if text.len() as u64 > limits::PLUGIN_SIGNATURE_BYTES {
        return Err(not_one());
    }
    let text = std::str::from_utf8(text).map_err(|_| not_one())?;
    let mut lines = text.lines();
    let mut line = |word: &str| {
        let value = lines.next().and_then(|line| line.strip_prefix(word)?.strip_prefix(' ')).ok_or_else(not_one)?;
        Ok::<_, String>(value)
    };
    if line("qkdnm")? != FIRST_LINE.trim_start_matches("qkdnm ") {
        return Err(not_one());
    }
    let (signed, kid, algorithm, signature) = (line("sha256")?, line("key")?, line("algorithm")?, line("signature")?);
    let is_digest = signed.len() == 64 && signed.bytes().all(|byte| byte.is_ascii_hexdigit());
    if lines.next().is_some() || ![EDDSA, ML_DSA].contains(&algorithm) || !is_digest || !is_name(kid) {
        return Err(not_one());
    }
    if signed != sha256 {
        return Err(format!("is for another file: it names the SHA-256 {signed}, and this one has {sha256}"));
    }
    let Some((file, key)) = trusted.iter().find(|(_, key)| key.kid == kid && key.algorithm == algorithm) else {
        return Err(format!("is of the key {kid}, which plugins.trusted_keys does not have"));
    };
    let signature = STANDARD.decode(signature).map_err(|_| not_one())?;
    let message = signed_text(signed, kid, algorithm);
    if !verifies(algorithm, &key.spki, message.as_bytes(), &signature) {
        return Err(format!("is not one of the key {kid}: it was changed, or made with another key"));
    }
    Ok(Signature::Of { kid: kid.to_owned(), file: file.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::{SigningAlgorithm, signing_key};

    struct Site {
        folder: tempfile::TempDir,
        plugin: PathBuf,
    }

    impl Site {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let plugin = folder.path().join("acme.wasm");
            std::fs::write(&plugin, b"\0asm").unwrap();
            Self { folder, plugin }
        }

        fn key(&self, name: &str, algorithm: SigningAlgorithm) -> (PathBuf, PathBuf) {
            let private = self.folder.path().join(name);
            let public = signing_key(&private, algorithm).unwrap();
            (private, public)
        }

        fn seen(&self, trusted: &[PathBuf]) -> Signature {
            verify(&self.plugin, &trusted_keys(trusted).unwrap()).unwrap().1
        }
    }

    fn problem(signature: Signature) -> String {
        match signature {
            Signature::Worthless(problem) => problem,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_signature_is_of_one_key_and_one_file() {
        for algorithm in [SigningAlgorithm::Ed25519, SigningAlgorithm::MlDsa65] {
            let site = Site::new();
            let (private, public) = site.key("acme.key", algorithm);
            assert_eq!(site.seen(std::slice::from_ref(&public)), Signature::None);
            let (file, kid) = sign(&site.plugin, &private).unwrap();
            assert_eq!(file, site.folder.path().join("acme.wasm.sig"));
            assert_eq!(site.seen(std::slice::from_ref(&public)), Signature::Of { kid, file: public.clone() });
            assert!(problem(site.seen(&[])).contains("trusted_keys does not have"));
            assert!(claimed(&site.plugin).contains("plugin verify"), "{}", claimed(&site.plugin));
            let (_, other) = site.key("other.key", algorithm);
            assert!(problem(site.seen(&[other])).contains("trusted_keys does not have"));
            std::fs::write(&site.plugin, b"\0asm and more").unwrap();
            assert!(problem(site.seen(&[public])).contains("for another file"));
        }
    }

    #[test]
    fn every_changed_byte_of_the_file_is_noticed() {
        let site = Site::new();
        let (private, public) = site.key("acme.key", SigningAlgorithm::Ed25519);
        let (file, _) = sign(&site.plugin, &private).unwrap();
        let good = std::fs::read(&file).unwrap();
        // The last is the end of the last line.
        for at in 0..good.len() - 1 {
            let mut changed = good.clone();
            changed[at] ^= 1;
            std::fs::write(&file, &changed).unwrap();
            let seen = site.seen(std::slice::from_ref(&public));
            assert!(matches!(seen, Signature::Worthless(_)), "byte {at}: {seen}");
        }
        for cut in [0, 1, good.len() / 2, good.len() - 5] {
            std::fs::write(&file, &good[..cut]).unwrap();
            assert!(matches!(site.seen(std::slice::from_ref(&public)), Signature::Worthless(_)), "{cut}");
        }
        std::fs::write(&file, [good.as_slice(), b"more\n"].concat()).unwrap();
        assert!(matches!(site.seen(std::slice::from_ref(&public)), Signature::Worthless(_)));
    }

    #[test]
    fn what_is_no_key_is_named() {
        let site = Site::new();
        let (private, _) = site.key("acme.key", SigningAlgorithm::Ed25519);
        let missing = site.folder.path().join("none.pub");
        let problems = trusted_keys(&[private, missing]).unwrap_err();
        let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(texts[0].contains("acme.key: no public key in PEM"), "{texts:?}");
        assert!(texts[1].starts_with("cannot read") && texts[1].contains("none.pub"), "{texts:?}");
    }
}
