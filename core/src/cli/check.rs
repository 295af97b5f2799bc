//! `qkdnm check`: would the manager take this configuration? Names every problem at once; opens no port, changes nothing.

mod parts;

use std::{
    fmt::Write as _,
    io::{IsTerminal, Write as _},
    path::PathBuf,
};

use clap::Args;
use serde_json::json;

use crate::{
    config::{
        Config, Durability, Enrolment, Examined, Loaded, PolicyMode, Problems,
        load::{examine, examine_as_if},
        problem::{Level, Problem},
        source::SourceText,
    },
    model::ReferencePoint,
};

/// Check a configuration and say what the manager would do with it
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:\n  qkdnm check manager.toml\n  qkdnm check manager.toml -o json")]
pub struct CheckArgs {
    /// The main file
    #[arg(value_name = "FILE", env = "QKDNM_CONFIG", default_value = "manager.toml")]
    pub file: PathBuf,
}

/// Form of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text {
        /// With colours.
        styled: bool,
    },
    /// For programs.
    Json,
}

/// What a command leaves behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// For standard output.
    pub stdout: String,
    /// For standard error.
    pub stderr: String,
    /// Exit code: 0 in order, 2 not.
    pub code: u8,
}

/// `qkdnm check`, plugins and all.
pub fn command(args: &CheckArgs, output: &super::Output<'_>) -> super::CommandResult {
    if output.is_list_only() {
        let problem = "`check` answers with a document and no list: -o json";
        return Err(super::CommandError::usage(anyhow::anyhow!(problem)));
    }
    let code = run(args, output.is_data(), parts::problems);
    Ok(if code == 0 { super::Exit::Success } else { super::Exit::NotInOrder })
}

/// What the check would say of a configuration if the files of `conf.d` were others than they are.
pub(super) fn as_if(file: &std::path::Path, change: impl FnOnce(&mut Vec<SourceText>)) -> Verdict {
    let args = CheckArgs { file: file.to_owned() };
    judge(&args, examine_as_if(file, change), parts::problems, Form::Text { styled: false })
}

/// Loads and checks the file and says what came of it, as JSON if asked for; `plugins` loads every plugin and says what
/// each finds wrong with its entry. Returns the exit code.
pub fn run(args: &CheckArgs, json: bool, parts: impl FnOnce(&Loaded) -> Vec<Problem>) -> u8 {
    let styled = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let form = if json { Form::Json } else { Form::Text { styled } };
    let verdict = judge(args, examine(&args.file), parts, form);
    // A reader that went away is no reason to panic; the exit code still says what there is to say.
    let _ = std::io::stderr().write_all(verdict.stderr.as_bytes());
    let _ = std::io::stdout().write_all(verdict.stdout.as_bytes());
    verdict.code
}

/// What [`run`] says of a configuration.
#[must_use]
pub fn judge(args: &CheckArgs, examined: Examined, parts: impl FnOnce(&Loaded) -> Vec<Problem>, form: Form) -> Verdict {
    let file = args.file.display().to_string();
    let Examined { mut problems, loaded } = examined;
    if let Some(loaded) = &loaded {
        problems = Problems::new(problems.sources, problems.list.into_iter().chain(parts(loaded)).collect());
    }
    let in_order = problems.count(Level::Error) == 0;
    let config = loaded.as_ref().filter(|_| in_order).map(|loaded| &loaded.config);
    let code = if config.is_some() { 0 } else { 2 };
    let Form::Text { styled } = form else {
        let value = json!({
            "file": file,
            "accepted": config.is_some(),
            "errors": problems.count(Level::Error),
            "warnings": problems.count(Level::Warning),
            "problems": problems.to_json(),
        });
        return Verdict { stdout: format!("{value:#}\n"), stderr: String::new(), code };
    };
    let mut stderr = problems.render(styled);
    if !stderr.is_empty() {
        stderr.push_str("\n\n");
    }
    let errors = counted(problems.count(Level::Error), "error");
    let warnings = match problems.count(Level::Warning) {
        0 => String::new(),
        number => format!(", {}", counted(number, "warning")),
    };
    match config {
        Some(config) => {
            Verdict { stdout: format!("{file} is in order{warnings}.\n\n{}", summary(config)), stderr, code }
        }
        None => {
            let _ = writeln!(stderr, "{file}: {errors}{warnings}. The manager would not start.");
            Verdict { stdout: String::new(), stderr, code }
        }
    }
}

