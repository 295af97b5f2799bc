//! A shard at work: takes what waits in the mailbox, has [`ShardCore`] work through it, seals it for the journal.
//!
//! It is a task of its thread's runtime, beside the connections of its components (`thread`), and never blocks it: what it has
//! to wait for it awaits. What connections have brought in one round of the runtime is worked through in one go and
//! handed to the journal together.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use tokio::sync::{
    mpsc::{Receiver, UnboundedReceiver},
    oneshot,
};

use crate::{
    clock::Clock,
    config::limits::{
        BATCH_REPORTS, BATCH_SAMPLES, RETRY_UNAVAILABLE_MS, SEALED_GROUP, SEALED_GROUP_BYTES, STATE_FLUSH, TICK,
    },
    connection::answers::Answers,
    dispatch::registry::ComponentView,
    model::{ReasonCode, ReferencePoint, Refusal, ReportBatch, Timestamp},
    shard::{
        changed::Changed,
        commit::{AnswersOf, Audience, OperatorReply, Portion, Told, answer, answers},
        core::{ShardCore, Worked},
        mailbox::{AlarmRequest, DecideRequest, Delivery, Mailbox, ShardMessage},
        observing::SubjectImage,
        owed::OwedAlarms,
        plugins::ShardConfig,
        reload::Switched,
        undo::UndoLog,
    },
    storage::{
        SealedBatch, Tell as _,
        encode::Encoder,
        journal::{Journal, JournalHealth, NotTaken},
        record::{PolicyStates, TimerChange},
        state_db::StateFlush,
    },
};

/// How long a stopping shard waits for its last batches to be committed.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// Why a batch is not stored that comes after the journal has ended.
const STOPPING: &str = "the manager is stopping";

/// How often a shard looks again for what it waits for: that everything is committed before it changes its configuration or ends,
/// and that the journal has room.
const SETTLING: Duration = Duration::from_millis(1);
/// How long it waits for the commit of the change itself before it goes on and looks now and then.
const SETTLED_WITHIN: Duration = Duration::from_millis(20);

/// A change of configuration that is not known to be committed.
struct Switching {
    /// Number of its batch.
    number: u64,
    switched: Switched,
    told: Vec<oneshot::Sender<()>>,
    /// Its commit failed: it is sealed again before anything else.
    is_owed: bool,
}

/// A shard and what it is connected to.
pub struct Worker {
    /// Number of the shard.
    pub number: u16,
    /// Its state and plugins.
    pub core: ShardCore,
    /// What comes in.
    pub mailbox: Receiver<ShardMessage>,
    /// Answers of committed batches.
    pub answered: UnboundedReceiver<Vec<AnswersOf>>,
    /// Mailbox of the shard that has the manager's own alarms.
    pub manager_mailbox: Mailbox,
    /// Where batches go.
    pub journal: Arc<Journal>,
    /// Where committed things go.
    pub audience: Arc<Audience>,
    /// The time.
    pub clock: Clock,
    /// The latest configuration.
    pub latest: Arc<ArcSwap<ShardConfig>>,
    /// Reference point of each handler in the plugin set.
    pub points: Vec<ReferencePoint>,
}

struct Running {
    worker: Worker,
    encoder: Encoder,
    undo: UndoLog,
    epoch: u64,
    changed: Changed,
    flushes: VecDeque<(u64, Changed)>,
    last_flush: Instant,
    /// Last batch that a flush told the database of.
    reflected: u64,
    held: Option<ShardMessage>,
    /// Batches to be handed to the journal together, and their bytes.
    sealed: Vec<SealedBatch>,
    sealed_bytes: usize,
    outbox: Vec<AlarmRequest>,
    owed: OwedAlarms,
    switching: Option<Switching>,
}

impl Worker {
    /// Runs until [`ShardMessage::Stop`]. `note`, if given, is journalled first (the first shard notes the start).
    pub async fn run(self, note: Option<String>) {
        let _vital = self.audience.metrics.vital.enter(format!("shard-{}", self.number));
        let mut running = Running {
            epoch: self.journal.epoch(),
            worker: self,
            encoder: Encoder::default(),
            undo: UndoLog::default(),
            changed: Changed::default(),
            flushes: VecDeque::new(),
            last_flush: Instant::now(),
            reflected: 0,
            held: None,
            sealed: Vec::new(),
            sealed_bytes: 0,
            outbox: Vec::new(),
            owed: OwedAlarms::default(),
            switching: None,
        };
        if let Some(note) = note {
            let now = running.worker.clock.now();
            let worked = running.worker.core.start_note(note, now);
            running.seal(worked, Vec::new(), None, None);
        }
        let now = running.worker.clock.now();
        if let Some((worked, switched)) = running.worker.core.begin_with_configuration(now) {
            running.seal_switch(worked, switched, Vec::new());
        }
        running.serve().await;
    }
}

