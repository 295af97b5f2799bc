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

/// An extension object kept as text: where it stands, which is within its report's extension text.
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

/// The source time of an object's samples, where it is not its report's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectTime {
    /// Position of the report in the batch.
    pub report: u32,
    /// Position of the object in the report's extension, as in the samples' flags.
    pub object: u32,
    /// Milliseconds since 1970.
    pub time: i64,
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
    /// JSON text kept as received, in the order of the reports; reports and, within them, objects point into it.
    pub text: Vec<u8>,
    /// Objects of types that do not travel as samples.
    pub objects: Vec<ObjectText>,
    /// What the decoder found wrong; empty in the ordinary course.
    pub faults: Vec<Fault>,
    /// Times of objects that are not their report's, in the order of reports and objects; empty in the ordinary course.
    pub times: Vec<ObjectTime>,
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

    /// When a sample of report `index` with these flags was true at its source, milliseconds since 1970.
    #[must_use]
    pub fn sample_time(&self, index: usize, flags: u32) -> i64 {
        let report = u32::try_from(index).unwrap_or(u32::MAX);
        let own = self.times.binary_search_by_key(&(report, sample_object(flags)), |time| (time.report, time.object));
        let own = own.ok().and_then(|place| self.times.get(place));
        own.map_or_else(|| self.reports.get(index).map_or(0, |head| head.time), |time| time.time)
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
        self.times.extend(other.times.iter().map(|time| ObjectTime { report: time.report + reports, ..*time }));
    }

    /// Makes room for this many reports and samples at once.
    pub fn reserve(&mut self, reports: usize, samples: usize) {
        self.reports.reserve(reports);
        self.names.reserve(samples);
        self.resources.reserve(samples);
        self.values.reserve(samples);
        self.flags.reserve(samples);
    }

    /// Takes the last report out again, with everything it brought.
    pub fn pop(&mut self) {
        let Some(last) = self.reports.len().checked_sub(1) else { return };
        let samples = self.samples(last).start;
        for array in [&mut self.names, &mut self.resources, &mut self.flags] {
            array.truncate(samples);
        }
        self.values.truncate(samples);
        let head = self.reports.pop().unwrap_or_default();
        if head.text_end > head.text_start {
            self.text.truncate(head.text_start as usize);
        }
        let of_last = |report: u32| report as usize >= last;
        while self.objects.pop_if(|object| of_last(object.report)).is_some() {}
        while self.faults.pop_if(|fault| of_last(fault.report)).is_some() {}
        while self.times.pop_if(|time| of_last(time.report)).is_some() {}
    }

    /// Report `index` as a batch of its own.
    #[must_use]
    pub fn single(&self, index: usize) -> Self {
        let Some(head) = self.reports.get(index) else { return Self::default() };
        let range = self.samples(index);
        let samples = |array: &[u32]| array.get(range.clone()).unwrap_or_default().to_vec();
        let text = self.extension_text(index).as_bytes().to_vec();
        let at = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let of_it = |report: u32| report as usize == index;
        let objects = self.objects.iter().filter(|object| of_it(object.report)).map(|object| ObjectText {
            report: 0,
            start: object.start.saturating_sub(head.text_start),
            end: object.end.saturating_sub(head.text_start),
            ..*object
        });
        let faults = self.faults.iter().filter(|fault| of_it(fault.report));
        let times = self.times.iter().filter(|time| of_it(time.report));
        Self {
            reports: vec![ReportHead {
                samples_end: at(range.len()),
                text_start: 0,
                text_end: at(text.len()),
                ..*head
            }],
            names: samples(&self.names),
            resources: samples(&self.resources),
            values: self.values.get(range.clone()).unwrap_or_default().to_vec(),
            flags: samples(&self.flags),
            text,
            objects: objects.collect(),
            faults: faults.map(|fault| Fault { report: 0, ..fault.clone() }).collect(),
            times: times.map(|time| ObjectTime { report: 0, ..*time }).collect(),
        }
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
        self.times.clear();
    }

    /// The `index`th report's component.
    #[must_use]
    pub fn component(&self, index: usize) -> Symbol {
        Symbol(self.reports.get(index).map_or(0, |head| head.component))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A report alone, made of a few numbers: samples, bytes of text, objects, faults.
    fn report(number: u64, samples: u32, text: u32, objects: u32, faults: u32) -> ReportBatch {
        let numbers = |offset: u32| (0..samples).map(|i| i + offset).collect::<Vec<u32>>();
        let objects = if text == 0 { 0 } else { objects };
        ReportBatch {
            reports: vec![ReportHead {
                sequence: number,
                samples_end: samples,
                text_end: text,
                ..ReportHead::default()
            }],
            names: numbers(10),
            resources: numbers(20),
            values: numbers(30).into_iter().map(f64::from).collect(),
            flags: numbers(40),
            text: (0..text).map(|i| b'a' + u8::try_from((u64::from(i) + number) % 26).unwrap()).collect(),
            objects: (0..objects)
                .map(|index| ObjectText { report: 0, index, kind: ObjectKind::Event, start: index % text, end: text })
                .collect(),
            faults: (0..faults).map(|i| Fault { report: 0, path: i.to_string(), message: String::new() }).collect(),
            times: (0..faults).map(|object| ObjectTime { report: 0, object, time: 7 }).collect(),
        }
    }

    fn reports() -> impl Strategy<Value = Vec<ReportBatch>> {
        let one = (any::<u64>(), 0_u32..5, 0_u32..6, 0_u32..3, 0_u32..2);
        prop::collection::vec(one.prop_map(|(n, s, t, o, f)| report(n % 1000, s, t, o, f)), 0..8)
    }

    fn joined(reports: &[ReportBatch]) -> ReportBatch {
        let mut batch = ReportBatch::default();
        reports.iter().for_each(|one| batch.append(one));
        batch
    }

    proptest! {
        #[test]
        fn reports_come_apart_as_they_were_joined(reports in reports()) {
            let batch = joined(&reports);
            prop_assert_eq!(batch.len(), reports.len());
            for (index, one) in reports.iter().enumerate() {
                prop_assert_eq!(&batch.single(index), one);
                let texts = |batch: &ReportBatch, report: usize| -> Vec<String> {
                    let of_it = batch.objects.iter().filter(|object| object.report as usize == report);
                    of_it.map(|object| batch.object_text(object).to_owned()).collect()
                };
                prop_assert_eq!(texts(&batch, index), texts(one, 0));
            }
            prop_assert_eq!(batch.single(reports.len()), ReportBatch::default());
        }

        #[test]
        fn append_joins_in_any_grouping(left in reports(), right in reports()) {
            let mut batch = joined(&left);
            batch.append(&joined(&right));
            prop_assert_eq!(batch, joined(&[left, right].concat()));
        }

        #[test]
        fn pop_takes_back_one_report(reports in reports()) {
            let mut batch = joined(&reports);
            for count in (0..reports.len()).rev() {
                batch.pop();
                prop_assert_eq!(&batch, &joined(&reports[..count]));
            }
            batch.pop();
            prop_assert!(batch.is_empty());
        }
    }
}
