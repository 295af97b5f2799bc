//! Other versions of single plugins: taken over from their files, gone back to, and gone back to by themselves when the new one fails
//! more often.
//!
//! In: a plugin's configured name, or where it comes from. What is loaded beside those in force is rehearsed with the last reports; one
//! that fails more often there is refused unless somebody wants it all the same. The exchange itself is that of any reload: between two
//! batches of each shard, and journalled there. Everything else of the configuration stays as it is in force.

use std::{sync::Arc, time::Instant};

use super::{Reloader, Trigger, files::FileSet, list, taken_over};
use crate::{
    api::{
        Answer,
        backend::{PluginExchangeError, PluginExchanged},
        views::{RehearsalView, ReloadResult, ReloadView},
    },
    config::{
        PluginSource, Problems,
        problem::{Level, Problem},
    },
    manager::{
        in_force::InForce,
        plugin_versions::{Version, Versions},
        plugins::{self, Plugins},
        rehearsal::{self, Ground},
    },
    model::AlarmKey,
    plugin::signature::signature_file,
    shard::{AlarmRequest, alarms::own_report},
    storage::latest::latest,
};

/// Alarm type of a plugin that was gone back from.
const ROLLED_BACK: &str = "plugin-rolled-back";

/// How a plugin is to be taken over.
#[derive(Clone, Copy, Debug, Default)]
pub struct How {
    /// Only say what would be different.
    pub dry_run: bool,
    /// Also if it fails where the one in force does not.
    pub anyway: bool,
}

/// Why nothing was exchanged.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NotExchanged {
    /// No handler or policy has that name or plugin.
    #[error("no handler or policy is configured as `{0}`, and none comes from there")]
    Unknown(String),
    /// There is nothing to go back to.
    #[error("{0} had no other version since the manager started")]
    NoFormer(String),
    /// Storage.
    #[error("shards have not taken the last change over yet; is storage able to commit?")]
    Busy,
    /// It broke off.
    #[error("it broke off; the log says where")]
    BrokeOff,
}

/// What became of it; in a task of its own: who asked may go away, and half an exchange is none.
async fn exchanged(
    exchange: impl Future<Output = Result<ReloadView, NotExchanged>> + Send + 'static,
) -> PluginExchanged {
    let done = tokio::spawn(exchange).await.unwrap_or(Err(NotExchanged::BrokeOff));
    done.map_err(|error| match error {
        NotExchanged::Unknown(_) => PluginExchangeError::Unknown(error.to_string()),
        _ => PluginExchangeError::NotNow(error.to_string()),
    })
}

