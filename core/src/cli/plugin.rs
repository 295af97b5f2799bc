//! `qkdnm policy`, `handler` and `plugin`: plugins as configured and as loaded, and what they did. `qkdnm interface`: what is served.

use serde::de::DeserializeOwned;

use super::{
    ApiArgs, Client, CommandResult, Exit, Output,
    client::percent_encoded,
    plugin_author,
    plugin_log::{self, LogArgs},
    plugin_signature::{self, SignArgs, VerifyArgs},
    plugin_top::{self, TopArgs},
    plugin_versions::{self, ReloadArgs},
};
use crate::{
    api::{
        Page,
        csv::{self, Tabular},
        views::{HandlerView, InterfaceView, PluginCounters, PluginView, PolicyView, QuarantineView},
    },
    config::{OnFailure, PolicyMode},
};

/// The commands of `policy`.
#[derive(Debug, clap::Subcommand)]
pub enum PolicyCommand {
    /// List policies in the order of the configuration.
    #[command(after_help = "Example:\n  qkdnm policy list")]
    List,
    /// Show one policy: what it watches, how it is configured, what it did.
    #[command(after_help = "Example:\n  qkdnm policy show store-low")]
    Show {
        /// Its name in the configuration.
        name: String,
    },
}

/// The commands of `handler`.
#[derive(Debug, clap::Subcommand)]
pub enum HandlerCommand {
    /// List handlers in the order of the configuration; the first that matches a component takes its reports.
    #[command(after_help = "Example:\n  qkdnm handler list")]
    List,
    /// Show one handler, and what it did.
    #[command(after_help = "Example:\n  qkdnm handler show mk")]
    Show {
        /// Its name in the configuration.
        name: String,
    },
}

/// The commands of `plugin`.
#[derive(Debug, clap::Subcommand)]
pub enum PluginCommand {
    /// List plugins that are loaded. `-o json` has the schema of each one's configuration.
    #[command(after_help = "Example:\n  qkdnm plugin list")]
    List,
    /// Show the plugins of a name, with the schema of their configuration.
    #[command(after_help = "Example:\n  qkdnm plugin show threshold")]
    Show {
        /// The name that it gives itself, or where it comes from, such as builtin:mk.
        name: String,
    },
    /// Show what plugins cost, live: calls, latency, CPU time, memory, state, failures. The most expensive come first.
    #[command(after_help = "Examples:\n  qkdnm plugin top\n  qkdnm plugin top --once -o json")]
    Top(TopArgs),
    /// Take a plugin's file over: compiled beside the version in force, checked, tried with the last 1,000 reports, exchanged between two
    /// batches. Other changes of the files wait.
    #[command(
        after_help = "Examples:\n  qkdnm plugin reload acme --dry-run\n  qkdnm plugin reload plugins/acme-mq.wasm"
    )]
    Reload(ReloadArgs),
    /// Put the version of a plugin in force again that was before the present one. Its file is not taken over by itself while it has what
    /// was gone back from.
    #[command(after_help = "Example:\n  qkdnm plugin rollback acme")]
    Rollback {
        /// A handler's or policy's name in the configuration, or where plugins come from (their path).
        name: String,
    },
    /// Show what plugins said and what went wrong in them: log lines, reasons of refusals, failed calls with their traces.
    #[command(after_help = "Examples:\n  qkdnm plugin log acme --follow\n  qkdnm plugin log --lines 20 -o json")]
    Log(LogArgs),
    /// List the reports that plugins could not take, the newest first, with what failed.
    #[command(after_help = "Examples:\n  qkdnm plugin quarantine\n  qkdnm plugin quarantine -o json")]
    Quarantine,
    /// Sign plugins that you have made or approved: FILE.sig, beside each.
    #[command(
        after_help = "Example:\n  qkdnm pki signing-key keys/acme.key\n  qkdnm plugin sign acme-mq.wasm --key keys/acme.key"
    )]
    Sign(SignArgs),
    /// Say whose signature plugins carry. Exit code 1 where it is of no trusted key.
    #[command(after_help = "Example:\n  qkdnm plugin verify acme-mq.wasm --key keys/acme.pub")]
    Verify(VerifyArgs),
    /// What its author does with it.
    #[command(flatten)]
    Author(plugin_author::Command),
}

impl PluginCommand {
    /// Whether nothing is changed by it.
    pub(super) const fn only_reads(&self) -> bool {
        matches!(
            self,
            Self::List
                | Self::Quarantine
                | Self::Show { .. }
                | Self::Top(TopArgs { once: true, .. })
                | Self::Log(LogArgs { follow: false, .. })
        )
    }
}

