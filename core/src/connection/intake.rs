//! What a line leads to: a report on its way to a shard, an answer at once, or nothing.
//!
//! Decoded reports are gathered by shard and handler and handed over at the end of a turn. Refusals that need no shard
//! (malformed, not authorized, key material) are answered here.

mod speaker;

use std::{borrow::Cow, net::SocketAddr, sync::Arc};

use hashbrown::HashMap;

use self::speaker::Speaker;
use super::{
    InterfaceContext,
    answers::{AnswerBox, Answers},
    exchange::PeerMessage,
    open_messages::{OpenMessages, Whose},
    requests::{OpenRequests, RequestOutcome},
    subscribing::{Outlet, SubscriptionWish},
};
use crate::{
    config::limits::{BATCH_REPORTS, BATCH_SAMPLES, MALFORMED_IN_A_ROW, RETRY_OVERLOADED_MS},
    model::{
        ComponentRef, ReasonCode, ReferencePoint, Refusal, ReportBatch, Response, Timestamp, report_batch::head_flags,
    },
    net::Identity,
    shard::{Delivery, ShardMessage},
    wire::{DecodeOptions, Decoded, Decoder, encode, is_success, message_type},
};

struct OpenBatch {
    shard: usize,
    handler: usize,
    batch: ReportBatch,
    /// Reports and samples of the batch before: the next one is probably as large.
    before: (usize, usize),
}

/// The answer that is given most: that a report without a `messageId` was accepted, as it was written last.
#[derive(Debug, Default)]
struct Said {
    component: String,
    line: Vec<u8>,
}

impl Said {
    fn write(&mut self, out: &mut Vec<u8>, id: Option<&str>, component: &str, response: &Response) {
        if id.is_some() || *response != Response::Success {
            return encode::status_report_response(out, id, component, response);
        }
        if self.line.is_empty() || self.component != component {
            self.line.clear();
            encode::status_report_response(&mut self.line, None, component, response);
            component.clone_into(&mut self.component);
        }
        out.extend_from_slice(&self.line);
    }
}

/// Why a connection is to be closed in good order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Farewell(pub Refusal);

/// One connection's way in.
pub struct Intake {
    context: Arc<InterfaceContext>,
    identity: Arc<Identity>,
    peer: SocketAddr,
    answers: Arc<AnswerBox>,
    /// Messages not answered yet.
    pub open: OpenMessages,
    said: Said,
    /// Requests of the manager not answered yet.
    pub requests: OpenRequests,
    speakers: Vec<Speaker>,
    /// Places in `speakers` by component ID.
    speakers_by_id: HashMap<Box<str>, usize>,
    /// Who spoke last: mostly the next one too.
    last_speaker: usize,
    batches: Vec<OpenBatch>,
    /// The batch that the next line is decoded into: where the last report went.
    target: usize,
    malformed: u32,
    /// Reports of this turn without performance, and without state (NOTE 1 of 8.1 and 8.4).
    incomplete: (u64, u64),
    /// Answers and notifications of subscriptions.
    pub outlet: Arc<Outlet>,
    subscribes: bool,
}

/// A report refused before it reached a shard.
type Refused = (Whose, Refusal);

impl Intake {
    /// For a connection of this identity.
    #[must_use]
    pub fn new(
        context: Arc<InterfaceContext>,
        identity: Arc<Identity>,
        peer: SocketAddr,
        answers: Arc<AnswerBox>,
    ) -> Self {
        let batches = vec![OpenBatch { shard: 0, handler: 0, batch: ReportBatch::default(), before: (0, 0) }];
        let outlet = Outlet::new(context.config.max_line_bytes);
        Self {
            outlet,
            subscribes: false,
            context,
            identity,
            peer,
            answers,
            open: OpenMessages::default(),
            said: Said::default(),
            requests: OpenRequests::default(),
            speakers: Vec::new(),
            speakers_by_id: HashMap::new(),
            last_speaker: 0,
            batches,
            target: 0,
            malformed: 0,
            incomplete: (0, 0),
        }
    }