impl Running {
    async fn serve(&mut self) {
        let mut next_tick = Instant::now() + TICK;
        loop {
            self.follow_journal();
            let message = match self.next_message() {
                Some(message) => Some(message),
                None => {
                    self.hand_in().await;
                    let Worker { mailbox, answered, .. } = &mut self.worker;
                    tokio::select! {
                        biased;
                        answers = answered.recv() => {
                            answers.into_iter().for_each(answer);
                            None
                        }
                        message = mailbox.recv() => match message {
                            None => break,
                            message => message,
                        },
                        () = tokio::time::sleep_until(next_tick.into()) => None,
                    }
                }
            };
            match message {
                Some(ShardMessage::Stop) => break,
                Some(message) => {
                    self.follow_journal();
                    self.take(message).await;
                }
                None => {}
            }
            if self.sealed.len() >= SEALED_GROUP || self.sealed_bytes >= SEALED_GROUP_BYTES {
                self.hand_in().await;
                tokio::task::yield_now().await;
            }
            if Instant::now() >= next_tick {
                next_tick = Instant::now() + TICK;
                self.tick();
            }
        }
        self.stop().await;
    }

    /// Has connections find the answers to what was committed.
    fn deliver(&mut self) {
        while let Ok(answers) = self.worker.answered.try_recv() {
            answer(answers);
        }
    }

    /// Hands what is sealed to the journal; while that has no room, nothing more is taken.
    async fn hand_in(&mut self) {
        if let Some(last) = self.sealed.last_mut() {
            last.is_followed = !self.worker.mailbox.is_empty();
        }
        self.sealed_bytes = 0;
        let mut batches = std::mem::take(&mut self.sealed);
        while !batches.is_empty() {
            match self.worker.journal.offer(batches) {
                Ok(()) => return,
                Err(NotTaken::Full(back)) => {
                    batches = back;
                    self.deliver();
                    tokio::time::sleep(SETTLING).await;
                }
                // Then nothing is accepted any more.
                Err(NotTaken::Stopped(back)) => {
                    let epoch = self.epoch;
                    return back.into_iter().for_each(|batch| batch.tell.failed(epoch, STOPPING));
                }
            }
        }
    }

    /// Learns what was committed; takes back what was not, if the journal has given up an epoch.
    fn follow_journal(&mut self) {
        let epoch = self.worker.audience.progress.epoch();
        let committed = self.worker.audience.progress.committed();
        self.undo.committed(committed);
        self.owed.committed(committed);
        if let Some(switching) = self.switching.take_if(|switching| switching.number <= committed) {
            switching.told.into_iter().for_each(tell);
        }
        while self.flushes.front().is_some_and(|(number, _)| *number <= committed) {
            self.flushes.pop_front();
        }
        if epoch > self.epoch {
            for undo in self.undo.take_back() {
                self.worker.core.undo(undo);
            }
            self.owed.take_back();
            for (_, changed) in std::mem::take(&mut self.flushes) {
                self.changed.add(changed);
            }
            // What was taken back is not to reach the database: alarms go back to what is committed.
            let board = &self.worker.audience.board;
            self.changed.alarms = self.changed.alarms.keys().filter_map(|&id| Some((id, board.find(id)?))).collect();
            self.changed.quarantined.retain(|(number, _)| *number <= committed);
            self.changed.network.retain(|(number, _)| *number <= committed);
            self.changed.usage.retain(|(number, _)| *number <= committed);
            self.changed.decisions.retain(|(number, _)| *number <= committed);
            self.changed.forgotten.retain(|(number, ..)| *number <= committed);
            if let Some(switching) = &mut self.switching {
                switching.is_owed = true;
            }
            self.epoch = epoch;
            self.reflected = 0;
        }
        if self.undo.is_empty() {
            // Nothing of ours is in flight: an epoch that others lost is over for us too.
            self.epoch = self.epoch.max(self.worker.journal.epoch());
        }
        // Behind the look at what is committed: its answers were handed over before it counted.
        self.deliver();
    }

