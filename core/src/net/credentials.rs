//! Certificates, keys, trust anchors and revocation lists from files, each problem named with its file.
//!
//! In: paths from `[tls]` and `[interfaces.*]`. Out: what rustls takes. All problems of a set of files are found in one
//! go ([`Problems`]); a certificate that has expired or is about to is a [`TrustWarning`], not an error: the manager
//! starts, and says so.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{RootCertStore, crypto::CryptoProvider, sign::CertifiedKey};
use rustls_pki_types::{
    CertificateDer, CertificateRevocationListDer, PrivateKeyDer,
    pem::{self, PemObject},
};
use x509_parser::{certificate::X509Certificate, prelude::FromDer, revocation_list::CertificateRevocationList};

use super::identity::named_in;
use crate::{
    config::TlsConfig,
    model::{ComponentRef, Timestamp},
};

/// One file that is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// It cannot be read.
    #[error("{key}: cannot read {}: {error}", .path.display())]
    Read {
        /// The key of the configuration that names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It holds something else.
    #[error("{key}: {}: {found}; expected {expected}", .path.display())]
    Content {
        /// The key of the configuration that names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is there.
        found: String,
        /// What should be.
        expected: &'static str,
    },
    /// Certificate and key are not a pair.
    #[error("private_key: {} is not the key of the certificate in {}; both come from the same `qkdnm pki issue`, or from the \
             same certificate request", .private_key.display(), .certificate.display())]
    KeyMismatch {
        /// The certificate.
        certificate: PathBuf,
        /// The key.
        private_key: PathBuf,
    },
    /// No anchors: nobody could ever connect.
    #[error("trust_anchors: no file is named; name the CA certificates that issue the components' certificates")]
    NoAnchors,
}

/// Something that works, and needs attention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustWarning(pub String);

impl CredentialError {
    /// The key of the configuration that names the file.
    #[must_use]
    pub const fn key(&self) -> &'static str {
        match self {
            Self::Read { key, .. } | Self::Content { key, .. } => key,
            Self::KeyMismatch { .. } => "private_key",
            Self::NoAnchors => "trust_anchors",
        }
    }
}

impl fmt::Display for TrustWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is found while files are read: errors and warnings.
#[derive(Debug, Default)]
pub struct Problems {
    /// Any of these refuses the whole.
    pub errors: Vec<CredentialError>,
    /// These are only told.
    pub warnings: Vec<TrustWarning>,
}

impl Problems {
    fn keep<T>(&mut self, result: Result<T, CredentialError>) -> Option<T> {
        result.map_err(|error| self.errors.push(error)).ok()
    }

    fn warn(&mut self, sentence: String) {
        self.warnings.push(TrustWarning(sentence));
    }
}

/// The manager's own certificate.
#[derive(Debug)]
pub struct OwnCertificate {
    /// Chain and key.
    pub certified: Arc<CertifiedKey>,
    /// End of validity of the first in the chain.
    pub not_after: Timestamp,
}

/// Reads the manager's certificate and key and checks that they are a pair.
pub fn own_certificate(
    tls: &TlsConfig,
    provider: &CryptoProvider,
    now: Timestamp,
    problems: &mut Problems,
) -> Option<OwnCertificate> {
    let chain = certificates("certificate", &tls.certificate);
    let chain = problems.keep(chain);
    let key = private_key(&tls.private_key);
    let key = problems.keep(key);
    if key.is_some() && readable_by_others(&tls.private_key) {
        problems.warn(format!(
            "private_key: {} may be read by other users of this machine; `chmod 600` it",
            tls.private_key.display()
        ));
    }
    let (chain, key) = (chain?, key?);
    let not_after = own_validity(&tls.certificate, chain.first()?, now, problems)?;
    let certified = match CertifiedKey::from_der(chain, key, provider) {
        Ok(certified) => certified,
        Err(rustls::Error::InconsistentKeys(_)) => {
            problems.errors.push(CredentialError::KeyMismatch {
                certificate: tls.certificate.clone(),
                private_key: tls.private_key.clone(),
            });
            return None;
        }
        Err(error) => {
            problems.errors.push(CredentialError::Content {
                key: "private_key",
                path: tls.private_key.clone(),
                found: format!("a key that cannot be used ({error})"),
                expected: "an ECDSA (P-256, P-384), Ed25519 or RSA key",
            });
            return None;
        }
    };
    Some(OwnCertificate { certified: Arc::new(certified), not_after })
}

