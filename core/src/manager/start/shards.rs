//! The shards at a start: what was recovered goes to whoever owns it, the start is noted, the threads begin.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::AtomicU64},
};

use tokio::sync::mpsc;

use super::{Shared, StartError};
use crate::{
    dispatch::registry::shard_of,
    manager::start_entry,
    model::{Alarm, Symbol},
    shard::{
        Mailbox,
        commit::Audience,
        core::{ShardCore, Surroundings},
        thread::ShardThread,
        worker::Worker,
    },
    state::ComponentState,
    storage::{journal::Journal, state_db::SubjectKey},
    telemetry::audit::Audit,
};

/// What shards had before the start.
pub(super) struct Past {
    pub(super) components: HashMap<u32, ComponentState>,
    pub(super) policy_states: HashMap<SubjectKey, Vec<f64>>,
    pub(super) timers: HashMap<SubjectKey, u64>,
    pub(super) alarms: Vec<Alarm>,
    pub(super) next_alarm_id: u64,
}

impl Shared {
    pub(super) fn start_shards(
        &self,
        past: Past,
        journal: &Arc<Journal>,
        audience: &Audience,
        audit: &Audit,
    ) -> Result<Vec<ShardThread>, StartError> {
        let in_force = self.current.get();
        let (count, config) = (in_force.config.manager.shards, self.current.shards().load_full());
        let around = Surroundings {
            symbols: Arc::clone(&self.symbols),
            registry: Arc::clone(&self.registry),
            metrics: Arc::clone(&self.metrics),
            manager: Arc::from(self.manager.as_str()),
            next_alarm_id: Arc::new(AtomicU64::new(past.next_alarm_id)),
            shards: count,
        };
        let number = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
        let core = |shard| ShardCore::new(number(shard), around.clone(), Arc::clone(&config));
        let mut cores: Vec<ShardCore> = (0..count).map(core).collect();
        self.distribute(past, &mut cores);
        cores.iter_mut().for_each(|core| core.expect_reports(in_force.since));
        let (mailboxes, receivers): (Vec<_>, Vec<_>) = (0..count).map(|_| Mailbox::new()).unzip();
        let managers = mailboxes.get(shard_of(&self.manager, count)).cloned();
        let note = in_force.note();
        audit.record(start_entry::entry(&note, audit.last_start()));
        let mut note = Some(config.note.to_string());
        let mut started = Vec::new();
        for (core, (number, (mailbox, receiver))) in cores.into_iter().zip(mailboxes.iter().zip(receivers).enumerate())
        {
            let (answered, waiting) = mpsc::unbounded_channel();
            let worker = Worker {
                number: u16::try_from(number).unwrap_or(u16::MAX),
                core,
                mailbox: receiver,
                answered: waiting,
                manager_mailbox: managers.clone().unwrap_or_else(|| mailbox.clone()),
                journal: Arc::clone(journal),
                audience: Arc::new(Audience { progress: Arc::default(), answered, ..audience.clone() }),
                clock: self.clock,
                latest: Arc::clone(self.current.shards()),
                points: config.points(),
            };
            let note = note.take();
            started.push(ShardThread::start(worker, mailbox.clone(), note).map_err(StartError::Thread)?);
        }
        Ok(started)
    }

    /// Gives every shard the state of its components, its policies' subjects and alarms.
    fn distribute(&self, past: Past, cores: &mut [ShardCore]) {
        let count = cores.len();
        let shard = |component: u32| shard_of(&self.symbols.text(Symbol(component)), count);
        for (symbol, state) in past.components {
            if let Some(core) = cores.get_mut(shard(symbol)) {
                core.restore_component(symbol, state);
            }
        }
        for ((policy, component, resource), state) in past.policy_states {
            if let Some(core) = cores.get_mut(shard(component)) {
                core.restore_subject(policy, component, resource, &state, 0);
            }
        }
        for ((policy, component, resource), at) in past.timers {
            if let Some(core) = cores.get_mut(shard(component)) {
                core.restore_subject(policy, component, resource, &[], at);
            }
        }
        for alarm in past.alarms {
            let alarm = Arc::new(alarm);
            if let Some(gauge) =
                self.metrics.alarms_raised.get(alarm.report.severity as usize).filter(|_| !alarm.is_cleared)
            {
                gauge.increment();
            }
            self.board.publish(Arc::clone(&alarm));
            if let Some(core) = cores.get_mut(shard_of(&alarm.key.component, count)) {
                core.restore_alarm(alarm);
            }
        }
    }
}
