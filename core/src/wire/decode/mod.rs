//! A line to a message; a status report straight into the arrays of a batch.
//!
//! In comes one line, already framed. One pass over it checks every rule of the status protocol (sections 2 to 4),
//! puts samples of known names into the caller's [`ReportBatch`], and keeps the text of what the arrays cannot say. Out
//! comes [`Decoded`], which borrows the IDs from the line, and [`Notes`]. Keys may come in any order.
//!
//! The decoder does not know the component: `component` and `slot` of the report's head are the caller's, and resource
//! names wait in the decoder for [`Decoder::bind_resources`], because how many a component may bring is counted
//! elsewhere. It does not judge values: ranges and words are the handler's.
//!
//! Readings of the protocol that are decided here:
//! - `sequence` and `incarnation` are integers by value: `5`, `5.0` and `50e-1` are the same number.
//! - the values of a report are the members of the `values` of its extension objects, whatever their type.
//! - an array carries key material if it holds a string, an array that does, or an object with a key of such a name.
//! - the time of a report is the latest time of its objects with samples: their own, else the message's, else that of
//!   receipt. Where an object's differs from that, it is kept beside (`ReportBatch::times`).
//! - an empty `resource` is the component itself, as is none.

mod content_hash;
mod envelope;
mod extension;
mod key_material;
mod names;
mod resources;
mod values;
mod walk;

use std::borrow::Cow;

pub use self::key_material::{MOST_OFFENCES, is_key_name, refusal_at as key_material_refusal};
use self::{
    envelope::Envelope,
    names::{NameTable, Prediction},
    resources::ResourceTexts,
    values::Seen,
    walk::{Walk, WalkRoom},
};
use super::json::{Broken, JsonError, Scanner};
use crate::{
    config::limits,
    model::{
        Fault, ReportBatch, Symbol, SymbolTable, Timestamp,
        unknown::{Unknown, UnknownKind},
    },
};

/// What the decoder must know besides the line.
#[derive(Clone, Copy, Debug)]
pub struct DecodeOptions<'a> {
    /// The manager's symbols, the catalogue interned ([`crate::model::Catalogue::intern`]).
    pub symbols: &'a SymbolTable,
    /// Time of receipt.
    pub now: Timestamp,
    /// Keep the extension's text of every report: its handler asks for it.
    pub keep_raw: bool,
    /// Take out the objects that managers exchange (`mx.*`, section 7): they are no status, and are kept elsewhere.
    pub exchange: bool,
}

/// What a line is. Only [`Self::Report`] and [`Self::Answer`] leave something in the batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded<'l> {
    /// `statusReport`: appended to the batch.
    Report {
        /// As sent; the answer carries it.
        message_id: Option<Cow<'l, str>>,
        /// Who is spoken of.
        component_id: Cow<'l, str>,
    },
    /// `statusReportRequestResponse`: what its extension says was appended to the batch.
    Answer {
        /// Of the request that it answers.
        message_id: Cow<'l, str>,
        /// Who is spoken of.
        component_id: Cow<'l, str>,
        /// `success` or a reason.
        response: Cow<'l, str>,
    },
    /// `subscribe` or `unsubscribe`: what it asks for is in the extension.
    Subscribe {
        /// Ends a subscription instead of starting one.
        ends: bool,
        /// As sent.
        message_id: Cow<'l, str>,
        /// Who asks; on Mx the manager ID of the sender.
        component_id: Cow<'l, str>,
        /// JSON text of the extension, `[]` if there is none.
        extension: &'l str,
    },
    /// `statusReportRequest`, which peer managers send.
    Request {
        /// As sent.
        message_id: Cow<'l, str>,
        /// Who is asked; empty: whoever answers.
        component_id: Cow<'l, str>,
        /// JSON text of the extension, `[]` if there is none.
        extension: &'l str,
    },
    /// A complete answer to a report of ours, or to a subscription that we asked for or ended.
    PeerAnswer {
        /// `statusReportResponse`, `subscribeResponse` or `unsubscribeResponse`.
        message_type: Cow<'l, str>,
        /// Of the message that it answers.
        message_id: Cow<'l, str>,
        /// Who is spoken of; empty if it was not sent.
        component_id: Cow<'l, str>,
        /// `success` or a reason.
        response: Cow<'l, str>,
        /// JSON text of the extension, `[]` if there is none.
        extension: &'l str,
    },
    /// A report or answer with more values than one may have; the connection goes on.
    TooLarge {
        /// As sent.
        message_id: Option<Cow<'l, str>>,
        /// As sent.
        component_id: Cow<'l, str>,
        /// A sentence for people.
        reason: String,
        /// It is an answer: not to be answered.
        is_answer: bool,
    },
    /// A message of a type that is unknown, or not for this direction, or not offered; to be answered `unsupported`.
    Unsupported {
        /// The type, for the sentence of the answer.
        message_type: Cow<'l, str>,
        /// As sent.
        message_id: Option<Cow<'l, str>>,
        /// As sent.
        component_id: Option<Cow<'l, str>>,
    },
    /// An answer of a type that nobody here asks for: to be counted, never answered.
    UnaskedAnswer {
        /// Its type.
        message_type: Cow<'l, str>,
    },
    /// Not a valid message.
    Malformed {
        /// A sentence for people, which quotes nothing of the line but names of the protocol.
        reason: String,
        /// Where it could be read.
        message_id: Option<Cow<'l, str>>,
        /// Where it could be read.
        component_id: Option<Cow<'l, str>>,
        /// It is an answer as far as it could be read: not to be answered.
        is_answer: bool,
    },
}