    async fn take(&mut self, message: ShardMessage) {
        self.switch_again();
        let now = self.worker.clock.now();
        match message {
            ShardMessage::Reports(delivery) => {
                if delivery.generation > self.worker.core.generation() {
                    self.switch(None).await;
                }
                if delivery.generation < self.worker.core.generation() {
                    self.refuse_late(&delivery);
                } else {
                    self.reports(delivery, now);
                }
            }
            ShardMessage::Switch(told) => self.switch(Some(told)).await,
            ShardMessage::Alarm(request) if self.owed.is_waiting() => {
                if let Err(request) = self.owed.wait(request) {
                    self.worker.audience.metrics.alarms_dropped.increment();
                    tracing::error!(key = %request.key, "An alarm was lost: storage cannot commit, and too many alarms wait already.");
                }
            }
            ShardMessage::Alarm(request) => self.alarms(vec![request], now),
            ShardMessage::Operate(request) => {
                let (worked, result) = self.worker.core.operate(&request, now);
                match (worked, result) {
                    (Some(worked), Some(result)) => {
                        self.seal(worked, Vec::new(), None, Some(OperatorReply::Alarm(request.reply, result)));
                    }
                    // Nothing to commit. Whoever asked may have gone.
                    (_, result) => drop(request.reply.send(result)),
                }
            }
            ShardMessage::Decide(request) => self.decide(*request, now),
            ShardMessage::Restore(symbol, state) => self.worker.core.restore_component(symbol, *state),
            ShardMessage::Stop => {}
        }
    }

    fn decide(&mut self, request: DecideRequest, now: Timestamp) {
        let DecideRequest { mut decision, reply } = request;
        decision.time = now;
        let worked = self.worker.core.decided(&decision, now);
        self.changed.decisions.push((worked.undo.number, decision.clone()));
        self.seal(worked, Vec::new(), None, Some(OperatorReply::Decision(reply, decision)));
    }

    /// Reports of a connection that did not hear of a change: its interface is not served any more.
    fn refuse_late(&self, delivery: &Delivery) {
        let sentence = "the configuration changed under this connection; connect again";
        let refusal = Refusal::retry(ReasonCode::Unavailable, sentence, RETRY_UNAVAILABLE_MS);
        let places = delivery.batch.reports.iter().map(|head| head.slot);
        delivery.answers.put(&mut Answers::refuse_all(places, &refusal));
    }

    /// Takes over the latest configuration, unless that was done already.
    async fn switch(&mut self, told: Option<oneshot::Sender<()>>) {
        let to = self.worker.latest.load_full();
        if to.generation <= self.worker.core.generation() {
            match (&mut self.switching, told) {
                (Some(switching), told) => switching.told.extend(told),
                (None, told) => told.into_iter().for_each(tell),
            }
            return;
        }
        // What is undone and what the database is told speak of policies by their places: nothing of it may be open.
        self.hand_in().await;
        while !self.undo.is_empty() {
            tokio::time::sleep(SETTLING).await;
            self.follow_journal();
        }
        if !self.changed.is_empty() {
            let mut flush = self.flush_now();
            flush.position = self.worker.audience.progress.position();
            self.worker.audience.state.flush(flush);
        }
        let (worked, switched) = self.worker.core.switch(&to, self.worker.clock.now());
        self.worker.points = to.points();
        self.seal_switch(worked, switched, told.into_iter().collect());
        self.hand_in().await;
        // Without load nothing would look for its commit before the next tick.
        let deadline = Instant::now() + SETTLED_WITHIN;
        while self.switching.is_some() && Instant::now() < deadline {
            tokio::time::sleep(SETTLING).await;
            self.follow_journal();
        }
    }

    fn seal_switch(&mut self, worked: Worked, switched: Switched, told: Vec<oneshot::Sender<()>>) {
        let number = worked.undo.number;
        self.changed.forgotten.push((number, switched.forgotten.clone(), switched.timers.clone()));
        self.switching = Some(Switching { number, switched, told, is_owed: false });
        self.seal(worked, Vec::new(), None, None);
    }

    /// Journals a switch again whose commit failed, before any batch that was worked through under it.
    fn switch_again(&mut self) {
        if let Some(Switching { switched, told, .. }) = self.switching.take_if(|switching| switching.is_owed) {
            let worked = self.worker.core.switch_again(&switched, self.worker.clock.now());
            self.seal_switch(worked, switched, told);
        }
    }