impl Reloader {
    /// [`Self::reload_plugin`], for an operator.
    pub fn reload_plugin_for(
        self: &Arc<Self>,
        operator: &str,
        name: &str,
        how: How,
    ) -> Answer<'static, PluginExchanged> {
        let (itself, name, trigger) = (Arc::clone(self), name.to_owned(), Trigger::Operator(operator.to_owned()));
        Box::pin(exchanged(async move { itself.reload_plugin(&name, trigger, how).await }))
    }

    /// [`Self::roll_back`], for an operator.
    pub fn roll_back_for(self: &Arc<Self>, operator: &str, name: &str) -> Answer<'static, PluginExchanged> {
        let (itself, name, trigger) = (Arc::clone(self), name.to_owned(), Trigger::Operator(operator.to_owned()));
        Box::pin(exchanged(async move { itself.roll_back(&name, trigger, None).await }))
    }

    /// Takes the file of a plugin over.
    ///
    /// # Errors
    /// If there is none of that name, or shards are behind. What is wrong with the file is in the view.
    pub async fn reload_plugin(
        self: &Arc<Self>,
        name: &str,
        trigger: Trigger,
        how: How,
    ) -> Result<ReloadView, NotExchanged> {
        let mut waiting = self.turn.lock().await;
        let (begun, was) = (Instant::now(), self.parts.current.get());
        let names = named(&was.plugins, name);
        if names.is_empty() {
            return Err(NotExchanged::Unknown(name.to_owned()));
        }
        if !taken_over(&mut waiting).await {
            return Err(NotExchanged::Busy);
        }
        let (itself, targets) = (Arc::clone(self), names.clone());
        let read = tokio::task::spawn_blocking(move || itself.read_plugins(&was, &targets)).await;
        let (next, rehearsal) = match read.map_err(|_| NotExchanged::BrokeOff)? {
            Ok(read) => read,
            Err(problems) => return Ok(self.plugin_refused(&trigger, &problems, None, how)),
        };
        let problems = rehearsal.as_ref().and_then(fails_more).filter(|_| !how.anyway && !how.dry_run);
        if let Some(problem) = problems {
            return Ok(self.plugin_refused(
                &trigger,
                &Problems::new(Default::default(), vec![problem]),
                rehearsal,
                how,
            ));
        }
        let was = self.parts.current.get();
        let changed: Vec<String> = was.plugins.changes(&next).into_iter().map(|(name, ..)| name).collect();
        let summary = summary(&was.plugins, &next);
        let result = match (changed.is_empty(), how.dry_run) {
            (true, _) => ReloadResult::Unchanged,
            (false, true) => ReloadResult::WouldApply,
            (false, false) => ReloadResult::Applied,
        };
        let mut view = self.view(result, &trigger, summary);
        view.rehearsal = rehearsal;
        view.problems = view
            .rehearsal
            .as_ref()
            .and_then(fails_more)
            .map(|problem| list(&Problems::new(Default::default(), vec![problem])))
            .unwrap_or_default();
        if result == ReloadResult::Applied {
            self.put_in_force(&was, next, &mut view, &mut waiting).await;
            self.note_files(&names);
            for name in &changed {
                self.rolled_back_alarm(name, None);
            }
            tracing::info!(by = view.by, "Plugin taken over: {}.", view.summary);
            if let Some(rehearsal) = &view.rehearsal {
                tracing::info!("Other versions of plugins: {}.", rehearsal.sentence());
            }
            self.record(&view, format!("plugin taken over: {}", view.summary));
        }
        view.took_ms = begun.elapsed().as_secs_f64() * 1_000.0;
        Ok(view)
    }

    /// Puts the former version of a plugin in force again.
    ///
    /// # Errors
    /// If there is no such plugin or no former version, or shards are behind.
    pub async fn roll_back(
        self: &Arc<Self>,
        name: &str,
        trigger: Trigger,
        why: Option<String>,
    ) -> Result<ReloadView, NotExchanged> {
        let mut waiting = self.turn.lock().await;
        let (begun, was) = (Instant::now(), self.parts.current.get());
        let mut names = named(&was.plugins, name);
        if names.is_empty() {
            return Err(NotExchanged::Unknown(name.to_owned()));
        }
        names.retain(|name| was.plugins.versions.former.contains_key(name));
        if names.is_empty() {
            return Err(NotExchanged::NoFormer(name.to_owned()));
        }
        if !taken_over(&mut waiting).await {
            return Err(NotExchanged::Busy);
        }
        let mut next = was.plugins.gone_back(&names);
        next.versions = Versions::after(&was.plugins, &next, &self.parts.contexts.metrics);
        for (name, digest, _) in was.plugins.changes(&next) {
            // There is one way back, not to and fro.
            next.versions.former.remove(&name);
            next.versions.held_back.insert(name, digest);
        }
        let mut view = self.view(ReloadResult::Applied, &trigger, summary(&was.plugins, &next));
        self.put_in_force(&was, next, &mut view, &mut waiting).await;
        view.took_ms = begun.elapsed().as_secs_f64() * 1_000.0;
        let why = why.unwrap_or_else(|| format!("{} asked for it", view.by));
        for name in &names {
            self.rolled_back_alarm(name, Some(&why));
        }
        tracing::warn!(by = view.by, "Plugin rolled back: {} ({why}).", view.summary);
        self.record(&view, format!("plugin rolled back: {} ({why})", view.summary));
        Ok(view)
    }

    /// Goes back from versions that fail more often than those before them.
    pub(super) async fn look_at_versions(self: &Arc<Self>) {
        let in_force = self.parts.current.get();
        let worse = in_force.plugins.versions.worse(&self.parts.contexts.metrics, Instant::now());
        for (name, was, is) in worse {
            let why = format!(
                "{} of {} calls of the new version failed, {} of {} of the one before",
                is.failures, is.calls, was.failures, was.calls
            );
            if let Err(error) = self.roll_back(&name, Trigger::Manager, Some(why)).await {
                tracing::error!(plugin = name, %error, "A plugin that fails more often than before could not be rolled back.");
            }
        }
    }

    /// Loads what their files have now, and rehearses it.
    fn read_plugins(&self, was: &InForce, names: &[String]) -> Result<(Plugins, Option<RehearsalView>), Problems> {
        let before = plugins::Before { plugins: &was.plugins, only: Some(names), same_limits: true };
        let (handlers, policies) = (&was.config.handlers, &was.config.policies);
        let loaded = plugins::load(handlers, policies, &self.host(), &self.parts.contexts.symbols, Some(before));
        let mut next = loaded.map_err(|errors| {
            let complaints = errors.iter().flat_map(|one| one.error.complaints(one.kind, &one.name));
            let problems = complaints.map(|one| Problem::nowhere(one.message)).collect();
            Problems::new(Default::default(), problems)
        })?;
        next.exchange.clone_from(&was.plugins.exchange);
        next.versions = Versions::after(&was.plugins, &next, &self.parts.contexts.metrics);
        let rehearsal = self.rehearse(was, &next);
        Ok((next, rehearsal))
    }

    /// Tries other versions of plugins with the last reports. `None`: there are none.
    pub(super) fn rehearse(&self, was: &InForce, next: &Plugins) -> Option<RehearsalView> {
        let names = rehearsal::exchanged(&was.plugins, next);
        if names.is_empty() {
            return None;
        }
        let ground = Ground {
            symbols: Arc::clone(&self.parts.contexts.symbols),
            rules: Arc::clone(&was.rules),
            manager: Arc::from(self.parts.manager.as_str()),
            state_per_component: was.config.plugins.state_per_component,
        };
        let concerns = rehearsal::concerns(&was.plugins, &ground, &names);
        let wanted = |record: &crate::storage::record::BatchRecord, index: usize| {
            concerns(record.handler, record.input.component(index).0)
        };
        let reports = latest(&was.config.manager.data_dir, rehearsal::REPORTS, wanted);
        let reports = reports.unwrap_or_else(|error| {
            tracing::warn!(%error, "The last reports cannot be read; plugins are exchanged without a rehearsal.");
            Vec::new()
        });
        Some(rehearsal::rehearse(&ground, (&was.plugins, next), &names, &reports))
    }

    async fn put_in_force(
        self: &Arc<Self>,
        was: &InForce,
        next: Plugins,
        view: &mut ReloadView,
        waiting: &mut Vec<tokio::sync::oneshot::Receiver<()>>,
    ) {
        let now = self.parts.contexts.clock.now();
        let in_force = Arc::new(InForce::new(was.generation + 1, now, was.config.clone(), next));
        // Waits for turns of connections, and perhaps for room in the shards' mailboxes: not on a thread of the runtime.
        let itself = Arc::clone(self);
        match tokio::task::spawn_blocking(move || itself.exchange(&in_force)).await {
            Ok(applied) => {
                view.held_ms = applied.held.as_secs_f64() * 1_000.0;
                *waiting = applied.shards;
            }
            Err(error) => tracing::error!(%error, "Exchanging a plugin broke off."),
        }
        taken_over(waiting).await;
        view.generation = self.parts.current.get().generation;
    }

    /// The files of these plugins are in force as they are now.
    fn note_files(&self, names: &[String]) {
        let config = &self.parts.current.get().config;
        let handlers = config.handlers.iter().map(|one| (&one.name, &one.plugin));
        let policies = config.policies.iter().map(|one| (&one.name, &one.plugin));
        let sources = handlers.chain(policies).filter(|(name, _)| names.contains(name)).map(|(_, source)| source);
        let mut state = self.state();
        for source in sources {
            let (PluginSource::File(path) | PluginSource::Native(path)) = source else { continue };
            for path in [path.clone(), signature_file(path)] {
                let content = FileSet::content(&path);
                for (_, contents) in state.in_force.iter_mut() {
                    contents.insert(path.clone(), content);
                }
            }
        }
    }

    fn plugin_refused(
        &self,
        trigger: &Trigger,
        problems: &Problems,
        rehearsal: Option<RehearsalView>,
        how: How,
    ) -> ReloadView {
        let mut view = self.view(ReloadResult::Refused, trigger, super::summary(problems));
        view.problems = list(problems);
        view.rehearsal = rehearsal;
        if !how.dry_run {
            tracing::warn!(by = view.by, "The plugin was not taken over, everything is as it was: {}.", view.summary);
            self.record(&view, format!("plugin not taken over: {}", view.summary));
        }
        view
    }

    /// Raises the alarm about a plugin that was gone back from (`why`), or clears it.
    fn rolled_back_alarm(&self, name: &str, why: Option<&str>) {
        let key = AlarmKey {
            component: self.parts.manager.clone(),
            resource: format!("plugin {name}"),
            alarm_type_id: ROLLED_BACK.to_owned(),
            alarm_type_qualifier: String::new(),
        };
        let repairs: &[&str] = &[
            "Put the former file back, or a corrected one: a start loads what the file has.",
            "`qkdnm plugin reload NAME --dry-run` says what would be different with what the file has now.",
        ];
        let report = why.map(|why| {
            own_report(
                ROLLED_BACK,
                format!("{name} runs in its former version, not in that of its file: {why}"),
                repairs,
            )
        });
        let text = if report.is_none() { format!("{name} runs in the version of its file") } else { String::new() };
        self.parts.desk.put(AlarmRequest { key, report, text });
    }
}

