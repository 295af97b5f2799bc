//! State of a policy that goes from one version of its plugin to the next: the new version says what becomes of it.
//!
//! In: the policies as they are, and those that are to be. Out: for each policy that keeps its name and has another plugin which can take
//! state over, the state of all its subjects as the new version keeps it. One that cannot, or fails at it, begins afresh, as one does that
//! offers nothing. Equal state gives equal state, so that recorded traffic can be run again over a change.

use std::collections::HashMap;

use super::core::ShardCore;
use crate::{
    config::limits::MIGRATION_SUBJECTS,
    plugin::FcapsPolicy,
    shard::{
        observing::PolicySlot,
        plugins::{ActivePolicy, ShardConfig},
    },
};

/// A subject with its state as the new version keeps it.
pub(super) struct Subject {
    pub(super) component: u32,
    pub(super) resource: u32,
    pub(super) state: Vec<f64>,
    pub(super) timer: u64,
}

impl ShardCore {
    /// State that goes on in another version, by the symbols of the policies' names.
    pub(super) fn migrate(&self, to: &ShardConfig) -> HashMap<u32, Vec<Subject>> {
        let mut migrated = HashMap::new();
        for active in &to.plugins.policies {
            let old = self.policies.iter().find(|slot| slot.active.symbol == active.symbol);
            let Some(old) = old.filter(|old| may_go_on(&old.active, active)) else { continue };
            match taken_over(old, active) {
                Ok(Some(subjects)) => {
                    migrated.insert(active.symbol, subjects);
                }
                // It offers no migration.
                Ok(None) => {}
                Err(why) => tracing::warn!(
                    target: "plugin",
                    plugin = active.config.name,
                    from = %old.active.version,
                    "Its new version does not take the state of the former one over and begins afresh: {why}"
                ),
            }
        }
        migrated
    }
}

/// Whether it is another version of a policy that was at work, or is not at work now either.
fn may_go_on(old: &ActivePolicy, new: &ActivePolicy) -> bool {
    old.digest != new.digest
        && old.needs.per_component == new.needs.per_component
        && (old.is_active() || !new.is_active())
}

fn taken_over(old: &PolicySlot, new: &ActivePolicy) -> Result<Option<Vec<Subject>>, String> {
    let mut instance: Box<dyn FcapsPolicy> = (new.make)().map_err(|failure| failure.to_string())?;
    let (from, was, is) = (&*old.active.version, old.active.needs.state_width, new.needs.state_width);
    let images: Vec<_> = old.images().collect();
    let mut subjects = Vec::with_capacity(images.len());
    // Also where there is nobody yet, to hear whether it offers it.
    let mut parts = images.chunks(MIGRATION_SUBJECTS);
    let mut part = parts.next().unwrap_or_default();
    loop {
        let state: Vec<f64> = part.iter().flat_map(|image| image.state).copied().collect();
        let migrated = instance.migrate(from, was, &state).map_err(|failure| failure.to_string())?;
        let Some(migrated) = migrated else { return Ok(None) };
        if migrated.len() != part.len() * is {
            return Err(format!("{} values came back for {} subjects of {is} values each", migrated.len(), part.len()));
        }
        subjects.extend(part.iter().enumerate().map(|(at, image)| Subject {
            component: image.component,
            resource: image.resource,
            state: migrated.get(at * is..(at + 1) * is).unwrap_or_default().to_vec(),
            timer: image.timer,
        }));
        match parts.next() {
            Some(next) => part = next,
            None => return Ok(Some(subjects)),
        }
    }
}
