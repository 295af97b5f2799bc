//! What happens once a shard's batch is durable, or is known not to be: answers, views, alarms, state database.
//!
//! Runs on the journal's thread, so it only hands things over; answers go by the shard, on whose thread the connections are
//! that wait for them. Nothing of a batch is visible to anybody before.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::{mpsc, oneshot};

use crate::{
    alarm::{AlarmBoard, AlarmChange, OperateError},
    config::limits::RETRY_UNAVAILABLE_MS,
    connection::answers::{AnswerBox, Answers},
    dispatch::{ComponentEntry, registry::ComponentView},
    model::{Alarm, EnrolmentDecision, ReasonCode, ReferencePoint, Refusal},
    storage::{
        JournalPosition, Tell,
        feed::Feed,
        follow::Follower,
        record::{AnswerCode, BatchRecord},
        state_db::{StateFlush, writer::StateWriter},
    },
    telemetry::metrics::Metrics,
};

/// How far the journal has come with a shard's batches; written by the journal's thread, read by the shard.
#[derive(Debug, Default)]
pub struct Progress {
    committed: AtomicU64,
    position: AtomicU64,
    epoch: AtomicU64,
}

impl Progress {
    /// Highest batch number committed.
    #[must_use]
    pub fn committed(&self) -> u64 {
        self.committed.load(Ordering::Acquire)
    }

    /// Journal position of that batch.
    #[must_use]
    pub fn position(&self) -> JournalPosition {
        JournalPosition(self.position.load(Ordering::Acquire))
    }

    /// The journal's epoch, as far as it was told: grows when a commit failed.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }
}

/// A status report request that a policy wants sent, once its verdict is durable: component symbol and value names.
pub type PolicyRequest = (u32, Vec<String>);

/// Where committed things go; shared by all batches of a shard.
#[derive(Clone)]
pub struct Audience {
    /// Told to the shard.
    pub progress: Arc<Progress>,
    /// Answers on their way through the shard: as many as there are batches that it has not seen committed.
    pub answered: mpsc::UnboundedSender<Vec<AnswersOf>>,
    /// Alarm list.
    pub board: Arc<AlarmBoard>,
    /// State database.
    pub state: Arc<StateWriter>,
    /// Whoever follows what is committed.
    pub feed: Arc<Feed>,
    /// Sends status report requests; a full queue drops the policy's wish (it has a least interval anyway).
    pub requester: mpsc::Sender<PolicyRequest>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Who follows what is committed.
    pub follower: Arc<dyn Follower>,
}

/// An operator who waits, and what became of the request once it is stored.
pub enum OperatorReply {
    /// About an alarm.
    Alarm(oneshot::Sender<Option<Result<Arc<Alarm>, OperateError>>>, Result<Arc<Alarm>, OperateError>),
    /// About a component.
    Decision(oneshot::Sender<Option<EnrolmentDecision>>, EnrolmentDecision),
}

impl OperatorReply {
    /// Tells it: `stored`, or that it could not be stored. The operator may have gone away meanwhile; the action stands all
    /// the same.
    fn tell(self, stored: bool) {
        match self {
            Self::Alarm(reply, result) => drop(reply.send(stored.then_some(result))),
            Self::Decision(reply, decision) => drop(reply.send(stored.then_some(decision))),
        }
    }
}

/// Answers of a batch for one connection.
pub type AnswersOf = (Arc<AnswerBox>, Answers);

/// Reports of one connection within a batch: whose, and the places of the messages.
pub type Portion = (Arc<AnswerBox>, Vec<u32>);

/// Puts answers where their connections find them.
pub fn answer(answers: Vec<AnswersOf>) {
    for (to, mut answers) in answers {
        to.put(&mut answers);
    }
}

/// Answers by connection, in the order of the reports, and the number of repeats.
pub(super) fn answers(record: &BatchRecord, portions: Vec<Portion>) -> (Vec<AnswersOf>, u64) {
    let mut codes = record.answers.iter().enumerate();
    let mut refusals = record.refusals.iter().peekable();
    let mut repeats = 0;
    let answers = portions
        .into_iter()
        .map(|(to, slots)| {
            let mut answers = Answers { accepted: slots, refused: Vec::new() };
            answers.accepted.retain(|&slot| {
                let Some((index, &code)) = codes.next() else { return false };
                repeats += u64::from(code == AnswerCode::Repeat as u8);
                let refusal = refusals.next_if(|(report, _)| *report as usize == index);
                answers.refused.extend(refusal.map(|(_, refusal)| (slot, refusal.clone())));
                refusal.is_none()
            });
            (to, answers)
        })
        .collect();
    (answers, repeats)
}

