//! The doors of a start: addresses are bound and trust is read before anything else begins, and served once everything
//! stands.

use std::{collections::HashSet, sync::Arc};

use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Parts, Shared, StartError};
use crate::{
    api::ApiServer,
    clock::wall_time,
    config::{Config, InterfaceConfig, limits},
    connection::InterfaceContext,
    manager::{
        Running,
        alarms::AlarmDesk,
        backend::ManagerBackend,
        housekeeping::House,
        live::{Connections, Interface, Sink},
        outward::Outward,
        requests,
        watch::Watch,
    },
    model::ReferencePoint,
    net::{ConnectionRegistry, ConnectionSink, InterfaceTrust, Listener, TrustWarning},
    shard::commit::PolicyRequest,
    storage::journal::Journal,
};

/// Sockets that are bound and not served yet, and what they trust.
pub(super) struct Doors {
    api: ApiServer,
    interfaces: Vec<(InterfaceConfig, Arc<InterfaceTrust>, Option<Listener>)>,
}

impl Doors {
    pub(super) async fn open(shared: &Shared) -> Result<Self, StartError> {
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
pub(super) fn in_use(mut config: Config) -> Config {
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

impl Shared {
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
            readers: Arc::new(tokio::sync::Semaphore::new(crate::manager::backend::REPORT_READERS)),
        }
    }

    /// Serves what is bound.
    pub(super) fn open(self, doors: Doors, parts: Parts, wishes: mpsc::Receiver<PolicyRequest>) -> Running {
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
