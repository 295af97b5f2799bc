//! For whom a connection speaks: the components of its identity that may report, and what is refused of the others.
//!
//! In: a component ID of a line. Out: its place among the connection's speakers, or the refusal with which the line is
//! answered; what concerns security is noted on the way. Knows nothing of batches and answers.

use std::sync::Arc;

use super::{
    super::{Concerned, NO_TABLE, NotAdmitted, REJECTED, SecurityNote, no_room},
    Intake, Refused,
};
use crate::{
    connection::open_messages::Whose,
    dispatch::ComponentEntry,
    model::{ComponentId, ComponentRef, ReasonCode, Refusal},
    wire::{
        Decoder,
        decode::{MOST_OFFENCES, key_material_refusal},
    },
};

/// A component this connection has spoken for.
pub(super) struct Speaker {
    pub(super) entry: Arc<ComponentEntry>,
    pub(super) handler: usize,
    exempt: bool,
}

impl Intake {
    /// Place of the component in `speakers`, which it enters now if this connection may speak for it.
    pub(super) fn speaker(&mut self, component_id: &str) -> Result<usize, Refused> {
        let is_it = |speaker: &Speaker| speaker.entry.component.id.as_str() == component_id;
        if !self.speakers.get(self.last_speaker).is_some_and(is_it) {
            self.last_speaker = match self.speakers_by_id.get(component_id) {
                Some(&place) => place,
                None => self.admit(component_id)?,
            };
        }
        Ok(self.last_speaker)
    }

    /// Finds out whether this connection may speak for a component, and remembers it.
    fn admit(&mut self, component_id: &str) -> Result<usize, Refused> {
        let refuse = |code, sentence: String| (Whose::Text(component_id.into()), Refusal::new(code, sentence));
        let id = ComponentId::new(component_id).map_err(|error| refuse(ReasonCode::Malformed, error.to_string()))?;
        let component = ComponentRef::new(self.context.point(), id);
        if !self.identity.covers(&component) {
            let sentence = format!("the certificate {} does not cover {component}", self.identity.subject);
            self.note("unauthorized-report", "not-covered", Concerned::Interface, sentence.clone());
            return Err(refuse(ReasonCode::NotAuthorized, sentence));
        }
        let entry = self.context.admit(&component, &self.identity).map_err(|why| match why {
            NotAdmitted::Unknown => {
                let subject = &self.identity.subject;
                let sentence = format!("the certificate {subject} is good for {component}, which {NO_TABLE}");
                self.note("unauthorized-report", "unlisted", Concerned::Unlisted(component.clone()), sentence);
                refuse(ReasonCode::UnknownComponent, format!("{component} {NO_TABLE}; ask its operator"))
            }
            NotAdmitted::AwaitingApproval => refuse(ReasonCode::NotAuthorized, "awaiting approval".to_owned()),
            NotAdmitted::NoRoom => refuse(ReasonCode::NotAuthorized, no_room()),
            NotAdmitted::Rejected => refuse(ReasonCode::NotAuthorized, REJECTED.to_owned()),
        })?;
        let handler = entry.card.load().handler;
        let exempt = self.context.exempt_paths.get(handler).is_some_and(|paths| !paths.is_empty());
        self.speakers.push(Speaker { entry, handler, exempt });
        self.speakers_by_id.insert(component_id.into(), self.speakers.len() - 1);
        Ok(self.speakers.len() - 1)
    }

    pub(super) fn key_material(&self, speaker: usize, decoder: &Decoder) -> Result<(), Refused> {
        if decoder.notes().key_material.is_empty() {
            return Ok(());
        }
        let Some(speaker) = self.speakers.get(speaker) else { return Ok(()) };
        let offending = decoder.notes().key_material.iter().find(|path| {
            let exempt = self.context.exempt_paths.get(speaker.handler).filter(|_| speaker.exempt);
            !exempt.is_some_and(|paths| paths.iter().any(|rule| same_path(rule, path)))
        });
        // The decoder notes only so many: behind exempt ones there may be others.
        let hidden = decoder.notes().key_material.get(MOST_OFFENCES - 1);
        let Some(path) = offending.or(hidden) else { return Ok(()) };
        let sentence = key_material_refusal(path);
        let concerned = Concerned::Component(speaker.entry.component.to_string());
        self.note("key-material-refused", "key-material", concerned, sentence.clone());
        Err((Whose::Known(Arc::clone(&speaker.entry)), Refusal::new(ReasonCode::Rejected, sentence)))
    }

    fn note(&self, alarm_type: &'static str, cause: &'static str, concerned: Concerned, sentence: String) {
        self.context.watch.note(SecurityNote {
            alarm_type,
            cause,
            point: self.context.point(),
            identity: self.identity.subject.clone(),
            is_verified: true,
            peer: self.peer,
            concerned,
            sentence,
        });
    }
}

/// Whether an exemption covers a path; `[*]` in the rule stands for any position.
fn same_path(rule: &str, path: &str) -> bool {
    let mut rule = rule.split("[*]");
    let Some(mut rest) = rule.next().and_then(|start| path.strip_prefix(start)) else { return false };
    for part in rule {
        let Some((_, after)) = rest.strip_prefix('[').and_then(|inside| inside.split_once(']')) else { return false };
        let Some(next) = after.strip_prefix(part) else { return false };
        rest = next;
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::same_path;

    #[test]
    fn exempt_paths() {
        assert!(same_path("extension[*].payload.key", "extension[12].payload.key"));
        assert!(same_path("extension[0].key", "extension[0].key"));
        assert!(!same_path("extension[*].payload.key", "extension[12].payload.keys"));
        assert!(!same_path("extension[*].payload.key", "extension[12].other.key"));
        assert!(!same_path("", "extension[0].key"));
    }
}
