//! An instance in a library, whatever its role: opened, closed once, with a log of its own, and what it said when it was
//! configured.

use std::{
    ffi::c_void,
    sync::{Mutex, PoisonError},
};

use qkdn_plugin_abi::{Host, Text};

use super::crossing::{Bounds, text};
use crate::{
    config::limits,
    plugin::{
        PluginFailure,
        setup::{PluginLog, Setup, shortened},
        wasm::wit::types::Problem,
    },
};

/// A function that a role's table has to have.
pub(super) fn required<T>(function: Option<T>) -> Result<T, PluginFailure> {
    function.ok_or_else(|| PluginFailure::Instantiate("its table lacks a function".to_owned()))
}

/// An open instance.
pub(super) struct Instance {
    at: *mut c_void,
    close: unsafe extern "C" fn(*mut c_void),
    host: HostSide,
}

// SAFETY: the header says that an instance is used by one thread at a time, not by which.
unsafe impl Send for Instance {}

impl Drop for Instance {
    fn drop(&mut self) {
        // SAFETY: opened by the same table, closed once.
        unsafe { (self.close)(self.at) }
    }
}

impl Instance {
    /// Opens one, with the two functions of a role's table.
    pub(super) fn open(
        open: Option<unsafe extern "C" fn(*const Host) -> *mut c_void>,
        close: Option<unsafe extern "C" fn(*mut c_void)>,
        setup: &Setup,
    ) -> Result<Self, PluginFailure> {
        let (open, close) = (required(open)?, required(close)?);
        let host = HostSide::new(setup);
        // SAFETY: `host` lives as long as the instance.
        let at = unsafe { open(host.host()) };
        if at.is_null() {
            return Err(PluginFailure::Instantiate("`open` gave no instance".to_owned()));
        }
        Ok(Self { at, close, host })
    }

    /// What the library's functions are called with; a call begins.
    pub(super) fn begin(&self) -> *mut c_void {
        self.host.begin();
        self.at
    }

    /// A call's result: what it logged as errors is why it failed.
    pub(super) fn check(&self, result: i32) -> Result<(), PluginFailure> {
        if result == 0 { Ok(()) } else { Err(self.host.failure(result)) }
    }
}

/// What `configure` said; `N` is what the role may need.
pub(super) struct Said<N> {
    bounds: Bounds,
    pub(super) needs: N,
    problems: Vec<Problem>,
}

impl<N> Said<N> {
    /// Nothing yet.
    pub(super) fn new(needs: N) -> Self {
        Self { bounds: Bounds::default(), needs, problems: Vec::new() }
    }

    /// What it needs, or what is wrong with the configuration.
    pub(super) fn done(self) -> Result<Result<N, Vec<Problem>>, PluginFailure> {
        self.bounds.check()?;
        Ok(if self.problems.is_empty() { Ok(self.needs) } else { Err(self.problems) })
    }
}

/// # Safety
/// `context` is the [`Said`] that came with the setup, and its call has not returned.
pub(super) unsafe fn said<'a, N>(context: *mut c_void) -> &'a mut Said<N> {
    // SAFETY: the caller's promise.
    unsafe { &mut *context.cast::<Said<N>>() }
}

/// A text said, to be put where `place` says.
///
/// # Safety
/// As for [`said`]; the text is readable.
pub(super) unsafe fn say<N>(context: *mut c_void, text: Text, place: impl FnOnce(&mut N, String)) {
    // SAFETY: the caller's promise.
    unsafe {
        let said = said::<N>(context);
        if said.bounds.part() {
            let text = said.bounds.text(text);
            place(&mut said.needs, text);
        }
    }
}

/// A problem of the configuration.
pub(super) unsafe extern "C" fn say_problem<N>(context: *mut c_void, path: Text, message: Text) {
    // SAFETY: called with the setup's own context, during `configure`; texts are readable.
    unsafe {
        let said = said::<N>(context);
        if said.problems.len() < limits::PLUGIN_CONFIGURATION_PROBLEMS {
            let problem = Problem { path: said.bounds.text(path), message: said.bounds.text(message) };
            said.problems.push(problem);
        }
    }
}

/// The manager's side of one instance: the log, at an address that stays.
struct HostSide {
    log: Box<Mutex<PluginLog>>,
    host: Box<Host>,
}

impl HostSide {
    /// For an instance of this plugin.
    pub(super) fn new(setup: &Setup) -> Self {
        let log = Box::new(Mutex::new(PluginLog::new(setup)));
        let context = std::ptr::from_ref(log.as_ref()).cast_mut().cast::<c_void>();
        let host = Box::new(Host { size: size_of::<Host>(), context, log: write_log });
        Self { log, host }
    }

    /// What the library gets.
    pub(super) fn host(&self) -> *const Host {
        self.host.as_ref()
    }

    /// A call begins.
    pub(super) fn begin(&self) {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).forget_errors();
    }

    /// The call failed with this result: what it logged as errors is why.
    pub(super) fn failure(&self, result: i32) -> PluginFailure {
        let lines = self.log.lock().unwrap_or_else(PoisonError::into_inner).take_errors();
        let text = format!("the call returned {result}\n{lines}");
        PluginFailure::Trap(shortened(text.trim_end().to_owned(), limits::PLUGIN_TRACE_BYTES))
    }
}

/// WIT `host.log`. May be called from any thread of the library's.
unsafe extern "C" fn write_log(context: *mut c_void, level: Text, message: Text) {
    // SAFETY: `HostSide::new` made the context; the instance lives, since only it may call this.
    let log = unsafe { &*context.cast::<Mutex<PluginLog>>() };
    // SAFETY: texts passed by a library are readable during the call.
    let (level, message) = unsafe { (text(level), text(message)) };
    let message = message.unwrap_or_else(|| "(a line that is not UTF-8)".to_owned());
    log.lock().unwrap_or_else(PoisonError::into_inner).line(&level.unwrap_or_default(), message);
}
