//! One policy in one shard: which samples and extension objects it is shown, the state of its subjects, its timers.
//!
//! State goes to the plugin and comes back with each call, one entry for each distinct subject of the batch; it is
//! written back only after a call that went well, so that a trap loses nothing.

use std::collections::{BTreeSet, HashSet};

use hashbrown::HashMap;

use crate::{
    config::limits::RESOURCE_CHARS,
    model::{ReportBatch, Timestamp, report_batch::ObjectText},
    plugin::{FcapsPolicy, Observations, Outcome, PluginFailure, SeenObject},
    shard::{handling::Pause, plugins::ActivePolicy, text_member::text_member, undo::SubjectBefore},
    storage::record::{PolicyStates, TimerChange},
};

/// A policy's part of a shard.
pub struct PolicySlot {
    /// The policy.
    pub active: ActivePolicy,
    instance: Option<Box<dyn FcapsPolicy>>,
    pause: Pause,
    /// By symbol, whether the policy watches that name.
    wanted: Vec<bool>,
    /// Names of the report looked at last, and the places of those that the policy watches: a component's reports are mostly
    /// alike.
    alike: Vec<u32>,
    places: Vec<usize>,
    /// Names at these places.
    watched: Vec<u32>,
    subjects: HashMap<(u32, u32), u32>,
    keys: Vec<(u32, u32)>,
    states: Vec<f64>,
    timers_at: Vec<u64>,
    timers: BTreeSet<(u64, u32)>,
    subjects_of: HashMap<u32, u32>,
    most_subjects: u32,
    stamps: Vec<(u32, u32)>,
    generation: u32,
    seen: Observations,
    local: Vec<u32>,
    /// Samples not shown because the component has more subjects than its state may hold, not counted yet.
    crowded_out: u64,
    /// Subjects that were told to who counts them.
    told: usize,
}

/// What all policies need of a batch beside its reports.
pub struct BatchContext<'a> {
    /// For each report the first of the neighbours that name the same values in the same order, itself among them.
    pub alike: &'a [u32],
    /// Symbol of a component's resource, if it may have one more.
    pub resource: &'a dyn Fn(u32, &str) -> Option<u32>,
    /// Usage objects that do not count, by report and place in the extension: their `usageId` was counted before.
    pub uncounted: &'a HashSet<(u32, u32)>,
}

/// A subject as it is: for the state database and for a shard that follows this one.
#[derive(Clone, Copy, Debug)]
pub struct SubjectImage<'a> {
    /// Symbol of the policy's name.
    pub policy: u32,
    /// Symbol of its component.
    pub component: u32,
    /// Symbol of its resource.
    pub resource: u32,
    /// Its state.
    pub state: &'a [f64],
    /// When its timer goes off, milliseconds since 1970; 0 if it has none.
    pub timer: u64,
}

/// Policy, component, resource, and when the timer goes off.
pub type SubjectKeyAndTimer = (u32, u32, u32, u64);

impl SubjectImage<'_> {
    /// Without its state.
    #[must_use]
    pub const fn key(&self) -> SubjectKeyAndTimer {
        (self.policy, self.component, self.resource, self.timer)
    }
}

/// What a call changed, to be journalled and, if need be, taken back.
#[derive(Debug, Default)]
pub struct Evaluated {
    /// Verdicts; positions refer to `keys`.
    pub outcome: Outcome,
    /// Component and resource of each subject of the call.
    pub keys: Vec<(u32, u32)>,
    /// New state of those subjects whose state changed.
    pub states: PolicyStates,
    /// Timers changed.
    pub timers: Vec<TimerChange>,
    /// Whether the call went well after one that had not.
    pub recovered: bool,
}

