//! What commands print: tables for people; JSON, YAML or CSV for programs.
//!
//! Texts come from components and may hold anything, control sequences for the terminal included; [`printable`] takes
//! those out before a person's terminal sees them. JSON escapes them by itself.

use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;
use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, TableStyle};
use serde::Serialize;

use crate::{
    api::{
        Page,
        csv::{self, Tabular},
    },
    model::{Severity, Timestamp},
};

/// `-o`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs: what the HTTP API answers, stable.
    Json,
    /// The same as YAML.
    Yaml,
    /// For spreadsheets: a line for each item of a list, or for each part of a document.
    Csv,
}

/// Where a command prints to, and how.
pub struct Output<'a> {
    out: Box<dyn Write + 'a>,
    format: Format,
    terminal: bool,
    wide: bool,
}

impl Output<'_> {
    /// Standard output of the process.
    #[must_use]
    pub fn stdout(format: Format) -> Self {
        let out = io::stdout();
        let terminal = out.is_terminal();
        Self { out: Box::new(out), format, terminal, wide: false }
    }
}

impl<'a> Output<'a> {
    /// Prints to a writer, plain.
    pub fn plain(out: impl Write + 'a, format: Format) -> Self {
        Self { out: Box::new(out), format, terminal: false, wide: false }
    }

    /// Prints to a writer what a terminal will show, or what goes elsewhere.
    pub fn buffered(out: impl Write + 'a, format: Format, terminal: bool) -> Self {
        Self { out: Box::new(out), format, terminal, wide: false }
    }

    /// Whether tables have all their columns.
    #[must_use]
    pub fn wide(self, wide: bool) -> Self {
        Self { wide, ..self }
    }

    /// Whether the caller wants tables with all their columns.
    #[must_use]
    pub const fn is_wide(&self) -> bool {
        self.wide
    }

    /// Whether the caller wants data for a program, and not a table.
    #[must_use]
    pub const fn is_data(&self) -> bool {
        !matches!(self.format, Format::Table)
    }

    /// Whether the caller wants the lines of a list.
    #[must_use]
    pub const fn is_list_only(&self) -> bool {
        matches!(self.format, Format::Csv)
    }

    /// A document for a program; a table's caller gets JSON.
    pub fn document(&mut self, document: &impl Serialize) -> io::Result<()> {
        match self.format {
            Format::Table | Format::Json => {
                serde_json::to_writer_pretty(&mut self.out, document)?;
                writeln!(self.out)
            }
            Format::Yaml => self.yaml(document),
            Format::Csv => write!(self.out, "{}", csv::document(document).map_err(io::Error::other)?),
        }
    }

    /// A list for a program: a document like any other, but for CSV.
    pub fn list<T: Tabular>(&mut self, page: &Page<T>) -> io::Result<()> {
        match self.format {
            Format::Csv => write!(self.out, "{}", csv::table(&page.items).map_err(io::Error::other)?),
            _ => self.document(page),
        }
    }

    /// A document for a program; as CSV its rows alone.
    pub fn rows<T: Tabular, D: Serialize>(&mut self, document: D, rows: impl FnOnce(D) -> Vec<T>) -> io::Result<()> {
        match self.format {
            Format::Csv => self.list(&Page::whole(rows(document))),
            _ => self.document(&document),
        }
    }

    /// One of many documents that come one by one: a line of JSON, or a YAML document behind its mark.
    pub fn next_document(&mut self, document: &impl Serialize) -> io::Result<()> {
        if self.format == Format::Yaml {
            writeln!(self.out, "---")?;
            return self.yaml(document);
        }
        serde_json::to_writer(&mut self.out, document)?;
        writeln!(self.out)
    }

    /// Items that are a document of their own, and for CSV a list like any other.
    pub fn items<T: Tabular>(&mut self, items: &[T]) -> io::Result<()> {
        match self.format {
            Format::Csv => write!(self.out, "{}", csv::table(items).map_err(io::Error::other)?),
            _ => self.document(&items),
        }
    }