/// Of one line, names that the catalogue does not have are noted up to this many.
const MOST_UNKNOWN: usize = 8;
/// Characters of such a name that are noted.
const UNKNOWN_CHARS: usize = 64;

impl Notes {
    fn unknown(&mut self, kind: UnknownKind, text: &str) {
        if self.unknown.len() < MOST_UNKNOWN {
            self.unknown.push(Unknown { kind, text: text.chars().take(UNKNOWN_CHARS).collect() });
        }
    }
}

/// What the decoder saw in the last line beside what it appended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// Values of names that the catalogue does not have for their type.
    pub unknown_names: u32,
    /// Extension objects of types that the protocol does not have.
    pub unknown_types: u32,
    /// The first few of what the catalogue does not have, as it was written.
    pub unknown: Vec<Unknown>,
    /// Paths of object keys that carry key material, such as `extension[0].values.key_data`; at most 16. Whether a path
    /// is exempt is for the caller to say; a report that is not must leave the batch at once ([`ReportBatch::pop`]).
    pub key_material: Vec<String>,
    /// Texts of the objects `notification` and `gap`, in order, if the first object is a `notification`; bounded.
    pub notices: Vec<String>,
    /// Texts of the objects that managers exchange, in order, where the options ask for them. Bounded by the line.
    pub exchange: Vec<String>,
    /// The extension starts with an object of type `notification` ([`super::subscription::parse_notification`]).
    pub notification: bool,
    /// The source time as given, also where it was replaced.
    pub source_time: Option<Timestamp>,
    /// There was a `performance` object.
    pub has_performance: bool,
    /// There was a `state` object.
    pub has_state: bool,
}

/// Decodes lines; one a thread, reused, since it keeps room and learns what components use to say.
#[derive(Debug)]
pub struct Decoder {
    table: &'static NameTable,
    prediction: Prediction,
    seen: Seen,
    room: WalkRoom,
    resources: ResourceTexts,
    /// Room for the symbols of `resources`.
    symbols: Vec<Option<Symbol>>,
    notes: Notes,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder that knows the catalogue's names. It may serve several managers: their symbols come with each line.
    #[must_use]
    pub fn new() -> Self {
        let table = NameTable::get();
        Self {
            table,
            prediction: Prediction::new(table),
            seen: Seen::new(table.len()),
            room: WalkRoom::default(),
            resources: ResourceTexts::default(),
            symbols: Vec::new(),
            notes: Notes::default(),
        }
    }

    /// What was seen in the last line.
    #[must_use]
    pub const fn notes(&self) -> &Notes {
        &self.notes
    }

    /// Decodes one line.
    pub fn decode<'l>(&mut self, line: &'l [u8], batch: &mut ReportBatch, options: &DecodeOptions<'_>) -> Decoded<'l> {
        self.room.clear();
        self.resources.clear();
        self.notes.unknown_names = 0;
        self.notes.unknown_types = 0;
        self.notes.unknown.clear();
        self.notes.key_material.clear();
        self.notes.notices.clear();
        self.notes.exchange.clear();
        self.notes.source_time = None;
        self.notes.has_performance = false;
        self.notes.has_state = false;
        self.notes.notification = false;
        let (text, encoding) = match std::str::from_utf8(line) {
            Ok(text) => (text, None),
            Err(error) => {
                let valid = line.get(..error.valid_up_to()).unwrap_or_default();
                let at = error.valid_up_to();
                (std::str::from_utf8(valid).unwrap_or_default(), Some(JsonError { at, what: "invalid UTF-8" }))
            }
        };
        let mark = Mark::of(batch);
        let mut reading = Reading::new(self, text, batch, options);
        let error = match reading.message() {
            _ if encoding.is_some() => encoding,
            Ok(()) | Err(Broken) => reading.walk.json.error(),
        };
        let decoded = reading.finish(error, options);
        if !matches!(decoded, Decoded::Report { .. } | Decoded::Answer { .. }) {
            mark.restore(batch);
            self.resources.clear();
        }
        if !self.room.offences.is_empty() {
            let path = |offence: &usize| key_material::path_of(text, *offence);
            self.notes.key_material.extend(self.room.offences.iter().map(path));
        }
        decoded
    }

