//! One connection: lines in, lines out, and the outbox that outlives it.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf},
    net::TcpStream,
    sync::{mpsc, watch},
    time::Instant,
};
use tokio_rustls::client::TlsStream;

use super::{Dialler, Report};
use crate::{
    clock::wall_time,
    config::limits,
    simulate::{
        message::{self, FromManager},
        subscriptions::Subscriptions,
    },
};

pub(super) type Stream = TlsStream<TcpStream>;

/// Reports without a final answer, by number.
#[derive(Debug)]
pub(super) struct Outbox {
    window: usize,
    incarnation: u64,
    next: u64,
    waiting: BTreeMap<u64, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    line: Arc<str>,
    /// To be sent again then: the manager asked for it.
    again: Option<Instant>,
}

/// What an answer did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answered {
    Acknowledged,
    Refused,
    Postponed,
    /// To nothing that is out.
    Unknown,
}

impl Outbox {
    pub(super) const fn new(window: usize, incarnation: u64) -> Self {
        Self { window, incarnation, next: 0, waiting: BTreeMap::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    fn has_room(&self) -> bool {
        self.waiting.len() < self.window
    }

    /// Numbers a report and keeps it; the line to send.
    fn add(&mut self, component: &str, report: &Report) -> Arc<str> {
        let sequence = self.next;
        self.next += 1;
        let line = message::status_report(component, sequence, self.incarnation, report.time, &report.objects);
        let line: Arc<str> = Arc::from(line);
        self.waiting.insert(sequence, Waiting { line: Arc::clone(&line), again: None });
        line
    }

    /// Everything without an answer, in order: what a new connection begins with.
    fn all(&mut self) -> Vec<Arc<str>> {
        self.waiting.values_mut().for_each(|waiting| waiting.again = None);
        self.waiting.values().map(|waiting| Arc::clone(&waiting.line)).collect()
    }

    fn answer(&mut self, message_id: Option<&str>, response: &str, retry_after_ms: Option<u64>) -> Answered {
        let Some(sequence) = message_id.and_then(|id| id.parse::<u64>().ok()) else { return Answered::Unknown };
        let Some(waiting) = self.waiting.get_mut(&sequence) else { return Answered::Unknown };
        if response.eq_ignore_ascii_case("success") {
            self.waiting.remove(&sequence);
            return Answered::Acknowledged;
        }
        if let Some(ms) = retry_after_ms {
            waiting.again = Some(Instant::now() + Duration::from_millis(ms));
            return Answered::Postponed;
        }
        self.waiting.remove(&sequence);
        Answered::Refused
    }

    /// When the next postponed report is due.
    fn next_again(&self) -> Option<Instant> {
        self.waiting.values().filter_map(|waiting| waiting.again).min()
    }

    fn due(&mut self, now: Instant) -> Vec<Arc<str>> {
        let due = self.waiting.values_mut().filter(|waiting| waiting.again.is_some_and(|again| again <= now));
        due.map(|waiting| {
            waiting.again = None;
            Arc::clone(&waiting.line)
        })
        .collect()
    }
}

/// Runs a connection until it is lost, or until no more reports come and all are answered.
pub(super) async fn run(
    stream: Stream,
    dialler: &Dialler,
    incoming: &mut mpsc::Receiver<Report>,
    outbox: &mut Outbox,
    served: &mut Subscriptions,
) -> io::Result<()> {
    let (read, mut write) = tokio::io::split(stream);
    let mut lines = Lines { read, buffer: Vec::new(), searched: 0 };
    let counts = &dialler.counts;
    let open = outbox.all();
    counts.repeated.fetch_add(open.len() as u64, Ordering::Relaxed);
    send(&mut write, &open).await?;
    let (mut finished, mut changes) = (false, true);
    let mut current = dialler.current.clone();
    loop {
        if finished && outbox.is_empty() {
            return write.shutdown().await;
        }
        if !finished {
            notify(dialler, outbox, served, &mut current, &mut write).await?;
        }
        let again = outbox.next_again();
        let can_notify = !finished && outbox.has_room() && !current.borrow().is_empty();
        let look = can_notify.then(|| served.due()).flatten();
        tokio::select! {
            line = lines.next() => match line? {
                Some(line) => receive(&line, dialler, outbox, served, &mut write).await?,
                None => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "closed by the manager")),
            },
            report = incoming.recv(), if !finished && outbox.has_room() => match report {
                Some(report) => {
                    let line = outbox.add(dialler.config.component.id.as_str(), &report);
                    counts.sent.fetch_add(1, Ordering::Relaxed);
                    send(&mut write, &[line]).await?;
                }
                None => finished = true,
            },
            () = until(again), if again.is_some() => {
                let due = outbox.due(Instant::now());
                counts.repeated.fetch_add(due.len() as u64, Ordering::Relaxed);
                send(&mut write, &due).await?;
            }
            changed = current.changed(), if changes && !finished && !served.is_empty() => changes = changed.is_ok(),
            () = until(look.map(|time| dialler.began + Duration::from_millis(time))), if look.is_some() => {}
        }
    }
}

