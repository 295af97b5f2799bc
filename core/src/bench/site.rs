//! What a measurement needs on disk: certificates, a configuration; and client connections.

use std::{
    fmt::Write as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _};
use tokio::net::TcpStream;

use crate::{
    config::KeyExchange,
    model::{ComponentId, ComponentRef, ReferencePoint},
    net::tls::provider,
    pki,
};

/// A folder with a certificate authority, one client certificate for all key managers, and `manager.toml`.
pub struct Site {
    folder: PathBuf,
}

impl Site {
    /// Makes the folder's contents for this many key managers.
    pub fn make(folder: &Path, components: usize, durability: &str) -> anyhow::Result<Self> {
        let pki_folder = folder.join("pki");
        pki::init(&pki_folder, "qkdnm bench CA", 30)?;
        let issue = |components: Vec<ComponentRef>, name: &str| {
            let request =
                pki::IssueRequest { components, dns: vec![], ips: vec![], days: 30, name: Some(name.to_owned()) };
            pki::issue(&pki_folder, &request)
        };
        issue(vec![component(ReferencePoint::Mx, "bench")?], "manager")?;
        for number in 0..components {
            issue(vec![component(ReferencePoint::Mk, &format!("km-{number}"))?], &format!("km-{number}"))?;
        }
        let mut text = format!(
            "[manager]\nid = \"bench\"\ndomain = \"bench\"\ndata_dir = \"data\"\n[log]\nlevel = \"warn\"\n[tls]\ncertificate = \
             \"pki/manager.pem\"\nprivate_key = \"pki/manager.key\"\ntrust_anchors = \"pki/ca.pem\"\n[interfaces.mk]\nlisten = \
             \"127.0.0.1:0\"\n[api]\nlisten = \"127.0.0.1:0\"\n[storage]\ndurability = \"{durability}\"\n"
        );
        text.push_str(
            "[[policies]]\nname = \"store-low\"\nfunction = \"performance\"\nplugin = \"builtin:threshold\"\nconfig = { value = \
             \"key_store_fill_ratio\", raise_below = 0.2, clear_above = 0.3, severity = \"minor\", alarm_type = \
             \"key-store-low\" }\n[[policies]]\nname = \"forecast\"\nfunction = \"performance\"\nplugin = \
             \"builtin:key-store-forecast\"\n",
        );
        for number in 0..components {
            write!(text, "[[components]]\nid = \"km-{number}\"\nreference_point = \"mk\"\n")?;
        }
        std::fs::write(folder.join("manager.toml"), text)?;
        Ok(Self::open(folder))
    }

    /// A folder that [`Self::make`] filled.
    #[must_use]
    pub fn open(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf() }
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn pem(&self, name: &str) -> PathBuf {
        self.folder.join("pki").join(name)
    }

    fn roots(&self) -> anyhow::Result<rustls::RootCertStore> {
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

    /// Connects as key manager `number`.
    pub async fn connect(
        &self,
        server: SocketAddr,
        number: usize,
    ) -> anyhow::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        let (chain, key) = self.identity(&format!("km-{number}"))?;
        let config = rustls::ClientConfig::builder_with_provider(provider(KeyExchange::HybridPreferred))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(self.roots()?)
            .with_client_auth_cert(chain, key)?;
        let tcp = TcpStream::connect(server).await.with_context(|| format!("cannot connect to {server}"))?;
        tcp.set_nodelay(true)?;
        let name = ServerName::try_from("localhost")?;
        Ok(tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, tcp).await?)
    }
}

fn component(point: ReferencePoint, id: &str) -> anyhow::Result<ComponentRef> {
    Ok(ComponentRef::new(point, ComponentId::new(id)?))
}