    /// Goes by this context from now on: what was found out about components under another one is found out again.
    pub fn renew(&mut self, context: &Arc<InterfaceContext>) -> bool {
        if Arc::ptr_eq(&self.context, context) {
            return false;
        }
        self.context = Arc::clone(context);
        self.speakers.clear();
        self.speakers_by_id.clear();
        self.last_speaker = 0;
        true
    }

    /// Takes one line. An error closes the connection.
    pub fn line(
        &mut self,
        line: &[u8],
        now: Timestamp,
        decoder: &mut Decoder,
        out: &mut Vec<u8>,
    ) -> Result<(), Farewell> {
        let context = &self.context;
        let exchange = context.point() == ReferencePoint::Mx;
        let options = DecodeOptions { symbols: &context.symbols, now, keep_raw: context.keep_raw, exchange };
        let Some(target) = self.batches.get_mut(self.target) else { return Ok(()) };
        if target.batch.is_empty() && target.before.0 > 1 {
            target.batch.reserve(target.before.0, target.before.1);
        }
        let decoded = decoder.decode(line, &mut target.batch, &options);
        if !matches!(decoded, Decoded::Malformed { .. }) {
            self.malformed = 0;
        }
        match decoded {
            Decoded::Report { message_id, component_id } => {
                self.report(message_id.as_deref(), &component_id, decoder, out)
            }
            Decoded::Answer { message_id, component_id, response } => {
                self.answer(&message_id, &component_id, &response, decoder)
            }
            Decoded::Request { message_id, component_id, extension } => {
                if self.context.point() == ReferencePoint::Mx {
                    super::exchange::asked(self, &message_id, &component_id, extension, out);
                } else {
                    let kind = message_type::STATUS_REPORT_REQUEST;
                    self.unsupported(kind, Some(message_id), Some(component_id), out);
                }
            }
            Decoded::PeerAnswer { message_type, message_id, component_id, response, extension } => {
                if super::exchange::answered(self, &message_id, &response, Vec::new()) {
                    return Ok(());
                }
                if message_type == message_type::STATUS_REPORT_RESPONSE {
                    self.peer_answer(&message_id, &response);
                } else {
                    super::outward::answered(self, &message_id, &component_id, &response, extension);
                }
            }
            Decoded::TooLarge { is_answer: true, .. } | Decoded::UnaskedAnswer { .. } => {
                self.context.metrics.interface(self.context.point()).unexpected_answers.increment();
            }
            Decoded::Subscribe { ends, message_id, component_id, extension } => {
                if let Err((kind, refusal)) = self.subscribe(ends, &message_id, &component_id, extension, decoder) {
                    self.context.metrics.refuse(self.context.point(), refusal.code);
                    encode::answer(out, kind, Some(&message_id), &component_id, &refusal.into());
                }
            }
            Decoded::TooLarge { message_id, component_id, reason, .. } => {
                let refused = (Whose::Text(component_id.as_ref().into()), Refusal::new(ReasonCode::TooLarge, reason));
                self.refuse(message_id.as_deref(), refused, out);
            }
            Decoded::Unsupported { message_type, message_id, component_id } => {
                self.unsupported(&message_type, message_id, component_id, out)
            }
            Decoded::Malformed { reason, message_id, component_id, is_answer } => {
                return self.not_a_message(reason, message_id, component_id, is_answer, out);
            }
        }
        Ok(())
    }

    fn not_a_message(
        &mut self,
        reason: String,
        message_id: Option<Cow<'_, str>>,
        component_id: Option<Cow<'_, str>>,
        is_answer: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), Farewell> {
        self.malformed += 1;
        if is_answer {
            self.context.metrics.interface(self.context.point()).unexpected_answers.increment();
        } else {
            let whose = Whose::Text(component_id.unwrap_or_default().into());
            self.refuse(message_id.as_deref(), (whose, Refusal::new(ReasonCode::Malformed, reason)), out);
        }
        if self.malformed >= MALFORMED_IN_A_ROW {
            let sentence = format!("{MALFORMED_IN_A_ROW} malformed lines in a row; the connection is closed");
            return Err(Farewell(Refusal::new(ReasonCode::Malformed, sentence)));
        }
        Ok(())
    }

