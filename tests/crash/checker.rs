//! What was sent and what was acknowledged, against what the manager says it has.

use std::collections::{BTreeMap, BTreeSet};

use harness::Api;
use serde_json::Value;

use crate::load::fill_ratio;

/// The sender's book of one component.
#[derive(Default)]
pub(crate) struct Ledger {
    next: u64,
    /// Numbers to be sent again: refused for now, or open when a process died.
    again: BTreeSet<u64>,
    /// Sent on a connection that still lives.
    open: BTreeSet<u64>,
    /// Ever sent.
    sent: BTreeSet<u64>,
    acknowledged: BTreeSet<u64>,
    /// All numbers up to this one were acknowledged and found at the last check.
    settled_to: u64,
    /// Reports stored at the last check, and the number of the one accepted last.
    last_seen: (u64, u64),
}

impl Ledger {
    /// The next number to send, the oldest first; none beyond `last`.
    pub(crate) fn take(&mut self, last: u64) -> Option<u64> {
        let sequence = match self.again.pop_first() {
            Some(sequence) => sequence,
            None if self.next < last => {
                self.next += 1;
                self.next
            }
            None => return None,
        };
        self.open.insert(sequence);
        self.sent.insert(sequence);
        Some(sequence)
    }

    pub(crate) fn acknowledge(&mut self, sequence: u64) {
        assert!(self.open.remove(&sequence), "{sequence} was answered twice, or never sent");
        self.acknowledged.insert(sequence);
    }

    pub(crate) fn give_back(&mut self, sequence: u64) {
        assert!(self.open.remove(&sequence), "{sequence} was answered twice, or never sent");
        self.again.insert(sequence);
    }

    /// The process is gone: what was open is unknown, and will be sent again.
    pub(crate) fn connection_lost(&mut self) {
        self.again.append(&mut self.open);
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.open.is_empty() && self.again.is_empty()
    }

    pub(crate) fn acknowledged(&self) -> usize {
        self.acknowledged.len()
    }

    pub(crate) fn last_number(&self) -> u64 {
        self.next
    }
}

/// How much of the past a check looks at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// What is new since the last check.
    New,
    /// Everything there ever was.
    Whole,
}

/// Compares one component's book with the manager.
pub(crate) fn check(api: &Api, component: &str, ledger: &mut Ledger, depth: Depth) {
    let name = format!("mk/{component}");
    let before = if depth == Depth::Whole { 0 } else { ledger.settled_to };
    let reports = api.accepted_reports(&name, before + 1);
    let mut stored: BTreeMap<u64, usize> = BTreeMap::new();
    for report in &reports {
        let sequence = report["sequence"].as_u64().unwrap_or_else(|| panic!("a report without number: {report}"));
        *stored.entry(sequence).or_default() += 1;
        check_content(report, sequence);
    }
    let twice: Vec<_> = stored.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "{name}: stored more than once: {twice:?}");
    let lost: Vec<_> =
        ledger.acknowledged.range(before + 1..).filter(|sequence| !stored.contains_key(*sequence)).collect();
    assert!(lost.is_empty(), "{name}: acknowledged but lost: {lost:?}");
    let invented: Vec<_> = stored.keys().filter(|sequence| !ledger.sent.contains(sequence)).collect();
    assert!(invented.is_empty(), "{name}: stored but never sent: {invented:?}");
    let count = before + reports.len() as u64;
    if let Some(newest) = reports.last().and_then(|report| report["sequence"].as_u64()) {
        // What is new is in the order in which it was accepted; but where nothing was accepted since the last check, the
        // last of all may be among the settled ones, which are not read again.
        if count > ledger.last_seen.0 || depth == Depth::Whole {
            ledger.last_seen = (count, newest);
        }
        check_state(api, &name, &reports, ledger.last_seen, depth);
    }
    while ledger.acknowledged.contains(&(ledger.settled_to + 1)) {
        ledger.settled_to += 1;
    }
}

/// Every report says what its number says: nothing half done, nothing mixed up.
fn check_content(report: &Value, sequence: u64) {
    let value = |wanted: &str| {
        report["values"].as_array().and_then(|values| {
            values.iter().find(|value| value["name"] == wanted).and_then(|value| value["value"].as_f64())
        })
    };
    for (name, expected) in [
        ("stored_key_count", sequence as f64),
        ("key_store_fill_ratio", fill_ratio(sequence)),
        ("relay_count", sequence as f64),
    ] {
        let found = value(name).unwrap_or_else(|| panic!("report {sequence} has no {name}: {report}"));
        assert!((found - expected).abs() < 1e-9, "report {sequence} says {name} = {found}, sent was {expected}");
    }
}

/// State and alarm are those that the stored reports lead to, in the order in which they were accepted.
fn check_state(api: &Api, name: &str, reports: &[Value], (count, last): (u64, u64), depth: Depth) {
    let answer = api.get(&format!("/api/v1/components/{name}"));
    assert_eq!(answer.status, 200, "{}", answer.text);
    let counted = answer.json()["reports"].as_u64();
    assert_eq!(counted, Some(count), "{name}: counted is what is stored");
    let ratio = |report: &Value| fill_ratio(report["sequence"].as_u64().unwrap_or_default());
    assert_eq!(
        api.value(name, "key_store_fill_ratio"),
        Some(fill_ratio(last)),
        "{name}: the last value is the last report's"
    );
    let alarms = api.list(&format!("/api/v1/alarms?component={name}"));
    let of_policy: Vec<_> = alarms.iter().filter(|alarm| alarm["alarmTypeId"] == "key-store-full").collect();
    let raises = std::iter::once(false)
        .chain(reports.iter().map(|report| ratio(report) > 0.9))
        .collect::<Vec<_>>()
        .windows(2)
        .filter(|pair| pair == &[false, true])
        .count();
    // A policy sees a batch at a time: what rises and falls within one batch need not raise anything.
    let is_high = fill_ratio(last) > 0.9;
    match of_policy.as_slice() {
        [] => assert!(!is_high, "{name}: the last report is over the threshold and there is no alarm"),
        [alarm] => {
            assert_eq!(alarm["isCleared"], !is_high, "{name}: the alarm fits the last value: {alarm}");
            let count = alarm["raiseCount"].as_u64().unwrap_or_default();
            let is_bound = depth == Depth::Whole;
            assert!(
                count >= 1 && (!is_bound || count <= raises as u64),
                "{name}: the reports rise {raises} times: {alarm}"
            );
        }
        several => panic!("{name}: one key, one alarm: {several:?}"),
    }
}
