//! Why a plugin cannot be used: each variant says which plugin, what was found, what was expected and what to do.

use std::{fmt, path::PathBuf};

use super::{PluginFailure, signature::Signature};
use crate::config::{PluginConfigProblem, PluginKind};

/// A plugin that was not loaded. `plugin` is its configured name.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// The engine did not start.
    #[error("the WebAssembly engine did not start: {0}")]
    StartEngine(String),
    /// The file cannot be read.
    #[error("plugin `{plugin}`: cannot read {}", path.display())]
    Read {
        /// Which.
        plugin: String,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// `builtin:` and a name that nothing has.
    #[error("plugin `{plugin}`: there is no builtin plugin `{name}`{suggestion} (there are {known})")]
    UnknownBuiltin {
        /// Which.
        plugin: String,
        /// What follows `builtin:`.
        name: String,
        /// `, did you mean ...?`, or nothing.
        suggestion: String,
        /// All names.
        known: String,
    },
    /// The file is larger than [`crate::config::limits::PLUGIN_FILE_BYTES`].
    #[error("plugin `{plugin}`: {artifact} has {found} bytes; a plugin has at most {allowed}")]
    TooLarge {
        /// Which.
        plugin: String,
        /// File or builtin.
        artifact: String,
        /// Its size.
        found: u64,
        /// The limit.
        allowed: u64,
    },
    /// The digest is not the pinned one.
    #[error(
        "plugin `{plugin}`: {artifact} has the SHA-256 {found}, but `sha256` pins {expected}: \
         it is not the plugin that was approved. Restore it, or approve it by changing `sha256`"
    )]
    Digest {
        /// Which.
        plugin: String,
        /// File or builtin.
        artifact: String,
        /// `sha256` in the configuration.
        expected: String,
        /// What the file has.
        found: String,
    },
    /// A signature is required, and there is none that is trusted.
    #[error(
        "plugin `{plugin}`: {artifact} is not approved: {signature}, and plugins.require_signature asks for one of a trusted key. \
         Sign it (`qkdnm plugin sign {path} --key KEY`), or add its vendor's key to plugins.trusted_keys", path = path.display()
    )]
    NotSigned {
        /// Which.
        plugin: String,
        /// File.
        artifact: String,
        /// Its path.
        path: PathBuf,
        /// What there is.
        signature: Signature,
    },
    /// Trusted keys cannot be used.
    #[error("plugins.trusted_keys: {0}")]
    TrustedKeys(String),
    /// It cannot be used as a plugin: no WebAssembly, no component, or of another world.
    #[error("plugin `{plugin}`: {artifact} {problem}")]
    Unusable {
        /// Which.
        plugin: String,
        /// File or builtin.
        artifact: String,
        /// What is the matter and what to do, as the rest of a sentence.
        problem: String,
    },
    /// The configuration is not what the plugin takes.
    #[error("plugin `{plugin}`: {} in its configuration{}", count(problems.len()), ListedProblems(problems))]
    Configuration {
        /// Which.
        plugin: String,
        /// JSON Pointer into `config` and what is wrong there.
        problems: Vec<(String, String)>,
    },
    /// A call failed while the plugin was loaded.
    #[error("plugin `{plugin}`: {artifact} failed in `{function}`: {failure}")]
    Call {
        /// Which.
        plugin: String,
        /// File or builtin.
        artifact: String,
        /// `describe`, `configure` or `bind`.
        function: &'static str,
        /// How.
        failure: PluginFailure,
    },
}

impl PluginError {
    /// As complaints about an entry of the configuration: each problem with its place in the entry's `config`, anything else
    /// with what caused it.
    #[must_use]
    pub fn complaints(&self, kind: PluginKind, name: &str) -> Vec<PluginConfigProblem> {
        let problem = |pointer, message| PluginConfigProblem { kind, name: name.to_owned(), pointer, message };
        if let Self::Configuration { problems, .. } = self {
            return problems.iter().map(|(at, message)| problem(Some(at.clone()), message.clone())).collect();
        }
        let mut message = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            message = format!("{message}: {cause}");
            source = cause.source();
        }
        vec![problem(None, message)]
    }
}

fn count(problems: usize) -> String {
    if problems == 1 { "a problem".to_owned() } else { format!("{problems} problems") }
}

struct ListedProblems<'a>(&'a [(String, String)]);

impl fmt::Display for ListedProblems<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (pointer, message) in self.0 {
            let at = if pointer.is_empty() { "" } else { ": " };
            write!(f, "\n  {pointer}{at}{message}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_problems_are_told_with_their_places() {
        let problems = vec![
            ("/value".to_owned(), "unknown name".to_owned()),
            (String::new(), "`raise_above` is required".to_owned()),
        ];
        let text = PluginError::Configuration { plugin: "qber".to_owned(), problems }.to_string();
        assert_eq!(
            text,
            "plugin `qber`: 2 problems in its configuration\n  /value: unknown name\n  `raise_above` is required"
        );
    }
}
