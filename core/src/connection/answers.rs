//! Where answers wait for their connection: filled after a commit by the journal's thread, emptied by the connection's
//! task, one lock and one wake-up for as many answers as there are.

use std::{
    sync::{Mutex, PoisonError},
    task::Waker,
};

use crate::model::Response;

/// The answer to the message in a place of the connection's table of open messages.
#[derive(Debug)]
pub struct Answered {
    /// The place.
    pub slot: u32,
    /// What to answer.
    pub response: Response,
}

/// Answers that wait for one connection. Bounded by the connection's messages in flight.
#[derive(Debug, Default)]
pub struct AnswerBox(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    answers: Vec<Answered>,
    waker: Option<Waker>,
}

impl AnswerBox {
    /// Adds answers and wakes the connection.
    pub fn put(&self, answers: &mut Vec<Answered>) {
        let waker = {
            let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if waiting.answers.is_empty() {
                std::mem::swap(&mut waiting.answers, answers);
            } else {
                waiting.answers.append(answers);
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
    pub fn take(&self, answers: &mut Vec<Answered>, waker: &Waker) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut waiting.answers, answers);
        match &mut waiting.waker {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }
}