/// The commands of `interface`.
#[derive(Debug, clap::Subcommand)]
pub enum InterfaceCommand {
    /// List the reference points that are served.
    #[command(after_help = "Example:\n  qkdnm interface list")]
    List,
    /// Show one reference point that is served.
    #[command(after_help = "Example:\n  qkdnm interface show mk")]
    Show {
        /// mq, mops, mqrp, mk, mc, mu or mx.
        point: String,
    },
}

pub(super) fn run_plugin(command: &PluginCommand, api: &ApiArgs, output: &mut Output<'_>) -> CommandResult {
    match command {
        PluginCommand::Show { name } => {
            return show(&format!("/api/v1/plugins/{}", percent_encoded(name)), api, output);
        }
        PluginCommand::Reload(args) => return plugin_versions::reload(args, api, output),
        PluginCommand::Rollback { name } => return plugin_versions::roll_back(name, api, output),
        PluginCommand::Log(args) => return plugin_log::run(args, api, output),
        PluginCommand::Quarantine => return quarantine(api, output),
        PluginCommand::Top(args) => return plugin_top::run(args, api, output),
        PluginCommand::Sign(args) => return plugin_signature::sign(args, output),
        PluginCommand::Verify(args) => return plugin_signature::verify(args, output),
        PluginCommand::Author(command) => return plugin_author::run(command, output),
        PluginCommand::List => {}
    }
    let headings = ["PLUGIN", "ROLE", "NAME", "VERSION", "SHA-256", "SIGNED BY", "USED BY", "WHAT IT DOES"];
    list(["plugin", "plugins"], api, output, headings, |plugin: PluginView| {
        let (digest, used_by) = (short(&plugin.sha256), plugin.used_by.join(", "));
        let signed_by = plugin.signed_by.unwrap_or_else(|| "-".to_owned());
        [plugin.plugin, plugin.role, plugin.name, plugin.version, digest, signed_by, used_by, plugin.summary]
    })
}

fn quarantine(api: &ApiArgs, output: &mut Output<'_>) -> CommandResult {
    let page: Page<QuarantineView> = Client::new(api)?.get("/api/v1/quarantine", &[])?;
    if output.is_data() {
        output.list(&page)?;
        return Ok(Exit::Success);
    }
    let total = page.items.len();
    let row = |one: QuarantineView| {
        let first = |text: &str| text.lines().next().unwrap_or_default().to_owned();
        [one.time.to_string(), one.plugin, one.component, first(&one.failure), first(&one.report)]
    };
    if total > 0 {
        output
            .table(["TIME", "PLUGIN", "COMPONENT", "FAILURE", "REPORT"], page.items.into_iter().map(row).collect())?;
    }
    output.line(&super::output::count(total, "report"))?;
    Ok(Exit::Success)
}

pub(super) fn run_interface(command: &InterfaceCommand, api: &ApiArgs, output: &mut Output<'_>) -> CommandResult {
    if let InterfaceCommand::Show { point } = command {
        let path = format!("/api/v1/interfaces/{}", percent_encoded(point));
        return show_interface(&path, api, output);
    }
    let headings =
        ["REFERENCE POINT", "LISTENS ON", "KEY EXCHANGE", "COMPONENTS", "CONNECTIONS", "LINES", "ACCEPTED", "REFUSED"];
    list(["interface", "interfaces"], api, output, headings, |interface: InterfaceView| {
        let addresses: Vec<String> = interface.listen.iter().map(ToString::to_string).collect();
        let listen = if addresses.is_empty() { "(dials only)".to_owned() } else { addresses.join(", ") };
        [
            interface.reference_point.to_string(),
            listen,
            interface.key_exchange,
            format!("{} of {}", interface.components.connected, interface.components.known),
            format!("{} of {}", interface.connections, interface.max_connections),
            interface.lines.to_string(),
            interface.accepted.to_string(),
            interface.refused.to_string(),
        ]
    })
}

pub(super) fn run_policy(command: &PolicyCommand, api: &ApiArgs, output: &mut Output<'_>) -> CommandResult {
    if let PolicyCommand::Show { name } = command {
        return show(&format!("/api/v1/policies/{}", percent_encoded(name)), api, output);
    }
    let headings = ["POLICY", "FUNCTION", "MODE", "PLUGIN", "VERSION", "SHA-256", "CALLS", "FAILED", "MEAN TIME"];
    list(["policy", "policies"], api, output, headings, |policy: PolicyView| {
        let [calls, failures, mean] = counters(&policy.counters);
        let (function, mode) = (policy.function.as_str(), mode_word(policy.mode));
        let digest = short(&policy.sha256);
        [policy.name, function.into(), mode.into(), policy.plugin, policy.version, digest, calls, failures, mean]
    })
}

