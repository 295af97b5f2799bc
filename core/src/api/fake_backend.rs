//! A manager in memory for the tests of the API and of the commands that speak to it: real life cycle, filters and
//! paging over a few fixed components, alarms and reports.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{
    Backend, Page, PageRequest,
    backend::{Answer, OperateAlarmError, PluginExchangeError, PluginExchanged, ReportsError, RequestError},
    enrolment_desk::EnrolmentDesk,
    event_log::EventLog,
    exporter_desk::ExporterDesk,
    fake_components::{component, values},
    federation_desk::FederationDesk,
    views::{
        ActivityView, AlarmView, AuditEntryView, AuditFilter, CollectorView, ComponentCount, ComponentDetail,
        ComponentFilter, ComponentMatchView, ComponentSummary, ConfigurationView, ExplanationView, FailureView, Gauges,
        HandlerView, Health, HistoryError, HistoryFilter, HistoryView, InstanceActivityView, InterfaceGauges,
        InterfaceView, LastValueView, NetworkChangeView, NetworkCursor, NetworkEntryView, NetworkFilter, NetworkLevel,
        PluginActivityView, PluginCounters, PluginView, PolicyView, QuarantineView, ReloadResult, ReloadStatusView,
        ReloadView, ReportCursor, ReportOutcome, ReportView, ResourceCursor, ResourceDetail, ResourceFilter,
        ResourceView, StatusAnswer, StatusQuery, SubscriptionView, UsageBy, UsageFilter, UsageTotalView, ValueCursor,
        ValueFilter, ValueView,
    },
};
use crate::{
    alarm::{self, AlarmFilter, AlarmSummary},
    config::{FcapsFunction, OnFailure, PolicyMode},
    model::{
        Alarm, AlarmKey, AlarmReport, ComponentRef, OperatorState, ReasonCode, ReferencePoint, Severity, Timestamp,
    },
    state::network::{EntryKind, Place},
    storage::JournalPosition,
    telemetry::metrics::Metrics,
};

/// 2026-11-26T08:00:00Z
pub(crate) const NOW: Timestamp = Timestamp(1_795_680_000_000);

pub(crate) struct FakeBackend {
    pub(crate) alarms: Mutex<Vec<Alarm>>,
    pub(crate) ready: bool,
    pub(crate) components: Vec<ComponentDetail>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) events: Arc<EventLog>,
}

fn reference(text: &str) -> ComponentRef {
    text.parse().unwrap()
}

/// The part of a component that its values name.
fn resource(detail: &ComponentDetail) -> Option<ResourceView> {
    let name = detail.values.iter().map(|value| value.resource.clone()).find(|name| !name.is_empty())?;
    Some(ResourceView {
        component: detail.summary.component.clone(),
        reference_point: detail.summary.reference_point,
        id: detail.summary.id.clone(),
        resource: name,
        site: detail.summary.site.clone(),
        values: 1,
        inventory: 0,
        last_value: Some(NOW.plus(-5_000)),
        worst_alarm: None,
        raised_alarms: 0,
    })
}

pub(crate) fn raised(id: u64, component: &str, severity: Severity, text: &str) -> Alarm {
    let key = AlarmKey {
        component: component.into(),
        resource: "link-1".into(),
        alarm_type_id: "qber-threshold-exceeded".into(),
        alarm_type_qualifier: "qber".into(),
    };
    let report = AlarmReport {
        severity,
        text: text.into(),
        event_type: "quality-of-service".into(),
        probable_cause: "threshold-crossed".into(),
        observed: Some(0.07),
        threshold: Some(0.06),
        repair_actions: vec!["Check the fibre.".into()],
        additional_information: Vec::new(),
    };
    alarm::raise(None, key, report, "policy:qber", || id, NOW.plus(-60_000)).unwrap()
}

