//! Load: status reports from many connections, each with a window of unanswered reports.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{lines::Reporter, server::Addresses, site::Site};

/// What a run brought.
#[derive(Clone, Copy, Debug, Default)]
pub struct Brought {
    /// Reports answered `success`.
    pub answered: u64,
    /// From the first to the last.
    pub took: Duration,
    /// Longest time that a connection with open reports got no answer.
    pub longest_wait: Duration,
}

/// Sends over a connection for each reporter (with its place among the site's members), `window` unanswered on each;
/// then waits for what is open.
pub async fn run(
    site: &Site,
    server: &Addresses,
    reporters: Vec<(usize, Reporter)>,
    window: usize,
    lasts: Duration,
) -> anyhow::Result<Brought> {
    let mut streams = Vec::new();
    for (member, _) in &reporters {
        streams.push(site.connect(server, *member).await?);
    }
    let started = Instant::now();
    let tasks = streams
        .into_iter()
        .zip(reporters)
        .map(|(stream, (_, reporter))| tokio::spawn(one(stream, reporter, window, started + lasts)));
    let (mut answered, mut longest_wait) = (0, Duration::ZERO);
    for task in tasks.collect::<Vec<_>>() {
        let (more, wait) = task.await.context("a connection's task failed")??;
        answered += more;
        longest_wait = longest_wait.max(wait);
    }
    Ok(Brought { answered, took: started.elapsed(), longest_wait })
}

async fn one(
    mut stream: tokio_rustls::client::TlsStream<tokio::net::TcpStream>,
    mut reporter: Reporter,
    window: usize,
    until: Instant,
) -> anyhow::Result<(u64, Duration)> {
    let mut longest = Duration::ZERO;
    let (mut out, mut buffer, mut carry) = (Vec::new(), vec![0; 64 * 1024], Vec::new());
    let (mut open, mut answered) = (0_usize, 0_u64);
    loop {
        // Refill when half the window is free, as a sender that batches does.
        let sending = Instant::now() < until;
        if sending && open <= window / 2 {
            out.clear();
            while open < window {
                reporter.next(&mut out);
                open += 1;
            }
            stream.write_all(&out).await?;
            stream.flush().await?;
        }
        if open == 0 {
            break;
        }
        let asked = Instant::now();
        let read = stream.read(&mut buffer).await?;
        longest = longest.max(asked.elapsed());
        if read == 0 {
            bail!("the server closed the connection with {open} reports open");
        }
        let answers = count(buffer.get(..read).unwrap_or_default(), &mut carry)?;
        open = open.saturating_sub(answers);
        answered += answers as u64;
    }
    stream.shutdown().await?;
    Ok((answered, longest))
}

/// Counts whole lines and checks that each says success.
pub fn count(chunk: &[u8], carry: &mut Vec<u8>) -> anyhow::Result<usize> {
    const SUCCESS: &[u8] = br#""response":"success""#;
    let (mut lines, mut rest) = (0, chunk);
    while let Some(end) = memchr::memchr(b'\n', rest) {
        let (line, after) = rest.split_at(end + 1);
        let whole = if carry.is_empty() {
            line
        } else {
            carry.extend_from_slice(line);
            carry.as_slice()
        };
        if memchr::memmem::find(whole, SUCCESS).is_none() {
            bail!("refused: {}", String::from_utf8_lossy(whole).trim_end());
        }
        carry.clear();
        lines += 1;
        rest = after;
    }
    carry.extend_from_slice(rest);
    Ok(lines)
}
