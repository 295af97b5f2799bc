//! A line of what a plugin said and what went wrong in it, as the API shows it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{model::Timestamp, telemetry::plugin_log::PluginLine};

/// What a plugin said, or what went wrong in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PluginLineView {
    /// Ascends over the lines of all plugins, from the start of the manager.
    pub id: u64,
    /// When.
    pub time: Timestamp,
    /// The plugin's name in the configuration.
    pub plugin: String,
    /// `log`: written by the plugin; `refused`: a report that a handler said no to; `failed`: a call that failed; `dropped`: lines were left
    /// out before this one. More may come.
    pub kind: String,
    /// `error`, `warn`, `info` or `debug`.
    pub level: String,
    /// The text. That of a failed call has the trace, on several lines.
    pub text: String,
}

impl PluginLineView {
    /// A line of the plugin that is configured as `plugin`.
    #[must_use]
    pub fn new(plugin: &str, line: &PluginLine) -> Self {
        Self {
            id: line.number,
            time: Timestamp::of(line.at),
            plugin: plugin.to_owned(),
            kind: line.kind.as_str().to_owned(),
            level: line.level.to_owned(),
            text: line.text.clone(),
        }
    }
}