fn own_validity(path: &Path, leaf: &CertificateDer<'_>, now: Timestamp, problems: &mut Problems) -> Option<Timestamp> {
    let Ok((_, certificate)) = X509Certificate::from_der(leaf) else {
        problems.errors.push(CredentialError::Content {
            key: "certificate",
            path: path.to_owned(),
            found: "a certificate that cannot be read".to_owned(),
            expected: "an X.509 certificate in PEM",
        });
        return None;
    };
    let not_before = Timestamp(certificate.validity().not_before.timestamp().saturating_mul(1000));
    let not_after = Timestamp(certificate.validity().not_after.timestamp().saturating_mul(1000));
    let path = path.display();
    if not_after < now {
        problems.warn(format!("certificate: {path} expired at {not_after}; components will refuse this manager"));
    } else if now < not_before {
        problems
            .warn(format!("certificate: {path} is valid from {not_before} on; components will refuse it until then"));
    } else if not_after.since(now) < EXPIRY_NOTICE_MS {
        problems.warn(format!("certificate: {path} expires at {not_after}; replace it before"));
    }
    Some(not_after)
}

/// Reads trust anchors.
pub fn anchors(paths: &[PathBuf], now: Timestamp, problems: &mut Problems) -> RootCertStore {
    let mut store = RootCertStore::empty();
    if paths.is_empty() {
        problems.errors.push(CredentialError::NoAnchors);
    }
    for path in paths {
        let Some(found) = problems.keep(certificates("trust_anchors", path)) else { continue };
        for (at, certificate) in found.into_iter().enumerate() {
            if let Ok((_, parsed)) = X509Certificate::from_der(&certificate) {
                let not_after = Timestamp(parsed.validity().not_after.timestamp().saturating_mul(1000));
                if not_after < now {
                    problems.warn(format!("trust_anchors: {} expired at {not_after}", path.display()));
                }
            }
            if let Err(error) = store.add(certificate) {
                problems.errors.push(CredentialError::Content {
                    key: "trust_anchors",
                    path: path.clone(),
                    found: format!("certificate {} cannot serve as a trust anchor ({error})", at + 1),
                    expected: "CA certificates in PEM",
                });
            }
        }
    }
    store
}

/// Reads revocation lists, PEM or DER.
pub fn revocation_lists(
    paths: &[PathBuf],
    now: Timestamp,
    problems: &mut Problems,
) -> Vec<CertificateRevocationListDer<'static>> {
    let mut lists = Vec::new();
    for path in paths {
        let Some(found) = problems.keep(revocation_lists_of(path)) else { continue };
        for list in found {
            match CertificateRevocationList::from_der(&list) {
                Ok((_, parsed)) => {
                    let next = parsed.next_update().map(|next| Timestamp(next.timestamp().saturating_mul(1000)));
                    if let Some(next) = next.filter(|next| *next < now) {
                        problems.warn(format!(
                            "revocation_lists: {} was to be replaced by {next}; it is used all the same",
                            path.display()
                        ));
                    }
                    lists.push(list);
                }
                Err(error) => problems.errors.push(CredentialError::Content {
                    key: "revocation_lists",
                    path: path.clone(),
                    found: format!("a list that cannot be read ({error})"),
                    expected: "X.509 revocation lists in PEM or DER",
                }),
            }
        }
    }
    lists
}

