//! Status reports in the form the whole manager shares: flat parallel arrays, filled once at decode.
//!
//! A batch is what one turn of one connection brought (or several, joined by a shard). The decoder appends to it, the
//! handler and policies read it, the journal writes its columns as they stand. Names and resources are [`Symbol`]s,
//! every value is one `f64`; what the arrays cannot say is kept as JSON text beside them, as received.

use bytemuck::{Pod, Zeroable};

use super::Symbol;

/// Bits of [`ReportHead::flags`].
pub mod head_flags {
    /// The report carried `sequence`.
    pub const HAS_SEQUENCE: u32 = 1;
    /// The report carried a source `time`.
    pub const HAS_TIME: u32 = 1 << 1;
    /// Something in the extension is not in the arrays (unknown type or name, object types): its text is kept.
    pub const KEPT_TEXT: u32 = 1 << 2;
    /// The report answers a status report request of ours (Q.QKDN_Mk 8.4).
    pub const ANSWERS_REQUEST: u32 = 1 << 3;
    /// The source time was too far from ours and was replaced by the time of receipt.
    pub const TIME_REPLACED: u32 = 1 << 4;
}

/// One report of a batch. Plain data: the journal writes it as bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct ReportHead {
    /// Number of the report in its component's incarnation; 0 if it carried none (see `flags`).
    pub sequence: u64,
    /// Incarnation of the numbering.
    pub incarnation: u64,
    /// Source time in milliseconds since 1970; time of receipt if it carried none.
    pub time: i64,
    /// Hash of what the report says (not of its spelling): same number and same hash is a repeat.
    pub content_hash: u64,
    /// The component, as the symbol of `mk/km-1`.
    pub component: u32,
    /// The place in the connection's table of open messages that the answer goes to; meaningless once answered.
    pub slot: u32,
    /// End of this report's samples in the arrays; they start where the previous report's end.
    pub samples_end: u32,
    /// Start of the extension's JSON text in `text`, if kept or asked for raw.
    pub text_start: u32,
    /// End of that text; equal to the start if there is none.
    pub text_end: u32,
    /// See [`head_flags`].
    pub flags: u32,
}

/// What a sample's `f64` stands for; the low eight bits of its flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum SampleKind {
    /// A `performance` value.
    Number = 0,
    /// A catalogued word of a `state` object: the value is the word's symbol; 0 where the word is not in the catalogue.
    Word = 1,
    /// A boolean of a `state` object: 0 or 1.
    Flag = 2,
}

/// Packs a sample's kind and the position of its object in the extension (for paths such as `extension[3].values.x`).
#[must_use]
pub const fn sample_flags(kind: SampleKind, object: u32) -> u32 {
    (kind as u32) | (object << 8)
}

/// The kind in a sample's flags.
#[must_use]
pub const fn sample_kind(flags: u32) -> SampleKind {
    match flags & 0xff {
        1 => SampleKind::Word,
        2 => SampleKind::Flag,
        _ => SampleKind::Number,
    }
}

/// The position of a sample's object in the extension.
#[must_use]
pub const fn sample_object(flags: u32) -> u32 {
    flags >> 8
}

/// Extension objects that travel as JSON text (PROTOCOL section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ObjectKind {
    /// `inventory`
    Inventory,
    /// `topology`
    Topology,
    /// `alarm`
    Alarm,
    /// `usage`
    Usage,
    /// `event`
    Event,
}

impl ObjectKind {
    /// All five.
    pub const ALL: [Self; 5] = [Self::Inventory, Self::Topology, Self::Alarm, Self::Usage, Self::Event];

    /// The word in `type`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inventory => "inventory",
            Self::Topology => "topology",
            Self::Alarm => "alarm",
            Self::Usage => "usage",
            Self::Event => "event",
        }
    }

    /// The kind of a `type`, if it is one of these.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// An extension object kept as text: where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectText {
    /// Position of the report in the batch.
    pub report: u32,
    /// Position of the object in the report's extension.
    pub index: u32,
    /// What it is.
    pub kind: ObjectKind,
    /// Start of its JSON text in [`ReportBatch::text`].
    pub start: u32,
    /// End of its JSON text.
    pub end: u32,
}

/// Something that the decoder found wrong with an object of section 4 (wrong JSON type, missing key). The handler
/// decides what follows: a vendor's handler may know better.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Position of the report in the batch.
    pub report: u32,
    /// Path such as `extension[3].values.qber_ratio`.
    pub path: String,
    /// What is wrong, as the rest of a sentence: `expected a number`.
    pub message: String,
}

/// Reports as parallel arrays. All sample arrays have the same length; reports refer to them by end offsets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReportBatch {
    /// One entry a report, in order of arrival.
    pub reports: Vec<ReportHead>,
    /// Symbol of each sample's value name.
    pub names: Vec<u32>,
    /// Symbol of each sample's resource; 0 is the component itself.
    pub resources: Vec<u32>,
    /// Each sample's value.
    pub values: Vec<f64>,
    /// Each sample's kind and object, see [`sample_flags`].
    pub flags: Vec<u32>,
    /// JSON text kept as received; reports and objects point into it.
    pub text: Vec<u8>,
    /// Objects of types that do not travel as samples.
    pub objects: Vec<ObjectText>,
    /// What the decoder found wrong; empty in the ordinary course.
    pub faults: Vec<Fault>,
}

