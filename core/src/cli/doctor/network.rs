//! What is the matter with the network as the manager sees it: components, those that it does not know, slips in what they
//! say, alarms.

use super::{Finding, Grade, NAMED, named};
use crate::{
    alarm::AlarmSummary,
    api::views::{AlarmView, ComponentDetail, ComponentSummary},
    model::{ComponentRef, Severity},
};

pub(super) fn of_components(components: &[ComponentSummary], uptime_seconds: u64) -> Vec<Finding> {
    let configured: Vec<&ComponentSummary> = components.iter().filter(|component| component.configured).collect();
    let names = |list: &[&&ComponentSummary]| named(list.iter().map(|component| component.component.to_string()));
    let never: Vec<_> = configured.iter().filter(|component| component.last_report.is_none()).collect();
    let away: Vec<_> = configured
        .iter()
        .filter(|component| component.connection_count == 0 && component.last_report.is_some())
        .collect();
    let mut findings = Vec::new();
    if !never.is_empty() {
        let says = format!("{} of {} never reported: {}", never.len(), configured.len(), names(&never));
        let advice = "switched on, and pointed here? A refused certificate is told in the manager's log and in `qkdnm audit list`";
        let grade =
            if never.len() == configured.len() && uptime_seconds > 60 { Grade::Wrong } else { Grade::Attention };
        findings.push(Finding::new(grade, "components", says, advice));
    }
    if let Some(first) = away.first() {
        let (number, all) = (away.len(), configured.len());
        let are = if number == 1 { "is" } else { "are" };
        let says = format!("{number} of {all} reported before and {are} not connected now: {}", names(&away));
        let advice = format!(
            "when did it last report? `qkdnm component show {}`; `expected_interval` in its table raises an alarm by itself",
            first.component
        );
        findings.push(Finding::new(Grade::Attention, "components", says, advice));
    }
    if findings.is_empty() {
        findings.push(match configured.len() {
            0 => Finding::good("components", "none is in the configuration"),
            1 => Finding::good("components", "the one in the configuration is connected"),
            number => Finding::good("components", format!("all {number} in the configuration are connected")),
        });
    }
    findings
}

/// Components that report with a good certificate and are in no table: the manager raises an alarm that has their name.
pub(super) fn of_unlisted(alarms: &[AlarmView]) -> Option<Finding> {
    let unlisted = |AlarmView { alarm, .. }: &AlarmView| {
        let is_one = alarm.key.alarm_type_id == "unauthorized-report" && alarm.raised_by == "manager";
        alarm.key.resource.parse::<ComponentRef>().ok().filter(|_| is_one)
    };
    let components: Vec<ComponentRef> = alarms.iter().filter_map(unlisted).collect();
    let first = components.first()?;
    let says = format!(
        "refused, since the configuration does not have {}: {}",
        if components.len() == 1 { "it" } else { "them" },
        named(components.iter().map(ToString::to_string))
    );
    let id = toml::Value::from(first.id.as_str());
    let advice = format!(
        "if {first} belongs here, add this to the configuration and reload it (`qkdnm config reload`):\n[[components]]\n\
         id = {id}\nreference_point = \"{}\"",
        first.reference_point
    );
    Some(Finding::new(Grade::Attention, "unlisted", says, advice))
}

/// Words that resemble one of the catalogue and are none: whoever wrote the component probably meant that.
pub(super) fn of_slips(components: &[ComponentDetail]) -> Vec<Finding> {
    let slips = |component: &ComponentDetail| {
        let words: Vec<String> = component
            .unknown
            .iter()
            .filter_map(|word| Some(format!("{} `{}` (probably `{}`)", word.kind, word.text, word.meant.as_ref()?)))
            .collect();
        let says = format!("{} says {}", component.summary.component, named(words.into_iter()));
        let advice = "policies and history do not see what the catalogue does not have: correct the component, or map the \
                      names in a handler; `qkdnm value list` and `qkdnm catalogue` have the names";
        Finding::new(Grade::Attention, "names", says, advice)
    };
    components.iter().take(NAMED).filter(|one| one.unknown.iter().any(|word| word.meant.is_some())).map(slips).collect()
}

