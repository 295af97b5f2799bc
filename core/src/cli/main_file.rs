//! The main file of a configuration, as commands take it: `FILE`, `--config FILE`, or QKDNM_CONFIG.

use std::path::{Path, PathBuf};

use super::CommandError;

/// Variable of the environment that names it.
const VARIABLE: &str = "QKDNM_CONFIG";

/// The main file.
#[derive(Clone, Debug, clap::Args)]
pub struct MainFile {
    /// Configuration file [default: manager.toml]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// The same, by name.
    #[arg(long, short, value_name = "FILE", env = VARIABLE)]
    config: Option<PathBuf>,
}

impl MainFile {
    /// The file that is meant: an argument goes before the environment.
    ///
    /// # Errors
    /// If the arguments name two.
    pub fn path(&self) -> Result<&Path, CommandError> {
        self.path_with(std::env::var_os(VARIABLE).map(PathBuf::from).as_deref())
    }

    fn path_with(&self, environment: Option<&Path>) -> Result<&Path, CommandError> {
        match (self.file.as_deref(), self.config.as_deref()) {
            (Some(file), Some(named)) if file != named && environment != Some(named) => Err(CommandError::usage(
                anyhow::anyhow!("which of {} and {}? give one configuration file", file.display(), named.display()),
            )),
            (Some(file), _) | (None, Some(file)) => Ok(file),
            (None, None) => Ok(Path::new("manager.toml")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_goes_before_the_environment_and_two_are_too_many() {
        let given = |file: Option<&str>, config: Option<&str>, environment: Option<&str>| {
            let main = MainFile { file: file.map(Into::into), config: config.map(Into::into) };
            main.path_with(environment.map(Path::new)).map(|path| path.display().to_string()).ok()
        };
        assert_eq!(given(None, None, None).as_deref(), Some("manager.toml"));
        assert_eq!(given(Some("a"), None, None).as_deref(), Some("a"));
        assert_eq!(given(None, Some("b"), None).as_deref(), Some("b"));
        assert_eq!(given(Some("a"), Some("b"), Some("b")).as_deref(), Some("a"));
        assert_eq!(given(Some("a"), Some("b"), None), None);
    }
}
