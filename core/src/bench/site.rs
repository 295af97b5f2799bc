//! What a measurement needs on disk: certificates, a configuration; and client connections.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _};
use tokio::net::TcpStream;

use super::server::Addresses;
use crate::{
    config::KeyExchange,
    model::{ComponentId, ComponentRef, ReferencePoint},
    net::tls::provider,
    pki,
};

/// A component that reports in a measurement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its reference point.
    pub point: ReferencePoint,
    /// Its ID.
    pub id: String,
}

impl Member {
    /// So many of each reference point, in the order of the points.
    #[must_use]
    pub fn of_each(count: usize) -> Vec<Self> {
        let of_point = |point: ReferencePoint| (0..count).map(move |n| Self { point, id: format!("{point}-{n}") });
        ReferencePoint::ALL.into_iter().flat_map(of_point).collect()
    }
}

/// What a manager under measurement has on.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// Name, for files.
    pub name: String,
    /// `[[policies]]` tables.
    pub policies: String,
    /// `sync` or `os`.
    pub durability: String,
    /// Whether history of values is written.
    pub history: bool,
    /// `idle_timeout` of the interfaces, minutes; 0: the default.
    pub idle_minutes: usize,
}

/// A folder with a certificate authority, a client certificate for each member, and configurations.
pub struct Site {
    folder: PathBuf,
    members: Vec<Member>,
    /// Members that share a certificate; 1: each has its own, named as it.
    per_certificate: usize,
}

impl Site {
    /// Makes the folder's certificates.
    pub fn make(folder: &Path, members: Vec<Member>) -> anyhow::Result<Self> {
        Self::make_shared(folder, members, 1)
    }

    /// The same, with one certificate for so many members in turn. They have to be of one reference point.
    pub fn make_shared(folder: &Path, members: Vec<Member>, per_certificate: usize) -> anyhow::Result<Self> {
        let pki_folder = folder.join("pki");
        pki::init(&pki_folder, "qkdnm bench CA", 90)?;
        let issue = |components: Vec<ComponentRef>, name: &str| {
            let request =
                pki::IssueRequest { components, dns: vec![], ips: vec![], days: 90, name: Some(name.to_owned()) };
            pki::issue(&pki_folder, &request)
        };
        issue(vec![component(ReferencePoint::Mx, "bench")?], "manager")?;
        for sharing in members.chunks(per_certificate.max(1)) {
            let components = sharing.iter().map(|member| component(member.point, &member.id));
            let name = sharing.first().map(|member| member.id.clone()).unwrap_or_default();
            issue(components.collect::<anyhow::Result<_>>()?, &name)?;
        }
        Ok(Self { folder: folder.to_path_buf(), members, per_certificate: per_certificate.max(1) })
    }

    /// Writes a configuration for all members, with a data directory of its own.
    pub fn configure(&self, setup: &Setup) -> anyhow::Result<PathBuf> {
        let Setup { name, policies, durability, history, idle_minutes } = setup;
        let mut text = format!(
            "[manager]\nid = \"bench\"\ndomain = \"bench\"\ndata_dir = \"data-{name}\"\nreload_on_change = false\n[log]\nlevel = \"warn\"\n[tls]\n\
             certificate = \"pki/manager.pem\"\nprivate_key = \"pki/manager.key\"\ntrust_anchors = \"pki/ca.pem\"\n\
             [api]\nlisten = \"127.0.0.1:0\"\n[plugins]\ncache_dir = \"plugin-cache\"\n\
             [storage]\ndurability = \"{durability}\"\n"
        );
        if !history {
            text.push_str("history = { raw = \"0s\", minute = \"0s\", hour = \"0s\" }\n");
        }
        for point in ReferencePoint::ALL {
            if self.members.iter().any(|member| member.point == point) {
                write!(text, "[interfaces.{point}]\nlisten = \"127.0.0.1:0\"\n")?;
                if *idle_minutes > 0 {
                    writeln!(text, "idle_timeout = \"{idle_minutes}m\"")?;
                }
            }
        }
        text.push_str(policies);
        for Member { point, id } in &self.members {
            write!(text, "[[components]]\nid = \"{id}\"\nreference_point = \"{point}\"\n")?;
        }
        let path = self.folder.join(format!("manager-{name}.toml"));
        std::fs::write(&path, text)?;
        Ok(path)
    }

    /// Who reports.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// A folder that [`Self::make`] filled; without its members.
    #[must_use]
    pub fn open(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf(), members: Vec::new(), per_certificate: 1 }
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn pem(&self, name: &str) -> PathBuf {
        self.folder.join("pki").join(name)
    }

    /// Its certificate authority.
    pub fn roots(&self) -> anyhow::Result<rustls::RootCertStore> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.pem("ca.pem"))?)?;
        Ok(roots)
    }

    fn identity(&self, name: &str) -> anyhow::Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
        let chain = CertificateDer::pem_file_iter(self.pem(&format!("{name}.pem")))?.collect::<Result<_, _>>()?;
        Ok((chain, PrivateKeyDer::from_pem_file(self.pem(&format!("{name}.key")))?))
    }

    /// The floor's TLS: as the manager's, client certificates required.
    pub fn server_config(&self) -> anyhow::Result<Arc<rustls::ServerConfig>> {
        let provider = provider(KeyExchange::HybridPreferred);
        let verifier =
            rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(self.roots()?), Arc::clone(&provider))
                .build()?;
        let (chain, key) = self.identity("manager")?;
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)?;
        Ok(Arc::new(config))
    }

    /// Connects as member `number`.
    pub async fn connect(
        &self,
        server: &Addresses,
        number: usize,
    ) -> anyhow::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        let member = self.members.get(number).with_context(|| format!("the site has no member {number}"))?;
        let address = server.of(member.point)?;
        let named = self.members.get(number - number % self.per_certificate).unwrap_or(member);
        let (chain, key) = self.identity(&named.id)?;
        let config = rustls::ClientConfig::builder_with_provider(provider(KeyExchange::HybridPreferred))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(self.roots()?)
            .with_client_auth_cert(chain, key)?;
        let tcp = TcpStream::connect(address).await.with_context(|| format!("cannot connect to {address}"))?;
        tcp.set_nodelay(true)?;
        let name = ServerName::try_from("localhost")?;
        Ok(tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, tcp).await?)
    }
}

fn component(point: ReferencePoint, id: &str) -> anyhow::Result<ComponentRef> {
    Ok(ComponentRef::new(point, ComponentId::new(id)?))
}
