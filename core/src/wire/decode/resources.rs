//! The distinct resource names of one message, until the caller, who knows the component, gives them symbols.

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

/// A resource name of the message.
#[derive(Clone, Copy, Debug)]
struct Entry {
    start: usize,
    end: usize,
    /// Position of the first extension object that named it.
    object: u32,
}

/// Names in order of appearance; the first has number 1.
#[derive(Debug, Default)]
pub(super) struct ResourceTexts {
    text: String,
    entries: Vec<Entry>,
    by_text: HashTable<u32>,
}

impl ResourceTexts {
    pub(super) fn clear(&mut self) {
        if !self.entries.is_empty() {
            self.text.clear();
            self.entries.clear();
            self.by_text.clear();
        }
    }

    /// The number of a name in this message; 0 for the empty one, the component itself.
    pub(super) fn number(&mut self, resource: &str, object: u32) -> u32 {
        let count = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        if resource.is_empty() || self.entries.last().is_some_and(|last| text_of(&self.text, *last) == resource) {
            return if resource.is_empty() { 0 } else { count };
        }
        let (text, entries) = (&self.text, &self.entries);
        let of = |number: u32| entries.get(number as usize - 1).map_or("", |entry| text_of(text, *entry));
        let hash = xxh3_64(resource.as_bytes());
        if let Some(number) = self.by_text.find(hash, |&number| of(number) == resource) {
            return *number;
        }
        self.by_text.insert_unique(hash, count + 1, |&number| xxh3_64(of(number).as_bytes()));
        let start = self.text.len();
        self.text.push_str(resource);
        self.entries.push(Entry { start, end: self.text.len(), object });
        count + 1
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Each name with the first object that has it.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, u32)> {
        self.entries.iter().map(|entry| (text_of(&self.text, *entry), entry.object))
    }
}

fn text_of(text: &str, entry: Entry) -> &str {
    text.get(entry.start..entry.end).unwrap_or_default()
}
