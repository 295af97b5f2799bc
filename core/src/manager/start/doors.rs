//! The doors of a start: addresses are bound and trust is read before anything else begins, and served once everything
//! stands.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Parts, Shared, StartError};
use crate::{
    api::ApiServer,
    clock::wall_time,
    config::InterfaceConfig,
    connection::{ContextSlot, NoPeers, PeerDesk},
    federation::{keys::Verifier, protocol::Settings},
    manager::{
        Running,
        alarms::AlarmDesk,
        backend::ManagerBackend,
        collectors::Collectors,
        contexts::Contexts,
        doors::{Bound, Doors, bind},
        enrolment::Enrolling,
        exporters::{Exporters, ExportersError},
        federation::{
            self, Federation, Teller,
            books::Books,
            border::{Border, Gate, Rules},
            membership::{membership, trust_sources},
            missed::Missed,
            picture::Sources,
            shown::Shows,
            speaking::Speaking,
        },
        housekeeping::House,
        live::{Connections, Interface, Sink, Spawning},
        outward::Outward,
        reload::{self, Origin, Reloader},
        requests,
        watch::Watch,
    },
    net::{Bounds, ConnectionRegistry, InterfaceTrust, TrustWarning},
    plugin::Direction,
    shard::commit::PolicyRequest,
    storage::federation::FederationDb,
};

/// Sockets that are bound and not served yet, and what they trust.
pub(super) struct ClosedDoors {
    api: ApiServer,
    interfaces: Vec<(InterfaceConfig, Arc<InterfaceTrust>, Vec<Bound>)>,
}

impl ClosedDoors {
    pub(super) async fn open(shared: &Shared) -> Result<Self, StartError> {
        let in_force = shared.current.get();
        let mut interfaces = Vec::new();
        for config in &in_force.config.interfaces {
            let point = config.reference_point;
            let peers = trust_sources(&in_force.config, point);
            let (clock, components) = (Arc::new(wall_time), &in_force.config.components);
            let (trust, warnings) = InterfaceTrust::load(point, &config.tls, &peers, components, clock)?;
            warnings.iter().for_each(|TrustWarning(text)| tracing::warn!("{text}"));
            let mut bound = Vec::new();
            for &address in &config.listen {
                bound.push(bind(config.reference_point, address).await?);
            }
            interfaces.push((config.clone(), Arc::new(trust), bound));
        }
        Ok(Self { api: ApiServer::bind(&in_force.config.api).await?, interfaces })
    }
}

impl Shared {
    fn contexts(
        &self,
        parts: &Parts,
        watch: &Arc<Watch>,
        outward: &Arc<Outward>,
        federation: Option<&Arc<Federation>>,
    ) -> Contexts {
        let none = || Arc::new(NoPeers) as Arc<dyn PeerDesk>;
        Contexts {
            peers: federation.map_or_else(none, |federation| Arc::clone(federation) as _),
            registry: Arc::clone(&self.registry),
            enrolments: Arc::clone(&self.enrolments),
            symbols: Arc::clone(&self.symbols),
            shards: parts.shards.iter().map(|shard| shard.mailbox.clone()).collect(),
            clock: self.clock,
            metrics: Arc::clone(&self.metrics),
            watch: Arc::clone(watch) as _,
            subscriber: Arc::clone(outward) as _,
            subscriptions: Arc::clone(&parts.subscriptions) as _,
        }
    }

    fn interface(&self, config: InterfaceConfig, trust: Arc<InterfaceTrust>, contexts: &Contexts) -> Interface {
        let (point, bounds) = (config.reference_point, Bounds::from(&config));
        Interface {
            point,
            slot: ContextSlot::new(contexts.of(&self.current.get(), config)),
            trust,
            places: ConnectionRegistry::new(point, bounds, Arc::clone(&self.metrics)),
        }
    }

    /// Where operators decide about components that wait.
    fn enrolling(&self, connections: &Arc<Connections>, desk: &AlarmDesk, parts: &Parts) -> Enrolling {
        Enrolling::new(
            Arc::clone(&self.enrolments),
            Arc::clone(connections),
            desk.clone(),
            parts.audit.clone(),
            (self.clock, Arc::clone(&self.metrics)),
            self.manager.clone(),
        )
    }