    fn unsupported(
        &mut self,
        kind: &str,
        message_id: Option<Cow<'_, str>>,
        component_id: Option<Cow<'_, str>>,
        out: &mut Vec<u8>,
    ) {
        let sentence = match kind {
            message_type::STATUS_REPORT_REQUEST => format!("`{kind}` goes from the manager to a component"),
            _ => "unknown messageType; a component may send statusReport and statusReportRequestResponse".to_owned(),
        };
        let refusal = Refusal::new(ReasonCode::Unsupported, sentence);
        self.refuse(message_id.as_deref(), (Whose::Text(component_id.unwrap_or_default().into()), refusal), out);
    }

    /// Hands a wish to whoever keeps subscriptions, which answers it.
    fn subscribe(
        &mut self,
        ends: bool,
        message_id: &str,
        component_id: &str,
        extension: &str,
        decoder: &Decoder,
    ) -> Result<(), (&'static str, Refusal)> {
        let kind = if ends { message_type::UNSUBSCRIBE_RESPONSE } else { message_type::SUBSCRIBE_RESPONSE };
        let point = self.context.point();
        if !matches!(point, ReferencePoint::Mu | ReferencePoint::Mx) {
            let sentence = format!(
                "user network managers and peer managers subscribe at the manager, on mu and mx, not on {point}"
            );
            return Err((kind, Refusal::new(ReasonCode::Unsupported, sentence)));
        }
        let speaker = self.speaker(component_id).map_err(|(_, refusal)| (kind, refusal))?;
        self.key_material(speaker, decoder).map_err(|(_, refusal)| (kind, refusal))?;
        let Some(Speaker { entry, .. }) = self.speakers.get(speaker) else { return Ok(()) };
        let peers = &self.context.peers;
        if point == ReferencePoint::Mx
            && !ends
            && peers.subscribes(self.outlet.id, &entry.component, message_id, extension)
        {
            return Ok(());
        }
        let wish = SubscriptionWish {
            subscriber: entry.component.clone(),
            outlet: Arc::clone(&self.outlet),
            message_id: message_id.to_owned(),
            ends,
            extension: extension.to_owned(),
        };
        self.subscribes = true;
        if self.context.subscriptions.wish(wish) {
            return Ok(());
        }
        let sentence = "the manager has more wishes waiting than it takes; ask again later";
        Err((kind, Refusal::retry(ReasonCode::Overloaded, sentence, RETRY_OVERLOADED_MS)))
    }

    /// An answer that may be one to a notification of ours.
    fn peer_answer(&self, message_id: &str, response: &str) {
        if self.outlet.expected(message_id) {
            return self.context.subscriptions.answered(self.outlet.id, message_id, is_success(response));
        }
        self.context.metrics.interface(self.context.point()).unexpected_answers.increment();
    }

    /// Answers a message that reaches no shard, in its turn.
    fn refuse(&mut self, message_id: Option<&str>, (whose, refusal): Refused, out: &mut Vec<u8>) {
        self.context.metrics.refuse(self.context.point(), refusal.code);
        if message_id.is_some() {
            return encode::status_report_response(out, message_id, whose.id(), &refusal.into());
        }
        if let Ok(slot) = self.open.report(whose, None) {
            self.finish(slot, refusal.into(), out);
        }
    }

    /// Finishes a message and writes the answers that may go now.
    pub fn finish(&mut self, slot: u32, response: Response, out: &mut Vec<u8>) {
        let said = &mut self.said;
        self.open.finish(slot, response, |id, component, response| said.write(out, id, component, response));
    }

    fn report(&mut self, message_id: Option<&str>, component_id: &str, decoder: &mut Decoder, out: &mut Vec<u8>) {
        match self.place_report(message_id, component_id, decoder) {
            Ok(()) => {}
            Err(refused) => {
                self.drop_last();
                self.refuse(message_id, refused, out);
            }
        }
    }

    fn drop_last(&mut self) {
        if let Some(target) = self.batches.get_mut(self.target) {
            target.batch.pop();
        }
    }

