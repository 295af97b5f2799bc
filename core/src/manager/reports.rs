//! Stored reports for the API: the journal's own form, put into that of the API.

use std::path::Path;

use crate::{
    api::{
        Page, PageRequest, unit,
        views::{ReportCursor, ReportOutcome, ReportView, ReportedValue, ValueView},
    },
    model::ComponentRef,
    storage::{
        error::StorageError,
        read::{ReadSample, ReadValue, ReportPosition, ReportQuery, StoredReport, reports},
    },
};

/// Reads a page of a component's reports. Scans the journal: not for a shard's or connection's thread.
pub fn read(
    data_dir: &Path,
    component: &ComponentRef,
    from_sequence: Option<u64>,
    page: &PageRequest<ReportCursor>,
) -> Result<Page<ReportView>, StorageError> {
    let query = ReportQuery {
        component: Some(component.to_string()),
        from_sequence,
        limit: page.limit,
        after: page.after.map(|cursor| ReportPosition { batch: cursor.position, report: cursor.index }),
    };
    let found = reports(data_dir, &query)?;
    let next = found.next.map(|position| cursor(position).to_string());
    Ok(Page { items: found.reports.into_iter().map(|report| view(component, report)).collect(), next })
}

const fn cursor(position: ReportPosition) -> ReportCursor {
    ReportCursor { position: position.batch, index: position.report }
}

fn view(component: &ComponentRef, report: StoredReport) -> ReportView {
    ReportView {
        position: cursor(report.position),
        component: component.clone(),
        received: report.received,
        time: report.time,
        incarnation: report.incarnation,
        sequence: report.sequence,
        outcome: match report.answer {
            "accepted" => ReportOutcome::Accepted,
            "repeat" => ReportOutcome::Repeat,
            "kept-raw" => ReportOutcome::KeptRaw,
            _ => ReportOutcome::Refused,
        },
        refusal: report.refusal,
        answers_request: report.answers_request,
        values: report.values.into_iter().map(value).collect(),
        extension: report.extension.and_then(|text| serde_json::from_str(text.get()).ok()),
    }
}

fn value(sample: ReadSample) -> ValueView {
    let (value, unit) = match sample.value {
        ReadValue::Number(number) => (ReportedValue::Number(number), unit::of(&sample.name).map(str::to_owned)),
        ReadValue::Word(word) => (ReportedValue::Word(word), None),
        ReadValue::Flag(flag) => (ReportedValue::Flag(flag), None),
    };
    ValueView { name: sample.name, resource: sample.resource, value, unit, time: sample.time }
}
