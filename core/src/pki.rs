//! A small certificate authority in a folder, for laboratories, demos and sites that have none (PROTOCOL section 1).
//!
//! In: a folder and who is to be certified. Out: PEM files: `ca.pem`, `ca.key`, a certificate and key a holder, and
//! `ca.crl`. All keys are ECDSA P-256; key files are readable by their owner only; nothing is ever overwritten but the
//! revocation list. A site with an authority of its own needs nothing of this: any certificate with the right SAN URI does.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    net::IpAddr,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevocationReason, RevokedCertParams,
    SanType, SerialNumber, date_time_ymd,
};
use rustls_pki_types::{
    CertificateDer, CertificateRevocationListDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject,
};
use x509_parser::{certificate::X509Certificate, prelude::FromDer, revocation_list::CertificateRevocationList};

use crate::model::{ComponentRef, ReferencePoint, Timestamp, component_id::ComponentIdError};

/// Why a file was not made.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// It is there already.
    #[error("{} exists, and is not overwritten; delete it first if it is no longer needed, or {way}", .path.display())]
    Exists {
        /// The file.
        path: PathBuf,
        /// What to do instead of deleting it.
        way: &'static str,
    },
    /// No key pair could be made.
    #[error("the system could not make a key pair; it has no random numbers, or the algorithm is not allowed here")]
    SigningKey,
    /// The file system refused.
    #[error("cannot {what} {}: {error}", .path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// The folder has no authority.
    #[error("{} holds no certificate authority (ca.pem and ca.key); make one with `qkdnm pki init {}`", .0.display(), .0.display())]
    NoAuthority(PathBuf),
    /// A file is not what it should be.
    #[error("{} is not {expected}; it was damaged or comes from elsewhere", .path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What it should be.
        expected: &'static str,
    },
    /// A name that no file can have.
    #[error(
        "`{0}` cannot be a file name here: 1 to 200 characters without / or \\, not starting with a dot, and not `ca`"
    )]
    Name(String),
    /// A DNS name that no certificate can have.
    #[error("`{0}` is no DNS name: expected ASCII letters, digits, hyphens and dots")]
    Dns(String),
    /// The component ID is malformed.
    #[error(transparent)]
    ComponentId(#[from] ComponentIdError),
    /// Cryptography failed.
    #[error("cannot make the certificate: {0}")]
    Certificate(#[from] rcgen::Error),
}

/// A certificate and its key.
#[derive(Debug)]
pub struct Made {
    /// The certificate's file.
    pub certificate: PathBuf,
    /// The key's file.
    pub private_key: PathBuf,
    /// End of validity.
    pub not_after: Timestamp,
}

/// A revocation list.
#[derive(Debug)]
pub struct MadeList {
    /// Its file.
    pub list: PathBuf,
    /// Certificates that were not on it before.
    pub added: usize,
    /// Certificates on it.
    pub total: usize,
}

/// Who is to be certified.
#[derive(Clone, Debug)]
pub struct IssueRequest {
    /// What the certificate speaks for: a SAN URI each; the first gives files and subject their name.
    pub components: Vec<ComponentRef>,
    /// DNS names.
    pub dns: Vec<String>,
    /// Addresses.
    pub ips: Vec<IpAddr>,
    /// Days of validity; never beyond the authority's.
    pub days: u32,
    /// Name of the files without ending, instead of the component ID.
    pub name: Option<String>,
}

/// Makes an authority; the folder too.
pub fn init(dir: &Path, name: &str, days: u32) -> Result<Made, PkiError> {
    fs::create_dir_all(dir).map_err(|error| PkiError::File { what: "make the folder", path: dir.to_owned(), error })?;
    let (certificate, private_key) = (dir.join("ca.pem"), dir.join("ca.key"));
    let way = "name another folder; an authority that is there goes on issuing with `qkdnm pki issue`";
    refuse_existing(&[&certificate, &private_key], way)?;
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.serial_number = Some(random_serial()?);
    let not_after = validity(&mut params, days, None);
    let made = params.self_signed(&key)?;
    write_pair(&certificate, &made.pem(), &private_key, &key)?;
    Ok(Made { certificate, private_key, not_after })
}

/// Issues a certificate for both sides of TLS: a component dials or is dialled.
pub fn issue(dir: &Path, request: &IssueRequest) -> Result<Made, PkiError> {
    let authority = Authority::open(dir)?;
    let Some(first) = request.components.first() else {
        return Err(PkiError::Name(String::new()));
    };
    let stem = match &request.name {
        Some(name) => checked_stem(name)?.to_owned(),
        None => checked_stem(&encoded_stem(first.id.as_str()))?.to_owned(),
    };
    let certificate = dir.join(format!("{stem}.pem"));
    let private_key = dir.join(format!("{stem}.key"));
    let way = "choose another --name, where one ID is used on several reference points";
    refuse_existing(&[&certificate, &private_key], way)?;
    let (made, key, not_after) = authority.sign(request)?;
    write_pair(&certificate, &made.pem(), &private_key, &key)?;
    Ok(Made { certificate, private_key, not_after })
}

/// A certificate and its key that are in no file.
#[derive(Debug)]
pub struct Held {
    /// The certificate.
    pub certificate: CertificateDer<'static>,
    /// Its key.
    pub private_key: PrivateKeyDer<'static>,
}

/// Puts certificates of the folder on its revocation list, beside those that are on it.
pub fn revoke(dir: &Path, names: &[String]) -> Result<MadeList, PkiError> {
    let authority = Authority::open(dir)?;
    let list = dir.join("ca.crl");
    let (number, mut revoked) = read_list(&list)?;
    let now = since_epoch();
    let mut added = 0;
    for name in names {
        let path = dir.join(format!("{}.pem", checked_stem(name)?));
        let content = || PkiError::Content { path: path.clone(), expected: "a certificate in PEM" };
        let der = CertificateDer::from_pem_slice(&read(&path)?).map_err(|_| content())?;
        let (_, certificate) = X509Certificate::from_der(&der).map_err(|_| content())?;
        let serial = certificate.raw_serial().to_vec();
        if !revoked.iter().any(|(known, _)| same_serial(known, &serial)) {
            revoked.push((serial, now));
            added += 1;
        }
    }
    let total = revoked.len();
    let params = CertificateRevocationListParams {
        this_update: offset!(now),
        next_update: offset!(now + LIST_VALIDITY),
        crl_number: SerialNumber::from(number + 1),
        issuing_distribution_point: None,
        revoked_certs: revoked
            .into_iter()
            .map(|(serial, time)| RevokedCertParams {
                serial_number: SerialNumber::from(serial),
                revocation_time: offset!(time),
                reason_code: Some(RevocationReason::Unspecified),
                invalidity_date: None,
            })
            .collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let pem = params.signed_by(&authority.issuer)?.pem()?;
    // A manager may read it at any time: it is replaced as a whole.
    let fresh = dir.join("ca.crl.new");
    fs::write(&fresh, pem).and_then(|()| fs::rename(&fresh, &list)).map_err(|error| PkiError::File {
        what: "write",
        path: list.clone(),
        error,
    })?;
    Ok(MadeList { list, added, total })
}

/// The authority of a folder.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    not_after: Duration,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authority")
    }
}