/// Makes the notifications that what is so now gives reason for, as many as there is room for.
async fn notify(
    dialler: &Dialler,
    outbox: &mut Outbox,
    served: &mut Subscriptions,
    current: &mut watch::Receiver<Arc<[Value]>>,
    write: &mut WriteHalf<Stream>,
) -> io::Result<()> {
    let status = Arc::clone(&current.borrow_and_update());
    // Nothing is known yet of a component that has not reported.
    while !status.is_empty() && outbox.has_room() {
        let Some(objects) = served.notification(&status, dialler.clock()) else { return Ok(()) };
        let report = Report { time: wall_time(), objects: Arc::from(objects) };
        let line = outbox.add(dialler.config.component.id.as_str(), &report);
        dialler.counts.sent.fetch_add(1, Ordering::Relaxed);
        dialler.counts.notifications.fetch_add(1, Ordering::Relaxed);
        send(write, &[line]).await?;
    }
    Ok(())
}

async fn until(time: Option<Instant>) {
    if let Some(time) = time {
        tokio::time::sleep_until(time).await;
    }
}

async fn receive(
    line: &[u8],
    dialler: &Dialler,
    outbox: &mut Outbox,
    served: &mut Subscriptions,
    write: &mut WriteHalf<Stream>,
) -> io::Result<()> {
    let counts = &dialler.counts;
    match message::read(line).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))? {
        FromManager::Response { message_id, response, retry_after_ms } => {
            match outbox.answer(message_id.as_deref(), &response, retry_after_ms) {
                Answered::Acknowledged => {
                    counts.acknowledged.fetch_add(1, Ordering::Relaxed);
                }
                Answered::Refused => {
                    counts.refused.fetch_add(1, Ordering::Relaxed);
                    counts.trouble(response);
                }
                Answered::Postponed | Answered::Unknown => counts.trouble(response),
            }
            Ok(())
        }
        FromManager::Request(request) => {
            let objects = Arc::clone(&dialler.current.borrow());
            let answer = message::request_response(dialler.config.component.id.as_str(), &request, &objects);
            send(write, &[Arc::from(answer)]).await?;
            counts.requests.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
        FromManager::Subscription { message_id, component_id, ends, asked } => {
            let own = dialler.config.component.id.as_str();
            let reply = match component_id {
                Some(other) if other != own => {
                    ("unknown-component: this component answers for itself".to_owned(), None)
                }
                _ if !dialler.config.serves_subscriptions => {
                    ("unsupported: this component serves no subscriptions".to_owned(), None)
                }
                _ if ends => served.unsubscribe(&asked),
                _ => served.subscribe(&asked, &Arc::clone(&dialler.current.borrow()), dialler.clock()),
            };
            if reply.0 == "success" && !ends {
                counts.subscriptions.fetch_add(1, Ordering::Relaxed);
            }
            send(write, &[Arc::from(message::subscription_response(own, &message_id, ends, reply))]).await
        }
        FromManager::Other => Ok(()),
    }
}

async fn send(write: &mut WriteHalf<Stream>, lines: &[Arc<str>]) -> io::Result<()> {
    // One record for a line and its end, and for as many lines as there are.
    let mut bytes = Vec::with_capacity(lines.iter().map(|line| line.len() + 1).sum());
    for line in lines {
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
    }
    write.write_all(&bytes).await?;
    write.flush().await
}

/// Splits what comes in into lines; a call that is dropped half-way loses nothing.
struct Lines {
    read: ReadHalf<Stream>,
    buffer: Vec<u8>,
    /// Bytes of the buffer that are known to hold no LF.
    searched: usize,
}

impl Lines {
    async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let unsearched = self.buffer.get(self.searched..).unwrap_or_default();
            if let Some(at) = memchr::memchr(b'\n', unsearched) {
                let rest = self.buffer.split_off(self.searched + at + 1);
                let line = std::mem::replace(&mut self.buffer, rest);
                self.searched = 0;
                if line.trim_ascii().is_empty() {
                    continue;
                }
                return Ok(Some(line));
            }
            self.searched = self.buffer.len();
            if self.buffer.len() > limits::MAX_LINE_BYTES {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the manager sent a line that is too long"));
            }
            if self.read.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }
}
