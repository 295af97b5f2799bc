//! SDK.
#[doc(hidden)]
#[expect(unsafe_code, missing_docs, clippy::all, clippy::pedantic, reason = "generated")]
pub mod bindings;
