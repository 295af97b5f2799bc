//! A plugin's project: in which language it is, what it is to be, and the file `plugin.toml` that says so where there is no
//! Cargo.toml.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::usage;
use crate::cli::CommandError;

/// What a plugin is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Role {
    /// Understands what the components of a reference point send.
    Handler,
    /// Watches what accepted reports say.
    Policy,
    /// Asks devices that do not report by themselves; in Rust.
    Collector,
}

impl Role {
    /// Why a collector is not made in another language.
    pub(super) const ONLY_RUST: &str =
        "collectors are made in Rust, with --lang rust; handlers and policies in every language";

    /// Its name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Handler => "handler",
            Self::Policy => "policy",
            Self::Collector => "collector",
        }
    }

    /// World of the contract.
    pub(super) const fn world(self) -> &'static str {
        match self {
            Self::Handler => "interface-handler",
            Self::Policy => "fcaps-policy",
            Self::Collector => "device-collector",
        }
    }
}

/// Languages that projects can be made in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Language {
    /// With the SDK `qkdn-plugin`; built by cargo.
    Rust,
    /// With wasi-libc; built by zig or clang.
    C,
    /// Built by componentize-py.
    Python,
    /// Built by componentize-js.
    Javascript,
}

/// `plugin.toml`.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    /// Name of the plugin, and of the file that it is built into.
    pub(super) name: String,
    /// Language of the sources.
    pub(super) lang: Language,
    /// What it is.
    pub(super) role: Role,
}

/// Name of that file.
pub(super) const MANIFEST: &str = "plugin.toml";

impl Manifest {
    /// That of a folder; `None` where there is none.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, CommandError> {
        let file = folder.join(MANIFEST);
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(usage(format!("{}: {error}", file.display()))),
        };
        let manifest: Self = toml::from_str(&text).map_err(|error| usage(format!("{}: {error}", file.display())))?;
        if manifest.role == Role::Collector && manifest.lang != Language::Rust {
            return Err(usage(format!("{}: role = \"collector\": {}", file.display(), Role::ONLY_RUST)));
        }
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if manifest.name.is_empty() || !manifest.name.chars().all(is_name) {
            let problem = "expected letters, digits, `-` and `_`: it becomes the name of a file";
            return Err(usage(format!("{}: name = {:?}: {problem}", file.display(), manifest.name)));
        }
        Ok(Some(manifest))
    }
}

/// The contract as files below `wit/` of a project: what tools of other languages read. It is frozen, so it is never out of date.
pub(super) const CONTRACT: [(&str, &str); 5] = [
    ("wit/types.wit", include_str!("../../../../wit/v0.1/types.wit")),
    ("wit/interface-handler.wit", include_str!("../../../../wit/v0.1/interface-handler.wit")),
    ("wit/fcaps-policy.wit", include_str!("../../../../wit/v0.1/fcaps-policy.wit")),
    ("wit/exchange-policy.wit", include_str!("../../../../wit/v0.1/exchange-policy.wit")),
    ("wit/worlds.wit", include_str!("../../../../wit/v0.1/worlds.wit")),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_says_what_is_to_be_built_and_what_is_wrong_with_it() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Manifest::read(folder.path()).unwrap(), None);
        let write = |text: &str| std::fs::write(folder.path().join(MANIFEST), text).unwrap();
        write("name = \"acme\"\nlang = \"python\"\nrole = \"handler\"\n");
        let read = Manifest::read(folder.path()).unwrap().unwrap();
        assert_eq!((read.name.as_str(), read.lang, read.role.world()), ("acme", Language::Python, "interface-handler"));
        for (text, wanted) in [
            ("name = \"a\"\nlang = \"cobol\"\nrole = \"policy\"\n", "unknown variant `cobol`"),
            ("name = \"../a\"\nlang = \"c\"\nrole = \"policy\"\n", "expected letters, digits"),
            ("name = \"a\"\nlang = \"c\"\n", "missing field `role`"),
        ] {
            write(text);
            let said = format!("{:?}", Manifest::read(folder.path()).unwrap_err());
            assert!(said.contains(wanted), "{said}");
        }
    }
}
