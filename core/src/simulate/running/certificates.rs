//! A certificate for each component: one that lies in a folder, or one that the folder's authority makes on the spot.

use std::path::{Path, PathBuf};

use crate::{
    model::{ComponentId, ComponentRef, ReferencePoint},
    pki::{Authority, IssueRequest, PkiError},
    simulate::client::{ClientError, Trust},
};

/// Days that certificates are valid that are made on the spot.
const DAYS: u32 = 30;

/// Why a component has none.
#[derive(Debug, thiserror::Error)]
pub enum CertificatesError {
    /// The authority cannot sign.
    #[error(transparent)]
    Authority(#[from] PkiError),
    /// The files cannot be used.
    #[error(transparent)]
    Files(#[from] ClientError),
    /// There is neither a file nor an authority.
    #[error("{component} has no certificate: there is no {}, and no authority (ca.key) to make one", .file.display())]
    None {
        /// Who.
        component: ComponentRef,
        /// The file that would have been used.
        file: PathBuf,
    },
}

/// Where certificates come from.
#[derive(Debug)]
pub struct Certificates {
    folder: PathBuf,
    trust: Trust,
    authority: Option<Authority>,
}

impl Certificates {
    /// A folder as `qkdnm pki` fills it: `ca.pem`, and `ca.key` or the files `POINT-ID.pem` and `POINT-ID.key` of each component.
    pub fn open(folder: &Path) -> Result<Self, CertificatesError> {
        let trust = Trust::from_files(&[folder.join("ca.pem")])?;
        let authority = if folder.join("ca.key").exists() { Some(Authority::open(folder)?) } else { None };
        Ok(Self { folder: folder.to_owned(), trust, authority })
    }

    /// TLS of a device that is asked: it shows a certificate of the authority's for this name and address, and wants one that the
    /// authority vouches for.
    pub fn of_server(
        &self,
        name: &str,
        address: std::net::IpAddr,
    ) -> Result<std::sync::Arc<rustls::ServerConfig>, CertificatesError> {
        let id = ComponentId::new(name).map_err(PkiError::from)?;
        let component = ComponentRef::new(ReferencePoint::Mk, id);
        let Some(authority) = &self.authority else {
            return Err(CertificatesError::None { component, file: self.folder.join("ca.key") });
        };
        let ips = if address.is_unspecified() { vec![] } else { vec![address] };
        let request = IssueRequest {
            components: vec![component],
            dns: vec!["localhost".to_owned()],
            ips,
            days: DAYS,
            name: None,
        };
        let held = authority.hold(&request)?;
        Ok(self.trust.server(vec![held.certificate], held.private_key)?)
    }

    /// TLS of a component.
    pub(super) fn of(
        &self,
        component: &ComponentRef,
    ) -> Result<std::sync::Arc<rustls::ClientConfig>, CertificatesError> {
        let name = format!("{}-{}", component.reference_point, component.id);
        let (chain, key) = (self.folder.join(format!("{name}.pem")), self.folder.join(format!("{name}.key")));
        if chain.exists() && key.exists() {
            return Ok(self.trust.client_from_files(&chain, &key)?);
        }
        let Some(authority) = &self.authority else {
            return Err(CertificatesError::None { component: component.clone(), file: chain });
        };
        let components = vec![component.clone()];
        let held = authority.hold(&IssueRequest { components, dns: vec![], ips: vec![], days: DAYS, name: None })?;
        Ok(self.trust.client(vec![held.certificate], held.private_key)?)
    }
}
