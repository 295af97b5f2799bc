//! Turns `wit/catalogue.toml` into Rust tables for `qkdn_plugin::catalogue`.
//!
//! In: the data file, part of the wire contract. Out: `catalogue.rs` in the build folder, constants in the file's order.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, error::Error, fs};

use toml::{Table, Value};

const SOURCE: &str = "../../wit/catalogue.toml";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={SOURCE}");
    println!("cargo::rerun-if-changed=build.rs");
    let table: Table = fs::read_to_string(SOURCE)?.parse()?;
    let mut out = String::new();
    let version = table.get("version").and_then(Value::as_integer).ok_or("`version` is missing")?;
    writeln!(out, "/// Version of the data file.\npub const VERSION: u32 = {version};")?;
    write_list(&mut out, &table, "performance", "PERFORMANCE", "Performance", performance)?;
    write_list(&mut out, &table, "state", "STATE", "State", state)?;
    write_list(&mut out, &table, "inventory", "INVENTORY", "Inventory", inventory)?;
    write_list(&mut out, &table, "alarms", "ALARMS", "AlarmType", alarm)?;
    fs::write(Path::new(&env::var("OUT_DIR")?).join("catalogue.rs"), out)?;
    Ok(())
}

fn write_list(
    out: &mut String,
    table: &Table,
    key: &str,
    constant: &str,
    kind: &str,
    entry: fn(&Table) -> Result<String, String>,
) -> Result<(), Box<dyn Error>> {
    let list = table.get(key).and_then(Value::as_array).ok_or_else(|| format!("`{key}` is missing"))?;
    writeln!(out, "/// `{key}`, in the file's order.\npub const {constant}: &[{kind}] = &[")?;
    for (index, value) in list.iter().enumerate() {
        let fields = value.as_table().ok_or_else(|| "not a table".to_owned()).and_then(entry);
        writeln!(out, "    {kind} {{ {} }},", fields.map_err(|problem| format!("{key}[{index}]: {problem}"))?)?;
    }
    writeln!(out, "];")?;
    Ok(())
}

fn performance(entry: &Table) -> Result<String, String> {
    Ok(format!(
        "name: {:?}, description: {:?}, kind: {:?}, min: {:?}, max: {:?}, points: {}",
        text(entry, "name")?,
        text(entry, "description")?,
        text(entry, "kind")?,
        bound(entry, "min")?,
        bound(entry, "max")?,
        texts(entry, "points")?,
    ))
}

fn state(entry: &Table) -> Result<String, String> {
    let words = texts(entry, "words")?;
    let flag = entry.get("kind").is_some_and(|kind| kind.as_str() == Some("flag"));
    if flag == (words != "&[]") {
        return Err("either `kind = \"flag\"` or `words`".to_owned());
    }
    let (name, description, points) = (text(entry, "name")?, text(entry, "description")?, texts(entry, "points")?);
    Ok(format!("name: {name:?}, description: {description:?}, words: {words}, points: {points}"))
}

fn inventory(entry: &Table) -> Result<String, String> {
    let words = texts(entry, "words")?;
    let number = entry.get("kind").is_some_and(|kind| kind.as_str() == Some("gauge"));
    let (name, description) = (text(entry, "name")?, text(entry, "description")?);
    Ok(format!("name: {name:?}, description: {description:?}, number: {number}, words: {words}"))
}

fn alarm(entry: &Table) -> Result<String, String> {
    Ok(format!(
        "id: {:?}, description: {:?}, severity: {:?}, event_type: {:?}, probable_cause: {:?}",
        text(entry, "id")?,
        text(entry, "description")?,
        text(entry, "severity")?,
        text(entry, "event")?,
        text(entry, "cause")?,
    ))
}

fn text<'a>(entry: &'a Table, key: &str) -> Result<&'a str, String> {
    entry.get(key).and_then(Value::as_str).ok_or_else(|| format!("`{key}` is missing or no text"))
}

/// A list of texts as a Rust expression; `&[]` when absent.
fn texts(entry: &Table, key: &str) -> Result<String, String> {
    let Some(value) = entry.get(key) else { return Ok("&[]".to_owned()) };
    let list = value.as_array().ok_or_else(|| format!("`{key}` is no list"))?;
    let texts: Option<Vec<&str>> = list.iter().map(Value::as_str).collect();
    Ok(format!("&{:?}", texts.ok_or_else(|| format!("`{key}` holds what is no text"))?))
}

/// A number as a Rust expression of `Option<f64>`.
fn bound(entry: &Table, key: &str) -> Result<Option<f64>, String> {
    let Some(value) = entry.get(key) else { return Ok(None) };
    value.as_float().map(Some).ok_or_else(|| format!("`{key}` is no number with a point"))
}
