//! `qkdnm pki`: certificates for a laboratory, a demo or a small site.

use std::{net::IpAddr, path::PathBuf};

use clap::{Args, Subcommand};

use crate::{
    model::{ComponentId, ComponentRef, ReferencePoint},
    pki::{self, PkiError},
};

/// Make a certificate authority and certificates for the manager and its components.
#[derive(Args, Debug)]
pub struct PkiArgs {
    #[command(subcommand)]
    command: PkiCommand,
}

#[derive(Subcommand, Debug)]
enum PkiCommand {
    /// Make a certificate authority: DIR/ca.pem and DIR/ca.key.
    #[command(after_help = "Example:\n  qkdnm pki init pki")]
    Init(InitArgs),
    /// Issue a certificate and its key: DIR/ID.pem and DIR/ID.key.
    #[command(
        after_help = "Examples:\n  qkdnm pki issue pki --reference-point mx --component-id manager-east --dns manager.example.net\n  qkdnm pki issue pki --reference-point mk --component-id km-1\n  qkdnm pki issue pki --reference-point mq --component-id km-1 --name km-1-mq"
    )]
    Issue(IssueArgs),
    /// Revoke certificates: DIR/ca.crl.
    #[command(after_help = "Example:\n  qkdnm pki revoke pki km-1")]
    Revoke(RevokeArgs),
    /// Make a key that signs what a domain says to its peers, or plugins: FILE, and its public half with the ending .pub.
    #[command(after_help = "Example:\n  qkdnm pki signing-key keys/signing.key")]
    SigningKey(SigningKeyArgs),
}

#[derive(Args, Debug)]
struct SigningKeyArgs {
    /// File of the private key, such as keys/signing.key.
    file: PathBuf,
    /// What it signs with; ml-dsa-65 is not broken by quantum computers, and its signatures are fifty times as long.
    #[arg(long, value_enum, default_value_t)]
    algorithm: Algorithm,
}

/// What a signing key signs with.
#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum Algorithm {
    /// Ed25519.
    #[default]
    Ed25519,
    /// ML-DSA-65.
    #[value(name = "ml-dsa-65")]
    MlDsa65,
}

#[derive(Args, Debug)]
struct InitArgs {
    /// Folder, made if it does not exist.
    dir: PathBuf,
    /// Common name of the authority.
    #[arg(long, default_value = "QKDN CA")]
    name: String,
    /// Days of validity.
    #[arg(long, default_value_t = 3650, value_parser = clap::value_parser!(u32).range(1..=36500))]
    days: u32,
}

#[derive(Args, Debug)]
struct IssueArgs {
    /// Folder of the authority.
    dir: PathBuf,
    /// Reference point on which the holder is known (mq, mops, mqrp, mk, mc, mu, mx); may be given several times.
    #[arg(long, required = true)]
    reference_point: Vec<ReferencePoint>,
    /// ID of the component; for mx, the manager ID.
    #[arg(long)]
    component_id: String,
    /// DNS name of the holder, for those that are dialled; may be given several times. For mx, localhost is added.
    #[arg(long)]
    dns: Vec<String>,
    /// Address of the holder, as --dns. For mx, 127.0.0.1 and ::1 are added.
    #[arg(long)]
    ip: Vec<IpAddr>,
    /// Days of validity, at most the authority's.
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=36500))]
    days: u32,
    /// Name of the files, without ending; default: the component ID.
    #[arg(long)]
    name: Option<String>,
}

#[derive(Args, Debug)]
struct RevokeArgs {
    /// Folder of the authority.
    dir: PathBuf,
    /// Names of certificates in the folder, without ending.
    #[arg(required = true)]
    names: Vec<String>,
}

/// `qkdnm pki`: does what was asked and prints what to do next.
pub fn command(args: PkiArgs, output: &mut super::Output<'_>) -> super::CommandResult {
    if output.is_data() {
        let problem = "`pki` writes files and tells people which; it has nothing for -o";
        return Err(super::CommandError::usage(anyhow::anyhow!(problem)));
    }
    let text = run(args)?;
    text.lines().try_for_each(|line| output.line(line))?;
    Ok(super::Exit::Success)
}

/// Does what was asked and returns what to print.
pub fn run(args: PkiArgs) -> Result<String, PkiError> {
    match args.command {
        PkiCommand::Init(args) => init(&args),
        PkiCommand::Issue(args) => issue(args),
        PkiCommand::Revoke(args) => revoke(&args),
        PkiCommand::SigningKey(args) => signing_key(&args),
    }
}

fn init(args: &InitArgs) -> Result<String, PkiError> {
    let made = pki::init(&args.dir, &args.name, args.days)?;
    let dir = args.dir.display();
    Ok(format!(
        "Certificate authority `{}`, valid until {}:\n  {}  (give it to everyone: trust_anchors)\n  {}  (keep it \
         to yourself: who has it can be anyone)\n\nNext, a certificate for the manager and one for each component:\n  \
         qkdnm pki issue {dir} --reference-point mx --component-id MANAGER-ID\n  \
         qkdnm pki issue {dir} --reference-point mk --component-id km-1\n",
        args.name,
        made.not_after,
        made.certificate.display(),
        made.private_key.display(),
    ))
}

