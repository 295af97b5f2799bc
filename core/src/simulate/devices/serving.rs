//! A device's door: mutual TLS, HTTP/1.1, one task a connection. What is answered is decided elsewhere.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::{HeaderValue, Request as HttpRequest, Response, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1::Builder,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
};
use tokio_rustls::TlsAcceptor;

use super::{
    NodeView,
    etsi014::{Entity, Reply, Request},
    etsi015,
};
use crate::{clock::wall_time, net::identity::named_in};

/// Connections of a device at a time.
const CONNECTIONS: usize = 64;
/// Bytes of a request's body.
const BODY_BYTES: usize = 64 * 1024;
/// How long a handshake, or the head of a request, may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is offered, and how its node is.
pub(super) enum Served {
    /// An entity of ETSI GS QKD 014.
    Entity(Entity, watch::Receiver<Arc<NodeView>>),
    /// A node of ETSI GS QKD 015.
    Node(watch::Receiver<Arc<NodeView>>),
}

impl Served {
    fn answer(&mut self, request: Request<'_>) -> (Reply, &'static str) {
        let now = wall_time();
        match self {
            Self::Entity(entity, view) => {
                let view = Arc::clone(&view.borrow());
                (entity.answer(request, &view, u64::try_from(now.0).unwrap_or(0)), "application/json")
            }
            Self::Node(view) => {
                let view = Arc::clone(&view.borrow());
                (etsi015::answer(request.method, request.path, &view, now), "application/yang-data+json")
            }
        }
    }
}

/// Listens and serves as long as the runtime lasts; where.
pub(super) async fn start(
    listen: SocketAddr,
    tls: Arc<rustls::ServerConfig>,
    served: Served,
) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    let (served, places) = (Arc::new(Mutex::new(served)), Arc::new(Semaphore::new(CONNECTIONS)));
    let acceptor = TlsAcceptor::from(tls);
    tokio::spawn(async move {
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let (acceptor, served) = (acceptor.clone(), Arc::clone(&served));
            tokio::spawn(async move {
                serve(stream, &acceptor, served).await;
                drop(place);
            });
        }
    });
    Ok(address)
}

async fn serve(stream: TcpStream, acceptor: &TlsAcceptor, served: Arc<Mutex<Served>>) {
    let Ok(Ok(stream)) = tokio::time::timeout(PATIENCE, acceptor.accept(stream)).await else { return };
    let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let sae: Arc<str> = certificate.and_then(|der| common_name(&named_in(der).ok()?.1)).unwrap_or_default().into();
    let service = service_fn(move |request: HttpRequest<Incoming>| {
        let (served, sae) = (Arc::clone(&served), Arc::clone(&sae));
        async move { Ok::<_, Infallible>(respond(request, &served, &sae).await) }
    });
    let mut http = Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    // Whoever asked may be gone.
    let _ended = http.serve_connection(TokioIo::new(stream), service).await;
}

/// The common name of a subject (RFC 4514).
fn common_name(subject: &str) -> Option<String> {
    subject.split(',').find_map(|part| part.trim().strip_prefix("CN=").map(str::to_owned))
}

async fn respond(request: HttpRequest<Incoming>, served: &Mutex<Served>, sae: &str) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY_BYTES).collect().await else {
        return response(413, serde_json::json!({ "message": "the body is too long" }), "application/json");
    };
    let query: Vec<(String, String)> =
        form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let path = decoded(head.uri.path());
    let body = body.to_bytes();
    let request = Request { method: head.method.as_str(), path: &path, query: &query, body: &body, sae };
    let ((status, document), kind) = served.lock().unwrap_or_else(PoisonError::into_inner).answer(request);
    response(status, document, kind)
}

/// A path without its encoding, once. A `+` is one.
fn decoded(path: &str) -> String {
    let kept = path.replace('+', "%2B");
    form_urlencoded::parse(kept.as_bytes())
        .map(|(name, value)| if value.is_empty() { name.into_owned() } else { format!("{name}={value}") })
        .collect()
}

fn response(status: u16, document: serde_json::Value, kind: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(document.to_string())));
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_off_subject_and_path() {
        assert_eq!(common_name("CN=sae-a,O=acme").as_deref(), Some("sae-a"));
        assert_eq!(common_name("O=acme"), None);
        assert_eq!(decoded("/api/v1/keys/sae%20b/status"), "/api/v1/keys/sae b/status");
        assert_eq!(decoded("/a+b"), "/a+b");
    }
}
