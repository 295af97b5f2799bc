//! What a plugin says about itself.

pub use crate::bindings::interface_handler::qkdn::manager::types::Description;

impl Description {
    /// A description. `config_schema` is a JSON Schema (2020-12) as text; `include_str!("../schema.json")` is a good
    /// place for it, [`Self::NO_CONFIG`] says that there is nothing to configure.
    #[must_use]
    pub fn new(name: &str, version: &str, summary: &str, config_schema: &str) -> Self {
        Self {
            name: name.into(),
            version: version.into(),
            summary: summary.into(),
            config_schema: config_schema.into(),
            extra: Vec::new(),
        }
    }

    /// Schema of a plugin without configuration.
    pub const NO_CONFIG: &'static str = r#"{"type":"object","additionalProperties":false}"#;
}
