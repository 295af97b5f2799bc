//! SDK for plugins of the QKDN manager: interface handlers, FCAPS policies, exchange policies and collectors as WebAssembly
//! components.
//!
//! A plugin is a type that implements [`Handler`], [`Policy`], [`Exchange`] or [`Collector`] and one line, [`register_handler!`],
//! [`register_policy!`], [`register_exchange!`] or [`register_collector!`]. It is a function of its arguments: no clock, files, network or randomness are there to be used,
//! and the only thing it can call is its log ([`log`]). It is tested natively with [`testing`], which plays the manager.
//!
//! The contract is `wit/v0.1`, with `wit/v0.2` for collectors, and the catalogue of names beside it ([`catalogue`]); this crate shares no code with the
//! manager.

pub mod catalogue;
pub mod collector;
pub mod config;
pub mod exchange;
pub mod handler;
pub mod log;
#[cfg(all(feature = "native", not(target_family = "wasm")))]
pub mod native;
pub mod policy;
#[cfg(not(target_family = "wasm"))]
pub mod testing;

#[doc(hidden)]
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic, reason = "generated code")]
pub mod bindings;
mod description;
#[doc(hidden)]
pub mod export;
mod symbol;

pub use collector::Collector;
pub use config::{Problem, Problems, Span};
pub use description::Description;
pub use exchange::Exchange;
pub use handler::Handler;
pub use policy::Policy;
pub use symbol::Symbol;

/// The walk-through of `plugins/README.md` has to compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct WalkThrough;
