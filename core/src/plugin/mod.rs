//! Plugins: interface handlers, FCAPS policies, exchange policies and collectors, as WebAssembly components or trusted native
//! libraries (contract: `wit/v0.1`, and `wit/v0.2` for collectors).
//!
//! To the rest of the manager a plugin is one of the two traits below, made by a [`LoadedHandler`] or [`LoadedPolicy`]
//! as often as there are shards. What comes in is flat arrays, what goes out is plain values that were checked against
//! the question. A [`PluginFailure`] means the call had no effect and the instance was dropped; the next call makes a
//! new one. Knows nothing of connections, storage or alarms.
//!
//! ```text
//!   host       PluginHost: configuration entry -> LoadedHandler, LoadedPolicy, LoadedExchange, LoadedCollector
//!     inspect    everything that is to be known about a plugin, for its author and its operator
//!     artifact   builtin or file -> bytes -> digest
//!     schema     configuration against the plugin's JSON Schema
//!     vocabulary names a plugin asks for -> symbols
//!   handler    LoadedHandler and its calls
//!   policy     LoadedPolicy and its calls
//!   exchange   LoadedExchange and its calls; WebAssembly alone
//!   collector  LoadedCollector and its calls; WebAssembly alone
//!     setup      what every instance has: name, limits, log
//!     meter      counts calls, their time and what became of them
//!     signature  who approved a plugin's bytes
//!     answer     checks that answers fit their questions
//!     private_folder  files that are trusted as code
//!   wasm/      WebAssembly components: compiled, cached, limited
//!   native/    shared libraries: trusted, only where the configuration allows them
//! ```

use std::fmt;

mod answer;
mod artifact;
mod collector;
mod error;
mod exchange;
mod handler;
mod host;
mod inspect;
mod log_gate;
mod meter;
mod native;
mod policy;
mod private_folder;
mod schema;
mod setup;
pub mod signature;
mod vocabulary;
mod wasm;

pub use artifact::builtin_bytes;
pub use collector::{CollectedReport, CollectorInstance, Fetched, Get, LoadedCollector, Step, Turn};
pub use error::PluginError;
pub use exchange::{Direction, ExchangeInstance, LoadedExchange, Narrowed, Passage, Passed};
pub use handler::{HandlerNeeds, LoadedHandler};
pub use host::{Identity, PluginDescription, PluginHost};
pub use inspect::{Configured, Inspected, handler_config, policy_config};
pub use policy::LoadedPolicy;

use crate::model::{ObjectKind, ReportBatch, Symbol};

/// Understands status reports of one reference point (WIT `handler`).
pub trait InterfaceHandler: Send {
    /// Says yes or no to each report of the batch. The answer's positions are in range.
    fn handle(&mut self, reports: &ReportBatch) -> Result<Handled, PluginFailure>;
    /// Bytes of memory that its instance has; `None` where that is not its own, or there is no instance just now.
    fn memory(&self) -> Option<usize> {
        None
    }
}

/// Watches what accepted reports say (WIT `policy`).
pub trait FcapsPolicy: Send {
    /// Evaluates samples. The answer's positions are in range and its state is as long as the question's.
    fn evaluate(&mut self, seen: &Observations) -> Result<Outcome, PluginFailure>;
    /// Evaluates subjects whose timer is due; `due` has no samples.
    fn on_time(&mut self, due: &Observations) -> Result<Outcome, PluginFailure>;
    /// Bytes of memory that its instance has; `None` where that is not its own, or there is no instance just now.
    fn memory(&self) -> Option<usize> {
        None
    }
    /// State of subjects as another version (which gave itself this one, with so many values a subject) kept it, as this one
    /// keeps it; `None` if it has no migration.
    fn migrate(&mut self, _from: &str, _width: usize, _state: &[f64]) -> Result<Option<Vec<f64>>, PluginFailure> {
        Ok(None)
    }
    /// So many subjects have state, of so many bytes together: to be shown.
    fn keeps(&self, _subjects: usize, _bytes: usize) {}
}

/// What became of a batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Handled {
    /// Position of a report that is not accepted, and why.
    pub refusals: Vec<(u32, String)>,
    /// Alarms that components raised or cleared themselves.
    pub alarms: Vec<ComponentAlarm>,
    /// Samples in normal form to add, sorted by report.
    pub samples: Vec<NormalSample>,
}

/// WIT `handler.component-alarm`.
#[derive(Clone, Debug, PartialEq)]
pub struct ComponentAlarm {
    /// Position of the report.
    pub report: u32,
    /// Part of the component, empty for itself.
    pub resource: String,
    /// Alarm type.
    pub alarm_type: String,
    /// Qualifier.
    pub qualifier: String,
    /// A severity, or `cleared`.
    pub severity: String,
    /// For a person.
    pub text: String,
    /// X.733 event type, or empty.
    pub event_type: String,
    /// X.733 probable cause, or empty.
    pub probable_cause: String,
}

/// WIT `handler.sample`.
#[derive(Clone, Debug, PartialEq)]
pub struct NormalSample {
    /// Position of the report.
    pub report: u32,
    /// Symbol of the value name.
    pub name: u32,
    /// Resource as text, empty for the component.
    pub resource: String,
    /// Value.
    pub value: f64,
    /// 0 number, 1 word, 2 flag.
    pub kind: u32,
}

