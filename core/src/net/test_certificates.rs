//! Certificates and peers for the tests of this module.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevocationReason, RevokedCertParams, SanType, SerialNumber,
    date_time_ymd,
};
use rustls::{ClientConfig, RootCertStore, client::Resumption, server::WebPkiClientVerifier};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::{
    net::TcpStream,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

use super::{
    Accepted, Bounds, ConnectionRegistry, ConnectionSink, InterfaceTrust, Listener, Refused,
    tls::{self, Clock},
};
use crate::{
    config::{ComponentConfig, IdentityRule, KeyExchange, TlsConfig},
    model::{ComponentRef, ReferencePoint, Timestamp},
    telemetry::metrics::Metrics,
};

pub(super) use ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};

/// A certificate authority in memory.
pub(super) struct Ca {
    issuer: Issuer<'static, KeyPair>,
    pub(super) der: CertificateDer<'static>,
    pub(super) pem: String,
}

/// A certificate in memory.
pub(super) struct Cert {
    pub(super) der: CertificateDer<'static>,
    pub(super) pem: String,
    pub(super) key: KeyPair,
    pub(super) serial: u64,
}

/// What a certificate says; days are counted from now.
pub(super) struct Saying {
    pub(super) uris: Vec<&'static str>,
    pub(super) usages: Vec<ExtendedKeyUsagePurpose>,
    pub(super) days: (i64, i64),
}

impl Saying {
    pub(super) fn uris(uris: &[&'static str]) -> Self {
        Self { uris: uris.to_vec(), usages: vec![ClientAuth, ServerAuth], days: (-1, 30) }
    }

    fn params(&self) -> (CertificateParams, u64) {
        static NEXT: AtomicI64 = AtomicI64::new(1000);
        let serial = u64::try_from(NEXT.fetch_add(1, Ordering::Relaxed)).unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "Acme, Ltd");
        params.distinguished_name.push(DnType::CommonName, "holder");
        params.subject_alt_names = self.uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap())).collect();
        params.subject_alt_names.push(SanType::DnsName("localhost".try_into().unwrap()));
        params.extended_key_usages.clone_from(&self.usages);
        params.not_before = date_time_ymd(1970, 1, 1) + days_from_now(self.days.0);
        params.not_after = date_time_ymd(1970, 1, 1) + days_from_now(self.days.1);
        params.serial_number = Some(SerialNumber::from(serial));
        (params, serial)
    }

    pub(super) fn self_signed(&self) -> Cert {
        let (params, serial) = self.params();
        let key = KeyPair::generate().unwrap();
        let made = params.self_signed(&key).unwrap();
        Cert { der: made.der().clone(), pem: made.pem(), key, serial }
    }
}

impl Ca {
    pub(super) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let made = params.self_signed(&key).unwrap();
        Self { der: made.der().clone(), pem: made.pem(), issuer: Issuer::new(params, key) }
    }

    pub(super) fn issue(&self, saying: &Saying) -> Cert {
        let (params, serial) = saying.params();
        let key = KeyPair::generate().unwrap();
        let made = params.signed_by(&key, &self.issuer).unwrap();
        Cert { der: made.der().clone(), pem: made.pem(), key, serial }
    }

    pub(super) fn revoke(&self, serials: &[u64]) -> rcgen::CertificateRevocationList {
        CertificateRevocationListParams {
            this_update: date_time_ymd(1970, 1, 1) + days_from_now(-1),
            next_update: date_time_ymd(1970, 1, 1) + days_from_now(7),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: serials
                .iter()
                .map(|serial| RevokedCertParams {
                    serial_number: SerialNumber::from(*serial),
                    revocation_time: date_time_ymd(1970, 1, 1) + days_from_now(-1),
                    reason_code: Some(RevocationReason::KeyCompromise),
                    invalidity_date: None,
                })
                .collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        }
        .signed_by(&self.issuer)
        .unwrap()
    }
}

fn days_from_now(days: i64) -> Duration {
    Duration::from_secs(u64::try_from(real_time().0 / 1000 + days * 86_400).unwrap())
}

fn real_time() -> Timestamp {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp(i64::try_from(now.as_millis()).unwrap())
}

/// A clock that a test can set.
pub(super) struct TestClock(Arc<AtomicI64>);

impl TestClock {
    pub(super) fn new() -> Self {
        Self(Arc::new(AtomicI64::new(real_time().0)))
    }

    pub(super) fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }

    pub(super) fn forward_days(&self, days: i64) {
        self.0.fetch_add(days * 86_400_000, Ordering::SeqCst);
    }

    pub(super) fn clock(&self) -> Clock {
        let time = Arc::clone(&self.0);
        Arc::new(move || Timestamp(time.load(Ordering::SeqCst)))
    }
}

/// Files in a folder that goes with the test.
pub(super) struct Files(pub(super) tempfile::TempDir);

impl Files {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(super) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }
}

/// The manager's side of `[tls]`, with a certificate of its own from the authority.
pub(super) fn tls_config(files: &Files, ca: &Ca) -> TlsConfig {
    let own = ca.issue(&Saying::uris(&["urn:qkdn:mx:manager-east"]));
    TlsConfig {
        certificate: files.write("own.pem", &own.pem),
        private_key: files.write("own.key", own.key.serialize_pem()),
        trust_anchors: vec![files.write("ca.pem", &ca.pem)],
        revocation_lists: Vec::new(),
        key_exchange: KeyExchange::HybridPreferred,
        allow_tls12: false,
    }
}

