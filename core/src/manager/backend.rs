//! What the API sees of the manager: published views for reading, commands for writing.

use std::{sync::Arc, time::Duration};

use tokio::sync::{Semaphore, oneshot};

use super::{
    alarms::AlarmDesk,
    audit_trail, described,
    doors::Doors,
    explained, history,
    in_force::Current,
    judged, levels, network,
    reload::{How, Reloader, Trigger},
    requests::{self, NotSent},
    resources,
};
use crate::{
    alarm::{AlarmBoard, AlarmFilter, AlarmSummary},
    api::{
        Answer, Backend, FederationDesk, NoFederation, Page, PageRequest, PeerRequestDesk,
        backend::{OperateAlarmError, PluginExchanged, ReportsError, RequestError},
        enrolment_desk::EnrolmentDesk,
        event_log::EventLog,
        exporter_desk::ExporterDesk,
        views::{
            AlarmView, AuditEntryView, AuditFilter, CollectorView, ComponentCount, ComponentDetail, ComponentFilter,
            ComponentSummary, ConfigurationView, ConnectionView, ExplanationView, Gauges, HandlerView, Health,
            HistoryError, HistoryFilter, HistoryView, InterfaceGauges, InterfaceView, LastValueView, NetworkChangeView,
            NetworkCursor, NetworkEntryView, NetworkFilter, PluginActivityView, PluginView, PolicyView, QuarantineView,
            ReloadStatusView, ReloadView, ReportCursor, ReportView, ResourceCursor, ResourceDetail, ResourceFilter,
            ResourceView, StatusAnswer, StatusQuery, SubscriptionView, UsageBy, UsageFilter, UsageTotalView,
            ValueCursor, ValueFilter, ValueView,
        },
    },
    clock::Clock,
    config::FcapsFunction,
    connection::RequestOutcome,
    dispatch::{ComponentEntry, Registry},
    model::{Alarm, ComponentRef, OperatorState, ReferencePoint, ReportBatch, Response, SymbolTable, Timestamp},
    shard::{OperateRequest, ShardMessage},
    state::LastValues,
    storage::journal::{Journal, JournalHealth},
    telemetry::{
        audit::{Audit, AuditEntry},
        metrics::Metrics,
    },
    wire::encode::Query,
};

/// Readers of stored reports at a time; each scans the journal.
pub const REPORT_READERS: usize = 2;
/// Type of the alarm about a component that does not report.
pub(super) const SILENT: &str = "component-silent";

/// The manager, seen from the API.
pub struct ManagerBackend {
    /// The configuration in force.
    pub current: Current,
    /// Names.
    pub symbols: Arc<SymbolTable>,
    /// Components.
    pub registry: Arc<Registry>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Alarms.
    pub board: Arc<AlarmBoard>,
    /// The time.
    pub clock: Clock,
    /// When the manager started.
    pub started: Timestamp,
    /// Way to the shards.
    pub desk: AlarmDesk,
    /// Storage.
    pub journal: Arc<Journal>,
    /// Subscriptions.
    pub subscriptions: Arc<super::subscriptions::Subscriptions>,
    /// What changed lately.
    pub events: Arc<EventLog>,
    /// The federation, if there is one.
    pub federation: Option<super::federation::Desk>,
    /// Maintenance of links to other domains.
    pub announced: super::federation::announced::Announced,
    /// Audit trail.
    pub audit: Audit,
    /// Subscriptions at components.
    pub outward: Arc<super::outward::Outward>,
    /// Components that wait for approval.
    pub enrolment: super::enrolment::Enrolling,
    /// Collectors.
    pub collectors: Arc<super::collectors::Collectors>,
    /// Exporters of alarms.
    pub exporters: Arc<super::exporters::Exporters>,
    /// Reloads the configuration.
    pub reloader: Arc<Reloader>,
    /// Addresses that are listened on.
    pub doors: Arc<Doors>,
    /// Places for readers of the journal.
    pub readers: Arc<Semaphore>,
}