impl PolicySlot {
    /// A policy without subjects; `state_bytes` is what the subjects of one component may take together.
    #[must_use]
    pub fn new(active: ActivePolicy, state_bytes: usize) -> Self {
        let mut wanted = Vec::new();
        for name in &active.needs.names {
            if wanted.len() <= name.index() {
                wanted.resize(name.index() + 1, false);
            }
            if let Some(place) = wanted.get_mut(name.index()) {
                *place = true;
            }
        }
        let most_subjects = state_bytes / (active.needs.state_width.max(1) * size_of::<f64>());
        Self {
            active,
            instance: None,
            pause: Pause::default(),
            wanted,
            alike: Vec::new(),
            places: Vec::new(),
            watched: Vec::new(),
            subjects: HashMap::new(),
            keys: Vec::new(),
            states: Vec::new(),
            timers_at: Vec::new(),
            timers: BTreeSet::new(),
            subjects_of: HashMap::new(),
            most_subjects: u32::try_from(most_subjects).unwrap_or(u32::MAX).max(1),
            stamps: Vec::new(),
            generation: 0,
            seen: Observations::default(),
            local: Vec::new(),
            crowded_out: 0,
            told: 0,
        }
    }

    /// The slot of a policy that goes on under another configuration, with the subjects that `keep` (component, resource)
    /// says yes to; and the keys and timers of the others.
    #[must_use]
    pub fn succeed(
        before: Self,
        active: ActivePolicy,
        state_bytes: usize,
        mut keep: impl FnMut(u32, u32) -> bool,
    ) -> (Self, Vec<SubjectKeyAndTimer>) {
        let mut slot = Self::new(active, state_bytes);
        let mut forgotten = Vec::new();
        for image in before.images() {
            // A lower bound on state may leave no room for it.
            let stays =
                keep(image.component, image.resource) && slot.subject(image.component, image.resource).is_some();
            if stays {
                slot.restore(image.component, image.resource, image.state, image.timer);
            } else {
                forgotten.push(image.key());
            }
        }
        if slot.active.is_same_plugin(&before.active) {
            (slot.instance, slot.pause) = (before.instance, before.pause);
        }
        (slot, forgotten)
    }

    const fn width(&self) -> usize {
        self.active.needs.state_width
    }

    fn subject(&mut self, component: u32, resource: u32) -> Option<u32> {
        if let Some(&subject) = self.subjects.get(&(component, resource)) {
            return Some(subject);
        }
        let count = self.subjects_of.entry(component).or_insert(0);
        if *count >= self.most_subjects {
            return None;
        }
        *count += 1;
        let subject = u32::try_from(self.keys.len()).unwrap_or(u32::MAX);
        self.subjects.insert((component, resource), subject);
        self.keys.push((component, resource));
        self.states.resize(self.states.len() + self.width(), 0.0);
        self.timers_at.push(0);
        self.stamps.push((0, 0));
        Some(subject)
    }

    /// State and timer from before a restart.
    ///
    /// False: it keeps another state, or there is no room for it.
    pub fn restore(&mut self, component: u32, resource: u32, state: &[f64], timer: u64) -> bool {
        if !state.is_empty() && state.len() != self.width() {
            return false; // Another version of the policy kept another state: it starts afresh.
        }
        let Some(subject) = self.subject(component, resource) else { return false };
        if !state.is_empty() {
            self.state_mut(subject).copy_from_slice(state);
        }
        if timer != 0 {
            self.set_timer(subject, timer);
        }
        true
    }

    fn state(&self, subject: u32) -> &[f64] {
        let start = subject as usize * self.width();
        self.states.get(start..start + self.width()).unwrap_or_default()
    }

    fn state_mut(&mut self, subject: u32) -> &mut [f64] {
        let (start, width) = (subject as usize * self.width(), self.width());
        self.states.get_mut(start..start + width).unwrap_or_default()
    }

    fn set_timer(&mut self, subject: u32, at: u64) {
        let Some(place) = self.timers_at.get_mut(subject as usize) else { return };
        let before = std::mem::replace(place, at);
        if before != 0 {
            self.timers.remove(&(before, subject));
        }
        if at != 0 {
            self.timers.insert((at, subject));
        }
    }

    fn begin(&mut self, now: Timestamp) {
        self.generation = self.generation.wrapping_add(1);
        if self.generation == 0 {
            self.stamps.fill((0, 0));
            self.generation = 1;
        }
        self.seen.clear();
        self.local.clear();
        self.seen.now = u64::try_from(now.0).unwrap_or(0);
    }

