//! What stands between the generated bindings and a plugin's type: one instance per component, made by `configure`.
//!
//! The `register` macros call into this module, so that they stay short. Calls in an order that the contract excludes
//! (`bind` before `configure`) panic, which the manager treats as a trap.

use std::cell::RefCell;

use crate::collector::{Collector, Step, Turn};
use crate::exchange::{Exchange, Passage, Passed, Passing};
use crate::handler::{self, Handled, Handler, Reports};
use crate::policy::{self, Observations, Outcome, Policy, Seen, Symbols};
use crate::{Problem, Symbol, config, log};

/// Where a registered plugin's instance lives.
pub struct Slot<P>(RefCell<Option<P>>);

impl<P> Slot<P> {
    /// An empty slot.
    #[must_use]
    pub const fn new() -> Self {
        Self(RefCell::new(None))
    }

    #[expect(clippy::expect_used, reason = "the manager calls configure first; anything else is a broken host: trap")]
    fn with<T>(&self, call: impl FnOnce(&mut P) -> T) -> T {
        call(self.0.borrow_mut().as_mut().expect("`configure` is called first, and only once it succeeded"))
    }
}

impl<P> Default for Slot<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<H: Handler> Slot<H> {
    /// WIT `handler.configure`.
    pub fn configure_handler(&self, reference_point: &str, text: &str) -> Result<handler::Needs, Vec<Problem>> {
        log::install_panic_hook();
        let made = H::configure(reference_point, config::parse(text)?)?;
        let needs = made.needs();
        self.0.replace(Some(made));
        Ok(needs)
    }

    /// WIT `handler.bind`.
    pub fn bind_handler(&self, names: &[u32]) {
        let names: Vec<Symbol> = names.iter().copied().map(Symbol).collect();
        self.with(|handler| handler.bind(&names));
    }

    /// WIT `handler.handle`.
    pub fn handle(&self, reports: &Reports) -> Handled {
        self.with(|handler| handler.handle(reports))
    }
}

impl<P: Policy> Slot<P> {
    /// WIT `policy.configure`.
    pub fn configure_policy(&self, text: &str) -> Result<policy::Needs, Vec<Problem>> {
        log::install_panic_hook();
        let made = P::configure(config::parse(text)?)?;
        let needs = made.needs();
        self.0.replace(Some(made));
        Ok(needs)
    }

    /// WIT `policy.bind`.
    pub fn bind_policy(&self, symbols: &Symbols) {
        self.with(|policy| policy.bind(symbols));
    }

    /// WIT `policy.evaluate`.
    pub fn evaluate(&self, seen: Observations) -> Outcome {
        let mut seen = Seen::new(seen);
        self.with(|policy| policy.evaluate(&mut seen));
        seen.finish()
    }

    /// WIT `policy.on-time`.
    pub fn on_time(&self, due: Observations) -> Outcome {
        let mut seen = Seen::new(due);
        self.with(|policy| policy.on_time(&mut seen));
        seen.finish()
    }
}

impl<P: Exchange> Slot<P> {
    /// WIT `exchange.configure`.
    pub fn configure_exchange(&self, text: &str) -> Result<(), Vec<Problem>> {
        log::install_panic_hook();
        self.0.replace(Some(P::configure(config::parse(text)?)?));
        Ok(())
    }

    /// WIT `exchange.pass`.
    pub fn pass(&self, these: Passage) -> Passed {
        let mut passing = Passing::new(these);
        self.with(|policy| policy.pass(&mut passing));
        passing.finish()
    }
}

impl<P: Collector> Slot<P> {
    /// WIT `collector.configure`.
    pub fn configure_collector(&self, components: &[String], text: &str) -> Result<(), Vec<Problem>> {
        log::install_panic_hook();
        self.0.replace(Some(P::configure(components, config::parse(text)?)?));
        Ok(())
    }

    /// WIT `collector.collect`.
    pub fn collect(&self, turn: &Turn) -> Step {
        self.with(|collector| collector.collect(turn))
    }
}

/// Makes a [`Handler`](crate::Handler) the plugin that this crate builds. One line in `lib.rs`; a crate registers one
/// plugin. Built for anything but WebAssembly the line only checks that the type fits, so that tests run natively.
#[macro_export]
macro_rules! register_handler {
    ($handler:ty) => {
        const _: fn() -> $crate::Description = <$handler as $crate::Handler>::describe;
        #[cfg(target_family = "wasm")]
        #[allow(unsafe_code, reason = "the exports that wit-bindgen generates")]
        const _: () = {
            use world::exports::qkdn::manager::handler as wit;
            use $crate::bindings::interface_handler as world;

            ::std::thread_local! {
                static PLUGIN: $crate::export::Slot<$handler> = const { $crate::export::Slot::new() };
            }

            struct Exported;

            impl wit::Guest for Exported {
                fn describe() -> $crate::Description {
                    <$handler as $crate::Handler>::describe()
                }
                fn configure(
                    reference_point: ::std::string::String,
                    config: ::std::string::String,
                ) -> ::std::result::Result<wit::Needs, ::std::vec::Vec<$crate::Problem>> {
                    PLUGIN.with(|plugin| plugin.configure_handler(&reference_point, &config))
                }
                fn bind(names: ::std::vec::Vec<u32>) {
                    PLUGIN.with(|plugin| plugin.bind_handler(&names));
                }
                fn handle(batch: wit::Reports) -> wit::Handled {
                    PLUGIN.with(|plugin| plugin.handle(&batch))
                }
            }

    world::export!(Exported with_types_in world);
        };
    };
}

