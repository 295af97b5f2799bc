//! Whom components trust, and what they show: TLS of clients that share all but their certificate.

use std::{path::Path, sync::Arc};

use rustls::{
    RootCertStore,
    client::{Resumption, WebPkiServerVerifier},
    crypto::CryptoProvider,
    server::WebPkiClientVerifier,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use super::ClientError;

/// Anchors that vouch for the manager, read once for however many clients.
#[derive(Clone, Debug)]
pub struct Trust {
    provider: Arc<CryptoProvider>,
    verifier: Arc<WebPkiServerVerifier>,
    anchors: Arc<RootCertStore>,
}

impl Trust {
    /// Reads anchors in PEM.
    pub fn from_files(anchors: &[impl AsRef<Path>]) -> Result<Self, ClientError> {
        let mut store = RootCertStore::empty();
        for path in anchors {
            for certificate in certificates(path.as_ref())? {
                store.add(certificate)?;
            }
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let anchors = Arc::new(store);
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::clone(&anchors), Arc::clone(&provider)).build()?;
        Ok(Self { provider, verifier, anchors })
    }

    /// TLS of a client that shows this chain. Sessions are not resumed: ten thousand clients would keep ten thousand tables of
    /// tickets, and a component that comes back is to be known anew.
    pub fn client(
        &self,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Arc<rustls::ClientConfig>, ClientError> {
        let mut tls = rustls::ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()?
            .with_webpki_verifier(Arc::clone(&self.verifier))
            .with_client_auth_cert(chain, key)?;
        tls.alpn_protocols = vec![b"qkdn/1".to_vec()];
        tls.resumption = Resumption::disabled();
        Ok(Arc::new(tls))
    }

    /// TLS of a server that shows this chain and wants to know who asks.
    pub fn server(
        &self,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Arc<rustls::ServerConfig>, ClientError> {
        let anchors = Arc::clone(&self.anchors);
        let verifier = WebPkiClientVerifier::builder_with_provider(anchors, Arc::clone(&self.provider)).build()?;
        let mut tls = rustls::ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)?;
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(tls))
    }

    /// As [`Self::client`], with chain and key in PEM.
    pub fn client_from_files(&self, chain: &Path, key: &Path) -> Result<Arc<rustls::ClientConfig>, ClientError> {
        let private = PrivateKeyDer::from_pem_file(key)
            .map_err(|source| ClientError::File { path: key.to_path_buf(), source })?;
        self.client(certificates(chain)?, private)
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ClientError> {
    let file = |source| ClientError::File { path: path.to_path_buf(), source };
    CertificateDer::pem_file_iter(path).and_then(Iterator::collect).map_err(file)
}
