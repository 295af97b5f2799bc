//! Groups that are too small to be told of: a count of one is somebody's.
//!
//! Nothing at all (0) is nobody's and is told. Of the components of a reference point, neither those that are in some state
//! nor the rest, which anybody reckons from it, may be too few.

use qkdn_plugin::exchange::Passing;
use serde_json::{Map, Value};

use crate::config::BelowMinimum;

/// The rule.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Groups {
    /// Least number that is told.
    pub(crate) least: u64,
    /// What becomes of less.
    pub(crate) below: BelowMinimum,
}

impl Groups {
    pub(crate) fn apply(&self, passing: &mut Passing) {
        if let Some(Value::Object(points)) =
            passing.section_mut("health").and_then(|health| health.get_mut("components"))
        {
            points.retain(|_, counts| counts.as_object_mut().is_some_and(|counts| self.components(counts)));
        }
        for (section, member) in [("alarms", "raised"), ("alarms", "types"), ("incidents", "raised")] {
            let counts = passing.section_mut(section).and_then(|section| section.get_mut(member));
            if let Some(Value::Object(counts)) = counts {
                counts.retain(|_, count| self.settle(count));
            }
        }
        if let Some(Value::Object(maintenance)) = passing.section_mut("maintenance") {
            maintenance.retain(|name, count| name == "windows" || self.settle(count));
        }
        if let Some(Value::Object(ranges)) = passing.section_mut("linkRanges") {
            self.ranges(ranges);
        }
    }

    /// Ranges over links to other domains: of few links the least and the greatest value are somebody's.
    fn ranges(&self, ranges: &mut Map<String, Value>) {
        if let Some(Value::Object(states)) = ranges.get_mut("states") {
            states.retain(|_, count| self.settle(count));
        }
        ranges.retain(|name, range| {
            name == "states" || range["count"].as_u64().is_some_and(|count| count > 0 && self.is_told(count))
        });
    }

    fn is_told(&self, count: u64) -> bool {
        count == 0 || count >= self.least
    }

    /// Counts of the components of one reference point; false: nothing is told of them.
    fn components(&self, counts: &mut Map<String, Value>) -> bool {
        let Some(known) = counts.get("known").and_then(Value::as_u64) else { return false };
        if !self.is_told(known) {
            counts.retain(|name, _| name == "known");
            return counts.get_mut("known").is_some_and(|known| self.settle(known));
        }
        counts.retain(|name, count| {
            if name == "known" {
                return true;
            }
            let rest = |count: &Value| count.as_u64().map(|count| known.saturating_sub(count));
            self.settle(count) && rest(count).is_some_and(|rest| self.is_told(rest))
        });
        true
    }

    /// Whether a count is told, perhaps as another.
    fn settle(&self, count: &mut Value) -> bool {
        match count.as_u64() {
            Some(number) if self.is_told(number) => true,
            Some(_) if self.below == BelowMinimum::Raise => {
                *count = self.least.into();
                true
            }
            _ => false,
        }
    }
}
