//! Standard handler of reference point Mops: status reports of optical switches and splitters, checked against the catalogue.
//!
//! What it checks is in `qkdn-plugin-standard`; this crate makes a plugin of it.

pub use qkdn_plugin_standard::{Mops, StandardHandler};

qkdn_plugin::register_handler!(StandardHandler<Mops>);
