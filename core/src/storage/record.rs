//! What the journal holds of a shard's batch: what came in, what was answered, what followed.

use crate::model::{Alarm, EnrolmentDecision, Refusal, ReportBatch, Timestamp};

/// What set a batch off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Cause {
    /// Status reports came in.
    Reports = 0,
    /// Timers of policies were due.
    Tick = 1,
    /// The manager found something about itself or a connection (an alarm of its own).
    Manager = 2,
    /// An operator acted on an alarm.
    Operator = 3,
    /// The manager started: configuration and plugin digests are in `note`.
    Start = 4,
    /// The shard took over a changed configuration, which is in `note`, or ended at its start what that configuration ends; batches behind it were worked through under it.
    Reload = 5,
    /// An operator decided whether a component may report: an [`crate::model::EnrolmentDecision`] is in `note`.
    Decision = 6,
}

/// Inputs and effects of one batch. Applying the effects in journal order rebuilds the state exactly; running the
/// inputs through the same plugins must give the same effects.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchRecord {
    /// Which shard made it; shard numbers are only good until the next start.
    pub shard: u16,
    /// The manager's clock when it was handled.
    pub time: Timestamp,
    /// What set it off.
    pub cause: Cause,
    /// Symbol of the handler's name; 0 where there were no reports.
    pub handler: u32,
    /// The reports, as decoded.
    pub input: ReportBatch,
    /// One for each report: see [`AnswerCode`].
    pub answers: Vec<u8>,
    /// Why reports were refused: position and refusal.
    pub refusals: Vec<(u32, Refusal)>,
    /// What followed.
    pub effects: Effects,
    /// For `Cause::Start`, `Cause::Reload` and `Cause::Decision`: JSON text.
    pub note: String,
}

impl BatchRecord {
    /// The decision that this batch is about, if it is about one and this version can read it.
    #[must_use]
    pub fn decision(&self) -> Option<EnrolmentDecision> {
        if self.cause != Cause::Decision {
            return None;
        }
        match serde_json::from_str(&self.note) {
            Ok(decision) => Some(decision),
            Err(error) => {
                // Nobody is let in by it: whom it is about waits for another decision.
                tracing::error!(%error, "A decision about a component cannot be read and is left out.");
                None
            }
        }
    }
}

/// How a report was answered, as one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum AnswerCode {
    /// Accepted: counted, its sequence number taken, its values applied.
    Accepted = 0,
    /// A repeat of one accepted before: answered `success`, nothing applied.
    Repeat = 1,
    /// Refused; nothing applied.
    Refused = 2,
    /// Accepted as received after its handler failed (`on_failure = "keep-raw"`): counted and numbered, no values.
    KeptRaw = 3,
}

/// What followed from a batch. After-images, so that applying twice is applying once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effects {
    /// Samples that handlers added in normal form: appended to the reports' own.
    pub added_samples: Vec<AddedSample>,
    /// Policy state that changed.
    pub policy_states: Vec<PolicyStates>,
    /// Timers set and taken back.
    pub timers: Vec<TimerChange>,
    /// Alarms that changed, as they are now.
    pub alarms: Vec<Alarm>,
    /// Reports that went to quarantine.
    pub quarantined: Vec<Quarantined>,
}

/// A sample that a handler made; `report` is the position in the batch.
#[derive(Clone, Copy, Debug, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct AddedSample {
    /// Value.
    pub value: f64,
    /// Position of the report.
    pub report: u32,
    /// Symbol of the name.
    pub name: u32,
    /// Symbol of the resource.
    pub resource: u32,
    /// Kind.
    pub kind: u32,
}

/// New state of some subjects of one policy.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PolicyStates {
    /// Symbol of the policy's name.
    pub policy: u32,
    /// Symbol of each subject's component.
    pub components: Vec<u32>,
    /// Symbol of each subject's resource.
    pub resources: Vec<u32>,
    /// State, the same number of values for each subject; none at all: the policy keeps no state of them any more.
    pub values: Vec<f64>,
}

/// A timer set, or taken back with `at` 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct TimerChange {
    /// When, milliseconds since 1970.
    pub at: u64,
    /// Symbol of the policy's name.
    pub policy: u32,
    /// Symbol of the subject's component.
    pub component: u32,
    /// Symbol of the subject's resource.
    pub resource: u32,
    /// Always 0.
    pub padding: u32,
}

/// A report that a plugin could not take.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Quarantined {
    /// Name of the plugin as configured.
    pub plugin: String,
    /// The component, as `mk/km-1`.
    pub component: String,
    /// When.
    pub time: Timestamp,
    /// What failed, with the guest's trace.
    pub failure: String,
    /// What the report said, bounded; never key material (such reports are refused before a handler sees them).
    pub report: String,
}
