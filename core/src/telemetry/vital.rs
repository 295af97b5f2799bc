//! Threads that the manager cannot be without, and the news that one of them broke.
//!
//! In: each such thread enters itself by name when it begins. Out: the names of those that ended by a panic, for
//! `/readyz`, and a future that is ready with the first, for whoever runs the process. Decides nothing: that the process
//! ends then, and why, is `core/decisions/0004-a-broken-thread-ends-the-process.md`.

use tokio::sync::watch;

/// The threads; clones share one list.
#[derive(Clone, Debug)]
pub struct VitalThreads {
    lost: watch::Sender<Vec<String>>,
}

impl Default for VitalThreads {
    fn default() -> Self {
        Self { lost: watch::Sender::new(Vec::new()) }
    }
}

/// Held by a vital thread as long as it lives.
#[derive(Debug)]
pub struct VitalThread {
    name: String,
    lost: watch::Sender<Vec<String>>,
}

impl VitalThreads {
    /// The calling thread is vital from now on, under this name, until the value is dropped.
    #[must_use]
    pub fn enter(&self, name: impl Into<String>) -> VitalThread {
        VitalThread { name: name.into(), lost: self.lost.clone() }
    }

    /// Names of those that broke.
    #[must_use]
    pub fn lost(&self) -> Vec<String> {
        self.lost.borrow().clone()
    }

    /// Ready once a thread broke, with its name.
    pub async fn first_lost(&self) -> String {
        let mut news = self.lost.subscribe();
        match news.wait_for(|lost| !lost.is_empty()).await {
            Ok(lost) => lost.first().cloned().unwrap_or_default(),
            // Cannot be while `self` has a sending end; then nothing is ever lost.
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for VitalThread {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!(thread = self.name, "A thread broke that the manager cannot be without.");
            self.lost.send_modify(|lost| lost.push(std::mem::take(&mut self.name)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_a_thread_that_panics_is_lost() {
        let vital = VitalThreads::default();
        let entered = vital.clone();
        let orderly = std::thread::spawn(move || drop(entered.enter("orderly")));
        assert!(orderly.join().is_ok());
        assert!(vital.lost().is_empty());
        let entered = vital.clone();
        let broken = std::thread::spawn(move || {
            let _vital = entered.enter("shard-7");
            panic!("on purpose");
        });
        assert_eq!(vital.first_lost().await, "shard-7");
        assert!(broken.join().is_err());
        assert_eq!(vital.lost(), ["shard-7"]);
    }
}
