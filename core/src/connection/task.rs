//! The task of a connection: moves bytes in turns and keeps its deadlines.
//!
//! A turn reads what is there (up to 64 KiB, into a buffer that all connections of a thread share), takes answers that
//! have come from commits, and writes everything at once. Between turns a connection holds no buffer but an unfinished
//! line and unsent answers. Nothing is read while too much is in flight or unsent, so that a peer that does not read
//! slows down nobody but itself.

use std::{
    cell::RefCell,
    future::Future,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::mpsc,
    time::Sleep,
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::{
    ContextSlot, InterfaceContext,
    answers::{AnswerBox, Answers},
    intake::{Farewell, Intake},
    outward::SubscriptionAsk,
    requests::{Ask, ManagerRequest, RequestOutcome},
};
use crate::{
    config::limits::{CLOSE_DRAIN, READ_TURN_BYTES, RETRY_UNAVAILABLE_MS, WRITE_BUFFER_BYTES, WRITE_STALL},
    model::{ReasonCode, Refusal},
    wire::{Decoder, Frame, Frames, encode, message_type},
};

/// Requests waiting to be sent on one connection.
pub const REQUEST_QUEUE: usize = 64;

/// How often deadlines are looked at while one is running that is shorter than the idle timeout.
const DEADLINE_CHECK: Duration = Duration::from_millis(250);

/// What a thread lends to the connection whose turn it is.
struct Lent {
    buffer: Vec<u8>,
    decoder: Decoder,
    answered: Answers,
}

thread_local! {
    static LENT: RefCell<Lent> = RefCell::new(Lent {
        buffer: vec![0; READ_TURN_BYTES],
        decoder: Decoder::new(),
        answered: Answers::default(),
    });
}

/// Why a connection ended, for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The peer closed it.
    Peer,
    /// An error of the stream.
    Failed(String),
    /// Nothing came for the idle timeout.
    Idle,
    /// The peer stopped reading.
    WriteStalled,
    /// The manager closed it: it is stopping, the peer is no longer entitled, or it broke the rules.
    Closed(String),
}

#[derive(Debug, PartialEq, Eq)]
enum Stage {
    Open,
    /// No more reading; when everything is answered, this goes last.
    Finishing(Option<Refusal>),
    /// Everything is written: close_notify.
    Closing,
    /// What the peer still sends is read and dropped.
    Draining,
}

/// A connection's task.
pub struct ConnectionTask<S> {
    stream: S,
    slot: Arc<ContextSlot>,
    intake: Intake,
    answers: Arc<AnswerBox>,
    requests: mpsc::Receiver<ManagerRequest>,
    cancel: Pin<Box<WaitForCancellationFutureOwned>>,
    farewell: Arc<OnceLock<Refusal>>,
    check: Pin<Box<Sleep>>,
    checks_often: bool,
    carry: Vec<u8>,
    out: Vec<u8>,
    sent: usize,
    /// Whether everything written has left TLS as well.
    flushed: bool,
    stage: Stage,
    reason: Option<End>,
    last_read: Instant,
    last_write: Instant,
    finishing_since: Option<Instant>,
}

enum Read {
    More,
    Waiting,
    /// The peer has said that nothing more comes; it may still read.
    Finished,
    End(End),
}

impl<S: AsyncRead + AsyncWrite + Unpin> ConnectionTask<S> {
    /// A task for a stream whose identity is settled. `cancel` closes it in good order, with `farewell` if there is one by
    /// then.
    pub fn new(
        stream: S,
        slot: Arc<ContextSlot>,
        intake: Intake,
        answers: Arc<AnswerBox>,
        requests: mpsc::Receiver<ManagerRequest>,
        cancel: CancellationToken,
        farewell: Arc<OnceLock<Refusal>>,
    ) -> Self {
        let now = Instant::now();
        let idle_timeout = intake.context().config.idle_timeout;
        Self {
            stream,
            slot,
            intake,
            answers,
            requests,
            cancel: Box::pin(cancel.cancelled_owned()),
            farewell,
            check: Box::pin(tokio::time::sleep(idle_timeout)),
            checks_often: false,
            carry: Vec::new(),
            out: Vec::new(),
            sent: 0,
            flushed: true,
            stage: Stage::Open,
            reason: None,
            last_read: now,
            last_write: now,
            finishing_since: None,
        }
    }

