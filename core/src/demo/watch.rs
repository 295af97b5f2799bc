//! What the manager noticed, read from its HTTP API: the list of alarms now, and what changed since the last look.

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use serde::{Deserialize, de::DeserializeOwned};

use super::reason::{Policies, PolicyKnown};
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
struct Page<T> {
    items: Vec<T>,
}

/// A watcher.
#[derive(Debug)]
pub struct Watch {
    api: SocketAddr,
    agent: ureq::Agent,
    seen: Seen,
}

impl Watch {
    /// Watches the API at an address.
    #[must_use]
    pub fn new(api: SocketAddr) -> Self {
        let config = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(10))).build();
        Self { api, agent: config.into(), seen: Seen::default() }
    }

    /// The alarms now, and what is new about them.
    pub async fn look(&mut self) -> Result<(Vec<Alarm>, Vec<Change>), WatchError> {
        let alarms = self.list(&format!("alarms?limit={LIMIT}")).await?;
        let changes = self.seen.changes(&alarms);
        Ok((alarms, changes))
    }

    /// The manager's policies, which do not change while it runs the demo.
    pub async fn policies(&self) -> Result<Policies, WatchError> {
        Ok(self.list::<PolicyKnown>("policies").await?.into_iter().collect())
    }

    async fn list<T: DeserializeOwned + Send + 'static>(&self, path: &str) -> Result<Vec<T>, WatchError> {
        let url = format!("http://{}/api/v1/{path}", self.api);
        let (agent, asked_for) = (self.agent.clone(), url.clone());
        let asked = tokio::task::spawn_blocking(move || {
            agent.get(&asked_for).call().and_then(|mut answer| answer.body_mut().read_json::<Page<T>>())
        });
        Ok(asked.await?.map_err(|source| WatchError::Get { url, source: Box::new(source) })?.items)
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
