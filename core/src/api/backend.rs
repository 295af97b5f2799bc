//! The door from the API to the manager. The manager implements [`Backend`]; tests use one in memory.
//!
//! What returns at once reads published views and never waits. What needs a commit, a component's answer or the disk
//! returns a future. Nothing here shows what is not durable.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use super::{
    enrolment_desk::EnrolmentDesk,
    event_log::EventLog,
    exporter_desk::ExporterDesk,
    federation_desk::FederationDesk,
    page::{Page, PageRequest},
    peer_request_desk::PeerRequestDesk,
    views::{
        AlarmView, AuditEntryView, AuditFilter, CollectorView, ComponentDetail, ComponentFilter, ComponentSummary,
        ConfigurationView, ExplanationView, Gauges, HandlerView, Health, HistoryError, HistoryFilter, HistoryView,
        InterfaceView, LastValueView, NetworkChangeView, NetworkCursor, NetworkEntryView, NetworkFilter,
        PluginActivityView, PluginView, PolicyView, QuarantineView, ReloadStatusView, ReloadView, ReportCursor,
        ReportView, ResourceCursor, ResourceDetail, ResourceFilter, ResourceView, StatusAnswer, StatusQuery,
        SubscriptionView, UsageBy, UsageFilter, UsageTotalView, ValueCursor, ValueFilter,
    },
};
use crate::{
    alarm::{AlarmFilter, AlarmSummary, OperateError},
    config::FcapsFunction,
    model::{ComponentRef, OperatorState, Timestamp},
    telemetry::metrics::Metrics,
};

/// Something that takes time.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What the API needs of the manager.
pub trait Backend: Send + Sync + 'static {
    /// The manager's clock.
    fn now(&self) -> Timestamp;

    /// Components that meet the filter, in the order of their references (reference point, then ID).
    fn components(&self, filter: &ComponentFilter, page: &PageRequest<ComponentRef>) -> Page<ComponentSummary>;

    /// One component; `None` if the manager does not know it.
    fn component(&self, component: &ComponentRef) -> Option<ComponentDetail>;

    /// Which handler takes a component's reports, which policies see it, and why; known or not.
    fn explanation(&self, component: &ComponentRef) -> ExplanationView;

    /// Parts of components that meet the filter, in the order of components and names.
    fn resources(&self, filter: &ResourceFilter, page: &PageRequest<ResourceCursor>) -> Page<ResourceView>;

    /// One part of a component; `None` if nothing is known of it.
    fn resource(&self, component: &ComponentRef, resource: &str) -> Option<ResourceDetail>;

    /// Alarms that meet the filter and are of the function, the highest number (the newest alarm) first; `after` is the
    /// number of the last one seen.
    fn alarms(&self, filter: &AlarmFilter, function: Option<FcapsFunction>, page: &PageRequest<u64>)
    -> Page<AlarmView>;

    /// One alarm.
    fn alarm(&self, id: u64) -> Option<AlarmView>;

    /// Names of links to other domains (`federation.links`) that an alarm is about: those that have its component or part for their end.
    fn alarm_links(&self, id: u64) -> Vec<String>;

    /// All alarms, counted.
    fn alarm_summary(&self) -> AlarmSummary;

    /// Sets the operator's state of an alarm (see [`crate::alarm::operate`]); answers once that is durable.
    fn operate_alarm(
        &self,
        id: u64,
        operator: &str,
        state: OperatorState,
        comment: &str,
    ) -> Answer<'_, Result<AlarmView, OperateAlarmError>>;

    /// Sends a status report request (Q.QKDN_Mk 8.3) and waits for its answer.
    fn request_status(
        &self,
        component: &ComponentRef,
        operator: &str,
        query: StatusQuery,
    ) -> Answer<'_, Result<StatusAnswer, RequestError>>;

    /// Stored reports of a component in the order of acceptance; with `from_sequence` only numbered ones from that
    /// number on.
    fn reports(
        &self,
        component: &ComponentRef,
        from_sequence: Option<u64>,
        page: &PageRequest<ReportCursor>,
    ) -> Answer<'_, Result<Page<ReportView>, ReportsError>>;

    /// Reports that plugins could not take, the newest first.
    fn quarantine(&self) -> Answer<'_, Result<Vec<QuarantineView>, ReportsError>>;

    /// Entries of the audit trail that meet the filter, the newest first; `after` is the number of the last one seen.
    fn audit(
        &self,
        filter: &AuditFilter,
        page: &PageRequest<u64>,
    ) -> Answer<'_, Result<Page<AuditEntryView>, ReportsError>>;

    /// The history of a value.
    fn history(&self, filter: &HistoryFilter) -> Answer<'_, Result<HistoryView, HistoryError>>;

    /// The last value of everything, in the order of components.
    fn values(&self, filter: &ValueFilter, page: &PageRequest<ValueCursor>) -> Page<LastValueView>;

    /// What is known of inventory or topology, in the order of components, kinds and names.
    fn network(&self, filter: &NetworkFilter, page: &PageRequest<NetworkCursor>) -> Page<NetworkEntryView>;

    /// Changes of inventory or topology, the newest first; `after` is the number of the last one seen.
    fn network_changes(
        &self,
        filter: &NetworkFilter,
        page: &PageRequest<u64>,
    ) -> Answer<'_, Result<Page<NetworkChangeView>, ReportsError>>;

    /// Usage added up, the most consumed bits first.
    fn usage(&self, by: UsageBy, filter: &UsageFilter) -> Answer<'_, Result<Vec<UsageTotalView>, ReportsError>>;

    /// Subscriptions, the oldest first; `None`: too much to do now.
    fn subscriptions(&self) -> Answer<'_, Option<Vec<SubscriptionView>>>;

    /// Ends a subscription for an operator; whether there was one. `None`: too much to do now.
    fn remove_subscription(&self, id: &str, operator: &str) -> Answer<'_, Option<bool>>;

    /// Policies as configured, in the order of the configuration.
    fn policies(&self) -> Vec<PolicyView>;

    /// Handlers as configured, in the order of the configuration.
    fn handlers(&self) -> Vec<HandlerView>;

    /// Plugins that are loaded, handlers before policies.
    fn plugins(&self) -> Vec<PluginView>;

    /// What calls of handlers, policies and exchange policies cost, in the order of the configuration.
    fn plugin_activity(&self) -> Vec<PluginActivityView>;

    /// Interfaces that are served, in the order of `ReferencePoint::ALL`.
    fn interfaces(&self) -> Vec<InterfaceView>;

    /// Takes the configuration's files over, whole or not at all; with `dry_run` only says what would be done.
    fn reload(&self, operator: &str, dry_run: bool) -> Answer<'_, ReloadView>;

    /// Takes the file of a plugin over, by its configured name or where it comes from.
    fn reload_plugin(&self, name: &str, operator: &str, dry_run: bool, anyway: bool) -> Answer<'_, PluginExchanged>;

    /// Puts the former version of a plugin in force again.
    fn roll_back_plugin(&self, name: &str, operator: &str) -> Answer<'_, PluginExchanged>;

    /// How the configuration in force stands to the files.
    fn reload_status(&self) -> ReloadStatusView;

    /// The configuration in force, as used, without secrets.
    fn configuration(&self) -> ConfigurationView;

    /// What changed lately, for those who follow.
    fn events(&self) -> Arc<EventLog>;

    /// Collectors, in the order of the configuration.
    fn collectors(&self) -> Vec<CollectorView>;

    /// Exporters of alarms.
    fn exporters(&self) -> &dyn ExporterDesk;

    /// The federation with other domains.
    fn federation(&self) -> &dyn FederationDesk;

    /// Components that wait for approval, and decisions about them.
    fn enrolment(&self) -> &dyn EnrolmentDesk;

    /// Requests between managers.
    fn peer_requests(&self) -> &dyn PeerRequestDesk;

    /// How the manager is.
    fn health(&self) -> Health;

    /// Levels of the moment.
    fn gauges(&self) -> Gauges;

    /// What is counted.
    fn metrics(&self) -> Arc<Metrics>;
}