impl ManagerBackend {
    fn summary(&self, entry: &ComponentEntry) -> ComponentSummary {
        let (card, view) = (entry.card.load(), entry.view.load_full());
        let mut summary = ComponentSummary::new(entry.component.clone());
        summary.vendor.clone_from(&card.vendor);
        summary.model.clone_from(&card.model);
        summary.version.clone_from(&card.version);
        summary.site.clone_from(&card.site);
        summary.tags.clone_from(&card.tags);
        summary.configured = card.listed;
        summary.expected_interval_ms = card.expected_interval.map(|interval| interval.as_millis() as u64);
        summary.connection_count = entry.connections().len();
        summary.collector = self.collectors.of(&entry.component);
        summary.likely_slips = entry.unfamiliar.likely_slips();
        if let Some(view) = view {
            summary.last_report = view.last_report;
            summary.reports = view.reports;
        }
        summary
    }

    fn detail(&self, entry: &ComponentEntry) -> ComponentDetail {
        let view = entry.view.load_full().unwrap_or_default();
        let mut summary = self.summary(entry);
        self.count_alarms(std::slice::from_mut(&mut summary));
        let in_force = self.current.get();
        let config = in_force.rules.listed(&entry.component);
        let dial = config.and_then(|config| config.dial.clone());
        let connection = |connected: crate::dispatch::Connected| ConnectionView {
            peer_address: connected.peer.to_string(),
            since: connected.since,
            key_exchange: connected.key_exchange,
            dialled: dial.is_some(),
        };
        // Of the same configuration as the plugins that it names by their places.
        let card = in_force.rules.card(&entry.component);
        let policies = in_force.plugins.set.policies.iter().zip(&card.policies).filter(|(_, sees)| **sees);
        ComponentDetail {
            connections: entry.connections().into_iter().rev().map(connection).collect(),
            incarnation: view.sequence.map(|(incarnation, _)| incarnation),
            last_sequence: view.sequence.map(|(_, last)| last),
            outstanding: view.outstanding,
            gaps: view.gaps,
            kept: view.kept,
            unknown: entry.unfamiliar.words().into_iter().map(Into::into).collect(),
            handler: in_force
                .plugins
                .set
                .handlers
                .get(card.handler)
                .map_or_else(String::new, |handler| handler.config.name.clone()),
            policies: policies.map(|(policy, _)| policy.config.name.clone()).collect(),
            values: view.values.0.iter().map(|value| ValueView::new(value, &self.symbols)).collect(),
            outward_subscriptions: self.outward.of(entry),
            summary,
            dial,
        }
    }

    fn count_alarms(&self, summaries: &mut [ComponentSummary]) {
        let mut by_component: std::collections::HashMap<String, Vec<Arc<Alarm>>> = std::collections::HashMap::new();
        for alarm in self.board.all().into_iter().filter(|alarm| !alarm.is_cleared) {
            by_component.entry(alarm.key.component.clone()).or_default().push(alarm);
        }
        for summary in summaries {
            let Some(alarms) = by_component.get(&summary.component.to_string()) else { continue };
            summary.raised_alarms = alarms.len();
            summary.worst_alarm = alarms.iter().map(|alarm| alarm.report.severity).max();
            let silent = |alarm: &&Arc<Alarm>| alarm.key.alarm_type_id == SILENT && alarm.raised_by == "manager";
            summary.silent_since = alarms.iter().find(silent).map(|alarm| alarm.last_raised);
        }
    }

    fn component_counts(&self) -> [ComponentCount; 7] {
        let mut counts = [ComponentCount::default(); 7];
        for entry in self.registry.all() {
            if let Some(count) = counts.get_mut(entry.component.reference_point.index()) {
                count.known += 1;
                count.connected += u64::from(!entry.connections().is_empty());
            }
        }
        counts
    }

    fn judged(&self, alarm: &Alarm) -> AlarmView {
        judged::marked(alarm, &self.current, &self.announced)
    }

    fn not_ready(&self) -> Vec<String> {
        let broken = |thread| format!("the manager's thread {thread} broke; it ends now and has to be started again");
        let mut reasons: Vec<String> = self.metrics.vital.lost().into_iter().map(broken).collect();
        if let JournalHealth::Failing { since, reason } = self.journal.health() {
            reasons.push(format!("storage cannot commit since {since}: {reason}"));
        }
        reasons
    }

