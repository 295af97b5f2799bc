//! An interface handler, loaded: what it needs, and its instances, in whichever form the plugin comes ([`HandlerGuest`]).
//!
//! The report arrays are handed over as they stand; beside them a call builds only the two short lists that a batch
//! keeps in another shape (components and offsets), and texts that the handler asked for.

use std::sync::Arc;

use super::{
    Handled, InterfaceHandler, PluginDescription, PluginError, PluginFailure, answer,
    host::{self, Identity, Loading},
    meter::Meter,
    setup::Setup,
    vocabulary::{Resolver, did_you_mean},
    wasm::wit::{
        handler::{Fault, Needs, Object, Reports},
        types::{Description, Problem},
    },
};
use crate::model::{ObjectKind, ReferencePoint, ReportBatch, SymbolTable};

/// One instance of a handler, as a WebAssembly component or a native library gives it: the functions of WIT `handler`.
/// After a failed call it is of no more use.
pub(super) trait HandlerGuest: Send {
    /// What the plugin says about itself.
    fn describe(&mut self) -> Result<Description, PluginFailure>;
    /// Takes the configuration as JSON text.
    fn configure(&mut self, point: ReferencePoint, config: &str) -> Result<Result<Needs, Vec<Problem>>, PluginFailure>;
    /// Symbols of what it named.
    fn bind(&mut self, symbols: &[u32]) -> Result<(), PluginFailure>;
    /// Its answer, not checked yet.
    fn handle(&mut self, reports: Reports<'_>) -> Result<Handled, PluginFailure>;
    /// Bytes of linear memory that it has; `None` where it has none of its own.
    fn memory(&self) -> Option<usize> {
        None
    }
}

/// Makes instances.
pub(super) type StartHandler = Box<dyn Fn(&Setup) -> Result<Box<dyn HandlerGuest>, PluginFailure> + Send + Sync>;

/// What a handler asked to be given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HandlerNeeds {
    /// The extension of each report as JSON text.
    pub raw: bool,
    /// Objects as JSON text.
    pub objects: Vec<ObjectKind>,
}

/// A handler that was compiled, configured once and found to be in order.
pub struct LoadedHandler {
    loading: Loading,
    description: PluginDescription,
    needs: HandlerNeeds,
    reference_point: ReferencePoint,
    start: StartHandler,
    symbols: Vec<u32>,
}

impl std::fmt::Debug for LoadedHandler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoadedHandler")
            .field("name", &self.name())
            .field("digest", &self.digest())
            .finish_non_exhaustive()
    }
}

impl LoadedHandler {
    pub(super) fn load(
        loading: Loading,
        start: StartHandler,
        reference_point: ReferencePoint,
        symbols: &SymbolTable,
    ) -> Result<Arc<Self>, PluginError> {
        let mut trial = start(&loading.setup).map_err(|failure| loading.failed("start", failure))?;
        let told = trial.describe().map_err(|failure| loading.failed("describe", failure))?;
        let description = loading.described(told)?;
        let answer = trial
            .configure(reference_point, &loading.config_text)
            .map_err(|failure| loading.failed("configure", failure))?;
        let (needs, symbols) = resolve(&loading, loading.configured(answer)?, symbols)?;
        trial.bind(&symbols).map_err(|failure| loading.failed("bind", failure))?;
        Ok(Arc::new(Self { loading, description, needs, reference_point, start, symbols }))
    }

    /// The configured name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.loading.name
    }

    /// What the plugin says about itself.
    #[must_use]
    pub const fn description(&self) -> &PluginDescription {
        &self.description
    }

    /// SHA-256 of the plugin, lower-case hex.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.loading.identity.digest
    }

    /// Digest and signature: what a plugin is known by.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.loading.identity
    }

    /// What it wants to be given.
    #[must_use]
    pub const fn needs(&self) -> &HandlerNeeds {
        &self.needs
    }

    /// Symbols of the names and words that it wants to recognise, in its order.
    pub(super) fn named(&self) -> &[u32] {
        &self.symbols
    }

    /// An instance, configured and bound.
    pub fn instantiate(self: &Arc<Self>) -> Result<Box<dyn InterfaceHandler>, PluginFailure> {
        self.instantiate_as(self.loading.setup.clone())
    }

    /// An instance beside those that work, which counts for itself: for a rehearsal.
    pub fn instantiate_apart(self: &Arc<Self>) -> Result<Box<dyn InterfaceHandler>, PluginFailure> {
        self.instantiate_as(self.loading.setup.apart())
    }

    fn instantiate_as(self: &Arc<Self>, setup: Setup) -> Result<Box<dyn InterfaceHandler>, PluginFailure> {
        let meter = Meter::new(&setup);
        let live = Some(self.make(&setup, &meter)?);
        let loaded = Arc::clone(self);
        Ok(Box::new(Instance { loaded, setup, meter, live, components: Vec::new(), offsets: Vec::new() }))
    }

    fn make(&self, setup: &Setup, meter: &Meter) -> Result<Box<dyn HandlerGuest>, PluginFailure> {
        let mut live = (self.start)(setup)?;
        meter.instance().made();
        live.configure(self.reference_point, &self.loading.config_text)?
            .map_err(|problems| host::refused_after_all(&problems))?;
        live.bind(&self.symbols)?;
        Ok(live)
    }
}

