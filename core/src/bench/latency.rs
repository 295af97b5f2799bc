//! A lone reporter: how long until its report is acknowledged, beside what the disk and TLS take for themselves.

use std::{
    fs::File,
    os::unix::fs::FileExt as _,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::bail;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{lines::Reporter, load::count, server::Addresses, site::Site};

/// Median and 99th percentile.
#[derive(Clone, Copy, Debug, Default)]
pub struct Latency {
    /// Half were faster.
    pub p50: Duration,
    /// 99 of 100 were faster.
    pub p99: Duration,
}

impl Latency {
    /// Of these times.
    #[must_use]
    pub fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |share: usize| {
            times.get((times.len() * share / 100).min(times.len().saturating_sub(1))).copied().unwrap_or_default()
        };
        Self { p50: at(50), p99: at(99) }
    }
}

/// Sends reports one at a time for `lasts`.
pub async fn acknowledged(
    site: &Site,
    server: &Addresses,
    (member, mut reporter): (usize, Reporter),
    lasts: Duration,
) -> anyhow::Result<Latency> {
    let mut stream = site.connect(server, member).await?;
    let (mut out, mut buffer, mut carry) = (Vec::new(), vec![0; 4096], Vec::new());
    let mut times = Vec::new();
    let until = Instant::now() + lasts;
    while Instant::now() < until {
        out.clear();
        reporter.next(&mut out);
        let sent = Instant::now();
        stream.write_all(&out).await?;
        stream.flush().await?;
        let mut answers = 0;
        while answers == 0 {
            let read = stream.read(&mut buffer).await?;
            if read == 0 {
                bail!("the server closed the connection");
            }
            answers = count(buffer.get(..read).unwrap_or_default(), &mut carry)?;
        }
        times.push(sent.elapsed());
    }
    stream.shutdown().await?;
    // The first are those that warm up.
    times.drain(..times.len().min(20));
    Ok(Latency::of(times))
}

/// What making 4 KiB durable takes on the file system of `folder`, in a file allocated ahead.
pub fn fdatasync(folder: &Path, lasts: Duration) -> anyhow::Result<Latency> {
    const BLOCK: usize = 4096;
    const BLOCKS: u64 = 4096;
    let path = folder.join("fdatasync");
    let file = File::create(&path)?;
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, BLOCK as u64 * BLOCKS)?;
    let block = [0x5a_u8; BLOCK];
    let mut times = Vec::new();
    let until = Instant::now() + lasts;
    for at in (0..BLOCKS).cycle() {
        if Instant::now() >= until {
            break;
        }
        let started = Instant::now();
        file.write_all_at(&block, at * BLOCK as u64)?;
        file.sync_data()?;
        times.push(started.elapsed());
    }
    std::fs::remove_file(&path)?;
    Ok(Latency::of(times))
}
