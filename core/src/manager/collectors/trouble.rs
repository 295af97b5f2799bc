//! The alarm about a collector's plugin: raised when a call fails, cleared when one goes well.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::{
    manager::alarms::AlarmDesk,
    model::{AlarmKey, AlarmReport, Severity, alarm::Fact},
    plugin::PluginFailure,
    shard::AlarmRequest,
};

/// Of one collector.
pub(super) struct Trouble {
    desk: AlarmDesk,
    manager: String,
    collector: String,
    raised: AtomicBool,
}

impl Trouble {
    pub(super) const fn new(desk: AlarmDesk, manager: String, collector: String) -> Self {
        Self { desk, manager, collector, raised: AtomicBool::new(false) }
    }

    fn key(&self) -> AlarmKey {
        AlarmKey {
            component: self.manager.clone(),
            resource: format!("plugin {}", self.collector),
            alarm_type_id: "plugin-failed".to_owned(),
            alarm_type_qualifier: String::new(),
        }
    }

    /// A call failed.
    pub(super) fn with_plugin(&self, failure: &PluginFailure) {
        if self.raised.swap(true, Ordering::Relaxed) {
            return;
        }
        let report = AlarmReport {
            severity: Severity::Major,
            text: format!("the collector {} fails: {}", self.collector, failure.kind()),
            event_type: "processing-error".to_owned(),
            probable_cause: "software-error".to_owned(),
            observed: None,
            threshold: None,
            repair_actions: vec![
                format!("See why: `qkdnm collector show {}`, and the manager's log.", self.collector),
                "Tell whoever made the plugin; its components are not heard of until it works.".to_owned(),
            ],
            additional_information: vec![Fact { name: "failure".to_owned(), value: failure.detail().to_owned() }],
        };
        self.desk.put(AlarmRequest { key: self.key(), report: Some(report), text: String::new() });
    }

    /// Its calls go well.
    pub(super) fn over(&self) {
        if self.raised.swap(false, Ordering::Relaxed) {
            let text = "a call went well".to_owned();
            self.desk.put(AlarmRequest { key: self.key(), report: None, text });
        }
    }
}
