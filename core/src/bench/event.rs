//! From a report to a listener: how long until an alarm that a report raises or clears reaches somebody who follows
//! `/api/v1/events`, beside how long until the report is acknowledged.
//!
//! A component's store falls below a threshold and fills again, report by report, one at a time; each report thereby raises
//! or clears an alarm. Times run from the first byte sent to the last byte read of the event, or of the answer.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpStream},
    sync::mpsc::{self, Receiver},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{latency::Latency, load::count, server::Addresses, site::Site};

/// How long an event may take before the measurement fails.
const PATIENCE: Duration = Duration::from_secs(10);

/// Both times.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// Until the report was acknowledged.
    pub acknowledged: Latency,
    /// Until the listener had the event.
    pub event: Latency,
    /// Reports sent.
    pub reports: usize,
}

/// Has the member report for `lasts`, at least ten times. Its reference point has to be `mk`, and a policy has to raise an
/// alarm below a `key_store_fill_ratio` of 0.2 and clear it above 0.3.
pub async fn told(
    site: &Site,
    addresses: &Addresses,
    api: SocketAddr,
    member: usize,
    lasts: Duration,
) -> anyhow::Result<Told> {
    let id = site.members().get(member).map(|member| member.id.clone()).context("no such member")?;
    let events = follow(api, format!("\"mk/{id}\""))?;
    let mut stream = site.connect(addresses, member).await?;
    let (mut buffer, mut carry) = (vec![0; 4096], Vec::new());
    let (mut acknowledged, mut event) = (Vec::new(), Vec::new());
    let until = Instant::now() + lasts;
    while event.len() < 10 || Instant::now() < until {
        let sequence = event.len() + 1;
        let fill = if sequence % 2 == 1 { "0.1" } else { "0.9" };
        let line = format!(
            "{{\"messageType\":\"statusReport\",\"componentId\":\"{id}\",\"incarnation\":1,\"sequence\":{sequence},\
             \"extension\":[{{\"type\":\"performance\",\"values\":{{\"key_store_fill_ratio\":{fill}}}}}]}}\n"
        );
        let sent = Instant::now();
        stream.write_all(line.as_bytes()).await?;
        stream.flush().await?;
        let mut answers = 0;
        while answers == 0 {
            let read = stream.read(&mut buffer).await?;
            if read == 0 {
                bail!("the manager closed the connection");
            }
            answers = count(buffer.get(..read).unwrap_or_default(), &mut carry)?;
        }
        acknowledged.push(sent.elapsed());
        let seen = events.recv_timeout(PATIENCE).with_context(|| format!("no event of report {sequence}"))?;
        event.push(seen.saturating_duration_since(sent));
    }
    let reports = event.len();
    Ok(Told { acknowledged: Latency::of(acknowledged), event: Latency::of(event), reports })
}

/// Follows alarms on a thread of its own; when each event with this text was read. The thread ends with the connection.
fn follow(api: SocketAddr, wanted: String) -> anyhow::Result<Receiver<Instant>> {
    let mut stream = TcpStream::connect(api).with_context(|| format!("cannot connect to {api}"))?;
    stream.set_nodelay(true)?;
    let request = format!("GET /api/v1/events?types=alarm HTTP/1.1\r\nHost: {api}\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut lines = BufReader::new(stream).lines();
    // Nothing is missed after the stream's own beginning.
    loop {
        let line = lines.next().context("the stream of events ended before it began")??;
        if line.starts_with("event: ready") || line.starts_with("event:ready") {
            break;
        }
    }
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            if line.starts_with("data:") && line.contains(&wanted) && tell.send(Instant::now()).is_err() {
                return;
            }
        }
    });
    Ok(told)
}
