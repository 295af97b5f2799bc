//! Starting a manager.

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::{Arc, atomic::AtomicU64},
};

use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Followers, Running,
    alarms::AlarmDesk,
    backend::ManagerBackend,
    events::{Events, Fan},
    housekeeping::House,
    judged,
    live::{Connections, Interface, Sink},
    outward::Outward,
    plugins::{self, Plugins},
    replay::{StartNote, expected},
    requests, start_entry,
    subscriptions::{Around, Subscriptions},
    watch::Watch,
};
use crate::{
    alarm::AlarmBoard,
    api::{ApiError, ApiServer},
    clock::{Clock, wall_time},
    config::{ComponentConfig, Config, InterfaceConfig, limits},
    connection::InterfaceContext,
    dispatch::{
        Registry,
        registry::{ComponentView, shard_of},
    },
    model::{Alarm, ComponentRef, ReferencePoint, Symbol, SymbolTable, Timestamp},
    net::{BindError, ConnectionRegistry, ConnectionSink, InterfaceTrust, Listener, TrustError, TrustWarning},
    plugin::{PluginError, PluginHost},
    shard::{
        Mailbox,
        commit::{Audience, PolicyRequest, Progress},
        core::{ShardCore, Surroundings},
        worker::Worker,
    },
    state::ComponentState,
    storage::{
        JournalPosition,
        data_dir::DataDir,
        error::StorageError,
        faults::Faults,
        feed::Feed,
        history::{self, writer::HistoryWriter},
        journal::{Journal, JournalOptions},
        recovery::{Recovered, recover},
        retention::Retention,
        state_db::{
            SubjectKey,
            writer::{StateWriter, StateWriterParts},
        },
    },
    telemetry::{
        audit::{Audit, AuditError},
        metrics::Metrics,
    },
};

/// Status report requests of policies that wait to be sent.
const POLICY_REQUEST_QUEUE: usize = 256;

/// Why a manager does not start. Every variant says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory or the journal.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The plugin engine.
    #[error(transparent)]
    Engine(PluginError),
    /// Plugins that cannot be used, all of them.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Plugins(Vec<PluginError>),
    /// Certificates.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// An interface's address.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The API's address or tokens.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The audit trail.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// A fault point that does not parse (builds for tests only).
    #[error("QKDNM_FAULTS: {0}")]
    Faults(String),
    /// The operating system refuses a thread.
    #[error("cannot start a thread; is the limit of processes reached?")]
    Thread(#[source] std::io::Error),
}

/// The latest time that is stored: the clock goes on from there even if wall time lies behind it.
fn latest(recovered: &Recovered) -> Timestamp {
    tracing::info!(
        components = recovered.components.len(),
        alarms = recovered.alarms.len(),
        replayed = recovered.reports_replayed,
        "Recovered."
    );
    let reports = recovered.components.values().filter_map(|state| state.last_report);
    let alarms = recovered.alarms.iter().map(|alarm| alarm.last_changed);
    reports.chain(alarms).max().unwrap_or_default()
}

/// What shards had before the start.
struct Past {
    components: HashMap<u32, ComponentState>,
    policy_states: HashMap<SubjectKey, Vec<f64>>,
    timers: HashMap<SubjectKey, u64>,
    alarms: Vec<Alarm>,
    next_alarm_id: u64,
}

/// What every part shares.
struct Shared {
    config: Config,
    symbols: Arc<SymbolTable>,
    registry: Arc<Registry>,
    metrics: Arc<Metrics>,
    board: Arc<AlarmBoard>,
    plugins: Arc<Plugins>,
    clock: Clock,
    manager: String,
}