    /// Starts the federation, if the configuration has one.
    fn start_federation(
        &self,
        desk: &AlarmDesk,
        parts: &Parts,
        watch: &Arc<Watch>,
    ) -> Result<Option<Arc<Federation>>, StartError> {
        let in_force = self.current.get();
        let config = &in_force.config;
        let Some((membership, key)) = membership(config).map_err(StartError::Membership)? else { return Ok(None) };
        let Some(one) = &config.federation else { return Ok(None) };
        let sources = Sources {
            current: self.current.clone(),
            registry: Arc::clone(&self.registry),
            board: Arc::clone(&self.board),
            symbols: Arc::clone(&self.symbols),
            announced: self.announced.clone(),
        };
        let refresh = u64::try_from(one.refresh.as_millis()).unwrap_or(u64::MAX);
        let settings = Settings { refresh, valid_for: refresh.saturating_mul(3), ..Settings::default() };
        let rules = Rules::new(config, &in_force.plugins.exchange, &membership);
        let border = Border::new(rules, self.clock, desk.clone(), self.manager.clone());
        let own = config.manager.domain.as_str().into();
        let books = Books::new(config.manager.data_dir.clone());
        let gate = Gate::new(Arc::clone(&border), Direction::Export);
        let db = FederationDb::open(&config.manager.data_dir)?;
        let missed = Missed::new(desk.clone(), self.manager.clone());
        let (speaking, plain) = Speaking::new(sources, (books, missed), gate, own, db.services()?);
        let federation = federation::start(federation::Parts {
            domain: config.manager.domain.as_str().into(),
            manager: config.manager.id.clone(),
            settings,
            membership,
            signatures: Box::new(Verifier),
            key,
            db,
            speaker: Box::new(speaking),
            border,
            plain,
            teller: Teller::new(
                desk.clone(),
                parts.audit.clone(),
                self.manager.clone(),
                Arc::clone(parts.events.log()),
                Arc::clone(watch) as _,
                Arc::clone(&self.metrics),
            ),
            post: parts.post.clone(),
            announced: self.announced.clone(),
        })?;
        Ok(Some(federation))
    }

    /// Starts the exporters of alarms.
    fn start_exporters(&self, desk: &AlarmDesk, parts: &Parts) -> Result<Arc<Exporters>, ExportersError> {
        let in_force = self.current.get();
        let config = &in_force.config;
        let (manager, domain) = (config.manager.id.clone(), config.manager.domain.clone());
        let around = crate::manager::exporters::Around {
            origin: Arc::new(crate::export::Origin { manager, domain }),
            data_dir: config.manager.data_dir.clone(),
            clock: self.clock,
            board: Arc::clone(&self.board),
            feed: Arc::clone(&parts.followers.feed),
            desk: desk.clone(),
            metrics: Arc::clone(&self.metrics),
            audit: parts.audit.clone(),
        };
        Exporters::start(around, &config.exporters, &config.policies)
    }

    fn backend(
        &self,
        desk: AlarmDesk,
        parts: &Parts,
        outward: Arc<Outward>,
        (exporters, collectors, enrolment): (&Arc<Exporters>, &Arc<Collectors>, Enrolling),
        (reloader, doors): (&Arc<Reloader>, &Arc<Doors>),
        federation: Option<&Arc<Federation>>,
    ) -> ManagerBackend {
        let manager = &self.current.get().config.manager;
        let desk_of = |federation: &Arc<Federation>| federation::Desk {
            federation: Arc::clone(federation),
            shows: Shows::new(federation.border(), manager.domain.as_str().into()),
            domain: manager.domain.as_str().into(),
            data_dir: manager.data_dir.clone(),
        };
        ManagerBackend {
            federation: federation.map(desk_of),
            announced: self.announced.clone(),
            current: self.current.clone(),
            symbols: Arc::clone(&self.symbols),
            registry: Arc::clone(&self.registry),
            metrics: Arc::clone(&self.metrics),
            board: Arc::clone(&self.board),
            clock: self.clock,
            started: self.clock.now(),
            desk,
            journal: Arc::clone(&parts.journal),
            subscriptions: Arc::clone(&parts.subscriptions),
            events: Arc::clone(parts.events.log()),
            audit: parts.audit.clone(),
            outward,
            enrolment,
            collectors: Arc::clone(collectors),
            exporters: Arc::clone(exporters),
            reloader: Arc::clone(reloader),
            doors: Arc::clone(doors),
            readers: Arc::new(tokio::sync::Semaphore::new(crate::manager::backend::REPORT_READERS)),
        }
    }

    fn reloader(
        &self,
        origin: Option<Origin>,
        contexts: Contexts,
        connections: &Arc<Connections>,
        doors: &Arc<Doors>,
        (api, desk, parts): (&ApiServer, &AlarmDesk, &Parts),
        (outward, exporters, federation): (&Arc<Outward>, &Arc<Exporters>, &Option<Arc<Federation>>),
    ) -> Arc<Reloader> {
        let parts = reload::Parts {
            current: self.current.clone(),
            contexts,
            connections: Arc::clone(connections),
            doors: Arc::clone(doors),
            tokens: api.tokens(),
            subscriptions: Arc::clone(&parts.subscriptions),
            outward: Arc::clone(outward),
            exporters: Arc::clone(exporters),
            federation: federation.clone(),
            journal_bounds: Arc::clone(&parts.journal_bounds),
            desk: desk.clone(),
            audit: parts.audit.clone(),
            manager: self.manager.clone(),
        };
        Reloader::new(origin, Arc::clone(&self.host), parts)
    }

