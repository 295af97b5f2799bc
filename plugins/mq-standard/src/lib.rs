//! Standard handler of reference point Mq: status reports of QKD modules, checked against the catalogue.
//!
//! What it checks is in `qkdn-plugin-standard`; this crate makes a plugin of it.

pub use qkdn_plugin_standard::{Mq, StandardHandler};

qkdn_plugin::register_handler!(StandardHandler<Mq>);
