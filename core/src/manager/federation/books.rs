//! Usage with other domains, read from the books: the state database.
//!
//! In: which domains keys are settled with. Out: totals as they were read last. Reading takes its time, so it is done on a thread of its
//! own, rarely, and nobody waits for it.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use super::locked;
use crate::{
    config::{
        federation::{Period, SettlementConfig},
        limits::SETTLEMENT_READ,
    },
    federation::{
        section::Settlement,
        settlement::{self, Used},
    },
    model::Timestamp,
    storage::network_read,
};

/// The books.
pub struct Books {
    data_dir: PathBuf,
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    read: Mutex<Read>,
    is_reading: AtomicBool,
}

/// What was read last.
#[derive(Default)]
struct Read {
    /// Of this configuration.
    of: Vec<SettlementConfig>,
    totals: Vec<(String, Settlement)>,
    /// When it is read again.
    again: Option<Instant>,
}

impl Books {
    /// In a data directory.
    #[must_use]
    pub fn new(data_dir: PathBuf) -> Self {
        Self { data_dir, inner: Arc::default() }
    }

    /// What was used with each domain, as it was read last; nothing where it was not read yet. Never waits for the disk.
    #[must_use]
    pub fn settled(&self, config: &[SettlementConfig], now: Timestamp) -> Vec<(String, Settlement)> {
        if config.is_empty() {
            return Vec::new();
        }
        let mut read = locked(&self.inner.read);
        if read.of != config {
            *read = Read { of: config.to_vec(), ..Read::default() };
        }
        let is_due = read.again.is_none_or(|again| Instant::now() >= again);
        if is_due && !self.inner.is_reading.swap(true, Ordering::AcqRel) {
            self.read(config.to_vec(), now);
        }
        read.totals.clone()
    }

    fn read(&self, config: Vec<SettlementConfig>, now: Timestamp) {
        let (data_dir, inner) = (self.data_dir.clone(), Arc::clone(&self.inner));
        let reading = move || {
            let begun = Instant::now();
            let used = |period: Period| {
                let found = network_read::usage_by_period(&data_dir, period.millis(), settlement::range(period, now));
                found.map(|found| {
                    found
                        .into_iter()
                        .map(|(peer, number, intervals, figures)| Used { peer, number, intervals, figures })
                        .collect()
                })
            };
            let totals = settlement::settled(&config, now, used);
            let mut read = locked(&inner.read);
            if read.of == config {
                // A twentieth of the time at most.
                let rest = SETTLEMENT_READ.max(begun.elapsed() * 20);
                read.again = Some(Instant::now() + rest);
                match totals {
                    Ok(totals) => read.totals = totals,
                    // What was read before stands: nothing read is not nothing used.
                    Err(error) => tracing::warn!(%error, "Usage could not be read for settlements."),
                }
            }
            drop(read);
            inner.is_reading.store(false, Ordering::Release);
        };
        let thread = std::thread::Builder::new().name("settlement".to_owned()).spawn(reading);
        if thread.is_err() {
            self.inner.is_reading.store(false, Ordering::Release);
        }
    }
}
