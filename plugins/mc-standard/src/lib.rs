//! Standard handler of reference point Mc: status reports of QKDN controllers, checked against the catalogue.
//!
//! What it checks is in `qkdn-plugin-standard`; this crate makes a plugin of it.

pub use qkdn_plugin_standard::{Mc, StandardHandler};

qkdn_plugin::register_handler!(StandardHandler<Mc>);