impl Default for FakeBackend {
    fn default() -> Self {
        let cleared =
            alarm::clear(&raised(2, "mq/m-1", Severity::Critical, "QBER 12 %"), "QBER 3 %", NOW.plus(-30_000));
        let alarms = vec![
            raised(1, "mk/km-1", Severity::Minor, "store low"),
            cleared.unwrap(),
            raised(3, "mq/m-1", Severity::Major, "QBER 7 %"),
        ];
        let metrics = Metrics::default();
        metrics.refuse(ReferencePoint::Mk, ReasonCode::Rejected);
        metrics.interface(ReferencePoint::Mk).accepted.add(42);
        metrics.handshakes_refused.entry("expired").or_default().increment();
        let plugin = metrics.plugins.entry("say \"qber\"\\\n".into()).or_default();
        let instance = plugin.instance();
        (0..3).for_each(|_| instance.end(std::time::Duration::from_millis(500), 1, None));
        instance.failed("trap");
        drop(plugin);
        Self {
            alarms: Mutex::new(alarms),
            ready: true,
            components: ["mq/m-1", "mk/km-1", "mk/km-2", "mk/site a/ü%"]
                .map(|text| component(text, text != "mk/km-2"))
                .to_vec(),
            metrics: Arc::new(metrics),
            events: Arc::new(EventLog::new(JournalPosition(7 << 16))),
        }
    }
}

impl FakeBackend {
    fn known(&self, component: &ComponentRef) -> Option<&ComponentDetail> {
        self.components.iter().find(|detail| detail.summary.component == *component)
    }
}

impl Backend for FakeBackend {
    fn now(&self) -> Timestamp {
        NOW
    }

    fn components(&self, filter: &ComponentFilter, page: &PageRequest<ComponentRef>) -> Page<ComponentSummary> {
        let mut all: Vec<_> = self.components.iter().map(|detail| detail.summary.clone()).collect();
        all.sort_by(|a, b| a.component.cmp(&b.component));
        let rest = all.into_iter().filter(|summary| {
            filter.matches(summary) && page.after.as_ref().is_none_or(|after| summary.component > *after)
        });
        Page::take(rest, page.limit, |summary| summary.component.to_string())
    }

    fn component(&self, component: &ComponentRef) -> Option<ComponentDetail> {
        self.known(component).cloned()
    }

    fn explanation(&self, component: &ComponentRef) -> ExplanationView {
        super::fake_components::explanation(component, self.known(component).is_some())
    }

    fn resources(&self, filter: &ResourceFilter, page: &PageRequest<ResourceCursor>) -> Page<ResourceView> {
        let of = |detail: &ComponentDetail| {
            resource(detail).filter(|part| {
                filter.alarmed != Some(true) && filter.component.as_ref().is_none_or(|wanted| part.component == *wanted)
            })
        };
        let all = self
            .components
            .iter()
            .filter_map(of)
            .filter(|part| page.after.as_ref().is_none_or(|after| part.component > after.component));
        Page::take(all, page.limit, |last| {
            ResourceCursor { component: last.component.clone(), resource: last.resource.clone() }.to_string()
        })
    }

    fn resource(&self, component: &ComponentRef, name: &str) -> Option<ResourceDetail> {
        let detail = self.known(component)?;
        let summary = resource(detail).filter(|part| part.resource == name)?;
        let last_values = detail.values.iter().filter(|value| value.resource == name).cloned().collect();
        Some(ResourceDetail { summary, last_values, inventory_entries: Vec::new() })
    }

    fn alarms(
        &self,
        filter: &AlarmFilter,
        function: Option<FcapsFunction>,
        page: &PageRequest<u64>,
    ) -> Page<AlarmView> {
        let alarms = self.alarms.lock().unwrap_or_else(PoisonError::into_inner);
        let rest = alarms.iter().rev();
        let rest = rest.filter(|alarm| filter.matches(alarm) && page.after.is_none_or(|after| alarm.id < after));
        let views = rest.cloned().map(AlarmView::plain);
        let views = views.filter(|view| function.is_none_or(|function| view.function == function));
        Page::take(views, page.limit, |view| view.alarm.id.to_string())
    }

    fn alarm(&self, id: u64) -> Option<AlarmView> {
        self.alarms.lock().unwrap().iter().find(|alarm| alarm.id == id).cloned().map(AlarmView::plain)
    }

