//! Our own documents: when one is signed, with which version, and when we had better say nothing.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    identity::Audience,
    limits::Settings,
    manifest::{Salt, SectionBody},
};

/// What a domain wants to say to an audience: all its sections, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// Bytes of each section.
    pub sections: BTreeMap<Arc<str>, Arc<[u8]>>,
}

/// What is said to one audience.
#[derive(Debug)]
pub(super) struct OwnSlot {
    /// The sections, salted.
    pub sections: BTreeMap<Arc<str>, SectionBody>,
    /// The last sequence number signed in this epoch.
    pub seq: u64,
    /// Something has changed since.
    pub changed: bool,
    /// When the last manifest was signed; absent: none in this epoch.
    pub signed_at: Option<u64>,
    /// This audience is told nothing any more: it is told so once, and then nothing.
    pub withdrawn: bool,
    tokens: u32,
    filled_at: u64,
}

impl OwnSlot {
    fn new(settings: &Settings, now: u64) -> Self {
        let sections = BTreeMap::new();
        Self {
            sections,
            seq: 0,
            changed: true,
            signed_at: None,
            withdrawn: false,
            tokens: settings.burst,
            filled_at: now,
        }
    }

    /// Takes over what is to be said; true if it differs from before. A section that stays the same keeps its salt, and so
    /// its hash.
    fn take(&mut self, draft: &Draft, mut salt: impl FnMut() -> Salt) -> bool {
        let before = self.sections.len();
        self.sections.retain(|name, _| draft.sections.contains_key(name));
        let mut changed = std::mem::take(&mut self.withdrawn) || self.sections.len() != before;
        for (name, data) in &draft.sections {
            if self.sections.get(name).is_none_or(|body| body.data != *data) {
                let body = SectionBody { name: name.clone(), salt: salt(), data: data.clone() };
                self.sections.insert(name.clone(), body);
                changed = true;
            }
        }
        self.changed |= changed;
        changed
    }

    /// Nothing is to be said to this audience any more.
    fn withdraw(&mut self) {
        self.sections.clear();
        self.changed |= !std::mem::replace(&mut self.withdrawn, true);
    }

    /// Whether a manifest is to be signed now: for a change if there is a token, or because the last is old.
    pub(super) fn is_due(&mut self, settings: &Settings, now: u64) -> bool {
        let gained = now.saturating_sub(self.filled_at) / settings.min_interval.max(1);
        if gained > 0 {
            let gained = u32::try_from(gained).unwrap_or(u32::MAX);
            self.tokens = self.tokens.saturating_add(gained).min(settings.burst);
            self.filled_at = now;
        }
        let old = !self.withdrawn && self.signed_at.is_none_or(|at| now.saturating_sub(at) >= settings.refresh);
        old || (self.changed && self.tokens > 0)
    }

    /// A manifest was signed.
    pub(super) fn signed(&mut self, now: u64) {
        self.seq += 1;
        self.changed = false;
        self.signed_at = Some(now);
        self.tokens = self.tokens.saturating_sub(1);
    }
}

/// Publishing.
#[derive(Debug, Default)]
pub(super) struct Own {
    /// By audience.
    pub slots: BTreeMap<Audience, OwnSlot>,
    /// The life we publish in; absent: none could be had.
    pub epoch: Option<u64>,
    /// We leave: this is said once more, and then nothing.
    pub leaving: bool,
    /// Somebody else publishes as us.
    pub stopped: bool,
    heard: Vec<u64>,
    follow: Option<u64>,
}

/// Between two times, in milliseconds, that we follow an epoch which we heard of as ours.
const FOLLOW_INTERVAL: u64 = 5_000;
/// How often, within which time in milliseconds, we may meet a newer manifest of our own before we stop.
const HEARD_OFTEN: (usize, u64) = (3, 600_000);

impl Own {
    /// Takes over what is to be said to an audience; true if it differs from before.
    pub(super) fn take(
        &mut self,
        audience: &Audience,
        draft: &Draft,
        settings: &Settings,
        now: u64,
        salt: impl FnMut() -> Salt,
    ) -> bool {
        let slot = self.slots.entry(audience.clone()).or_insert_with(|| OwnSlot::new(settings, now));
        slot.take(draft, salt)
    }

