//! `qkdnm plugin sign` and `verify`: signatures of plugins, made by who approves them and checked by anybody.
//!
//! Works on files alone; no manager is asked.

use std::path::PathBuf;

use serde::Serialize;

use super::{CommandError, CommandResult, Exit, Output};
use crate::plugin::signature::{self, Signature, trusted_keys};

/// Arguments of `plugin sign`.
#[derive(Debug, clap::Args)]
pub struct SignArgs {
    /// Files of plugins (.wasm, or a native library).
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// File of the private key (PEM), as `qkdnm pki signing-key` makes it.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

/// Arguments of `plugin verify`.
#[derive(Debug, clap::Args)]
pub struct VerifyArgs {
    /// Files of plugins; their signatures are beside them.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Files of public keys that are trusted (PEM).
    #[arg(long, value_name = "FILE", required = true)]
    key: Vec<PathBuf>,
}

/// A plugin that was signed, for programs.
#[derive(Debug, Serialize)]
struct Signed {
    plugin: PathBuf,
    /// File of the signature.
    signature: PathBuf,
    /// Name of the key.
    key: String,
}

/// What is said of a plugin's signature, for programs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Verified {
    plugin: PathBuf,
    sha256: String,
    is_signed: bool,
    key: Option<String>,
    text: String,
}

/// Signs each file.
pub(super) fn sign(args: &SignArgs, output: &mut Output<'_>) -> CommandResult {
    let mut signed = Vec::new();
    for plugin in &args.files {
        let (signature, key) = signature::sign(plugin, &args.key).map_err(CommandError::usage)?;
        signed.push(Signed { plugin: plugin.clone(), signature, key });
    }
    if output.is_data() {
        output.document(&signed)?;
    } else {
        for one in &signed {
            output.line(&format!(
                "{}: signed with the key {}: {}",
                one.plugin.display(),
                one.key,
                one.signature.display()
            ))?;
        }
        let public = args.key.with_extension("pub");
        for line in [
            "",
            "Give plugin and signature to who runs it. In manager.toml:",
            "  [plugins]",
            "  require_signature = true",
        ] {
            output.line(line)?;
        }
        output.line(&format!("  trusted_keys = [\"{}\"]", public.display()))?;
    }
    Ok(Exit::Success)
}

/// Says whose signature each file carries; exit code 1 if one has none that is trusted.
pub(super) fn verify(args: &VerifyArgs, output: &mut Output<'_>) -> CommandResult {
    let trusted = trusted_keys(&args.key).map_err(|problems| {
        let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
        CommandError::usage(anyhow::anyhow!(texts.join("\n")))
    })?;
    let mut all = Vec::new();
    for plugin in &args.files {
        let (sha256, found) = signature::verify(plugin, &trusted).map_err(CommandError::usage)?;
        let key = match &found {
            Signature::Of { kid, .. } => Some(kid.clone()),
            _ => None,
        };
        all.push(Verified { plugin: plugin.clone(), sha256, is_signed: key.is_some(), key, text: found.to_string() });
    }
    if output.is_data() {
        output.document(&all)?;
    } else {
        for one in &all {
            output.line(&format!("{}: {}", one.plugin.display(), one.text))?;
        }
    }
    Ok(if all.iter().all(|one| one.is_signed) { Exit::Success } else { Exit::Failure })
}
