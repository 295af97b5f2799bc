//! Starting a manager.

mod doors;
mod shards;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::sync::mpsc;

use self::{doors::ClosedDoors, shards::Past};
use super::{
    Followers, Running, collectors,
    enrolment::Decided,
    events::{Events, Fan},
    federation::{Post, announced::Announced},
    in_force::{Current, InForce, in_use},
    judged,
    plugins::{self, Plugins},
    reload::Origin,
    start_error::StartError,
    subscriptions::{Around, Subscriptions},
};
use crate::{
    alarm::AlarmBoard,
    clock::Clock,
    config::{ComponentConfig, Config, Enrolment, StorageConfig},
    dispatch::{Enrolments, Registry, registry::ComponentView},
    model::{ComponentRef, Symbol, SymbolTable, Timestamp, Verdict},
    plugin::PluginHost,
    shard::{commit::Audience, thread::ShardThread},
    storage::{
        JournalPosition,
        data_dir::DataDir,
        error::StorageError,
        faults::Faults,
        feed::Feed,
        history::{self, writer::HistoryWriter},
        journal::{Journal, JournalOptions},
        recovery::{Recovered, recover},
        retention::{JournalBounds, Retention},
        state_db::{
            StateDb,
            writer::{StateWriter, StateWriterParts},
        },
    },
    telemetry::{audit::Audit, metrics::Metrics},
};

/// Status report requests of policies that wait to be sent.
const POLICY_REQUEST_QUEUE: usize = 256;

/// The latest time that is stored: the clock goes on from there even if wall time lies behind it.
fn latest(recovered: &Recovered) -> Timestamp {
    let (components, alarms) = (recovered.components.len(), recovered.alarms.len());
    if components == 0 && alarms == 0 {
        tracing::info!("Nothing is stored yet.");
    } else {
        tracing::info!(components, alarms, replayed = recovered.reports_replayed, "Recovered.");
    }
    let reports = recovered.components.values().filter_map(|state| state.last_report);
    let alarms = recovered.alarms.iter().map(|alarm| alarm.last_changed);
    reports.chain(alarms).max().unwrap_or_default()
}

/// What every part shares.
struct Shared {
    current: Current,
    symbols: Arc<SymbolTable>,
    registry: Arc<Registry>,
    enrolments: Arc<Enrolments>,
    metrics: Arc<Metrics>,
    board: Arc<AlarmBoard>,
    host: Arc<PluginHost>,
    clock: Clock,
    manager: String,
    announced: Announced,
}

