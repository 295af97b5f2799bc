//! Alarms of the manager's own on their way to the shard that has them.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    alarm::AlarmBoard,
    config::limits::ALARMS_LATE,
    dispatch::registry::shard_of,
    shard::{AlarmRequest, Mailbox, ShardMessage},
};

/// Hands alarms to shards: an alarm belongs to the shard of its component, and what is about the manager itself to the
/// shard of the manager's own reference.
#[derive(Clone, Debug)]
pub struct AlarmDesk {
    shards: Arc<[Mailbox]>,
    /// Those whose shard was full, in order.
    late: Arc<Mutex<VecDeque<AlarmRequest>>>,
}

impl AlarmDesk {
    /// For these shards.
    #[must_use]
    pub fn new(shards: Arc<[Mailbox]>) -> Self {
        Self { shards, late: Arc::default() }
    }

    /// The mailbox of the shard that has the alarms of a component (`mk/km-1`).
    #[must_use]
    pub fn mailbox(&self, component: &str) -> Option<&Mailbox> {
        self.shards.get(shard_of(component, self.shards.len()))
    }

    /// Hands an alarm over; one whose shard is full waits for [`Self::retry`], behind those that wait already.
    pub fn put(&self, request: AlarmRequest) {
        let mut late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = if late.is_empty() { self.try_put(request) } else { Some(request) };
        let Some(request) = refused else { return };
        if late.len() < ALARMS_LATE {
            late.push_back(request);
        } else {
            tracing::error!(key = %request.key, "An alarm was lost: its shard is full, and too many alarms wait already.");
        }
    }

    /// Tries again what waits. Called every second.
    pub fn retry(&self) {
        let mut late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(request) = late.pop_front() {
            if let Some(request) = self.try_put(request) {
                late.push_front(request);
                return;
            }
        }
    }

    /// Clears the alarms that the manager raised about itself before it was started: what still holds is raised again.
    pub fn clear_those_before(&self, board: &AlarmBoard, manager: &str) {
        for alarm in board.all() {
            if !alarm.is_cleared && alarm.raised_by == "manager" && alarm.key.component == manager {
                let text = "the manager was started again; what still holds is raised again".to_owned();
                self.put(AlarmRequest { key: alarm.key.clone(), report: None, text });
            }
        }
    }

    /// The request again if its shard is full.
    fn try_put(&self, request: AlarmRequest) -> Option<AlarmRequest> {
        let mailbox = self.mailbox(&request.key.component)?;
        match mailbox.put(ShardMessage::Alarm(request)) {
            Err(ShardMessage::Alarm(request)) => Some(request),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::AlarmKey;

    fn request(number: usize) -> AlarmRequest {
        let key = AlarmKey {
            component: "mx/m".to_owned(),
            resource: number.to_string(),
            alarm_type_id: "x".to_owned(),
            alarm_type_qualifier: String::new(),
        };
        AlarmRequest { key, report: None, text: String::new() }
    }

    #[test]
    fn alarms_of_a_full_shard_wait_in_order() {
        let (mailbox, mut waiting) = Mailbox::new();
        let desk = AlarmDesk::new(vec![mailbox].into());
        let mut sent = 0;
        while desk.late.lock().unwrap().is_empty() {
            desk.put(request(sent));
            sent += 1;
        }
        desk.put(request(sent));
        let number = |message| match message {
            ShardMessage::Alarm(request) => request.key.resource.parse::<usize>().unwrap(),
            _ => panic!("only alarms were sent"),
        };
        let mut seen: Vec<usize> = std::iter::from_fn(|| waiting.try_recv().ok()).map(number).collect();
        desk.retry();
        seen.extend(std::iter::from_fn(|| waiting.try_recv().ok()).map(number));
        assert_eq!(seen, (0..=sent).collect::<Vec<_>>());
    }
}
