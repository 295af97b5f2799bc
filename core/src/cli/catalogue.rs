//! `qkdnm catalogue`: the names of values, their units, words and alarm types, as documentation or as JSON for clients. Both
//! `wit/CATALOGUE.md` and `wit/catalogue.json` are what this prints.

use std::fmt::Write as _;

use super::{CommandResult, Exit, Output};
use crate::{api::unit, model::Catalogue};

/// Shows the catalogue that this manager was built with.
pub fn run(output: &mut Output<'_>) -> CommandResult {
    if output.is_data() {
        output.document(Catalogue::get())?;
    } else {
        markdown(Catalogue::get()).lines().try_for_each(|line| output.line(line))?;
    }
    Ok(Exit::Success)
}

/// As a page of documentation.
fn markdown(catalogue: &Catalogue) -> String {
    let mut page = String::from(
        "# Catalogue\n\nNames of values, words and alarm types, generated from `catalogue.toml` (`cargo xtask catalogue`). The unit of a \
         number is the suffix of its name. Points: the reference points a value is expected on. FCAPS: the letters it matters \
         for. Source: E014, E015 are ETSI GS QKD 014 and 015, Y3807 is ITU-T Y.3807, X731 is ITU-T X.731; own: this \
         project's.\n\n## Performance\n\n| name | what it is | unit | kind | range | points | FCAPS | source |\n|---|---|---|---|---|---|---|---|\n",
    );
    for value in &catalogue.performance {
        let end = |end: Option<f64>| end.map_or_else(|| "...".to_owned(), |end| end.to_string());
        let range = if value.min.is_none() && value.max.is_none() {
            String::new()
        } else {
            format!("{} to {}", end(value.min), end(value.max))
        };
        let (name, unit, points) = (&value.name, unit::of(&value.name).unwrap_or("1"), value.points.join(", "));
        // Writing to a text does not fail.
        let _ = writeln!(
            page,
            "| `{name}` | {} | {unit} | {} | {range} | {points} | {} | {} |",
            value.description, value.kind, value.fcaps, value.source
        );
    }
    page.push_str("\n## State\n\n| name | what it is | words | points | FCAPS | source |\n|---|---|---|---|---|---|\n");
    for value in &catalogue.state {
        let words = if value.words.is_empty() { "true, false".to_owned() } else { quoted(&value.words) };
        let _ = writeln!(
            page,
            "| `{}` | {} | {words} | {} | {} | {} |",
            value.name,
            value.description,
            value.points.join(", "),
            value.fcaps,
            value.source
        );
    }
    page.push_str("\n## Inventory\n\n| name | what it is | value | source |\n|---|---|---|---|\n");
    for value in &catalogue.inventory {
        let is = match value.kind.as_deref() {
            None => quoted(&value.words),
            Some("gauge") => "a number".to_owned(),
            Some(_) => "a text".to_owned(),
        };
        let _ = writeln!(page, "| `{}` | {} | {is} | {} |", value.name, value.description, value.source);
    }
    page.push_str(
        "\n## Alarm types\n\n| type | what it says | usual severity | X.733 event type | probable cause |\n|---|---|---|---|---|\n",
    );
    for alarm in &catalogue.alarms {
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} | {} |",
            alarm.id, alarm.description, alarm.severity, alarm.event, alarm.cause
        );
    }
    page
}

fn quoted(words: &[String]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// The files for readers and clients are in step with the data file.
    #[test]
    fn what_is_generated_from_the_data_file_is_in_step_with_it() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        let advice = "run `cargo xtask catalogue`";
        assert_eq!(read("CATALOGUE.md").trim_end(), markdown(Catalogue::get()).trim_end(), "{advice}");
        let told: serde_json::Value = serde_json::from_str(&read("catalogue.json")).unwrap_or_default();
        assert_eq!(told, serde_json::to_value(Catalogue::get()).unwrap(), "{advice}");
    }
}
