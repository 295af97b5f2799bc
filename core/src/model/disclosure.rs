//! What one domain tells others, in words that configuration and federation share: topics, and what a name may look like that
//! leaves the domain. Who tells what to whom is not known here.

use serde::{Deserialize, Serialize};

/// What a domain may say: `federation.disclose`, `disclose_area`, `disclose_aggregators`. To more than one other, or, where it says
/// so, to one domain at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Topic {
    /// Components by reference point.
    Health,
    /// Alarms by severity.
    Alarms,
    /// Alarms by type as well.
    AlarmTypes,
    /// What the manager can do, and its version.
    Capabilities,
    /// Ranges of what is measured on links to other domains, and how many are up; no link by its name.
    Links,
    /// The state of links to other domains, by name.
    LinkStates,
    /// With it the key rate and the filling of the store of those links, in coarse steps.
    LinkFigures,
    /// How much maintenance of links to other domains is announced.
    Maintenance,
    /// How many incidents there are on links to other domains; to the domain at the other end, which.
    Incidents,
    /// Key relations with a domain, to that domain alone.
    KeyRelations,
    /// How services that span a domain are, against what was agreed, to that domain alone.
    Services,
    /// Keys used with a domain, in sum by period, to that domain alone.
    Settlement,
}

impl Topic {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Health,
        Self::Alarms,
        Self::AlarmTypes,
        Self::Capabilities,
        Self::Links,
        Self::LinkStates,
        Self::LinkFigures,
        Self::Maintenance,
        Self::Incidents,
        Self::KeyRelations,
        Self::Services,
        Self::Settlement,
    ];

    /// Those that may be said to more than one other.
    pub const TO_SEVERAL: [Self; 9] = [
        Self::Health,
        Self::Alarms,
        Self::AlarmTypes,
        Self::Capabilities,
        Self::Links,
        Self::LinkStates,
        Self::LinkFigures,
        Self::Maintenance,
        Self::Incidents,
    ];
    /// What is said unless the configuration says otherwise: how the domain is, in sum, and no more.
    pub const DEFAULT: [Self; 2] = [Self::Health, Self::Alarms];

    /// The word in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::Alarms => "alarms",
            Self::AlarmTypes => "alarm-types",
            Self::Capabilities => "capabilities",
            Self::Links => "links",
            Self::Maintenance => "maintenance",
            Self::Incidents => "incidents",
            Self::LinkStates => "link-states",
            Self::LinkFigures => "link-figures",
            Self::KeyRelations => "key-relations",
            Self::Services => "services",
            Self::Settlement => "settlement",
        }
    }
}

/// Characters of a name, and how many of them are letters and digits.
const NAME_CHARS: usize = 64;
const NAME_LETTERS: usize = 32;
/// Whether a text can be the name of a link or domain: at most 64 characters, at most 32 of them letters and digits, and
/// otherwise `-_.:/` and spaces. So a key of 256 bits does not pass for one, whatever separators are put into it.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let letters = text.chars().filter(|c| c.is_alphanumeric()).count();
    let plain = |c: char| c.is_alphanumeric() || "-_.:/ ".contains(c);
    (1..=NAME_LETTERS).contains(&letters) && text.chars().count() <= NAME_CHARS && text.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        for name in ["vienna-brno", "urn:qkdn:domain:A", "Zürich 2", "vienna-brno-erdberg-landstrasse-2"] {
            assert!(is_name(name), "{name}");
        }
        let key = "9f86d081884c7d659a2feaa0c55ad015";
        let with_separators: String = format!("{key}a").chars().flat_map(|c| [c, '-']).collect();
        for text in ["", "--", "a\nb", "a;b", &format!("{key}a"), &with_separators, &"a ".repeat(40)] {
            assert!(!is_name(text), "{text}");
        }
    }
}
