//! The commands of `qkdnm`, one file each: arguments in, text and exit code out.

pub mod check;
pub mod run;

/// Whether messages may be coloured.
#[must_use]
pub fn stderr_is_terminal() -> bool {
    use std::io::IsTerminal as _;
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
//! The command line: arguments in, text for a person out. What is done is done by the library.

pub mod pki;