/// Why an alarm was not operated on.
#[derive(Debug, thiserror::Error)]
pub enum OperateAlarmError {
    /// There is no such alarm.
    #[error("there is no alarm {0}")]
    UnknownAlarm(u64),
    /// The life cycle does not allow it.
    #[error(transparent)]
    NotAllowed(#[from] OperateError),
    /// It could not be made durable now.
    #[error("the change could not be stored: {reason}; try again later")]
    Unavailable {
        /// Why.
        reason: String,
    },
}

/// What came of an exchange of one plugin.
pub type PluginExchanged = Result<ReloadView, PluginExchangeError>;

/// Why a plugin was not exchanged.
#[derive(Debug, thiserror::Error)]
pub enum PluginExchangeError {
    /// There is none of that name.
    #[error("{0}; GET /api/v1/plugin-activity lists them")]
    Unknown(String),
    /// It cannot be done.
    #[error("{0}")]
    NotNow(String),
}

/// Why a status report request brought no status.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The manager does not know the component.
    #[error("the manager knows no component `{0}`")]
    UnknownComponent(ComponentRef),
    /// It has no connection to ask over.
    #[error("`{0}` is not connected")]
    NotConnected(ComponentRef),
    /// No answer in time.
    #[error("`{component}` did not answer within {} s", after.as_secs_f64())]
    TimedOut {
        /// Who was asked.
        component: ComponentRef,
        /// How long the manager waited.
        after: Duration,
    },
    /// The component refused, or the manager refused the answer.
    #[error("{response}")]
    Refused {
        /// Reason code and sentence.
        response: String,
    },
    /// Too many requests are open at this component.
    #[error("too many requests are open at `{0}`; try again when they are answered")]
    Busy(ComponentRef),
    /// The answer could not be stored now.
    #[error("the answer could not be stored: {reason}; try again later")]
    Unavailable {
        /// Why.
        reason: String,
    },
}

/// Why stored reports cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReportsError {
    /// The manager does not know the component.
    #[error("the manager knows no component `{0}`")]
    UnknownComponent(ComponentRef),
    /// Too many readers at a time.
    #[error("too many readers of stored reports at a time; try again")]
    Busy,
    /// The journal cannot be read.
    #[error("stored reports cannot be read: {reason}")]
    Unavailable {
        /// Why.
        reason: String,
    },
}
