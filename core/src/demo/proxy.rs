//! A wire between two managers that can be cut and mended: a listener that passes bytes on as they are, or holds them.
//!
//! A cut wire behaves as a broken network does: nothing is refused, nothing arrives. It knows nothing of what it passes on.

use std::{io, net::SocketAddr, sync::Arc};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// A wire to one manager.
#[derive(Debug)]
pub(super) struct Wire {
    /// Where it is dialled.
    pub(super) address: SocketAddr,
    target: Arc<watch::Sender<Option<SocketAddr>>>,
    whole: Arc<watch::Sender<bool>>,
    task: JoinHandle<()>,
}

impl Wire {
    /// A wire whose far end is not known yet.
    pub(super) async fn lay() -> io::Result<Self> {
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (target, whole) = (Arc::new(watch::Sender::new(None)), Arc::new(watch::Sender::new(true)));
        let task = tokio::spawn(serve(listener, target.subscribe(), Arc::clone(&whole)));
        Ok(Self { address, target, whole, task })
    }

    /// Where it leads.
    pub(super) fn leads_to(&self, target: SocketAddr) {
        self.target.send_replace(Some(target));
    }

    /// Cuts it, or mends it.
    pub(super) fn set_whole(&self, whole: bool) {
        self.whole.send_replace(whole);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, target: watch::Receiver<Option<SocketAddr>>, whole: Arc<watch::Sender<bool>>) {
    // What is under way ends with the wire.
    let mut streams = tokio::task::JoinSet::new();
    while let Ok((near, _)) = listener.accept().await {
        let (mut target, whole) = (target.clone(), Arc::clone(&whole));
        streams.spawn(async move {
            let known = target.wait_for(Option::is_some).await.ok().and_then(|known| *known);
            let mut mended = whole.subscribe();
            let (Some(known), true) = (known, mended.wait_for(|whole| *whole).await.is_ok()) else { return };
            let Ok(far) = TcpStream::connect(known).await else { return };
            let (near_in, near_out) = near.into_split();
            let (far_in, far_out) = far.into_split();
            tokio::select! {
                () = pass(near_in, far_out, whole.subscribe()) => {}
                () = pass(far_in, near_out, whole.subscribe()) => {}
            }
        });
    }
}

async fn pass(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut whole: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read) = from.read(&mut buffer).await {
        // An end is news too, and does not get through a cut.
        if whole.wait_for(|whole| *whole).await.is_err() || read == 0 {
            return;
        }
        if to.write_all(buffer.get(..read).unwrap_or_default()).await.is_err() {
            return;
        }
    }
}
