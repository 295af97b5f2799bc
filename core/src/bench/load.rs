//! Load: status reports of 12 values from many connections, each with a window of unanswered reports.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::site::Site;

/// What a run brought.
#[derive(Clone, Copy, Debug, Default)]
pub struct Brought {
    /// Reports answered `success`.
    pub answered: u64,
    /// From the first to the last.
    pub took: Duration,
}

/// Digits of a sequence number in a line; fixed, so that lines can be patched in place.
const DIGITS: usize = 12;

/// One component's reports: a line whose sequence number is patched.
pub struct Reporter {
    line: Vec<u8>,
    digits_at: usize,
    varying_at: usize,
    sequence: u64,
}

impl Reporter {
    /// A key manager that reports 12 values (about 520 bytes a line).
    #[must_use]
    pub fn key_manager(id: &str, incarnation: u64) -> Self {
        let head =
            format!(r#"{{"messageType":"statusReport","componentId":"{id}","incarnation":{incarnation},"sequence":1"#);
        let tail = concat!(
            r#","extension":[{"type":"performance","values":{"key_store_level_bits":81"#,
            r#"5304,"key_store_capacity_bits":1048576,"key_store_fill_ratio":0.7775,"key_input_rate_bps":10240,"#,
            r#""key_output_rate_bps":9216,"relay_count":51234,"relay_failure_count":3,"relay_latency_ms":4.25,"#,
            r#""throughput_bps":9216,"key_response_delay_ms":1.75,"availability_ratio":0.99991,"cpu_load_ratio":0.31}}]}"#,
            "\n"
        );
        let mut line = head.into_bytes();
        let digits_at = line.len();
        line.extend_from_slice("0".repeat(DIGITS).as_bytes());
        let varying = tail.find("815304").map_or(0, |at| at + 2);
        let varying_at = line.len() + varying;
        line.extend_from_slice(tail.as_bytes());
        Self { line, digits_at, varying_at, sequence: 0 }
    }

    /// Bytes of a line.
    #[must_use]
    pub fn line_bytes(&self) -> usize {
        self.line.len()
    }

    /// Appends the next report.
    pub fn next(&mut self, out: &mut Vec<u8>) {
        self.sequence += 1;
        patch(&mut self.line, self.digits_at, DIGITS, self.sequence);
        // The level moves a little, as a real one would.
        patch(&mut self.line, self.varying_at, 4, 5304 + self.sequence % 97);
        out.extend_from_slice(&self.line);
    }
}

fn patch(line: &mut [u8], at: usize, digits: usize, mut number: u64) {
    for place in line.get_mut(at..at + digits).unwrap_or_default().iter_mut().rev() {
        *place = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
}

/// Sends over `reporters.len()` connections, `window` unanswered on each, until `until`; then waits for what is open.
pub async fn run(
    site: &Site,
    server: SocketAddr,
    reporters: Vec<Reporter>,
    window: usize,
    lasts: Duration,
) -> anyhow::Result<Brought> {
    let mut streams = Vec::new();
    for number in 0..reporters.len() {
        streams.push(site.connect(server, number).await?);
    }
    let started = Instant::now();
    let tasks = streams
        .into_iter()
        .zip(reporters)
        .map(|(stream, reporter)| tokio::spawn(one(stream, reporter, window, started + lasts)));
    let mut answered = 0;
    for task in tasks.collect::<Vec<_>>() {
        answered += task.await.context("a connection's task failed")??;
    }
    Ok(Brought { answered, took: started.elapsed() })
}

async fn one(
    mut stream: tokio_rustls::client::TlsStream<tokio::net::TcpStream>,
    mut reporter: Reporter,
    window: usize,
    until: Instant,
) -> anyhow::Result<u64> {
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
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            bail!("the server closed the connection with {open} reports open");
        }
        let answers = count(buffer.get(..read).unwrap_or_default(), &mut carry)?;
        open = open.saturating_sub(answers);
        answered += answers as u64;
    }
    stream.shutdown().await?;
    Ok(answered)
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