impl Authority {
    /// Reads `ca.pem` and `ca.key` of a folder.
    pub fn open(dir: &Path) -> Result<Self, PkiError> {
        let (certificate, key) = (dir.join("ca.pem"), dir.join("ca.key"));
        if !certificate.exists() || !key.exists() {
            return Err(PkiError::NoAuthority(dir.to_owned()));
        }
        let content = || PkiError::Content { path: certificate.clone(), expected: "a CA certificate in PEM" };
        let der = CertificateDer::from_pem_slice(&read(&certificate)?).map_err(|_| content())?;
        let (_, parsed) = X509Certificate::from_der(&der).map_err(|_| content())?;
        let not_after = Duration::from_secs(u64::try_from(parsed.validity().not_after.timestamp()).unwrap_or(0));
        let text = String::from_utf8(read(&key)?).ok();
        let key = text
            .and_then(|text| KeyPair::from_pem(&text).ok())
            .filter(|pair| pair.public_key_raw() == parsed.public_key().subject_public_key.data.as_ref())
            .ok_or(PkiError::Content { path: key, expected: "the private key of ca.pem" })?;
        Ok(Self { issuer: Issuer::from_ca_cert_der(&der, key)?, not_after })
    }

    /// Makes a certificate and its key as [`issue`] does, and leaves both in memory; for holders that live no longer than the
    /// process.
    pub fn hold(&self, request: &IssueRequest) -> Result<Held, PkiError> {
        let (made, key, _) = self.sign(request)?;
        let private_key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Ok(Held { certificate: made.der().clone(), private_key })
    }

