//! A configuration that changes while the manager runs: by signal, by API, as the files change; under load, whole or not
//! at all, and through `kill -9`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::too_many_lines,
    reason = "a test fails by panicking, and may be long"
)]

mod chains;
mod doors;
mod load;
mod plugins;
mod refused;
mod rules;
mod signatures;
mod under_load;

use std::{cell::OnceCell, path::PathBuf};

use harness::{ManagerProcess, Settings, guests};
use serde_json::Value;

/// Has the manager take over what its settings say now, which must go well; what the manager says of it.
fn applied(manager: &ManagerProcess) -> Value {
    let answer = manager.reload_settings();
    assert_eq!(answer.status, 200, "{}", answer.text);
    let view = answer.json();
    assert_eq!(view["result"], "applied", "{view}");
    view
}

/// Starts a manager that reloads only when it is told to, so that it does not do so by itself in between.
fn start(mut settings: Settings) -> ManagerProcess {
    settings.manager.push_str("reload_on_change = false\n");
    ManagerProcess::start(settings)
}

/// Starts a manager with a handler of its own in `guest.wasm`, in the folder that comes with it.
fn start_with_guest() -> (ManagerProcess, PathBuf) {
    let place = OnceCell::new();
    let manager = ManagerProcess::start_with(|_, folder| {
        let folder = place.get_or_init(|| folder.to_path_buf());
        std::fs::copy(guests::wasm("guest-handler"), folder.join("guest.wasm")).unwrap();
        let mut settings = Settings::one("mk", &["km-1"]).with(
            "[[handlers]]\nname = \"guest\"\nreference_point = \"mk\"\nplugin = \"guest.wasm\"\nconfig = { names = \
             [\"qber_ratio\"] }\n",
        );
        settings.manager = "reload_on_change = false\n".to_owned();
        settings
    });
    (manager, place.into_inner().unwrap())
}

/// A policy that raises `key-store-low` below a fill level.
fn policy(raise_below: f64) -> String {
    format!(
        "[[policies]]\nname = \"low\"\nfunction = \"performance\"\nplugin = \"builtin:threshold\"\nconfig = {{ value = \
         \"key_store_fill_ratio\", raise_below = {raise_below}, clear_above = {}, severity = \"major\", alarm_type = \
         \"key-store-low\" }}\n",
        raise_below + 0.05
    )
}

/// An address that nobody listens on.
fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}