    /// Reads what is stored, off the runtime's threads, if there is a place for one more reader.
    fn read_stored<T: Send + 'static, E: std::fmt::Display + Send + 'static>(
        &self,
        read: impl FnOnce(&std::path::Path) -> Result<T, E> + Send + 'static,
    ) -> Answer<'_, Result<T, ReportsError>> {
        Box::pin(async move {
            let permit = Arc::clone(&self.readers).try_acquire_owned().map_err(|_| ReportsError::Busy)?;
            let data_dir = self.current.get().config.manager.data_dir.clone();
            let read = tokio::task::spawn_blocking(move || {
                let _place = permit;
                read(&data_dir)
            });
            match read.await {
                Ok(result) => result.map_err(|error| ReportsError::Unavailable { reason: error.to_string() }),
                Err(error) => Err(ReportsError::Unavailable { reason: error.to_string() }),
            }
        })
    }

    fn status_answer(&self, component: ComponentRef, asked: Vec<String>, said: &ReportBatch) -> StatusAnswer {
        let mut values = LastValues::default();
        values.take(said, 0);
        let now = self.clock.now();
        let extension: Option<serde_json::Value> = serde_json::from_str(said.extension_text(0)).ok();
        let mut missing = asked;
        missing.retain(|name| {
            let is_sample =
                |value: &crate::state::LastValue| self.symbols.text(crate::model::Symbol(value.name)).as_ref() == name;
            // Inventory, and names that the catalogue does not have, are in the text.
            let in_text =
                |object: &serde_json::Value| object.get("values").and_then(|values| values.get(name)).is_some();
            let in_texts = extension.as_ref().and_then(serde_json::Value::as_array);
            !values.0.iter().any(is_sample) && !in_texts.is_some_and(|objects| objects.iter().any(in_text))
        });
        StatusAnswer {
            component,
            received: now,
            time: said.reports.first().map_or(now, |head| Timestamp(head.time)),
            values: values.0.iter().map(|value| ValueView::new(value, &self.symbols)).collect(),
            missing,
            extension,
        }
    }
}

impl Backend for ManagerBackend {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn components(&self, filter: &ComponentFilter, page: &PageRequest<ComponentRef>) -> Page<ComponentSummary> {
        let mut entries = self.registry.all();
        entries.retain(|entry| page.after.as_ref().is_none_or(|after| entry.component > *after));
        entries.sort_unstable_by(|a, b| a.component.cmp(&b.component));
        let cursor = |last: &ComponentSummary| last.component.to_string();
        let summaries = entries.iter().map(|entry| self.summary(entry));
        if filter.silent.is_some() {
            // Silence is told by alarms, so these have to be counted before anything is left out.
            let mut all: Vec<ComponentSummary> = summaries.collect();
            self.count_alarms(&mut all);
            return Page::take(all.into_iter().filter(|summary| filter.matches(summary)), page.limit, cursor);
        }
        let mut page = Page::take(summaries.filter(|summary| filter.matches(summary)), page.limit, cursor);
        self.count_alarms(&mut page.items);
        page
    }

    fn component(&self, component: &ComponentRef) -> Option<ComponentDetail> {
        self.registry.find(component).map(|entry| self.detail(&entry))
    }

    fn explanation(&self, component: &ComponentRef) -> ExplanationView {
        explained::explanation(&self.current.get(), component, self.registry.find(component).is_some())
    }

    fn resources(&self, filter: &ResourceFilter, page: &PageRequest<ResourceCursor>) -> Page<ResourceView> {
        resources::list(&self.registry, &self.symbols, &self.board, filter, page)
    }

    fn resource(&self, component: &ComponentRef, resource: &str) -> Option<ResourceDetail> {
        resources::one(&self.registry, &self.symbols, &self.board, component, resource)
    }

