//! Standard handler of reference point Mk: status reports of key managers, checked against the catalogue.
//!
//! What it checks is in `qkdn-plugin-standard`; this crate makes a plugin of it.

pub use qkdn_plugin_standard::{Mk, StandardHandler};

qkdn_plugin::register_handler!(StandardHandler<Mk>);
