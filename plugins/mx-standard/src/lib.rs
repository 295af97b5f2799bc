//! Standard handler of reference point Mx: status reports of peer QKDN managers, checked against the catalogue.
//!
//! What it checks is in `qkdn-plugin-standard`; this crate makes a plugin of it.

pub use qkdn_plugin_standard::{Mx, StandardHandler};

qkdn_plugin::register_handler!(StandardHandler<Mx>);