/// Starts a manager; `origin` says which files the configuration was read from, so that they can be reloaded. Must be called
/// on a tokio runtime.
pub async fn start(config: Config, origin: Option<Origin>) -> Result<Running, StartError> {
    let (metrics, data_dir): (_, PathBuf) = (Arc::new(Metrics::default()), config.manager.data_dir.clone());
    let (config, lock) = (in_use(config), DataDir::lock(&data_dir)?);
    let faults = Faults::from_env().map_err(StartError::Faults)?;
    let (audit, audit_writer) = Audit::open(&data_dir, Arc::clone(&metrics))?;
    let mut recovered = recover(&data_dir, &faults)?;
    let (clock, symbols) = (Clock::start(latest(&recovered)), Arc::clone(&recovered.symbols));
    let host = PluginHost::new(&config.plugins, Arc::clone(&metrics)).map_err(StartError::Engine)?;
    let plugins = load_plugins(&config, &host, &symbols)?;
    let collectors = collectors::prepare(&config.collectors, &host)?;
    let registry = Arc::new(Registry::new(Arc::clone(&symbols), config.manager.shards));
    let (manager, board) = (format!("mx/{}", config.manager.id), Arc::new(AlarmBoard::default()));
    let (storage, announced) = (config.storage.clone(), Announced::default());
    let current = Current::new(InForce::new(1, clock.now(), config, plugins), &symbols);
    let enrolments = Arc::new(Enrolments::new(std::mem::take(&mut recovered.decisions)));
    let shared = Shared { current, symbols, registry, enrolments, metrics, board, host, clock, manager, announced };
    shared.enter_components(&recovered);

    let doors = ClosedDoors::open(&shared).await?;
    let options = journal_options(&data_dir, &storage, clock, &faults);
    let (retained, now) = (Arc::clone(&recovered.registry), Arc::new(move || clock.now()));
    let retention = Retention::new(&data_dir, storage.journal_retention, storage.journal_max_size, now, retained);
    let journal_bounds = retention.bounds();
    let state = shared.start_state((recovered.db, recovered.symbols_in_db), retention, faults)?;
    let journal = Arc::new(Journal::start(
        options,
        &recovered.journal,
        Arc::clone(&shared.symbols),
        Arc::clone(&recovered.registry),
        Arc::clone(&shared.metrics),
    )?);
    let reached = JournalPosition(((recovered.journal.next_block - 1) << 16) | 0xffff);
    let followers = shared.start_history(&data_dir, reached)?;
    let (requester, wishes) = mpsc::channel(POLICY_REQUEST_QUEUE);
    let subscriptions = shared.start_subscriptions(&data_dir, &audit, reached)?;
    let (judge, post) = (judged::by(shared.current.clone(), shared.announced.clone()), Post::default());
    let events = Events::new(reached, Arc::clone(&shared.board), Arc::clone(&shared.symbols), judge);
    let audience = Audience {
        progress: Arc::default(),
        // Each shard has its own.
        answered: mpsc::unbounded_channel().0,
        board: Arc::clone(&shared.board),
        state: Arc::clone(&state),
        feed: Arc::clone(&followers.feed),
        requester,
        metrics: Arc::clone(&shared.metrics),
        follower: shared.fan(&subscriptions, &events, &post),
    };
    let past = Past {
        components: recovered.components,
        policy_states: recovered.policy_states,
        timers: recovered.timers,
        alarms: recovered.alarms,
        next_alarm_id: recovered.next_alarm_id,
    };
    let shards = shared.start_shards(past, &journal, &audience, &audit)?;
    let parts = Parts {
        journal,
        journal_bounds,
        state,
        followers,
        subscriptions,
        events,
        post,
        audit,
        audit_writer,
        lock,
        collectors,
        shards,
    };
    shared.open(doors, parts, wishes, origin)
}

fn journal_options(data_dir: &Path, storage: &StorageConfig, clock: Clock, faults: &Faults) -> JournalOptions {
    JournalOptions {
        data_dir: data_dir.to_path_buf(),
        durability: storage.durability,
        segment_size: storage.journal_segment_size,
        clock: Arc::new(move || clock.now()),
        faults: faults.clone(),
    }
}

fn load_plugins(config: &Config, host: &PluginHost, symbols: &SymbolTable) -> Result<Plugins, StartError> {
    let loaded = plugins::load(&config.handlers, &config.policies, host, symbols, None);
    let exchange = plugins::load_exchange(&config.exchange, host, None);
    match (loaded, exchange) {
        (Ok(loaded), Ok(exchange)) => Ok(Plugins { exchange, ..loaded }),
        (loaded, exchange) => {
            let problems = loaded.err().into_iter().chain(exchange.err()).flatten();
            Err(StartError::Plugins(problems.map(|problem| problem.error).collect()))
        }
    }
}

/// How long history is kept, as configured.
pub fn history_retention(config: &Config) -> history::Retention {
    let crate::config::HistoryConfig { raw, minute, hour } = config.storage.history;
    history::Retention { raw, minute, hour }
}

