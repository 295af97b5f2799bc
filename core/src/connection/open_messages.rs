//! Messages of a connection that are not answered yet, and the order in which answers go.
//!
//! Answers to messages with a `messageId` go as they come; answers to those without go in the order in which the
//! messages came, so a finished one may have to wait here for those before it (PROTOCOL section 3).

use std::{collections::VecDeque, sync::Arc};

use hashbrown::HashTable;
use tokio::sync::oneshot;
use xxhash_rust::xxh3::xxh3_64;

use super::requests::RequestOutcome;
use crate::{
    dispatch::ComponentEntry,
    model::{ReportBatch, Response},
};

/// Whose message it was, for the `componentId` of the answer.
#[derive(Debug)]
pub enum Whose {
    /// A component of ours.
    Known(Arc<ComponentEntry>),
    /// Some other ID.
    Text(Box<str>),
}

impl Whose {
    /// The ID.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Known(entry) => entry.component.id.as_str(),
            Self::Text(text) => text,
        }
    }
}

#[derive(Debug, Default)]
enum Kind {
    #[default]
    Free,
    /// A status report.
    Report(Whose),
    /// What a component answered to a request of ours: nobody on the wire waits for an answer.
    Request(oneshot::Sender<RequestOutcome>, Box<ReportBatch>),
}

#[derive(Debug, Default)]
struct Slot {
    kind: Kind,
    /// Reused from message to message; empty: the message had none.
    message_id: String,
    finished: Option<Response>,
}

/// The table.
#[derive(Debug, Default)]
pub struct OpenMessages {
    slots: Vec<Slot>,
    free: Vec<u32>,
    by_id: HashTable<u32>,
    in_order: VecDeque<u32>,
    open: usize,
}

/// The `messageId` is that of a message still open.
#[derive(Debug, PartialEq, Eq)]
pub struct StillOpen;

impl OpenMessages {
    /// Messages open.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.open
    }

    /// Whether none is open.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.open == 0
    }

    fn id_of(&self, slot: u32) -> &str {
        self.slots.get(slot as usize).map_or("", |slot| &slot.message_id)
    }

    fn place(&mut self, kind: Kind, message_id: &str) -> u32 {
        let number = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        if let Some(slot) = self.slots.get_mut(number as usize) {
            slot.kind = kind;
            slot.message_id.clear();
            slot.message_id.push_str(message_id);
            slot.finished = None;
        }
        self.open += 1;
        number
    }

    /// Enters a status report; its place.
    pub fn report(&mut self, whose: Whose, message_id: Option<&str>) -> Result<u32, StillOpen> {
        let Some(message_id) = message_id else {
            let number = self.place(Kind::Report(whose), "");
            self.in_order.push_back(number);
            return Ok(number);
        };
        let hash = xxh3_64(message_id.as_bytes());
        if self.by_id.find(hash, |&slot| self.id_of(slot) == message_id).is_some() {
            return Err(StillOpen);
        }
        let number = self.place(Kind::Report(whose), message_id);
        let slots = &self.slots;
        self.by_id.insert_unique(hash, number, |&slot| {
            xxh3_64(slots.get(slot as usize).map_or("", |slot| &slot.message_id).as_bytes())
        });
        Ok(number)
    }

    /// Enters what a component answered to a request, to be told with the outcome; its place.
    pub fn request_answer(&mut self, reply: oneshot::Sender<RequestOutcome>, said: Box<ReportBatch>) -> u32 {
        self.place(Kind::Request(reply, said), "")
    }

    /// Finishes a message. `write` is called for every answer that may go now, with message ID, component ID,
    /// and response.
    pub fn finish(&mut self, number: u32, response: Response, mut write: impl FnMut(Option<&str>, &str, &Response)) {
        let Some(slot) = self.slots.get_mut(number as usize) else { return };
        match &slot.kind {
            Kind::Free => return,
            Kind::Report(_) if slot.message_id.is_empty() => {
                slot.finished = Some(response);
                self.write_in_order(write);
                return;
            }
            Kind::Report(whose) => {
                write(Some(&slot.message_id), whose.id(), &response);
                let hash = xxh3_64(slot.message_id.as_bytes());
                if let Ok(entry) = self.by_id.find_entry(hash, |&slot| slot == number) {
                    entry.remove();
                }
            }
            Kind::Request(..) => {}
        }
        if let Kind::Request(reply, said) = self.release(number) {
            // Whoever asked may have stopped waiting.
            let _gone = reply.send(RequestOutcome::Answered(response, said));
        }
    }

    fn write_in_order(&mut self, mut write: impl FnMut(Option<&str>, &str, &Response)) {
        while let Some(&first) = self.in_order.front() {
            let Some(slot) = self.slots.get_mut(first as usize) else { break };
            let (Some(response), Kind::Report(whose)) = (&slot.finished, &slot.kind) else { break };
            write(None, whose.id(), response);
            self.in_order.pop_front();
            self.release(first);
        }
    }

    fn release(&mut self, number: u32) -> Kind {
        let Some(slot) = self.slots.get_mut(number as usize) else { return Kind::Free };
        slot.finished = None;
        self.free.push(number);
        self.open -= 1;
        std::mem::take(&mut slot.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ReasonCode, Refusal};
    use proptest::prelude::*;

    fn whose(name: usize) -> Whose {
        Whose::Text(name.to_string().into())
    }

    #[test]
    fn an_open_message_id_cannot_be_used_again() {
        let mut open = OpenMessages::default();
        let first = open.report(whose(1), Some("a")).unwrap();
        assert_eq!(open.report(whose(2), Some("a")), Err(StillOpen));
        open.finish(first, Response::Success, |_, _, _| {});
        assert!(open.report(whose(2), Some("a")).is_ok());
    }

    proptest! {
        #[test]
        fn answers_without_an_id_go_in_order_and_every_message_is_answered_once(
            messages in prop::collection::vec(any::<bool>(), 1..60),
            order in prop::collection::vec(any::<prop::sample::Index>(), 60),
        ) {
            let mut open = OpenMessages::default();
            let mut waiting: Vec<(usize, u32)> = messages.iter().enumerate().map(|(index, &has_id)| {
                let id = has_id.then(|| format!("m{index}"));
                (index, open.report(whose(index), id.as_deref()).unwrap())
            }).collect();
            let mut written = Vec::new();
            for pick in order {
                if waiting.is_empty() { break; }
                let (index, slot) = waiting.remove(pick.index(waiting.len()));
                let response: Response = Refusal::new(ReasonCode::Rejected, index.to_string()).into();
                open.finish(slot, response, |id, component, response| {
                    written.push((id.map(str::to_owned), component.to_owned(), response.to_string()));
                });
            }
            prop_assert!(waiting.is_empty() && open.is_empty());
            prop_assert_eq!(written.len(), messages.len());
            for (id, component, response) in &written {
                let name = component;
                prop_assert_eq!(response, &format!("rejected: {name}"));
                if let Some(id) = id { prop_assert_eq!(id, &format!("m{name}")); }
            }
            let unnumbered: Vec<usize> = written.iter().filter(|(id, _, _)| id.is_none())
                .map(|(_, component, _)| component.parse().unwrap()).collect();
            prop_assert!(unnumbered.is_sorted());
        }
    }
}
