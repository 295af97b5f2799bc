//! Native plugins: shared libraries with the C ABI of `wit/v0.1/qkdn_plugin.h`, in the same two roles as components.
//!
//! They are trusted: no limit of time or memory holds them, and a crash of theirs is the manager's. So they are loaded only
//! where the configuration says `plugins.allow_native = true`; what is loaded is a copy of the very bytes whose digest was
//! compared with the pinned one; and it stays loaded until the process ends, since nothing can know whether a library left
//! threads or callbacks behind. Answers are bounded and checked as those of components are.
//!
//! `unsafe` has its place here: calls through the library's tables, and reads of what it passes.

#![allow(unsafe_code, reason = "calls into shared libraries through a C ABI")]

mod copies;
mod crossing;
mod handler;
mod instance;
mod library;
mod policy;

use self::library::Library;
use super::{artifact::Artifact, handler::StartHandler, policy::StartPolicy};
use crate::config::PluginsConfig;

/// Makes instances of a handler. The error is the rest of a sentence about the plugin.
pub(super) fn handler(artifact: Artifact, config: &PluginsConfig) -> Result<StartHandler, String> {
    let library = Library::open(artifact, config)?;
    let table = library.handler()?;
    Ok(Box::new(move |setup| handler::start(&library, table, setup)))
}

/// Makes instances of a policy. The error is the rest of a sentence about the plugin.
pub(super) fn policy(artifact: Artifact, config: &PluginsConfig) -> Result<StartPolicy, String> {
    let library = Library::open(artifact, config)?;
    let table = library.policy()?;
    Ok(Box::new(move |setup| policy::start(&library, table, setup)))
}
