//! The extension of a report: an array of objects (status protocol, section 4).

use std::{borrow::Cow, ops::Range};

use super::{
    Reading, content_hash,
    envelope::{Field, position},
    names::Group,
    truncate_samples,
};
use crate::{
    config::limits,
    model::{Fault, ObjectKind, Timestamp, report_batch::ObjectText, unknown::UnknownKind},
    wire::json::Broken,
};

/// Most faults kept of one report: the first one refuses it, a few more help its author.
pub(super) const MOST_FAULTS: usize = 16;

/// What is known of the extension so far.
#[derive(Debug, Default)]
pub(super) struct Extension {
    /// Where its text stands in the line.
    pub(super) place: Range<usize>,
    pub(super) hash: u64,
    /// Members of `values`, of all objects.
    pub(super) values: usize,
    /// Something is not in the arrays.
    pub(super) keep_text: bool,
    pub(super) times: ObjectTimes,
    faults: usize,
    not_array: bool,
    /// The first element that is no object.
    not_object: Option<u32>,
}

impl Extension {
    /// A message without one says the same as with an empty one.
    pub(super) fn absent() -> Self {
        Self { hash: content_hash::EMPTY, ..Self::default() }
    }

    /// Why the message is malformed.
    pub(super) fn complaint(&self) -> Option<String> {
        if self.not_array {
            return Some("`extension`: expected an array of objects".to_owned());
        }
        self.not_object.map(|index| format!("`extension[{index}]`: expected an object"))
    }
}

/// Source times of the objects with samples.
#[derive(Debug, Default)]
pub(super) struct ObjectTimes {
    /// Latest of their own times.
    own: Option<i64>,
    some_without: bool,
    /// Position of each and its own time, once one has a time of its own.
    each: Vec<(u32, Option<i64>)>,
}

impl ObjectTimes {
    fn add(&mut self, object: u32, own: Option<i64>) {
        self.some_without |= own.is_none();
        // In the ordinary course no object has a time, and nothing is noted.
        if own.is_none() && self.own.is_none() {
            return;
        }
        if self.own.is_none() {
            self.each.extend((0..object).map(|before| (before, None)));
        }
        self.own = self.own.max(own);
        self.each.push((object, own));
    }

    /// The source time of the report, if it has one: the latest of its objects'.
    pub(super) fn source(&self, message: Option<i64>, now: i64) -> Option<i64> {
        match self.own {
            None => message,
            Some(latest) if self.some_without => Some(latest.max(message.unwrap_or(now))),
            latest => latest,
        }
    }

    /// Objects and their times, where some object has one of its own.
    pub(super) fn each(&self, message: Option<i64>, now: i64) -> impl Iterator<Item = (u32, i64)> {
        let others = message.unwrap_or(now);
        self.each.iter().map(move |&(object, own)| (object, own.unwrap_or(others)))
    }
}

/// What an object's `type` says.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Missing,
    NoString,
    Samples(Group),
    Text(ObjectKind),
    /// `notification` or `gap`: about the subscription, not the component.
    Notice,
    /// `mx.*`: what managers exchange about their domains.
    Exchange,
    Unknown,
}

impl Kind {
    fn parse(text: &str) -> Self {
        match text {
            "performance" => Self::Samples(Group::Performance),
            "state" => Self::Samples(Group::State),
            "notification" | "gap" => Self::Notice,
            other if other.starts_with("mx.") => Self::Exchange,
            _ => ObjectKind::parse(text).map_or(Self::Unknown, Self::Text),
        }
    }
}

/// What an object's `values` turned out to be.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Values {
    Missing,
    NoObject,
    /// An object whose samples have been taken.
    Taken,
    /// An object that was walked before the type was known: its offset, and how many members it has.
    Passed(usize, usize),
}

/// An extension object being read.
struct Object<'l> {
    index: u32,
    start: usize,
    samples_from: usize,
    kind: Kind,
    values: Values,
    resource: Field<Cow<'l, str>>,
    time: Field<Option<i64>>,
}