/// Configured names of the handlers and policies that are called so, or whose plugin comes from there.
fn named(plugins: &Plugins, name: &str) -> Vec<String> {
    let handlers = plugins.set.handlers.iter().map(|one| (&one.config.name, &one.config.plugin));
    let policies = plugins.set.policies.iter().map(|one| (&one.config.name, &one.config.plugin));
    let all: Vec<_> = handlers.chain(policies).collect();
    let called: Vec<String> = all.iter().filter(|(one, _)| *one == name).map(|(one, _)| (*one).clone()).collect();
    if !called.is_empty() {
        return called;
    }
    all.into_iter().filter(|(_, plugin)| plugin.to_string() == name).map(|(one, _)| one.clone()).collect()
}

fn summary(was: &Plugins, next: &Plugins) -> String {
    let changes = was.changes(next);
    if changes.is_empty() {
        return "the file has what is in force already".to_owned();
    }
    let short = |digest: &str| digest.chars().take(12).collect::<String>();
    let texts: Vec<String> = changes
        .iter()
        .map(|(name, old, new)| {
            let version = |plugins: &Plugins| plugins.version(name).unwrap_or_default();
            format!("{name} {} ({}) to {} ({})", version(was), short(old), version(next), short(new))
        })
        .collect();
    texts.join(", ")
}

