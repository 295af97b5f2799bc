//! Policy `empty-policy`: takes what it is told to take, gives the state back as it is, says nothing. `qkdnm plugin bench`
//! measures other policies against it.

use qkdn_plugin::policy::{Needs, Seen};
use qkdn_plugin::{Description, Policy, Problem};
use serde::Deserialize;

/// What the policy that is measured needs.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(default)]
    names: Vec<String>,
    #[serde(default)]
    objects: Vec<String>,
    #[serde(default)]
    state_width: u32,
}

/// The policy.
pub struct EmptyPolicy(Config);

impl Policy for EmptyPolicy {
    type Config = Config;

    fn describe() -> Description {
        let schema = r#"{"type":"object","additionalProperties":false,"properties":{"names":{"type":"array"},"objects":{"type":"array"},"state_width":{"type":"integer"}}}"#;
        Description::new("empty-policy", env!("CARGO_PKG_VERSION"), "Watches and says nothing.", schema)
    }

    fn configure(config: Config) -> Result<Self, Vec<Problem>> {
        Ok(Self(config))
    }

    fn needs(&self) -> Needs {
        Needs {
            names: self.0.names.clone(),
            objects: self.0.objects.clone(),
            state_width: self.0.state_width,
            ..Needs::default()
        }
    }

    fn evaluate(&self, _seen: &mut Seen) {}
}

qkdn_plugin::register_policy!(EmptyPolicy);
