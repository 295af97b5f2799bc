//! Handler `empty-handler`: takes what it is told to take, accepts everything, says nothing. `qkdnm plugin bench` measures other
//! handlers against it.

use qkdn_plugin::handler::{Handled, Needs, Reports};
use qkdn_plugin::{Description, Handler, Problem};
use serde::Deserialize;

/// What the handler that is measured needs.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(default)]
    raw: bool,
    #[serde(default)]
    objects: Vec<String>,
}

/// The handler.
pub struct EmptyHandler(Config);

impl Handler for EmptyHandler {
    type Config = Config;

    fn describe() -> Description {
        let schema = r#"{"type":"object","additionalProperties":false,"properties":{"raw":{"type":"boolean"},"objects":{"type":"array"}}}"#;
        Description::new("empty-handler", env!("CARGO_PKG_VERSION"), "Accepts everything and says nothing.", schema)
    }

    fn configure(_reference_point: &str, config: Config) -> Result<Self, Vec<Problem>> {
        Ok(Self(config))
    }

    fn needs(&self) -> Needs {
        Needs { raw: self.0.raw, objects: self.0.objects.clone(), ..Needs::default() }
    }

    fn handle(&self, _reports: &Reports) -> Handled {
        Handled::default()
    }
}

qkdn_plugin::register_handler!(EmptyHandler);
