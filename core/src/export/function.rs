//! Which FCAPS function an alarm serves (Q.QKDN_Mk clause 6, M.3400).

use std::collections::HashMap;

use crate::{
    config::{FcapsFunction, PolicyConfig},
    model::Alarm,
};

/// The functions of the policies.
#[derive(Clone, Debug, Default)]
pub struct Functions(HashMap<String, FcapsFunction>);

impl Functions {
    /// Those of the configuration.
    #[must_use]
    pub fn new(policies: &[PolicyConfig]) -> Self {
        Self(policies.iter().map(|policy| (policy.name.clone(), policy.function)).collect())
    }

    /// Those of a configuration that takes the place of the one before. Policies that are gone stay known: what they
    /// raised may be on its way still.
    pub fn learn(&mut self, policies: &[PolicyConfig]) {
        self.0.extend(policies.iter().map(|policy| (policy.name.clone(), policy.function)));
    }

    /// The function of an alarm: its policy's; of others that of the event type.
    #[must_use]
    pub fn of(&self, alarm: &Alarm) -> FcapsFunction {
        let policy = alarm.raised_by.strip_prefix("policy:").and_then(|name| self.0.get(name)).copied();
        policy.unwrap_or_else(|| FcapsFunction::of_event_type(&alarm.report.event_type))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::testing::alarm;

    #[test]
    fn a_policy_says_its_function_and_the_event_type_that_of_the_rest() {
        let functions = Functions([("drift".to_owned(), FcapsFunction::Configuration)].into());
        let mut alarm = alarm(1, "major");
        alarm.raised_by = "policy:drift".into();
        assert_eq!(functions.of(&alarm), FcapsFunction::Configuration);
        alarm.raised_by = "component".into();
        for (event, function) in [
            ("operational-violation", FcapsFunction::Security),
            ("quality-of-service", FcapsFunction::Performance),
            ("equipment", FcapsFunction::Fault),
            ("", FcapsFunction::Fault),
        ] {
            alarm.report.event_type = event.into();
            assert_eq!(functions.of(&alarm), function, "{event}");
        }
    }
}
