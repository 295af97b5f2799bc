//! `qkdnm peer add` and `remove`: a peer as a file of its own in `conf.d`, with the keys that its operator sent beside it. Works on
//! files alone; the manager takes them over by itself, or at `qkdnm config reload`.
//!
//! In: who the peer is, and its key files. Out: files, or none at all: what the manager would refuse is not written.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, anyhow};

use super::{CommandError, CommandResult, Exit, Output, check};
use crate::{config::source::SourceText, manager::federation::membership, model::ComponentId};

/// Folder of the peers' keys, beside the main file.
const KEYS: &str = "peers";
/// Folder of further files of the configuration, beside the main file.
const FILES: &str = "conf.d";

/// Whom to add.
#[derive(Clone, Debug, clap::Args)]
pub struct AddArgs {
    /// Its manager ID on Mx
    id: String,
    /// The domain that it speaks for
    #[arg(long)]
    domain: String,
    /// host:port, to dial it; without it the peer dials this manager
    #[arg(long)]
    address: Option<String>,
    /// File of a public key that signs for its domain; two while keys are exchanged
    #[arg(long = "signing-key", value_name = "FILE", required = true)]
    signing_keys: Vec<PathBuf>,
    /// File of a CA certificate that vouches for this peer and for nobody else; without it [tls] has to vouch for it
    #[arg(long = "trust-anchor", value_name = "FILE")]
    trust_anchors: Vec<PathBuf>,
    /// Its part of the federation
    #[arg(long)]
    area: Option<String>,
    /// member, or aggregator
    #[arg(long, value_parser = ["member", "aggregator"])]
    role: Option<String>,
    /// Generation of its keys
    #[arg(long, value_name = "N")]
    key_generation: Option<u32>,
    /// Least epoch of its documents that counts: nothing from before a key was lost, or from a restored backup
    #[arg(long, value_name = "EPOCH")]
    min_epoch: Option<u64>,
    /// File of a revocation list (CRL) of an authority in --trust-anchor
    #[arg(long = "revocation-list", value_name = "FILE", requires = "trust_anchors")]
    revocation_lists: Vec<PathBuf>,
    /// The main file of this manager's configuration
    #[arg(long, env = "QKDNM_CONFIG", default_value = "manager.toml", value_name = "FILE")]
    config: PathBuf,
}

/// Whom to remove.
#[derive(Clone, Debug, clap::Args)]
pub struct RemoveArgs {
    /// Its manager ID on Mx
    id: String,
    /// The main file of this manager's configuration
    #[arg(long, env = "QKDNM_CONFIG", default_value = "manager.toml", value_name = "FILE")]
    config: PathBuf,
}

fn beside(config: &Path) -> PathBuf {
    config.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new(".")).to_owned()
}

/// A manager ID as part of a file name.
fn file_stem(id: &str) -> Result<&str, CommandError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let sound = ComponentId::new(id).is_ok() && id.chars().all(plain) && !id.starts_with('.');
    if sound {
        return Ok(id);
    }
    Err(CommandError::usage(anyhow!(
        "`{id}` is no manager ID that can be a file's name (letters, digits, `-`, `_` and `.`); write [[peers]] by hand"
    )))
}

/// Files that were written, taken back unless they are to stay.
#[derive(Default)]
struct Written(Vec<PathBuf>);

impl Written {
    /// Writes a file that must not be there, unless it is there with the same content.
    fn write(&mut self, path: &Path, content: &[u8]) -> anyhow::Result<()> {
        if let Ok(there) = fs::read(path) {
            if there == content {
                return Ok(());
            }
            return Err(anyhow!("{} is there already, with other content; move it away first", path.display()));
        }
        let folder = path.parent().unwrap_or_else(|| Path::new("."));
        fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        self.0.push(path.to_owned());
        fs::write(path, content).with_context(|| format!("cannot write {}", path.display()))
    }

    fn stay(&mut self) {
        self.0.clear();
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        for path in &self.0 {
            // It is the error that brought us here which is told.
            let _ = fs::remove_file(path);
        }
    }
}

/// What was copied, as seen from the folder of further files.
struct Files {
    signing_keys: Vec<String>,
    trust_anchors: Vec<String>,
    revocation_lists: Vec<String>,
}

/// The table, with paths as seen from the folder of further files.
fn table(args: &AddArgs, Files { signing_keys, trust_anchors, revocation_lists }: &Files) -> String {
    let text = |text: &str| toml::Value::from(text).to_string();
    let list = |list: &[String]| list.iter().map(|one| text(one)).collect::<Vec<_>>().join(", ");
    let mut table = format!("[[peers]]\nid = {}\ndomain = {}\n", text(&args.id), text(&args.domain));
    let mut line = |key: &str, value: String| table.push_str(&format!("{key} = {value}\n"));
    if let Some(address) = &args.address {
        line("address", text(address));
    }
    line("signing_keys", format!("[{}]", list(signing_keys)));
    if !trust_anchors.is_empty() {
        line("trust_anchors", format!("[{}]", list(trust_anchors)));
    }
    if !revocation_lists.is_empty() {
        line("revocation_lists", format!("[{}]", list(revocation_lists)));
    }
    if let Some(area) = &args.area {
        line("area", text(area));
    }
    if let Some(role) = &args.role {
        line("role", text(role));
    }
    if let Some(generation) = args.key_generation {
        line("key_generation", generation.to_string());
    }
    if let Some(epoch) = args.min_epoch {
        line("min_epoch", epoch.to_string());
    }
    table
}

