//! What the manager noticed, read from its HTTP API: the list of alarms now, and what changed since the last look.

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use serde::Deserialize;

use crate::model::{Alarm, Severity};

/// Alarms asked for at once: the demo's network has far fewer.
const LIMIT: usize = 200;

/// The API could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// No answer, or not the expected one.
    #[error("GET {url}")]
    Get {
        /// What was asked.
        url: String,
        /// Why.
        #[source]
        source: Box<ureq::Error>,
    },
    /// The look was interrupted.
    #[error("the look at the API was interrupted")]
    Interrupted(#[from] tokio::task::JoinError),
}

/// Something new about an alarm.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// It was raised.
    Raised(Alarm),
    /// Its severity changed.
    Changed(Alarm),
    /// It was cleared.
    Cleared(Alarm),
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Alarm>,
}

/// A watcher.
#[derive(Debug)]
pub struct Watch {
    url: String,
    agent: ureq::Agent,
    seen: Seen,
}

impl Watch {
    /// Watches the API at an address.
    #[must_use]
    pub fn new(api: SocketAddr) -> Self {
        let config = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(10))).build();
        Self { url: format!("http://{api}/api/v1/alarms?limit={LIMIT}"), agent: config.into(), seen: Seen::default() }
    }

    /// The alarms now, and what is new about them.
    pub async fn look(&mut self) -> Result<(Vec<Alarm>, Vec<Change>), WatchError> {
        let (agent, url) = (self.agent.clone(), self.url.clone());
        let asked = tokio::task::spawn_blocking(move || {
            agent.get(&url).call().and_then(|mut answer| answer.body_mut().read_json::<Page>())
        });
        let page =
            asked.await?.map_err(|source| WatchError::Get { url: self.url.clone(), source: Box::new(source) })?;
        let changes = self.seen.changes(&page.items);
        Ok((page.items, changes))
    }
}

/// What was known of each alarm: cleared or not, severity, how often it was raised.
#[derive(Clone, Debug, Default)]
pub struct Seen(HashMap<u64, (bool, Severity, u64)>);

impl Seen {
    /// What is new; the oldest alarm first.
    pub fn changes(&mut self, alarms: &[Alarm]) -> Vec<Change> {
        let mut changes = Vec::new();
        for alarm in alarms.iter().rev() {
            let now = (alarm.is_cleared, alarm.report.severity, alarm.raise_count);
            let before = self.0.insert(alarm.id, now);
            // What came and went between two looks is told as both.
            let raised = match before {
                None => true,
                Some((cleared, _, count)) => alarm.raise_count > count || (cleared && !alarm.is_cleared),
            };
            if raised {
                changes.push(Change::Raised(alarm.clone()));
            }
            let was_cleared = before.is_some_and(|(cleared, ..)| cleared) && !raised;
            if alarm.is_cleared && !was_cleared {
                changes.push(Change::Cleared(alarm.clone()));
            } else if !raised && before.is_some_and(|(_, severity, _)| severity != alarm.report.severity) {
                changes.push(Change::Changed(alarm.clone()));
            }
        }
        changes
    }
}
