//! All components as clients: who reports when, who is gone, and what became of it all.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{sync::Semaphore, task::JoinSet};

use super::{Certificates, RunningError};
use crate::{
    clock::wall_time,
    model::{ReferencePoint, Timestamp},
    simulate::{
        client::{Client, ClientConfig, Counts},
        description::Plan,
        world::World,
    },
};

/// Handshakes under way at a time: more would only wait for each other, and run out of the manager's patience.
const DIALLING: usize = 32;
/// Components that begin in one turn, so that a large network does not hold up the rest while certificates are made.
const STARTS: usize = 64;
/// Reports without an answer, of each component.
const WINDOW: usize = 16;

/// What became of everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Components there are.
    pub components: usize,
    /// Of them, those that have begun.
    pub started: usize,
    /// Of them, those that are connected now.
    pub connected: usize,
    /// Of them, those that had a report acknowledged since they were started.
    pub acknowledged_once: usize,
    /// Reports sent.
    pub sent: u64,
    /// Of them, acknowledged.
    pub acknowledged: u64,
    /// Of them, refused.
    pub refused: u64,
    /// Reports without an answer when their component crashed or was started anew.
    pub lost: u64,
    /// Reports that were due while too many were without an answer, and were not made. Those due without a connection do not count.
    pub held_back: u64,
    /// Connections that failed or were lost.
    pub failures: u64,
    /// Notifications of subscriptions, of the reports.
    pub notifications: u64,
    /// Status report requests answered.
    pub requests: u64,
}

impl Totals {
    fn add(&mut self, counts: &Counts) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        self.sent += read(&counts.sent);
        self.acknowledged += read(&counts.acknowledged);
        self.refused += read(&counts.refused);
        self.failures += read(&counts.failures);
        self.notifications += read(&counts.notifications);
        self.requests += read(&counts.requests);
    }
}

/// A component's place in the fleet.
#[derive(Debug, Default)]
struct Member {
    client: Option<(Client, Arc<Counts>)>,
    restarts: u64,
    /// When it reports next, since the beginning.
    due: Duration,
    usage: Vec<Value>,
    begun: bool,
}

/// All components.
#[derive(Debug)]
pub(super) struct Fleet {
    plan: Arc<Plan>,
    certificates: Certificates,
    managers: HashMap<ReferencePoint, String>,
    interval: Duration,
    dialling: Arc<Semaphore>,
    members: Vec<Member>,
    /// Of clients that are no more.
    past: Totals,
    held_back: u64,
}

impl Fleet {
    pub(super) fn new(
        plan: Arc<Plan>,
        certificates: Certificates,
        managers: HashMap<ReferencePoint, String>,
        interval: Duration,
    ) -> Self {
        let number = plan.components.len().max(1);
        let due = |index: usize| {
            // Neighbours in the list report at different times: multiples of the golden ratio spread evenly.
            #[expect(clippy::cast_precision_loss, reason = "a position in a list")]
            let phase = (index as f64 * 0.618_033_988_75).fract();
            interval.mul_f64(phase)
        };
        let members = (0..number).map(|index| Member { due: due(index), ..Member::default() });
        let members = members.take(plan.components.len()).collect();
        Self {
            plan,
            certificates,
            managers,
            interval,
            dialling: Arc::new(Semaphore::new(DIALLING)),
            members,
            past: Totals::default(),
            held_back: 0,
        }
    }

    /// Starts, ends and restarts clients as the network has it, and sends what is due.
    pub(super) fn turn(&mut self, world: &World, elapsed: Duration) -> Result<(), RunningError> {
        let mut starts = STARTS;
        for index in 0..self.members.len() {
            let condition = world.condition(index);
            let Some(member) = self.members.get_mut(index) else { continue };
            if (condition.gone || condition.restarts != member.restarts)
                && let Some((client, counts)) = member.client.take()
            {
                client.abort();
                self.past.add(&counts);
                let answered = counts.acknowledged.load(Ordering::Relaxed) + counts.refused.load(Ordering::Relaxed);
                self.past.lost += counts.sent.load(Ordering::Relaxed).saturating_sub(answered);
            }
            member.restarts = condition.restarts;
            if condition.gone {
                member.due = elapsed;
                continue;
            }
            if member.client.is_none() {
                if starts == 0 {
                    continue;
                }
                starts -= 1;
                let client = self.start(index)?;
                if let Some(member) = self.members.get_mut(index) {
                    let counts = client.counts();
                    member.client = Some((client, counts));
                    member.begun = true;
                }
            }
            self.report(world, index, elapsed);
        }
        Ok(())
    }

