//! Native plugins in Rust: the same [`Handler`] or [`Policy`] as a shared library, for what
//! has to run within the manager, such as code that needs a vendor's own library. With feature `native`, in a crate of type
//! `cdylib`, one line: [`register_native_handler!`](crate::register_native_handler) or
//! [`register_native_policy!`](crate::register_native_policy).
//!
//! The manager loads it only where it is told to trust it. Prefer WebAssembly: a native plugin has no limits, and a crash
//! of it is a crash of the manager. A panic is no crash: it fails the call, and its text is logged.
//!
//! The contract is `wit/v0.1/qkdn_plugin.h`; `unsafe` here is what that boundary needs.

#![allow(unsafe_code, reason = "a C ABI: tables of functions, and structures that the manager passes")]

mod crossing;
mod handler;
mod policy;

use std::sync::OnceLock;

use crate::{Description, Handler, Policy};

#[doc(hidden)]
pub use qkdn_plugin_abi as abi;

pub(crate) use crossing::log_line;

/// What a native plugin is, leaked: it lives for ever.
struct Leaked(*const abi::Plugin);

// SAFETY: never written after it was made.
unsafe impl Send for Leaked {}
// SAFETY: as above.
unsafe impl Sync for Leaked {}

static PLUGIN: OnceLock<Leaked> = OnceLock::new();

/// The entry of a library that is a handler.
#[doc(hidden)]
#[must_use]
pub fn handler_entry<H: Handler>(abi_version: u32) -> *const abi::Plugin {
    entry(abi_version, || {
        let table: &'static abi::Handler = Box::leak(Box::new(handler::table::<H>()));
        plugin(H::describe(), table, std::ptr::null())
    })
}

/// The entry of a library that is a policy.
#[doc(hidden)]
#[must_use]
pub fn policy_entry<P: Policy>(abi_version: u32) -> *const abi::Plugin {
    entry(abi_version, || {
        let table: &'static abi::Policy = Box::leak(Box::new(policy::table::<P>()));
        plugin(P::describe(), std::ptr::null(), table)
    })
}

fn entry(abi_version: u32, make: impl FnOnce() -> abi::Plugin + std::panic::UnwindSafe) -> *const abi::Plugin {
    if abi_version < abi::ABI_VERSION {
        return std::ptr::null();
    }
    match std::panic::catch_unwind(|| PLUGIN.get_or_init(|| Leaked(Box::leak(Box::new(make())))).0) {
        Ok(plugin) => plugin,
        Err(_) => std::ptr::null(),
    }
}

fn plugin(description: Description, handler: *const abi::Handler, policy: *const abi::Policy) -> abi::Plugin {
    let text = |text: String| abi::Text::of(Box::leak(text.into_boxed_str()));
    abi::Plugin {
        size: size_of::<abi::Plugin>(),
        abi_version: abi::ABI_VERSION,
        name: text(description.name),
        version: text(description.version),
        summary: text(description.summary),
        config_schema: text(description.config_schema),
        handler,
        policy,
    }
}

/// Makes a [`Handler`](crate::Handler) the native plugin that this `cdylib` is. One line in `lib.rs`; a library registers
/// one plugin.
#[macro_export]
macro_rules! register_native_handler {
    ($handler:ty) => {
        /// The entry of a native plugin (`wit/v0.1/qkdn_plugin.h`).
        #[allow(unsafe_code, reason = "the one symbol that the manager looks for")]
        #[unsafe(no_mangle)]
        pub extern "C" fn qkdn_plugin_entry(abi_version: u32) -> *const $crate::native::abi::Plugin {
            $crate::native::handler_entry::<$handler>(abi_version)
        }
    };
}

/// Makes a [`Policy`](crate::Policy) the native plugin that this `cdylib` is. One line in `lib.rs`; a library registers one
/// plugin.
#[macro_export]
macro_rules! register_native_policy {
    ($policy:ty) => {
        /// The entry of a native plugin (`wit/v0.1/qkdn_plugin.h`).
        #[allow(unsafe_code, reason = "the one symbol that the manager looks for")]
        #[unsafe(no_mangle)]
        pub extern "C" fn qkdn_plugin_entry(abi_version: u32) -> *const $crate::native::abi::Plugin {
            $crate::native::policy_entry::<$policy>(abi_version)
        }
    };
}
