//! What the API shows: the documents of `/api/v1`, as Rust values. They are the public contract of the API and of
//! `qkdnm -o json`: members are added, never renamed or removed. Times are RFC 3339, names lowerCamelCase.
//!
//! Alarms are shown as they are ([`crate::model::Alarm`]), with what the configuration says of their policy beside it.

pub mod alarm;
pub mod audit;
pub mod collector;
pub mod component;
pub mod crossing;
pub mod enrolment;
pub mod exporter;
pub mod federation;
pub mod health;
pub mod history;
pub mod interface;
pub mod network;
pub mod outward;
pub mod peer_request;
pub mod plugin;
pub mod plugin_activity;
pub mod plugin_line;
pub mod reload;
pub mod report;
pub mod resource;
pub mod subscription;

pub use alarm::AlarmView;
pub use audit::{AuditEntryView, AuditFilter};
pub use collector::{CollectorHostView, CollectorState, CollectorView, RefusedRequests};
pub use component::{
    ComponentDetail, ComponentFilter, ComponentSummary, ConnectionView, ReportedValue, UnknownView, ValueView,
};
pub use crossing::{
    AlternativePathView, DomainAlarmView, DomainComparisonView, DomainPathView, LeastFigureView, LinkEndView,
    PathHopView,
};
pub use enrolment::{EnrolmentState, EnrolmentView};
pub use exporter::{ExporterState, ExporterView, ParkedEventView, RetryView, TestView};
pub use federation::{
    BottleneckView, DisclosureView, DocumentView, DomainConnectionView, DomainLinkView, DomainView, FailedDialsView,
    GraphView, KnownThroughView, PeerView, PreviewView, RollupSourceView, RollupView, SectionView,
};
pub use health::{ComponentCount, Gauges, Health, InterfaceGauges, NetworkLevel, SilentCount};
pub use history::{HistoryError, HistoryFilter, HistoryPoint, HistoryView, LastValueView, ValueCursor, ValueFilter};
pub use interface::InterfaceView;
pub use network::{
    NetworkChangeView, NetworkCursor, NetworkEntryView, NetworkFilter, UsageBy, UsageFilter, UsageTotalView,
};
pub use outward::{OutwardState, OutwardSubscriptionView};
pub use peer_request::{MaintenanceMark, PeerRequestView};
pub use plugin::{
    ComponentMatchView, ExplanationView, FailureView, HandlerView, PluginCounters, PluginView, PolicyView, RuleView,
};
pub use plugin_activity::{ActivityView, DurationsView, InstanceActivityView, PluginActivityView, QuarantineView};
pub use plugin_line::PluginLineView;
pub use reload::{
    ConfigurationView, RehearsalDifferenceView, RehearsalView, ReloadResult, ReloadStatusView, ReloadView,
};
pub use report::{ReportCursor, ReportOutcome, ReportView, StatusAnswer, StatusQuery};
pub use resource::{ResourceCursor, ResourceDetail, ResourceFilter, ResourceView};
pub use subscription::SubscriptionView;
