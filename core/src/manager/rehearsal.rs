//! What would be different with another version of a plugin: the last reports of the journal go through what is in force and through what
//! would be, and what follows is compared.
//!
//! In: both sets of plugins, the rules in force, recorded reports. Out: reports that something else followed from, in words, and how often
//! calls failed on either side. Both begin without state, in shards of their own, with instances of their own; nothing is stored, and
//! nothing that works notices. Native plugins are not rehearsed: what one of them breaks, it breaks for the manager.

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::{Duration, Instant},
};

use super::{
    plugins::Plugins,
    trial::{
        stage::Stage,
        words::{self, Followed},
    },
};
use crate::{
    api::views::{RehearsalDifferenceView, RehearsalView},
    config::PluginSource,
    dispatch::{Registry, Rules},
    model::{ComponentRef, Symbol, SymbolTable, Timestamp, report_batch::head_flags},
    plugin::{LoadedHandler, LoadedPolicy},
    shard::{
        ActiveHandler, ActivePolicy, PluginSet, ShardConfig,
        core::{ShardCore, Surroundings},
    },
    storage::latest::LatestReport,
    telemetry::metrics::Metrics,
};

/// Reports of a rehearsal.
pub(super) const REPORTS: usize = 1_000;
/// Differences that are shown.
const SHOWN: usize = 50;
/// Time that a rehearsal may take; what it found until then counts.
const AT_MOST: Duration = Duration::from_secs(10);

/// What both sides share.
pub(super) struct Ground {
    /// Names and numbers of the manager, which the journal speaks in.
    pub(super) symbols: Arc<SymbolTable>,
    /// Who is handled by whom and seen by what.
    pub(super) rules: Arc<Rules>,
    /// `mx/` and the manager's ID.
    pub(super) manager: Arc<str>,
    /// `plugins.state_per_component`
    pub(super) state_per_component: usize,
}

/// A handler whose instances are beside those that work.
fn handler_apart((active, loaded): (&ActiveHandler, &Arc<LoadedHandler>)) -> ActiveHandler {
    let loaded = Arc::clone(loaded);
    ActiveHandler { make: Arc::new(move || loaded.instantiate_apart()), ..active.clone() }
}

fn policy_apart((active, loaded): (&ActivePolicy, &Arc<LoadedPolicy>)) -> ActivePolicy {
    let loaded = Arc::clone(loaded);
    ActivePolicy { make: Arc::new(move || loaded.instantiate_apart()), ..active.clone() }
}

/// The plugins as they are, with instances apart.
fn apart(plugins: &Plugins) -> PluginSet {
    PluginSet {
        handlers: plugins.set.handlers.iter().zip(&plugins.handlers).map(handler_apart).collect(),
        policies: plugins.set.policies.iter().zip(&plugins.policies).map(policy_apart).collect(),
    }
}

/// Names of what is another plugin in `next`, of the same name and role; native ones left out.
#[must_use]
pub(super) fn exchanged(was: &Plugins, next: &Plugins) -> Vec<String> {
    let is_safe = |source: &PluginSource| !matches!(source, PluginSource::Native(_));
    let handlers = was.set.handlers.iter().filter(|old| {
        let mut news = next.set.handlers.iter();
        news.any(|new| new.symbol == old.symbol && new.digest != old.digest && is_safe(&new.config.plugin))
    });
    let policies = was.set.policies.iter().filter(|old| {
        let mut news = next.set.policies.iter();
        news.any(|new| new.symbol == old.symbol && new.digest != old.digest && is_safe(&new.config.plugin))
    });
    handlers.map(|one| one.config.name.clone()).chain(policies.map(|one| one.config.name.clone())).collect()
}

/// What is in force, with these of `next` in their places.
fn with_exchanged(was: &Plugins, next: &Plugins, names: &[String]) -> PluginSet {
    let mut set = apart(was);
    for handler in set.handlers.iter_mut().filter(|one| names.contains(&one.config.name)) {
        let mut news = next.set.handlers.iter().zip(&next.handlers);
        if let Some(new) = news.find(|(new, _)| new.symbol == handler.symbol) {
            *handler = ActiveHandler { fallback: handler.fallback, then: handler.then, ..handler_apart(new) };
        }
    }
    for policy in set.policies.iter_mut().filter(|one| names.contains(&one.config.name)) {
        let mut news = next.set.policies.iter().zip(&next.policies);
        if let Some(new) = news.find(|(new, _)| new.symbol == policy.symbol) {
            *policy = policy_apart(new);
        }
    }
    set
}

