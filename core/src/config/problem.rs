//! Problems of a configuration, and how they are shown: as a compiler does, file, line, column and the text itself with
//! a mark under it, or as JSON for editors and programs.

use std::fmt;

use annotate_snippets::{Annotation, AnnotationKind, Group, Level as Title, Origin, Renderer, Snippet};
use serde_json::json;

use super::source::{Place, Sources};

/// Whether the configuration can be used in spite of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It cannot.
    Error,
    /// It can, but it may not do what was meant.
    Warning,
}

impl Level {
    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub level: Level,
    /// Where; absent if it is about something that is not there at all.
    pub place: Option<Place>,
    /// What is wrong, naming the key.
    pub message: String,
    /// A few words under the place: what was expected there.
    pub label: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Another place that belongs to it, and what it is.
    pub related: Option<(Place, String)>,
}

impl Problem {
    /// An error at a place.
    #[must_use]
    pub fn error(place: Place, message: impl Into<String>) -> Self {
        Self {
            level: Level::Error,
            place: Some(place),
            message: message.into(),
            label: String::new(),
            help: None,
            related: None,
        }
    }

    /// A warning at a place.
    #[must_use]
    pub fn warning(place: Place, message: impl Into<String>) -> Self {
        Self { level: Level::Warning, ..Self::error(place, message) }
    }

    /// An error about something that is nowhere in the files.
    #[must_use]
    pub fn nowhere(message: impl Into<String>) -> Self {
        Self { place: None, ..Self::error(Place::default(), message) }
    }

    /// A warning about something that is nowhere in the files.
    #[must_use]
    pub fn nowhere_warning(message: impl Into<String>) -> Self {
        Self { level: Level::Warning, ..Self::nowhere(message) }
    }

    /// Adds the words under the place.
    #[must_use]
    pub fn label(self, label: impl Into<String>) -> Self {
        Self { label: label.into(), ..self }
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// Adds a second place.
    #[must_use]
    pub fn related(self, place: Place, label: impl Into<String>) -> Self {
        Self { related: Some((place, label.into())), ..self }
    }

    /// As text: with a mark under the place and colours if `styled`.
    #[must_use]
    pub fn render(&self, sources: &Sources, styled: bool) -> String {
        let renderer = if styled { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&self.report(sources))
    }

    fn report<'a>(&'a self, sources: &'a Sources) -> Vec<Group<'a>> {
        let title = match self.level {
            Level::Error => Title::ERROR,
            Level::Warning => Title::WARNING,
        };
        let mut group = title.primary_title(self.message.as_str()).elements(Vec::<Origin<'_>>::new());
        match self.place.and_then(|place| Some((place, sources.get(place)?))) {
            Some((place, source)) => {
                let annotation = mark(AnnotationKind::Primary, place, &self.label, &source.text);
                let mut snippet =
                    Snippet::source(source.text.as_str()).path(source.name.as_str()).annotation(annotation);
                let mut elsewhere = None;
                if let Some((place, label)) = &self.related
                    && let Some(other) = sources.get(*place)
                {
                    let annotation = mark(AnnotationKind::Context, *place, label, &other.text);
                    if std::ptr::eq(source, other) {
                        snippet = snippet.annotation(annotation);
                    } else {
                        elsewhere =
                            Some(Snippet::source(other.text.as_str()).path(other.name.as_str()).annotation(annotation));
                    }
                }
                group = group.element(snippet);
                group = group.elements(elsewhere);
            }
            None => {
                if let Some(first) = sources.iter().next() {
                    group = group.element(Origin::path(first.name.as_str()));
                }
            }
        }
        if let Some(help) = &self.help {
            group = group.element(Title::HELP.message(help.as_str()));
        }
        vec![group]
    }

    /// As JSON: level, message, file, line, column, byte span, label, help.
    #[must_use]
    pub fn to_json(&self, sources: &Sources) -> serde_json::Value {
        let mut value = json!({ "level": self.level.as_str(), "message": self.message });
        let mut set = |key: &str, what: serde_json::Value| {
            if let Some(object) = value.as_object_mut() {
                object.insert(key.to_owned(), what);
            }
        };
        if let Some(place) = self.place
            && let Some(source) = sources.get(place)
        {
            set("file", source.name.as_str().into());
            if let Some((line, column)) = sources.line_and_column(place) {
                set("line", line.into());
                set("column", column.into());
            }
            set("span", json!([place.start, place.end]));
        }
        if !self.label.is_empty() {
            set("label", self.label.as_str().into());
        }
        if let Some(help) = &self.help {
            set("help", help.as_str().into());
        }
        value
    }
}

/// A mark that is sure to lie within the text and on character boundaries, which the renderer insists on.
fn mark<'a>(kind: AnnotationKind, place: Place, label: &'a str, text: &str) -> Annotation<'a> {
    let start = text.floor_char_boundary(place.start.min(text.len()));
    let end = text.ceil_char_boundary(place.end.clamp(start, text.len()));
    let annotation = kind.span(start..end);
    if label.is_empty() { annotation } else { annotation.label(label) }
}

/// Why a configuration is refused: every problem, warnings included, and the texts they are in.
#[derive(Clone, Debug)]
pub struct Problems {
    /// The texts.
    pub sources: Sources,
    /// In the order of the texts.
    pub list: Vec<Problem>,
}

impl Problems {
    /// Sorts by place; what has no place comes first.
    #[must_use]
    pub fn new(sources: Sources, mut list: Vec<Problem>) -> Self {
        list.sort_by_key(|problem| problem.place);
        list.dedup();
        Self { sources, list }
    }

    /// How many of a level there are.
    #[must_use]
    pub fn count(&self, level: Level) -> usize {
        self.list.iter().filter(|problem| problem.level == level).count()
    }

    /// All of them as text, an empty line between two.
    #[must_use]
    pub fn render(&self, styled: bool) -> String {
        let parts: Vec<String> = self.list.iter().map(|problem| problem.render(&self.sources, styled)).collect();
        parts.join("\n\n")
    }

    /// All of them as a JSON array.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        self.list.iter().map(|problem| problem.to_json(&self.sources)).collect()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Problems {}