/// WIT `policy.observations`: parallel arrays, reused from call to call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observations {
    /// The manager's time, milliseconds since 1970.
    pub now: u64,
    /// Symbol of each subject's component.
    pub components: Vec<u32>,
    /// Symbol of each subject's resource.
    pub resources: Vec<u32>,
    /// State, `state_width` values a subject.
    pub state: Vec<f64>,
    /// Subject of each sample.
    pub subject: Vec<u32>,
    /// Name of each sample.
    pub names: Vec<u32>,
    /// Value of each sample.
    pub values: Vec<f64>,
    /// Resource of each sample.
    pub sample_resources: Vec<u32>,
    /// Extension objects asked for.
    pub objects: Vec<SeenObject>,
}

/// WIT `policy.object`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenObject {
    /// Position of its subject.
    pub subject: u32,
    /// Samples of the call that were accepted before it.
    pub samples_before: u32,
    /// What it is.
    pub kind: ObjectKind,
    /// JSON text, as received.
    pub text: String,
}

impl Observations {
    /// Empties the arrays and keeps their room.
    pub fn clear(&mut self) {
        self.components.clear();
        self.resources.clear();
        self.state.clear();
        self.subject.clear();
        self.names.clear();
        self.values.clear();
        self.sample_resources.clear();
        self.objects.clear();
    }
}

/// WIT `policy.alarm`.
#[derive(Clone, Debug, PartialEq)]
pub struct RaisedAlarm {
    /// Position of the subject.
    pub subject: u32,
    /// Alarm type.
    pub alarm_type: String,
    /// Qualifier, empty for the policy's name.
    pub qualifier: String,
    /// Severity.
    pub severity: String,
    /// For an operator.
    pub text: String,
    /// X.733 event type, or empty.
    pub event_type: String,
    /// X.733 probable cause, or empty.
    pub probable_cause: String,
    /// Value observed.
    pub observed: Option<f64>,
    /// Threshold.
    pub threshold: Option<f64>,
    /// What to do.
    pub repair_actions: Vec<String>,
    /// Facts kept with the alarm.
    pub evidence: Vec<(String, String)>,
    /// Place among the verdicts.
    pub step: u32,
}

/// WIT `policy.clearance`.
#[derive(Clone, Debug, PartialEq)]
pub struct ClearedAlarm {
    /// Position of the subject.
    pub subject: u32,
    /// Alarm type.
    pub alarm_type: String,
    /// Qualifier, empty for the policy's name.
    pub qualifier: String,
    /// Why it is over.
    pub text: String,
    /// Place among the verdicts.
    pub step: u32,
}

/// WIT `policy.outcome`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// New state, as long as the question's.
    pub state: Vec<f64>,
    /// To raise.
    pub raised: Vec<RaisedAlarm>,
    /// To clear; in the order of `step` with what is raised, before it at equal steps.
    pub cleared: Vec<ClearedAlarm>,
    /// Subject and time of timers to set; time 0 takes one back.
    pub timers: Vec<(u32, u64)>,
    /// Subject and value names of status reports to request.
    pub requests: Vec<(u32, Vec<String>)>,
}

/// What a policy asked for in `configure`, names resolved to symbols.
#[derive(Clone, Debug, Default)]
pub struct PolicyNeeds {
    /// Symbols of the value names it watches, sorted.
    pub names: Vec<Symbol>,
    /// Values of state for each subject.
    pub state_width: usize,
    /// One subject a component.
    pub per_component: bool,
    /// Types of extension objects it is shown.
    pub objects: Vec<ObjectKind>,
    /// Member of these objects that names their subject's resource.
    pub object_resource: String,
}

/// Why a call failed. The instance is gone, the call had no effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PluginFailure {
    /// The guest trapped (panic, out of bounds, unreachable); its trace, and panic text if it logged one.
    Trap(String),
    /// More CPU time than `plugins.cpu_time`.
    CpuTime(String),
    /// Not over after `plugins.wall_time`.
    WallTime(String),
    /// More memory than `plugins.memory`.
    Memory(String),
    /// More elements in its tables than `plugins.table_elements`.
    Tables(String),
    /// The answer was larger than `plugins.answer_size`, or had too many verdicts.
    AnswerTooLarge(String),
    /// The answer does not fit the question.
    BadAnswer(String),
    /// The manager's own arrays do not fit together; the plugin was not called.
    BadQuestion(String),
    /// No instance could be made.
    Instantiate(String),
    /// Not called: it failed several times in a row and is left alone for a while.
    Paused(String),
}

impl PluginFailure {
    /// Short name for metrics and alarms.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Trap(_) => "trap",
            Self::CpuTime(_) => "cpu-time",
            Self::WallTime(_) => "wall-time",
            Self::Memory(_) => "memory",
            Self::Tables(_) => "tables",
            Self::AnswerTooLarge(_) => "answer-too-large",
            Self::BadAnswer(_) => "bad-answer",
            Self::BadQuestion(_) => "bad-question",
            Self::Instantiate(_) => "instantiate",
            Self::Paused(_) => "paused",
        }
    }

    /// The trace or sentence.
    #[must_use]
    pub fn detail(&self) -> &str {
        match self {
            Self::Trap(text)
            | Self::CpuTime(text)
            | Self::WallTime(text)
            | Self::Memory(text)
            | Self::Tables(text)
            | Self::AnswerTooLarge(text)
            | Self::BadAnswer(text)
            | Self::BadQuestion(text)
            | Self::Instantiate(text)
            | Self::Paused(text) => text,
        }
    }
}

impl fmt::Display for PluginFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind(), self.detail())
    }
}