fn issue(args: IssueArgs) -> Result<String, PkiError> {
    let id = ComponentId::new(&args.component_id)?;
    let components: Vec<ComponentRef> =
        args.reference_point.iter().map(|point| ComponentRef::new(*point, id.clone())).collect();
    let is_manager = args.reference_point.contains(&ReferencePoint::Mx);
    let request = pki::IssueRequest { components, dns: args.dns, ips: args.ip, days: args.days, name: args.name };
    let made = pki::issue(&args.dir, &request)?;
    let (certificate, key, anchor) =
        (made.certificate.display(), made.private_key.display(), args.dir.join("ca.pem").display().to_string());
    let urns: Vec<String> = request.components.iter().map(ComponentRef::urn).collect();
    let next = if is_manager {
        format!(
            "In manager.toml:\n  [tls]\n  certificate = \"{certificate}\"\n  private_key = \"{key}\"\n  \
             trust_anchors = [\"{anchor}\"]\n"
        )
    } else {
        format!(
            "Put both files and {anchor} on the component: it shows the first, keeps the second, and checks the manager \
             against the third.\n"
        )
    };
    Ok(format!(
        "Certificate of {}, valid until {}:\n  {certificate}\n  {key}\n\n{next}",
        urns.join(", "),
        made.not_after
    ))
}

fn signing_key(args: &SigningKeyArgs) -> Result<String, PkiError> {
    let algorithm = match args.algorithm {
        Algorithm::Ed25519 => pki::SigningAlgorithm::Ed25519,
        Algorithm::MlDsa65 => pki::SigningAlgorithm::MlDsa65,
    };
    let public = pki::signing_key(&args.file, algorithm)?;
    let (private, public) = (args.file.display(), public.display());
    Ok(format!(
        "Key that signs what this domain says to its peers, or plugins:\n  {private}  (for its owner alone)\n  {public}  (for \
         who is to check signatures)\n\nFor a federation, in manager.toml:\n  [federation]\n  signing_key = \
         \"{private}\"\n\nIn the manager.toml of each peer:\n  [[peers]]\n  signing_keys = [\"{public}\"]\n\nFor \
         plugins: qkdnm plugin sign PLUGIN --key {private}\n"
    ))
}

fn revoke(args: &RevokeArgs) -> Result<String, PkiError> {
    let made = pki::revoke(&args.dir, &args.names)?;
    let list = made.list.display();
    Ok(format!(
        "{} revoked now, {} in all:\n  {list}\n\nIn manager.toml, then reload (SIGHUP):\n  [tls]\n  \
         revocation_lists = [\"{list}\"]\n",
        made.added, made.total
    ))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        pki: PkiArgs,
    }

    fn call(arguments: &[&str]) -> Result<String, PkiError> {
        run(Cli::try_parse_from(std::iter::once(&"qkdnm").chain(arguments))
            .unwrap_or_else(|error| panic!("{error}"))
            .pki)
    }

    #[test]
    fn from_nothing_to_a_revoked_component() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = temporary.path().join("pki");
        let dir = dir.to_str().unwrap();
        let text = call(&["init", dir]).unwrap();
        assert!(text.contains("ca.pem") && text.contains("qkdnm pki issue"), "{text}");
        let text = call(&["issue", dir, "--reference-point", "mx", "--component-id", "manager-east"]).unwrap();
        assert!(text.contains("certificate = ") && text.contains("urn:qkdn:mx:manager-east"), "{text}");
        let both = ["issue", dir, "--reference-point", "mq", "--reference-point", "mk", "--component-id", "a/1"];
        let text = call(&both).unwrap();
        assert!(text.contains("urn:qkdn:mq:a%2F1, urn:qkdn:mk:a%2F1") && text.contains("a%2F1.pem"), "{text}");
        let error = call(&both).unwrap_err().to_string();
        assert!(error.contains("a%2F1.pem") && error.contains("exists") && error.contains("--name"), "{error}");
        let again = call(&["init", dir]).unwrap_err().to_string();
        assert!(again.contains("another folder") && !again.contains("--name"), "{again}");
        let text = call(&["revoke", dir, "a%2F1"]).unwrap();
        assert!(text.contains("ca.crl") && text.starts_with("1 revoked now, 1 in all"), "{text}");
    }

    #[test]
    fn arguments_are_checked() {
        for wrong in [
            &["issue", "d", "--component-id", "km-1"][..],
            &["issue", "d", "--reference-point", "xx", "--component-id", "km-1"],
            &["issue", "d", "--reference-point", "mk", "--component-id", "km-1", "--ip", "nowhere"],
            &["init", "d", "--days", "0"],
        ] {
            assert!(Cli::try_parse_from(std::iter::once(&"qkdnm").chain(wrong)).is_err(), "{wrong:?}");
        }
    }
}