    fn sign(&self, request: &IssueRequest) -> Result<(Certificate, KeyPair, Timestamp), PkiError> {
        let Some(first) = request.components.first() else {
            return Err(PkiError::Name(String::new()));
        };
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(first.id.as_str());
        params.subject_alt_names = alternative_names(request)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.serial_number = Some(random_serial()?);
        let not_after = validity(&mut params, request.days, Some(self.not_after));
        let made = params.signed_by(&key, &self.issuer)?;
        Ok((made, key, not_after))
    }
}

/// Number of the list and what is on it; nothing if there is no list yet.
#[expect(clippy::type_complexity, reason = "serial and time, once")]
fn read_list(path: &Path) -> Result<(u64, Vec<(Vec<u8>, Duration)>), PkiError> {
    if !path.exists() {
        return Ok((0, Vec::new()));
    }
    let content = || PkiError::Content { path: path.to_owned(), expected: "a revocation list in PEM" };
    let der = CertificateRevocationListDer::from_pem_slice(&read(path)?).map_err(|_| content())?;
    let (_, list) = CertificateRevocationList::from_der(&der).map_err(|_| content())?;
    let number = list.crl_number().and_then(|number| u64::try_from(number).ok()).unwrap_or(0);
    let revoked = list
        .iter_revoked_certificates()
        .map(|one| {
            let time = Duration::from_secs(u64::try_from(one.revocation_date.timestamp()).unwrap_or(0));
            (one.raw_serial().to_vec(), time)
        })
        .collect();
    Ok((number, revoked))
}

fn same_serial(a: &[u8], b: &[u8]) -> bool {
    let significant = |bytes: &[u8]| bytes.iter().skip_while(|byte| **byte == 0).copied().collect::<Vec<u8>>();
    significant(a) == significant(b)
}

fn alternative_names(request: &IssueRequest) -> Result<Vec<SanType>, PkiError> {
    let mut dns = request.dns.clone();
    let mut ips = request.ips.clone();
    if request.components.iter().any(|component| component.reference_point == ReferencePoint::Mx) {
        dns.push("localhost".to_owned());
        ips.extend([IpAddr::from([127, 0, 0, 1]), IpAddr::from(std::net::Ipv6Addr::LOCALHOST)]);
    }
    let mut names = Vec::new();
    for component in &request.components {
        names.push(SanType::URI(component.urn().try_into()?));
    }
    for name in dns {
        let is_dns = rustls_pki_types::DnsName::try_from(name.trim_start_matches("*.")).is_ok();
        let text = is_dns.then(|| name.as_str().try_into().ok()).flatten();
        names.push(SanType::DnsName(text.ok_or(PkiError::Dns(name))?));
    }
    names.extend(ips.into_iter().map(SanType::IpAddress));
    let mut unique: Vec<SanType> = Vec::with_capacity(names.len());
    for name in names {
        if !unique.contains(&name) {
            unique.push(name);
        }
    }
    Ok(unique)
}

/// A component ID as a file name, percent-encoded like in the SAN URI; a leading dot too.
fn encoded_stem(id: &str) -> String {
    let mut stem = String::new();
    for (at, byte) in id.bytes().enumerate() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~') || (byte == b'.' && at > 0) {
            stem.push(char::from(byte));
        } else {
            stem.push_str(&format!("%{byte:02X}"));
        }
    }
    stem
}

