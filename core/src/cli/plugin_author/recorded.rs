//! A plugin with the recording beside it, as `qkdnm bench plugins` measures it.

use std::path::Path;

use super::{
    source,
    test::{config_for, lines, name_of, point_of, recordings, role},
};
use crate::{bench::plugins::Also, cli::CommandError, manager::trial::Sandbox};

/// A plugin's file, and the first of the recordings in the folder `recordings` beside it.
pub(in crate::cli) fn recorded(file: &Path) -> Result<Also, CommandError> {
    let plugin = source(&file.display().to_string());
    let role = role(&plugin, &Sandbox::new()?)?;
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
