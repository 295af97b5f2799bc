//! Alarms as the API shows them: the alarm itself, and what the configuration adds to it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::MaintenanceMark;
use crate::{config::FcapsFunction, model::Alarm};

/// An alarm, with the FCAPS function that it belongs to and the value that it is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlarmView {
    /// The alarm (RFC 8632).
    #[serde(flatten)]
    pub alarm: Alarm,
    /// Function of the policy that raised it; of others the one that its X.733 or X.736 event type belongs to.
    pub function: FcapsFunction,
    /// Name of the value that `observed` and `threshold` are of, where the policy's configuration says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_name: Option<String>,
    /// Unit of `observed` and `threshold`, where the value's name says one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Where it clears, as the policy is configured now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clear_threshold: Option<f64>,
    /// Maintenance under way on the link to another domain that the alarm is about; the alarm stays raised all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<MaintenanceMark>,
}

impl AlarmView {
    /// An alarm of which no configuration is known.
    #[must_use]
    pub fn plain(alarm: Alarm) -> Self {
        let function = FcapsFunction::of_event_type(&alarm.report.event_type);
        Self { alarm, function, value_name: None, unit: None, clear_threshold: None, maintenance: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Catalogue;

    #[test]
    fn every_event_type_of_the_catalogue_is_placed_on_purpose() {
        for alarm in &Catalogue::get().alarms {
            let fault = ["communications", "environmental", "equipment", "processing-error"];
            let is_fault = fault.contains(&alarm.event.as_str());
            assert_eq!(FcapsFunction::of_event_type(&alarm.event) == FcapsFunction::Fault, is_fault, "{}", alarm.event);
        }
    }
}
