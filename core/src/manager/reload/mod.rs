//! Taking a changed configuration over while the manager runs: whole or not at all.
//!
//! In: SIGHUP, a change of the files, or an operator's request. `prepare` does everything that can fail and changes
//! nothing; `apply` changes everything and cannot fail. Out: what became of it, in the log, the audit trail, the counters,
//! an alarm while the files cannot be used, and [`ReloadStatusView`]. One reload at a time; the next waits.
//!
//! Reports are neither lost nor refused: at one moment, when no connection is in a turn, all interfaces change at once,
//! so that every report is worked through under the configuration that it was taken in under; each shard changes between
//! the last batch of the old and the first of the new, and journals the change there.

mod apply;
pub mod files;
mod plugin;
mod prepare;
mod watching;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::sync::oneshot;

pub use self::plugin::{How, NotExchanged};
use self::{
    files::{Contents, FileSet},
    plugin::without_reports,
    prepare::{Prepared, Refused},
};
use super::{
    alarms::AlarmDesk, contexts::Contexts, doors::Doors, exporters::Exporters, in_force::Current, live::Connections,
    outward::Outward, subscriptions::Subscriptions,
};
use crate::{
    api::{
        auth::Tokens,
        views::{ConfigurationView, ReloadResult, ReloadStatusView, ReloadView},
    },
    config::{Loaded, Problems, effective, origin::Document, problem::Level},
    model::{AlarmKey, Timestamp},
    plugin::PluginHost,
    shard::{AlarmRequest, Mailbox, alarms::own_report},
    storage::retention::JournalBounds,
    telemetry::audit::{Audit, AuditEntry},
};

/// Problems named in a summary; the list has all.
const NAMED: usize = 3;
/// Alarm type of a configuration that cannot be used.
const REFUSED: &str = "configuration-refused";

/// Where the configuration in force was read from.
#[derive(Clone, Debug)]
pub struct Origin {
    main: PathBuf,
    set: FileSet,
    document: Document,
}

impl Origin {
    /// This main file, read as this.
    #[must_use]
    pub fn new(main: &Path, loaded: &Loaded) -> Self {
        Self { main: main.to_path_buf(), set: FileSet::of(main, loaded), document: shown(loaded) }
    }
}

/// A configuration as it is told at the API: as used, with the origin of each value, without secrets.
fn shown(loaded: &Loaded) -> Document {
    Document::effective(loaded, &std::env::current_dir().unwrap_or_default()).hidden()
}

/// What set a reload off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// SIGHUP.
    Signal,
    /// The files changed.
    Files,
    /// A token's owner asked for it.
    Operator(String),
    /// The manager itself, for what it saw.
    Manager,
}

impl Trigger {
    fn who(&self) -> &str {
        match self {
            Self::Signal => "SIGHUP",
            Self::Files => "files",
            Self::Operator(name) => name,
            Self::Manager => "manager",
        }
    }
}

/// What is known of the files, and of the last reload.
struct State {
    /// Files and contents in force.
    in_force: Option<(FileSet, Contents)>,
    /// Files and contents that were looked at last, applied or not.
    tried: Option<(FileSet, Contents)>,
    host: Arc<PluginHost>,
    /// What is in force, to be shown; `None` where it was in no file.
    document: Option<Document>,
    /// What put it in force.
    by: String,
    last: Option<ReloadView>,
    last_success: Option<Timestamp>,
    differ: bool,
    is_raised: bool,
}

/// The parts of the manager that a reload has to do with.
pub struct Parts {
    /// The configuration in force.
    pub current: Current,
    /// Makes contexts of interfaces.
    pub contexts: Contexts,
    /// Connections and interfaces.
    pub connections: Arc<Connections>,
    /// Addresses.
    pub doors: Arc<Doors>,
    /// Who may write at the API.
    pub tokens: Arc<Tokens>,
    /// Subscriptions at the manager.
    pub subscriptions: Arc<Subscriptions>,
    /// Subscriptions at components.
    pub outward: Arc<Outward>,
    /// Exporters of alarms.
    pub exporters: Arc<Exporters>,
    /// The federation, if there is one.
    pub federation: Option<Arc<crate::manager::federation::Federation>>,
    /// How much of the journal is kept.
    pub journal_bounds: Arc<JournalBounds>,
    /// Way to the shard with the manager's own alarms.
    pub desk: AlarmDesk,
    /// Audit trail.
    pub audit: Audit,
    /// `mx/` and the manager's ID.
    pub manager: String,
}

