//! `qkdnm plugin new`: a project for a plugin, from the templates in `templates/`.
//!
//! In a template `{{name}}` is the plugin's name, `{{crate}}` the same as Rust writes it, `{{type}}` its type, `{{sdk}}` where
//! the SDK comes from.

use std::path::{Path, PathBuf};

use super::usage;
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
    /// Where the SDK is: folder `plugins/sdk` of a checkout, the checkout itself, or a git URL.
    #[arg(long, value_name = "PATH|GIT-URL")]
    sdk: Option<String>,
    /// Folder to be made; by default one of the plugin's name.
    #[arg(long)]
    dir: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Role {
    /// Understands what the components of a reference point send.
    Handler,
    /// Watches what accepted reports say.
    Policy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Language {
    /// With the SDK `qkdn-plugin`.
    Rust,
    /// Not yet.
    C,
    /// Not yet.
    Python,
    /// Not yet.
    Javascript,
}

/// A file of the project and its template.
type Template = (&'static str, &'static str);

const BOTH: [Template; 2] =
    [("Cargo.toml", include_str!("templates/Cargo.toml.in")), (".gitignore", include_str!("templates/gitignore.in"))];
const POLICY: [Template; 5] = [
    ("src/lib.rs", include_str!("templates/policy/lib.rs.in")),
    ("src/tests.rs", include_str!("templates/policy/tests.rs.in")),
    ("schema.json", include_str!("templates/policy/schema.json.in")),
    ("recordings/failing-relays.mk.jsonl", include_str!("templates/policy/failing-relays.mk.jsonl.in")),
    ("README.md", include_str!("templates/policy/README.md.in")),
];
const HANDLER: [Template; 5] = [
    ("src/lib.rs", include_str!("templates/handler/lib.rs.in")),
    ("src/tests.rs", include_str!("templates/handler/tests.rs.in")),
    ("schema.json", include_str!("templates/handler/schema.json.in")),
    ("recordings/warm-detector.mq.jsonl", include_str!("templates/handler/warm-detector.mq.jsonl.in")),
    ("README.md", include_str!("templates/handler/README.md.in")),
];

pub(super) fn run(args: &NewArgs, output: &mut Output<'_>) -> CommandResult {
    check_language(args.lang)?;
    check_name(&args.name)?;
    let sdk = dependency(args.sdk.as_deref())?;
    let folder = args.dir.clone().unwrap_or_else(|| PathBuf::from(&args.name));
    if folder.read_dir().is_ok_and(|mut entries| entries.next().is_some()) || folder.is_file() {
        return Err(usage(format!("{} is there already, and not empty; choose another with --dir", folder.display())));
    }
    let own = if args.role == Role::Policy { POLICY } else { HANDLER };
    for (file, template) in BOTH.iter().chain(&own) {
        write(&folder.join(file), &filled(template, &args.name, &sdk))?;
    }
    let there = folder.display();
    output.line(&format!("{there} is a plugin. Next:"))?;
    output.line(&format!("  cd {there}"))?;
    let wasm = format!("{}.wasm", args.name);
    for (command, what) in [
        ("cargo test".to_owned(), "its unit tests, native"),
        ("qkdnm plugin build".to_owned(), wasm.as_str()),
        (format!("qkdnm plugin inspect {wasm}"), "what it is, and whether a manager would load it"),
        (
            format!("qkdnm plugin test {wasm} --update"),
            "what follows from recordings/; without --update: is it still so?",
        ),
        (format!("qkdnm plugin bench {wasm}"), "what a report costs"),
    ] {
        output.line(&format!("  {command:44} # {what}"))?;
    }
    Ok(Exit::Success)
}

fn check_language(language: Language) -> Result<(), CommandError> {
    let words = match language {
        Language::Rust => return Ok(()),
        Language::C => {
            "for C there is no template. A native plugin in C is examples/native-c of the manager's repository; a WebAssembly \
             component in C is made with wit-bindgen from wit/v0.1"
        }
        Language::Python => {
            "for Python there is no template. A component in Python is made with componentize-py from wit/v0.1 of the manager's \
             repository; it needs more memory than plugins.memory gives by default"
        }
        Language::Javascript => {
            "for JavaScript there is no template. A component in JavaScript is made with componentize-js from wit/v0.1 of the \
             manager's repository; it needs more memory than plugins.memory gives by default"
        }
    };
    Err(usage(format!(
        "{words}. Made with --lang rust: handler, policy. `qkdnm plugin inspect` and `test` work for any language"
    )))
}

/// Names that would make a crate or a type that does not compile.
const TAKEN: [&str; 62] = [
    "abstract",
    "alarm",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
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
    "override",
    "policy",
    "priv",
    "problem",
    "pub",
    "qkdn-plugin",
    "ref",
    "return",
    "sample",
    "self",
    "static",
    "std",
    "struct",
    "subject",
    "super",
    "symbol",
    "symbols",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "unsafe",
    "use",
    "value",
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

fn filled(template: &str, name: &str, sdk: &str) -> String {
    let type_name: String = name
        .split('-')
        .filter_map(|word| {
            let mut letters = word.chars();
            Some(letters.next()?.to_ascii_uppercase().to_string() + letters.as_str())
        })
        .collect();
    template
        .replace("{{name}}", name)
        .replace("{{crate}}", &name.replace('-', "_"))
        .replace("{{type}}", &type_name)
        .replace("{{sdk}}", sdk)
}

fn write(file: &Path, text: &str) -> Result<(), CommandError> {
    let failed = |error| usage(format!("cannot write {}: {error}", file.display()));
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    std::fs::write(file, text).map_err(failed)
}