    /// Tells an audience nothing any more.
    pub(super) fn withdraw(&mut self, audience: &Audience, settings: &Settings, now: u64) {
        self.slots.entry(audience.clone()).or_insert_with(|| OwnSlot::new(settings, now)).withdraw();
    }

    /// A new epoch: everything is signed anew, and numbered from the first.
    pub(super) fn begin(&mut self, epoch: Option<u64>) {
        self.epoch = epoch;
        for slot in self.slots.values_mut() {
            slot.seq = 0;
            slot.signed_at = None;
            slot.changed |= slot.withdrawn;
        }
    }

    /// We met a manifest of our own of this epoch, newer than ours; true if that is news.
    pub(super) fn must_follow(&mut self, epoch: u64) -> bool {
        let news = self.follow.is_none_or(|known| known < epoch);
        self.follow = self.follow.max(Some(epoch));
        news && !self.stopped
    }

    /// What was heard does not count any more.
    pub(super) fn forget_heard(&mut self) {
        self.follow = None;
    }

    /// The epoch above which we have to take one now.
    pub(super) fn next_to_follow(&mut self, now: u64) -> Option<u64> {
        if self.heard.last().is_some_and(|&last| now.saturating_sub(last) < FOLLOW_INTERVAL) {
            return None;
        }
        self.follow.take().filter(|heard| self.epoch.is_none_or(|ours| *heard >= ours))
    }

    /// We met a newer manifest of our own; true if that was once too often.
    pub(super) fn heard(&mut self, now: u64) -> bool {
        let (often, within) = HEARD_OFTEN;
        self.heard.retain(|&at| now.saturating_sub(at) < within);
        self.heard.push(now);
        self.stopped |= self.heard.len() >= often;
        self.stopped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_goes_out_at_once_and_then_one_a_second() {
        let settings = Settings::default();
        let mut slot = OwnSlot::new(&settings, 0);
        let mut signed = Vec::new();
        for now in (0..4_000).step_by(100) {
            slot.changed = true;
            if slot.is_due(&settings, now) {
                slot.signed(now);
                signed.push(now);
            }
        }
        assert_eq!(signed, [0, 100, 200, 300, 400, 1_000, 2_000, 3_000]);
    }

    #[test]
    fn what_is_withdrawn_is_told_once_and_not_refreshed() {
        let settings = Settings::default();
        let (mut own, audience) = (Own::default(), Audience::Aggregator);
        let signed = |own: &mut Own, now: u64| {
            let slot = own.slots.get_mut(&Audience::Aggregator).unwrap();
            let due = slot.is_due(&settings, now);
            if due {
                slot.signed(now);
            }
            due
        };
        own.withdraw(&audience, &settings, 0);
        assert!(signed(&mut own, 0));
        own.withdraw(&audience, &settings, 5);
        assert!(!signed(&mut own, 5) && !signed(&mut own, 1_000_000));
        own.begin(Some(7));
        assert!(signed(&mut own, 1_000_001), "in each life once");
        assert!(own.take(&audience, &Draft::default(), &settings, 1_000_002, || [0; 16]), "it is told again");
        assert!(signed(&mut own, 1_000_003) && signed(&mut own, 1_020_000));
    }

    #[test]
    fn an_unchanged_section_keeps_its_salt() {
        let mut slot = OwnSlot::new(&Settings::default(), 0);
        let mut salt = 0_u8;
        let mut fresh = || {
            salt += 1;
            [salt; 16]
        };
        let draft = |health: &[u8]| Draft {
            sections: [("health".into(), health.into()), ("alarms".into(), b"2".as_slice().into())].into(),
        };
        assert!(slot.take(&draft(b"1"), &mut fresh));
        let alarms = slot.sections["alarms"].clone();
        assert!(!slot.take(&draft(b"1"), &mut fresh));
        assert!(slot.take(&draft(b"3"), &mut fresh));
        assert_eq!(slot.sections["alarms"], alarms);
        assert!(slot.take(&Draft::default(), &mut fresh) && slot.sections.is_empty());
    }
}
