//! One component that waits, in memory, for tests of the API and of the commands.

use std::future::ready;

use super::{
    Answer, EnrolmentDesk, Page, PageRequest,
    enrolment_desk::{Decide, DecideError},
    views::{EnrolmentState, EnrolmentView},
};
use crate::model::{ComponentRef, Verdict};

pub(super) struct FakeEnrolment;

fn waiting() -> EnrolmentView {
    let text = r#"{"component":"mk/km-9","state":"waiting","san":"urn:qkdn:mk:km-9",
        "fingerprint":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","subject":"CN=km-9","issuer":"CN=CA",
        "authority":"bbbb","notAfter":"2027-11-26T08:00:00Z","address":"192.0.2.9:4711","connections":1,
        "firstSeen":"2026-11-26T07:00:00Z","lastSeen":"2026-11-26T07:30:00Z","decidedBy":null,"decided":null,"note":null}"#;
    serde_json::from_str(text).unwrap()
}

impl EnrolmentDesk for FakeEnrolment {
    fn list(
        &self,
        component: Option<&ComponentRef>,
        state: Option<EnrolmentState>,
        page: &PageRequest<String>,
    ) -> Page<EnrolmentView> {
        let one = waiting();
        let fits = component.is_none_or(|component| *component == one.component)
            && state.is_none_or(|state| state == one.state)
            && page.after.as_ref().is_none_or(|after| one.place() > *after);
        Page::whole(fits.then_some(one).into_iter().collect())
    }

    fn decide(&self, wish: Decide) -> Answer<'_, Result<EnrolmentView, DecideError>> {
        let mut one = waiting();
        if wish.component != one.component {
            return Box::pin(ready(Err(DecideError::Unknown(format!("{} does not wait", wish.component)))));
        }
        if wish.fingerprint.is_some_and(|fingerprint| fingerprint != one.fingerprint) {
            return Box::pin(ready(Err(DecideError::NotPossible("another certificate was shown".to_owned()))));
        }
        one.state = match wish.verdict {
            Verdict::Approved => EnrolmentState::Approved,
            Verdict::Rejected => EnrolmentState::Rejected,
        };
        (one.decided_by, one.note) = (Some(wish.by), Some(wish.note));
        Box::pin(ready(Ok(one)))
    }
}