fn resolve(loading: &Loading, needs: Needs, symbols: &SymbolTable) -> Result<(HandlerNeeds, Vec<u32>), PluginError> {
    let mut resolver = Resolver::new(symbols, &loading.config);
    let names = resolver.names_and_words(&needs.names);
    let mut objects = Vec::new();
    for kind in &needs.objects {
        match ObjectKind::parse(kind) {
            Some(kind) if objects.contains(&kind) => {}
            Some(kind) => objects.push(kind),
            None => {
                let meant = did_you_mean(kind, ObjectKind::ALL.into_iter().map(ObjectKind::as_str));
                resolver.problem(kind, format!("the plugin asks for objects of an unknown type `{kind}`{meant}"));
            }
        }
    }
    loading.refuse(resolver.problems)?;
    Ok((HandlerNeeds { raw: needs.raw, objects }, names.into_iter().map(|symbol| symbol.0).collect()))
}

/// An instance for one shard: makes its guest again after a failure.
struct Instance {
    loaded: Arc<LoadedHandler>,
    setup: Setup,
    meter: Meter,
    live: Option<Box<dyn HandlerGuest>>,
    components: Vec<u32>,
    offsets: Vec<u32>,
}

impl InterfaceHandler for Instance {
    fn handle(&mut self, reports: &ReportBatch) -> Result<Handled, PluginFailure> {
        if reports.is_empty() {
            return Ok(Handled::default());
        }
        self.gather(reports)?;
        let begun = self.meter.begin();
        let result = self.call(reports);
        self.meter.end(begun, reports.len(), &result, self.memory());
        if let Ok(handled) = &result {
            self.meter.instance().refused(handled.refusals.len());
            handled.refusals.iter().for_each(|(_, reason)| self.meter.refused(reason));
        }
        result
    }

    fn memory(&self) -> Option<usize> {
        self.live.as_ref()?.memory()
    }
}

impl Instance {
    fn call(&mut self, reports: &ReportBatch) -> Result<Handled, PluginFailure> {
        let mut live = match self.live.take() {
            Some(live) => live,
            None => self.loaded.make(&self.setup, &self.meter)?,
        };
        let handled = self.ask(live.as_mut(), reports)?;
        self.live = Some(live);
        Ok(handled)
    }

    /// Fills the lists that a batch keeps in another shape; finds out whether its arrays fit together.
    fn gather(&mut self, reports: &ReportBatch) -> Result<(), PluginFailure> {
        self.components.clear();
        self.offsets.clear();
        self.components.extend(reports.reports.iter().map(|head| head.component));
        self.offsets.push(0);
        self.offsets.extend(reports.reports.iter().map(|head| head.samples_end));
        let samples = reports.values.len();
        let equal = [reports.names.len(), reports.resources.len(), reports.flags.len()] == [samples; 3];
        let ends = self.offsets.last().is_some_and(|end| *end as usize == samples);
        if equal && ends && self.offsets.is_sorted() {
            return Ok(());
        }
        Err(PluginFailure::BadQuestion(format!(
            "the batch has {} reports and {samples} samples, but its arrays do not agree about them",
            reports.len()
        )))
    }

    fn ask(&self, live: &mut dyn HandlerGuest, reports: &ReportBatch) -> Result<Handled, PluginFailure> {
        let needs = &self.loaded.needs;
        let faults: Vec<Fault<'_>> = reports
            .faults
            .iter()
            .map(|fault| Fault { report: fault.report, path: &fault.path, message: &fault.message })
            .collect();
        let wanted = reports.objects.iter().filter(|object| needs.objects.contains(&object.kind));
        let objects: Vec<Object<'_>> = wanted
            .map(|object| Object {
                report: object.report,
                index: object.index,
                kind: object.kind.as_str(),
                text: reports.object_text(object),
            })
            .collect();
        let raw: Vec<&str> = if needs.raw {
            (0..reports.len()).map(|index| reports.extension_text(index)).map(or_empty_list).collect()
        } else {
            Vec::new()
        };
        let batch = Reports {
            components: &self.components,
            offsets: &self.offsets,
            names: &reports.names,
            resources: &reports.resources,
            values: &reports.values,
            flags: &reports.flags,
            faults: &faults,
            objects: &objects,
            raw: &raw,
        };
        let handled = live.handle(batch)?;
        answer::check_handled(&handled, reports.len(), &self.loaded.symbols)?;
        Ok(handled)
    }
}

fn or_empty_list(text: &str) -> &str {
    if text.is_empty() { "[]" } else { text }
}