/// What is wrong where calls fail that did not.
pub(super) fn fails_more(rehearsal: &RehearsalView) -> Option<Problem> {
    if rehearsal.failures_now <= rehearsal.failures_before {
        return None;
    }
    let first = rehearsal.first_failure.as_deref().unwrap_or_default().lines().next().unwrap_or_default();
    let problem = Problem::nowhere(format!("{} (the first: {first})", rehearsal.sentence()));
    let problem = Problem { level: Level::Error, ..problem };
    Some(problem.help("mend the plugin; `qkdnm plugin reload NAME --anyway` takes it over all the same"))
}

/// A rehearsal for everybody: without what reports said.
pub(super) fn without_reports(rehearsal: &RehearsalView) -> RehearsalView {
    RehearsalView { differences: Vec::new(), first_failure: None, ..rehearsal.clone() }
}

impl Plugins {
    /// Name, digest before and after, of everything that has another plugin.
    pub(super) fn changes(&self, next: &Self) -> Vec<(String, String, String)> {
        let is = next.digests();
        let changed = |(name, was): (String, String)| {
            let now = is.get(&name)?;
            (*now != was).then(|| (name, was, now.clone()))
        };
        self.digests().into_iter().filter_map(changed).collect()
    }

    /// The version that a plugin gives itself.
    fn version(&self, name: &str) -> Option<String> {
        let handlers = self.handlers.iter().map(|one| (one.name(), one.description()));
        let mut all = handlers.chain(self.policies.iter().map(|one| (one.name(), one.description())));
        all.find(|(one, _)| *one == name).map(|(_, description)| description.version.clone())
    }

    /// These plugins as they were before, as configured now; the others as they are.
    fn gone_back(&self, names: &[String]) -> Self {
        let mut next = Self {
            handlers: self.handlers.clone(),
            policies: self.policies.clone(),
            exchange: self.exchange.clone(),
            set: self.set.clone(),
            versions: Versions::default(),
        };
        for former in names.iter().filter_map(|name| self.versions.former.get(name)) {
            match &former.version {
                Version::Handler(active, loaded) => {
                    let place = next.set.handlers.iter().position(|one| one.symbol == active.symbol);
                    let Some(at) = place else { continue };
                    if let (Some(set), Some(slot)) = (next.set.handlers.get_mut(at), next.handlers.get_mut(at)) {
                        let (config, fallback, then) = (set.config.clone(), set.fallback, set.then);
                        *set = crate::shard::ActiveHandler { config, fallback, then, ..active.clone() };
                        *slot = Arc::clone(loaded);
                    }
                }
                Version::Policy(active, loaded) => {
                    let place = next.set.policies.iter().position(|one| one.symbol == active.symbol);
                    let Some(at) = place else { continue };
                    if let (Some(set), Some(slot)) = (next.set.policies.get_mut(at), next.policies.get_mut(at)) {
                        *set = crate::shard::ActivePolicy { config: set.config.clone(), ..active.clone() };
                        *slot = Arc::clone(loaded);
                    }
                }
            }
        }
        next
    }
}
