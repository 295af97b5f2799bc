//! A plugin with the recording beside it, as `qkdnm bench plugins` measures it.

use std::path::Path;

use super::{
    sandbox, source,
    test::{config_for, lines, name_of, point_of, recordings, role},
};
use crate::{bench::plugins::Also, cli::CommandError};

/// A plugin's file, and the first of the recordings in the folder `recordings` beside it.
pub(in crate::cli) fn recorded(file: &Path) -> Result<Also, CommandError> {
    let plugin = source(&file.display().to_string());
    let role = role(&plugin, &sandbox()?)?;
    let recording = recordings(&plugin, &[])?.remove(0);
    Ok(Also {
        name: name_of(&plugin),
        role,
        point: point_of(&recording)?,
        config: config_for(None, &recording)?,
        lines: lines(&recording)?.into_iter().map(|(_, line)| line).collect(),
        plugin,
    })
}
