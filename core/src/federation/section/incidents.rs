//! Section `incidents`: what is wrong with this domain's ends of inter-domain links, alarm by alarm for the domain at the other end,
//! and in counts for the federation. Neither is told unless it is disclosed.
//!
//! In: alarms that concern our ends, as the picture has them. Out: the section for an audience. No component is named and no text
//! of an alarm is told: the number of the alarm, so that operators can speak of it, its type of the catalogue and its severity.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    DomainPicture,
    form::{Form, Vocabulary, member, required},
};
use crate::model::{Severity, Timestamp};

/// Name of the section.
pub const NAME: &str = "incidents";

/// An alarm on our end of a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Incident {
    /// Number of the alarm here.
    pub id: u64,
    /// Name of the link.
    pub link: String,
    /// Since when it is raised, in whole seconds.
    pub since: Timestamp,
    /// How bad it is.
    pub severity: Severity,
    /// Type of the catalogue, or `other`.
    pub alarm_type: String,
    /// What was done about it: [`STATES`].
    pub state: String,
}

/// Nothing yet; an operator has acknowledged it; the domain at the other end has taken it over.
pub const STATES: [&str; 3] = ["open", "acknowledged", "handed-over"];

const INCIDENT: Form = Form::Members(&[
    required("id", Form::Count),
    required("link", Form::Name),
    required("since", Form::Time),
    required("severity", Form::Of(Vocabulary::Severities)),
    required("alarmType", Form::Of(Vocabulary::AlarmTypes)),
    required("state", Form::OneOf(&STATES)),
]);

/// What may be in it.
pub(super) const FORM: Form = Form::Members(&[
    member("raised", Form::By(Vocabulary::Severities, &Form::Count)),
    member("open", Form::List(&INCIDENT)),
]);

/// For the domain at the other end: those on links with it. An empty list says that there are none.
pub(super) fn to_peer(picture: &DomainPicture, peer: &str) -> Option<(Arc<str>, Value)> {
    let open = picture.incidents.get(peer).map(Vec::as_slice).unwrap_or_default();
    Some((NAME.into(), json!({ "open": open })))
}

/// For the federation: how many there are, by severity.
pub(super) fn to_everybody(picture: &DomainPicture) -> (Arc<str>, Value) {
    let mut raised: BTreeMap<&str, u64> = BTreeMap::new();
    // An alarm that concerns several links is one.
    let mut seen = std::collections::BTreeSet::new();
    for incident in picture.incidents.values().flatten().filter(|incident| seen.insert(incident.id)) {
        *raised.entry(incident.severity.as_str()).or_default() += 1;
    }
    (NAME.into(), json!({ "raised": raised }))
}

#[cfg(test)]
mod tests {
    use crate::{
        federation::{
            protocol::{Audience, Roster},
            section::{Disclosed, DomainPicture, LinkEnd, drafts, read},
        },
        model::disclosure::Topic,
    };

    use super::*;

    fn picture() -> DomainPicture {
        let incident = |link: &str| Incident {
            id: 7,
            link: link.into(),
            since: Timestamp(1_767_225_600_000),
            severity: Severity::Major,
            alarm_type: "link-down".into(),
            state: "open".into(),
        };
        let end = |id: &str, peer: &str| LinkEnd {
            id: id.into(),
            peer: peer.into(),
            state: "down".into(),
            ..LinkEnd::default()
        };
        DomainPicture {
            links: vec![end("a", "north"), end("b", "south")],
            incidents: [("north".to_owned(), vec![incident("a")]), ("south".to_owned(), vec![incident("b")])].into(),
            ..DomainPicture::default()
        }
    }

    #[test]
    fn incidents_are_told_where_they_are_disclosed_and_to_whom_they_concern() {
        let said = |topics: &[Topic], audience: &Audience| {
            let drafts =
                drafts(&picture(), &Disclosed { federation: topics.to_vec(), ..Disclosed::default() }, &mut ());
            let bytes = drafts[audience].sections.get(NAME);
            bytes.map_or(Value::Null, |bytes| {
                read(&Roster::default(), &"west".into(), audience, NAME, bytes).unwrap().unwrap().value
            })
        };
        let north = Audience::Adjacent("north".into());
        assert_eq!(said(&[], &north), Value::Null);
        let told = said(&[Topic::Incidents], &north);
        assert_eq!((&told["open"][0]["link"], told["open"].as_array().unwrap().len()), (&"a".into(), 1));
        assert_eq!(said(&[Topic::Incidents], &Audience::Federation), json!({ "raised": { "major": 1 } }));
    }
}
