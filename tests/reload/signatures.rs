//! Plugins that have to be signed: what is not is not loaded, what is changed afterwards is not taken over, and people see who signed.

use std::{fs, path::Path};

use harness::{ManagerProcess, binary};
use serde_json::{Value, json};

use crate::{applied, start_with_guest};

fn qkdnm(arguments: &[&str]) -> (bool, String) {
    let output = std::process::Command::new(binary::qkdnm()).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout) + &text(&output.stderr))
}

fn shown(manager: &ManagerProcess) -> Value {
    let plugins = manager.api().list("/api/v1/plugins");
    plugins.into_iter().find(|one| one["usedBy"] == json!(["guest"])).unwrap()
}

fn key(folder: &Path, name: &str) -> String {
    let path = folder.join(name).display().to_string();
    let (made, said) = qkdnm(&["pki", "signing-key", &path]);
    assert!(made, "{said}");
    path
}

#[test]
fn only_signed_plugins_are_loaded_once_that_is_required() {
    let (mut manager, folder) = start_with_guest();
    manager.expect_errors();
    let folder = folder.as_path();
    assert_eq!((&shown(&manager)["signature"], &shown(&manager)["signedBy"]), (&json!("not signed"), &Value::Null));
    let wasm = folder.join("guest.wasm");
    let file = wasm.display().to_string();
    let (acme, other) = (key(folder, "acme.key"), key(folder, "other.key"));
    let refused = |manager: &ManagerProcess, wanted: &str| {
        let answer = manager.reload_settings();
        assert_eq!(answer.status, 422, "{}", answer.text);
        let message = answer.json()["problems"][0]["message"].as_str().unwrap().to_owned();
        assert!(message.contains("guest.wasm is not approved") && message.contains(wanted), "{message}");
    };

    manager.settings_mut().plugins = "require_signature = true\ntrusted_keys = [\"acme.pub\"]\n".to_owned();
    refused(&manager, "not signed");
    assert_eq!(shown(&manager)["signature"], "not signed", "what runs goes on");
    assert!(qkdnm(&["plugin", "sign", &file, "--key", &other]).0);
    refused(&manager, "plugins.trusted_keys does not have");
    let (signed, said) = qkdnm(&["plugin", "sign", &file, "--key", &acme]);
    assert!(signed && said.contains("acme.pub"), "{said}");
    applied(&manager);
    let of_acme = shown(&manager);
    assert!(said.contains(of_acme["signedBy"].as_str().unwrap()), "{of_acme}");

    // Somebody puts other bytes in its place.
    let bytes = fs::read(&wasm).unwrap();
    fs::write(&wasm, [bytes.as_slice(), &[0, 5, 4, b'n', b'o', b't', b'e']].concat()).unwrap();
    refused(&manager, "is for another file");
    let verify = |key: &str| qkdnm(&["plugin", "verify", &file, "--key", key]);
    let public = folder.join("acme.pub").display().to_string();
    let (good, said) = verify(&public);
    assert!(!good && said.contains("is for another file"), "{said}");
    fs::write(&wasm, &bytes).unwrap();
    assert!(verify(&public).0);
    assert_eq!(manager.reload_settings().json()["result"], "unchanged");

    // The vendor's key is exchanged in its file: what the old one signed counts no more.
    fs::copy(folder.join("other.pub"), &public).unwrap();
    refused(&manager, "plugins.trusted_keys does not have");
    manager.stop();
}