    /// Takes alarms of the manager's own, and keeps them until they are stored.
    fn alarms(&mut self, requests: Vec<AlarmRequest>, now: Timestamp) {
        let kept = requests.clone();
        if let Some(worked) = self.worker.core.alarms(requests, now) {
            self.owed.sealed(worked.undo.number, kept);
            self.seal(worked, Vec::new(), None, None);
        }
    }

    /// Takes the alarms again that a failed commit took back, once the journal stores again.
    fn alarms_again(&mut self) {
        if self.owed.is_waiting() && self.worker.journal.health() == JournalHealth::Ok {
            let due = self.owed.due();
            self.alarms(due, self.worker.clock.now());
        }
    }

    /// Joins what waits for the same handler, up to the bounds of a batch.
    fn reports(&mut self, first: Delivery, now: Timestamp) {
        let (handler, generation) = (first.handler, first.generation);
        let slots = |batch: &ReportBatch| batch.reports.iter().map(|head| head.slot).collect::<Vec<u32>>();
        let mut joined = first.batch;
        let mut portions: Vec<Portion> = vec![(first.answers, slots(&joined))];
        while joined.len() < BATCH_REPORTS {
            match self.next_message() {
                Some(ShardMessage::Reports(next))
                    if next.handler == handler
                        && next.generation == generation
                        && joined.len() + next.batch.len() <= BATCH_REPORTS
                        && joined.values.len() + next.batch.values.len() <= BATCH_SAMPLES =>
                {
                    portions.push((next.answers, slots(&next.batch)));
                    joined.append(&next.batch);
                }
                other => {
                    self.held = other;
                    break;
                }
            }
        }
        let point = self.worker.points.get(handler).copied();
        let worked = self.worker.core.reports(joined, handler, now);
        self.seal(worked, portions, point, None);
    }

    fn tick(&mut self) {
        let outbox = std::mem::take(&mut self.outbox);
        self.send_alarms(outbox);
        self.switch_again();
        self.alarms_again();
        let now = self.worker.clock.now();
        if let Some(worked) = self.worker.core.tick(now, |_| true) {
            self.seal(worked, Vec::new(), None, None);
        }
        self.follow_journal();
        let committed = self.worker.audience.progress.committed();
        // Also when nothing changed: segments can go only when the database reflects them.
        let owed = !self.changed.is_empty() || committed > self.reflected;
        if self.undo.is_empty() && owed && self.last_flush.elapsed() >= STATE_FLUSH {
            // Everything is committed and nothing is coming: the database can be told right away.
            let mut flush = self.flush_now();
            self.reflected = committed;
            flush.position = self.worker.audience.progress.position();
            self.worker.audience.state.flush(flush);
        }
    }

    fn send_alarms(&mut self, requests: Vec<AlarmRequest>) {
        for request in requests {
            if let Err(ShardMessage::Alarm(request)) = self.worker.manager_mailbox.put(ShardMessage::Alarm(request)) {
                self.outbox.push(request);
            }
        }
    }

    fn seal(
        &mut self,
        worked: Worked,
        portions: Vec<Portion>,
        point: Option<ReferencePoint>,
        operator: Option<OperatorReply>,
    ) {
        let Worked { record, undo, alarms, touched, subjects, requests, about_plugins, network, usage, uncounted: _ } =
            worked;
        self.send_alarms(about_plugins);
        let (answers, repeats) = answers(&record, portions);
        let views = touched.iter().filter_map(|&symbol| self.view(symbol)).collect();
        self.changed.components.extend(touched);
        self.changed.subjects.extend(subjects);
        self.changed.alarms.extend(alarms.iter().map(|alarm| (alarm.id, Arc::clone(alarm))));
        let number = undo.number;
        self.changed.quarantined.extend(record.effects.quarantined.iter().map(|entry| (number, entry.clone())));
        self.changed.network.extend(network.into_iter().map(|change| (number, change)));
        self.changed.usage.extend(usage.into_iter().map(|entry| (number, entry)));
        // Also when nothing changed: the database learns how far the journal is reflected.
        let flush = if self.last_flush.elapsed() >= STATE_FLUSH {
            self.reflected = number;
            self.flushes.push_back((number, self.changed.clone()));
            Some(Box::new(self.flush_now()))
        } else {
            None
        };
        let record = Arc::new(record);
        let told = Told {
            record: Arc::clone(&record),
            audience: Arc::clone(&self.worker.audience),
            number,
            point,
            repeats,
            answers,
            views,
            alarms,
            flush,
            requests,
            operator,
        };
        let reports = u32::try_from(record.input.len()).unwrap_or(u32::MAX);
        let epoch = self.epoch;
        match self.encoder.encode(&record) {
            Ok(bytes) => {
                self.undo.keep(undo);
                let (shard, size) = (self.worker.number, bytes.len());
                let sealed = SealedBatch { bytes, reports, epoch, shard, is_followed: true, tell: Box::new(told) };
                if self.worker.journal.admits(&sealed) {
                    self.sealed_bytes += size;
                    self.sealed.push(sealed);
                } else {
                    sealed.tell.failed(epoch, STOPPING);
                }
            }
            Err(error) => {
                tracing::error!(%error, "A batch could not be written down and is taken back.");
                self.worker.core.undo(undo);
                Box::new(told).failed(epoch, &error.to_string());
            }
        }
    }