/// Whether a recorded report concerns one of these plugins.
pub(super) fn concerns<'a>(
    was: &'a Plugins,
    ground: &'a Ground,
    names: &'a [String],
) -> impl Fn(u32, u32) -> bool + use<'a> {
    // A record names the first handler of a chain.
    let is_named = |at: &usize| was.set.handlers.get(*at).is_some_and(|one| names.contains(&one.config.name));
    let leads_there =
        |(first, one): (usize, &ActiveHandler)| was.set.chain(first).iter().any(is_named).then_some(one.symbol);
    let handlers: Vec<u32> = was.set.handlers.iter().enumerate().filter_map(leads_there).collect();
    let policies: Vec<usize> = was
        .set
        .policies
        .iter()
        .enumerate()
        .filter_map(|(at, one)| names.contains(&one.config.name).then_some(at))
        .collect();
    let known = std::cell::RefCell::new(std::collections::HashMap::<u32, bool>::new());
    move |handler, component| {
        handlers.contains(&handler)
            || *known.borrow_mut().entry(component).or_insert_with(|| {
                let component = ground.symbols.text(Symbol(component)).parse::<ComponentRef>();
                component.is_ok_and(|component| {
                    let card = ground.rules.card(&component);
                    policies.iter().any(|at| card.policies.get(*at).copied().unwrap_or(false))
                })
            })
    }
}

/// One side.
struct Side {
    stage: Stage,
    set: PluginSet,
    registry: Arc<Registry>,
    failures: usize,
    first_failure: Option<String>,
}

impl Side {
    fn new(ground: &Ground, set: PluginSet, start: Timestamp) -> Self {
        let registry = Arc::new(Registry::new(Arc::clone(&ground.symbols), 1));
        let config = Arc::new(ShardConfig {
            generation: 1,
            rules: Arc::clone(&ground.rules),
            expected: Arc::from([]),
            state_per_component: ground.state_per_component,
            since: start,
            note: Arc::from(""),
            plugins: set.clone(),
        });
        let around = Surroundings {
            symbols: Arc::clone(&ground.symbols),
            registry: Arc::clone(&registry),
            metrics: Arc::new(Metrics::default()),
            manager: Arc::clone(&ground.manager),
            next_alarm_id: Arc::new(AtomicU64::new(1)),
            shards: 1,
        };
        let stage = Stage::new(ShardCore::new(0, around, config), Arc::clone(&ground.symbols), start);
        Self { stage, set, registry, failures: 0, first_failure: None }
    }

    fn report(&mut self, ground: &Ground, component: &ComponentRef, recorded: &LatestReport) -> Vec<String> {
        let mut followed = Followed::default();
        self.stage.until(recorded.time, &mut followed);
        let entry = self.registry.admit(component, || ground.rules.card(component));
        let handler = self.set.handlers.iter().position(|one| one.symbol == recorded.handler);
        let handler = handler.unwrap_or_else(|| entry.card.load().handler);
        let worked = self.stage.report(recorded.report.clone(), handler);
        followed.line(words::answer(&worked.record));
        self.stage.tell(worked, &mut followed);
        self.failures += followed.failures.len();
        self.first_failure = self.first_failure.take().or_else(|| followed.failures.first().cloned());
        followed.lines
    }
}

/// Puts the reports through both.
#[must_use]
pub(super) fn rehearse(
    ground: &Ground,
    (was, next): (&Plugins, &Plugins),
    names: &[String],
    reports: &[LatestReport],
) -> RehearsalView {
    let begun = Instant::now();
    let start = reports.first().map(|one| one.time).unwrap_or_default();
    let mut old = Side::new(ground, apart(was), start);
    let mut new = Side::new(ground, with_exchanged(was, next, names), start);
    let mut view = RehearsalView { plugins: names.to_vec(), ..RehearsalView::default() };
    for recorded in reports {
        if begun.elapsed() > AT_MOST {
            view.cut_short = true;
            break;
        }
        let Some(head) = recorded.report.reports.first() else { continue };
        let component = ground.symbols.text(Symbol(head.component)).to_string();
        let Ok(reference) = component.parse::<ComponentRef>() else { continue };
        view.reports += 1;
        view.from.get_or_insert(recorded.time);
        view.until = Some(recorded.time);
        let (before, now) = (old.report(ground, &reference, recorded), new.report(ground, &reference, recorded));
        if before == now {
            continue;
        }
        view.different += 1;
        if view.differences.len() < SHOWN {
            let sequence = (head.flags & head_flags::HAS_SEQUENCE != 0).then_some(head.sequence);
            let time = recorded.time;
            view.differences.push(RehearsalDifferenceView { component, time, sequence, before, now });
        }
    }
    (view.failures_before, view.failures_now) = (old.failures, new.failures);
    view.first_failure = new.first_failure;
    view.took_ms = begun.elapsed().as_secs_f64() * 1_000.0;
    view
}