    fn start(&self, index: usize) -> Result<Client, RunningError> {
        let Some(component) = self.plan.components.get(index).map(|it| it.component.clone()) else {
            return Err(RunningError::NoManager(ReferencePoint::Mx));
        };
        let point = component.reference_point;
        let manager = self.managers.get(&point).cloned().ok_or(RunningError::NoManager(point))?;
        let tls = self.certificates.of(&component)?;
        let mut config = ClientConfig::new(component, manager, tls);
        config.dialling = Arc::clone(&self.dialling);
        config.window = WINDOW;
        // Controllers serve no subscriptions, so that a manager's schedule of requests has somebody to ask.
        config.serves_subscriptions = point != ReferencePoint::Mc;
        config.incarnation = u64::try_from(wall_time().0).unwrap_or(0);
        Ok(Client::start(config)?)
    }

    fn report(&mut self, world: &World, index: usize, elapsed: Duration) {
        let Some(member) = self.members.get_mut(index) else { return };
        let Some((client, counts)) = &member.client else { return };
        if member.due > elapsed {
            return;
        }
        // Who is late by more than an interval has missed reports; they are not made up for.
        member.due = (member.due + self.interval).max(elapsed.saturating_sub(self.interval));
        let condition = world.condition(index);
        if condition.silent {
            client.forget();
            return;
        }
        let mut objects = world.report(index);
        let usage = member.usage.len();
        objects.append(&mut member.usage.clone());
        let time = Timestamp(wall_time().0.saturating_add(condition.clock_offset_ms));
        if client.try_report(time, objects) {
            member.usage.drain(..usage);
        } else if counts.connected.load(Ordering::Relaxed) {
            self.held_back += 1;
        }
    }

    /// Gives each key manager the records of what was used in the last `span`, to be told with its next report.
    pub(super) fn bill(&mut self, world: &mut World, span: Duration) {
        let end = wall_time();
        let start = Timestamp(end.0.saturating_sub(i64::try_from(span.as_millis()).unwrap_or(0)));
        for (index, member) in self.members.iter_mut().enumerate() {
            let Some(component) = self.plan.components.get(index) else { continue };
            for (peer, bits) in world.take_usage(index) {
                member.usage.push(json!({
                    "type": "usage",
                    "usageId": format!("{}-{peer}-{}", component.site, end.0),
                    "application": format!("{}-{peer}", component.site),
                    "user": component.site,
                    "peer": peer,
                    "startTime": start,
                    "endTime": end,
                    "consumedBits": bits,
                    "suppliedKeys": (bits / 256.0).floor(),
                }));
            }
        }
    }

    pub(super) fn totals(&self) -> Totals {
        let mut totals = Totals { components: self.members.len(), held_back: self.held_back, ..self.past };
        for member in &self.members {
            totals.started += usize::from(member.begun);
            if let Some((_, counts)) = &member.client {
                totals.add(counts);
                totals.connected += usize::from(counts.connected.load(Ordering::Relaxed));
                totals.acknowledged_once += usize::from(counts.acknowledged.load(Ordering::Relaxed) > 0);
            }
        }
        totals
    }

    /// Takes leave of the manager in good order.
    pub(super) async fn finish(mut self, patience: Duration) -> Totals {
        let mut leaving = JoinSet::new();
        let mut left = Vec::new();
        for member in &mut self.members {
            if let Some((client, counts)) = member.client.take() {
                leaving.spawn(client.finish(patience));
                left.push(counts);
            }
        }
        while leaving.join_next().await.is_some() {}
        let mut totals = self.totals();
        for counts in left {
            totals.add(&counts);
            totals.acknowledged_once += usize::from(counts.acknowledged.load(Ordering::Relaxed) > 0);
        }
        totals
    }

    /// The last trouble of a few components that have some, for people.
    pub(super) fn troubles(&self, most: usize) -> Vec<String> {
        let troubled = self.members.iter().zip(&self.plan.components).filter_map(|(member, component)| {
            let (_, counts) = member.client.as_ref()?;
            Some(format!("{}: {}", component.component, counts.last_trouble()?))
        });
        troubled.take(most).collect()
    }
}