pub(super) fn of_alarms(counts: &AlarmSummary, raised: &[AlarmView]) -> Finding {
    let told = |of: fn(&crate::alarm::filter::SeverityCount) -> u64| {
        let counts = counts.0.iter().filter(|count| of(count) > 0);
        counts.map(|count| format!("{} {}", of(count), count.severity)).collect::<Vec<_>>().join(", ")
    };
    let (open, closed) = (told(|count| count.not_cleared_not_closed), told(|count| count.not_cleared_closed));
    let closed = if closed.is_empty() { String::new() } else { format!("; {closed} raised but closed by an operator") };
    if open.is_empty() && closed.is_empty() {
        return Finding::good("alarms", "none raised");
    }
    if open.is_empty() {
        let advice = "what is closed is still raised until its cause is gone: `qkdnm alarm list --operator-state closed`; \
                      `qkdnm alarm reopen N` takes a closing back";
        return Finding::new(Grade::Attention, "alarms", format!("none open{closed}"), advice);
    }
    let worst = raised
        .iter()
        .filter(|view| view.alarm.operator_state != crate::model::OperatorState::Closed)
        .max_by_key(|view| (view.alarm.report.severity, view.alarm.last_changed));
    let critical = worst.is_some_and(|view| view.alarm.report.severity == Severity::Critical);
    let advice = match worst {
        Some(AlarmView { alarm, .. }) => {
            format!("`qkdnm alarm list` has them, the worst first; `qkdnm alarm show {}`: {}", alarm.id, alarm.key)
        }
        None => "`qkdnm alarm list` has them, the worst first".to_owned(),
    };
    let grade = if critical { Grade::Wrong } else { Grade::Attention };
    Finding::new(grade, "alarms", format!("raised: {open}{closed}"), advice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::fake_backend::FakeBackend,
        model::{OperatorState, Timestamp},
    };

    fn component(text: &str, connections: usize, reported: bool) -> ComponentSummary {
        let mut summary = ComponentSummary::new(text.parse().unwrap());
        summary.configured = true;
        summary.connection_count = connections;
        summary.last_report = reported.then_some(Timestamp(1));
        summary
    }

    #[test]
    fn components_that_are_missing_are_told_apart_from_those_that_left() {
        let all = [component("mq/a", 1, true), component("mq/b", 0, true), component("mq/c", 0, false)];
        let findings = of_components(&all, 600);
        let says: Vec<&str> = findings.iter().map(|finding| finding.says.as_str()).collect();
        assert_eq!(says, ["1 of 3 never reported: mq/c", "1 of 3 reported before and is not connected now: mq/b"]);
        assert!(findings.iter().all(|finding| finding.grade == Grade::Attention && !finding.advice.is_empty()));
        assert_eq!(of_components(&all[..1], 600)[0].grade, Grade::Good);
        assert_eq!(of_components(&all[2..], 600)[0].grade, Grade::Wrong, "nobody ever reported");
        assert_eq!(of_components(&all[2..], 6)[0].grade, Grade::Attention, "it has only just begun");
    }

    #[test]
    fn an_alarm_that_is_closed_and_still_raised_is_told() {
        let mut alarms: Vec<_> = FakeBackend::default().alarms.into_inner().unwrap();
        alarms.iter_mut().for_each(|alarm| (alarm.is_cleared, alarm.operator_state) = (false, OperatorState::Closed));
        alarms.truncate(1);
        let of = |alarms: &[crate::model::Alarm]| {
            let views: Vec<_> = alarms.iter().cloned().map(AlarmView::plain).collect();
            of_alarms(&AlarmSummary::of(alarms), &views)
        };
        let severity = alarms[0].report.severity;
        let closed = of(&alarms);
        assert_eq!(closed.says, format!("none open; 1 {severity} raised but closed by an operator"));
        assert_eq!(closed.grade, Grade::Attention);
        alarms[0].operator_state = OperatorState::None;
        let open = of(&alarms);
        assert_eq!(open.says, format!("raised: 1 {severity}"));
        assert!(open.advice.contains(&format!("qkdnm alarm show {}", alarms[0].id)), "{open:?}");
        assert_eq!(of(&[]).grade, Grade::Good);
    }

    #[test]
    fn an_unlisted_component_is_named_with_its_table() {
        let mut alarm = FakeBackend::default().alarms.into_inner().unwrap().remove(0);
        (alarm.key.alarm_type_id, alarm.key.resource) = ("unauthorized-report".into(), "mk/km-7".into());
        "manager".clone_into(&mut alarm.raised_by);
        let found = of_unlisted(&[AlarmView::plain(alarm)]).unwrap();
        assert!(found.says.ends_with("mk/km-7"), "{found:?}");
        assert!(found.advice.ends_with("[[components]]\nid = \"km-7\"\nreference_point = \"mk\""), "{found:?}");
        assert_eq!(of_unlisted(&[]), None);
    }
}
