//! Plugins whose instance is another one in each call. A manager makes and drops instances as it likes, so the same has to follow;
//! where it does not, the plugin keeps something between calls that nobody stores.

use std::sync::Arc;

use crate::{
    model::ReportBatch,
    plugin::{
        FcapsPolicy, Handled, InterfaceHandler, LoadedHandler, LoadedPolicy, Observations, Outcome, PluginFailure,
    },
    shard::{ActiveHandler, ActivePolicy},
};

struct Forgetful<L>(Arc<L>);

impl InterfaceHandler for Forgetful<LoadedHandler> {
    fn handle(&mut self, reports: &ReportBatch) -> Result<Handled, PluginFailure> {
        self.0.instantiate()?.handle(reports)
    }
}

impl FcapsPolicy for Forgetful<LoadedPolicy> {
    fn evaluate(&mut self, seen: &Observations) -> Result<Outcome, PluginFailure> {
        self.0.instantiate()?.evaluate(seen)
    }

    fn on_time(&mut self, due: &Observations) -> Result<Outcome, PluginFailure> {
        self.0.instantiate()?.on_time(due)
    }
}

/// The handler, with a new instance for each call.
pub(super) fn handler(active: &mut ActiveHandler, loaded: &Arc<LoadedHandler>) {
    let loaded = Arc::clone(loaded);
    active.make = Arc::new(move || Ok(Box::new(Forgetful(Arc::clone(&loaded)))));
}

/// The policy, with a new instance for each call.
pub(super) fn policy(active: &mut ActivePolicy, loaded: &Arc<LoadedPolicy>) {
    let loaded = Arc::clone(loaded);
    active.make = Arc::new(move || Ok(Box::new(Forgetful(Arc::clone(&loaded)))));
}
