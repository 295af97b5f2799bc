//! The commands of `qkdnm`, one file each: arguments in, text and exit code out.

pub mod check;
pub mod demo;
