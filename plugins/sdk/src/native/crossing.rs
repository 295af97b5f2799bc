//! What crosses the boundary in both roles: texts and lists that the manager passes, the log, and panics that stop here.

use std::{
    any::Any,
    cell::Cell,
    ffi::c_void,
    panic::{AssertUnwindSafe, catch_unwind},
};

use qkdn_plugin_abi::{Host, Text};

thread_local! {
    /// Where lines of the log go while a call is under way on this thread.
    static HOST: Cell<*const Host> = const { Cell::new(std::ptr::null()) };
}

/// A plugin between `open` and `close`.
pub(super) struct Instance<P> {
    host: *const Host,
    /// Made by `configure`.
    pub(super) plugin: Option<P>,
}

/// WIT: an instance without configuration.
pub(super) unsafe extern "C" fn open<P>(host: *const Host) -> *mut c_void {
    Box::into_raw(Box::new(Instance::<P> { host, plugin: None })).cast()
}

/// The end of an instance.
pub(super) unsafe extern "C" fn close<P>(instance: *mut c_void) {
    // SAFETY: `open` made it, and the manager closes it once.
    drop(unsafe { Box::from_raw(instance.cast::<Instance<P>>()) });
}

/// Runs a call with the log in place. A panic ends here: it is logged, and `None` comes back.
///
/// # Safety
/// `instance` comes from [`open`] with the same `P` and is not closed; nobody else uses it during the call.
pub(super) unsafe fn run<P, T>(instance: *mut c_void, call: impl FnOnce(&mut Instance<P>) -> T) -> Option<T> {
    // SAFETY: the caller's promise.
    let instance = unsafe { &mut *instance.cast::<Instance<P>>() };
    let before = HOST.replace(instance.host);
    let result = catch_unwind(AssertUnwindSafe(|| call(instance)));
    if let Err(panic) = &result {
        log_line("error", &format!("the plugin panicked: {}", panic_text(panic.as_ref())));
    }
    HOST.set(before);
    result.ok()
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("(no text)")
}

/// A line for the manager's log; false if no call of the manager's is under way on this thread.
pub(crate) fn log_line(level: &str, message: &str) -> bool {
    let host = HOST.get();
    if host.is_null() {
        return false;
    }
    // SAFETY: set during a call of an instance only, and the host lives as long as that; texts live during the call.
    unsafe { ((*host).log)((*host).context, Text::of(level), Text::of(message)) }
    true
}

/// A text of the manager's.
///
/// # Safety
/// Readable for its length.
pub(super) unsafe fn text(text: Text) -> String {
    // SAFETY: the caller's promise.
    String::from_utf8_lossy(unsafe { list(text.data, text.length) }).into_owned()
}

/// A list of the manager's.
///
/// # Safety
/// `at` points to `count` values, or `count` is 0.
pub(super) unsafe fn list<'a, T>(at: *const T, count: usize) -> &'a [T] {
    if count == 0 || at.is_null() {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts(at, count) }
}
