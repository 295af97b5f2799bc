//! The door from the API to the exporters of alarms.

use super::{
    backend::Answer,
    views::{ExporterView, ParkedEventView, RetryView, TestView},
};

/// What the API needs of the exporters. An absent answer: there is no exporter of that name.
pub trait ExporterDesk: Send + Sync {
    /// All of them, in the order of the configuration.
    fn list(&self) -> Vec<ExporterView>;

    /// Events that a target refused, the oldest first.
    fn parked(&self, name: &str) -> Answer<'_, Option<Result<Vec<ParkedEventView>, String>>>;

    /// Puts parked events back among those that wait, and tries at once.
    fn retry(&self, name: &str, operator: &str) -> Answer<'_, Option<Result<RetryView, String>>>;

    /// Sends a test event, past what waits.
    fn test(&self, name: &str, operator: &str) -> Answer<'_, Option<TestView>>;
}
