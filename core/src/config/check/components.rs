//! Checks of `[[components]]`.

use std::{collections::HashMap, net::SocketAddr};

use super::Checker;
use crate::{
    config::{
        ComponentConfig, Enrolment, IdentityRule, SeesRule,
        problem::Problem,
        raw::{RawComponent, RawIdentity, RawSees, Written},
        raw_transport::port_is_too_high,
        source::{Place, Spot},
    },
    model::{ComponentId, ComponentRef, ReferencePoint},
};

impl Checker<'_> {
    /// All components that are complete.
    pub(super) fn components(&self, raw: &[RawComponent]) -> Vec<ComponentConfig> {
        let mut first: HashMap<ComponentRef, Place> = HashMap::new();
        raw.iter()
            .filter_map(|raw| {
                let component = self.component(raw);
                let place = raw.id.as_ref()?.place;
                let known = component.as_ref()?.component.clone();
                if let Some(other) = first.get(&known) {
                    let problem = Problem::error(place, format!("a second component is called `{known}`"));
                    self.found.add(problem.related(*other, "the first one"));
                }
                first.entry(known).or_insert(place);
                component
            })
            .collect()
    }

    fn component(&self, raw: &RawComponent) -> Option<ComponentConfig> {
        let text = |spot: &Option<Spot<String>>| spot.as_ref().map(|spot| spot.value.clone()).unwrap_or_default();
        if let Some(dial) = &raw.dial {
            self.dial_address(dial);
        }
        let rule = raw.identity.as_ref().map(|identity| self.identity(identity));
        let id = raw.id.as_ref()?;
        let id = match ComponentId::new(&id.value) {
            Ok(id) => id,
            Err(error) => {
                self.found.add(Problem::error(id.place, "this cannot be a component ID").label(error.to_string()));
                return None;
            }
        };
        let component = ComponentRef::new(raw.reference_point.as_ref()?.value, id);
        let identity = match rule {
            Some(rule) => rule?,
            None => IdentityRule::San(component.urn()),
        };
        Some(ComponentConfig {
            identity,
            vendor: text(&raw.vendor),
            model: text(&raw.model),
            version: text(&raw.version),
            site: text(&raw.site),
            tags: raw.tags.iter().flat_map(|list| &list.value).map(|tag| tag.value.clone()).collect(),
            expected_interval: raw.expected_interval.as_ref().map(|spot| spot.value),
            dial: raw.dial.as_ref().map(|spot| spot.value.clone()),
            sees: self.sees(&component, &raw.sees),
            component,
        })
    }

    /// What the component may subscribe to.
    fn sees(&self, component: &ComponentRef, rules: &[RawSees]) -> Vec<SeesRule> {
        let point = component.reference_point;
        if let Some(first) = rules.first().filter(|_| !matches!(point, ReferencePoint::Mu | ReferencePoint::Mx)) {
            let problem = Problem::warning(first.place, "`sees` does nothing here");
            self.found
                .add(problem.label(format!("only components on Mu and Mx subscribe at the manager, not on {point}")));
        }
        let texts = |list: &Option<Spot<Vec<Spot<String>>>>| -> Vec<String> {
            list.iter().flat_map(|list| &list.value).map(|text| text.value.clone()).collect()
        };
        let rule = |raw: &RawSees| {
            for text in raw.components.iter().flat_map(|list| &list.value).filter(|text| !text.value.contains('/')) {
                let problem = Problem::error(text.place, format!("`{}` names no components", text.value));
                self.found.add(problem.label("expected REFERENCE-POINT/ID, such as \"mk/km-*\" or \"*/*\""));
            }
            let known = crate::model::OBJECT_TYPES;
            for text in raw
                .types
                .iter()
                .flat_map(|list| &list.value)
                .filter(|text| !text.value.contains(['*', '?']) && !known.contains(&text.value.as_str()))
            {
                let problem = Problem::error(text.place, format!("`{}` is no type of object", text.value));
                self.found.add(problem.label(format!("expected one of {}", known.join(", "))));
            }
            let components = texts(&raw.components);
            // An empty list of components is nothing, not everything.
            let rule = SeesRule {
                resources: texts(&raw.resources),
                types: texts(&raw.types),
                names: texts(&raw.names),
                components,
            };
            (!rule.components.is_empty()).then_some(rule)
        };
        rules.iter().filter_map(rule).collect()
    }

    fn identity(&self, raw: &RawIdentity) -> Option<IdentityRule> {
        let given = [&raw.san, &raw.fingerprint, &raw.subject].into_iter().flatten().count();
        if given != 1 {
            let found = if given == 0 { "none" } else { "several" };
            let problem =
                Problem::error(raw.place, "`identity` needs exactly one of `san`, `fingerprint` and `subject`");
            self.found.add(problem.label(format!("{found} given")));
            return None;
        }
        for spot in [&raw.san, &raw.subject].into_iter().flatten() {
            if spot.value.trim().is_empty() {
                self.found.add(Problem::error(spot.place, "this matches no certificate").label("expected text"));
                return None;
            }
        }
        if let Some(spot) = &raw.san
            && spot.value.to_ascii_lowercase().starts_with("urn:qkdn:")
            && ComponentRef::from_urn(&spot.value).is_none()
        {
            let problem = Problem::error(spot.place, "this URI names no component")
                .label("expected urn:qkdn:REFERENCE-POINT:ID, the ID percent-encoded");
            self.found.add(problem);
            return None;
        }
        match (&raw.san, &raw.fingerprint, &raw.subject) {
            (Some(san), ..) => Some(IdentityRule::San(san.value.clone())),
            (_, Some(fingerprint), _) => self.fingerprint(fingerprint),
            (.., subject) => subject.as_ref().map(|spot| IdentityRule::Subject(spot.value.clone())),
        }
    }

    fn fingerprint(&self, spot: &Spot<String>) -> Option<IdentityRule> {
        if !spot.value.starts_with("sha256:") {
            let problem = Problem::error(spot.place, "`fingerprint` does not say its algorithm");
            self.found.add(problem.label("expected \"sha256:\" and 64 hexadecimal digits"));
            return None;
        }
        self.digest(spot, "fingerprint").map(IdentityRule::Fingerprint)
    }

    /// `host:port`, `address:port` or `[address]:port`.
    pub(super) fn dial_address(&self, spot: &Spot<String>) {
        let host_and_port = spot.value.rsplit_once(':').is_some_and(|(host, port)| {
            let name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
            !host.is_empty() && host.chars().all(name) && port.parse::<u16>().is_ok_and(|port| port != 0)
        });
        let address = spot.value.parse::<SocketAddr>().is_ok_and(|address| address.port() != 0);
        if !host_and_port && !address {
            let too_high = port_is_too_high(&spot.value);
            let problem = Problem::error(spot.place, "`dial` is no address")
                .label(if too_high { "ports end at 65535" } else { "expected HOST:PORT" })
                .help("write it as \"192.0.2.7:7104\", \"km-1.example.net:7104\" or \"[2001:db8::7]:7104\"");
            self.found.add(problem);
        }
    }

    /// Warns where the configuration is sound and nobody could report. Goes by what is written: a table in which something
    /// is wrong is there.
    pub(super) fn somebody_may_report(
        &self,
        enrolment: Enrolment,
        written: &Written,
        components: &[ComponentConfig],
        enrolment_written: Option<&Spot<Enrolment>>,
    ) {
        let dialled = components.iter().any(|component| component.dial.is_some());
        if written.interfaces.is_none() && !dialled {
            let problem = Problem::nowhere_warning("there is no [interfaces.*] table: no component can connect");
            self.found.add(problem.help("add one for each reference point that is used, such as [interfaces.mq]"));
        } else if enrolment == Enrolment::Listed && components.is_empty() && !written.components {
            let message = "there is no [[components]] table: every report will be refused";
            let problem = match enrolment_written {
                Some(spot) => Problem::warning(spot.place, message),
                None => Problem::nowhere_warning(message),
            };
            let help = "list the components, or set manager.enrolment = \"approve\" or \"certificate\"";
            self.found.add(problem.help(help));
        }
        let Some(points) = &written.interfaces else { return };
        for component in components.iter().filter(|component| component.dial.is_none()) {
            let point = component.component.reference_point;
            if !points.contains(&point) {
                let message = format!("`{}` cannot connect: there is no [interfaces.{point}]", component.component);
                self.found.add(Problem::nowhere_warning(message));
            }
        }
    }
}