impl ReportBatch {
    /// Number of reports.
    #[must_use]
    pub fn len(&self) -> usize {
        self.reports.len()
    }

    /// Whether there is no report.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.reports.is_empty()
    }

    /// Where report `index`'s samples stand in the arrays.
    #[must_use]
    pub fn samples(&self, index: usize) -> std::ops::Range<usize> {
        let start = index.checked_sub(1).and_then(|before| self.reports.get(before)).map_or(0, |head| head.samples_end);
        let end = self.reports.get(index).map_or(start, |head| head.samples_end);
        start as usize..end as usize
    }

    /// The extension's JSON text of report `index`, empty if it was not kept.
    #[must_use]
    pub fn extension_text(&self, index: usize) -> &str {
        self.reports.get(index).map_or("", |head| self.text_between(head.text_start, head.text_end))
    }

    /// The JSON text of an object.
    #[must_use]
    pub fn object_text(&self, object: &ObjectText) -> &str {
        self.text_between(object.start, object.end)
    }

    fn text_between(&self, start: u32, end: u32) -> &str {
        let bytes = self.text.get(start as usize..end as usize).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }

    /// Appends all of `other`, moving its positions.
    pub fn append(&mut self, other: &Self) {
        let at = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let (reports, samples, text) = (at(self.reports.len()), at(self.values.len()), at(self.text.len()));
        self.reports.extend(other.reports.iter().map(|head| ReportHead {
            samples_end: head.samples_end + samples,
            text_start: head.text_start + text,
            text_end: head.text_end + text,
            ..*head
        }));
        self.names.extend_from_slice(&other.names);
        self.resources.extend_from_slice(&other.resources);
        self.values.extend_from_slice(&other.values);
        self.flags.extend_from_slice(&other.flags);
        self.text.extend_from_slice(&other.text);
        self.objects.extend(other.objects.iter().map(|object| ObjectText {
            report: object.report + reports,
            start: object.start + text,
            end: object.end + text,
            ..*object
        }));
        self.faults.extend(other.faults.iter().map(|fault| Fault { report: fault.report + reports, ..fault.clone() }));
    }

    /// Takes the last report out again, with everything it brought.
    pub fn pop(&mut self) {
        let Some(last) = self.reports.len().checked_sub(1) else { return };
        let samples = self.samples(last).start;
        for array in [&mut self.names, &mut self.resources, &mut self.flags] {
            array.truncate(samples);
        }
        self.values.truncate(samples);
        let of_last = |report: u32| report as usize >= last;
        let first_text = self.objects.iter().filter(|object| of_last(object.report)).map(|object| object.start).min();
        let head = self.reports.pop().unwrap_or_default();
        let text = first_text.unwrap_or(head.text_start).min(head.text_start);
        if head.text_end > head.text_start || first_text.is_some() {
            self.text.truncate(text as usize);
        }
        self.objects.retain(|object| !of_last(object.report));
        self.faults.retain(|fault| !of_last(fault.report));
    }

    /// Report `index` as a batch of its own.
    #[must_use]
    pub fn single(&self, index: usize) -> Self {
        let mut one = Self::default();
        let Some(head) = self.reports.get(index) else { return one };
        let range = self.samples(index);
        one.names.extend_from_slice(self.names.get(range.clone()).unwrap_or_default());
        one.resources.extend_from_slice(self.resources.get(range.clone()).unwrap_or_default());
        one.values.extend_from_slice(self.values.get(range.clone()).unwrap_or_default());
        one.flags.extend_from_slice(self.flags.get(range).unwrap_or_default());
        let at = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        one.text.extend_from_slice(self.extension_text(index).as_bytes());
        let text_end = at(one.text.len());
        one.reports.push(ReportHead { samples_end: at(one.values.len()), text_start: 0, text_end, ..*head });
        for object in self.objects.iter().filter(|object| object.report as usize == index) {
            let start = at(one.text.len());
            one.text.extend_from_slice(self.object_text(object).as_bytes());
            one.objects.push(ObjectText { report: 0, start, end: at(one.text.len()), ..*object });
        }
        one.faults.extend(
            self.faults
                .iter()
                .filter(|fault| fault.report as usize == index)
                .map(|fault| Fault { report: 0, ..fault.clone() }),
        );
        one
    }

    /// Empties the arrays and keeps their room.
    pub fn clear(&mut self) {
        self.reports.clear();
        self.names.clear();
        self.resources.clear();
        self.values.clear();
        self.flags.clear();
        self.text.clear();
        self.objects.clear();
        self.faults.clear();
    }

    /// The `index`th report's component.
    #[must_use]
    pub fn component(&self, index: usize) -> Symbol {
        Symbol(self.reports.get(index).map_or(0, |head| head.component))
    }
}