    /// The subject's position in this call, added to the call if it is not yet part of it.
    fn place(&mut self, subject: u32) -> u32 {
        if let Some(&(generation, local)) = self.stamps.get(subject as usize)
            && generation == self.generation
        {
            return local;
        }
        let local = u32::try_from(self.local.len()).unwrap_or(u32::MAX);
        if let Some(stamp) = self.stamps.get_mut(subject as usize) {
            *stamp = (self.generation, local);
        }
        self.local.push(subject);
        let (component, resource) = self.keys.get(subject as usize).copied().unwrap_or_default();
        self.seen.components.push(component);
        self.seen.resources.push(resource);
        let start = subject as usize * self.active.needs.state_width;
        self.seen
            .state
            .extend_from_slice(self.states.get(start..start + self.active.needs.state_width).unwrap_or_default());
        local
    }

    /// Shows the policy the samples and objects of the given reports, in ascending order. `None`: there is nothing it
    /// watches.
    pub fn evaluate(
        &mut self,
        batch: &ReportBatch,
        reports: impl Iterator<Item = usize>,
        context: &BatchContext<'_>,
        now: Timestamp,
        undo: &mut Vec<SubjectBefore>,
        position: usize,
    ) -> Option<Result<Evaluated, PluginFailure>> {
        self.begin(now);
        // Neighbours are mostly of one subject, and mostly alike.
        let mut last = ((0, 0), 0);
        let mut alike_to = None;
        let mut objects = if self.active.needs.objects.is_empty() { &[] } else { batch.objects.as_slice() };
        for report in reports {
            let component = batch.component(report).0;
            let range = batch.samples(report);
            let names = batch.names.get(range.clone()).unwrap_or_default();
            let resources = batch.resources.get(range.clone()).unwrap_or_default();
            let values = batch.values.get(range).unwrap_or_default();
            let first = context.alike.get(report);
            if first.is_none() || first != alike_to {
                alike_to = first;
                self.look_at(names);
            }
            self.show_samples(component, (names, resources, values), &mut last);
            if !objects.is_empty() {
                objects = self.show_objects(batch, report, objects, context);
            }
        }
        if self.seen.subject.is_empty() && self.seen.objects.is_empty() {
            None
        } else {
            Some(self.call(false, now, undo, position))
        }
    }

    /// Shows those of a report's samples that the policy watches; `last` is the subject of the sample before, with its place in
    /// the call.
    fn show_samples(
        &mut self,
        component: u32,
        (names, resources, values): (&[u32], &[u32], &[f64]),
        last: &mut ((u32, u32), u32),
    ) {
        let Some(&first) = self.places.first() else { return };
        let resource = resources.get(first).copied().unwrap_or_default();
        let is_same = |place: &usize| resources.get(*place) == Some(&resource);
        if names.len() == values.len() && self.places.iter().all(is_same) {
            // Mostly all of a report is about one part of the component.
            let count = self.places.len();
            let of = if self.active.needs.per_component { 0 } else { resource };
            let Some(local) = self.local_of((component, of), last) else {
                self.crowded_out += count as u64;
                return;
            };
            self.seen.subject.extend(std::iter::repeat_n(local, count));
            self.seen.names.extend_from_slice(&self.watched);
            self.seen.sample_resources.extend(std::iter::repeat_n(resource, count));
            self.seen.values.extend(self.places.iter().map(|&place| values.get(place).copied().unwrap_or_default()));
            return;
        }
        for at in 0..self.places.len() {
            let place = self.places.get(at).copied().unwrap_or(usize::MAX);
            let sample = (names.get(place), resources.get(place), values.get(place));
            let (Some(&name), Some(&resource), Some(&value)) = sample else { continue };
            let of = if self.active.needs.per_component { 0 } else { resource };
            let Some(local) = self.local_of((component, of), last) else {
                self.crowded_out += 1;
                continue;
            };
            self.seen.subject.push(local);
            self.seen.names.push(name);
            self.seen.values.push(value);
            self.seen.sample_resources.push(resource);
        }
    }