fn checked_stem(name: &str) -> Result<&str, PkiError> {
    let fits = !name.is_empty() && name.len() <= 200 && !name.starts_with('.') && name != "ca";
    if fits && !name.contains(['/', '\\', '\0']) { Ok(name) } else { Err(PkiError::Name(name.to_owned())) }
}

fn common_name(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    // X.520 bounds a common name to 64 characters; the SAN URI carries the whole ID.
    subject.push(DnType::CommonName, name.chars().take(64).collect::<String>());
    subject
}

/// Sets the validity, and returns its end.
fn validity(params: &mut CertificateParams, days: u32, limit: Option<Duration>) -> Timestamp {
    let now = since_epoch();
    let wanted = now + Duration::from_secs(u64::from(days) * 86_400);
    let end = limit.map_or(wanted, |limit| wanted.min(limit));
    params.not_before = offset!(now.saturating_sub(BACKDATING));
    params.not_after = offset!(end);
    Timestamp(i64::try_from(end.as_secs()).unwrap_or(i64::MAX).saturating_mul(1000))
}

/// A point in time in the type that rcgen takes; a macro, since that type belongs to a crate that is not ours to name.
macro_rules! offset {
    ($since_epoch:expr) => {
        date_time_ymd(1970, 1, 1) + $since_epoch
    };
}
use offset;

/// Whole seconds: certificates have no finer time.
fn since_epoch() -> Duration {
    Duration::from_secs(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs())
}

/// 127 random bits, positive and never zero (RFC 5280 section 4.1.2.2).
fn random_serial() -> Result<SerialNumber, PkiError> {
    let mut bytes = [0_u8; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| rcgen::Error::RingUnspecified)?;
    if let Some(first) = bytes.first_mut() {
        *first = (*first & 0x7f) | 0x40;
    }
    Ok(SerialNumber::from_slice(&bytes))
}

/// What signs for a domain in a federation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SigningAlgorithm {
    /// Ed25519.
    #[default]
    Ed25519,
    /// ML-DSA-65, which quantum computers do not break; signatures are fifty times as long.
    MlDsa65,
}

/// A new key that signs for a domain: the private half (PKCS#8) and the public one (SubjectPublicKeyInfo), in PEM.
pub fn signing_key_pems(algorithm: SigningAlgorithm) -> Result<(String, String), PkiError> {
    use aws_lc_rs::{
        encoding::{AsDer as _, PublicKeyX509Der},
        signature::{Ed25519KeyPair, KeyPair as _, ML_DSA_65_SIGNING, PqdsaKeyPair},
    };
    let made = || -> Result<(Vec<u8>, Vec<u8>), aws_lc_rs::error::Unspecified> {
        match algorithm {
            SigningAlgorithm::Ed25519 => {
                let pair = Ed25519KeyPair::generate()?;
                let public: PublicKeyX509Der<'_> = pair.public_key().as_der()?;
                Ok((pair.to_pkcs8v1()?.as_ref().to_vec(), public.as_ref().to_vec()))
            }
            SigningAlgorithm::MlDsa65 => {
                let pair = PqdsaKeyPair::generate(&ML_DSA_65_SIGNING)?;
                let public: PublicKeyX509Der<'_> = pair.public_key().as_der()?;
                Ok((pair.to_pkcs8v1()?.as_ref().to_vec(), public.as_ref().to_vec()))
            }
        }
    };
    let (private, public) = made().map_err(|_| PkiError::SigningKey)?;
    Ok((pem("PRIVATE KEY", &private), pem("PUBLIC KEY", &public)))
}

fn pem(label: &str, der: &[u8]) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let text = STANDARD.encode(der);
    let lines: Vec<&str> =
        (0..text.len()).step_by(64).filter_map(|at| text.get(at..(at + 64).min(text.len()))).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// Makes a key that signs for a domain: `FILE` for its manager alone, `FILE.pub` (or with its ending exchanged) for its peers. The
