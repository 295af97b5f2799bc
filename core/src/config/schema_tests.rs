//! The schema for editors: what the reader takes passes, what it knows nothing of does not.

use std::{fs, path::Path};

use jsonschema::Draft;
use serde_json::{Value, json};

use super::{
    load::PluginKind,
    schema::{PluginSchema, schema},
};

/// The shipped policies; handlers take nothing.
fn plugins() -> Vec<PluginSchema> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins");
    let mut plugins = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let folder = entry.unwrap().path();
        if let Ok(text) = fs::read_to_string(folder.join("schema.json")) {
            plugins.push(PluginSchema {
                kind: PluginKind::Policy,
                plugin: format!("builtin:{}", folder.file_name().unwrap().to_string_lossy()),
                summary: String::new(),
                schema: serde_json::from_str(&text).unwrap(),
            });
        }
    }
    assert!(plugins.len() >= 6);
    plugins
}

fn validator(part: bool) -> jsonschema::Validator {
    jsonschema::options().with_draft(Draft::Draft7).build(&schema(&plugins(), part)).unwrap()
}

/// TOML as an editor hands it to a validator.
fn json_of(text: &str) -> Value {
    let value: toml::Value = toml::from_str(text).unwrap();
    serde_json::to_value(value).unwrap()
}

fn problems(validator: &jsonschema::Validator, value: &Value) -> Vec<String> {
    validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn the_samples_pass() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config");
    let (whole, part) = (validator(false), validator(true));
    for name in ["manager.toml", "manager.minimal.toml"] {
        let value = json_of(&fs::read_to_string(folder.join(name)).unwrap());
        assert_eq!(problems(&whole, &value), Vec::<String>::new(), "{name}");
        assert_eq!(problems(&part, &value), Vec::<String>::new(), "{name}");
    }
    let mut files = 0;
    for list in ["policies", "library"] {
        for entry in fs::read_dir(folder.join(list)).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                let value = json_of(&fs::read_to_string(&path).unwrap());
                assert_eq!(problems(&part, &value), Vec::<String>::new(), "{}", path.display());
                // A part is no whole: it has no [manager].
                assert!(!whole.is_valid(&value), "{}", path.display());
                files += 1;
            }
        }
    }
    assert!(files >= 8, "{files}");
}

#[test]
fn slips_are_refused_where_they_stand() {
    let validator = validator(true);
    for (text, place) in [
        ("[log]\nlevl = \"info\"", "/log"),
        ("[log]\nformat = \"xml\"", "/log/format"),
        ("[manager]\nshards = 257", "/manager/shards"),
        ("[interfaces.mq]\nidle_timeout = \"10 minutes\"", "/interfaces/mq/idle_timeout"),
        ("[interfaces.mz]", "/interfaces"),
        ("[[components]]\nid = \"a\"", "/components/0"),
        ("[plugins]\nmemory = \"32MB\"", "/plugins/memory"),
        ("[[policies]]\nname = \"a\"\nfunction = \"fault\"\nplugin = \"builtin:thresold\"", "/policies/0/plugin"),
        (
            "[[policies]]\nname = \"a\"\nfunction = \"fault\"\nplugin = \"builtin:threshold\"\n\
             config = { value = \"qber_ratio\", alarm_type = \"a\", raise_abov = 1 }",
            "/policies/0/config",
        ),
        (
            "[[policies]]\nname = \"a\"\nfunction = \"fault\"\nplugin = \"builtin:threshold\"\n\
             config = { value = \"qber_ratio\", alarm_type = \"a\", hold_off = \"ten\" }",
            "/policies/0/config/hold_off",
        ),
        ("[[policies]]\nname = \"a\"\nfunction = \"fault\"\nplugin = \"builtin:threshold\"", "/policies/0"),
    ] {
        let found = problems(&validator, &json_of(text));
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].starts_with(&format!("{place}: ")), "{text}: {found:?}");
    }
}

#[test]
fn what_a_plugin_requires_may_come_from_a_file() {
    let validator = validator(true);
    let with = |rest: &str| {
        json_of(&format!(
            "[[policies]]\nname = \"a\"\nfunction = \"configuration\"\nplugin = \"builtin:configuration-drift\"\n{rest}"
        ))
    };
    assert!(validator.is_valid(&with("config_files = { baseline = \"b.toml\" }\n")));
    assert!(validator.is_valid(&with("config = { baseline = { everywhere = { vendor = \"a\" } } }\n")));
    assert!(!validator.is_valid(&with("config = { severity = \"minor\" }\n")));
    // Of a plugin of one's own nothing is known.
    let own = json_of("[[policies]]\nname = \"a\"\nfunction = \"fault\"\nplugin = \"a.wasm\"\nconfig = { b = 1 }\n");
    assert!(validator.is_valid(&own));
}

#[test]
fn keys_have_their_meaning_and_their_default() {
    let schema = schema(&plugins(), false);
    let key = &schema["definitions"]["interface"]["properties"]["idle_timeout"];
    assert_eq!(key["default"], json!("10m"));
    let description = key["description"].as_str().unwrap();
    assert!(description.contains("closed when nothing was received") && description.contains("100ms to 366d"), "{key}");
    assert_eq!(schema["required"], json!(["manager"]));
    assert_eq!(schema["definitions"]["log"]["properties"]["format"]["enum"], json!(["text", "json"]));
}
