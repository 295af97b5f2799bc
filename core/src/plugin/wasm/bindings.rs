//! The contract `wit/v0.1` as Rust: generated from the WIT files when the manager is built.
//!
//! What goes in is borrowed, so a call copies each array once, into the guest.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::too_many_lines,
    reason = "generated code"
)]

/// World `interface-handler`.
pub(super) mod handler {
    wasmtime::component::bindgen!({
        path: "../wit/v0.1",
        world: "interface-handler",
        ownership: Borrowing { duplicate_if_necessary: true },
    });
}

/// World `fcaps-policy`.
pub(super) mod policy {
    wasmtime::component::bindgen!({
        path: "../wit/v0.1",
        world: "fcaps-policy",
        ownership: Borrowing { duplicate_if_necessary: true },
        with: {
            "qkdn:manager/types": super::handler::qkdn::manager::types,
            "qkdn:manager/host": super::handler::qkdn::manager::host,
        },
    });
}

/// World `exchange-policy`.
pub(super) mod exchange {
    wasmtime::component::bindgen!({
        path: "../wit/v0.1",
        world: "exchange-policy",
        ownership: Borrowing { duplicate_if_necessary: true },
        with: {
            "qkdn:manager/types": super::handler::qkdn::manager::types,
            "qkdn:manager/host": super::handler::qkdn::manager::host,
        },
    });
}