/// Reloads.
pub struct Reloader {
    main: Option<PathBuf>,
    parts: Parts,
    /// One at a time; shards that have not told yet that they took the last one over.
    turn: tokio::sync::Mutex<Vec<oneshot::Receiver<()>>>,
    state: Mutex<State>,
}

impl Reloader {
    /// For a configuration from files, or (`None`) one that was never in a file and cannot be reloaded. `host` is
    /// what loaded the plugins in force.
    #[must_use]
    pub fn new(origin: Option<Origin>, host: Arc<PluginHost>, parts: Parts) -> Arc<Self> {
        let in_force = origin.as_ref().map(|origin| (origin.set.clone(), origin.set.contents()));
        parts.contexts.metrics.reloads.started(parts.contexts.clock.now());
        let document = origin.as_ref().map(|origin| origin.document.clone());
        Arc::new(Self {
            main: origin.map(|origin| origin.main),
            parts,
            turn: tokio::sync::Mutex::default(),
            state: Mutex::new(State {
                tried: in_force.clone(),
                in_force,
                host,
                document,
                by: "start".to_owned(),
                last: None,
                last_success: None,
                differ: false,
                is_raised: false,
            }),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn host(&self) -> Arc<PluginHost> {
        Arc::clone(&self.state().host)
    }

    fn file_set(&self) -> Option<FileSet> {
        self.state().tried.as_ref().map(|(set, _)| set.clone())
    }

    fn contents(&self) -> Contents {
        self.state().in_force.as_ref().map(|(_, contents)| contents.clone()).unwrap_or_default()
    }

    /// How the configuration in force stands to the files.
    #[must_use]
    pub fn status(&self) -> ReloadStatusView {
        let (in_force, state) = (self.parts.current.get(), self.state());
        ReloadStatusView {
            generation: in_force.generation,
            since: in_force.since,
            file: self.main.as_ref().map(|main| main.display().to_string()),
            files_differ: state.differ,
            reloads_on_change: self.main.is_some() && in_force.config.manager.reload_on_change,
            last_success: state.last_success,
            last: state.last.clone(),
        }
    }

    /// The configuration in force, as used, with the origin of each value, without secrets.
    #[must_use]
    pub fn configuration(&self) -> ConfigurationView {
        let (in_force, state) = (self.parts.current.get(), self.state());
        let here = std::env::current_dir().unwrap_or_default();
        let Document { configuration, origins } = match &state.document {
            Some(document) => document.clone(),
            None => {
                let configuration = effective::values(&in_force.config, &here);
                Document { configuration, origins: Default::default() }.hidden()
            }
        };
        ConfigurationView {
            generation: in_force.generation,
            since: in_force.since,
            by: state.by.clone(),
            file: self.main.as_ref().map(|main| here.join(main).display().to_string()),
            files_differ: state.differ,
            configuration,
            origins,
        }
    }

    /// Takes the files over; what became of it. With `dry_run` nothing is changed, told or counted.
    pub async fn reload(self: &Arc<Self>, trigger: Trigger, dry_run: bool) -> ReloadView {
        let mut waiting = self.turn.lock().await;
        let begun = Instant::now();
        let mut view = match self.main.clone() {
            None => self.view(ReloadResult::Refused, &trigger, "this manager was not started from a file".to_owned()),
            Some(_) if !taken_over(&mut waiting).await => {
                let why = "shards have not taken the last change over yet; is storage able to commit?";
                self.view(ReloadResult::Refused, &trigger, why.to_owned())
            }
            Some(main) => match self.prepare(&main).await {
                Err(refused) => self.refuse(*refused, &trigger, dry_run),
                Ok(prepared) if dry_run => self.would_apply(&prepared, &trigger),
                Ok(prepared) if prepared.change.is_empty() => self.leave(*prepared, &trigger),
                Ok(prepared) => self.take_over(prepared, &trigger, &mut waiting).await,
            },
        };
        view.took_ms = begun.elapsed().as_secs_f64() * 1_000.0;
        if !dry_run {
            self.tell(&view);
        }
        view
    }

    fn view(&self, result: ReloadResult, trigger: &Trigger, summary: String) -> ReloadView {
        ReloadView {
            result,
            time: self.parts.contexts.clock.now(),
            generation: self.parts.current.get().generation,
            by: trigger.who().to_owned(),
            summary,
            change: serde_json::Value::Null,
            problems: Vec::new(),
            needs_restart: serde_json::json!([]),
            connections_closed: 0,
            took_ms: 0.0,
            held_ms: 0.0,
            rehearsal: None,
        }
    }

    /// What is said of a reload whose task ended early; the log says where.
    #[must_use]
    pub fn broke_off(&self) -> ReloadView {
        self.view(ReloadResult::Refused, &Trigger::Signal, "the reload broke off; the log says where".to_owned())
    }

    fn refuse(&self, refused: Refused, trigger: &Trigger, dry_run: bool) -> ReloadView {
        let Refused { problems, needs_restart, files, rehearsal } = refused;
        let mut view = self.view(ReloadResult::Refused, trigger, summary(&problems));
        view.problems = list(&problems);
        view.rehearsal = rehearsal;
        view.needs_restart = serde_json::to_value(needs_restart).unwrap_or_default();
        if !dry_run {
            for line in lines(&problems) {
                tracing::error!("{line}");
            }
            let mut state = self.state();
            state.differ = state.in_force.as_ref().is_none_or(|(_, contents)| *contents != files.1);
            state.tried = Some(files);
        }
        view
    }

    fn would_apply(&self, prepared: &Prepared, trigger: &Trigger) -> ReloadView {
        let result = if prepared.change.is_empty() { ReloadResult::Unchanged } else { ReloadResult::WouldApply };
        self.accepted(result, prepared, trigger)
    }

    fn accepted(&self, result: ReloadResult, prepared: &Prepared, trigger: &Trigger) -> ReloadView {
        let mut view = self.view(result, trigger, prepared.change.to_string());
        view.change = serde_json::to_value(&prepared.change).unwrap_or_default();
        view.problems = list(&prepared.warnings);
        view.rehearsal.clone_from(&prepared.rehearsal);
        view
    }

    /// Nothing is different, but perhaps comments and order.
    fn leave(&self, prepared: Prepared, trigger: &Trigger) -> ReloadView {
        let view = self.accepted(ReloadResult::Unchanged, &prepared, trigger);
        self.succeeded(prepared.files, prepared.document, view.time);
        view
    }

    fn succeeded(&self, files: (FileSet, Contents), document: Document, time: Timestamp) {
        let mut state = self.state();
        state.document = Some(document);
        (state.in_force, state.tried) = (Some(files.clone()), Some(files));
        (state.differ, state.last_success) = (false, Some(time));
    }

    async fn take_over(
        self: &Arc<Self>,
        prepared: Box<Prepared>,
        trigger: &Trigger,
        waiting: &mut Vec<oneshot::Receiver<()>>,
    ) -> ReloadView {
        let mut view = self.accepted(ReloadResult::Applied, &prepared, trigger);
        for line in lines(&prepared.warnings) {
            tracing::warn!("{line}");
        }
        if let Some(rehearsal) = &prepared.rehearsal {
            tracing::info!("Other versions of plugins: {}.", rehearsal.sentence());
        }
        let (files, document) = (prepared.files.clone(), prepared.document.clone());
        // Waits for turns of connections, and perhaps for room in the shards' mailboxes: not on a thread of the runtime.
        let itself = Arc::clone(self);
        match tokio::task::spawn_blocking(move || itself.apply(*prepared)).await {
            Ok(applied) => {
                view.connections_closed = applied.closed;
                view.held_ms = applied.held.as_secs_f64() * 1_000.0;
                *waiting = applied.shards;
            }
            Err(error) => tracing::error!(%error, "Taking the configuration over broke off."),
        }
        taken_over(waiting).await;
        view.generation = self.parts.current.get().generation;
        self.succeeded(files, document, view.time);
        self.state().by = trigger.who().to_owned();
        view
    }

    /// Log, audit trail, counters, alarm.
    fn tell(&self, view: &ReloadView) {
        let metrics = &self.parts.contexts.metrics.reloads;
        let (who, summary) = (view.by.as_str(), view.summary.as_str());
        match view.result {
            ReloadResult::Applied => {
                metrics.applied.increment();
                tracing::info!(by = who, took_ms = view.took_ms, "Configuration reloaded: {summary}.");
                self.record(view, format!("configuration reloaded: {summary}"));
            }
            ReloadResult::Refused => {
                metrics.refused.increment();
                tracing::error!(by = who, "The configuration was not reloaded, everything is as it was: {summary}.");
                self.record(view, format!("configuration not reloaded: {summary}"));
            }
            ReloadResult::Unchanged | ReloadResult::WouldApply => {
                metrics.unchanged.increment();
                tracing::info!(by = who, "Configuration reloaded: {summary}.");
            }
        }
        let refused = view.result == ReloadResult::Refused;
        if !refused {
            metrics.succeeded(view.time);
        }
        let mut state = self.state();
        metrics.differ.set(u64::from(state.differ));
        // Everybody may read it: without what stands in the files.
        let rehearsal = view.rehearsal.as_ref().map(without_reports);
        state.last = Some(ReloadView { problems: places(&view.problems), rehearsal, ..view.clone() });
        let key = AlarmKey {
            component: self.parts.manager.clone(),
            resource: "configuration".to_owned(),
            alarm_type_id: REFUSED.to_owned(),
            alarm_type_qualifier: String::new(),
        };
        if refused {
            let text = format!("the manager runs with its former configuration: {summary}");
            let repairs: &[&str] = &[
                "`qkdnm config reload --dry-run` or `qkdnm check` names every problem with its place in the files.",
                "Correct the files and reload, or put back what was in force; a start would meet the same problems.",
            ];
            let report = Some(own_report(REFUSED, text, repairs));
            self.parts.desk.put(AlarmRequest { key, report, text: String::new() });
        } else if state.is_raised {
            let text = "the files are in force".to_owned();
            self.parts.desk.put(AlarmRequest { key, report: None, text });
        }
        state.is_raised = refused;
    }

    fn record(&self, view: &ReloadView, what: String) {
        self.parts.audit.record(AuditEntry {
            time: self.parts.contexts.clock.now(),
            kind: "configuration".to_owned(),
            who: view.by.clone(),
            what,
            detail: serde_json::json!({
                "result": view.result,
                "change": view.change,
                "problems": places(&view.problems),
                "connectionsClosed": view.connections_closed,
            }),
        });
    }

    /// Mailboxes of the shards.
    fn shards(&self) -> &[Mailbox] {
        &self.parts.contexts.shards
    }
}

/// Whether all shards have told that they took the last change over; those that have are taken off the list.
async fn taken_over(waiting: &mut Vec<oneshot::Receiver<()>>) -> bool {
    let patience = tokio::time::Instant::now() + crate::config::limits::RELOAD_PATIENCE;
    while let Some(shard) = waiting.last_mut() {
        if tokio::time::timeout_at(patience, shard).await.is_err() {
            return false;
        }
        // A shard that has ended takes nothing over any more, and takes no reports either.
        waiting.pop();
    }
    true
}

/// Each problem on a line of its own, with its place and without the text around it, which may be confidential.
fn lines(problems: &Problems) -> Vec<String> {
    let line = |problem: &crate::config::problem::Problem| {
        let place = problem.place.and_then(|place| {
            let (line, column) = problems.sources.line_and_column(place)?;
            Some(format!("{}:{line}:{column}: ", problems.sources.get(place)?.name))
        });
        format!("{}{}", place.unwrap_or_default(), problem.message)
    };
    problems.list.iter().map(line).collect()
}

fn summary(problems: &Problems) -> String {
    let errors: Vec<_> = problems.list.iter().filter(|problem| problem.level == Level::Error).cloned().collect();
    let more = if errors.len() > NAMED { format!("; and {} more", errors.len() - NAMED) } else { String::new() };
    let errors = Problems { sources: problems.sources.clone(), list: errors };
    let named: Vec<String> = lines(&errors).into_iter().take(NAMED).collect();
    format!("{}{more}", named.join("; "))
}

fn list(problems: &Problems) -> Vec<serde_json::Value> {
    match problems.to_json() {
        serde_json::Value::Array(list) => list,
        _ => Vec::new(),
    }
}

/// Problems without what stands under their places: for the audit trail, and for everybody.
fn places(problems: &[serde_json::Value]) -> Vec<serde_json::Value> {
    let place = |problem: &serde_json::Value| serde_json::json!({ "level": problem["level"], "message": problem["message"], "file": problem["file"], "line": problem["line"], "column": problem["column"] });
    problems.iter().map(place).collect()
}