/// Starts a manager. Must be called on a tokio runtime.
pub async fn start(config: Config) -> Result<Running, StartError> {
    let (metrics, data_dir): (_, PathBuf) = (Arc::new(Metrics::default()), config.manager.data_dir.clone());
    let config = in_use(config);
    let lock = DataDir::lock(&data_dir)?;
    let faults = Faults::from_env().map_err(StartError::Faults)?;
    let (audit, audit_writer) = Audit::open(&data_dir, Arc::clone(&metrics))?;
    let recovered = recover(&data_dir, &faults)?;
    let clock = Clock::start(latest(&recovered));
    let symbols = Arc::clone(&recovered.symbols);
    let host = PluginHost::new(&config.plugins, Arc::clone(&metrics)).map_err(StartError::Engine)?;
    let plugins =
        Arc::new(plugins::load(&config.handlers, &config.policies, &host, &symbols).map_err(StartError::Plugins)?);
    let registry = Arc::new(Registry::new(Arc::clone(&symbols), config.manager.shards));
    let (manager, board) = (format!("mx/{}", config.manager.id), Arc::new(AlarmBoard::default()));
    let shared = Shared { config, symbols, registry, metrics, board, plugins, clock, manager };
    shared.enter_components(&recovered);

    let doors = Doors::open(&shared).await?;
    let options = JournalOptions {
        data_dir: data_dir.clone(),
        durability: shared.config.storage.durability,
        segment_size: shared.config.storage.journal_segment_size,
        clock: Arc::new(move || clock.now()),
        faults: faults.clone(),
    };
    let state = Arc::new(StateWriter::start(StateWriterParts {
        db: recovered.db,
        symbols: (Arc::clone(&shared.symbols), recovered.symbols_in_db),
        retention: Retention::new(
            &data_dir,
            shared.config.storage.journal_retention,
            shared.config.storage.journal_max_size,
            Arc::new(move || clock.now()),
            Arc::clone(&recovered.registry),
        ),
        metrics: Arc::clone(&shared.metrics),
        faults,
    })?);
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
    let past = Past {
        components: recovered.components,
        policy_states: recovered.policy_states,
        timers: recovered.timers,
        alarms: recovered.alarms,
        next_alarm_id: recovered.next_alarm_id,
    };
    let subscriptions = shared.start_subscriptions(&data_dir, &audit, reached)?;
    let judge = judged::by(Arc::clone(&shared.plugins));
    let events = Events::new(reached, Arc::clone(&shared.board), Arc::clone(&shared.symbols), judge);
    let audience = Audience {
        progress: Arc::default(),
        board: Arc::clone(&shared.board),
        state: Arc::clone(&state),
        feed: Arc::clone(&followers.feed),
        requester,
        metrics: Arc::clone(&shared.metrics),
        follower: Fan::of([Arc::clone(&subscriptions) as _, Arc::clone(&events) as _]),
    };
    let shards = shared.start_shards(past, &journal, &audience, &audit)?;
    let parts = Parts { journal, state, followers, subscriptions, events, audit, audit_writer, lock, shards };
    Ok(shared.open(doors, parts, wishes))
}

/// Sockets that are bound and not served yet, and what they trust.
struct Doors {
    api: ApiServer,
    interfaces: Vec<(InterfaceConfig, Arc<InterfaceTrust>, Option<Listener>)>,
}

impl Doors {
    async fn open(shared: &Shared) -> Result<Self, StartError> {
        let mut interfaces = Vec::new();
        for config in &shared.config.interfaces {
            let clock = Arc::new(wall_time);
            let (trust, warnings) =
                InterfaceTrust::load(config.reference_point, &config.tls, &[], &shared.config.components, clock)?;
            warnings.iter().for_each(|TrustWarning(text)| tracing::warn!("{text}"));
            let listener = if config.listen.is_empty() {
                None
            } else {
                Some(Listener::bind(config.reference_point, &config.listen).await?)
            };
            interfaces.push((config.clone(), Arc::new(trust), listener));
        }
        Ok(Self { api: ApiServer::bind(&shared.config.api).await?, interfaces })
    }
}

/// The configuration without what nothing can reach: a handler of an interface that is not served is not compiled.
fn in_use(mut config: Config) -> Config {
    config.interfaces = interfaces_in_use(&config);
    let served: HashSet<ReferencePoint> = config.interfaces.iter().map(|interface| interface.reference_point).collect();
    config.handlers.retain(|handler| served.contains(&handler.reference_point));
    config
}