/// An entry of `[[components]]`.
pub(super) fn component(name: &str, identity: Option<IdentityRule>) -> ComponentConfig {
    let component: ComponentRef = name.parse().unwrap();
    ComponentConfig {
        identity: identity.unwrap_or_else(|| IdentityRule::San(component.urn())),
        component,
        vendor: String::new(),
        model: String::new(),
        version: String::new(),
        site: String::new(),
        tags: Vec::new(),
        expected_interval: None,
        dial: None,
        sees: Vec::new(),
    }
}

/// What came out of a listener.
pub(super) enum Event {
    Accepted(Box<Accepted>),
    Refused(Refused),
}

struct Sink(UnboundedSender<Event>);

impl ConnectionSink for Sink {
    fn accepted(&self, connection: Accepted) {
        let _ = self.0.send(Event::Accepted(Box::new(connection)));
    }

    fn refused(&self, _point: ReferencePoint, _peer: SocketAddr, refused: &Refused) {
        let _ = self.0.send(Event::Refused(refused.clone()));
    }
}

/// A listener for mk that runs.
pub(super) struct Site {
    pub(super) ca: Ca,
    pub(super) files: Files,
    pub(super) tls: TlsConfig,
    pub(super) clock: TestClock,
    pub(super) trust: Arc<InterfaceTrust>,
    pub(super) registry: Arc<ConnectionRegistry>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) address: SocketAddr,
    pub(super) cancel: CancellationToken,
    pub(super) served: tokio::task::JoinHandle<()>,
    events: UnboundedReceiver<Event>,
}

/// How a site differs from the usual one.
pub(super) struct Setting {
    pub(super) tls: fn(&mut TlsConfig),
    pub(super) components: Vec<ComponentConfig>,
    pub(super) max_connections: usize,
    pub(super) per_identity: usize,
    pub(super) handshake_timeout: Duration,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            tls: |_| {},
            components: vec![component("mk/km-1", None)],
            max_connections: 100,
            per_identity: 4,
            handshake_timeout: Duration::from_secs(20),
        }
    }
}

impl Site {
    pub(super) async fn start(setting: Setting) -> Self {
        let (ca, files, clock) = (Ca::new("site"), Files::new(), TestClock::new());
        let mut tls = tls_config(&files, &ca);
        (setting.tls)(&mut tls);
        let (trust, _) =
            InterfaceTrust::load(ReferencePoint::Mk, &tls, &[], &setting.components, clock.clock()).unwrap();
        let trust = Arc::new(trust);
        let metrics = Arc::new(Metrics::default());
        let registry = ConnectionRegistry::new(
            ReferencePoint::Mk,
            Bounds {
                max_connections: setting.max_connections,
                per_identity: setting.per_identity,
                handshake_timeout: setting.handshake_timeout,
            },
            Arc::clone(&metrics),
        );
        let listener = Listener::bind(ReferencePoint::Mk, &["127.0.0.1:0".parse().unwrap()]).await.unwrap();
        let address = listener.addresses()[0];
        let (sender, events) = unbounded_channel();
        let cancel = CancellationToken::new();
        let served = tokio::spawn(listener.serve(
            Arc::clone(&trust),
            Arc::clone(&registry),
            Arc::new(Sink(sender)),
            cancel.clone(),
        ));
        Self { ca, files, tls, clock, trust, registry, metrics, address, cancel, served, events }
    }

    pub(super) async fn event(&mut self) -> Event {
        self.events.recv().await.unwrap()
    }

    pub(super) async fn accepted(&mut self) -> Box<Accepted> {
        match self.event().await {
            Event::Accepted(accepted) => accepted,
            Event::Refused(refused) => panic!("refused: {refused}"),
        }
    }

    pub(super) async fn refused(&mut self) -> Refused {
        match self.event().await {
            Event::Refused(refused) => refused,
            Event::Accepted(accepted) => panic!("accepted: {:?}", accepted.identity.components),
        }
    }

    /// A client's configuration that trusts the site.
    pub(super) fn client(&self, cert: Option<&Cert>) -> ClientConfig {
        self.client_with(cert, KeyExchange::HybridPreferred)
    }

    pub(super) fn client_with(&self, cert: Option<&Cert>, key_exchange: KeyExchange) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.ca.der.clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(tls::provider(key_exchange))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match cert {
            Some(cert) => builder.with_client_auth_cert(vec![cert.der.clone()], cert.key()).unwrap(),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"qkdn/1".to_vec()];
        config.resumption = Resumption::disabled();
        config
    }

    pub(super) async fn connect(
        &self,
        config: impl Into<Arc<ClientConfig>>,
    ) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        let tcp = TcpStream::connect(self.address).await?;
        TlsConnector::from(config.into()).connect("localhost".try_into().unwrap(), tcp).await
    }
}

impl Cert {
    pub(super) fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::try_from(self.key.serialize_der()).unwrap()
    }
}

/// A component that listens: accepts one connection with this certificate, and returns its address.
pub(super) async fn listening_component(ca: &Ca, cert: &Cert) -> SocketAddr {
    let mut roots = RootCertStore::empty();
    roots.add(ca.der.clone()).unwrap();
    let provider = tls::provider(KeyExchange::HybridPreferred);
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![cert.der.clone()], cert.key())
        .unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        if let Ok(mut stream) = tokio_rustls::TlsAcceptor::from(Arc::new(config)).accept(tcp).await {
            let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 1]).await;
        }
    });
    address
}