pub(super) fn run_handler(command: &HandlerCommand, api: &ApiArgs, output: &mut Output<'_>) -> CommandResult {
    if let HandlerCommand::Show { name } = command {
        return show(&format!("/api/v1/handlers/{}", percent_encoded(name)), api, output);
    }
    let headings = [
        "HANDLER",
        "REFERENCE POINT",
        "ON FAILURE",
        "THEN",
        "PLUGIN",
        "VERSION",
        "SHA-256",
        "CALLS",
        "FAILED",
        "MEAN TIME",
    ];
    list(["handler", "handlers"], api, output, headings, |handler: HandlerView| {
        let [calls, failures, mean] = counters(&handler.counters);
        let on_failure = match handler.on_failure {
            OnFailure::Reject => "reject",
            OnFailure::KeepRaw => "keep-raw",
            OnFailure::Fallback => "fallback",
        };
        let (point, digest) = (handler.reference_point.to_string(), short(&handler.sha256));
        let then = handler.then.unwrap_or_else(|| "-".to_owned());
        [handler.name, point, on_failure.into(), then, handler.plugin, handler.version, digest, calls, failures, mean]
    })
}

/// Shows one as the API has it: for people as paths and values, since most of it is the plugin's own.
fn show(path: &str, api: &ApiArgs, output: &mut Output<'_>) -> CommandResult {
    let document: serde_json::Value = Client::new(api)?.get(path, &[])?;
    if output.is_data() {
        output.document(&document)?;
    } else {
        let parts = csv::parts(&document);
        let rows = parts.into_iter().map(|(name, value)| [name, value]).collect();
        output.table(["NAME", "IS"], rows)?;
    }
    Ok(Exit::Success)
}

fn show_interface(path: &str, api: &ApiArgs, output: &mut Output<'_>) -> CommandResult {
    let interface: InterfaceView = Client::new(api)?.get(path, &[])?;
    if output.is_data() {
        output.document(&interface)?;
        return Ok(Exit::Success);
    }
    let addresses: Vec<String> = interface.listen.iter().map(ToString::to_string).collect();
    let components = interface.components;
    output.fields(&[
        ("Reference point", format!("{} ({})", interface.reference_point, interface.reference_point.component_kind())),
        ("Listens on", if addresses.is_empty() { "nothing: it dials only".to_owned() } else { addresses.join(", ") }),
        ("Key exchange", interface.key_exchange),
        ("Components", format!("{} connected of {} known", components.connected, components.known)),
        ("Connections", format!("{} of at most {}", interface.connections, interface.max_connections)),
        ("Lines", format!("{} since the start", interface.lines)),
        ("Accepted", format!("{} since the start", interface.accepted)),
        ("Refused", format!("{} since the start", interface.refused)),
    ])?;
    Ok(Exit::Success)
}

fn list<T: DeserializeOwned + Tabular, const N: usize>(
    [one, many]: [&str; 2],
    api: &ApiArgs,
    output: &mut Output<'_>,
    headings: [&str; N],
    row: impl FnMut(T) -> [String; N],
) -> CommandResult {
    let page: Page<T> = Client::new(api)?.get(&format!("/api/v1/{many}"), &[])?;
    if output.is_data() {
        output.list(&page)?;
        return Ok(Exit::Success);
    }
    let total = match page.items.len() {
        0 => format!("No {many}."),
        1 => format!("1 {one}"),
        more => format!("{more} {many}"),
    };
    if !page.items.is_empty() {
        output.table(headings, page.items.into_iter().map(row).collect())?;
    }
    output.line(&total)?;
    Ok(Exit::Success)
}

/// Calls, failed calls, mean time of a call.
fn counters(counters: &PluginCounters) -> [String; 3] {
    #[expect(clippy::cast_precision_loss, reason = "a mean for people")]
    let mean = counters.seconds / counters.calls as f64;
    let mean = match mean {
        _ if counters.calls == 0 => "-".to_owned(),
        seconds if seconds < 1e-3 => format!("{:.1} us", seconds * 1e6),
        seconds if seconds < 1.0 => format!("{:.1} ms", seconds * 1e3),
        seconds => format!("{seconds:.1} s"),
    };
    [counters.calls.to_string(), counters.failures.to_string(), mean]
}

/// The start of a digest, enough to tell two versions apart.
fn short(sha256: &str) -> String {
    sha256.chars().take(12).collect()
}

const fn mode_word(mode: PolicyMode) -> &'static str {
    match mode {
        PolicyMode::Active => "active",
        PolicyMode::Shadow => "shadow",
        PolicyMode::Off => "off",
    }
}
