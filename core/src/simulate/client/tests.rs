//! The client against a manager of a few lines, over real TLS on loopback.

use std::{fs, path::Path, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use rustls::RootCertStore;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::*;
use crate::model::{ComponentId, ReferencePoint};

struct Site {
    folder: tempfile::TempDir,
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Site {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
        fs::write(folder.path().join("ca.pem"), ca.pem()).unwrap();
        let issue = |name: &str, san: SanType| {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::default();
            params.subject_alt_names = vec![san];
            let certificate = params.signed_by(&key, &ca).unwrap();
            fs::write(folder.path().join(format!("{name}.pem")), certificate.pem()).unwrap();
            fs::write(folder.path().join(format!("{name}.key")), key.serialize_pem()).unwrap();
        };
        issue("manager", SanType::IpAddress([127, 0, 0, 1].into()));
        issue("alice", SanType::URI("urn:qkdn:mq:alice".try_into().unwrap()));
        let read = |name: &str| folder.path().join(name);
        let chain = CertificateDer::pem_file_iter(read("manager.pem")).unwrap().collect::<Result<_, _>>().unwrap();
        let key = PrivateKeyDer::from_pem_file(read("manager.key")).unwrap();
        let mut anchors = RootCertStore::empty();
        anchors.add(CertificateDer::from_pem_file(read("ca.pem")).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier =
            rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(anchors), Arc::clone(&provider));
        let mut tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(chain, key)
            .unwrap();
        tls.alpn_protocols = vec![b"qkdn/1".to_vec()];
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { folder, listener, acceptor: TlsAcceptor::from(Arc::new(tls)) }
    }

    fn client(&self) -> Client {
        let path = |name: &str| Path::join(self.folder.path(), name);
        let component = ComponentRef::new(ReferencePoint::Mq, ComponentId::new("alice").unwrap());
        let manager = self.listener.local_addr().unwrap().to_string();
        let trust = Trust::from_files(&[path("ca.pem")]).unwrap();
        let tls = trust.client_from_files(&path("alice.pem"), &path("alice.key")).unwrap();
        let mut config = ClientConfig::new(component, manager, tls);
        config.window = 3;
        config.backoff_min = Duration::from_millis(1);
        Client::start(config).unwrap()
    }

    async fn accept(&self) -> Peer {
        let (stream, _) = self.listener.accept().await.unwrap();
        let stream = self.acceptor.accept(stream).await.unwrap();
        let (_, tls) = stream.get_ref();
        assert_eq!(tls.alpn_protocol(), Some(b"qkdn/1".as_slice()));
        assert_eq!(tls.negotiated_key_exchange_group().unwrap().name(), rustls::NamedGroup::X25519MLKEM768);
        Peer(BufReader::new(stream))
    }
}

struct Peer(BufReader<TlsStream<tokio::net::TcpStream>>);

impl Peer {
    async fn read(&mut self) -> Option<Value> {
        let mut line = String::new();
        (self.0.read_line(&mut line).await.unwrap() > 0).then(|| serde_json::from_str(&line).unwrap())
    }

    async fn write(&mut self, message: Value) {
        self.0.write_all(format!("{message}\n").as_bytes()).await.unwrap();
    }

    async fn answer(&mut self, report: &Value, response: &str) {
        self.write(json!({ "messageType": "statusReportResponse", "messageId": report["messageId"],
            "componentId": "alice", "response": response }))
            .await;
    }
}

fn objects(number: u32) -> Vec<Value> {
    vec![json!({ "type": "performance", "values": { "qber_ratio": f64::from(number) } })]
}

#[tokio::test(flavor = "multi_thread")]
async fn unanswered_reports_come_again_under_the_same_number() {
    let site = Site::new().await;
    let client = site.client();
    let counts = client.counts();
    let mut first = site.accept().await;
    for number in 0..2 {
        assert!(client.report(Timestamp(0), objects(number)).await);
    }
    let (zero, one) = (first.read().await.unwrap(), first.read().await.unwrap());
    assert_eq!((&zero["sequence"], &one["sequence"]), (&0.into(), &1.into()));
    first.answer(&zero, "SUCCESS").await;
    // Read before the connection goes: the answer has to be there first.
    first.write(json!({ "messageType": "statusReportRequest", "messageId": "q" })).await;
    assert_eq!(first.read().await.unwrap()["messageType"], "statusReportRequestResponse");
    drop(first);

    let mut second = site.accept().await;
    assert_eq!(second.read().await.unwrap(), one);
    second.answer(&one, "success").await;
    let finish = tokio::spawn(client.finish(Duration::from_secs(30)));
    assert_eq!(second.read().await, None);
    finish.await.unwrap();
    assert_eq!(counts.sent.load(Ordering::Relaxed), 2);
    assert_eq!(counts.acknowledged.load(Ordering::Relaxed), 2);
    assert_eq!(counts.repeated.load(Ordering::Relaxed), 1);
    assert_eq!(counts.connections.load(Ordering::Relaxed), 2);
    assert_eq!(counts.requests.load(Ordering::Relaxed), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_final_unless_it_asks_to_come_again() {
    let site = Site::new().await;
    let client = site.client();
    let counts = client.counts();
    let mut manager = site.accept().await;
    assert!(client.report(Timestamp(0), objects(0)).await);
    let report = manager.read().await.unwrap();
    manager
        .write(json!({ "messageType": "statusReportResponse", "messageId": "0", "response": "overloaded: later",
            "extension": [{ "type": "retry", "retryAfterMs": 1 }] }))
        .await;
    assert_eq!(manager.read().await.unwrap(), report);
    manager.answer(&report, "rejected: extension[0].values.qber_ratio").await;
    client.finish(Duration::from_secs(30)).await;
    assert_eq!(counts.refused.load(Ordering::Relaxed), 1);
    assert_eq!(counts.acknowledged.load(Ordering::Relaxed), 0);
    assert_eq!(counts.last_trouble().unwrap(), "rejected: extension[0].values.qber_ratio");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_window_bounds_what_is_out_and_requests_get_the_current_status() {
    let site = Site::new().await;
    let client = site.client();
    let mut manager = site.accept().await;
    for number in 0..3 {
        assert!(client.report(Timestamp(0), objects(number)).await);
        manager.read().await.unwrap();
    }
    // The window is full: this one waits in the channel, and there is no room behind it.
    assert!(client.report(Timestamp(0), objects(3)).await);
    assert!(!client.try_report(Timestamp(0), objects(4)));
    let query = json!({ "type": "query", "names": ["qber_ratio"] });
    manager.write(json!({ "messageType": "statusReportRequest", "messageId": "q", "extension": [query] })).await;
    let answer = manager.read().await.unwrap();
    assert_eq!((&answer["messageId"], &answer["response"]), (&"q".into(), &"success".into()));
    assert_eq!(answer["extension"][0]["values"]["qber_ratio"], 4.0);
    manager.answer(&json!({ "messageId": "1" }), "success").await;
    assert_eq!(manager.read().await.unwrap()["sequence"], 3);
}

fn message(kind: &str, id: &str, object: &Value) -> Value {
    json!({ "messageType": kind, "messageId": id, "componentId": "alice", "extension": [object] })
}

/// Reads up to a message of this type; reports before it are answered.
async fn await_kind(manager: &mut Peer, kind: &str) -> Value {
    loop {
        let message = manager.read().await.unwrap();
        if message["messageType"] == kind {
            return message;
        }
        manager.answer(&message, "success").await;
    }
}

/// Reads up to a notification, which is answered.
async fn await_notification(manager: &mut Peer) -> Value {
    loop {
        let report = await_kind(manager, "statusReport").await;
        manager.answer(&report, "success").await;
        if report["extension"][0]["type"] == "notification" {
            return report;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_durable_subscription_is_served_over_a_reconnect_and_ended() {
    let site = Site::new().await;
    let client = site.client();
    let counts = client.counts();
    let mut manager = site.accept().await;
    assert!(client.report(Timestamp(0), objects(1)).await);
    let asked =
        json!({ "type": "subscription", "events": [{}], "notificationMethod": "ON_EVENT_DETECTION", "durable": true });
    manager.write(message("subscribe", "s1", &asked)).await;
    let granted = await_kind(&mut manager, "subscribeResponse").await;
    assert_eq!((&granted["messageId"], &granted["response"]), (&"s1".into(), &"success".into()));
    let id = granted["extension"][0]["subscriptionId"].clone();
    assert!(client.report(Timestamp(0), objects(2)).await);
    let first = await_notification(&mut manager).await;
    assert_eq!(first["extension"][0]["notificationSequence"], 1);
    assert_eq!(first["extension"][1]["values"]["qber_ratio"], 2.0);
    drop(manager);

    let mut manager = site.accept().await;
    let resume = json!({ "type": "subscription", "subscriptionId": id });
    manager.write(message("subscribe", "s2", &resume)).await;
    assert_eq!(await_kind(&mut manager, "subscribeResponse").await["response"], "success");
    assert!(client.report(Timestamp(0), objects(3)).await);
    let next = await_notification(&mut manager).await;
    // The answer to the first may have been lost with the connection: then it comes again before the second.
    let number = next["extension"][0]["notificationSequence"].as_u64();
    let last = if number == Some(1) { await_notification(&mut manager).await } else { next };
    assert_eq!(last["extension"][0]["notificationSequence"], 2);
    assert_eq!(last["extension"][1]["values"]["qber_ratio"], 3.0);
    manager.write(message("unsubscribe", "s3", &resume)).await;
    assert_eq!(await_kind(&mut manager, "unsubscribeResponse").await["response"], "success");
    manager.write(message("unsubscribe", "s4", &resume)).await;
    let gone = await_kind(&mut manager, "unsubscribeResponse").await;
    assert!(gone["response"].as_str().unwrap().starts_with("rejected: "), "{gone}");
    assert_eq!(counts.subscriptions.load(Ordering::Relaxed), 2);
}
