//! Standard handler of reference point Mu: status reports of user network managers, checked against the catalogue.
//!
//! What it checks is in `qkdn-plugin-standard`; this crate makes a plugin of it.

pub use qkdn_plugin_standard::{Mu, StandardHandler};

qkdn_plugin::register_handler!(StandardHandler<Mu>);
