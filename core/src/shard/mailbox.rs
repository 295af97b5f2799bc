//! What reaches a shard, and its bounded mailbox.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::{
    alarm::OperateError,
    config::limits::SHARD_MAILBOX,
    connection::answers::AnswerBox,
    model::{Alarm, AlarmKey, AlarmReport, EnrolmentDecision, OperatorState, ReportBatch},
    state::ComponentState,
};

/// Reports from one turn of one connection: at most `BATCH_REPORTS`, all for one handler.
#[derive(Debug)]
pub struct Delivery {
    /// The reports.
    pub batch: ReportBatch,
    /// The configuration that the reports were taken in under. All reports taken in under one come before those taken in
    /// under the next.
    pub generation: u64,
    /// Position of the handler in its plugin set.
    pub handler: usize,
    /// Where the answers go.
    pub answers: Arc<AnswerBox>,
}

/// An alarm that the manager itself raises or clears (about itself or about a component).
#[derive(Clone, Debug)]
pub struct AlarmRequest {
    /// Which.
    pub key: AlarmKey,
    /// Raise it with this; `None` clears it.
    pub report: Option<AlarmReport>,
    /// Why it is over, for `None`.
    pub text: String,
}

/// What an operator says of an alarm.
#[derive(Debug)]
pub struct OperateRequest {
    /// Which.
    pub key: AlarmKey,
    /// Name of the operator's token.
    pub operator: String,
    /// New state.
    pub state: OperatorState,
    /// Comment, may be empty.
    pub comment: String,
    /// Answered after the commit; `None`: it could not be stored.
    pub reply: oneshot::Sender<Option<Result<Arc<Alarm>, OperateError>>>,
}

/// What an operator decides about a component, to be stored.
#[derive(Debug)]
pub struct DecideRequest {
    /// The decision; its time is the shard's to fill in.
    pub decision: EnrolmentDecision,
    /// Answered after the commit, with the decision as stored; `None`: it could not be stored.
    pub reply: oneshot::Sender<Option<EnrolmentDecision>>,
}

/// A message to a shard.
#[derive(Debug)]
pub enum ShardMessage {
    /// Reports.
    Reports(Delivery),
    /// An alarm of the manager's.
    Alarm(AlarmRequest),
    /// An operator's action.
    Operate(OperateRequest),
    /// An operator's decision about a component.
    Decide(Box<DecideRequest>),
    /// State of a component from before the start.
    Restore(u32, Box<ComponentState>),
    /// Take over the latest configuration; told once that is committed.
    Switch(oneshot::Sender<()>),
    /// Handle what was sent before, have it committed, and end.
    Stop,
}

/// The sending end. Never waits: a full mailbox gives the message back.
#[derive(Clone, Debug)]
pub struct Mailbox(mpsc::Sender<ShardMessage>);

impl Mailbox {
    /// A mailbox and its receiving end.
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<ShardMessage>) {
        let (sender, receiver) = mpsc::channel(SHARD_MAILBOX);
        (Self(sender), receiver)
    }

    /// Puts a message in, or gives it back if the mailbox is full or its shard has ended.
    #[expect(clippy::result_large_err, reason = "the refused message goes back to where it came from, unboxed")]
    pub fn put(&self, message: ShardMessage) -> Result<(), ShardMessage> {
        self.0.try_send(message).map_err(|error| match error {
            mpsc::error::TrySendError::Full(message) | mpsc::error::TrySendError::Closed(message) => message,
        })
    }

    /// Puts a message in, waiting for room: for a reload and the stop of the manager only, on a thread that may block.
    pub fn put_waiting(&self, message: ShardMessage) {
        // A shard that has ended needs no message any more.
        let _ended = self.0.blocking_send(message);
    }
}
