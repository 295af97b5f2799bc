//! Standard handler of reference point Mqrp: status reports of quantum relay points, checked against the catalogue.
//!
//! What it checks is in `qkdn-plugin-standard`; this crate makes a plugin of it.

pub use qkdn_plugin_standard::{Mqrp, StandardHandler};

qkdn_plugin::register_handler!(StandardHandler<Mqrp>);
