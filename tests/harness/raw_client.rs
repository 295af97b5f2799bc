//! One end of a connection of the status protocol, line by line: what a component sends and sees, with nothing between.
//!
//! It connects as a component ([`RawClient::connect`]) or waits to be dialled by the manager ([`RawListener`]). Every
//! read has a deadline. How a connection ended is told exactly ([`Closing`]): with close_notify, or without.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::Arc,
};

use rustls::{
    ClientConfig, ClientConnection, NamedGroup, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    crypto::CryptoProvider, server::WebPkiClientVerifier,
};
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::Value;

use crate::{pki::Identity, waiting::patience};

/// How the other side ended the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Closing {
    /// With close_notify.
    Orderly,
    /// Without: the TCP connection ended, or a TLS alert came.
    Abrupt(String),
}

/// What a client brings to the handshake.
#[derive(Clone)]
pub struct Hello {
    /// Its certificate; none: none is sent.
    pub identity: Option<Identity>,
    /// Whom it trusts.
    pub anchor: CertificateDer<'static>,
    /// ALPN protocols offered.
    pub alpn: Vec<Vec<u8>>,
    /// Key exchange groups offered; empty: the library's own choice.
    pub groups: Vec<NamedGroup>,
    /// TLS 1.2 instead of 1.3.
    pub tls12: bool,
}

impl Hello {
    /// The usual: this identity, ALPN `qkdn/1`.
    #[must_use]
    pub fn new(identity: &Identity, anchor: &CertificateDer<'static>) -> Self {
        Self {
            identity: Some(identity.clone()),
            anchor: anchor.clone(),
            alpn: vec![b"qkdn/1".to_vec()],
            groups: Vec::new(),
            tls12: false,
        }
    }

    fn config(&self) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.anchor.clone()).expect("the anchor is a certificate");
        let versions: &[_] = if self.tls12 { &[&rustls::version::TLS12] } else { &[&rustls::version::TLS13] };
        let builder = ClientConfig::builder_with_provider(Arc::new(provider(&self.groups)))
            .with_protocol_versions(versions)
            .expect("the provider serves the version")
            .with_root_certificates(roots);
        let mut config = match &self.identity {
            Some(identity) => builder
                .with_client_auth_cert(vec![identity.certificate.clone()], identity.key())
                .expect("key and certificate belong together"),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols.clone_from(&self.alpn);
        config
    }
}

fn provider(groups: &[NamedGroup]) -> CryptoProvider {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    if !groups.is_empty() {
        provider.kx_groups.retain(|group| groups.contains(&group.name()));
    }
    provider
}

enum Stream {
    Client(Box<StreamOwned<ClientConnection, TcpStream>>),
    Server(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Stream {
    fn as_io(&mut self) -> &mut dyn ReadWrite {
        match self {
            Self::Client(stream) => stream.as_mut(),
            Self::Server(stream) => stream.as_mut(),
        }
    }

    fn socket(&self) -> &TcpStream {
        match self {
            Self::Client(stream) => stream.get_ref(),
            Self::Server(stream) => stream.get_ref(),
        }
    }
}

trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}

/// A connection, from a component's side.
pub struct RawClient {
    stream: Stream,
    received: Vec<u8>,
    scanned: usize,
}

impl RawClient {
    /// Connects with this identity and finishes the handshake as far as a client can see it (under TLS 1.3 a server
    /// that refuses the client says so only afterwards).
    ///
    /// # Panics
    /// When the handshake fails.
    #[must_use]
    pub fn connect(address: SocketAddr, identity: &Identity, anchor: &CertificateDer<'static>) -> Self {
        Self::try_connect(address, &Hello::new(identity, anchor)).expect("the manager accepts the connection")
    }

