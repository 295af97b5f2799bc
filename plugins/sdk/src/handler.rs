//! World `interface-handler`: understanding what the components of a reference point send.
//!
//! In: status reports as parallel arrays ([`Reports`]), which can be read as they are, or report by report through
//! [`Reports::iter`]. Out: refusals, the components' own alarms, samples in normal form ([`Handled`]). A handler keeps
//! nothing between calls but its configuration; `handle` takes `&self` for that reason.

use serde::de::DeserializeOwned;

use crate::bindings::interface_handler::exports::qkdn::manager::handler as wit;
use crate::{Description, Problem, Symbol};

pub use wit::{ComponentAlarm, Fault, Handled, Needs, Object, Refusal, Reports, Sample as NormalSample};

/// Understands status reports of one reference point and vendor.
///
/// The manager calls `describe` when it loads the plugin; then, once in each instance, `configure`, `needs` and `bind`;
/// then `handle` for whatever is waiting.
pub trait Handler: Sized + 'static {
    /// The configuration: what the plugin's JSON Schema describes. `serde_json::Value` takes anything.
    type Config: DeserializeOwned;

    /// Name, version, summary and the schema of the configuration.
    fn describe() -> Description;

    /// Takes the reference point (`mk`) and the configuration.
    ///
    /// # Errors
    /// Everything that is wrong with it; the manager's configuration is then refused as a whole.
    fn configure(reference_point: &str, config: Self::Config) -> Result<Self, Vec<Problem>>;

    /// What the handler wants to be given. Nothing but samples, unless it says so.
    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// Symbols of [`Needs::names`], in that order.
    fn bind(&mut self, names: &[Symbol]) {
        let _ = names;
    }

    /// Says yes or no to each report of a batch.
    fn handle(&self, reports: &Reports) -> Handled;
}

impl Reports {
    /// How many reports there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.components.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.components.is_empty()
    }

    /// The reports, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Report<'_>> {
        self.components.iter().enumerate().map(|(index, &component)| Report {
            batch: self,
            index: index as u32,
            component: Symbol(component),
        })
    }

    /// The sample at a position of the flat arrays.
    #[must_use]
    pub fn sample(&self, position: usize) -> Option<Sample> {
        let flags = *self.flags.get(position)?;
        let raw = *self.values.get(position)?;
        Some(Sample {
            name: Symbol(*self.names.get(position)?),
            resource: Symbol(*self.resources.get(position)?),
            value: match flags & 0xff {
                KIND_WORD => Value::Word(Symbol(raw as u32)),
                KIND_FLAG => Value::Flag(raw != 0.0),
                _ => Value::Number(raw),
            },
            object: flags >> 8,
        })
    }

    /// The report that holds a position of the flat arrays.
    #[must_use]
    pub fn report_of(&self, position: usize) -> u32 {
        self.offsets.partition_point(|&offset| offset as usize <= position).saturating_sub(1) as u32
    }
}

/// One status report of a batch.
#[derive(Clone, Copy)]
pub struct Report<'a> {
    batch: &'a Reports,
    /// Position in the batch; refusals, alarms and samples name it.
    pub index: u32,
    /// Who sent it.
    pub component: Symbol,
}

impl<'a> Report<'a> {
    /// Its samples.
    pub fn samples(self) -> impl Iterator<Item = Sample> + 'a {
        let bound = |at: usize| self.batch.offsets.get(at).map_or(0, |&offset| offset as usize);
        let range = bound(self.index as usize)..bound(self.index as usize + 1);
        range.filter_map(move |position| self.batch.sample(position))
    }

    /// What the decoder found wrong with it.
    pub fn faults(self) -> impl Iterator<Item = &'a Fault> {
        self.batch.faults.iter().filter(move |fault| fault.report == self.index)
    }

    /// The objects of it that [`Needs::objects`] asked for.
    pub fn objects(self) -> impl Iterator<Item = &'a Object> {
        self.batch.objects.iter().filter(move |object| object.report == self.index)
    }

    /// Its extension as JSON text, if [`Needs::raw`] asked for it.
    #[must_use]
    pub fn raw(self) -> Option<&'a str> {
        self.batch.raw.get(self.index as usize).map(String::as_str)
    }
}

/// A value that a report brought.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Its name.
    pub name: Symbol,
    /// The part of the component; [`Symbol::NONE`] is the component itself.
    pub resource: Symbol,
    /// The value.
    pub value: Value,
    /// Position of its object in the report's extension.
    pub object: u32,
}

