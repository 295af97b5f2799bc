//! The floor server: decodes what it reads and answers `success`, nothing else.

use std::{
    cell::RefCell,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpListener,
};

use super::site::Site;
use crate::{
    clock::Clock,
    config::limits::READ_TURN_BYTES,
    model::{Catalogue, ReportBatch, Response, SymbolTable, Timestamp},
    wire::{DecodeOptions, Decoded, Decoder, Frame, Frames, encode},
};

/// Longest line, as the manager's default.
const MAX_LINE_BYTES: usize = 1 << 20;

struct Lent {
    buffer: Vec<u8>,
    decoder: Decoder,
    symbols: SymbolTable,
    batch: ReportBatch,
}

thread_local! {
    static LENT: RefCell<Lent> = RefCell::new(Lent {
        buffer: vec![0; READ_TURN_BYTES],
        decoder: Decoder::new(),
        symbols: {
            let symbols = SymbolTable::new();
            Catalogue::get().intern(&symbols);
            symbols
        },
        batch: ReportBatch::default(),
    });
}

/// Serves on a free port of the loopback address for ever; `ready` is told the address.
pub async fn serve(site: &Site, ready: impl FnOnce(SocketAddr)) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let acceptor = tokio_rustls::TlsAcceptor::from(site.server_config()?);
    let clock = Clock::start(Timestamp(0));
    ready(listener.local_addr()?);
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async move {
            loop {
                let (tcp, _) = listener.accept().await?;
                tcp.set_nodelay(true)?;
                let acceptor = acceptor.clone();
                tokio::task::spawn_local(async move {
                    // A client that ends badly ends only its own task.
                    if let Ok(stream) = acceptor.accept(tcp).await {
                        Box::new(Conversation { stream, clock, carry: Vec::new(), out: Vec::new(), sent: 0 })
                            .run()
                            .await;
                    }
                });
            }
        })
        .await
}

struct Conversation<S> {
    stream: S,
    clock: Clock,
    carry: Vec<u8>,
    out: Vec<u8>,
    sent: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Conversation<S> {
    async fn run(mut self) {
        std::future::poll_fn(|cx| LENT.with_borrow_mut(|lent| self.turn(cx, lent))).await;
    }

    fn turn(&mut self, cx: &mut Context<'_>, lent: &mut Lent) -> Poll<()> {
        let mut filled = 0;
        while let Some(room) = lent.buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
            let mut room = ReadBuf::new(room);
            match Pin::new(&mut self.stream).poll_read(cx, &mut room) {
                Poll::Pending => break,
                Poll::Ready(Ok(())) if !room.filled().is_empty() => filled += room.filled().len(),
                Poll::Ready(_) => return Poll::Ready(()),
            }
        }
        if filled == READ_TURN_BYTES {
            cx.waker().wake_by_ref();
        }
        let options = DecodeOptions { symbols: &lent.symbols, now: self.clock.now(), keep_raw: false, exchange: false };
        let mut frames = Frames::new(lent.buffer.get(..filled).unwrap_or_default(), &mut self.carry, MAX_LINE_BYTES);
        while let Some(frame) = frames.next_frame() {
            let Frame::Line(line) = frame else { continue };
            let decoded = lent.decoder.decode(line, &mut lent.batch, &options);
            let Decoded::Report { message_id, component_id } = decoded else { return Poll::Ready(()) };
            encode::status_report_response(&mut self.out, message_id.as_deref(), &component_id, &Response::Success);
        }
        lent.batch.clear();
        while let Some(rest) = self.out.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match Pin::new(&mut self.stream).poll_write(cx, rest) {
                Poll::Ready(Ok(written)) => self.sent += written,
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => break,
            }
        }
        if self.sent == self.out.len() {
            self.out.clear();
            self.sent = 0;
        }
        match Pin::new(&mut self.stream).poll_flush(cx) {
            Poll::Ready(Err(_)) => Poll::Ready(()),
            _ => Poll::Pending,
        }
    }
}

/// Runs the floor server in this process until it is killed; prints its address on standard output.
pub fn run(site: &Site) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(site, |address| println!("{address}")))
}