/// Whom a batch has to tell.
pub struct Told {
    /// Where it goes.
    pub audience: Arc<Audience>,
    /// Number of the batch in its shard.
    pub number: u64,
    /// Reference point of the reports, for counting.
    pub point: Option<ReferencePoint>,
    /// Repeats among them.
    pub repeats: u64,
    /// Answers by connection.
    pub answers: Vec<AnswersOf>,
    /// New state of components.
    pub views: Vec<(Arc<ComponentEntry>, Arc<ComponentView>)>,
    /// Alarms that changed.
    pub alarms: Vec<Arc<Alarm>>,
    /// Changed state for the database, up to and including this batch.
    pub flush: Option<Box<StateFlush>>,
    /// Status report requests of policies.
    pub requests: Vec<PolicyRequest>,
    /// An operator who waits.
    pub operator: Option<OperatorReply>,
    /// The batch, for who follows.
    pub record: Arc<BatchRecord>,
}

impl Told {
    fn count(&self) {
        let Some(point) = self.point else { return };
        let interface = self.audience.metrics.interface(point);
        interface.repeats.add(self.repeats);
        for (_, answers) in &self.answers {
            interface.accepted.add(answers.accepted.len() as u64);
            for (_, refusal) in &answers.refused {
                self.audience.metrics.refuse(point, refusal.code);
            }
        }
    }

    fn publish(&self, alarm: &Arc<Alarm>) {
        let before = self.audience.board.find(alarm.id);
        let gauge = |alarm: &Alarm| self.audience.metrics.alarms_raised.get(alarm.report.severity as usize);
        if let Some(gauge) = before.as_deref().filter(|before| !before.is_cleared).and_then(gauge) {
            gauge.decrement();
        }
        if let Some(gauge) = Some(alarm.as_ref()).filter(|alarm| !alarm.is_cleared).and_then(gauge) {
            gauge.increment();
        }
        let (id, key, text) = (alarm.id, alarm.key.to_string(), alarm.report.text.as_str());
        match AlarmChange::between(before.as_deref(), alarm) {
            AlarmChange::Raised => {
                tracing::warn!(alarm = id, %key, severity = %alarm.report.severity, text, "Alarm raised.")
            }
            AlarmChange::Changed => {
                tracing::warn!(alarm = id, %key, severity = %alarm.report.severity, text, "Alarm changed.")
            }
            AlarmChange::Cleared => tracing::info!(alarm = id, %key, text, "Alarm cleared."),
            AlarmChange::Operated | AlarmChange::Unchanged => {}
        }
        self.audience.board.publish(Arc::clone(alarm));
    }
}

impl Tell for Told {
    fn committed(mut self: Box<Self>, position: JournalPosition) {
        self.count();
        for (entry, view) in self.views.drain(..) {
            entry.view.store(Some(view));
        }
        for alarm in &self.alarms {
            self.publish(alarm);
        }
        self.audience.feed.publish(position, &self.record);
        if let Some(mut flush) = self.flush.take() {
            flush.position = position;
            self.audience.state.flush(*flush);
        }
        for request in self.requests.drain(..) {
            if self.audience.requester.try_send(request).is_err() {
                self.audience.metrics.policy_requests_dropped.increment();
            }
        }
        // Who follows knows of it before the operator does.
        self.audience.follower.committed(position, &self.record);
        if let Some(reply) = self.operator.take() {
            reply.tell(true);
        }
        if !self.answers.is_empty()
            && let Err(mpsc::error::SendError(answers)) = self.audience.answered.send(std::mem::take(&mut self.answers))
        {
            // The shard has ended.
            answer(answers);
        }
        self.audience.progress.position.store(position.0, Ordering::Release);
        self.audience.progress.committed.store(self.number, Ordering::Release);
    }

    fn failed(mut self: Box<Self>, epoch: u64, reason: &str) {
        self.audience.progress.epoch.fetch_max(epoch, Ordering::AcqRel);
        let sentence = format!("storage cannot commit now ({reason}); send again");
        let refusal = Refusal::retry(ReasonCode::Unavailable, sentence, RETRY_UNAVAILABLE_MS);
        for (to, answers) in &mut self.answers {
            let mut refused = Answers::refuse_all(answers.drain().map(|(place, _)| place), &refusal);
            if let Some(point) = self.point {
                refused.refused.iter().for_each(|_| self.audience.metrics.refuse(point, ReasonCode::Unavailable));
            }
            to.put(&mut refused);
        }
        if let Some(reply) = self.operator.take() {
            reply.tell(false);
        }
    }
}