    fn alarm_links(&self, _: u64) -> Vec<String> {
        vec!["vienna-brno".to_owned()]
    }

    fn alarm_summary(&self) -> AlarmSummary {
        AlarmSummary::of(self.alarms.lock().unwrap().iter())
    }

    fn operate_alarm(
        &self,
        id: u64,
        operator: &str,
        state: OperatorState,
        comment: &str,
    ) -> Answer<'_, Result<AlarmView, OperateAlarmError>> {
        let result = (|| {
            let mut alarms = self.alarms.lock().unwrap();
            let alarm = alarms.iter_mut().find(|alarm| alarm.id == id).ok_or(OperateAlarmError::UnknownAlarm(id))?;
            *alarm = alarm::operate(alarm, operator, state, comment, NOW)?;
            Ok(AlarmView::plain(alarm.clone()))
        })();
        Box::pin(std::future::ready(result))
    }

    fn request_status(
        &self,
        component: &ComponentRef,
        _: &str,
        query: StatusQuery,
    ) -> Answer<'_, Result<StatusAnswer, RequestError>> {
        let component = component.clone();
        let result = match self.known(&component) {
            None => Err(RequestError::UnknownComponent(component)),
            Some(detail) if detail.connections.is_empty() => Err(RequestError::NotConnected(component)),
            Some(_) if query.names.iter().any(|name| name == "slow") => {
                Err(RequestError::TimedOut { component, after: Duration::from_secs(10) })
            }
            Some(_) if query.names.iter().any(|name| name == "refused") => {
                Err(RequestError::Refused { response: "rejected: no such name".into() })
            }
            Some(_) if query.names.iter().any(|name| name == "busy") => Err(RequestError::Busy(component)),
            Some(detail) => Ok(StatusAnswer {
                values: detail.values.clone(),
                component,
                received: NOW,
                time: NOW.plus(-10),
                missing: Vec::new(),
                extension: None,
            }),
        };
        Box::pin(std::future::ready(result))
    }

    fn enrolment(&self) -> &dyn EnrolmentDesk {
        &super::fake_enrolment::FakeEnrolment
    }

    fn peer_requests(&self) -> &dyn super::PeerRequestDesk {
        &super::fake_peer_requests::FakePeerRequests
    }

    fn federation(&self) -> &dyn FederationDesk {
        &super::fake_federation::FakeFederation
    }

    fn collectors(&self) -> Vec<CollectorView> {
        let text = r#"{"name":"kme-1","components":["mk/kme-1"],"plugin":"plugins/collector-etsi014.wasm","sha256":"ab",
            "state":"working","hosts":[{"name":"kme","url":"https://kme-1.example.net:443/","askedFor":true}],
            "notGranted":[],"intervalMs":10000,"collections":9,"collectionsFailed":2,"requests":9,"requestsFailed":2,
            "requestsRefused":[{"why":"keys","requests":1}],"reports":7,"reportsRefused":0,
            "lastSuccess":"2026-11-26T07:59:00Z","failingSince":null,"lastError":"status 503",
            "lastErrorTime":"2026-11-26T07:50:30Z","lastRefusal":null,"nextCollection":"2026-11-26T08:00:01Z"}"#;
        vec![serde_json::from_str(text).unwrap()]
    }

    fn exporters(&self) -> &dyn ExporterDesk {
        &super::fake_exporters::FakeExporters
    }

    fn subscriptions(&self) -> Answer<'_, Option<Vec<SubscriptionView>>> {
        let text = r#"{"id":"s01","subscriber":"mu/net-1","created":"2026-01-01T00:00:00Z","granted":{"events":[{}],
            "notificationMethod":"ONE_TIME"},"connected":true,"lastSequence":3,"acknowledged":2,"backlog":1,
            "backlogBytes":9,"lost":0}"#;
        Box::pin(std::future::ready(Some(vec![serde_json::from_str(text).unwrap()])))
    }

    fn remove_subscription(&self, id: &str, operator: &str) -> Answer<'_, Option<bool>> {
        assert_eq!(operator, "ops");
        Box::pin(std::future::ready(Some(id == "s01")))
    }

    fn reports(
        &self,
        component: &ComponentRef,
        from_sequence: Option<u64>,
        page: &PageRequest<ReportCursor>,
    ) -> Answer<'_, Result<Page<ReportView>, ReportsError>> {
        let result = self.known(component).ok_or_else(|| ReportsError::UnknownComponent(component.clone())).map(|_| {
            let reports = (0..5_u32).map(|n| ReportView {
                position: ReportCursor { position: JournalPosition(7 << 16), index: n },
                component: component.clone(),
                received: NOW,
                time: NOW,
                incarnation: Some(0),
                sequence: Some(u64::from(n)),
                outcome: if n == 3 { ReportOutcome::Refused } else { ReportOutcome::Accepted },
                refusal: (n == 3).then(|| "rejected: extension[0].values.qber_ratio: expected a number".into()),
                answers_request: false,
                values: if n == 3 { Vec::new() } else { values() },
                extension: None,
            });
            let rest = reports.filter(|report| {
                from_sequence.is_none_or(|from| report.sequence >= Some(from))
                    && page.after.is_none_or(|after| report.position > after)
            });
            Page::take(rest, page.limit, |report| report.position.to_string())
        });
        Box::pin(std::future::ready(result))
    }

    fn audit(
        &self,
        filter: &AuditFilter,
        page: &PageRequest<u64>,
    ) -> Answer<'_, Result<Page<AuditEntryView>, ReportsError>> {
        let entry = |number: u64| AuditEntryView {
            number,
            time: NOW.plus(-1_000),
            kind: if number == 2 { "refused" } else { "operator" }.to_owned(),
            who: "ops".to_owned(),
            what: format!("did {number}"),
            detail: serde_json::Value::Null,
            previous: "0".repeat(64),
        };
        let newer_first = (1..=3).rev().filter(|number| page.after.is_none_or(|after| *number < after)).map(entry);
        let page =
            Page::take(newer_first.filter(|entry| filter.matches(entry)), page.limit, |last| last.number.to_string());
        Box::pin(std::future::ready(Ok(page)))
    }

    fn history(&self, filter: &HistoryFilter) -> Answer<'_, Result<HistoryView, HistoryError>> {
        let result = if filter.name == "none" {
            Err(HistoryError::Unknown("no component ever reported `none`".to_owned()))
        } else {
            Ok(HistoryView {
                component: filter.component.clone(),
                resource: filter.resource.clone(),
                name: filter.name.clone(),
                unit: None,
                from: filter.from,
                to: filter.to,
                step_ms: (filter.step_ms > 0).then_some(filter.step_ms),
                level: "raw".to_owned(),
                points: Vec::new(),
            })
        };
        Box::pin(std::future::ready(result))
    }

    fn values(&self, _: &ValueFilter, page: &PageRequest<ValueCursor>) -> Page<LastValueView> {
        let of = |detail: &ComponentDetail| {
            let component = detail.summary.component.clone();
            let one = move |value: &ValueView| LastValueView { component: component.clone(), value: value.clone() };
            detail.values.iter().map(one).collect::<Vec<_>>()
        };
        Page::take(self.components.iter().flat_map(of), page.limit, |last| {
            ValueCursor { component: last.component.clone(), place: 0 }.to_string()
        })
    }

    fn network(&self, filter: &NetworkFilter, page: &PageRequest<NetworkCursor>) -> Page<NetworkEntryView> {
        let entry = |n: u32| NetworkEntryView {
            component: reference("mk/km-1"),
            kind: if filter.inventory { "inventory" } else { "link" }.to_owned(),
            resource: String::new(),
            name: format!("n-{n}"),
            value: serde_json::json!(n),
            since: NOW,
            changed: NOW,
            time: NOW,
        };
        let after = page.after.as_ref().map(|after| after.place.name.to_string()).unwrap_or_default();
        let kind = if filter.inventory { EntryKind::Inventory } else { EntryKind::Link };
        let known = (0..5).map(entry).filter(|entry| entry.name > after);
        Page::take(known, page.limit, |last| {
            let place = Place { kind, resource: "".into(), name: last.name.as_str().into() };
            NetworkCursor { component: last.component.clone(), place }.to_string()
        })
    }

    fn network_changes(
        &self,
        filter: &NetworkFilter,
        page: &PageRequest<u64>,
    ) -> Answer<'_, Result<Page<NetworkChangeView>, ReportsError>> {
        let kind = if filter.inventory { "inventory" } else { "link" };
        let change = |number: u64| NetworkChangeView {
            number,
            component: reference("mk/km-1"),
            kind: kind.to_owned(),
            resource: String::new(),
            name: "x".to_owned(),
            before: serde_json::Value::Null,
            after: serde_json::json!("y"),
            at: NOW,
        };
        let numbers = (1..=5).rev().filter(|number| page.after.is_none_or(|after| *number < after));
        let page = Page::take(numbers.map(change), page.limit, |last| last.number.to_string());
        Box::pin(std::future::ready(Ok(page)))
    }

    fn usage(&self, by: UsageBy, _: &UsageFilter) -> Answer<'_, Result<Vec<UsageTotalView>, ReportsError>> {
        let total = UsageTotalView {
            name: format!("{by:?}").to_lowercase(),
            intervals: 2,
            consumed_bits: 512.0,
            supplied_keys: 2.0,
            relayed_bits: 0.0,
            from: NOW,
            to: NOW,
        };
        Box::pin(std::future::ready(Ok(vec![total])))
    }

    fn policies(&self) -> Vec<PolicyView> {
        vec![PolicyView {
            name: "qber".into(),
            function: FcapsFunction::Performance,
            plugin: "builtin:threshold".into(),
            version: "0.1.0".into(),
            sha256: "ab".repeat(32),
            mode: PolicyMode::Shadow,
            applies_to: ComponentMatchView::default(),
            config: serde_json::json!({ "value": "qber_ratio" }),
            counters: PluginCounters { calls: 3, reports: 42, seconds: 1.5, ..PluginCounters::default() },
            last_failure: Some(FailureView { time: NOW, text: "trapped".into() }),
        }]
    }

    fn handlers(&self) -> Vec<HandlerView> {
        vec![HandlerView {
            name: "mk".into(),
            reference_point: ReferencePoint::Mk,
            plugin: "builtin:mk".into(),
            version: "0.1.0".into(),
            sha256: "cd".repeat(32),
            on_failure: OnFailure::KeepRaw,
            then: None,
            counters: PluginCounters::default(),
            last_failure: None,
        }]
    }

    fn plugins(&self) -> Vec<PluginView> {
        vec![PluginView {
            plugin: "builtin:threshold".into(),
            sha256: "ab".repeat(32),
            signed_by: None,
            signature: "inside the manager's binary, approved with it".into(),
            role: "policy".into(),
            name: "threshold".into(),
            version: "0.1.0".into(),
            summary: "Alarms when a value crosses a level.".into(),
            schema: serde_json::json!({ "type": "object" }),
            used_by: vec!["qber".into()],
        }]
    }

    fn plugin_activity(&self) -> Vec<PluginActivityView> {
        self.policies()
            .into_iter()
            .map(|policy| PluginActivityView {
                name: policy.name,
                role: "policy".into(),
                plugin: policy.plugin,
                version: policy.version,
                sha256: policy.sha256,
                former_version: Some("0.0.9".into()),
                held_back_sha256: None,
                total: ActivityView { calls: 3, p50_us: Some(7.5), ..ActivityView::default() },
                log_lines_dropped: 0,
                capability_refusals: 0,
                verdicts_dropped: 2,
                samples_not_shown: 0,
                last_failure: policy.last_failure,
                instances: vec![InstanceActivityView {
                    instance: "shard-0".into(),
                    busy_ms: Some(12),
                    activity: ActivityView { calls: 3, ..ActivityView::default() },
                }],
            })
            .collect()
    }

    fn interfaces(&self) -> Vec<InterfaceView> {
        vec![InterfaceView {
            reference_point: ReferencePoint::Mk,
            listen: vec![([127, 0, 0, 1], 7104).into()],
            key_exchange: "hybrid-preferred".into(),
            components: ComponentCount { known: 3, connected: 2 },
            connections: 2,
            max_connections: 10_000,
            lines: 50,
            accepted: 42,
            refused: 1,
        }]
    }

    fn reload(&self, operator: &str, dry_run: bool) -> Answer<'_, ReloadView> {
        let view = ReloadView {
            result: if dry_run { ReloadResult::WouldApply } else { ReloadResult::Refused },
            time: NOW,
            generation: 1,
            by: operator.to_owned(),
            summary: "policy qber changed (config)".into(),
            change: serde_json::json!({}),
            problems: vec![
                serde_json::json!({ "level": "error", "message": "no such file", "file": "m.toml", "line": 3 }),
            ],
            needs_restart: serde_json::json!([]),
            connections_closed: 0,
            took_ms: 1.5,
            held_ms: 0.1,
            rehearsal: None,
        };
        Box::pin(std::future::ready(view))
    }

    fn quarantine(&self) -> Answer<'_, Result<Vec<QuarantineView>, ReportsError>> {
        let kept = QuarantineView {
            time: NOW,
            plugin: "mk".into(),
            component: "mk/km-1".into(),
            failure: "trap: unreachable".into(),
            report: "skr_bps = 1".into(),
        };
        Box::pin(async { Ok(vec![kept]) })
    }

    fn reload_plugin(&self, name: &str, operator: &str, dry_run: bool, _anyway: bool) -> Answer<'_, PluginExchanged> {
        let is_known = name == "qber";
        let reload = self.reload(operator, dry_run);
        let unknown = format!("no handler or policy is configured as `{name}`");
        Box::pin(async move { if is_known { Ok(reload.await) } else { Err(PluginExchangeError::Unknown(unknown)) } })
    }

    fn roll_back_plugin(&self, name: &str, operator: &str) -> Answer<'_, PluginExchanged> {
        self.reload_plugin(name, operator, false, false)
    }

    fn reload_status(&self) -> ReloadStatusView {
        ReloadStatusView {
            generation: 1,
            since: NOW,
            file: Some("manager.toml".into()),
            files_differ: false,
            reloads_on_change: true,
            last_success: None,
            last: None,
        }
    }

    fn configuration(&self) -> ConfigurationView {
        let from =
            crate::config::origin::Origin::Environment { variable: "QKDNM__LOG__LEVEL".into(), inherited_from: None };
        ConfigurationView {
            generation: 1,
            since: NOW,
            by: "start".into(),
            file: Some("manager.toml".into()),
            files_differ: false,
            configuration: serde_json::json!({ "log": { "level": "debug" } }),
            origins: [("/log/level".to_owned(), from)].into(),
        }
    }

    fn events(&self) -> Arc<EventLog> {
        Arc::clone(&self.events)
    }

    fn health(&self) -> Health {
        Health {
            ready: self.ready,
            reasons: if self.ready { Vec::new() } else { vec!["The journal cannot be written.".into()] },
            manager: "manager-east".into(),
            domain: "east".into(),
            version: "0.1.0".into(),
            started: NOW.plus(-3_600_000),
            uptime_seconds: 3_600,
            components: ComponentCount { known: 4, connected: 3 },
            interfaces: self.interfaces(),
            alarms: self.alarm_summary(),
        }
    }

    fn gauges(&self) -> Gauges {
        Gauges {
            interfaces: vec![InterfaceGauges {
                reference_point: ReferencePoint::Mk,
                components: ComponentCount { known: 3, connected: 2 },
            }],
            silent: Vec::new(),
            network: vec![NetworkLevel {
                reference_point: ReferencePoint::Mk,
                value: "key_store_fill_ratio".into(),
                count: 2,
                least: 0.1,
                greatest: 0.5,
                mean: 0.3,
            }],
            shard_mailboxes: vec![0, 2],
            symbols: 120,
            journal_size_bytes: 1 << 20,
            policy_timers: 1,
            federation: Some(super::fake_federation::levels()),
        }
    }

    fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.metrics)
    }
}