/// file of the public half.
pub fn signing_key(file: &Path, algorithm: SigningAlgorithm) -> Result<PathBuf, PkiError> {
    let public_file = file.with_extension("pub");
    refuse_existing(&[&file.to_path_buf(), &public_file], "name another FILE")?;
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(|error| PkiError::File {
            what: "make",
            path: folder.to_path_buf(),
            error,
        })?;
    }
    let (private, public) = signing_key_pems(algorithm)?;
    write_new(file, &private, 0o600)?;
    write_new(&public_file, &public, 0o644).inspect_err(|_| {
        // A key that nobody else can know is of no use, and would stand in the way of the next attempt.
        let _ = fs::remove_file(file);
    })?;
    Ok(public_file)
}

fn refuse_existing(paths: &[&PathBuf], way: &'static str) -> Result<(), PkiError> {
    match paths.iter().find(|path| path.exists()) {
        Some(path) => Err(PkiError::Exists { path: (*path).clone(), way }),
        None => Ok(()),
    }
}

fn write_pair(certificate: &Path, pem: &str, private_key: &Path, key: &KeyPair) -> Result<(), PkiError> {
    write_new(private_key, &key.serialize_pem(), 0o600)?;
    write_new(certificate, pem, 0o644).inspect_err(|_| {
        // A key without its certificate is of no use, and would stand in the way of the next attempt.
        let _ = fs::remove_file(private_key);
    })
}

fn write_new(path: &Path, text: &str, mode: u32) -> Result<(), PkiError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(mode);
    }
    #[cfg(not(unix))]
    let _ = mode;
    options.open(path).and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => PkiError::Exists { path: path.to_owned(), way: "choose another name" },
        _ => PkiError::File { what: "write", path: path.to_owned(), error },
    })
}

fn read(path: &Path) -> Result<Vec<u8>, PkiError> {
    fs::read(path).map_err(|error| PkiError::File { what: "read", path: path.to_owned(), error })
}

/// Clocks of two machines differ: a new certificate is valid at once everywhere.
const BACKDATING: Duration = Duration::from_secs(3600);
/// When the next revocation list is promised; the manager uses an older one all the same, and says so.
const LIST_VALIDITY: Duration = Duration::from_secs(30 * 86_400);

#[cfg(test)]
mod tests {
    use x509_parser::extensions::GeneralName;

    use super::*;

    fn request(names: &[&str]) -> IssueRequest {
        IssueRequest {
            components: names.iter().map(|name| name.parse().unwrap()).collect(),
            dns: Vec::new(),
            ips: Vec::new(),
            days: 365,
            name: None,
        }
    }

    #[test]
    fn a_certificate_says_what_was_asked() {
        let dir = tempfile::tempdir().unwrap();
        let authority = init(dir.path(), "Test CA", 100).unwrap();
        let mut asked = request(&["mx/manager-east", "mk/manager-east"]);
        asked.dns = vec!["manager.example.org".to_owned()];
        asked.ips = vec![[192, 0, 2, 7].into()];
        let made = issue(dir.path(), &asked).unwrap();
        assert_eq!(made.certificate.file_name().unwrap(), "manager-east.pem");
        assert_eq!(made.not_after, authority.not_after, "never beyond the authority's");
        let der = CertificateDer::from_pem_file(&made.certificate).unwrap();
        let (_, parsed) = X509Certificate::from_der(&der).unwrap();
        let names = &parsed.subject_alternative_name().unwrap().unwrap().value.general_names;
        for expected in [
            GeneralName::URI("urn:qkdn:mx:manager-east"),
            GeneralName::URI("urn:qkdn:mk:manager-east"),
            GeneralName::DNSName("manager.example.org"),
            GeneralName::DNSName("localhost"),
            GeneralName::IPAddress(&[192, 0, 2, 7]),
            GeneralName::IPAddress(&[127, 0, 0, 1]),
        ] {
            assert!(names.contains(&expected), "{expected:?} in {names:?}");
        }
        let usage = parsed.extended_key_usage().unwrap().unwrap().value;
        assert!(usage.client_auth && usage.server_auth && !parsed.is_ca());
        let ca = CertificateDer::from_pem_file(&authority.certificate).unwrap();
        let (_, ca) = X509Certificate::from_der(&ca).unwrap();
        let usage = ca.key_usage().unwrap().unwrap().value;
        assert!(ca.is_ca() && usage.key_cert_sign() && usage.crl_sign());
        assert_eq!(parsed.issuer(), ca.subject());
    }

