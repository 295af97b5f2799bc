//! A plugin's log: the one thing that a plugin may call (WIT `host`), and the hook that sends a panic's text there.
//!
//! In a native test the lines go to the thread's own list, which [`crate::testing`] reads.

use std::sync::Once;

/// A line for the plugin's log: `level` is `error`, `warn`, `info` or `debug`. Lines above the configured rate are
/// dropped by the manager and counted.
pub fn log(level: &str, message: &str) {
    #[cfg(target_family = "wasm")]
    crate::bindings::interface_handler::qkdn::manager::host::log(level, message);
    #[cfg(all(feature = "native", not(target_family = "wasm")))]
    if crate::native::log_line(level, message) {
        return;
    }
    #[cfg(not(target_family = "wasm"))]
    crate::testing::log_line(level, message);
}

/// An error: something the plugin could not do.
pub fn error(message: &str) {
    log("error", message);
}

/// A warning.
pub fn warn(message: &str) {
    log("warn", message);
}

/// A fact for an operator.
pub fn info(message: &str) {
    log("info", message);
}

/// A detail for the plugin's author.
pub fn debug(message: &str) {
    log("debug", message);
}

/// Makes a panic tell its text and place before it traps. Without it the manager sees only a trap.
#[doc(hidden)]
pub fn install_panic_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|info| error(&info.to_string())));
    });
}
