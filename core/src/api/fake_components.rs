//! Components that the manager in memory knows, for the tests of the API.

use super::{
    fake_backend::NOW,
    views::{
        ComponentDetail, ComponentSummary, ConnectionView, ExplanationView, OutwardState, OutwardSubscriptionView,
        ReportedValue, RuleView, ValueView,
    },
};
use crate::model::ComponentRef;

/// One, connected or not.
pub(super) fn component(text: &str, connected: bool) -> ComponentDetail {
    let mut summary = ComponentSummary::new(text.parse().unwrap());
    summary.vendor = "acme".into();
    summary.model = "k2".into();
    summary.site = "vienna".into();
    summary.tags = vec!["metro".into()];
    summary.configured = true;
    summary.expected_interval_ms = Some(30_000);
    let mut connections = Vec::new();
    if connected {
        summary.connection_count = 1;
        summary.last_report = Some(NOW.plus(-5_000));
        summary.reports = 42;
        connections.push(ConnectionView {
            peer_address: "192.0.2.7:50000".into(),
            since: NOW.plus(-3_600_000),
            key_exchange: "X25519MLKEM768".into(),
            dialled: false,
        });
    }
    ComponentDetail {
        summary,
        connections,
        dial: None,
        incarnation: connected.then_some(0),
        last_sequence: connected.then_some(41),
        outstanding: if connected { 2 } else { 0 },
        gaps: 0,
        kept: 0,
        unknown: Vec::new(),
        handler: "mk".into(),
        policies: vec!["qber".into()],
        values: if connected { values() } else { Vec::new() },
        outward_subscriptions: vec![OutwardSubscriptionView {
            name: "key-stores".into(),
            state: if connected { OutwardState::Granted } else { OutwardState::NotConnected },
            reason: None,
            subscription_id: connected.then(|| "sub-1".into()),
            durable: connected,
            failed_events: Vec::new(),
            poll_interval_ms: None,
            notifications: if connected { 7 } else { 0 },
            missing: 0,
            last_notification: connected.then(|| NOW.plus(-5_000)),
        }],
    }
}

/// What it last said.
pub(super) fn values() -> Vec<ValueView> {
    vec![
        ValueView {
            name: "key_store_fill_ratio".into(),
            resource: String::new(),
            value: ReportedValue::Number(0.25),
            unit: Some("ratio".into()),
            time: NOW.plus(-5_000),
        },
        ValueView {
            name: "kma_link_state".into(),
            resource: "link-1".into(),
            value: ReportedValue::Word("up".into()),
            unit: None,
            time: NOW.plus(-5_000),
        },
    ]
}

/// Why its reports go to the standard handler.
pub(super) fn explanation(component: &ComponentRef, is_known: bool) -> ExplanationView {
    let handler = RuleView {
        name: component.reference_point.to_string(),
        plugin: format!("builtin:{}", component.reference_point),
        applies: true,
        step: Some(1),
        why: "the first that matches".into(),
    };
    ExplanationView {
        collector: None,
        component: component.clone(),
        is_known,
        configured: is_known,
        vendor: if is_known { "acme".into() } else { String::new() },
        model: String::new(),
        version: String::new(),
        site: String::new(),
        tags: Vec::new(),
        handlers: vec![handler],
        policies: Vec::new(),
    }
}
