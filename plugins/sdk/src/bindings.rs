//! What wit-bindgen generates from `wit/v0.1` and `wit/v0.2`: one module a world, with the types of `types` and `host` shared.
//!
//! The records are re-exported where plugin authors meet them (`handler`, `policy`); the rest is used by the `register`
//! macros only.

/// World `interface-handler`.
pub mod interface_handler {
    wit_bindgen::generate!({
        path: "../../wit/v0.1",
        world: "interface-handler",
        pub_export_macro: true,
        additional_derives: [PartialEq, Default],
    });
}

/// World `fcaps-policy`.
pub mod fcaps_policy {
    wit_bindgen::generate!({
        path: "../../wit/v0.1",
        world: "fcaps-policy",
        pub_export_macro: true,
        additional_derives: [PartialEq, Default],
        with: {
            "qkdn:manager/types@0.1.0": super::interface_handler::qkdn::manager::types,
            "qkdn:manager/host@0.1.0": super::interface_handler::qkdn::manager::host,
        },
    });
}

/// World `exchange-policy`.
pub mod exchange_policy {
    wit_bindgen::generate!({
        path: "../../wit/v0.1",
        world: "exchange-policy",
        pub_export_macro: true,
        additional_derives: [PartialEq, Default],
        with: {
            "qkdn:manager/types@0.1.0": super::interface_handler::qkdn::manager::types,
            "qkdn:manager/host@0.1.0": super::interface_handler::qkdn::manager::host,
        },
    });
}

/// World `device-collector` of `wit/v0.2`.
pub mod collector {
    wit_bindgen::generate!({
        path: ["../../wit/v0.1", "../../wit/v0.2"],
        world: "qkdn:manager/device-collector@0.2.0",
        pub_export_macro: true,
        additional_derives: [PartialEq, Default],
        with: {
            "qkdn:manager/types@0.1.0": super::interface_handler::qkdn::manager::types,
            "qkdn:manager/host@0.1.0": super::interface_handler::qkdn::manager::host,
        },
    });
}