    /// Starts what subscribes at components.
    fn start_outward(&self, tasks: &TaskTracker, closing: &CancellationToken) -> Arc<Outward> {
        let in_force = self.current.get();
        let (config, metrics) = (&in_force.config, Arc::clone(&self.metrics));
        let (wanted, data_dir) = (&config.subscriptions, &config.manager.data_dir);
        Outward::start(wanted, data_dir, self.clock, metrics, tasks.clone(), closing.clone())
    }

    /// What is to be done now and then.
    fn house(
        &self,
        enrolment: &Enrolling,
        connections: &Arc<Connections>,
        watch: Arc<Watch>,
        desk: &AlarmDesk,
        parts: &Parts,
    ) -> House {
        House {
            enrolment: enrolment.clone(),
            manager: self.manager.clone(),
            clock: self.clock,
            connections: Arc::clone(connections),
            watch,
            desk: desk.clone(),
            journal: Arc::clone(&parts.journal),
            metrics: Arc::clone(&self.metrics),
            current: self.current.clone(),
        }
    }

    /// Starts asking devices that do not report.
    fn start_collectors(
        &self,
        parts: &mut Parts,
        connections: &Arc<Connections>,
        desk: &AlarmDesk,
        (tasks, closing): (&TaskTracker, &CancellationToken),
    ) -> Arc<Collectors> {
        let prepared = std::mem::take(&mut parts.collectors);
        Collectors::start(prepared, connections, (desk, &self.manager), &self.metrics, (tasks, closing))
    }

    /// Sends the status report requests of policies. Ends with the shards, which hold the sending ends.
    fn serve_policies(&self, wishes: mpsc::Receiver<PolicyRequest>) {
        let (registry, metrics) = (Arc::clone(&self.registry), Arc::clone(&self.metrics));
        tokio::spawn(requests::serve_policies(registry, self.clock, metrics, wishes));
    }

    /// Serves what is bound.
    pub(super) fn open(
        self,
        closed: ClosedDoors,
        mut parts: Parts,
        wishes: mpsc::Receiver<PolicyRequest>,
        origin: Option<Origin>,
    ) -> Result<Running, StartError> {
        let in_force = self.current.get();
        let desk = AlarmDesk::new(parts.shards.iter().map(|shard| shard.mailbox.clone()).collect());
        desk.clear_those_before(&self.board, &self.manager);
        let exporters = self.start_exporters(&desk, &parts)?;
        let watch = Arc::new(Watch::new(self.clock, parts.audit.clone(), desk.clone(), self.manager.clone()));
        let (doors_cancel, closing, tasks) = (CancellationToken::new(), CancellationToken::new(), TaskTracker::new());
        let outward = self.start_outward(&tasks, &closing);
        let federation = self.start_federation(&desk, &parts, &watch)?;
        let contexts = self.contexts(&parts, &watch, &outward, federation.as_ref());
        let with_doors = |(config, trust, bound)| (self.interface(config, trust, &contexts), bound);
        let (interfaces, bound): (Vec<_>, Vec<_>) = closed.interfaces.into_iter().map(with_doors).unzip();
        let security = Arc::clone(&watch) as _;
        let spawning = Spawning::new(tasks.clone(), &parts.shards);
        let connections = Connections::new(interfaces.clone(), spawning, closing.clone(), security, self.clock);
        let sink = Arc::new(Sink(Arc::clone(&connections)));
        let doors = Arc::new(Doors::new(sink, tasks.clone(), doors_cancel.clone()));
        interfaces.iter().zip(bound).for_each(|(interface, bound)| doors.open(interface, bound));
        connections.dial_these(in_force.dialled());
        let collectors = self.start_collectors(&mut parts, &connections, &desk, (&tasks, &closing));
        if let Some(federation) = &federation {
            federation.dial_by(&connections);
        }
        self.serve_policies(wishes);
        let enrolment = self.enrolling(&connections, &desk, &parts);
        let house = self.house(&enrolment, &connections, Arc::clone(&watch), &desk, &parts);
        tasks.spawn(house.run(doors_cancel.clone()));
        let reloader = self.reloader(
            origin,
            contexts,
            &connections,
            &doors,
            (&closed.api, &desk, &parts),
            (&outward, &exporters, &federation),
        );
        tasks.spawn(Arc::clone(&reloader).watch(doors_cancel.clone()));
        let (api, backend) = (
            closed.api.address(),
            self.backend(
                desk,
                &parts,
                outward,
                (&exporters, &collectors, enrolment),
                (&reloader, &doors),
                federation.as_ref(),
            ),
        );
        tasks.spawn(Arc::clone(&parts.events).run(doors_cancel.clone()));
        tasks.spawn(closed.api.serve(Arc::new(backend), doors_cancel.clone()));
        Ok(Running {
            vital: self.metrics.vital.clone(),
            reloader,
            doors: doors_cancel,
            closing,
            tasks,
            shards: parts.shards,
            journal: parts.journal,
            state: parts.state,
            followers: parts.followers,
            subscriptions: parts.subscriptions,
            exporters,
            federation,
            watch,
            audit: parts.audit,
            audit_writer: parts.audit_writer,
            api,
            interfaces: doors.addresses(),
            lock: parts.lock,
        })
    }
}