/// What a sample says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// A number.
    Number(f64),
    /// A word of the catalogue; [`Symbol::NONE`] if it has no such word.
    Word(Symbol),
    /// Yes or no.
    Flag(bool),
}

impl Value {
    /// As a number in the flat arrays, with its kind.
    #[must_use]
    pub fn encode(self) -> (f64, u32) {
        match self {
            Self::Number(number) => (number, KIND_NUMBER),
            Self::Word(word) => (f64::from(word.0), KIND_WORD),
            Self::Flag(flag) => (f64::from(u8::from(flag)), KIND_FLAG),
        }
    }
}

impl Handled {
    /// Refuses a report: `reason` names object and key, as in `extension[3].values.qber_ratio: 1.2 is more than 1`. The
    /// first reason of a report counts.
    pub fn refuse(&mut self, report: u32, reason: impl Into<String>) {
        if !self.refuses(report) {
            self.refusals.push(Refusal { report, reason: shortened(reason.into()) });
        }
    }

    /// Whether a report is refused already.
    #[must_use]
    pub fn refuses(&self, report: u32) -> bool {
        self.refusals.iter().any(|refusal| refusal.report == report)
    }

    /// Adds a sample in normal form; samples are to be added in the order of their reports. An empty resource is the
    /// component itself.
    pub fn add(&mut self, report: u32, name: Symbol, resource: impl Into<String>, value: Value) {
        let (value, kind) = value.encode();
        self.samples.push(NormalSample { report, name: name.0, resource: resource.into(), value, kind });
    }
}

/// Bytes of a reason: it may quote what a component sent, and the manager takes no longer ones.
const REASON_BYTES: usize = 1_024;

fn shortened(mut reason: String) -> String {
    if reason.len() > REASON_BYTES {
        let end = (0..=REASON_BYTES).rev().find(|&end| reason.is_char_boundary(end)).unwrap_or(0);
        reason.truncate(end);
        reason.push_str(" ...");
    }
    reason
}

/// Low eight bits of `flags`: the value is a number.
pub const KIND_NUMBER: u32 = 0;
/// Low eight bits of `flags`: the value is the symbol of a word.
pub const KIND_WORD: u32 = 1;
/// Low eight bits of `flags`: the value is 0 or 1.
pub const KIND_FLAG: u32 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn two_reports() -> Reports {
        Reports {
            components: vec![9, 8],
            offsets: vec![0, 2, 3],
            names: vec![1, 2, 3],
            resources: vec![0, 5, 0],
            values: vec![0.5, 4.0, 1.0],
            flags: vec![KIND_NUMBER, KIND_WORD | 1 << 8, KIND_FLAG],
            faults: vec![Fault { report: 1, path: "extension[0]".into(), message: "m".into() }],
            objects: vec![Object { report: 0, index: 2, kind: "event".into(), text: "{}".into() }],
            raw: vec![],
        }
    }

    #[test]
    fn reports_are_read_one_by_one() {
        let batch = two_reports();
        let reports: Vec<Report<'_>> = batch.iter().collect();
        let first: Vec<Sample> = reports[0].samples().collect();
        assert_eq!(first[0].value, Value::Number(0.5));
        assert_eq!((first[1].value, first[1].resource, first[1].object), (Value::Word(Symbol(4)), Symbol(5), 1));
        assert_eq!(reports[1].samples().map(|sample| sample.value).collect::<Vec<_>>(), [Value::Flag(true)]);
        assert_eq!((reports[0].faults().count(), reports[1].faults().count()), (0, 1));
        assert_eq!((reports[0].objects().count(), reports[1].objects().count()), (1, 0));
        assert_eq!(reports[0].raw(), None);
        assert_eq!([0, 1, 2].map(|position| batch.report_of(position)), [0, 0, 1]);
    }

    #[test]
    fn a_position_belongs_to_the_report_after_empty_ones() {
        let batch = Reports { components: vec![1, 2, 3], offsets: vec![0, 0, 1, 1], ..Reports::default() };
        assert_eq!(batch.report_of(0), 1);
    }

    #[test]
    fn the_first_refusal_of_a_report_counts() {
        let mut handled = Handled::default();
        handled.refuse(3, "a");
        handled.refuse(3, "b");
        assert_eq!(handled.refusals, [Refusal { report: 3, reason: "a".into() }]);
    }
}
