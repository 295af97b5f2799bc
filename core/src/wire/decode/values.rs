//! The values of `performance` and `state` objects: where nearly all bytes of nearly all reports are read.

use super::{
    Reading, content_hash,
    names::{Group, Name},
};
use crate::{
    config::limits,
    model::{
        Symbol,
        report_batch::{SampleKind, sample_flags},
    },
    wire::json::Broken,
};

/// Which names of the catalogue the object at hand has had: those stamped with its number.
#[derive(Debug)]
pub(super) struct Seen {
    stamps: Vec<u64>,
    object: u64,
}

impl Seen {
    pub(super) fn new(names: usize) -> Self {
        Self { stamps: vec![0; names], object: 0 }
    }

    /// Whether the object had this name already.
    fn again(&mut self, name: usize) -> bool {
        let object = self.object;
        self.stamps.get_mut(name).is_some_and(|stamp| std::mem::replace(stamp, object) == object)
    }
}

impl Reading<'_, '_> {
    /// Takes an object of values, appending a sample for each that is known: its hash.
    pub(super) fn sample_values(&mut self, group: Group, object: u32) -> Result<u64, Broken> {
        let open = self.walk.open_object()?;
        self.seen.object += 1;
        let (mut first, mut sum, mut previous) = (true, 0_u64, self.prediction.start(group));
        while self.walk.json.next_member(&mut first)? {
            self.extension.values += 1;
            let at = self.walk.json.position();
            let guess = self.prediction.after(previous);
            let index = match self.table.name(guess) {
                Some(name) if name.group == group && self.walk.json.take(&name.written) => guess,
                _ => {
                    let key = self.walk.json.string()?;
                    let Some(index) = self.table.find(&key, group) else {
                        self.notes.unknown_names += 1;
                        self.notes.unknown(group.unknown(), &key);
                        self.extension.keep_text = true;
                        sum = sum.wrapping_add(self.walk.member(at, &key)?);
                        continue;
                    };
                    self.walk.json.colon()?;
                    self.prediction.learn(previous, index);
                    index
                }
            };
            if self.seen.again(index) {
                self.walk.json.note(at, "a key occurs twice in this object");
            }
            if let Some(name) = self.table.name(index) {
                let hash = self.known_value(name, object)?;
                sum = sum.wrapping_add(content_hash::mix(name.hash, hash));
            }
            previous = index;
        }
        self.walk.close_object(open);
        Ok(content_hash::object(sum))
    }

    /// Takes the value of a known name: its hash.
    fn known_value(&mut self, name: &Name, object: u32) -> Result<u64, Broken> {
        let first = self.walk.json.peek();
        let (kind, value, hash) = match (name.group, first) {
            (Group::Performance, Some(b'-' | b'0'..=b'9')) => {
                let value = self.walk.json.number()?;
                (SampleKind::Number, value, content_hash::number(value))
            }
            (Group::State, Some(b'"')) => {
                let word = self.walk.json.string()?;
                let entry = self.table.word(&word);
                // A word that is in no list is only in the text.
                self.extension.keep_text |= entry.is_none();
                let symbol = entry.map_or(Symbol::NONE, |entry| self.symbol(entry));
                (SampleKind::Word, f64::from(symbol.0), content_hash::string(&word))
            }
            (Group::State, Some(b't' | b'f')) => {
                let flag = self.walk.json.literal()?;
                (SampleKind::Flag, f64::from(u8::from(flag == Some(true))), content_hash::literal(flag))
            }
            (group, _) => {
                let expected = match group {
                    Group::Performance => "expected a number",
                    Group::State => "expected a string or a boolean",
                };
                self.fault(format!("extension[{object}].values.{}", name.text), expected);
                return Ok(self.walk.value()?.hash);
            }
        };
        if self.extension.values <= limits::REPORT_VALUES {
            self.batch.names.push(self.symbol(name.entry).0);
            self.batch.values.push(value);
            self.batch.flags.push(sample_flags(kind, object));
        }
        Ok(hash)
    }

    /// The manager's symbol of an entry of the catalogue.
    fn symbol(&self, entry: usize) -> Symbol {
        self.symbols.get(entry).copied().unwrap_or(Symbol::NONE)
    }
}