    fn alarms(
        &self,
        filter: &AlarmFilter,
        function: Option<FcapsFunction>,
        page: &PageRequest<u64>,
    ) -> Page<AlarmView> {
        let mut alarms = self.board.all();
        alarms.retain(|alarm| page.after.is_none_or(|after| alarm.id < after) && filter.matches(alarm));
        alarms.sort_unstable_by_key(|alarm| std::cmp::Reverse(alarm.id));
        let views = alarms.iter().map(|alarm| self.judged(alarm));
        let views = views.filter(|view| function.is_none_or(|function| view.function == function));
        Page::take(views, page.limit, |last| last.alarm.id.to_string())
    }

    fn alarm(&self, id: u64) -> Option<AlarmView> {
        self.board.find(id).map(|alarm| self.judged(&alarm))
    }

    fn alarm_links(&self, id: u64) -> Vec<String> {
        self.board.find(id).map(|alarm| judged::links(&alarm, &self.current)).unwrap_or_default()
    }

    fn alarm_summary(&self) -> AlarmSummary {
        AlarmSummary::of(self.board.all().iter().map(AsRef::as_ref))
    }

    fn operate_alarm(
        &self,
        id: u64,
        operator: &str,
        state: OperatorState,
        comment: &str,
    ) -> Answer<'_, Result<AlarmView, OperateAlarmError>> {
        let (operator, comment) = (operator.to_owned(), comment.to_owned());
        Box::pin(async move {
            let unavailable = |reason: &str| OperateAlarmError::Unavailable { reason: reason.to_owned() };
            let alarm = self.board.find(id).ok_or(OperateAlarmError::UnknownAlarm(id))?;
            let mailbox =
                self.desk.mailbox(&alarm.key.component).ok_or_else(|| unavailable("the manager is stopping"))?;
            let (reply, answer) = oneshot::channel();
            let request = OperateRequest {
                key: alarm.key.clone(),
                operator: operator.clone(),
                state,
                comment: comment.clone(),
                reply,
            };
            mailbox.put(ShardMessage::Operate(request)).map_err(|_| unavailable("the shard's mailbox is full"))?;
            let changed = match answer.await {
                Ok(Some(result)) => result?,
                Ok(None) | Err(_) => return Err(unavailable("storage cannot commit now")),
            };
            self.audit
                .record_and_wait(AuditEntry {
                    time: self.clock.now(),
                    kind: "operator".to_owned(),
                    who: operator,
                    what: format!(
                        "alarm {id} ({}): {}",
                        changed.key,
                        match state {
                            OperatorState::None => "reopened",
                            OperatorState::Acknowledged => "acknowledged",
                            OperatorState::Closed => "closed",
                        }
                    ),
                    detail: serde_json::json!({ "comment": comment }),
                })
                .await;
            Ok(self.judged(&changed))
        })
    }

    fn request_status(
        &self,
        component: &ComponentRef,
        operator: &str,
        query: StatusQuery,
    ) -> Answer<'_, Result<StatusAnswer, RequestError>> {
        let (component, operator) = (component.clone(), operator.to_owned());
        Box::pin(async move {
            let entry =
                self.registry.find(&component).ok_or_else(|| RequestError::UnknownComponent(component.clone()))?;
            self.audit.record(AuditEntry {
                time: self.clock.now(),
                kind: "operator".to_owned(),
                who: operator,
                what: format!("status report requested of {component}"),
                detail: serde_json::json!({ "types": query.types, "names": query.names, "resources": query.resources }),
            });
            let asked = query.names.clone();
            let query = Query { types: query.types, names: query.names, resources: query.resources };
            let outcome = requests::send(&entry, query).map_err(|why| match why {
                NotSent::NotConnected => RequestError::NotConnected(component.clone()),
                NotSent::Busy => RequestError::Busy(component.clone()),
            })?;
            let in_force = self.current.get();
            let mut interfaces = in_force.config.interfaces.iter();
            let patience = interfaces.find(|interface| interface.reference_point == component.reference_point);
            let after = patience.map_or(Duration::ZERO, |interface| interface.request_timeout);
            match outcome.await {
                Ok(RequestOutcome::Answered(Response::Success, said)) => {
                    Ok(self.status_answer(component, asked, &said))
                }
                Ok(RequestOutcome::Answered(Response::Refused(refusal), _)) => {
                    Err(RequestError::Refused { response: format!("the answer was not accepted: {refusal}") })
                }
                Ok(RequestOutcome::Refused(response)) => Err(RequestError::Refused { response }),
                Ok(RequestOutcome::Subscription(answer)) => Err(RequestError::Refused { response: answer.response }),
                Ok(RequestOutcome::TimedOut) => Err(RequestError::TimedOut { component, after }),
                Ok(RequestOutcome::ConnectionLost) | Err(_) => Err(RequestError::NotConnected(component)),
            }
        })
    }

    fn reports(
        &self,
        component: &ComponentRef,
        from_sequence: Option<u64>,
        page: &PageRequest<ReportCursor>,
    ) -> Answer<'_, Result<Page<ReportView>, ReportsError>> {
        let (component, page) = (component.clone(), page.clone());
        Box::pin(async move {
            if self.registry.find(&component).is_none() {
                return Err(ReportsError::UnknownComponent(component));
            }
            self.read_stored(move |data_dir| super::reports::read(data_dir, &component, from_sequence, &page)).await
        })
    }

    fn quarantine(&self) -> Answer<'_, Result<Vec<QuarantineView>, ReportsError>> {
        self.read_stored(described::quarantine)
    }

    fn audit(
        &self,
        filter: &AuditFilter,
        page: &PageRequest<u64>,
    ) -> Answer<'_, Result<Page<AuditEntryView>, ReportsError>> {
        let (filter, page) = (filter.clone(), page.clone());
        self.read_stored(move |data_dir| audit_trail::entries(data_dir, &filter, &page))
    }

    fn history(&self, filter: &HistoryFilter) -> Answer<'_, Result<HistoryView, HistoryError>> {
        let filter = filter.clone();
        Box::pin(async move {
            let key = history::series(&self.registry, &self.symbols, &filter)?;
            let (retention, symbols) =
                (super::start::history_retention(&self.current.get().config), Arc::clone(&self.symbols));
            let permit = Arc::clone(&self.readers).try_acquire_owned().map_err(|_| HistoryError::Busy)?;
            let data_dir = self.current.get().config.manager.data_dir.clone();
            let read = tokio::task::spawn_blocking(move || {
                let _place = permit;
                history::history(&data_dir, key, &filter, &retention, &symbols)
            });
            read.await.map_err(|error| HistoryError::Unavailable { reason: error.to_string() })?
        })
    }

    fn values(&self, filter: &ValueFilter, page: &PageRequest<ValueCursor>) -> Page<LastValueView> {
        history::values(&self.registry, &self.symbols, filter, page)
    }

    fn network(&self, filter: &NetworkFilter, page: &PageRequest<NetworkCursor>) -> Page<NetworkEntryView> {
        network::list(&self.registry, filter, page)
    }

    fn network_changes(
        &self,
        filter: &NetworkFilter,
        page: &PageRequest<u64>,
    ) -> Answer<'_, Result<Page<NetworkChangeView>, ReportsError>> {
        let (filter, page) = (filter.clone(), page.clone());
        self.read_stored(move |data_dir| network::changes(data_dir, &filter, &page))
    }

    fn usage(&self, by: UsageBy, filter: &UsageFilter) -> Answer<'_, Result<Vec<UsageTotalView>, ReportsError>> {
        let filter = filter.clone();
        self.read_stored(move |data_dir| network::usage(data_dir, by, &filter))
    }

    fn subscriptions(&self) -> Answer<'_, Option<Vec<SubscriptionView>>> {
        Box::pin(self.subscriptions.list())
    }

    fn remove_subscription(&self, id: &str, operator: &str) -> Answer<'_, Option<bool>> {
        let (id, operator) = (id.to_owned(), operator.to_owned());
        Box::pin(async move {
            let removed = self.subscriptions.remove(&id).await?;
            if removed {
                self.audit.record(AuditEntry {
                    time: self.clock.now(),
                    kind: "operator".to_owned(),
                    who: operator,
                    what: format!("subscription {id} removed"),
                    detail: serde_json::Value::Null,
                });
            }
            Some(removed)
        })
    }

    fn policies(&self) -> Vec<PolicyView> {
        described::policies(&self.current.get().plugins, &self.metrics)
    }

    fn handlers(&self) -> Vec<HandlerView> {
        described::handlers(&self.current.get().plugins, &self.metrics)
    }

    fn plugins(&self) -> Vec<PluginView> {
        described::plugins(&self.current.get().plugins, &self.collectors)
    }

    fn plugin_activity(&self) -> Vec<PluginActivityView> {
        described::activity(&self.current.get().plugins, &self.collectors, &self.metrics)
    }

    fn interfaces(&self) -> Vec<InterfaceView> {
        let (in_force, addresses) = (self.current.get(), self.doors.addresses());
        described::interfaces(&in_force.config, &addresses, &self.component_counts(), &self.metrics)
    }

    fn reload(&self, operator: &str, dry_run: bool) -> Answer<'_, ReloadView> {
        let (reloader, trigger) = (Arc::clone(&self.reloader), Trigger::Operator(operator.to_owned()));
        Box::pin(async move {
            // In a task of its own: who asked may go away, and half a reload is none.
            let reload = tokio::spawn(async move { reloader.reload(trigger, dry_run).await });
            reload.await.unwrap_or_else(|_| self.reloader.broke_off())
        })
    }

    fn reload_plugin(&self, name: &str, operator: &str, dry_run: bool, anyway: bool) -> Answer<'_, PluginExchanged> {
        self.reloader.reload_plugin_for(operator, name, How { dry_run, anyway })
    }

    fn roll_back_plugin(&self, name: &str, operator: &str) -> Answer<'_, PluginExchanged> {
        self.reloader.roll_back_for(operator, name)
    }

    fn reload_status(&self) -> ReloadStatusView {
        self.reloader.status()
    }

    fn configuration(&self) -> ConfigurationView {
        self.reloader.configuration()
    }

    fn events(&self) -> Arc<EventLog> {
        Arc::clone(&self.events)
    }

    fn health(&self) -> Health {
        let (reasons, in_force) = (self.not_ready(), self.current.get());
        let counts = self.component_counts();
        Health {
            ready: reasons.is_empty(),
            reasons,
            manager: in_force.config.manager.id.clone(),
            domain: in_force.config.manager.domain.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: self.started,
            uptime_seconds: u64::try_from(self.clock.now().since(self.started) / 1_000).unwrap_or(0),
            components: ComponentCount {
                known: counts.iter().map(|count| count.known).sum(),
                connected: counts.iter().map(|count| count.connected).sum(),
            },
            interfaces: described::interfaces(&in_force.config, &self.doors.addresses(), &counts, &self.metrics),
            alarms: self.alarm_summary(),
        }
    }

    fn enrolment(&self) -> &dyn EnrolmentDesk {
        &self.enrolment
    }

    fn peer_requests(&self) -> &dyn PeerRequestDesk {
        self.federation.as_ref().map_or(&NoFederation, |desk| desk as _)
    }

    fn federation(&self) -> &dyn FederationDesk {
        self.federation.as_ref().map_or(&NoFederation, |desk| desk as _)
    }

    fn collectors(&self) -> Vec<CollectorView> {
        self.collectors.list()
    }

    fn exporters(&self) -> &dyn ExporterDesk {
        self.exporters.as_ref()
    }

    fn gauges(&self) -> Gauges {
        let (counts, in_force) = (self.component_counts(), self.current.get());
        let served = |point: &ReferencePoint| {
            in_force.config.interfaces.iter().any(|interface| interface.reference_point == *point)
        };
        let interfaces =
            ReferencePoint::ALL.into_iter().zip(counts).filter(|(point, count)| served(point) || count.known > 0);
        Gauges {
            interfaces: interfaces
                .map(|(reference_point, components)| InterfaceGauges { reference_point, components })
                .collect(),
            symbols: self.symbols.len() as u64,
            silent: levels::silent(&self.board),
            network: levels::of(&self.registry, &self.symbols),
            federation: self.federation.as_ref().map(super::federation::Desk::levels),
            ..Gauges::default()
        }
    }

    fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.metrics)
    }
}