/// The interfaces of the configuration, and one without an address for each reference point that is only dialled.
fn interfaces_in_use(config: &Config) -> Vec<InterfaceConfig> {
    let mut interfaces = config.interfaces.clone();
    for component in config.components.iter().filter(|component| component.dial.is_some()) {
        let reference_point = component.component.reference_point;
        if interfaces.iter().all(|interface| interface.reference_point != reference_point) {
            interfaces.push(InterfaceConfig {
                reference_point,
                listen: Vec::new(),
                tls: config.tls.clone(),
                max_connections: limits::MAX_CONNECTIONS,
                max_connections_per_identity: limits::MAX_CONNECTIONS_PER_IDENTITY,
                max_line_bytes: limits::MAX_LINE_BYTES,
                max_in_flight: limits::MAX_IN_FLIGHT,
                handshake_timeout: limits::HANDSHAKE_TIMEOUT,
                idle_timeout: limits::IDLE_TIMEOUT,
                request_timeout: limits::REQUEST_TIMEOUT,
            });
        }
    }
    interfaces
}

/// How long history is kept, as configured.
pub fn history_retention(config: &Config) -> history::Retention {
    let crate::config::HistoryConfig { raw, minute, hour } = config.storage.history;
    history::Retention { raw, minute, hour }
}

struct Parts {
    journal: Arc<Journal>,
    state: Arc<StateWriter>,
    followers: Followers,
    subscriptions: Arc<Subscriptions>,
    events: Arc<Events>,
    audit: Audit,
    audit_writer: crate::telemetry::audit::AuditWriter,
    lock: DataDir,
    shards: Vec<(Mailbox, std::thread::JoinHandle<()>)>,
}

impl Shared {
    fn listed(&self) -> HashMap<&ComponentRef, &ComponentConfig> {
        self.config.components.iter().map(|component| (&component.component, component)).collect()
    }