impl<'l> Reading<'l, '_> {
    /// Takes the value of `extension`.
    pub(super) fn extension(&mut self) -> Result<(), Broken> {
        if self.walk.json.peek() != Some(b'[') {
            self.extension.not_array = true;
            return self.walk.value().map(drop);
        }
        let start = self.walk.json.position();
        self.walk.json.enter()?;
        let (mut first, mut index, mut hash) = (true, 0_u32, content_hash::EMPTY);
        while self.walk.json.next_element(&mut first)? {
            let element = if self.walk.json.peek() == Some(b'{') {
                self.object(index)?
            } else {
                self.extension.not_object.get_or_insert(index);
                self.walk.value()?.hash
            };
            hash = content_hash::element(hash, element);
            index += 1;
        }
        self.walk.json.leave();
        self.extension.place = start..self.walk.json.position();
        self.extension.hash = hash;
        Ok(())
    }

    /// Takes one object: its hash.
    fn object(&mut self, index: u32) -> Result<u64, Broken> {
        let mut object = Object {
            index,
            start: self.walk.json.position(),
            samples_from: self.batch.values.len(),
            kind: Kind::Missing,
            values: Values::Missing,
            resource: Field::Absent,
            time: Field::Absent,
        };
        let open = self.walk.open_object()?;
        let (mut first, mut sum) = (true, 0_u64);
        while self.walk.json.next_member(&mut first)? {
            let at = self.walk.json.position();
            let key = self.walk.json.string()?;
            let member = if matches!(&*key, "type" | "values" | "resource" | "time") {
                let hash = self.walk.key(&key);
                self.walk.json.colon()?;
                content_hash::mix(hash, self.known_key(&key, &mut object)?)
            } else {
                self.walk.member(at, &key)?
            };
            sum = sum.wrapping_add(member);
        }
        let end = self.walk.json.position();
        self.late_values(&mut object)?;
        self.walk.close_object(open);
        self.finish_object(object, end);
        Ok(content_hash::object(sum))
    }

    /// Takes the value of a key that all objects share: its hash.
    fn known_key(&mut self, key: &str, object: &mut Object<'l>) -> Result<u64, Broken> {
        if key == "values" {
            return self.object_values(object);
        }
        if self.walk.json.peek() != Some(b'"') {
            match key {
                "type" => object.kind = Kind::NoString,
                "resource" => object.resource.set(None),
                _ => object.time.set(None),
            }
            return Ok(self.walk.value()?.hash);
        }
        let text = self.walk.json.string()?;
        let mut hash = content_hash::string(&text);
        match key {
            "type" => {
                object.kind = Kind::parse(&text);
                if object.kind == Kind::Unknown {
                    self.notes.unknown(UnknownKind::Type, &text);
                }
            }
            "resource" => object.resource.set(Some(text)),
            _ => {
                let time = Timestamp::parse(&text).map(|time| time.0);
                // A time is the same however it is written.
                hash = time.map_or(hash, |time| content_hash::number(time as f64));
                object.time.set(Some(time));
            }
        }
        Ok(hash)
    }

    fn object_values(&mut self, object: &mut Object<'l>) -> Result<u64, Broken> {
        if self.walk.json.peek() != Some(b'{') {
            object.values = Values::NoObject;
            return Ok(self.walk.value()?.hash);
        }
        if let Kind::Samples(group) = object.kind {
            object.values = Values::Taken;
            return self.sample_values(group, object.index);
        }
        let at = self.walk.json.position();
        let walked = self.walk.value()?;
        self.extension.values += walked.members;
        object.values = Values::Passed(at, walked.members);
        Ok(walked.hash)
    }

    /// Takes the samples of values that came before the type.
    fn late_values(&mut self, object: &mut Object<'l>) -> Result<(), Broken> {
        if let (Kind::Samples(group), Values::Passed(at, members)) = (object.kind, object.values) {
            let end = self.walk.json.position();
            self.walk.json.set_position(at);
            self.extension.values -= members;
            self.sample_values(group, object.index)?;
            self.walk.json.set_position(end);
            object.values = Values::Taken;
        }
        Ok(())
    }

    fn finish_object(&mut self, object: Object<'l>, end: usize) {
        let index = object.index;
        match object.kind {
            Kind::Samples(group) => {
                match group {
                    Group::Performance => self.notes.has_performance = true,
                    Group::State => self.notes.has_state = true,
                }
                return self.finish_samples(object);
            }
            Kind::Text(kind) => self.batch.objects.push(ObjectText {
                report: position(self.batch.reports.len()),
                index,
                kind,
                start: position(object.start),
                end: position(end),
            }),
            Kind::Notice => {
                self.notes.notification |= index == 0;
                return self.notice(&object, end);
            }
            Kind::Exchange if self.exchange => {
                return self.notes.exchange.push(self.text.get(object.start..end).unwrap_or_default().to_owned());
            }
            Kind::Unknown | Kind::Exchange => self.notes.unknown_types += 1,
            Kind::Missing => self.fault(format!("extension[{index}]"), "expected a key `type`"),
            Kind::NoString => self.fault(format!("extension[{index}].type"), "expected a string"),
        }
        self.extension.keep_text = true;
    }

    /// Notes what is said of the subscription; it is no status, so the report need not be kept as text for it.
    fn notice(&mut self, object: &Object<'l>, end: usize) {
        let text = self.text.get(object.start..end).unwrap_or_default();
        let belongs = object.index == 0 || !self.notes.notices.is_empty();
        if belongs && self.notes.notices.len() < limits::NOTICES_PER_REPORT && text.len() <= limits::NOTICE_BYTES {
            self.notes.notices.push(text.to_owned());
        }
    }

    /// Gives the object's samples their resource and the report their time.
    fn finish_samples(&mut self, object: Object<'l>) {
        let index = object.index;
        if object.values != Values::Taken {
            self.fault(format!("extension[{index}].values"), "expected an object with values");
        }
        let time = match object.time {
            Field::Absent => None,
            Field::Is(Some(time)) => Some(time),
            Field::Wrong | Field::Is(None) => {
                self.fault(format!("extension[{index}].time"), "expected an RFC 3339 time");
                None
            }
        };
        let resource = match &object.resource {
            Field::Absent => Ok(""),
            Field::Is(text) if text.len() <= limits::RESOURCE_CHARS => Ok(&**text),
            Field::Is(text) if text.chars().count() <= limits::RESOURCE_CHARS => Ok(&**text),
            Field::Is(_) => Err("expected at most 256 characters"),
            Field::Wrong => Err("expected a string"),
        };
        match resource {
            Ok(resource) if self.batch.values.len() > object.samples_from => {
                let number = self.resources.number(resource, index);
                self.batch.resources.resize(self.batch.values.len(), number);
                self.extension.times.add(index, time);
            }
            Ok(_) => {}
            Err(expected) => {
                // Samples of a resource that has no name would speak of the component.
                truncate_samples(self.batch, object.samples_from);
                self.fault(format!("extension[{index}].resource"), expected);
            }
        }
    }

    /// Notes what is wrong with an object; what the arrays do not say is kept as text.
    pub(super) fn fault(&mut self, path: String, message: &str) {
        self.extension.keep_text = true;
        if self.extension.faults < MOST_FAULTS {
            self.extension.faults += 1;
            let report = position(self.batch.reports.len());
            self.batch.faults.push(Fault { report, path, message: message.to_owned() });
        }
    }
}