    /// As [`Self::connect`], with everything to choose; a failed handshake is an error.
    pub fn try_connect(address: SocketAddr, hello: &Hello) -> io::Result<Self> {
        let mut socket = TcpStream::connect(address)?;
        prepare(&socket)?;
        let name = ServerName::try_from("localhost").expect("a name");
        let mut connection = ClientConnection::new(Arc::new(hello.config()), name).map_err(io::Error::other)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut socket)?;
        }
        Ok(Self::over(Stream::Client(Box::new(StreamOwned::new(connection, socket)))))
    }

    fn over(stream: Stream) -> Self {
        Self { stream, received: Vec::new(), scanned: 0 }
    }

    /// The key exchange group that was agreed on.
    #[must_use]
    pub fn key_exchange_group(&self) -> Option<NamedGroup> {
        let group = match &self.stream {
            Stream::Client(stream) => stream.conn.negotiated_key_exchange_group(),
            Stream::Server(stream) => stream.conn.negotiated_key_exchange_group(),
        };
        group.map(rustls::crypto::SupportedKxGroup::name)
    }

    /// The ALPN protocol that was agreed on.
    #[must_use]
    pub fn alpn(&self) -> Option<&[u8]> {
        match &self.stream {
            Stream::Client(stream) => stream.conn.alpn_protocol(),
            Stream::Server(stream) => stream.conn.alpn_protocol(),
        }
    }

    /// Sends bytes as they are.
    ///
    /// # Panics
    /// When the connection is gone.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.try_send_bytes(bytes).expect("the connection takes bytes");
    }

    /// Sends bytes as they are; an error when the connection is gone.
    pub fn try_send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        let io = self.stream.as_io();
        io.write_all(bytes)?;
        io.flush()
    }

    /// Sends one line.
    ///
    /// # Panics
    /// When the connection is gone.
    pub fn send_line(&mut self, line: &str) {
        self.send_bytes(format!("{line}\n").as_bytes());
    }

    /// Sends one message.
    ///
    /// # Panics
    /// When the connection is gone.
    pub fn send(&mut self, message: &Value) {
        self.send_line(&message.to_string());
    }

    /// Sends several messages at once, in one write.
    ///
    /// # Panics
    /// When the connection is gone.
    pub fn send_all(&mut self, messages: &[Value]) {
        let mut bytes = Vec::new();
        for message in messages {
            serde_json::to_writer(&mut bytes, message).expect("JSON");
            bytes.push(b'\n');
        }
        self.send_bytes(&bytes);
    }

    /// The next line as JSON.
    ///
    /// # Panics
    /// When none comes in time, the connection ends, or the line is not JSON.
    pub fn receive(&mut self) -> Value {
        match self.try_receive() {
            Ok(message) => message,
            Err(closing) => panic!("expected a line, but the connection ended: {closing:?}"),
        }
    }

    /// The next line as JSON, or how the connection ended.
    ///
    /// # Panics
    /// When neither comes in time, or the line is not JSON.
    pub fn try_receive(&mut self) -> Result<Value, Closing> {
        let line = self.read_line()?;
        Ok(serde_json::from_str(&line).unwrap_or_else(|error| panic!("the manager sent no JSON ({error}): {line}")))
    }

    /// Sends a message and takes the next line as its answer.
    ///
    /// # Panics
    /// As [`Self::receive`].
    pub fn ask(&mut self, message: &Value) -> Value {
        self.send(message);
        self.receive()
    }

    /// Reads what still comes, until the connection ends.
    ///
    /// # Panics
    /// When it does not end in time.
    pub fn drain(&mut self) -> (Vec<Value>, Closing) {
        let mut messages = Vec::new();
        loop {
            match self.try_receive() {
                Ok(message) => messages.push(message),
                Err(closing) => return (messages, closing),
            }
        }
    }

    /// Ends this side in good order: close_notify, and no more bytes. What the manager still says can be read.
    ///
    /// # Panics
    /// When the connection is gone.
    pub fn finish(&mut self) {
        match &mut self.stream {
            Stream::Client(stream) => stream.conn.send_close_notify(),
            Stream::Server(stream) => stream.conn.send_close_notify(),
        }
        self.stream.as_io().flush().expect("the connection takes close_notify");
        self.stream.socket().shutdown(Shutdown::Write).expect("the socket can be half closed");
    }

    fn read_line(&mut self) -> Result<String, Closing> {
        let mut chunk = [0; 64 * 1024];
        loop {
            let fresh = self.received.get(self.scanned..).unwrap_or_default();
            if let Some(end) = fresh.iter().position(|byte| *byte == b'\n') {
                let rest = self.received.split_off(self.scanned + end + 1);
                let mut line = std::mem::replace(&mut self.received, rest);
                self.scanned = 0;
                line.pop();
                return Ok(String::from_utf8(line).expect("the manager sends UTF-8"));
            }
            self.scanned = self.received.len();
            match self.stream.as_io().read(&mut chunk) {
                Ok(0) => return Err(Closing::Orderly),
                Ok(length) => self.received.extend_from_slice(chunk.get(..length).unwrap_or_default()),
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    panic!("nothing came in {:.0} s", patience().as_secs_f64())
                }
                Err(error) => return Err(Closing::Abrupt(error.to_string())),
            }
        }
    }
}

fn prepare(socket: &TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(patience()))?;
    socket.set_write_timeout(Some(patience()))
}

/// A component that waits to be dialled by its manager.
pub struct RawListener {
    listener: TcpListener,
    config: Arc<ServerConfig>,
}

impl RawListener {
    /// Listens on a free port of the loopback address, with this identity, for managers that the anchor vouches for.
    ///
    /// # Panics
    /// When it cannot listen.
    #[must_use]
    pub fn bind(identity: &Identity, anchor: &CertificateDer<'static>) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(anchor.clone()).expect("the anchor is a certificate");
        let provider = Arc::new(provider(&[]));
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .expect("a verifier");
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("TLS 1.3")
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![identity.certificate.clone()], identity.key())
            .expect("key and certificate belong together");
        config.alpn_protocols = vec![b"qkdn/1".to_vec()];
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        Self { listener, config: Arc::new(config) }
    }

    /// Where it listens.
    ///
    /// # Panics
    /// Never, for a bound socket.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("a bound socket")
    }

    /// Takes the next connection and finishes its handshake.
    pub fn accept(&self) -> io::Result<RawClient> {
        self.listener.set_nonblocking(true)?;
        let mut socket =
            crate::eventually("a connection from the manager", patience(), || self.listener.accept().ok()).0;
        socket.set_nonblocking(false)?;
        prepare(&socket)?;
        let mut connection = ServerConnection::new(Arc::clone(&self.config)).map_err(io::Error::other)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut socket)?;
        }
        Ok(RawClient::over(Stream::Server(Box::new(StreamOwned::new(connection, socket)))))
    }
}
