//! HTTP/1.1 with servers that are no components: a connection, and what a failure on it means. Redirects are answers like
//! any other: nothing here follows them.

use hyper::{
    body::Body,
    client::conn::http1::{Builder, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::task::JoinHandle;

use crate::{
    config::exporter::ExporterUrl,
    net::{OutgoingTls, outgoing},
};

/// A connection that is up: where requests go in, what drives it, and the address it leads to.
pub(super) struct Opened<B> {
    pub(super) sender: SendRequest<B>,
    /// Ends with the sender, or when the server closes.
    pub(super) driver: JoinHandle<hyper::Result<()>>,
    pub(super) peer: Option<std::net::SocketAddr>,
}

/// Connects. The error names the server and why.
pub(super) async fn open<B>(url: &ExporterUrl, tls: Option<&OutgoingTls>, http: &Builder) -> Result<Opened<B>, String>
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let stream = outgoing::connect(&url.host, url.port, tls).await;
    let stream = stream.map_err(|error| format!("cannot connect to {}: {error}", url.authority()))?;
    let peer = stream.peer();
    let opened = http.handshake(TokioIo::new(stream)).await;
    let (sender, connection) = opened.map_err(|error| format!("no HTTP at {}: {error}", url.authority()))?;
    Ok(Opened { sender, driver: tokio::spawn(connection), peer })
}

/// Why a request failed. One that found the connection broken does not know why; the connection does. (In TLS 1.3 a server
/// refuses the manager's certificate only after the handshake.)
pub(super) async fn why(url: &ExporterUrl, error: &hyper::Error, driver: JoinHandle<hyper::Result<()>>) -> String {
    let broken = driver.await.ok().and_then(Result::err);
    let why = broken.as_ref().map_or_else(|| chain(error), |broken| chain(broken));
    format!("{}: {why}", url.authority())
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text = format!("{text}: {source}");
        cause = source.source();
    }
    text
}
