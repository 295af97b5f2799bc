//! The thread that follows the journal and fills the outboxes. It never holds up anybody: behind, it reads the journal.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use super::store::Store;
use crate::{
    alarm::AlarmBoard,
    config::limits::EXPORTER_BATCHES_AT_ONCE,
    storage::feed::{Fed, Follower},
};

/// How often it looks whether it is to end, and how long it waits before it tries again what failed.
const TURN: Duration = Duration::from_millis(200);
/// How often the position is written while no alarm changes.
const POSITION_EVERY: Duration = Duration::from_secs(1);

pub(super) struct Following {
    pub(super) follower: Follower,
    pub(super) store: Arc<Store>,
    pub(super) board: Arc<AlarmBoard>,
    pub(super) stop: Arc<AtomicBool>,
}

impl Following {
    pub(super) fn run(mut self) {
        let mut is_unreadable = false;
        let mut written = Instant::now();
        while !self.stop.load(Ordering::SeqCst) {
            // What is not on disk is not piled up: the journal has it.
            if self.store.is_failing() && !self.store.flush() {
                std::thread::park_timeout(TURN);
                continue;
            }
            let (mut wait, mut changed, mut ended) = (TURN, false, false);
            for _ in 0..EXPORTER_BATCHES_AT_ONCE {
                match self.follower.next(std::mem::take(&mut wait)) {
                    Ok(Fed::Batch(position, record)) => {
                        if std::mem::take(&mut is_unreadable) {
                            self.store.gap(position, &self.board);
                        }
                        changed |= self.store.take(position, &record);
                    }
                    Ok(Fed::Gap(to)) => {
                        tracing::error!(%to, "The journal was deleted before exporters read it: targets are told anew what is so.");
                        self.store.gap(to, &self.board);
                        changed = true;
                    }
                    Ok(Fed::Nothing) => break,
                    Ok(Fed::Stopped) => {
                        ended = true;
                        break;
                    }
                    Err(error) => {
                        if !std::mem::replace(&mut is_unreadable, true) {
                            tracing::error!(
                                error = error.chain(),
                                "Exporters cannot read the journal; targets will be told anew what is so."
                            );
                        }
                        std::thread::park_timeout(TURN);
                        break;
                    }
                }
            }
            if changed || ended || written.elapsed() >= POSITION_EVERY {
                self.store.flush();
                written = Instant::now();
            }
            if ended {
                return;
            }
        }
        self.store.flush();
    }
}