    /// Enters the components of the configuration, and those known from before the start.
    fn enter_components(&self, recovered: &Recovered) {
        let listed = self.listed();
        for (component, config) in &listed {
            self.registry.admit(component, || self.plugins.card(component, Some(config)));
        }
        let mut unnamed = 0;
        for (symbol, state) in &recovered.components {
            let Ok(component) = self.symbols.text(Symbol(*symbol)).parse::<ComponentRef>() else {
                unnamed += 1;
                continue;
            };
            let entry =
                self.registry.admit(&component, || self.plugins.card(&component, listed.get(&component).copied()));
            entry.restore_resources(state.values.0.iter().map(|value| value.resource));
            entry.view.store(Some(Arc::new(ComponentView {
                last_report: state.last_report,
                sequence: state.window.position(),
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

    /// Starts writing history, if it is kept, from where it stands.
    fn start_history(&self, data_dir: &std::path::Path, reached: JournalPosition) -> Result<Followers, StorageError> {
        let (mut feed, retention) = (Feed::new(), history_retention(&self.config));
        let mut start = || HistoryWriter::start(data_dir, &mut feed, reached, retention, Arc::clone(&self.metrics));
        let history = if retention.is_on() { Some(start()?) } else { None };
        Ok(Followers { feed: Arc::new(feed), history })
    }

    fn start_subscriptions(
        &self,
        data_dir: &std::path::Path,
        audit: &Audit,
        reached: JournalPosition,
    ) -> Result<Arc<Subscriptions>, StorageError> {
        let sees = self.config.components.iter().map(|one| (one.component.clone(), one.sees.clone())).collect();
        let around = Around::new(
            self.config.manager.id.clone(),
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

    fn start_shards(
        &self,
        past: Past,
        journal: &Arc<Journal>,
        audience: &Audience,
        audit: &Audit,
    ) -> Result<Vec<(Mailbox, std::thread::JoinHandle<()>)>, StartError> {
        let count = self.config.manager.shards;
        let around = Surroundings {
            symbols: Arc::clone(&self.symbols),
            registry: Arc::clone(&self.registry),
            metrics: Arc::clone(&self.metrics),
            manager: Arc::from(self.manager.as_str()),
            next_alarm_id: Arc::new(AtomicU64::new(past.next_alarm_id)),
            state_per_component: self.config.plugins.state_per_component,
        };
        let mut cores: Vec<ShardCore> = (0..count)
            .map(|number| ShardCore::new(u16::try_from(number).unwrap_or(u16::MAX), around.clone(), &self.plugins.set))
            .collect();
        self.distribute(past, &mut cores);
        let started = self.clock.now();
        for (number, core) in cores.iter_mut().enumerate() {
            let of_shard = |(component, _): &(Symbol, i64)| shard_of(&self.symbols.text(*component), count) == number;
            core.expect_reports(expected(&self.config.components, &self.symbols).filter(of_shard), started);
        }
        let (mailboxes, receivers): (Vec<_>, Vec<_>) = (0..count).map(|_| Mailbox::new()).unzip();
        let points: Vec<_> = self.config.handlers.iter().map(|handler| handler.reference_point).collect();
        let managers = mailboxes.get(shard_of(&self.manager, count)).cloned();
        let note = StartNote {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            manager: self.config.manager.id.clone(),
            domain: self.config.manager.domain.clone(),
            shards: count,
            state_per_component: self.config.plugins.state_per_component,
            components: self.config.components.clone(),
            handlers: self.config.handlers.clone(),
            policies: self.config.policies.clone(),
            started,
            digests: self.plugins.digests(),
        };
        audit.record(start_entry::entry(&note, audit.last_start()));
        let mut note = Some(serde_json::to_string(&note).unwrap_or_default());
        let mut started = Vec::new();
        for (core, (number, (mailbox, receiver))) in cores.into_iter().zip(mailboxes.iter().zip(receivers).enumerate())
        {
            let worker = Worker {
                number: u16::try_from(number).unwrap_or(u16::MAX),
                core,
                mailbox: receiver,
                manager_mailbox: managers.clone().unwrap_or_else(|| mailbox.clone()),
                journal: Arc::clone(journal),
                audience: Audience { progress: Arc::new(Progress::default()), ..audience.clone() },
                clock: self.clock,
                points: points.clone(),
            };
            let note = note.take();
            let thread = std::thread::Builder::new()
                .name(format!("shard-{number}"))
                .spawn(move || worker.run(note))
                .map_err(StartError::Thread)?;
            started.push((mailbox.clone(), thread));
        }
        Ok(started)
    }

    /// Gives every shard the state of its components, its policies' subjects and alarms.
    fn distribute(&self, past: Past, cores: &mut [ShardCore]) {
        let count = cores.len();
        let shard = |component: u32| shard_of(&self.symbols.text(Symbol(component)), count);
        for (symbol, state) in past.components {
            if let Some(core) = cores.get_mut(shard(symbol)) {
                core.restore_component(symbol, state);
            }
        }
        for ((policy, component, resource), state) in past.policy_states {
            if let Some(core) = cores.get_mut(shard(component)) {
                core.restore_subject(policy, component, resource, &state, 0);
            }
        }
        for ((policy, component, resource), at) in past.timers {
            if let Some(core) = cores.get_mut(shard(component)) {
                core.restore_subject(policy, component, resource, &[], at);
            }
        }
        for alarm in past.alarms {
            let alarm = Arc::new(alarm);
            if let Some(gauge) =
                self.metrics.alarms_raised.get(alarm.report.severity as usize).filter(|_| !alarm.is_cleared)
            {
                gauge.increment();
            }
            self.board.publish(Arc::clone(&alarm));
            if let Some(core) = cores.get_mut(shard_of(&alarm.key.component, count)) {
                core.restore_alarm(alarm);
            }
        }
    }

    fn context(
        &self,
        config: InterfaceConfig,
        parts: &Parts,
        watch: &Arc<Watch>,
        outward: &Arc<Outward>,
    ) -> InterfaceContext {
        let handlers = || self.config.handlers.iter().zip(&self.plugins.handlers);
        let plugins = Arc::clone(&self.plugins);
        InterfaceContext {
            keep_raw: handlers()
                .any(|(handler, loaded)| handler.reference_point == config.reference_point && loaded.needs().raw),
            exempt_paths: handlers().map(|(handler, _)| handler.allow_key_names.clone()).collect(),
            config,
            enrolment: self.config.manager.enrolment,
            registry: Arc::clone(&self.registry),
            symbols: Arc::clone(&self.symbols),
            shards: parts.shards.iter().map(|(mailbox, _)| mailbox.clone()).collect(),
            subscriptions: Arc::clone(&parts.subscriptions) as _,
            clock: self.clock,
            metrics: Arc::clone(&self.metrics),
            unlisted: Arc::new(move |component| plugins.card(component, None)),
            watch: Arc::clone(watch) as _,
            subscriber: Arc::clone(outward) as _,
        }
    }

    fn house(
        &self,
        connections: &Arc<Connections>,
        watch: Arc<Watch>,
        desk: &AlarmDesk,
        journal: &Arc<Journal>,
    ) -> House {
        House {
            config: self.config.clone(),
            manager: self.manager.clone(),
            clock: self.clock,
            connections: Arc::clone(connections),
            watch,
            desk: desk.clone(),
            journal: Arc::clone(journal),
            metrics: Arc::clone(&self.metrics),
        }
    }

    fn backend(&self, desk: AlarmDesk, parts: &Parts, outward: Arc<Outward>) -> ManagerBackend {
        ManagerBackend {
            config: self.config.clone(),
            symbols: Arc::clone(&self.symbols),
            registry: Arc::clone(&self.registry),
            metrics: Arc::clone(&self.metrics),
            board: Arc::clone(&self.board),
            plugins: Arc::clone(&self.plugins),
            clock: self.clock,
            started: self.clock.now(),
            desk,
            journal: Arc::clone(&parts.journal),
            subscriptions: Arc::clone(&parts.subscriptions),
            events: Arc::clone(parts.events.log()),
            audit: parts.audit.clone(),
            outward,
            readers: Arc::new(tokio::sync::Semaphore::new(super::backend::REPORT_READERS)),
        }
    }

    /// Serves what is bound.
    fn open(self, doors: Doors, parts: Parts, wishes: mpsc::Receiver<PolicyRequest>) -> Running {
        let desk = AlarmDesk::new(parts.shards.iter().map(|(mailbox, _)| mailbox.clone()).collect());
        desk.clear_those_before(&self.board, &self.manager);
        let watch = Arc::new(Watch::new(self.clock, parts.audit.clone(), desk.clone(), self.manager.clone()));
        let (doors_cancel, closing, tasks) = (CancellationToken::new(), CancellationToken::new(), TaskTracker::new());
        let outward = Outward::start(
            &self.config.subscriptions,
            &self.config.manager.data_dir,
            self.clock,
            Arc::clone(&self.metrics),
            tasks.clone(),
            closing.clone(),
        );
        let mut interfaces = Vec::new();
        let mut listeners = Vec::new();
        for (config, trust, listener) in doors.interfaces {
            let places = ConnectionRegistry::new(
                config.reference_point,
                config.max_connections,
                config.max_connections_per_identity,
                Arc::clone(&self.metrics),
            );
            listeners.extend(
                listener.map(|listener| (listener, config.handshake_timeout, Arc::clone(&trust), Arc::clone(&places))),
            );
            interfaces.push(Interface {
                context: Arc::new(self.context(config, &parts, &watch, &outward)),
                trust,
                places,
            });
        }
        let connections = Connections::new(interfaces, tasks.clone(), closing.clone(), Arc::clone(&watch) as _);
        let sink: Arc<dyn ConnectionSink> = Arc::new(Sink(Arc::clone(&connections)));
        let mut addresses = Vec::new();
        for (listener, handshake_timeout, trust, places) in listeners {
            let point = trust.reference_point();
            listener.addresses().iter().for_each(|address| tracing::info!(interface = %point, %address, "Listening."));
            addresses.push((point, listener.addresses()));
            tasks.spawn(listener.serve(trust, places, handshake_timeout, Arc::clone(&sink), doors_cancel.clone()));
        }
        for component in self.config.components.iter().filter(|component| component.dial.is_some()) {
            tasks.spawn(Arc::clone(&connections).keep_dialled(component.clone()));
        }
        // Ends with the shards, which hold the sending ends.
        tokio::spawn(requests::serve_policies(
            Arc::clone(&self.registry),
            self.clock,
            Arc::clone(&self.metrics),
            wishes,
        ));
        tasks.spawn(self.house(&connections, watch, &desk, &parts.journal).run(doors_cancel.clone()));
        let (api, backend) = (doors.api.address(), self.backend(desk, &parts, outward));
        tasks.spawn(Arc::clone(&parts.events).run(doors_cancel.clone()));
        tasks.spawn(doors.api.serve(Arc::new(backend), doors_cancel.clone()));
        Running {
            config: self.config,
            vital: self.metrics.vital.clone(),
            connections,
            doors: doors_cancel,
            closing,
            tasks,
            shards: parts.shards,
            journal: parts.journal,
            state: parts.state,
            followers: parts.followers,
            subscriptions: parts.subscriptions,
            audit: parts.audit,
            audit_writer: parts.audit_writer,
            api,
            interfaces: addresses,
            lock: parts.lock,
        }
    }
}
