//! Connections of the API under a bound: so many at a time, and none that stays silent.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::serve::Listener;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, Sleep, sleep},
};

/// A listener that waits while as many connections as it may have are open; the system's queue holds who comes then.
#[derive(Debug)]
pub(crate) struct BoundedListener {
    listener: TcpListener,
    permits: Arc<Semaphore>,
    idle_timeout: Duration,
}

impl BoundedListener {
    pub(crate) fn new(listener: TcpListener, connections: usize, idle_timeout: Duration) -> Self {
        Self { listener, permits: Arc::new(Semaphore::new(connections)), idle_timeout }
    }
}

impl Listener for BoundedListener {
    type Io = BoundedStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        // The semaphore is never closed, so there is always a permit in the end.
        let permit = Arc::clone(&self.permits).acquire_owned().await.ok();
        let (stream, address) = Listener::accept(&mut self.listener).await;
        let idle_timeout = self.idle_timeout;
        (BoundedStream { stream, idle_timeout, silence: Box::pin(sleep(idle_timeout)), permit }, address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// A connection that fails once neither side moved a byte for so long.
pub(crate) struct BoundedStream {
    stream: TcpStream,
    idle_timeout: Duration,
    silence: Pin<Box<Sleep>>,
    #[expect(dead_code, reason = "held for its drop: it makes room for another connection")]
    permit: Option<OwnedSemaphorePermit>,
}

impl BoundedStream {
    /// A byte moved: the silence starts anew. While nothing can move, its end is an error.
    fn watch<T>(&mut self, context: &mut Context<'_>, moved: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if moved.is_pending() {
            ready!(self.silence.as_mut().poll(context));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let end = Instant::now() + self.idle_timeout;
        self.silence.as_mut().reset(end);
        moved
    }
}

impl AsyncRead for BoundedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let moved = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.watch(context, moved)
    }
}

impl AsyncWrite for BoundedStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let moved = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, moved)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let moved = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.watch(context, moved)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use axum::{Router, routing::get};

    use super::*;

    /// Serves `/` on a loopback port while `client` runs.
    fn serving(connections: usize, idle_timeout: Duration, client: impl FnOnce(SocketAddr) + Send + 'static) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let bounded = BoundedListener::new(listener, connections, idle_timeout);
            let client = tokio::task::spawn_blocking(move || client(address));
            let router = Router::new().route("/", get(|| async { "here" }));
            let stop = async move { client.await.unwrap() };
            axum::serve(bounded, router).with_graceful_shutdown(stop).await.unwrap();
        });
    }

    fn ask(stream: &mut std::net::TcpStream) -> io::Result<()> {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")?;
        stream.read_exact(&mut [0; 64])
    }

    #[test]
    fn a_silent_connection_is_closed() {
        serving(1, Duration::from_millis(30), |address| {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nHost").unwrap();
            let mut rest = Vec::new();
            // Closed or reset, but not left open: else this would not return.
            let _ = stream.read_to_end(&mut rest);
        });
    }

    #[test]
    fn one_connection_too_many_waits_for_another_to_go() {
        serving(1, Duration::from_secs(60), |address| {
            let mut first = std::net::TcpStream::connect(address).unwrap();
            ask(&mut first).unwrap();
            let mut second = std::net::TcpStream::connect(address).unwrap();
            second.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
            let kind = ask(&mut second).unwrap_err().kind();
            assert!(matches!(kind, io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut), "{kind}");
            drop(first);
            second.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            second.read_exact(&mut [0; 64]).unwrap();
        });
    }
}
