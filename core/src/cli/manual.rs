//! `qkdnm completions` and `qkdnm manual`: what shells and readers of manual pages know of this command line, made from its
//! definition.

use std::{io, path::Path};

use clap::CommandFactory as _;

use super::{Cli, CommandResult, Exit, Output, exit::CommandError};

/// Completions for a shell.
pub(super) fn completions(shell: clap_complete::Shell) -> CommandResult {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "qkdnm", &mut text);
    io::Write::write_all(&mut io::stdout(), &text).map_err(|error| CommandError::Failure(error.into()))?;
    Ok(Exit::Success)
}

/// Manual pages, one a command.
pub(super) fn pages(folder: &Path, output: &mut Output<'_>) -> CommandResult {
    let failed = |error: io::Error| {
        CommandError::Failure(anyhow::Error::new(error).context(format!("cannot write to {}", folder.display())))
    };
    let command = Cli::command().disable_help_subcommand(true);
    clap_mangen::generate_to(command, folder).map_err(failed)?;
    let pages = std::fs::read_dir(folder).map_err(failed)?.count();
    output.line(&format!(
        "{pages} files are in {} now; `man -l {}/qkdnm.1` shows the first.",
        folder.display(),
        folder.display()
    ))?;
    Ok(Exit::Success)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_and_completions() {
        let folder = tempfile::tempdir().unwrap();
        clap_mangen::generate_to(Cli::command().disable_help_subcommand(true), folder.path()).unwrap();
        for page in ["qkdnm.1", "qkdnm-alarm.1", "qkdnm-alarm-acknowledge.1"] {
            let text = std::fs::read_to_string(folder.path().join(page)).unwrap();
            assert!(text.contains(".SH SYNOPSIS"), "{page}: {text}");
        }
        let mut text = Vec::new();
        clap_complete::generate(clap_complete::Shell::Bash, &mut Cli::command(), "qkdnm", &mut text);
        assert!(String::from_utf8(text).unwrap().contains("acknowledge"));
    }
}