/// Makes a [`Policy`](crate::Policy) the plugin that this crate builds. One line in `lib.rs`; a crate registers one
/// plugin. Built for anything but WebAssembly the line only checks that the type fits, so that tests run natively.
#[macro_export]
macro_rules! register_policy {
    ($policy:ty) => {
        const _: fn() -> $crate::Description = <$policy as $crate::Policy>::describe;
        #[cfg(target_family = "wasm")]
        #[allow(unsafe_code, reason = "the exports that wit-bindgen generates")]
        const _: () = {
            use world::exports::qkdn::manager::policy as wit;
            use $crate::bindings::fcaps_policy as world;

            ::std::thread_local! {
                static PLUGIN: $crate::export::Slot<$policy> = const { $crate::export::Slot::new() };
            }

            struct Exported;

            impl wit::Guest for Exported {
                fn describe() -> $crate::Description {
                    <$policy as $crate::Policy>::describe()
                }
                fn configure(
                    config: ::std::string::String,
                ) -> ::std::result::Result<wit::Needs, ::std::vec::Vec<$crate::Problem>> {
                    PLUGIN.with(|plugin| plugin.configure_policy(&config))
                }
                fn bind(symbols: wit::Symbols) {
                    PLUGIN.with(|plugin| plugin.bind_policy(&symbols));
                }
                fn evaluate(seen: wit::Observations) -> wit::Outcome {
                    PLUGIN.with(|plugin| plugin.evaluate(seen))
                }
                fn on_time(due: wit::Observations) -> wit::Outcome {
                    PLUGIN.with(|plugin| plugin.on_time(due))
                }
            }

    world::export!(Exported with_types_in world);
        };
    };
}

/// Makes an [`Exchange`](crate::Exchange) the plugin that this crate builds. One line in `lib.rs`; a crate registers one
/// plugin. Built for anything but WebAssembly the line only checks that the type fits, so that tests run natively.
#[macro_export]
macro_rules! register_exchange {
    ($policy:ty) => {
        const _: fn() -> $crate::Description = <$policy as $crate::Exchange>::describe;
        #[cfg(target_family = "wasm")]
        #[allow(unsafe_code, reason = "the exports that wit-bindgen generates")]
        const _: () = {
            use world::exports::qkdn::manager::exchange as wit;
            use $crate::bindings::exchange_policy as world;

            ::std::thread_local! {
                static PLUGIN: $crate::export::Slot<$policy> = const { $crate::export::Slot::new() };
            }

            struct Exported;

            impl wit::Guest for Exported {
                fn describe() -> $crate::Description {
                    <$policy as $crate::Exchange>::describe()
                }
                fn configure(
                    config: ::std::string::String,
                ) -> ::std::result::Result<(), ::std::vec::Vec<$crate::Problem>> {
                    PLUGIN.with(|plugin| plugin.configure_exchange(&config))
                }
                fn pass(these: wit::Passage) -> wit::Passed {
                    PLUGIN.with(|plugin| plugin.pass(these))
                }
            }

    world::export!(Exported with_types_in world);
        };
    };
}

/// Makes a [`Collector`](crate::Collector) the plugin that this crate builds. One line in `lib.rs`; a crate registers one
/// plugin. Built for anything but WebAssembly the line only checks that the type fits, so that tests run natively.
#[macro_export]
macro_rules! register_collector {
    ($collector:ty) => {
        const _: fn() -> $crate::Description = <$collector as $crate::Collector>::describe;
        #[cfg(target_family = "wasm")]
        #[allow(unsafe_code, reason = "the exports that wit-bindgen generates")]
        const _: () = {
            use world::exports::qkdn::manager0_2_0::collector as wit;
            use $crate::bindings::collector as world;

            ::std::thread_local! {
                static PLUGIN: $crate::export::Slot<$collector> = const { $crate::export::Slot::new() };
            }

            struct Exported;

            impl wit::Guest for Exported {
                fn describe() -> $crate::Description {
                    <$collector as $crate::Collector>::describe()
                }
                fn configure(
                    components: ::std::vec::Vec<::std::string::String>,
                    config: ::std::string::String,
                ) -> ::std::result::Result<(), ::std::vec::Vec<$crate::Problem>> {
                    PLUGIN.with(|plugin| plugin.configure_collector(&components, &config))
                }
                fn collect(turn: wit::Turn) -> wit::Step {
                    PLUGIN.with(|plugin| plugin.collect(&turn))
                }
            }

    world::export!(Exported with_types_in world);
        };
    };
}
