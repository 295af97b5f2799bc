//! The command line: arguments in, text for a person out. What is done is done by the library.

pub mod pki;