    #[cfg(unix)]
    #[test]
    fn keys_are_for_their_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("a/b");
        let authority = init(&dir, "CA", 10).unwrap();
        let made = issue(&dir, &request(&["mk/km-1"])).unwrap();
        for key in [authority.private_key, made.private_key] {
            assert_eq!(fs::metadata(key).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn nothing_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        init(dir.path(), "CA", 10).unwrap();
        let before = fs::read(dir.path().join("ca.pem")).unwrap();
        let error = init(dir.path(), "CA", 10).unwrap_err();
        assert!(matches!(&error, PkiError::Exists { path, .. } if path.ends_with("ca.pem")), "{error}");
        issue(dir.path(), &request(&["mk/km-1"])).unwrap();
        fs::remove_file(dir.path().join("km-1.pem")).unwrap();
        let error = issue(dir.path(), &request(&["mk/km-1"])).unwrap_err();
        assert!(matches!(&error, PkiError::Exists { path, .. } if path.ends_with("km-1.key")), "{error}");
        assert!(!dir.path().join("km-1.pem").exists());
        assert_eq!(fs::read(dir.path().join("ca.pem")).unwrap(), before);
    }

    #[test]
    fn names_stay_in_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        init(dir.path(), "CA", 10).unwrap();
        for name in ["../x", "a/b", "ca", "", ".hidden", "a\\b"] {
            let asked = IssueRequest { name: Some(name.to_owned()), ..request(&["mk/km-1"]) };
            assert!(matches!(issue(dir.path(), &asked), Err(PkiError::Name(_))), "{name}");
        }
        assert!(matches!(issue(dir.path(), &request(&["mk/ca"])), Err(PkiError::Name(_))));
        let made = issue(dir.path(), &request(&["mk/../x y"])).unwrap();
        assert_eq!(made.certificate.file_name().unwrap(), "%2E.%2Fx%20y.pem");
    }

    #[test]
    fn a_list_grows_and_repeats_nothing() {
        let dir = tempfile::tempdir().unwrap();
        init(dir.path(), "CA", 10).unwrap();
        for id in ["mk/a", "mk/b"] {
            issue(dir.path(), &request(&[id])).unwrap();
        }
        let first = revoke(dir.path(), &["a".to_owned()]).unwrap();
        assert_eq!((first.added, first.total), (1, 1));
        let second = revoke(dir.path(), &["a".to_owned(), "b".to_owned()]).unwrap();
        assert_eq!((second.added, second.total), (1, 2));
        let (number, revoked) = read_list(&second.list).unwrap();
        assert_eq!((number, revoked.len()), (2, 2));
        let error = revoke(dir.path(), &["c".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("c.pem"), "{error}");
    }

    #[test]
    fn an_authority_that_is_missing_or_broken_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let error = issue(dir.path(), &request(&["mk/a"])).unwrap_err().to_string();
        assert!(error.contains("qkdnm pki init"), "{error}");
        init(dir.path(), "CA", 10).unwrap();
        let other = KeyPair::generate().unwrap();
        fs::write(dir.path().join("ca.key"), other.serialize_pem()).unwrap();
        let error = issue(dir.path(), &request(&["mk/a"])).unwrap_err().to_string();
        assert!(error.contains("ca.key") && error.contains("private key of ca.pem"), "{error}");
        let dns = IssueRequest { dns: vec!["not a name".to_owned()], ..request(&["mk/a"]) };
        fs::remove_file(dir.path().join("ca.pem")).unwrap();
        fs::remove_file(dir.path().join("ca.key")).unwrap();
        init(dir.path(), "CA", 10).unwrap();
        assert!(matches!(issue(dir.path(), &dns), Err(PkiError::Dns(name)) if name == "not a name"));
    }
}
