//! Where answers wait for their connection: filled after a commit by the journal's thread, emptied by the connection's
//! task, one lock and one wake-up for as many answers as there are.

use std::{
    sync::{Mutex, PoisonError},
    task::Waker,
};

use crate::model::{Refusal, Response};

/// Answers to messages, by their places in the connection's table of open messages. Most are `success`: of those only the
/// place goes from thread to thread.
#[derive(Debug, Default)]
pub struct Answers {
    /// Answered `success`.
    pub accepted: Vec<u32>,
    /// Answered otherwise.
    pub refused: Vec<(u32, Refusal)>,
}

impl Answers {
    /// The same refusal for all these places.
    #[must_use]
    pub fn refuse_all(places: impl Iterator<Item = u32>, refusal: &Refusal) -> Self {
        Self { accepted: Vec::new(), refused: places.map(|place| (place, refusal.clone())).collect() }
    }

    fn is_empty(&self) -> bool {
        self.accepted.is_empty() && self.refused.is_empty()
    }

    /// Takes all answers out, room stays.
    pub fn drain(&mut self) -> impl Iterator<Item = (u32, Response)> + '_ {
        let accepted = self.accepted.drain(..).map(|place| (place, Response::Success));
        accepted.chain(self.refused.drain(..).map(|(place, refusal)| (place, refusal.into())))
    }
}

/// Answers that wait for one connection. Bounded by the connection's messages in flight.
#[derive(Debug, Default)]
pub struct AnswerBox(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    answers: Answers,
    waker: Option<Waker>,
}

impl AnswerBox {
    /// Adds answers and wakes the connection.
    pub fn put(&self, answers: &mut Answers) {
        let waker = {
            let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if waiting.answers.is_empty() {
                std::mem::swap(&mut waiting.answers, answers);
            } else {
                waiting.answers.accepted.append(&mut answers.accepted);
                waiting.answers.refused.append(&mut answers.refused);
            }
            waiting.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Wakes the connection without an answer: it is to look at what else has changed.
    pub fn wake(&self) {
        let waker = self.0.lock().unwrap_or_else(PoisonError::into_inner).waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Moves what waits into `answers` (which is empty), and has `waker` woken when more comes.
    pub fn take(&self, answers: &mut Answers, waker: &Waker) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut waiting.answers, answers);
        match &mut waiting.waker {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }
}
