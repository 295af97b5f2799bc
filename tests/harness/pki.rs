//! Certificates for tests, made in process: an authority, identities of components and managers, revocation lists.
//!
//! It makes what `qkdnm pki` would refuse to make: expired certificates, wrong usages, foreign names.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevocationReason, RevokedCertParams, SanType,
    SerialNumber, date_time_ymd,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject};

/// An authority with a folder for what it issues.
pub struct TestPki {
    dir: PathBuf,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate with its key, in memory and as files.
#[derive(Clone)]
pub struct Identity {
    /// Certificate, PEM.
    pub certificate_file: PathBuf,
    /// Key, PEM.
    pub key_file: PathBuf,
    /// Certificate.
    pub certificate: CertificateDer<'static>,
    key: Vec<u8>,
    serial: SerialNumber,
}

impl Identity {
    /// An identity that somebody else made, from its PEM files.
    ///
    /// # Panics
    /// When they cannot be read.
    #[must_use]
    pub fn from_files(certificate_file: &Path, key_file: &Path) -> Self {
        let certificate = CertificateDer::from_pem_file(certificate_file).expect("a certificate in PEM");
        let key = PrivatePkcs8KeyDer::from_pem_file(key_file).expect("a PKCS#8 key in PEM");
        Self {
            certificate_file: certificate_file.to_path_buf(),
            key_file: key_file.to_path_buf(),
            certificate,
            key: key.secret_pkcs8_der().to_vec(),
            serial: SerialNumber::from(0_u64),
        }
    }

    /// The key, for rustls.
    #[must_use]
    pub fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.clone()))
    }
}

/// What a certificate is to say. [`TestPki::issue`] for the usual ones.
pub struct Request {
    /// Name of the files.
    pub name: String,
    /// SAN URIs.
    pub uris: Vec<String>,
    /// SAN DNS names.
    pub dns: Vec<String>,
    /// Extended key usages.
    pub usages: Vec<ExtendedKeyUsagePurpose>,
    /// Whether it ended in the past.
    pub expired: bool,
}

impl Request {
    /// A certificate of one SAN URI with both usages.
    #[must_use]
    pub fn uri(name: &str, uri: &str) -> Self {
        Self {
            name: name.to_owned(),
            uris: vec![uri.to_owned()],
            dns: Vec::new(),
            usages: vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth],
            expired: false,
        }
    }
}

impl TestPki {
    /// A new authority that writes to `dir`; its own certificate is `dir/ca.pem`.
    ///
    /// # Panics
    /// When the folder cannot be written.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        fs::create_dir_all(dir).expect("the folder of the PKI can be made");
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, format!("test authority {}", dir.display()));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("the authority signs itself");
        fs::write(dir.join("ca.pem"), issuer.pem()).expect("ca.pem is written");
        Self { dir: dir.to_path_buf(), issuer }
    }

    /// The authority's certificate as a file.
    #[must_use]
    pub fn anchor_file(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    /// The authority's certificate.
    #[must_use]
    pub fn anchor(&self) -> CertificateDer<'static> {
        self.issuer.der().clone()
    }

    /// A certificate for one component.
    #[must_use]
    pub fn issue(&self, reference_point: &str, component_id: &str) -> Identity {
        self.issue_as(Request::uri(
            &format!("{reference_point}-{component_id}"),
            &format!("urn:qkdn:{reference_point}:{component_id}"),
        ))
    }

    /// A certificate for a manager on this machine.
    #[must_use]
    pub fn issue_manager(&self, id: &str) -> Identity {
        let mut request = Request::uri(id, &format!("urn:qkdn:mx:{id}"));
        request.dns = vec!["localhost".to_owned()];
        self.issue_as(request)
    }

    /// A certificate that says what the request says.
    ///
    /// # Panics
    /// When a name in it is malformed or the folder cannot be written.
    #[must_use]
    pub fn issue_as(&self, request: Request) -> Identity {
        let mut params = CertificateParams::default();
        let serial = SerialNumber::from(fastrand::u64(1..1 << 62));
        params.serial_number = Some(serial.clone());
        params.distinguished_name.push(DnType::CommonName, request.name.as_str());
        for uri in &request.uris {
            params.subject_alt_names.push(SanType::URI(uri.as_str().try_into().expect("an ASCII URI")));
        }
        for name in &request.dns {
            params.subject_alt_names.push(SanType::DnsName(name.as_str().try_into().expect("an ASCII name")));
        }
        if !request.dns.is_empty() {
            params.subject_alt_names.push(SanType::IpAddress(std::net::IpAddr::from([127, 0, 0, 1])));
        }
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = request.usages;
        params.use_authority_key_identifier_extension = true;
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = if request.expired { date_time_ymd(2021, 1, 1) } else { date_time_ymd(2120, 1, 1) };
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("the authority signs");
        let certificate_file = self.dir.join(format!("{}.pem", request.name));
        let key_file = self.dir.join(format!("{}.key", request.name));
        fs::write(&certificate_file, certificate.pem()).expect("the certificate is written");
        write_secret(&key_file, &key.serialize_pem());
        Identity {
            certificate_file,
            key_file,
            certificate: certificate.der().clone(),
            key: key.serialize_der(),
            serial,
        }
    }

    /// Writes a revocation list of these identities to `crl.pem` (again, if it is there) and tells where it is.
    ///
    /// # Panics
    /// When the folder cannot be written.
    pub fn revoke(&self, revoked: &[&Identity]) -> PathBuf {
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2021, 1, 1),
            next_update: date_time_ymd(2120, 1, 1),
            crl_number: SerialNumber::from(revoked.len() as u64 + 1),
            issuing_distribution_point: None,
            revoked_certs: revoked
                .iter()
                .map(|identity| RevokedCertParams {
                    serial_number: identity.serial.clone(),
                    revocation_time: date_time_ymd(2021, 1, 1),
                    reason_code: Some(RevocationReason::KeyCompromise),
                    invalidity_date: None,
                })
                .collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = params.signed_by(&self.issuer).expect("the authority signs the list");
        let file = self.dir.join("crl.pem");
        fs::write(&file, list.pem().expect("PEM")).expect("the list is written");
        file
    }
}

/// Writes a file that only this user may read.
fn write_secret(file: &Path, text: &str) {
    let _ = fs::remove_file(file);
    let mut options = fs::OpenOptions::new();
    let mut written = options.write(true).create_new(true).mode(0o600).open(file).expect("the key's file is made");
    written.write_all(text.as_bytes()).expect("the key is written");
}
