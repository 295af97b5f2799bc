//! Status report requests of the manager (Q.QKDN_Mk clause 8.3) on a connection, until they are answered.

use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::outward::SubscriptionAsk;
use crate::{
    model::{ComponentRef, ReportBatch, Response},
    wire::{encode::Query, outward::SubscriptionAnswer},
};

/// What became of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum RequestOutcome {
    /// The component answered `success`; what it said was handled and stored as a report's: the manager's word on it,
    /// and what was said.
    Answered(Response, Box<ReportBatch>),
    /// What the component answered to a `subscribe` or `unsubscribe`, whether it grants or refuses.
    Subscription(Box<SubscriptionAnswer>),
    /// The component answered with a failure reason.
    Refused(String),
    /// No answer in time.
    TimedOut,
    /// The connection ended before the answer.
    ConnectionLost,
}

/// What the manager wants of a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// A status report.
    Status(Query),
    /// A subscription, or the end of one.
    Subscription(SubscriptionAsk),
}

/// A request handed to a connection.
#[derive(Debug)]
pub struct ManagerRequest {
    /// Whom to ask.
    pub component: ComponentRef,
    /// What to ask for.
    pub ask: Ask,
    /// Told what became of it.
    pub reply: oneshot::Sender<RequestOutcome>,
}

struct Asked {
    number: u64,
    /// Which answers belong to it: `q` or `s`, the first letter of its `messageId`.
    letter: char,
    component: ComponentRef,
    deadline: Instant,
    reply: oneshot::Sender<RequestOutcome>,
}

/// Requests sent and not answered yet, oldest first. All have the same patience, so the oldest is due first.
#[derive(Default)]
pub struct OpenRequests {
    asked: Vec<Asked>,
    next: u64,
}

fn tell(reply: oneshot::Sender<RequestOutcome>, outcome: RequestOutcome) {
    // Whoever asked may have stopped waiting.
    let _gone = reply.send(outcome);
}

impl OpenRequests {
    /// Notes a request as sent; its `messageId`.
    pub fn sent(&mut self, request: ManagerRequest, patience: Duration) -> String {
        self.next += 1;
        let deadline = Instant::now() + patience;
        let letter = if matches!(request.ask, Ask::Status(_)) { 'q' } else { 's' };
        let ManagerRequest { component, reply, .. } = request;
        self.asked.push(Asked { number: self.next, letter, component, deadline, reply });
        format!("{letter}{}", self.next)
    }

    /// Takes out the request that an answer belongs to: the component asked and where to tell.
    pub fn answered(&mut self, message_id: &str) -> Option<(ComponentRef, oneshot::Sender<RequestOutcome>)> {
        self.take(message_id, 'q')
    }

    /// As [`Self::answered`], of a `subscribe` or `unsubscribe`.
    pub fn subscription_answered(
        &mut self,
        message_id: &str,
    ) -> Option<(ComponentRef, oneshot::Sender<RequestOutcome>)> {
        self.take(message_id, 's')
    }

    fn take(&mut self, message_id: &str, letter: char) -> Option<(ComponentRef, oneshot::Sender<RequestOutcome>)> {
        let number = message_id.strip_prefix(letter)?;
        let is_it = |asked: &Asked| asked.letter == letter && asked.number.to_string() == number;
        let place = self.asked.iter().position(is_it)?;
        let asked = self.asked.remove(place);
        Some((asked.component, asked.reply))
    }

    /// Gives up what is overdue; how many.
    pub fn expire(&mut self, now: Instant) -> u64 {
        let due = self.asked.iter().take_while(|asked| asked.deadline <= now).count();
        self.asked.drain(..due).for_each(|asked| tell(asked.reply, RequestOutcome::TimedOut));
        due as u64
    }

    /// When the next one is overdue.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.asked.first().map(|asked| asked.deadline)
    }

    /// Number of requests open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.asked.len()
    }

    /// Whether none is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.asked.is_empty()
    }
}

impl Drop for OpenRequests {
    fn drop(&mut self) {
        self.asked.drain(..).for_each(|asked| tell(asked.reply, RequestOutcome::ConnectionLost));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_learns_what_became_of_it() {
        let mut open = OpenRequests::default();
        let mut ask = |patience| {
            let (reply, outcome) = oneshot::channel();
            let request =
                ManagerRequest { component: "mk/km-1".parse().unwrap(), ask: Ask::Status(Query::default()), reply };
            (open.sent(request, patience), outcome)
        };
        let (_, mut late) = ask(Duration::ZERO);
        let (id, mut answered) = ask(Duration::from_secs(60));
        let (_, mut lost) = ask(Duration::from_secs(60));
        assert_eq!(open.expire(Instant::now()), 1);
        assert!(open.answered("q99").is_none() && open.answered("q01").is_none() && open.answered("x").is_none());
        tell(open.answered(&id).unwrap().1, RequestOutcome::Answered(Response::Success, Box::default()));
        assert!(open.answered(&id).is_none());
        drop(open);
        assert_eq!(late.try_recv(), Ok(RequestOutcome::TimedOut));
        assert_eq!(answered.try_recv(), Ok(RequestOutcome::Answered(Response::Success, Box::default())));
        assert_eq!(lost.try_recv(), Ok(RequestOutcome::ConnectionLost));
    }
}
