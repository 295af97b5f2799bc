//! Which files a new project has, and what its author does first, by language and role.

use crate::cli::plugin_author::project::{Language, Role};

/// A file of the project and its template.
pub(super) type Template = (&'static str, &'static str);

macro_rules! template {
    ($file:literal, $path:literal) => {
        ($file, include_str!(concat!("../templates/", $path)))
    };
}

const RUST: &[Template] =
    &[template!("Cargo.toml", "rust/Cargo.toml.in"), template!(".gitignore", "rust/gitignore.in")];
const RUST_POLICY: &[Template] = &[
    template!("src/lib.rs", "rust/policy/lib.rs.in"),
    template!("src/tests.rs", "rust/policy/tests.rs.in"),
    template!("README.md", "rust/policy/README.md.in"),
];
const RUST_HANDLER: &[Template] = &[
    template!("src/lib.rs", "rust/handler/lib.rs.in"),
    template!("src/tests.rs", "rust/handler/tests.rs.in"),
    template!("README.md", "rust/handler/README.md.in"),
];

const RUST_COLLECTOR: &[Template] = &[
    template!("src/lib.rs", "rust/collector/lib.rs.in"),
    template!("src/tests.rs", "rust/collector/tests.rs.in"),
    template!("README.md", "rust/collector/README.md.in"),
];

const PYTHON: &[Template] = &[
    template!("plugin.toml", "python/plugin.toml.in"),
    template!(".gitignore", "python/gitignore.in"),
    template!("README.md", "python/README.md.in"),
    template!("qkdn_plugin/__init__.py", "python/qkdn_plugin/__init__.py"),
    template!("qkdn_plugin/component.py", "python/qkdn_plugin/component.py"),
    template!("qkdn_plugin/testing.py", "python/qkdn_plugin/testing.py"),
];
const PYTHON_POLICY: &[Template] = &[
    template!("plugin.py", "python/policy/plugin.py.in"),
    template!("test_plugin.py", "python/policy/test_plugin.py.in"),
];
const PYTHON_HANDLER: &[Template] = &[
    template!("plugin.py", "python/handler/plugin.py.in"),
    template!("test_plugin.py", "python/handler/test_plugin.py.in"),
];

const C: &[Template] = &[
    template!("plugin.toml", "c/plugin.toml.in"),
    template!(".gitignore", "c/gitignore.in"),
    template!("README.md", "c/README.md.in"),
    template!("Makefile", "c/Makefile.in"),
    template!("src/schema.h", "c/schema.h.in"),
    template!("qkdn/qkdn.h", "c/qkdn/qkdn.h"),
    template!("qkdn/json.c", "c/qkdn/json.c"),
    template!("qkdn/libc.c", "c/qkdn/libc.c"),
    template!("qkdn/text.c", "c/qkdn/text.c"),
];
const C_POLICY: &[Template] =
    &[template!("src/plugin.c", "c/policy/plugin.c.in"), template!("test/test_plugin.c", "c/policy/test_plugin.c.in")];
const C_HANDLER: &[Template] = &[
    template!("src/plugin.c", "c/handler/plugin.c.in"),
    template!("test/test_plugin.c", "c/handler/test_plugin.c.in"),
];

const JAVASCRIPT: &[Template] = &[
    template!("plugin.toml", "javascript/plugin.toml.in"),
    template!(".gitignore", "javascript/gitignore.in"),
    template!("README.md", "javascript/README.md.in"),
    template!("package.json", "javascript/package.json.in"),
    template!("qkdn/index.js", "javascript/qkdn/index.js"),
    template!("qkdn/crossing.js", "javascript/qkdn/crossing.js"),
    template!("qkdn/testing.js", "javascript/qkdn/testing.js"),
];
const JAVASCRIPT_POLICY: &[Template] = &[
    template!("component.js", "javascript/policy/component.js.in"),
    template!("plugin.js", "javascript/policy/plugin.js.in"),
    template!("plugin.test.js", "javascript/policy/plugin.test.js.in"),
];
const JAVASCRIPT_HANDLER: &[Template] = &[
    template!("component.js", "javascript/handler/component.js.in"),
    template!("plugin.js", "javascript/handler/plugin.js.in"),
    template!("plugin.test.js", "javascript/handler/plugin.test.js.in"),
];

