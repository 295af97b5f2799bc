//! JSON Schema of `manager.toml`, for editors: made from the contract, with the schemas of plugins where their
//! configuration stands.
//!
//! Draft 7, which is what editors of TOML understand best. The schemas of plugins are written for draft 2020-12; what
//! they use of it beyond draft 7 is `$defs`, which their references find there all the same.

use serde_json::{Map, Value, json};

use super::{
    contract::{Absent, Key, Kind, TOP, TableSpec},
    load::PluginKind,
    quantity::{show_duration, show_size},
};

/// Tables that may be spread over several files. A table of a list stands in one, whole.
const SPREAD: [&str; 4] = ["", "manager", "tls", "interfaces.*"];

/// A plugin whose configuration the schema knows.
#[derive(Clone, Debug)]
pub struct PluginSchema {
    /// Handler or policy.
    pub kind: PluginKind,
    /// What `plugin` has to say for it: `builtin:threshold`.
    pub plugin: String,
    /// What it does, in a sentence.
    pub summary: String,
    /// Its own schema.
    pub schema: Value,
}

/// The schema. `part`: of a file in `conf.d`, in which nothing has to stand.
#[must_use]
pub fn schema(plugins: &[PluginSchema], part: bool) -> Value {
    let mut maker = Maker { plugins, part, definitions: Map::new() };
    let mut schema = maker.table(&TOP);
    for (position, plugin) in plugins.iter().enumerate() {
        let name = definition(plugin, position);
        let value = rebased(plugin.schema.clone(), &format!("#/definitions/{name}"));
        maker.definitions.insert(name, without_required(value));
    }
    if let Value::Object(schema) = &mut schema {
        schema.insert("$schema".to_owned(), "http://json-schema.org/draft-07/schema#".into());
        schema.insert("title".to_owned(), if part { "qkdnm conf.d" } else { "qkdnm manager.toml" }.into());
        schema.insert("definitions".to_owned(), Value::Object(maker.definitions));
    }
    schema
}

struct Maker<'a> {
    plugins: &'a [PluginSchema],
    part: bool,
    definitions: Map<String, Value>,
}

impl Maker<'_> {
    fn table(&mut self, table: &'static TableSpec) -> Value {
        let properties: Map<String, Value> =
            table.keys.iter().map(|key| (key.name.to_owned(), self.key(table, key))).collect();
        let may_be_spread = SPREAD.contains(&table.name);
        let required: Vec<&str> = table
            .keys
            .iter()
            .filter(|key| matches!(key.absent, Absent::Required) && !(self.part && may_be_spread))
            .map(|key| key.name)
            .collect();
        let mut value = json!({
            "type": "object",
            "description": table.about,
            "additionalProperties": false,
            "properties": properties,
        });
        if let Value::Object(value) = &mut value {
            if !required.is_empty() {
                value.insert("required".to_owned(), json!(required));
            }
            let kind = match table.name {
                "handlers" => Some(PluginKind::Handler),
                "policies" => Some(PluginKind::Policy),
                "collectors" => Some(PluginKind::Collector),
                _ => None,
            };
            let plugins = self.plugins.iter().enumerate().filter(|(_, plugin)| Some(plugin.kind) == kind);
            let conditions: Vec<Value> = plugins.map(|(position, plugin)| condition(plugin, position)).collect();
            if !conditions.is_empty() {
                value.insert("allOf".to_owned(), conditions.into());
            }
        }
        value
    }

    /// A reference to a table, which is defined once.
    fn reference(&mut self, table: &'static TableSpec) -> Value {
        let name = table.name.replace("interfaces.*", "interface");
        let name = name.as_str();
        if !self.definitions.contains_key(name) {
            self.definitions.insert(name.to_owned(), Value::Null);
            let value = self.table(table);
            self.definitions.insert(name.to_owned(), value);
        }
        json!({ "$ref": format!("#/definitions/{name}") })
    }

    fn key(&mut self, table: &TableSpec, key: &'static Key) -> Value {
        let mut value = match &key.kind {
            Kind::Table(inner) => return self.reference(inner),
            Kind::Tables(inner) => json!({ "type": "array", "items": self.reference(inner) }),
            Kind::Text if key.name == "plugin" => self.plugin(table),
            kind => simple(kind),
        };
        if let Value::Object(value) = &mut value {
            value.insert("description".to_owned(), about(key).into());
            if let Absent::Default(text) = key.absent
                && let Some(default) = as_json(text)
            {
                value.insert("default".to_owned(), default);
            }
        }
        value
    }

    /// `plugin`: one that is known, or a path.
    fn plugin(&self, table: &TableSpec) -> Value {
        let kind = match table.name {
            "handlers" => PluginKind::Handler,
            "collectors" => PluginKind::Collector,
            _ => PluginKind::Policy,
        };
        let known: Vec<&str> =
            self.plugins.iter().filter(|plugin| plugin.kind == kind).map(|plugin| plugin.plugin.as_str()).collect();
        if known.is_empty() {
            return json!({ "type": "string" });
        }
        json!({ "anyOf": [{ "enum": known }, { "type": "string", "pattern": "^(?!builtin:)" }] })
    }
}

