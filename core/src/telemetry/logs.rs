//! The manager's log: what `[log]` says, written to standard error through `tracing`.
//!
//! One line an event, as text for people or as JSON for collectors. Nothing here sees message contents; what is logged
//! is chosen where it happens, and key material is refused before it can be.

use std::{
    io::IsTerminal,
    sync::{Mutex, OnceLock},
};

use tracing_subscriber::{EnvFilter, filter::LevelFilter, fmt::MakeWriter};

use crate::config::LogConfig;

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

type SetFilter = Box<dyn Fn(EnvFilter) -> Result<(), String> + Send + Sync>;

/// Sets the filter of the log that was set up; like the log itself there is one in a process.
static SET_FILTER: OnceLock<SetFilter> = OnceLock::new();

/// The log could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// `log.level` cannot be read; `check_filter` finds this earlier.
    #[error("log.level is no log filter: {0}")]
    Filter(String),
    /// Somebody set up a log in this process before.
    #[error("the log was set up before")]
    Taken(#[source] tracing_subscriber::util::TryInitError),
}

/// Says what is wrong with a filter. A bare word that is no level is refused: tracing would take it for the name of a
/// module, and a mistyped level would silence the log.
pub fn check_filter(text: &str) -> Result<(), String> {
    for directive in text.split(',').map(str::trim).filter(|directive| !directive.is_empty()) {
        let bare = directive.bytes().all(|byte| byte.is_ascii_alphabetic());
        if bare && !LEVELS.contains(&directive.to_ascii_lowercase().as_str()) {
            return Err(match crate::config::reader::resembling(directive, &LEVELS) {
                Some(near) => format!("`{directive}` is no level; did you mean \"{near}\"?"),
                None => format!("`{directive}` is no level; for a module write {directive}=debug"),
            });
        }
    }
    EnvFilter::builder().parse(text).map(drop).map_err(|error| error.to_string())
}

/// Sets up the log of this process, once.
pub fn start(config: &LogConfig) -> Result<(), LogError> {
    let styled = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    start_with(config, std::io::stderr, styled)
}

/// As [`start`], into a file: for the demo, whose terminal belongs to its story.
pub fn start_in(config: &LogConfig, file: std::fs::File) -> Result<(), LogError> {
    start_with(config, Mutex::new(file), false)
}

fn start_with<W>(config: &LogConfig, writer: W, styled: bool) -> Result<(), LogError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    use tracing_subscriber::util::SubscriberInitExt;
    let filter = filter(&config.level)?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(styled);
    if config.json {
        let builder = builder.json().flatten_event(true).with_filter_reloading();
        let handle = builder.reload_handle();
        builder.finish().try_init().map_err(LogError::Taken)?;
        keep_filter_setter(move |filter| handle.reload(filter).map_err(|error| error.to_string()));
    } else {
        let builder = builder.with_filter_reloading();
        let handle = builder.reload_handle();
        builder.finish().try_init().map_err(LogError::Taken)?;
        keep_filter_setter(move |filter| handle.reload(filter).map_err(|error| error.to_string()));
    }
    Ok(())
}

fn keep_filter_setter(set: impl Fn(EnvFilter) -> Result<(), String> + Send + Sync + 'static) {
    // The log was set up a moment ago, for the first time.
    let _ = SET_FILTER.set(Box::new(set));
}

/// Logs by another filter from now on. Nothing happens where no log was set up: somebody else has it.
pub fn set_level(level: &str) -> Result<(), LogError> {
    let filter = filter(level)?;
    SET_FILTER.get().map_or(Ok(()), |set| set(filter).map_err(LogError::Filter))
}

fn filter(level: &str) -> Result<EnvFilter, LogError> {
    check_filter(level).map_err(LogError::Filter)?;
    let builder = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into());
    builder.parse(level).map_err(|error| LogError::Filter(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::check_filter;

    #[test]
    fn levels_and_directives_pass_and_slips_do_not() {
        for text in ["info", "warn,qkdn_manager::net=debug", "INFO", "off", "qkdn_manager[report{id=5}]=trace"] {
            assert_eq!(check_filter(text), Ok(()), "{text}");
        }
        assert_eq!(check_filter("inof"), Err("`inof` is no level; did you mean \"info\"?".into()));
        for text in ["info,qkdn=loud", "wran", "=", "a=b=c"] {
            assert!(check_filter(text).is_err(), "{text}");
        }
    }
}