    fn place_report(
        &mut self,
        message_id: Option<&str>,
        component_id: &str,
        decoder: &mut Decoder,
    ) -> Result<(), Refused> {
        self.count_notes(decoder);
        let speaker = self.speaker(component_id)?;
        self.key_material(speaker, decoder)?;
        let Some(Speaker { entry, .. }) = self.speakers.get(speaker) else { return Ok(()) };
        let told = &decoder.notes().exchange;
        if !told.is_empty() {
            let told = PeerMessage::Told(told.clone());
            let taken = self.context.peers.take(self.outlet.id, &entry.component, told);
            taken.map_err(|refusal| (Whose::Known(Arc::clone(entry)), refusal))?;
        }
        let Ok(slot) = self.open.report(Whose::Known(Arc::clone(entry)), message_id) else {
            let sentence = "this messageId is that of a message still open on this connection; choose another";
            return Err((Whose::Known(Arc::clone(entry)), Refusal::new(ReasonCode::Malformed, sentence)));
        };
        super::outward::note(&*self.context.subscriber, &entry.component, decoder.notes());
        if !decoder.notes().unknown.is_empty() {
            entry.unfamiliar.note(&decoder.notes().unknown, self.context.clock.now());
        }
        self.bind_resources(speaker, decoder);
        self.place(speaker, slot);
        Ok(())
    }

    fn bind_resources(&mut self, speaker: usize, decoder: &mut Decoder) {
        let (Some(Speaker { entry, .. }), Some(target)) =
            (self.speakers.get(speaker), self.batches.get_mut(self.target))
        else {
            return;
        };
        decoder.bind_resources(&mut target.batch, &mut |text| entry.resource(text, &self.context.symbols));
    }

    fn count_notes(&mut self, decoder: &Decoder) {
        self.incomplete.0 += u64::from(!decoder.notes().has_performance);
        self.incomplete.1 += u64::from(!decoder.notes().has_state);
        let (notes, counters) = (decoder.notes(), self.context.metrics.interface(self.context.point()));
        let kept = notes.unknown_names + notes.unknown_types;
        if kept > 0 {
            counters.kept_objects.add(u64::from(kept));
        }
        let head = self.batches.get(self.target).and_then(|target| target.batch.reports.last());
        if head.is_some_and(|head| head.flags & head_flags::TIME_REPLACED != 0) {
            counters.times_replaced.increment();
        }
    }

    /// Fills in what the decoder could not know and moves the report to the batch where it belongs.
    fn place(&mut self, speaker: usize, slot: u32) {
        let Some(Speaker { entry, handler, .. }) = self.speakers.get(speaker) else { return };
        let (shard, handler) = (entry.shard, *handler);
        let at = self.target;
        let Some(target) = self.batches.get_mut(at) else { return };
        if let Some(head) = target.batch.reports.last_mut() {
            head.component = entry.symbol.0;
            head.slot = slot;
        }
        let fits = |open: &OpenBatch| open.shard == shard && open.handler == handler;
        if !(fits(target) && target.batch.len() > 1) {
            let alone = target.batch.len() == 1;
            // A batch that has reports for this shard already comes first, or reports would overtake each other.
            let started = |(place, open): (usize, &OpenBatch)| place != at && fits(open) && !open.batch.is_empty();
            let other = self.batches.iter().enumerate().position(started);
            let to = if alone { other } else { Some(other.unwrap_or_else(|| self.empty_batch())) };
            if let Some(to) = to {
                self.move_last(at, to);
            }
            if let Some(target) = self.batches.get_mut(self.target) {
                (target.shard, target.handler) = (shard, handler);
            }
        }
        let full = |open: &OpenBatch| open.batch.len() >= BATCH_REPORTS || open.batch.values.len() >= BATCH_SAMPLES / 2;
        if self.batches.get(self.target).is_some_and(full) {
            self.hand_over(self.target);
        }
    }

    /// Place of a batch without reports, made now if there is none.
    fn empty_batch(&mut self) -> usize {
        self.batches.iter().position(|open| open.batch.is_empty()).unwrap_or_else(|| {
            self.batches.push(OpenBatch { shard: 0, handler: 0, batch: ReportBatch::default(), before: (0, 0) });
            self.batches.len() - 1
        })
    }