fn simple(kind: &Kind) -> Value {
    let or_list = |one: Value| json!({ "anyOf": [one.clone(), { "type": "array", "items": one }] });
    match kind {
        Kind::Text | Kind::Path | Kind::Address | Kind::Time => json!({ "type": "string" }),
        Kind::Texts | Kind::Paths | Kind::Addresses => or_list(json!({ "type": "string" })),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Whole(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Kind::Real => json!({ "type": "number" }),
        Kind::Duration(..) => json!({ "type": "string", "pattern": "^[0-9]+ *(ms|s|m|h|d) *$" }),
        Kind::Size(..) => json!({ "type": "string", "pattern": "^[0-9]+ *(B|KiB|MiB|GiB|TiB) *$" }),
        Kind::Word(words) => json!({ "enum": words }),
        Kind::Words(words) => or_list(json!({ "enum": words })),
        Kind::PluginConfig => json!({ "type": "object" }),
        Kind::Files => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
        // Made by the caller, who knows the tables.
        Kind::Table(_) | Kind::Tables(_) => Value::Bool(true),
    }
}

/// What a key is for, its bounds where the schema has no words for them, and what holds without it.
fn about(key: &Key) -> String {
    let time = |number: u64| match number {
        0 => "0s".to_owned(),
        number => show_duration(std::time::Duration::from_millis(number)),
    };
    let bounds = match key.kind {
        Kind::Duration(least, most) => format!(" {} to {}.", time(least), time(most)),
        Kind::Size(least, most) => format!(" {} to {}.", show_size(least), show_size(most)),
        _ => String::new(),
    };
    let absent = match key.absent {
        Absent::Required => String::new(),
        Absent::Default(text) => format!(" Default: {text}."),
        Absent::Means(text) => format!(" Without it: {text}."),
    };
    format!("{}{bounds}{absent}", key.about)
}

/// A default as JSON. All of them are values that TOML and JSON write alike.
fn as_json(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok()
}

/// Name of a plugin's schema among the definitions: one that needs no escape in a reference.
fn definition(plugin: &PluginSchema, position: usize) -> String {
    let kind = match plugin.kind {
        PluginKind::Handler => "handler",
        PluginKind::Policy => "policy",
        PluginKind::Exchange => "exchange",
        PluginKind::Collector => "collector",
    };
    match plugin.plugin.strip_prefix("builtin:") {
        Some(name) => format!("{kind}-{name}"),
        None => format!("{kind}-{position}"),
    }
}

/// With this plugin, `config` is what its schema says. What that requires may come from `config_files` too.
fn condition(plugin: &PluginSchema, position: usize) -> Value {
    let reference = format!("#/definitions/{}", definition(plugin, position));
    let mut then = json!({ "properties": { "config": { "$ref": reference } } });
    let required = plugin.schema.get("required").and_then(Value::as_array).filter(|keys| !keys.is_empty());
    if let (Some(required), Value::Object(then)) = (required, &mut then) {
        then.insert("if".to_owned(), json!({ "not": { "required": ["config_files"] } }));
        let has = json!({ "required": ["config"], "properties": { "config": { "required": required } } });
        then.insert("then".to_owned(), has);
    }
    json!({
        "$comment": plugin.summary,
        "if": { "properties": { "plugin": { "const": plugin.plugin } }, "required": ["plugin"] },
        "then": then,
    })
}

fn without_required(mut schema: Value) -> Value {
    if let Value::Object(schema) = &mut schema {
        schema.remove("required");
        schema.remove("$schema");
        schema.remove("$id");
    }
    schema
}

/// A schema that stands inside another one: its references to itself lead there.
fn rebased(schema: Value, to: &str) -> Value {
    match schema {
        Value::Object(map) => map
            .into_iter()
            .map(|(key, value)| match (key.as_str(), &value) {
                ("$ref", Value::String(text)) if text.starts_with('#') => {
                    let text = format!("{to}{}", text.trim_start_matches('#'));
                    (key, text.into())
                }
                _ => (key, rebased(value, to)),
            })
            .collect(),
        Value::Array(items) => items.into_iter().map(|item| rebased(item, to)).collect(),
        other => other,
    }
}
