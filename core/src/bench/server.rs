//! The processes under measurement: the floor and managers, seen from outside.

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

use super::site::Site;
use crate::model::ReferencePoint;

/// Where a server listens, by reference point.
#[derive(Clone, Debug, Default)]
pub struct Addresses(Vec<(ReferencePoint, SocketAddr)>);

impl Addresses {
    /// One address for all.
    #[must_use]
    pub fn everywhere(address: SocketAddr) -> Self {
        Self(ReferencePoint::ALL.map(|point| (point, address)).to_vec())
    }

    /// The address for a reference point.
    pub fn of(&self, point: ReferencePoint) -> anyhow::Result<SocketAddr> {
        let found = self.0.iter().find(|(of, _)| *of == point);
        found.map(|(_, address)| *address).with_context(|| format!("the server does not listen for {point}"))
    }

    /// As the manager's ready file tells them.
    fn told(note: &serde_json::Value) -> anyhow::Result<Self> {
        let mut addresses = Vec::new();
        for point in ReferencePoint::ALL {
            let address = note.pointer(&format!("/interfaces/{point}/0")).and_then(|address| address.as_str());
            if let Some(address) = address {
                addresses.push((point, address.parse().context("not an address")?));
            }
        }
        Ok(Self(addresses))
    }
}

/// A server process, ended with this value.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub addresses: Addresses,
    /// Where a manager's API is.
    pub api: Option<SocketAddr>,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already; either way it is to be gone and reaped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Starts the floor.
    pub fn floor(site: &Site) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["bench", "floor"])
            .arg(site.folder())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the floor server")?;
        let out = child.stdout.take().context("no standard output")?;
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        let address = line.trim().parse().context("the floor server did not tell its address")?;
        Ok(Self { child, addresses: Addresses::everywhere(address), api: None })
    }

    /// Starts a manager and waits until it is ready.
    pub fn manager(site: &Site, config: &Path) -> anyhow::Result<Self> {
        let (server, ready) = Self::spawn(config, &site.folder().join("ready.json"))?;
        server.ready(&ready)
    }

    /// Starts a manager, which is not ready yet; with the file that will tell it.
    pub fn spawn(config: &Path, ready: &Path) -> anyhow::Result<(Self, PathBuf)> {
        // From an earlier one.
        let _ = std::fs::remove_file(ready);
        let child = Command::new(std::env::current_exe()?)
            .args(["run", "--config"])
            .arg(config)
            .arg("--ready-file")
            .arg(ready)
            .spawn()
            .context("cannot start the manager")?;
        Ok((Self { child, addresses: Addresses::default(), api: None }, ready.to_path_buf()))
    }

    /// Waits until it is ready.
    pub fn ready(mut self, ready: &Path) -> anyhow::Result<Self> {
        let note = self.wait_ready(ready)?;
        self.addresses = Addresses::told(&note)?;
        self.api = note.get("api").and_then(|api| api.as_str()?.parse().ok());
        Ok(self)
    }

    /// Its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn wait_ready(&mut self, ready: &Path) -> anyhow::Result<serde_json::Value> {
        let until = Instant::now() + Duration::from_secs(120);
        while Instant::now() < until {
            if let Ok(text) = std::fs::read_to_string(ready) {
                return Ok(serde_json::from_str(&text)?);
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the manager ended with {status}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("the manager was not ready within two minutes")
    }

    /// CPU time of all its threads.
    pub fn cpu(&self) -> anyhow::Result<Duration> {
        let mut nanoseconds = 0;
        for task in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            // A thread that ended meanwhile has no file any more.
            let Ok(text) = std::fs::read_to_string(task?.path().join("schedstat")) else { continue };
            nanoseconds += text.split_whitespace().next().and_then(|first| first.parse::<u64>().ok()).unwrap_or(0);
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// Waits until it does nothing to speak of (housekeeping aside), for at most half a minute; its CPU time then.
    pub fn wait_idle(&self) -> anyhow::Result<Duration> {
        const STEP: Duration = Duration::from_millis(100);
        let until = Instant::now() + Duration::from_secs(30);
        let mut before = self.cpu()?;
        loop {
            std::thread::sleep(STEP);
            let now = self.cpu()?;
            if now.saturating_sub(before) < STEP / 50 || Instant::now() >= until {
                return Ok(now);
            }
            before = now;
        }
    }
}
