//! The delay: what is told now is what there was to tell then.
//!
//! What may be told is noted when it changes, at most once in a 64th of the delay, and told when the note is old enough. So it
//! is never younger than the delay, and seldom much older. After a start there are no notes, and nothing is told until the
//! first is old enough.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What there was to tell at one time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Moment {
    /// Milliseconds since 1970.
    at: u64,
    sections: Vec<(String, Value)>,
}

/// The rule.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delay {
    millis: u64,
}

/// Notes in one delay.
const NOTES: u64 = 64;
/// Bytes of all notes together: a quarter less than a policy may remember.
const MOST_BYTES: usize = 192 << 10;

impl Delay {
    pub(crate) const fn of(millis: u64) -> Self {
        Self { millis }
    }

    /// Notes what could be told now, and says what is told. The first note is what is told, once it is old enough.
    pub(crate) fn pass(
        &self,
        waits: &mut Vec<Moment>,
        now: u64,
        sections: Vec<(String, Value)>,
    ) -> Vec<(String, Value)> {
        let differs = waits.last().is_none_or(|last| last.sections != sections);
        let long_ago = waits.last().is_none_or(|last| now.saturating_sub(last.at) >= self.millis / NOTES);
        if differs && long_ago {
            let new = Moment { at: now, sections: sections.clone() };
            // Where there is no room, the new waits for it: what was noted becomes old and makes some.
            if bytes(waits) + bytes(std::slice::from_ref(&new)) <= MOST_BYTES {
                waits.push(new);
            }
        }
        let is_old = |moment: &Moment| moment.at.saturating_add(self.millis) <= now;
        let Some(told) = waits.iter().rposition(is_old) else { return Vec::new() };
        waits.drain(..told);
        let then = waits.first().map(|moment| moment.sections.clone()).unwrap_or_default();
        then.into_iter().filter_map(|(name, content)| still_told(name, content, &sections)).collect()
    }
}

/// What was noted of a section, without what is told no more at all: that is not told late either.
fn still_told(name: String, mut content: Value, now: &[(String, Value)]) -> Option<(String, Value)> {
    let (_, now) = now.iter().find(|(known, _)| *known == name)?;
    content.as_object_mut()?.retain(|member, _| now.get(member).is_some());
    Some((name, content))
}

fn bytes(moments: &[Moment]) -> usize {
    serde_json::to_string(moments).map_or(usize::MAX / 4, |text| text.len())
}