fn revocation_lists_of(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, CredentialError> {
    const KEY: &str = "revocation_lists";
    let bytes = read(KEY, path)?;
    // DER is a SEQUENCE, whose first byte no PEM file starts with.
    if bytes.first() == Some(&0x30) {
        return Ok(vec![CertificateRevocationListDer::from(bytes)]);
    }
    sections(KEY, path, &bytes, "X.509 revocation lists (`-----BEGIN X509 CRL-----`) in PEM or DER")
}

fn certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, CredentialError> {
    sections(key, path, &read(key, path)?, "certificates in PEM (`-----BEGIN CERTIFICATE-----`)")
}

/// What is odd about whom the manager's own certificate names: a component, or another manager (PROTOCOL section 1). One that
/// names nobody by `urn:qkdn:` will do where components check its DNS names; `needs_name`: peers go by the name. `None`:
/// nothing is odd, or the file cannot be read, which is told elsewhere.
#[must_use]
pub fn odd_name(certificate: &Path, manager: &ComponentRef, needs_name: bool) -> Option<String> {
    let chain = certificates("certificate", certificate).ok()?;
    let (named, subject) = named_in(chain.first()?).ok()?;
    let expected = manager.urn();
    match named.as_slice() {
        names if names.contains(manager) => None,
        [] if !needs_name => None,
        [] => Some(format!("the certificate names no manager ({subject}), expected {expected}, by which peers go")),
        names => {
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            Some(format!("the certificate names {}, expected {expected}", names.join(", ")))
        }
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, CredentialError> {
    const KEY: &str = "private_key";
    let bytes = read(KEY, path)?;
    let found = match PrivateKeyDer::from_pem_slice(&bytes) {
        Ok(key) => return Ok(key),
        Err(pem::Error::NoItemsFound) if bytes.iter().all(u8::is_ascii_whitespace) => "the file is empty".to_owned(),
        Err(pem::Error::NoItemsFound) if contains(&bytes, b"ENCRYPTED PRIVATE KEY") => {
            "the key is encrypted with a password".to_owned()
        }
        Err(pem::Error::NoItemsFound) => "there is no private key in it".to_owned(),
        // The error's own text could quote the file.
        Err(_) => "the PEM is damaged".to_owned(),
    };
    let expected = "an unencrypted private key in PEM (`-----BEGIN PRIVATE KEY-----`)";
    Err(CredentialError::Content { key: KEY, path: path.to_owned(), found, expected })
}

fn sections<T: PemObject>(
    key: &'static str,
    path: &Path,
    bytes: &[u8],
    expected: &'static str,
) -> Result<Vec<T>, CredentialError> {
    let content = |found: String| CredentialError::Content { key, path: path.to_owned(), found, expected };
    let found: Vec<T> =
        T::pem_slice_iter(bytes).collect::<Result<_, _>>().map_err(|_| content("the PEM is damaged".to_owned()))?;
    if !found.is_empty() {
        return Ok(found);
    }
    Err(content(if bytes.iter().all(u8::is_ascii_whitespace) {
        "the file is empty".to_owned()
    } else if contains(bytes, b"PRIVATE KEY") {
        "there is a private key in it, and nothing else".to_owned()
    } else {
        "there is nothing of the kind in it".to_owned()
    }))
}

fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, CredentialError> {
    std::fs::read(path).map_err(|error| CredentialError::Read { key, path: path.to_owned(), error })
}

fn contains(bytes: &[u8], pattern: &[u8]) -> bool {
    memchr::memmem::find(bytes, pattern).is_some()
}

#[cfg(unix)]
fn readable_by_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|data| data.permissions().mode() & 0o007 != 0)
}

#[cfg(not(unix))]
fn readable_by_others(_path: &Path) -> bool {
    false
}

/// How long before its end the manager's own certificate is warned about: 30 days.
const EXPIRY_NOTICE_MS: i64 = 30 * 24 * 3600 * 1000;