    fn move_last(&mut self, from: usize, to: usize) {
        let Some(from) = self.batches.get_mut(from) else { return };
        let one = from.batch.single(from.batch.len() - 1);
        from.batch.pop();
        if let Some(to) = self.batches.get_mut(to) {
            to.batch.append(&one);
        }
        self.target = to;
    }

    /// What a component answered to a request of ours (Q.QKDN_Mk 8.4): handled and stored like a report.
    fn answer(&mut self, message_id: &str, component_id: &str, response: &str, decoder: &mut Decoder) {
        let Some((asked, reply)) = self.requests.answered(message_id) else {
            let objects = decoder.notes().exchange.clone();
            if super::exchange::answered(self, message_id, response, objects) {
                return self.drop_last();
            }
            self.context.metrics.interface(self.context.point()).unexpected_answers.increment();
            return self.drop_last();
        };
        let tell = |reply: tokio::sync::oneshot::Sender<RequestOutcome>, outcome| {
            // Whoever asked may have stopped waiting.
            let _gone = reply.send(outcome);
        };
        if !is_success(response) {
            tell(reply, RequestOutcome::Refused(response.to_owned()));
            return self.drop_last();
        }
        let judged = if component_id == asked.id.as_str() {
            self.speaker(component_id)
                .and_then(|speaker| self.key_material(speaker, decoder).map(|()| speaker))
                .map_err(|(_, refusal)| refusal.to_string())
        } else {
            Err(format!("{asked} was asked, {component_id} answered"))
        };
        let speaker = match judged {
            Ok(speaker) => speaker,
            Err(reason) => {
                tell(reply, RequestOutcome::Refused(reason));
                return self.drop_last();
            }
        };
        self.count_notes(decoder);
        self.bind_resources(speaker, decoder);
        let Some(target) = self.batches.get(self.target) else { return };
        let said = Box::new(target.batch.single(target.batch.len().saturating_sub(1)));
        let slot = self.open.request_answer(reply, said);
        self.place(speaker, slot);
    }

    fn hand_over(&mut self, index: usize) {
        let Some(open) = self.batches.get_mut(index).filter(|open| !open.batch.is_empty()) else { return };
        open.before = (open.batch.len(), open.batch.values.len());
        let delivery = Delivery {
            batch: std::mem::take(&mut open.batch),
            generation: self.context.generation,
            handler: open.handler,
            answers: Arc::clone(&self.answers),
        };
        let Some(mailbox) = self.context.shards.get(open.shard) else { return };
        let Err(ShardMessage::Reports(delivery)) = mailbox.put(ShardMessage::Reports(delivery)) else { return };
        let sentence = "the manager has more reports waiting than it takes; send again later";
        let refusal = Refusal::retry(ReasonCode::Overloaded, sentence, RETRY_OVERLOADED_MS);
        let mut refused = Answers::refuse_all(delivery.batch.reports.iter().map(|head| head.slot), &refusal);
        for _ in &refused.refused {
            self.context.metrics.refuse(self.context.point(), ReasonCode::Overloaded);
        }
        self.answers.put(&mut refused);
    }

    /// The turn is over: everything gathered goes to its shard.
    pub fn end_turn(&mut self) {
        let (without_performance, without_state) = std::mem::take(&mut self.incomplete);
        if without_performance + without_state > 0 {
            let counters = self.context.metrics.interface(self.context.point());
            counters.without_performance.add(without_performance);
            counters.without_state.add(without_state);
        }
        for index in 0..self.batches.len() {
            self.hand_over(index);
        }
    }

    /// The manager that the connection speaks for.
    #[must_use]
    pub fn peer_manager(&self) -> Option<ComponentRef> {
        self.identity.components.iter().find(|component| component.reference_point == ReferencePoint::Mx).cloned()
    }

    /// The interface.
    #[must_use]
    pub fn context(&self) -> &Arc<InterfaceContext> {
        &self.context
    }

    /// Whether the connection speaks for more than one component.
    #[must_use]
    pub fn covers_several(&self) -> bool {
        self.identity.components.len() > 1
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        self.outlet.close();
        if self.subscribes {
            self.context.subscriptions.closed(self.outlet.id);
        }
    }
}
