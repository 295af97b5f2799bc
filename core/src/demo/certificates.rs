//! Certificates for the demo: one CA, the manager's certificate, and one for each component. Keys are made anew each time
//! and are worth nothing elsewhere.

use std::{fs, io, path::Path};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};

use crate::model::ComponentRef;

/// Why there are no certificates.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A certificate could not be made.
    #[error("cannot make the certificate of {0}")]
    Make(String, #[source] rcgen::Error),
    /// A file could not be written.
    #[error("cannot write {0}")]
    Write(String, #[source] io::Error),
}

/// A CA that exists while it issues; its key is not written.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authority")
    }
}

impl Authority {
    /// A new CA, its certificate written to `path`.
    pub fn create(path: &Path) -> Result<Self, CertificateError> {
        let make = || {
            let mut params = CertificateParams::default();
            params.distinguished_name.push(DnType::CommonName, "qkdnm demo CA");
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
            CertifiedIssuer::self_signed(params, KeyPair::generate()?)
        };
        let issuer = make().map_err(|error| CertificateError::Make("the CA".to_owned(), error))?;
        write(path, &issuer.pem(), 0o644)?;
        Ok(Self { issuer })
    }

    /// Certificate and key for a component or manager, reached at the loopback addresses; `name.pem` and `name.key` in
    /// `folder`.
    pub fn issue(&self, component: &ComponentRef, folder: &Path, name: &str) -> Result<(), CertificateError> {
        let make = || {
            let key = KeyPair::generate()?;
            let mut params = CertificateParams::default();
            params.distinguished_name.push(DnType::CommonName, name);
            params.subject_alt_names = vec![
                SanType::URI(component.urn().try_into()?),
                SanType::DnsName("localhost".try_into()?),
                SanType::IpAddress(std::net::Ipv4Addr::LOCALHOST.into()),
                SanType::IpAddress(std::net::Ipv6Addr::LOCALHOST.into()),
            ];
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
            params.use_authority_key_identifier_extension = true;
            Ok::<_, rcgen::Error>((params.signed_by(&key, &self.issuer)?, key))
        };
        let (certificate, key) = make().map_err(|error| CertificateError::Make(component.to_string(), error))?;
        write(&folder.join(format!("{name}.pem")), &certificate.pem(), 0o644)?;
        write(&folder.join(format!("{name}.key")), &key.serialize_pem(), 0o600)
    }
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), CertificateError> {
    use io::Write as _;
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let result = options.open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    result.map_err(|error| CertificateError::Write(path.display().to_string(), error))
}