    fn context(&self) -> &InterfaceContext {
        self.intake.context()
    }

    fn may_read(&self) -> bool {
        self.stage == Stage::Open
            && self.intake.open.len() < self.context().config.max_in_flight
            && self.out.len() - self.sent < WRITE_BUFFER_BYTES
    }

    /// Reads one turn's worth and works through its lines.
    fn read(&mut self, cx: &mut Context<'_>, lent: &mut Lent) -> Read {
        let mut filled = 0;
        let (mut end, mut finished) = (None, false);
        while let Some(room) = lent.buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
            let mut room = ReadBuf::new(room);
            match Pin::new(&mut self.stream).poll_read(cx, &mut room) {
                Poll::Pending => break,
                Poll::Ready(Ok(())) if room.filled().is_empty() => {
                    finished = true;
                    break;
                }
                Poll::Ready(Ok(())) => filled += room.filled().len(),
                Poll::Ready(Err(error)) => {
                    end = Some(match error.kind() {
                        std::io::ErrorKind::UnexpectedEof
                        | std::io::ErrorKind::ConnectionReset
                        | std::io::ErrorKind::BrokenPipe => End::Peer,
                        _ => End::Failed(error.to_string()),
                    });
                    break;
                }
            }
        }
        if filled > 0 {
            self.last_read = Instant::now();
            let Lent { buffer, decoder, .. } = lent;
            self.lines(buffer.get(..filled).unwrap_or_default(), decoder);
        }
        match end {
            Some(end) => Read::End(end),
            None if finished => Read::Finished,
            None if filled == READ_TURN_BYTES => Read::More,
            None => Read::Waiting,
        }
    }

    fn lines(&mut self, chunk: &[u8], decoder: &mut Decoder) {
        let metrics = Arc::clone(&self.context().metrics);
        let counters = metrics.interface(self.context().point());
        counters.bytes.add(chunk.len() as u64);
        let (limit, now) = (self.context().config.max_line_bytes, self.context().clock.now());
        let mut frames = Frames::new(chunk, &mut self.carry, limit);
        let mut count = 0;
        let mut farewell = None;
        while let Some(frame) = frames.next_frame() {
            count += 1;
            let taken = match frame {
                Frame::Empty => Ok(()),
                Frame::Line(line) => self.intake.line(line, now, decoder, &mut self.out),
                Frame::TooLarge => {
                    metrics.refuse(self.intake.context().point(), ReasonCode::TooLarge);
                    let sentence = format!("a line may have {limit} bytes; the connection is closed");
                    Err(Farewell(Refusal::new(ReasonCode::TooLarge, sentence)))
                }
            };
            if let Err(Farewell(refusal)) = taken {
                farewell = Some(refusal);
                break;
            }
        }
        counters.lines.add(count);
        self.intake.end_turn();
        if let Some(refusal) = farewell {
            let told = End::Closed(refusal.to_string());
            self.finish(Some(refusal), told);
        }
    }

    /// No more reading; what is open is answered, then the connection is closed.
    fn finish(&mut self, last: Option<Refusal>, reason: End) {
        if self.stage == Stage::Open {
            self.stage = Stage::Finishing(last);
            self.reason = Some(reason);
            self.finishing_since = Some(Instant::now());
            self.carry = Vec::new();
            // Nothing is read any more, so no request is answered: whoever asked may ask over another connection.
            self.refuse_requests();
            drop(std::mem::take(&mut self.intake.requests));
        }
    }

    /// No more requests; those that were not sent learn it.
    fn refuse_requests(&mut self) {
        self.requests.close();
        while let Ok(request) = self.requests.try_recv() {
            // Whoever asked may have stopped waiting.
            let _gone = request.reply.send(RequestOutcome::ConnectionLost);
        }
    }

    fn take_answers(&mut self, cx: &Context<'_>, answered: &mut Answers) {
        self.answers.take(answered, cx.waker());
        for (slot, response) in answered.drain() {
            self.intake.finish(slot, response, &mut self.out);
        }
    }

    fn take_requests(&mut self, cx: &mut Context<'_>) {
        while self.stage == Stage::Open && self.intake.requests.len() < self.context().config.max_in_flight {
            let Poll::Ready(Some(request)) = self.requests.poll_recv(cx) else { return };
            // A peer that is only one component may be asked without naming it; naming it is clearer in its log.
            let (id, ask) = (request.component.id.clone(), request.ask.clone());
            let patience = self.context().config.request_timeout;
            let message_id = self.intake.requests.sent(request, patience);
            let (kind, object) = match &ask {
                Ask::Status(query) => {
                    let query = (*query != encode::Query::default()).then_some(query);
                    encode::status_report_request(&mut self.out, &message_id, Some(id.as_str()), query);
                    self.context().metrics.interface(self.context().point()).requests.increment();
                    continue;
                }
                Ask::Subscription(SubscriptionAsk::Subscribe(object)) => (message_type::SUBSCRIBE, object),
                Ask::Subscription(SubscriptionAsk::Unsubscribe(object)) => (message_type::UNSUBSCRIBE, object),
            };
            let extension = format!("[{object}]");
            encode::with_extension(&mut self.out, kind, Some(&message_id), id.as_str(), None, &extension);
        }
    }

    /// Writes what is there. An error ends the connection.
    fn write(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        let failed = |error: std::io::Error| End::Failed(error.to_string());
        if self.flushed {
            // Nothing was owed before this turn.
            self.last_write = Instant::now();
            if self.sent == self.out.len() {
                return Ok(());
            }
        }
        while let Some(rest) = self.out.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match Pin::new(&mut self.stream).poll_write(cx, rest) {
                Poll::Ready(Ok(written)) => {
                    self.sent += written;
                    self.last_write = Instant::now();
                }
                Poll::Ready(Err(error)) => return Err(failed(error)),
                Poll::Pending => break,
            }
        }
        if self.sent == self.out.len() {
            self.out.clear();
            self.sent = 0;
            if self.out.capacity() > READ_TURN_BYTES {
                self.out = Vec::new();
            }
        }
        match Pin::new(&mut self.stream).poll_flush(cx) {
            Poll::Ready(Err(error)) => Err(failed(error)),
            // TLS may still hold what the socket has no room for: the next turn goes on with it.
            flushed => {
                self.flushed = flushed.is_ready();
                Ok(())
            }
        }
    }

    fn deadlines(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        let short = self.sent < self.out.len()
            || !self.flushed
            || self.stage != Stage::Open
            || !self.intake.requests.is_empty();
        if short && !self.checks_often {
            self.check.as_mut().reset(tokio::time::Instant::from_std(Instant::now() + DEADLINE_CHECK));
        }
        self.checks_often = short;
        while self.check.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            let idle_timeout = self.context().config.idle_timeout;
            let late = self.intake.requests.expire(now);
            self.context().metrics.interface(self.context().point()).requests_unanswered.add(late);
            if (self.sent < self.out.len() || !self.flushed) && now.duration_since(self.last_write) >= WRITE_STALL {
                return Err(End::WriteStalled);
            }
            let silence = now.duration_since(self.last_read);
            if self.stage == Stage::Open && silence >= idle_timeout && self.intake.open.is_empty() {
                self.finish(None, End::Idle);
                self.checks_often = true;
                cx.waker().wake_by_ref();
            }
            let patience = if self.stage == Stage::Draining { CLOSE_DRAIN } else { WRITE_STALL };
            if self.finishing_since.is_some_and(|since| now.duration_since(since) >= patience) {
                return Err(self.reason.take().unwrap_or(End::Peer));
            }
            let next = if self.checks_often {
                DEADLINE_CHECK
            } else {
                idle_timeout.saturating_sub(silence).max(DEADLINE_CHECK)
            };
            self.check.as_mut().reset(tokio::time::Instant::from_std(now + next));
        }
        Ok(())
    }

    /// Goes through the stages of closing as far as it can now.
    fn close(&mut self, cx: &mut Context<'_>, lent: &mut Lent) -> Result<(), End> {
        if let Stage::Finishing(last) = &mut self.stage
            && self.intake.open.is_empty()
        {
            if let Some(refusal) = last.take() {
                encode::closing(&mut self.out, &refusal.into());
            }
            self.stage = Stage::Closing;
            self.write(cx)?;
        }
        if self.stage == Stage::Closing && self.sent == self.out.len() {
            match Pin::new(&mut self.stream).poll_shutdown(cx) {
                Poll::Pending => return Ok(()),
                Poll::Ready(_) => {
                    self.stage = Stage::Draining;
                    self.finishing_since = Some(Instant::now());
                }
            }
        }
        while self.stage == Stage::Draining {
            let mut room = ReadBuf::new(&mut lent.buffer);
            match Pin::new(&mut self.stream).poll_read(cx, &mut room) {
                Poll::Pending => break,
                Poll::Ready(Ok(())) if !room.filled().is_empty() => {}
                Poll::Ready(_) => return Err(self.reason.take().unwrap_or(End::Peer)),
            }
        }
        Ok(())
    }

    fn turn(&mut self, cx: &mut Context<'_>, lent: &mut Lent) -> Poll<End> {
        let slot = Arc::clone(&self.slot);
        let context = slot.hold();
        if self.intake.renew(&context) {
            // Its times may be other ones.
            self.check.as_mut().reset(tokio::time::Instant::from_std(Instant::now() + DEADLINE_CHECK));
        }
        if self.stage == Stage::Open && self.cancel.as_mut().poll(cx).is_ready() {
            let sentence = "the manager closes this connection; what was answered stands";
            let usual = || Refusal::retry(ReasonCode::Unavailable, sentence, RETRY_UNAVAILABLE_MS);
            let (why, told) = match self.farewell.get() {
                Some(why) => (why.clone(), why.sentence.clone()),
                None => (usual(), "by the manager".to_owned()),
            };
            self.finish(Some(why), End::Closed(told));
        }
        self.take_requests(cx);
        let mut more = false;
        if self.may_read() {
            match self.read(cx, lent) {
                Read::Waiting => {}
                Read::More => more = true,
                Read::Finished => self.finish(None, End::Peer),
                // What was sent before the end was handed over and is stored; nobody reads the answers.
                Read::End(end) => return Poll::Ready(end),
            }
        }
        let blocked = !self.may_read();
        self.take_answers(cx, &mut lent.answered);
        if self.stage == Stage::Open && self.out.len() - self.sent < WRITE_BUFFER_BYTES {
            self.intake.outlet.take(&mut self.out, cx.waker());
        }
        if let Err(end) = self.write(cx).and_then(|()| self.close(cx, lent)).and_then(|()| self.deadlines(cx)) {
            return Poll::Ready(end);
        }
        // Room was made that reading had stopped for, or the buffer was full: look again after the others.
        if more || (blocked && self.may_read()) {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Runs to the end of the connection.
    pub async fn run(mut self) -> End {
        let end = std::future::poll_fn(|cx| LENT.with_borrow_mut(|lent| self.turn(cx, lent))).await;
        self.refuse_requests();
        end
    }
}