fn counted(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// What would run, in a few lines.
#[must_use]
pub fn summary(config: &Config) -> String {
    let mut lines = vec![("manager", format!("{}, for the domain {}", config.manager.id, config.manager.domain))];
    for interface in &config.interfaces {
        let addresses: Vec<String> = interface.listen.iter().map(ToString::to_string).collect();
        let kind = interface.reference_point.component_kind();
        lines.push(("listens", format!("{:<4} {} ({kind})", interface.reference_point.as_str(), addresses.join(", "))));
    }
    lines.push(("components", components(config)));
    let own: Vec<String> = config
        .handlers
        .iter()
        .filter(|handler| !handler.name.ends_with("-standard"))
        .map(|handler| format!("{} ({})", handler.name, handler.plugin))
        .collect();
    let own = if own.is_empty() { String::new() } else { format!("{}, then ", own.join(", ")) };
    lines.push(("handlers", format!("{own}the standard ones")));
    for policy in &config.policies {
        let mode = match policy.mode {
            PolicyMode::Active => "",
            PolicyMode::Shadow => ", in shadow mode",
            PolicyMode::Off => ", off",
        };
        lines.push(("policy", format!("{} ({}{mode})", policy.name, policy.plugin)));
    }
    if let Some(federation) = &config.federation {
        lines.push(("federation", format!("{}, as {}", federation.name, config.manager.domain)));
    }
    for peer in &config.peers {
        let way =
            peer.address.as_ref().map_or_else(|| "it dials".to_owned(), |address| format!("dialled at {address}"));
        lines.push(("peer", format!("{} of domain {}, {way}", peer.id, peer.origin.domain)));
    }
    for one in &config.collectors {
        let names: Vec<String> = one.components.iter().map(ToString::to_string).collect();
        lines.push(("collector", format!("{} ({}, for {})", one.name, one.plugin, names.join(", "))));
    }
    for exporter in &config.exporters {
        lines.push(("exporter", format!("{} ({}, to {})", exporter.name, exporter.kind, exporter.url)));
    }
    let durability = match config.storage.durability {
        Durability::Sync => "`success` means on stable storage",
        Durability::Os => "`success` means handed to the operating system",
    };
    lines.push(("data", format!("{}; {durability}", config.manager.data_dir.display())));
    lines.push(("API", format!("http://{}, {}", config.api.listen, counted(config.api.tokens.len(), "token"))));
    let mut text = String::new();
    let mut before = "";
    for (title, line) in lines {
        let _ = writeln!(text, "{:<12}{line}", if title == before { "" } else { title });
        before = title;
    }
    text
}

fn components(config: &Config) -> String {
    let points = ReferencePoint::ALL.into_iter().filter_map(|point| {
        let number = config.components.iter().filter(|known| known.component.reference_point == point).count();
        (number > 0).then(|| format!("{number} on {point}"))
    });
    let listed: Vec<String> = points.collect();
    let listed = if listed.is_empty() { "none listed".to_owned() } else { listed.join(", ") };
    match config.manager.enrolment {
        Enrolment::Listed => format!("{listed}; nobody else may report"),
        Enrolment::Certificate => format!("{listed}; others may report with a certificate"),
        Enrolment::Approve => format!("{listed}; others wait for approval (`qkdnm component list --waiting`)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{PluginConfigProblem, PluginKind, load::examine_text, source::SourceText};

    const TEXT: &str = "[manager]\nid = \"m\"\ndomain = \"d\"\n[tls]\ncertificate = \"c\"\nprivate_key = \"k\"\n\
        trust_anchors = \"a\"\n[interfaces.mq]\n[[components]]\nid = \"alice\"\nreference_point = \"mq\"\n\
        [[policies]]\nname = \"qber\"\nfunction = \"performance\"\nplugin = \"builtin:threshold\"\nmode = \"shadow\"\n\
        config = { raise_above = 1 }\n";

    fn verdict(form: Form, complaints: Vec<PluginConfigProblem>) -> Verdict {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a", "c", "k"] {
            std::fs::write(folder.path().join(name), "").unwrap();
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(folder.path().join(name), std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        let main = SourceText { name: "m.toml".into(), folder: folder.path().into(), text: TEXT.into() };
        let args = CheckArgs { file: "m.toml".into() };
        judge(&args, examine_text(main, &[]), |loaded| loaded.complaints(&complaints), form)
    }

    #[test]
    fn a_sound_file_is_summed_up() {
        let verdict = verdict(Form::Text { styled: false }, Vec::new());
        assert_eq!((verdict.code, verdict.stderr.as_str()), (0, ""));
        let text = verdict.stdout;
        assert!(text.starts_with("m.toml is in order.\n\nmanager     m, for the domain d\n"), "{text}");
        assert!(text.contains("listens     mq   0.0.0.0:7101 (QKD module)\n"), "{text}");
        assert!(text.contains("components  1 on mq; nobody else may report\n"), "{text}");
        assert!(text.contains("policy      qber (builtin:threshold, in shadow mode)\n"), "{text}");
    }

    #[test]
    fn what_a_plugin_refuses_is_refused() {
        let complaint = PluginConfigProblem {
            kind: PluginKind::Policy,
            name: "qber".into(),
            pointer: Some("/raise_above".into()),
            message: "expected a number below 1".into(),
        };
        let text = verdict(Form::Text { styled: false }, vec![complaint.clone()]);
        assert_eq!((text.code, text.stdout.as_str()), (2, ""));
        assert!(text.stderr.contains("--> m.toml:17:26"), "{}", text.stderr);
        assert!(text.stderr.ends_with("m.toml: 1 error. The manager would not start.\n"), "{}", text.stderr);
        let json = verdict(Form::Json, vec![complaint]);
        let value: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
        assert_eq!((json.code, &value["accepted"], &value["problems"][0]["line"]), (2, &false.into(), &17.into()));
    }
}