    /// The next message, if one waits.
    fn next_message(&mut self) -> Option<ShardMessage> {
        self.held.take().or_else(|| self.worker.mailbox.try_recv().ok())
    }

    fn view(&self, symbol: u32) -> Option<(Arc<crate::dispatch::ComponentEntry>, Arc<ComponentView>)> {
        let (state, entry) = self.worker.core.component(symbol)?;
        let view = ComponentView {
            last_report: state.last_report,
            sequence: state.window.position(),
            outstanding: state.window.outstanding(),
            gaps: state.window.gaps(),
            reports: state.reports,
            kept: state.kept,
            values: Arc::clone(&state.values),
            network: Arc::clone(&state.network),
        };
        Some((Arc::clone(entry), Arc::new(view)))
    }

    /// Everything changed since the last time, as it is now. The position is for the caller to fill in.
    fn flush_now(&mut self) -> StateFlush {
        self.last_flush = Instant::now();
        let changed = std::mem::take(&mut self.changed);
        let core = &self.worker.core;
        let mut states: HashMap<u32, PolicyStates> = HashMap::new();
        // What ended before what began again.
        let (mut policy_states, mut timers) = (Vec::new(), Vec::new());
        for (_, subjects, their_timers) in changed.forgotten {
            policy_states.extend(subjects);
            timers.extend(their_timers);
        }
        for (policy, subject) in changed.subjects {
            let Some(SubjectImage { policy: symbol, component, resource, state, timer }) =
                core.subject(policy, subject)
            else {
                continue;
            };
            let of_policy =
                states.entry(symbol).or_insert_with(|| PolicyStates { policy: symbol, ..PolicyStates::default() });
            of_policy.components.push(component);
            of_policy.resources.push(resource);
            of_policy.values.extend_from_slice(state);
            timers.push(TimerChange { at: timer, policy: symbol, component, resource, padding: 0 });
        }
        policy_states.extend(states.into_values());
        StateFlush {
            shard: self.worker.number,
            components: changed
                .components
                .iter()
                .filter_map(|&symbol| core.component(symbol).map(|(state, _)| (symbol, state.clone())))
                .collect(),
            policy_states,
            timers,
            alarms: changed.alarms.into_values().collect(),
            quarantined: changed.quarantined.into_iter().map(|(_, entry)| entry).collect(),
            network: changed.network.into_iter().map(|(_, change)| change).collect(),
            usage: changed.usage.into_iter().map(|(_, entry)| entry).collect(),
            decisions: changed.decisions.into_iter().map(|(_, decision)| decision).collect(),
            ..StateFlush::default()
        }
    }

    /// Works through what is left, waits for the journal, and leaves the state database up to date.
    async fn stop(&mut self) {
        while let Some(message) = self.next_message() {
            self.take(message).await;
            if self.sealed.len() >= SEALED_GROUP || self.sealed_bytes >= SEALED_GROUP_BYTES {
                self.hand_in().await;
            }
        }
        self.alarms_again();
        self.hand_in().await;
        let deadline = Instant::now() + STOP_PATIENCE;
        loop {
            self.follow_journal();
            if self.undo.is_empty() || Instant::now() >= deadline {
                break;
            }
            tokio::time::sleep(SETTLING).await;
        }
        if self.undo.is_empty() && !self.changed.is_empty() {
            let mut flush = self.flush_now();
            flush.position = self.worker.audience.progress.position();
            self.worker.audience.state.flush(flush);
        }
    }
}

fn tell(waiting: oneshot::Sender<()>) {
    // Whoever waits for it may have gone.
    let _gone = waiting.send(());
}
