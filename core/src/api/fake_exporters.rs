//! One exporter in memory, for tests of the API and of the commands.

use std::future::ready;

use super::{
    Answer, ExporterDesk,
    views::{ExporterView, ParkedEventView, RetryView, TestView},
};

pub(super) struct FakeExporters;

impl ExporterDesk for FakeExporters {
    fn list(&self) -> Vec<ExporterView> {
        let text = r#"{"name":"noc","kind":"webhook","url":"https://noc.example.net:443/alarms","state":"retrying",
            "cursor":"12.3","delivered":"11.0","pending":4,"parked":1,"firing":0,"eventsDelivered":9,"requestsFailed":2,
            "superseded":0,"lastSuccess":"2026-11-26T07:59:00Z","failingSince":"2026-11-26T07:59:30Z",
            "lastError":"status 503","lastErrorTime":"2026-11-26T07:59:30Z","nextAttempt":"2026-11-26T08:00:01Z"}"#;
        vec![serde_json::from_str(text).unwrap()]
    }

    fn parked(&self, name: &str) -> Answer<'_, Option<Result<Vec<ParkedEventView>, String>>> {
        let text = r#"[{"event":"10.0.0-7","kind":"raised","alarm":7,"component":"mk/km-1","alarmTypeId":"key-store-low",
            "severity":"major","parked":"2026-11-26T07:00:00Z","why":"status 422: no such field"}]"#;
        Box::pin(ready((name == "noc").then(|| Ok(serde_json::from_str(text).unwrap()))))
    }

    fn retry(&self, name: &str, operator: &str) -> Answer<'_, Option<Result<RetryView, String>>> {
        assert_eq!(operator, "ops");
        Box::pin(ready((name == "noc").then_some(Ok(RetryView { requeued: 1, outdated: 0 }))))
    }

    fn test(&self, name: &str, operator: &str) -> Answer<'_, Option<TestView>> {
        assert_eq!(operator, "ops");
        let error = Some("cannot connect to noc.example.net:443: refused".to_owned());
        Box::pin(ready((name == "noc").then_some(TestView { delivered: false, status: None, milliseconds: 3, error })))
    }
}