/// Copies key files into the folder of the peers' keys; what their names are, as seen from the folder of further files.
fn copy(
    files: &[PathBuf],
    (folder, stem, ending): (&Path, &str, &str),
    sound: impl Fn(&[u8]) -> Result<(), String>,
    written: &mut Written,
) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for (number, file) in files.iter().enumerate() {
        let content = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        sound(&content).map_err(|problem| anyhow!("{}: {problem}", file.display()))?;
        let number = if number == 0 { String::new() } else { format!("-{}", number + 1) };
        let name = format!("{stem}{number}{ending}");
        written.write(&folder.join(KEYS).join(&name), &content)?;
        names.push(format!("../{KEYS}/{name}"));
    }
    Ok(names)
}

fn no_private_key(pem: &[u8]) -> Result<(), String> {
    if String::from_utf8_lossy(pem).contains("PRIVATE KEY") {
        return Err(
            "this is a private key: nobody but its owner may have it; ask the peer's operator for the public one"
                .into(),
        );
    }
    Ok(())
}

pub(super) fn add(args: &AddArgs, output: &mut Output<'_>) -> CommandResult {
    let (folder, stem) = (beside(&args.config), file_stem(&args.id)?);
    let mut written = Written::default();
    let key = |pem: &[u8]| no_private_key(pem).and_then(|()| membership::is_signing_key(pem));
    let signing_keys = copy(&args.signing_keys, (&folder, stem, ".pub"), key, &mut written)?;
    let trust_anchors = copy(&args.trust_anchors, (&folder, stem, "-ca.pem"), no_private_key, &mut written)?;
    let revocation_lists = copy(&args.revocation_lists, (&folder, stem, "-crl.pem"), no_private_key, &mut written)?;
    let files = Files { signing_keys, trust_anchors, revocation_lists };
    let file = folder.join(FILES).join(format!("peer-{stem}.toml"));
    let text = table(args, &files);
    // The keys are named as seen from this folder, which may not be there yet.
    let further = folder.join(FILES);
    fs::create_dir_all(&further).with_context(|| format!("cannot make the folder {}", further.display()))?;
    // Asked before the file is there: a manager that watches its files must not meet what it would refuse.
    let added = SourceText { name: file.display().to_string(), folder: folder.join(FILES), text: text.clone() };
    let others = |other: &SourceText| other.name != file.display().to_string();
    let verdict = check::as_if(&args.config, |files| {
        files.retain(others);
        files.push(added);
    });
    if verdict.code != 0 {
        let told = verdict.stderr.trim_end();
        return Err(anyhow!("the manager would refuse this, so nothing was changed:\n\n{told}").into());
    }
    written.write(&file, text.as_bytes())?;
    written.stay();
    if output.is_data() {
        output.document(&serde_json::json!({
            "file": file, "signingKeys": files.signing_keys, "trustAnchors": files.trust_anchors,
            "revocationLists": files.revocation_lists,
        }))?;
        return Ok(Exit::Success);
    }
    // What the check has to say beside: a warning does not keep the peer out.
    let warned = verdict.stderr.trim_end();
    if !warned.is_empty() {
        output.line(warned)?;
    }
    output.line(&format!("{} is a peer now: {}", args.id, file.display()))?;
    output.line("")?;
    output.line(
        "The manager takes it over by itself if `manager.reload_on_change` is on, otherwise at `qkdnm config reload`.",
    )?;
    output.line("The peer's operator adds this manager in the same way, with the public half of its signing key.")?;
    output.line(&format!("Then: qkdnm peer show {}", args.id))?;
    Ok(Exit::Success)
}

pub(super) fn remove(args: &RemoveArgs, output: &mut Output<'_>) -> CommandResult {
    let (folder, stem) = (beside(&args.config), file_stem(&args.id)?);
    let file = folder.join(FILES).join(format!("peer-{stem}.toml"));
    if let Err(error) = fs::metadata(&file) {
        return Err(anyhow!(
            "{}: {error}; `peer remove` takes away what `peer add` has written. Of a peer that stands in another file, remove \
             its [[peers]] there",
            file.display()
        )
        .into());
    }
    let name = file.display().to_string();
    let verdict = check::as_if(&args.config, |files| files.retain(|other| other.name != name));
    if verdict.code != 0 {
        let told = verdict.stderr.trim_end();
        return Err(anyhow!(
            "without this peer the manager would refuse its configuration, so nothing was changed:\n\n{told}"
        )
        .into());
    }
    fs::remove_file(&file).with_context(|| format!("cannot remove {}", file.display()))?;
    if output.is_data() {
        output.document(&serde_json::json!({ "removed": file }))?;
        return Ok(Exit::Success);
    }
    output.line(&format!("{} is no peer any more; its keys stay in {}.", args.id, folder.join(KEYS).display()))?;
    output.line(
        "The manager takes it over by itself if `manager.reload_on_change` is on, otherwise at `qkdnm config reload`.",
    )?;
    Ok(Exit::Success)
}