/// Recordings: the same in all languages, and the same follows.
const POLICY: Template = template!("recordings/failing-relays.mk.jsonl", "policy/failing-relays.mk.jsonl.in");
const HANDLER: Template = template!("recordings/warm-detector.mq.jsonl", "handler/warm-detector.mq.jsonl.in");

/// The files of a project.
pub(super) fn of(language: Language, role: Role) -> impl Iterator<Item = Template> {
    let (always, own): (&[Template], &[Template]) = match (language, role) {
        (Language::Rust, Role::Collector) => (RUST, RUST_COLLECTOR),
        // Refused before.
        (_, Role::Collector) => (&[], &[]),
        (Language::Rust, Role::Policy) => (RUST, RUST_POLICY),
        (Language::Rust, Role::Handler) => (RUST, RUST_HANDLER),
        (Language::Python, Role::Policy) => (PYTHON, PYTHON_POLICY),
        (Language::Python, Role::Handler) => (PYTHON, PYTHON_HANDLER),
        (Language::C, Role::Policy) => (C, C_POLICY),
        (Language::C, Role::Handler) => (C, C_HANDLER),
        (Language::Javascript, Role::Policy) => (JAVASCRIPT, JAVASCRIPT_POLICY),
        (Language::Javascript, Role::Handler) => (JAVASCRIPT, JAVASCRIPT_HANDLER),
    };
    let recording = match role {
        Role::Policy => Some(POLICY),
        Role::Handler => Some(HANDLER),
        Role::Collector => None,
    };
    // The others have it in their sources.
    let schema = matches!(language, Language::Rust | Language::Python).then(|| ("schema.json", schema(role)));
    always.iter().chain(own).copied().chain(recording).chain(schema)
}

/// The schema of its configuration.
pub(super) const fn schema(role: Role) -> &'static str {
    match role {
        Role::Policy => include_str!("../templates/policy/schema.json.in"),
        Role::Handler => include_str!("../templates/handler/schema.json.in"),
        Role::Collector => include_str!("../templates/collector/schema.json.in"),
    }
}

/// What it does, for the README; those of Rust say it themselves.
pub(super) const fn about(role: Role) -> &'static str {
    match role {
        Role::Policy => include_str!("../templates/policy/about.md.in"),
        Role::Handler => include_str!("../templates/handler/about.md.in"),
        Role::Collector => "",
    }
}

/// Its entry in manager.toml, likewise.
pub(super) const fn entry(role: Role) -> &'static str {
    match role {
        Role::Policy => include_str!("../templates/policy/entry.toml.in"),
        Role::Handler => include_str!("../templates/handler/entry.toml.in"),
        Role::Collector => "",
    }
}

/// Commands before `qkdnm plugin build`, with what they are for.
pub(super) const fn first_steps(language: Language) -> &'static [(&'static str, &'static str)] {
    match language {
        Language::Rust => &[("cargo test", "its unit tests, native")],
        Language::C => &[
            ("make test", "its unit tests, native"),
            ("python3 -m venv .venv && .venv/bin/pip install ziglang==0.17.1", "what builds it, once"),
        ],
        Language::Python => &[
            ("python3 -m unittest", "its unit tests, without any tool"),
            ("python3 -m venv .venv && .venv/bin/pip install componentize-py==0.25.1", "what builds it, once"),
        ],
        Language::Javascript => {
            &[("node --test", "its unit tests, without any tool"), ("npm install", "what builds it, once")]
        }
    }
}
