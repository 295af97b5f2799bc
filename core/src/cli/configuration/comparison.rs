//! `qkdnm config diff`.

use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::{Client, CommandError, CommandResult, Exit, Output, complain, here, in_force};
use crate::config::{
    difference::{Difference, Kind, between},
    load::examine,
    origin::{Document, Origin},
    problem::Level,
    written_out::inline,
};

/// What `diff` answers with `-o json`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Compared<'a> {
    /// What was compared.
    old: &'a str,
    /// With what.
    new: &'a str,
    /// Whether nothing is different.
    same: bool,
    /// Whether a reload would refuse the new one, because something of it is read at a start only.
    needs_restart: bool,
    differences: &'a [Difference],
}

/// Compares two files, each with what belongs to it.
pub(super) fn files(old: &Path, new: &Path, output: &mut Output<'_>) -> CommandResult {
    let (was, is) = (document(old)?, document(new)?);
    let (Some((was, was_sound)), Some((is, is_sound))) = (was, is) else { return Ok(Exit::NotInOrder) };
    let exit = tell([&old.display().to_string(), &new.display().to_string()], &was, &is, output)?;
    Ok(if was_sound && is_sound { exit } else { Exit::NotInOrder })
}

/// Compares what is in force at a manager with a file. What the manager hides cannot be compared.
pub(super) fn running(client: &Client, new: &Path, output: &mut Output<'_>) -> CommandResult {
    let view = in_force(client)?;
    let Some((is, is_sound)) = document(new)? else { return Ok(Exit::NotInOrder) };
    let was = Document { configuration: view.configuration, origins: view.origins };
    let was = match view.file.as_deref().and_then(|file| Path::new(file).parent()) {
        Some(folder) => was.relative_to(folder),
        None => was,
    };
    let exit = tell(["running", &new.display().to_string()], &was, &is.hidden(), output)?;
    Ok(if is_sound { exit } else { Exit::NotInOrder })
}

/// What a file says, as far as it can be made out, and whether it is in order; what is wrong goes to standard error.
fn document(file: &Path) -> Result<Option<(Document, bool)>, CommandError> {
    let examined = examine(file);
    let is_sound = examined.problems.count(Level::Error) == 0;
    if !is_sound {
        complain(&examined.problems);
    }
    let here = here()?;
    let folder = here.join(file.parent().unwrap_or_else(|| Path::new("")));
    Ok(examined.loaded.map(|loaded| (Document::effective(&loaded, &here).relative_to(&folder), is_sound)))
}

fn tell([old, new]: [&str; 2], was: &Document, is: &Document, output: &mut Output<'_>) -> CommandResult {
    let differences = between(was, is);
    let (same, needs_restart) = (differences.is_empty(), differences.iter().any(|one| one.needs_restart));
    if output.is_data() {
        output.document(&Compared { old, new, same, needs_restart, differences: &differences })?;
    } else if same {
        output.line("Nothing is different.")?;
    } else {
        differences.iter().flat_map(lines).try_for_each(|line| output.line(&line))?;
        if needs_restart {
            output.line("")?;
            output.line("What is marked (restart) is read at a start only: a reload would refuse the whole.")?;
        }
    }
    Ok(if same { Exit::Success } else { Exit::Differs })
}

fn lines(one: &Difference) -> Vec<String> {
    let restart = if one.needs_restart { " (restart)" } else { "" };
    let word = match one.kind {
        Kind::Added => "added",
        Kind::Changed => "changed",
        Kind::Removed => "removed",
        Kind::Reordered => "in another order",
    };
    let mut lines = vec![format!("{} {word}{restart}", one.key)];
    let value = |mark: &str, value: &Option<Value>, from: &Option<Origin>| {
        let from = from.as_ref().map(|from| format!("  # {from}")).unwrap_or_default();
        let shown = |value| inline(value).unwrap_or_else(|| "null".to_owned());
        value.as_ref().map(|value| format!("  {mark} {}{from}", shown(value)))
    };
    lines.extend(value("-", &one.was, &one.was_from));
    lines.extend(value("+", &one.is, &one.is_from));
    lines
}
