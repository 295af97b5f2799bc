//! What of a configuration is nobody's business: digests of tokens, queries of URLs (some services want a token there),
//! and whatever a plugin's own configuration calls a secret.
//!
//! Keys and certificates stand in files of their own, secrets of exporters too; their paths are no secrets.

use serde_json::Value;

/// What stands in the place of a secret.
pub const HIDDEN: &str = "(hidden)";

/// Parts of names in a plugin's configuration that say that the value is a secret.
const SECRET_NAMES: [&str; 8] =
    ["secret", "password", "passwd", "passphrase", "token", "credential", "api_key", "private_key"];

/// A configuration, as written or as used, without its secrets.
#[must_use]
pub fn hidden(mut values: Value) -> Value {
    for token in tables(values.pointer_mut("/api/tokens")) {
        hide(token.get_mut("sha256"));
    }
    for exporter in tables(values.pointer_mut("/exporters")) {
        // Refused where it stands, and shown to nobody all the same.
        hide(exporter.get_mut("secret"));
        if let Some(Value::String(url)) = exporter.get_mut("url")
            && let Some((before, _)) = url.split_once('?')
        {
            *url = format!("{before}?{HIDDEN}");
        }
    }
    for list in ["/handlers", "/policies", "/collectors"] {
        for entry in tables(values.pointer_mut(list)) {
            if let Some(config) = entry.get_mut("config") {
                hide_named(config);
            }
        }
    }
    values
}

fn tables(list: Option<&mut Value>) -> impl Iterator<Item = &mut Value> {
    list.and_then(Value::as_array_mut).into_iter().flatten()
}

fn hide(value: Option<&mut Value>) {
    if let Some(value) = value {
        *value = HIDDEN.into();
    }
}

fn hide_named(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let key = key.to_lowercase().replace('-', "_");
                if SECRET_NAMES.iter().any(|name| key.contains(name)) && !key.ends_with("_file") {
                    hide(Some(value));
                } else {
                    hide_named(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(hide_named),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_are_hidden_and_nothing_else() {
        let written = json!({
            "api": { "listen": "127.0.0.1:1", "tokens": [{ "name": "ops", "sha256": "ab", "role": "admin" }] },
            "exporters": [{ "url": "https://noc/x?key=1", "secret": "s", "secret_file": "secrets/noc" }],
            "policies": [{ "name": "p", "config": { "api-key": 1, "levels": [{ "bearerToken": ["x"], "a": 2 }] } }],
        });
        let shown = json!({
            "api": { "listen": "127.0.0.1:1", "tokens": [{ "name": "ops", "sha256": HIDDEN, "role": "admin" }] },
            "exporters": [{ "url": "https://noc/x?(hidden)", "secret": HIDDEN, "secret_file": "secrets/noc" }],
            "policies": [{ "name": "p", "config": { "api-key": HIDDEN, "levels": [{ "bearerToken": HIDDEN, "a": 2 }] } }],
        });
        assert_eq!(hidden(written), shown);
    }
}
