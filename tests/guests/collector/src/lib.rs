//! A collector for tests. Its configuration says what it asks for, what it reports and how it fails. It asks for the hosts `device`
//! and `other` in its description; what came of requests is told as the reason of a failed collection.

use qkdn_plugin::collector::{Get, Report, Step, Turn};
use qkdn_plugin::{Collector, Description, Problem};
use serde::Deserialize;

const SCHEMA: &str = r#"{
    "type": "object",
    "additionalProperties": false,
    "properties": {
        "gets": { "type": "array", "items": { "type": "array", "items": { "type": "string" } } },
        "report": { "type": "string" },
        "for": { "type": "string" },
        "do": { "enum": ["nothing", "panic", "loop", "ask-for-ever", "hoard"] }
    }
}"#;

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Do {
    #[default]
    Nothing,
    Panic,
    Loop,
    AskForEver,
    Hoard,
}

/// What it does.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Host and path.
    gets: Vec<(String, String)>,
    /// An extension.
    report: String,
    /// Component of the report; empty: its own.
    r#for: String,
    r#do: Do,
}

/// The collector.
pub struct Wayward {
    config: Config,
    component: String,
}

impl Collector for Wayward {
    type Config = Config;

    fn describe() -> Description {
        Description::new("guest-collector", "1.0.0", "Tries what it should not.", SCHEMA).asks("device").asks("other")
    }

    fn configure(components: &[String], config: Config) -> Result<Self, Vec<Problem>> {
        Ok(Self { config, component: components.first().cloned().unwrap_or_default() })
    }

    #[allow(clippy::panic, reason = "this is what is tried")]
    fn collect(&self, turn: &Turn) -> Step {
        let mut step = Step { memory: turn.memory.clone(), ..Step::default() };
        match self.config.r#do {
            Do::Panic => panic!("on purpose"),
            Do::Loop => loop {
                std::hint::black_box(());
            },
            Do::Hoard => step.memory = "x".repeat(1 << 20),
            Do::Nothing | Do::AskForEver => {}
        }
        if turn.round == 0 || matches!(self.config.r#do, Do::AskForEver) {
            let get =
                |(host, path): &(String, String)| Get { host: host.clone(), path: path.clone(), accept: String::new() };
            step.gets = self.config.gets.iter().map(get).collect();
        }
        let told: Vec<String> = turn
            .answers
            .iter()
            .map(|answer| format!("{}{}: {} {}", answer.host, answer.path, answer.status, answer.failure))
            .collect();
        if !self.config.report.is_empty() && step.gets.is_empty() {
            let component = if self.config.r#for.is_empty() { &self.component } else { &self.config.r#for };
            step.reports.push(Report { component: component.clone(), extension: self.config.report.clone() });
        } else if !told.is_empty() && step.gets.is_empty() {
            step.fail(told.join("; "));
        }
        step
    }
}

qkdn_plugin::register_collector!(Wayward);