struct Parts {
    journal: Arc<Journal>,
    journal_bounds: Arc<JournalBounds>,
    state: Arc<StateWriter>,
    followers: Followers,
    subscriptions: Arc<Subscriptions>,
    events: Arc<Events>,
    /// Where letters for the federation are put.
    post: Post,
    audit: Audit,
    audit_writer: crate::telemetry::audit::AuditWriter,
    lock: DataDir,
    /// To be started once everything stands.
    collectors: Vec<collectors::Prepared>,
    shards: Vec<ShardThread>,
}

impl Shared {
    /// Whoever is told of each committed batch, in this order.
    fn fan(&self, subscriptions: &Arc<Subscriptions>, events: &Arc<Events>, post: &Post) -> Arc<Fan> {
        let decided = Arc::new(Decided(Arc::clone(&self.enrolments)));
        let (subscriptions, events) = (Arc::clone(subscriptions), Arc::clone(events));
        Fan::of([decided as _, subscriptions as _, events as _, Arc::new(post.clone()) as _])
    }

    /// Enters the components of the configuration, and those known from before the start.
    fn enter_components(&self, recovered: &Recovered) {
        let in_force = self.current.get();
        for ComponentConfig { component, .. } in &in_force.config.components {
            self.registry.admit(component, || in_force.rules.card(component));
        }
        if in_force.config.manager.enrolment == Enrolment::Approve {
            for decision in self.enrolments.decisions() {
                if decision.verdict == Verdict::Approved {
                    self.registry.admit(&decision.component, || in_force.rules.card(&decision.component));
                }
            }
        }
        let mut unnamed = 0;
        for (symbol, state) in &recovered.components {
            let Ok(component) = self.symbols.text(Symbol(*symbol)).parse::<ComponentRef>() else {
                unnamed += 1;
                continue;
            };
            let entry = self.registry.admit(&component, || in_force.rules.card(&component));
            entry.restore_resources(state.values.0.iter().map(|value| value.resource));
            entry.view.store(Some(Arc::new(ComponentView {
                last_report: state.last_report,
                sequence: state.window.position(),
                outstanding: state.window.outstanding(),
                gaps: state.window.gaps(),
                reports: state.reports,
                kept: state.kept,
                values: Arc::clone(&state.values),
                network: Arc::clone(&state.network),
            })));
        }
        if unnamed > 0 {
            tracing::error!(unnamed, "State of components without a name was found and left out.");
        }
    }

    /// Starts what keeps the state database up to date.
    fn start_state(
        &self,
        (db, symbols_in_db): (StateDb, usize),
        retention: Retention,
        faults: Faults,
    ) -> Result<Arc<StateWriter>, StorageError> {
        let (symbols, metrics) = ((Arc::clone(&self.symbols), symbols_in_db), Arc::clone(&self.metrics));
        StateWriter::start(StateWriterParts { db, symbols, retention, metrics, faults }).map(Arc::new)
    }

    /// Starts writing history, if it is kept, from where it stands.
    fn start_history(&self, data_dir: &std::path::Path, reached: JournalPosition) -> Result<Followers, StorageError> {
        let (feed, retention) = (Feed::at(reached), history_retention(&self.current.get().config));
        let start = || HistoryWriter::start(data_dir, &feed, reached, retention, Arc::clone(&self.metrics));
        let history = if retention.is_on() { Some(start()?) } else { None };
        Ok(Followers { feed: Arc::new(feed), history })
    }

    fn start_subscriptions(
        &self,
        data_dir: &std::path::Path,
        audit: &Audit,
        reached: JournalPosition,
    ) -> Result<Arc<Subscriptions>, StorageError> {
        let in_force = self.current.get();
        let sees = in_force.sees();
        let around = Around::new(
            in_force.config.manager.id.clone(),
            data_dir.to_path_buf(),
            self.clock,
            Arc::clone(&self.symbols),
            Arc::clone(&self.registry),
            Arc::clone(&self.board),
            Arc::clone(&self.metrics),
            audit.clone(),
        );
        Subscriptions::start(around, sees, reached)
    }
}
