//! Section `maintenance`: work on inter-domain links that this domain has announced. The domain at the other end of a link is told
//! which links, when and with what effect; the federation, if it is disclosed, how much there is.
//!
//! In: what was announced, as the picture has it. Out: the section for an audience. It is said again beside the notice itself
//! (`federation/request`), so that whoever lost the notice still sees it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    DomainPicture,
    form::{Form, member, required},
};
use crate::model::{Timestamp, peer_request::MaintenanceEffect};

/// Name of the section.
pub const NAME: &str = "maintenance";

/// Work on links to one domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Window {
    /// ID of the notice.
    pub id: String,
    /// Names of the links.
    pub links: Vec<String>,
    /// When it begins.
    pub from: Timestamp,
    /// When it is over.
    pub until: Timestamp,
    /// What it is expected to do.
    pub effect: MaintenanceEffect,
    /// What the domain at the other end has said to it: [`STATES`].
    pub state: String,
    /// Whether it is under way; not told, since whoever reads has a clock.
    #[serde(skip)]
    pub under_way: bool,
}

/// What a domain may have said to a notice: nothing yet, that it knows, that it would rather not.
pub const STATES: [&str; 3] = ["announced", "acknowledged", "objected"];

const WINDOW: Form = Form::Members(&[
    required("id", Form::RequestId),
    required("links", Form::List(&Form::Name)),
    required("from", Form::Time),
    required("until", Form::Time),
    required("effect", Form::OneOf(MaintenanceEffect::WORDS)),
    required("state", Form::OneOf(&STATES)),
]);

/// What may be in it.
pub(super) const FORM: Form = Form::Members(&[
    member("announced", Form::Count),
    member("underWay", Form::Count),
    member("windows", Form::List(&WINDOW)),
]);

/// For the domain at the other end; nothing where nothing is announced.
pub(super) fn to_peer(picture: &DomainPicture, peer: &str) -> Option<(Arc<str>, Value)> {
    let windows = picture.maintenance.get(peer).filter(|windows| !windows.is_empty())?;
    Some((NAME.into(), json!({ "windows": windows })))
}

/// For the federation: how much is announced and not over, and how much of it is under way.
pub(super) fn to_everybody(picture: &DomainPicture) -> (Arc<str>, Value) {
    let windows = || picture.maintenance.values().flatten();
    let under_way = windows().filter(|window| window.under_way).count();
    (NAME.into(), json!({ "announced": windows().count(), "underWay": under_way }))
}

#[cfg(test)]
mod tests {
    use crate::{
        federation::{
            protocol::{Audience, Roster},
            section::{Disclosed, DomainPicture, LinkEnd, drafts, read},
        },
        model::{Timestamp, disclosure::Topic, peer_request::MaintenanceEffect},
    };

    use super::*;

    fn picture() -> DomainPicture {
        let window = Window {
            id: "0123456789abcdef".into(),
            links: vec!["vienna-brno".into()],
            from: Timestamp(1_767_225_600_000),
            until: Timestamp(1_767_232_800_000),
            effect: MaintenanceEffect::Interrupted,
            state: "acknowledged".into(),
            under_way: true,
        };
        let end = |peer: &str| LinkEnd {
            id: if peer == "north" { "vienna-brno" } else { "vienna-graz" }.into(),
            peer: peer.into(),
            state: "up".into(),
            ..LinkEnd::default()
        };
        DomainPicture {
            links: vec![end("north"), end("south")],
            maintenance: [("north".to_owned(), vec![window])].into(),
            ..DomainPicture::default()
        }
    }

    fn said(topics: &[Topic], audience: &Audience) -> Value {
        let drafts = drafts(&picture(), &Disclosed { federation: topics.to_vec(), ..Disclosed::default() }, &mut ());
        let bytes = drafts[audience].sections.get(NAME);
        bytes.map_or(Value::Null, |bytes| {
            read(&Roster::default(), &"west".into(), audience, NAME, bytes).unwrap().unwrap().value
        })
    }

    #[test]
    fn the_other_end_hears_which_links_and_the_federation_how_many() {
        let north = said(&[], &Audience::Adjacent("north".into()));
        let window = &north["windows"][0];
        assert_eq!((&window["links"][0], &window["from"]), (&"vienna-brno".into(), &"2026-01-01T00:00:00.000Z".into()));
        assert_eq!(said(&[], &Audience::Adjacent("south".into())), Value::Null, "it is not its link");
        assert_eq!(said(&[], &Audience::Federation), Value::Null, "not disclosed");
        let all = said(&[Topic::Maintenance], &Audience::Federation);
        assert_eq!(all, json!({ "announced": 1, "underWay": 1 }));
    }

    #[test]
    fn links_named_to_all_are_not_believed() {
        let bytes = json!({ "announced": 1, "windows": [] }).to_string();
        let found =
            read(&Roster::default(), &"west".into(), &Audience::Federation, NAME, bytes.as_bytes()).unwrap().unwrap();
        assert_eq!((found.value, found.faults.len()), (json!({ "announced": 1 }), 1));
    }

    #[test]
    fn a_link_with_another_domain_does_not_leave() {
        let mut picture = picture();
        picture.maintenance.get_mut("north").unwrap()[0].links = vec!["vienna-graz".into(), "vienna-brno".into()];
        let drafts = drafts(&picture, &Disclosed::default(), &mut ());
        let text = String::from_utf8_lossy(&drafts[&Audience::Adjacent("north".into())].sections[NAME]).into_owned();
        assert!(text.contains("vienna-brno") && !text.contains("vienna-graz"), "{text}");
    }
}
