//! The manager's side of world `interface-handler`: decodes extensions into flat arrays, and checks the answer.

use serde_json::{Map, Value as Json};

use super::{SymbolTable, policy::check_description};
use crate::export::Slot;
use crate::handler::{
    ComponentAlarm, Fault, Handled, Handler, KIND_FLAG, KIND_NUMBER, KIND_WORD, Needs, NormalSample, Object, Reports,
};
use crate::{Problem, Symbol};

/// A handler with the manager around it.
pub struct HandlerHost<H> {
    handler: Slot<H>,
    needs: Needs,
    symbols: SymbolTable,
}

/// What became of one report.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// Why it was refused; `None` if it was accepted.
    pub refusal: Option<String>,
    /// Alarms that the component raised or cleared.
    pub alarms: Vec<ComponentAlarm>,
    /// Samples added in normal form.
    pub samples: Vec<NormalSample>,
}

impl<H: Handler> HandlerHost<H> {
    /// Describes and configures the handler, and binds it to symbols.
    ///
    /// # Errors
    /// What the handler says is wrong with the configuration.
    ///
    /// # Panics
    /// Where the manager would not load the plugin: a schema that is no JSON, names that the catalogue does not have.
    pub fn new(reference_point: &str, config: &Json) -> Result<Self, Vec<Problem>> {
        check_description(&H::describe());
        let handler = Slot::<H>::new();
        let needs = handler.configure_handler(reference_point, &config.to_string())?;
        let symbols = SymbolTable::new();
        let names = needs
            .names
            .iter()
            .map(|name| symbols.find(name).unwrap_or_else(|| panic!("`{name}` is no name or word of the catalogue")).0);
        handler.bind_handler(&names.collect::<Vec<_>>());
        for kind in &needs.objects {
            assert!(OBJECTS.contains(&kind.as_str()), "objects of type `{kind}` cannot be asked for");
        }
        Ok(Self { handler, needs, symbols })
    }

    /// The names that have symbols.
    pub fn symbols(&mut self) -> &mut SymbolTable {
        &mut self.symbols
    }

    /// What the handler asked for.
    #[must_use]
    pub fn needs(&self) -> &Needs {
        &self.needs
    }

    /// A batch of reports in one call: component and extension of each.
    pub fn handle(&mut self, reports: &[(&str, Json)]) -> Vec<Answer> {
        let batch = self.decode(reports);
        let handled = self.handle_flat(&batch);
        let mut answers = vec![Answer::default(); reports.len()];
        for refusal in handled.refusals {
            answers[refusal.report as usize].refusal.get_or_insert(refusal.reason);
        }
        for alarm in handled.alarms {
            answers[alarm.report as usize].alarms.push(alarm);
        }
        for sample in handled.samples {
            answers[sample.report as usize].samples.push(sample);
        }
        answers
    }

    /// One report in a call of its own.
    pub fn handle_one(&mut self, extension: Json) -> Answer {
        self.handle(&[("component-1", extension)]).remove(0)
    }

    /// A batch that is decoded already; for what a JSON text cannot say, and for measurements.
    pub fn handle_flat(&self, batch: &Reports) -> Handled {
        let handled = self.handler.handle(batch);
        let positions = handled.refusals.iter().map(|refusal| refusal.report);
        let positions = positions.chain(handled.alarms.iter().map(|alarm| alarm.report));
        for report in positions.chain(handled.samples.iter().map(|sample| sample.report)) {
            assert!((report as usize) < batch.len(), "report {report} is out of range");
        }
        assert!(handled.samples.is_sorted_by_key(|sample| sample.report), "samples are sorted by report");
        handled
    }

    /// Flat arrays of reports, as the manager's decoder makes them.
    pub fn decode(&mut self, reports: &[(&str, Json)]) -> Reports {
        let mut batch = Reports { offsets: vec![0], ..Reports::default() };
        for (report, (component, extension)) in reports.iter().enumerate() {
            batch.components.push(self.symbols.intern(component).0);
            let objects = extension.as_array().map_or(&[][..], Vec::as_slice);
            for (index, object) in objects.iter().enumerate() {
                self.decode_object(&mut batch, report as u32, index, object);
            }
            batch.offsets.push(batch.names.len() as u32);
            if self.needs.raw {
                batch.raw.push(if extension.is_null() { "[]".into() } else { extension.to_string() });
            }
        }
        batch
    }

    fn decode_object(&mut self, batch: &mut Reports, report: u32, index: usize, object: &Json) {
        let mut fault = |path: String, message: &str| {
            batch.faults.push(Fault { report, path, message: message.into() });
        };
        let Some(keys) = object.as_object() else {
            return fault(format!("extension[{index}]"), "expected an object");
        };
        let Some(kind) = keys.get("type").and_then(Json::as_str) else {
            return fault(format!("extension[{index}].type"), "expected a string");
        };
        match kind {
            "performance" | "state" => match keys.get("values").and_then(Json::as_object) {
                Some(values) => self.decode_values(batch, report, index, keys, values),
                None => fault(format!("extension[{index}].values"), "expected an object"),
            },
            _ if self.needs.objects.iter().any(|wanted| wanted == kind) => {
                let (kind, text) = (kind.to_owned(), object.to_string());
                batch.objects.push(Object { report, index: index as u32, kind, text });
            }
            _ => {}
        }
    }

    fn decode_values(
        &mut self,
        batch: &mut Reports,
        report: u32,
        index: usize,
        keys: &Map<String, Json>,
        values: &Map<String, Json>,
    ) {
        let performance = keys.get("type").and_then(Json::as_str) == Some("performance");
        let resource = self.symbols.intern(keys.get("resource").and_then(Json::as_str).unwrap_or_default());
        for (name, value) in values {
            let Some(symbol) = self.symbols.find(name) else { continue };
            let (value, kind) = match value {
                Json::Number(number) if performance => (number.as_f64().unwrap_or(f64::MAX), KIND_NUMBER),
                Json::String(word) if !performance => {
                    (f64::from(self.symbols.find(word).unwrap_or(Symbol::NONE).0), KIND_WORD)
                }
                Json::Bool(flag) if !performance => (f64::from(u8::from(*flag)), KIND_FLAG),
                _ => {
                    let message = if performance { "expected a number" } else { "expected a string or a boolean" };
                    let path = format!("extension[{index}].values.{name}");
                    batch.faults.push(Fault { report, path, message: message.into() });
                    continue;
                }
            };
            batch.names.push(symbol.0);
            batch.resources.push(resource.0);
            batch.values.push(value);
            batch.flags.push(kind | (index as u32) << 8);
        }
    }
}

const OBJECTS: [&str; 5] = ["inventory", "topology", "alarm", "usage", "event"];