    fn yaml(&mut self, document: &impl Serialize) -> io::Result<()> {
        let text = serde_saphyr::to_string(document).map_err(io::Error::other)?;
        writeln!(self.out, "{}", text.trim_end())
    }

    /// A line for a person.
    pub fn line(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.out, "{}", printable(line))
    }

    /// Rows under a heading each; on a terminal fitted to its width, with the severities in colour.
    pub fn table<const N: usize>(&mut self, headings: [&str; N], rows: Vec<[String; N]>) -> io::Result<()> {
        self.print_table(&headings, rows.iter().map(|row| &row[..]))
    }

    fn print_table<'r>(&mut self, headings: &[&str], rows: impl Iterator<Item = &'r [String]>) -> io::Result<()> {
        let mut table = Table::new();
        table.load_style(TableStyle::new());
        if self.terminal {
            table.set_content_arrangement(ContentArrangement::Dynamic);
        } else {
            table.force_no_tty().set_content_arrangement(ContentArrangement::Disabled);
        }
        table.set_header(headings.iter().map(|heading| Cell::new(heading).add_attribute(Attribute::Bold)));
        table.add_rows(rows.map(|row| row.iter().map(|text| cell(text))));
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        for line in table.lines() {
            writeln!(self.out, "{}", line.trim_end())?;
        }
        Ok(())
    }

    /// Rows under a heading each, of which the first ones are always shown and the last ones, so many, only where tables are wide.
    pub fn table_and_more<const N: usize>(
        &mut self,
        headings: [&str; N],
        more: usize,
        rows: Vec<[String; N]>,
    ) -> io::Result<()> {
        let shown = if self.wide { N } else { N.saturating_sub(more) };
        self.print_table(&headings[..shown], rows.iter().map(|row| &row[..shown]))
    }

    /// Names and what they are, one a line; what is empty is left out.
    pub fn fields(&mut self, fields: &[(&str, String)]) -> io::Result<()> {
        let shown = fields.iter().filter(|(_, text)| !text.is_empty());
        let width = shown.clone().map(|(name, _)| name.len()).max().unwrap_or(0) + 3;
        for (name, text) in shown {
            writeln!(self.out, "{:width$}{}", format!("{name}:"), printable(text))?;
        }
        Ok(())
    }
}

fn cell(text: &str) -> Cell {
    let cell = Cell::new(printable(text));
    match text.parse::<Severity>() {
        Ok(Severity::Critical) => cell.fg(Color::Red).add_attribute(Attribute::Bold),
        Ok(Severity::Major) => cell.fg(Color::Red),
        Ok(Severity::Minor) => cell.fg(Color::Yellow),
        Ok(Severity::Warning | Severity::Indeterminate) => cell.fg(Color::Cyan),
        Err(_) => cell,
    }
}

/// The text without what could steer a terminal: control characters, and those that turn the reading direction.
#[must_use]
pub(super) fn printable(text: &str) -> String {
    let steers = |c: char| {
        c.is_control() || matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if steers(c) { '\u{fffd}' } else { c }).collect()
}

/// A time that may be missing.
#[must_use]
pub(super) fn time(time: Option<Timestamp>) -> String {
    time.map_or_else(|| "never".to_owned(), |time| time.to_string())
}

/// `1 alarm`, `2 alarms`.
#[must_use]
pub(super) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// How long something is ago: `2.1 s`, `12 min`, `5 h`, `3 d`; whole ones, rounded down.
#[must_use]
pub(super) fn age(ms: u64) -> String {
    const MINUTE: u64 = 60_000;
    match ms {
        0..=119_999 => format!("{:.1} s", ms as f64 / 1e3),
        120_000..=7_199_999 => format!("{} min", ms / MINUTE),
        7_200_000..=172_799_999 => format!("{} h", ms / (60 * MINUTE)),
        _ => format!("{} d", ms / (24 * 60 * MINUTE)),
    }
}