    /// Gives the resource names of the report decoded last, which is the last of the batch, their symbols. `symbol` says
    /// `None` where the component may not bring another name: that is a fault, and the samples are taken out, since they
    /// would speak of something else.
    pub fn bind_resources(&mut self, batch: &mut ReportBatch, symbol: &mut impl FnMut(&str) -> Option<Symbol>) {
        let Some(last) = batch.len().checked_sub(1).filter(|_| !self.resources.is_empty()) else { return };
        self.symbols.clear();
        self.symbols.extend(self.resources.iter().map(|(text, _)| symbol(text)));
        let symbols = &self.symbols;
        let bound = |number: u32| match number.checked_sub(1) {
            None => Some(Symbol::NONE),
            Some(index) => symbols.get(index as usize).copied().flatten(),
        };
        let range = batch.samples(last);
        for resource in batch.resources.get_mut(range.clone()).unwrap_or_default() {
            *resource = bound(*resource).map_or(UNBOUND, |symbol| symbol.0);
        }
        if symbols.iter().all(Option::is_some) {
            return;
        }
        remove_unbound(batch, range);
        let refused = self.resources.iter().zip(symbols).filter(|(_, symbol)| symbol.is_none());
        batch.faults.extend(refused.take(extension::MOST_FAULTS).map(|((_, object), _)| Fault {
            report: u32::try_from(last).unwrap_or(u32::MAX),
            path: format!("extension[{object}].resource"),
            message: format!("more than {} different resources", limits::RESOURCES_PER_COMPONENT),
        }));
    }
}

/// Marks samples whose resource got no symbol, for a moment.
const UNBOUND: u32 = u32::MAX;

/// Takes the samples of the last report that are marked out of the arrays.
fn remove_unbound(batch: &mut ReportBatch, range: std::ops::Range<usize>) {
    let mut kept = range.start;
    for index in range {
        if batch.resources.get(index).is_none_or(|resource| *resource == UNBOUND) {
            continue;
        }
        for array in [&mut batch.names, &mut batch.resources, &mut batch.flags] {
            array.copy_within(index..=index, kept);
        }
        batch.values.copy_within(index..=index, kept);
        kept += 1;
    }
    truncate_samples(batch, kept);
    if let Some(head) = batch.reports.last_mut() {
        head.samples_end = u32::try_from(kept).unwrap_or(u32::MAX);
    }
}

fn truncate_samples(batch: &mut ReportBatch, length: usize) {
    for array in [&mut batch.names, &mut batch.resources, &mut batch.flags] {
        array.truncate(length);
    }
    batch.values.truncate(length);
}

/// How long the arrays were before a line.
struct Mark {
    samples: usize,
    text: usize,
    objects: usize,
    faults: usize,
}

impl Mark {
    fn of(batch: &ReportBatch) -> Self {
        Self {
            samples: batch.values.len(),
            text: batch.text.len(),
            objects: batch.objects.len(),
            faults: batch.faults.len(),
        }
    }

    fn restore(&self, batch: &mut ReportBatch) {
        truncate_samples(batch, self.samples);
        batch.text.truncate(self.text);
        batch.objects.truncate(self.objects);
        batch.faults.truncate(self.faults);
    }
}

/// One line being read.
struct Reading<'l, 'd> {
    text: &'l str,
    /// Symbols of the catalogue's entries.
    symbols: &'d [Symbol],
    /// Objects that managers exchange are taken out.
    exchange: bool,
    walk: Walk<'l, 'd>,
    envelope: Envelope<'l>,
    extension: extension::Extension,
    table: &'static NameTable,
    prediction: &'d mut Prediction,
    seen: &'d mut Seen,
    resources: &'d mut ResourceTexts,
    notes: &'d mut Notes,
    batch: &'d mut ReportBatch,
}

impl<'l, 'd> Reading<'l, 'd> {
    fn new(decoder: &'d mut Decoder, text: &'l str, batch: &'d mut ReportBatch, options: &DecodeOptions<'d>) -> Self {
        Self {
            text,
            symbols: options.symbols.catalogued(),
            exchange: options.exchange,
            walk: Walk { json: Scanner::new(text), room: &mut decoder.room },
            envelope: Envelope::default(),
            extension: extension::Extension::absent(),
            table: decoder.table,
            prediction: &mut decoder.prediction,
            seen: &mut decoder.seen,
            resources: &mut decoder.resources,
            notes: &mut decoder.notes,
            batch,
        }
    }
}

#[cfg(test)]
mod tests;
