//! Alarms of the manager's own that are not known to be stored.
//!
//! A report that could not be committed is sent again by its component; an alarm of the manager's own has no sender who
//! would. So the shard keeps each request until the batch that it became is committed, and takes it again after a commit
//! failed. In: requests with the number of their batch, how far the journal has come, and that an epoch was given up.
//! Out: requests to be taken again, in their order. Knows neither journal nor alarms; when to try again is the caller's.

use std::collections::VecDeque;

use super::mailbox::AlarmRequest;
use crate::config::limits::ALARMS_UNSTORED;

/// The requests, oldest first.
#[derive(Debug, Default)]
pub struct OwedAlarms {
    /// In a batch that was sealed, with its number.
    sealed: VecDeque<(u64, AlarmRequest)>,
    /// Taken back, and those that came after; older than nothing in `sealed`.
    again: VecDeque<AlarmRequest>,
}

impl OwedAlarms {
    /// Keeps requests that became part of a batch.
    pub fn sealed(&mut self, number: u64, requests: Vec<AlarmRequest>) {
        self.sealed.extend(requests.into_iter().map(|request| (number, request)));
    }

    /// Forgets what was stored: all batches up to and including `number`.
    pub fn committed(&mut self, number: u64) {
        while self.sealed.front().is_some_and(|(batch, _)| *batch <= number) {
            self.sealed.pop_front();
        }
    }

    /// What was not committed is to be taken again.
    pub fn take_back(&mut self) {
        for (_, request) in std::mem::take(&mut self.sealed).into_iter().rev() {
            self.again.push_front(request);
        }
    }

    /// Whether requests wait to be taken again: what comes now has to wait behind them.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        !self.again.is_empty()
    }

    /// Has a request wait behind the others; it comes back if too many wait.
    pub fn wait(&mut self, request: AlarmRequest) -> Result<(), Box<AlarmRequest>> {
        if self.again.len() >= ALARMS_UNSTORED {
            return Err(Box::new(request));
        }
        self.again.push_back(request);
        Ok(())
    }

    /// Everything that waits, to be taken now.
    pub fn due(&mut self) -> Vec<AlarmRequest> {
        std::mem::take(&mut self.again).into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::AlarmKey;

    fn request(number: u64) -> AlarmRequest {
        let key = AlarmKey {
            component: "mx/m".to_owned(),
            resource: number.to_string(),
            alarm_type_id: "x".to_owned(),
            alarm_type_qualifier: String::new(),
        };
        AlarmRequest { key, report: None, text: String::new() }
    }

    fn numbers(requests: &[AlarmRequest]) -> Vec<u64> {
        requests.iter().map(|request| request.key.resource.parse().unwrap()).collect()
    }

    #[test]
    fn too_many_are_given_back() {
        let mut owed = OwedAlarms::default();
        for number in 0..ALARMS_UNSTORED as u64 {
            assert!(owed.wait(request(number)).is_ok());
        }
        assert_eq!(owed.wait(request(7)).unwrap_err().key.resource, "7");
        assert_eq!(owed.due().len(), ALARMS_UNSTORED);
        assert!(!owed.is_waiting());
    }

    proptest! {
        /// As the shard uses it: whatever fails and whenever, each request is committed once, in the order in which it came.
        #[test]
        fn each_request_is_stored_once_and_in_order(steps in prop::collection::vec(0_u8..4, 1..200)) {
            let mut owed = OwedAlarms::default();
            let (mut next, mut batch) = (0, 0);
            let mut in_flight: VecDeque<(u64, Vec<u64>)> = VecDeque::new();
            let mut stored = Vec::new();
            for step in steps.into_iter().chain([2, 3, 1]).chain(std::iter::repeat_n(1, 200)) {
                match step {
                    // A request comes.
                    0 => {
                        if owed.is_waiting() {
                            owed.wait(request(next)).unwrap();
                        } else {
                            batch += 1;
                            owed.sealed(batch, vec![request(next)]);
                            in_flight.push_back((batch, vec![next]));
                        }
                        next += 1;
                    }
                    // The oldest batch is committed.
                    1 => {
                        if let Some((number, requests)) = in_flight.pop_front() {
                            stored.extend(requests);
                            owed.committed(number);
                        }
                    }
                    // A commit fails, and with it everything behind it.
                    2 => {
                        in_flight.clear();
                        owed.take_back();
                    }
                    // It is tried again.
                    _ => {
                        let due = owed.due();
                        if !due.is_empty() {
                            batch += 1;
                            in_flight.push_back((batch, numbers(&due)));
                            owed.sealed(batch, due);
                        }
                    }
                }
            }
            prop_assert_eq!(stored, (0..next).collect::<Vec<_>>());
        }
    }
}