    /// The place in the call of the subject with this key, mostly that of the sample before; `None`: its component has as many
    /// as it may.
    fn local_of(&mut self, key: (u32, u32), last: &mut ((u32, u32), u32)) -> Option<u32> {
        if last.0 != key {
            let subject = self.subject(key.0, key.1)?;
            *last = (key, self.place(subject));
        }
        Some(last.1)
    }

    /// Notes the places of names that the policy watches.
    fn look_at(&mut self, names: &[u32]) {
        if names == self.alike.as_slice() {
            return;
        }
        self.alike.clear();
        self.alike.extend_from_slice(names);
        let wanted = |name: &u32| self.wanted.get(*name as usize).copied().unwrap_or(false);
        self.places.clear();
        self.places.extend((0..names.len()).filter(|&place| names.get(place).is_some_and(wanted)));
        self.watched.clear();
        self.watched.extend(self.places.iter().filter_map(|&place| names.get(place)));
    }

    /// Shows the objects of one report, behind its samples; what belongs to later reports comes back.
    fn show_objects<'b>(
        &mut self,
        batch: &ReportBatch,
        report: usize,
        objects: &'b [ObjectText],
        context: &BatchContext<'_>,
    ) -> &'b [ObjectText] {
        let start = objects.partition_point(|object| (object.report as usize) < report);
        let own = objects.get(start..).unwrap_or_default();
        let (own, later) = own.split_at(own.partition_point(|object| object.report as usize == report));
        for object in own {
            let wanted = self.active.needs.objects.contains(&object.kind);
            if !wanted || context.uncounted.contains(&(object.report, object.index)) {
                continue;
            }
            let (text, component) = (batch.object_text(object), batch.component(report).0);
            let resource =
                if self.active.needs.per_component { Some(0) } else { self.resource_of(text, component, context) };
            let subject = resource.and_then(|resource| self.subject(component, resource));
            let Some(subject) = subject else {
                self.crowded_out += 1;
                continue;
            };
            let subject = self.place(subject);
            let samples_before = u32::try_from(self.seen.values.len()).unwrap_or(u32::MAX);
            self.seen.objects.push(SeenObject { subject, samples_before, kind: object.kind, text: text.to_owned() });
        }
        later
    }

    /// The resource that an object is about; `None`: the component has as many as it may.
    fn resource_of(&self, text: &str, component: u32, context: &BatchContext<'_>) -> Option<u32> {
        match text_member(text, &self.active.needs.object_resource).as_deref() {
            None | Some("") => Some(0),
            Some(long) if long.chars().count() > RESOURCE_CHARS => Some(0),
            Some(name) => (context.resource)(component, name),
        }
    }

    /// Calls the policy for the subjects whose timer is due, among the components that `of_shard` says yes to.
    pub fn tick(
        &mut self,
        now: Timestamp,
        of_shard: impl Fn(u32) -> bool,
        undo: &mut Vec<SubjectBefore>,
        position: usize,
    ) -> Option<Result<Evaluated, PluginFailure>> {
        let at = u64::try_from(now.0).unwrap_or(0);
        if self.timers.first().is_none_or(|&(due, _)| due > at) {
            return None;
        }
        self.begin(now);
        let due: Vec<u32> = self.timers.range(..=(at, u32::MAX)).map(|&(_, subject)| subject).collect();
        for subject in due {
            if self.keys.get(subject as usize).is_some_and(|&(component, _)| of_shard(component)) {
                self.place(subject);
            }
        }
        if self.local.is_empty() { None } else { Some(self.call(true, now, undo, position)) }
    }

    fn call(
        &mut self,
        due: bool,
        now: Timestamp,
        undo: &mut Vec<SubjectBefore>,
        position: usize,
    ) -> Result<Evaluated, PluginFailure> {
        self.pause.check(now)?;
        let instance = match &mut self.instance {
            Some(instance) => instance,
            none => none.insert((self.active.make)().inspect_err(|_| self.pause.failed(now))?),
        };
        let result = if due { instance.on_time(&self.seen) } else { instance.evaluate(&self.seen) };
        if self.told != self.keys.len() {
            self.told = self.keys.len();
            instance.keeps(self.told, size_of_val(self.states.as_slice()));
        }
        match result {
            Ok(outcome) => {
                let recovered = self.pause.succeeded();
                Ok(self.keep(outcome, due, recovered, undo, position))
            }
            Err(failure) => {
                self.pause.failed(now);
                Err(failure)
            }
        }
    }

    /// Writes state and timers back and notes what they were.
    fn keep(
        &mut self,
        outcome: Outcome,
        due: bool,
        recovered: bool,
        undo: &mut Vec<SubjectBefore>,
        position: usize,
    ) -> Evaluated {
        let mut evaluated = Evaluated { recovered, ..Evaluated::default() };
        evaluated.states.policy = self.active.symbol;
        let width = self.width();
        let mut timers: HashMap<u32, u64> = outcome.timers.iter().copied().collect();
        let local = std::mem::take(&mut self.local);
        for (index, &subject) in local.iter().enumerate() {
            let key = self.keys.get(subject as usize).copied().unwrap_or_default();
            evaluated.keys.push(key);
            let new = outcome.state.get(index * width..(index + 1) * width).unwrap_or_default();
            let changed = !bits_equal(self.state(subject), new);
            let old_timer = self.timers_at.get(subject as usize).copied().unwrap_or(0);
            // A timer that went off is over unless the policy sets it again.
            let timer =
                timers.remove(&u32::try_from(index).unwrap_or(u32::MAX)).unwrap_or(if due { 0 } else { old_timer });
            if !changed && timer == old_timer {
                continue;
            }
            undo.push(SubjectBefore { policy: position, subject, state: self.state(subject).into(), timer: old_timer });
            if changed {
                self.state_mut(subject).copy_from_slice(new);
                evaluated.states.components.push(key.0);
                evaluated.states.resources.push(key.1);
                evaluated.states.values.extend_from_slice(new);
            }
            if timer != old_timer {
                self.set_timer(subject, timer);
                evaluated.timers.push(TimerChange {
                    at: timer,
                    policy: self.active.symbol,
                    component: key.0,
                    resource: key.1,
                    padding: 0,
                });
            }
        }
        self.local = local;
        evaluated.outcome = outcome;
        evaluated
    }

    /// Takes a subject back to what it was.
    pub fn undo(&mut self, before: &SubjectBefore) {
        let place = self.state_mut(before.subject);
        if place.len() == before.state.len() {
            place.copy_from_slice(&before.state);
        }
        self.set_timer(before.subject, before.timer);
    }

    /// Samples not shown since the last time this was asked.
    pub fn take_crowded_out(&mut self) -> u64 {
        std::mem::take(&mut self.crowded_out)
    }

    /// All subjects.
    pub fn images(&self) -> impl Iterator<Item = SubjectImage<'_>> {
        (0..u32::try_from(self.keys.len()).unwrap_or(u32::MAX)).map(|subject| self.image(subject))
    }

    /// One subject.
    #[must_use]
    pub fn image(&self, subject: u32) -> SubjectImage<'_> {
        let (component, resource) = self.keys.get(subject as usize).copied().unwrap_or_default();
        let timer = self.timers_at.get(subject as usize).copied().unwrap_or(0);
        SubjectImage { policy: self.active.symbol, component, resource, state: self.state(subject), timer }
    }
}

/// See [`BatchContext::alike`].
#[must_use]
pub fn alike(batch: &ReportBatch) -> Vec<u32> {
    let names = |report: usize| batch.names.get(batch.samples(report));
    let mut firsts = Vec::with_capacity(batch.len());
    let mut first = 0;
    for report in 0..batch.len() {
        if report > 0 && names(report) != names(report - 1) {
            first = u32::try_from(report).unwrap_or(u32::MAX);
        }
        firsts.push(first);
    }
    firsts
}

fn bits_equal(left: &[f64], right: &[f64]) -> bool {
    left.len() == right.len() && left.iter().zip(right).all(|(a, b)| a.to_bits() == b.to_bits())
}
