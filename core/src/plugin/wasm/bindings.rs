//! The contract, `wit/v0.1` and `wit/v0.2`, as Rust: generated from the WIT files when the manager is built.
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

/// World `device-collector` of version 0.2.
pub(super) mod collector {
    wasmtime::component::bindgen!({
        path: ["../wit/v0.1", "../wit/v0.2"],
        world: "qkdn:manager/device-collector@0.2.0",
        ownership: Borrowing { duplicate_if_necessary: true },
        with: {
            "qkdn:manager/types@0.1.0": super::handler::qkdn::manager::types,
            "qkdn:manager/host@0.1.0": super::handler::qkdn::manager::host,
        },
    });
}
