//! Connections to servers that are no components: an exporter's target, a device that a collector asks, over TLS or, where the configuration says so, plain.
//!
//! In: host and port, and the trust of that one target. Out: a stream. The server's certificate must come from an anchor of
//! the target, be valid and be made for the host's name, as the web has it; the manager shows a certificate only if one is
//! configured for the target. What is sent is not known here.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use rustls::{ClientConfig, client::Resumption, sign::SingleCertAndKey};
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use super::{
    credentials::{CredentialError, Problems, anchors, own_certificate},
    tls::{TlsClock, provider, versions},
    trust::TrustWarning,
};
use crate::{
    clock::wall_time,
    config::{KeyExchange, TlsConfig, exporter::ExporterTls},
};

/// Whom to trust at one target, and what to show it.
#[derive(Clone, Debug)]
pub struct OutgoingTls(Arc<ClientConfig>);

impl OutgoingTls {
    /// Reads the files. Every problem, or what is doubtful.
    pub fn load(config: &ExporterTls) -> Result<(Self, Vec<TrustWarning>), Vec<CredentialError>> {
        let (now, mut problems) = (wall_time(), Problems::default());
        let (certificate, private_key) = config.client.clone().unwrap_or_default();
        let tls = TlsConfig {
            certificate,
            private_key,
            trust_anchors: config.trust_anchors.clone(),
            revocation_lists: Vec::new(),
            key_exchange: KeyExchange::HybridPreferred,
            allow_tls12: config.allow_tls12,
        };
        let provider = provider(tls.key_exchange);
        let roots = anchors(&tls.trust_anchors, now, &mut problems);
        let own = config.client.is_some().then(|| own_certificate(&tls, &provider, now, &mut problems));
        let clock = Arc::new(TlsClock(Arc::new(wall_time)));
        let builder = ClientConfig::builder_with_details(provider, clock).with_protocol_versions(versions(&tls));
        if !problems.errors.is_empty() {
            return Err(problems.errors);
        }
        let unusable = |error: rustls::Error| {
            vec![CredentialError::Content {
                key: "trust_anchors",
                path: tls.trust_anchors.first().cloned().unwrap_or_default(),
                found: error.to_string(),
                expected: "certificates that TLS can use",
            }]
        };
        let builder = builder.map_err(unusable)?.with_root_certificates(roots);
        let mut client = match own.flatten() {
            Some(own) => {
                let shown = SingleCertAndKey::from(Arc::clone(&own.certified));
                builder.with_client_cert_resolver(Arc::new(shown))
            }
            None => builder.with_no_client_auth(),
        };
        client.alpn_protocols = vec![b"http/1.1".to_vec()];
        client.resumption = Resumption::in_memory_sessions(4);
        Ok((Self(Arc::new(client)), problems.warnings))
    }
}

/// A connection that is up.
#[derive(Debug)]
pub enum OutgoingStream {
    /// Without TLS.
    Plain(TcpStream),
    /// With it.
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

impl OutgoingStream {
    /// The address that it leads to.
    #[must_use]
    pub fn peer(&self) -> Option<std::net::SocketAddr> {
        match self {
            Self::Plain(stream) => stream.peer_addr().ok(),
            Self::Tls(stream) => stream.get_ref().0.peer_addr().ok(),
        }
    }
}

/// Connects once. The caller bounds the time.
pub async fn connect(host: &str, port: u16, tls: Option<&OutgoingTls>) -> io::Result<OutgoingStream> {
    let tcp = TcpStream::connect((host, port)).await?;
    tcp.set_nodelay(true)?;
    let Some(OutgoingTls(config)) = tls else { return Ok(OutgoingStream::Plain(tcp)) };
    let name =
        ServerName::try_from(host.to_owned()).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let stream = TlsConnector::from(Arc::clone(config)).connect(name, tcp).await?;
    Ok(OutgoingStream::Tls(Box::new(stream)))
}

impl AsyncRead for OutgoingStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for OutgoingStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
        }
    }
}
