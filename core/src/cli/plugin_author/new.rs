//! `qkdnm plugin new`: a project for a plugin, from the templates in `templates/`.
//!
//! In a template `{{name}}` is the plugin's name, `{{crate}}` the same as Rust and C write it, `{{type}}` its type, `{{sdk}}` where
//! the SDK for Rust comes from, `{{role}}` what it is, `{{about}}`, `{{entry}}`,
//! `{{schema}}` and `{{json}}` what a role's templates have in all languages.

mod bindings;
mod files;

use std::path::{Path, PathBuf};

use super::{
    project::{CONTRACT, Language, Role},
    usage,
};
use crate::cli::{CommandError, CommandResult, Exit, Output};

/// Arguments of `plugin new`.
#[derive(Debug, clap::Args)]
pub struct NewArgs {
    /// Name of the plugin: lower-case letters, digits and `-`.
    name: String,
    /// What it is to be.
    #[arg(long)]
    role: Role,
    /// Language that it is written in.
    #[arg(long, default_value = "rust")]
    lang: Language,
    /// Where the SDK for Rust is: folder `plugins/sdk` of a checkout, the checkout itself, or a git URL.
    #[arg(long, value_name = "PATH|GIT-URL")]
    sdk: Option<String>,
    /// Folder to be made; by default one of the plugin's name.
    #[arg(long)]
    dir: Option<PathBuf>,
}

pub(super) fn run(args: &NewArgs, output: &mut Output<'_>) -> CommandResult {
    check_name(&args.name)?;
    if args.role == Role::Collector && args.lang != Language::Rust {
        return Err(usage(Role::ONLY_RUST.to_owned()));
    }
    let sdk = if args.lang == Language::Rust { dependency(args.sdk.as_deref())? } else { String::new() };
    let folder = args.dir.clone().unwrap_or_else(|| PathBuf::from(&args.name));
    if folder.read_dir().is_ok_and(|mut entries| entries.next().is_some()) || folder.is_file() {
        return Err(usage(format!("{} is there already, and not empty; choose another with --dir", folder.display())));
    }
    for (file, template) in files::of(args.lang, args.role) {
        write(&folder.join(file), filled(template, args, &sdk).as_bytes())?;
    }
    if args.lang != Language::Rust {
        for (file, text) in CONTRACT {
            write(&folder.join(file), text.as_bytes())?;
        }
    }
    if args.lang == Language::C {
        for (file, content) in bindings::of(&folder.join("wit"), args.role)? {
            write(&folder.join("bindings").join(file), &content)?;
        }
    }
    let there = folder.display();
    output.line(&format!("{there} is a plugin. Next:"))?;
    output.line(&format!("  cd {there}"))?;
    let wasm = format!("{}.wasm", args.name);
    let own = files::first_steps(args.lang).iter().map(|(command, what)| ((*command).to_owned(), *what));
    let steps = [
        ("qkdnm plugin build".to_owned(), wasm.as_str()),
        (format!("qkdnm plugin inspect {wasm}"), "what it is, and whether a manager would load it"),
        (
            format!("qkdnm plugin test {wasm} --update"),
            "what follows from recordings/; without --update: is it still so?",
        ),
        (format!("qkdnm plugin bench {wasm}"), "what a report costs"),
    ];
    // Those behind `inspect` take reports, and a collector is given none.
    let takes = if args.role == Role::Collector { 2 } else { steps.len() };
    for (command, what) in own.chain(steps.into_iter().take(takes)) {
        output.line(&format!("  {command:44} # {what}"))?;
    }
    Ok(Exit::Success)
}

/// Names that would make a crate or a type that does not compile.
const TAKEN: [&str; 70] = [
    "abstract",
    "alarm",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "collector",
    "config",
    "const",
    "continue",
    "core",
    "crate",
    "description",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "handler",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "needs",
    "none",
    "option",
    "override",
    "policy",
    "priv",
    "problem",
    "pub",
    "qkdn-plugin",
    "ref",
    "result",
    "return",
    "sample",
    "self",
    "static",
    "std",
    "step",
    "string",
    "struct",
    "subject",
    "super",
    "symbol",
    "symbols",
    "test",
    "trait",
    "true",
    "try",
    "turn",
    "type",
    "unsafe",
    "use",
    "value",
    "vec",
    "where",
];

fn check_name(name: &str) -> Result<(), CommandError> {
    let fits = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= 64
        && !name.ends_with('-')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if TAKEN.contains(&name) {
        return Err(usage(format!(
            "`{name}` is a word of Rust or of the SDK: name the plugin after what it does, such as acme-{name}"
        )));
    }
    if fits {
        return Ok(());
    }
    Err(usage(format!(
        "`{name}` is no name for a plugin: lower-case letters, digits and `-`, beginning with a letter, at most 64"
    )))
}

/// The SDK as a dependency in Cargo.toml.
fn dependency(sdk: Option<&str>) -> Result<String, CommandError> {
    let Some(sdk) = sdk else {
        return Err(usage(
            "where is the SDK? It is in no package registry: name the folder plugins/sdk of a checkout of the manager's \
             repository, or the repository's git URL:\n  --sdk ../qkdnm/plugins/sdk\n  --sdk https://git.example/qkdnm"
                .to_owned(),
        ));
    };
    if sdk.contains("://") || sdk.starts_with("git@") {
        return Ok(format!("{{ git = {sdk:?} }}"));
    }
    let is_sdk = |folder: &Path| {
        let text = std::fs::read_to_string(folder.join("Cargo.toml")).ok()?;
        let manifest: toml::Table = toml::from_str(&text).ok()?;
        (manifest.get("package")?.get("name")?.as_str()? == "qkdn-plugin").then_some(())
    };
    let named = Path::new(sdk);
    let found = [named.to_owned(), named.join("plugins/sdk")].into_iter().find(|folder| is_sdk(folder).is_some());
    let found = found.and_then(|folder| folder.canonicalize().ok());
    found.map(|folder| format!("{{ path = {:?} }}", folder.display().to_string())).ok_or_else(|| {
        usage(format!(
            "--sdk {sdk}: there is no package `qkdn-plugin` in it; expected the folder plugins/sdk of a checkout"
        ))
    })
}

fn filled(template: &str, args: &NewArgs, sdk: &str) -> String {
    let name = args.name.as_str();
    let type_name: String = name
        .split('-')
        .filter_map(|word| {
            let mut letters = word.chars();
            Some(letters.next()?.to_ascii_uppercase().to_string() + letters.as_str())
        })
        .collect();
    let schema = files::schema(args.role);
    template
        .replace("{{about}}", files::about(args.role))
        .replace("{{entry}}", files::entry(args.role))
        .replace("{{schema}}", &c_text(schema))
        .replace("{{json}}", schema.trim_end())
        .replace("{{name}}", name)
        .replace("{{crate}}", &name.replace('-', "_"))
        .replace("{{type}}", &type_name)
        .replace("{{sdk}}", sdk)
        .replace("{{role}}", args.role.name())
}

/// A text as C has it, a line of source for each of its lines.
fn c_text(text: &str) -> String {
    let line = |line: &str| format!("    \"{}\\n\"", line.replace('\\', "\\\\").replace('"', "\\\""));
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn write(file: &Path, content: &[u8]) -> Result<(), CommandError> {
    let failed = |error| usage(format!("cannot write {}: {error}", file.display()));
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    std::fs::write(file, content).map_err(failed)
}
