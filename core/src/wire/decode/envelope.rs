//! The keys of a message around its extension (status protocol, section 3), and what they make of it.

use std::borrow::Cow;

use super::{DecodeOptions, Decoded, Reading, content_hash};
use crate::{
    config::limits,
    model::{
        ReportHead, Timestamp,
        component_id::MAX_COMPONENT_ID_CHARS,
        report_batch::{ObjectTime, head_flags},
    },
    wire::{
        json::{Broken, JsonError},
        message_type,
    },
};

/// A member that should have a certain JSON type.
#[derive(Clone, Debug, Default)]
pub(super) enum Field<T> {
    /// It is not there.
    #[default]
    Absent,
    /// It has another type.
    Wrong,
    /// As read.
    Is(T),
}

impl<T> Field<T> {
    /// The first of several is kept; that there are several is noticed elsewhere.
    pub(super) fn set(&mut self, read: Option<T>) {
        if matches!(self, Self::Absent) {
            *self = read.map_or(Self::Wrong, Self::Is);
        }
    }

    /// What is there, nothing, or a complaint about the member called `name`.
    fn optional(self, name: &str, expected: &str) -> Result<Option<T>, String> {
        match self {
            Self::Absent => Ok(None),
            Self::Wrong => Err(format!("`{name}`: expected {expected}")),
            Self::Is(value) => Ok(Some(value)),
        }
    }
}

/// The members of a message as read, in whatever order.
#[derive(Debug, Default)]
pub(super) struct Envelope<'l> {
    message_type: Field<Cow<'l, str>>,
    message_id: Field<Cow<'l, str>>,
    component_id: Field<Cow<'l, str>>,
    time: Field<Cow<'l, str>>,
    response: Field<Cow<'l, str>>,
    sequence: Field<u64>,
    incarnation: Field<u64>,
}

/// The members that every message has, checked.
struct Address<'l> {
    message_type: Cow<'l, str>,
    message_id: Option<Cow<'l, str>>,
    component_id: Option<Cow<'l, str>>,
}

impl<'l> Reading<'l, '_> {
    /// Walks the whole line. Afterwards the envelope holds what was read before an error, if there was one.
    pub(super) fn message(&mut self) -> Result<(), Broken> {
        if self.walk.json.peek() != Some(b'{') {
            return self.walk.json.broken("expected a JSON object");
        }
        let open = self.walk.open_object()?;
        let mut first = true;
        while self.walk.json.next_member(&mut first)? {
            let at = self.walk.json.position();
            let key = self.walk.json.string()?;
            self.envelope_member(at, &key)?;
        }
        self.walk.close_object(open);
        self.walk.json.end()
    }

    /// Takes the rest of a member of the message.
    fn envelope_member(&mut self, at: usize, key: &str) -> Result<(), Broken> {
        match key {
            "messageType" => {
                let read = self.text_member(key)?;
                self.envelope.message_type.set(read);
            }
            "messageId" => {
                let read = self.text_member(key)?;
                self.envelope.message_id.set(read);
            }
            "componentId" => {
                let read = self.text_member(key)?;
                self.envelope.component_id.set(read);
            }
            "time" => {
                let read = self.text_member(key)?;
                self.envelope.time.set(read);
            }
            "response" => {
                let read = self.text_member(key)?;
                self.envelope.response.set(read);
            }
            "sequence" => {
                let read = self.integer_member(key)?;
                self.envelope.sequence.set(read);
            }
            "incarnation" => {
                let read = self.integer_member(key)?;
                self.envelope.incarnation.set(read);
            }
            "extension" => {
                self.walk.key(key);
                self.walk.json.colon()?;
                self.extension()?;
            }
            _ => {
                self.walk.member(at, key)?;
            }
        }
        Ok(())
    }

    /// Takes the rest of a member: its text if it is a string.
    fn text_member(&mut self, key: &str) -> Result<Option<Cow<'l, str>>, Broken> {
        self.walk.key(key);
        self.walk.json.colon()?;
        if self.walk.json.peek() == Some(b'"') {
            return self.walk.json.string().map(Some);
        }
        self.walk.value().map(|_| None)
    }

    /// Takes the rest of a member: its number if it is an integer from 0 to 2^53-1.
    fn integer_member(&mut self, key: &str) -> Result<Option<u64>, Broken> {
        self.walk.key(key);
        self.walk.json.colon()?;
        if matches!(self.walk.json.peek(), Some(b'-' | b'0'..=b'9')) {
            return Ok(self.walk.json.integer()?.filter(|&integer| integer <= limits::MAX_SEQUENCE));
        }
        self.walk.value().map(|_| None)
    }

    /// What the line is, after [`Self::message`] and the first error found so far.
    pub(super) fn finish(mut self, error: Option<JsonError>, options: &DecodeOptions<'_>) -> Decoded<'l> {
        let envelope = std::mem::take(&mut self.envelope);
        let is_answer = matches!(&envelope.message_type, Field::Is(text) if message_type::is_answer(text));
        let message_id = readable(&envelope.message_id, limits::MESSAGE_ID_CHARS);
        let component_id = readable(&envelope.component_id, MAX_COMPONENT_ID_CHARS);
        let decoded = match error {
            Some(error) => Err(error.to_string()),
            None => self.judge(envelope, options),
        };
        decoded.unwrap_or_else(|reason| Decoded::Malformed { reason, message_id, component_id, is_answer })
    }

    /// A message of valid JSON; the error is why it is malformed.
    fn judge(&mut self, mut envelope: Envelope<'l>, options: &DecodeOptions<'_>) -> Result<Decoded<'l>, String> {
        let Address { message_type, message_id, component_id } = address(&mut envelope)?;
        let is_answer = match &*message_type {
            message_type::STATUS_REPORT => false,
            message_type::STATUS_REPORT_REQUEST_RESPONSE => true,
            message_type::SUBSCRIBE | message_type::UNSUBSCRIBE => {
                return self.subscribe(Address { message_type, message_id, component_id });
            }
            message_type::STATUS_REPORT_REQUEST if message_id.is_some() => {
                return self.request(Address { message_type, message_id, component_id });
            }
            other if message_type::is_answer(other) => {
                return Ok(self.peer_answer(Address { message_type, message_id, component_id }, envelope.response));
            }
            _ => return Ok(Decoded::Unsupported { message_type, message_id, component_id }),
        };
        let component_id = component_id.ok_or("`componentId` is missing")?;
        let time = source_time(envelope.time)?;
        let mut head = ReportHead { flags: head_flags::ANSWERS_REQUEST, ..ReportHead::default() };
        if !is_answer {
            head = numbered(envelope.sequence, envelope.incarnation)?;
        }
        if let Some(complaint) = self.extension.complaint() {
            return Err(complaint);
        }
        let answered = is_answer.then(|| answer_members(&message_id, envelope.response)).transpose()?;
        if self.extension.values > limits::REPORT_VALUES {
            let reason = format!("{} values, but a report may have {}", self.extension.values, limits::REPORT_VALUES);
            return Ok(Decoded::TooLarge { message_id, component_id, reason, is_answer });
        }
        self.complete(head, time, options);
        Ok(match answered {
            Some((message_id, response)) => Decoded::Answer { message_id, component_id, response },
            None => Decoded::Report { message_id, component_id },
        })
    }

    /// The text of the extension as it stands in the line.
    fn extension_text(&self) -> &'l str {
        let text: &'l str = self.text;
        text.get(self.extension.place.clone()).filter(|text| !text.is_empty()).unwrap_or("[]")
    }

    /// A request, which only some peers may send.
    fn request(&self, address: Address<'l>) -> Result<Decoded<'l>, String> {
        let Address { message_id, component_id, .. } = address;
        if let Some(complaint) = self.extension.complaint() {
            return Err(complaint);
        }
        let (message_id, component_id) = (message_id.unwrap_or_default(), component_id.unwrap_or_default());
        Ok(Decoded::Request { message_id, component_id, extension: self.extension_text() })
    }

    fn subscribe(&self, address: Address<'l>) -> Result<Decoded<'l>, String> {
        let Address { message_type, message_id, component_id } = address;
        let message_id = message_id.ok_or_else(|| format!("`{message_type}` needs a messageId"))?;
        let component_id = component_id.ok_or("`componentId` is missing")?;
        if let Some(complaint) = self.extension.complaint() {
            return Err(complaint);
        }
        let (ends, extension) = (message_type == message_type::UNSUBSCRIBE, self.extension_text());
        Ok(Decoded::Subscribe { ends, message_id, component_id, extension })
    }

    /// An answer that may be one to a message of ours, if it has what such an answer has.
    fn peer_answer(&self, address: Address<'l>, response: Field<Cow<'l, str>>) -> Decoded<'l> {
        let Address { message_type, message_id, component_id } = address;
        let ours = matches!(
            &*message_type,
            message_type::STATUS_REPORT_RESPONSE
                | message_type::SUBSCRIBE_RESPONSE
                | message_type::UNSUBSCRIBE_RESPONSE
        );
        match (message_id, response) {
            (Some(message_id), Field::Is(response)) if ours && self.extension.complaint().is_none() => {
                let (component_id, extension) = (component_id.unwrap_or_default(), self.extension_text());
                Decoded::PeerAnswer { message_type, message_id, component_id, response, extension }
            }
            _ => Decoded::UnaskedAnswer { message_type },
        }
    }

    /// Appends the head, and the text where it must be kept.
    fn complete(&mut self, mut head: ReportHead, message_time: Option<i64>, options: &DecodeOptions<'_>) {
        let now = options.now.0;
        let source = self.extension.times.source(message_time, now);
        head.time = now;
        self.notes.source_time = source.map(Timestamp);
        if let Some(source) = source {
            head.flags |= head_flags::HAS_TIME;
            if plausible(source, now) {
                head.time = source;
            } else {
                head.flags |= head_flags::TIME_REPLACED;
            }
        }
        head.content_hash = content_hash::report(message_time, self.extension.hash);
        let report = position(self.batch.reports.len());
        // Times that cannot be are not kept: such samples have their report's.
        let others = self.extension.times.each(message_time, now);
        let others = others.filter(|&(_, time)| time != head.time && plausible(time, now));
        self.batch.times.extend(others.map(|(object, time)| ObjectTime { report, object, time }));
        if self.extension.keep_text {
            head.flags |= head_flags::KEPT_TEXT;
        }
        head.samples_end = position(self.batch.values.len());
        head.text_start = position(self.batch.text.len());
        if head.flags & head_flags::KEPT_TEXT != 0 || options.keep_raw {
            self.keep_text(head.text_start);
        }
        head.text_end = position(self.batch.text.len());
        self.batch.reports.push(head);
    }

    /// Appends the extension's text; its objects, known by their place in the line so far, now lie in it.
    fn keep_text(&mut self, text_start: u32) {
        let extension = self.extension.place.clone();
        let start = position(extension.start);
        self.batch.text.extend_from_slice(self.text.as_bytes().get(extension).unwrap_or_default());
        let report = position(self.batch.reports.len());
        for object in self.batch.objects.iter_mut().rev().take_while(|object| object.report == report) {
            object.start = object.start - start + text_start;
            object.end = object.end - start + text_start;
        }
    }
}

/// Lengths and offsets here are far below 4 GiB: lines and batches are bounded.
pub(super) fn position(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// An ID for the answer to a malformed line, if it is one.
fn readable<'l>(field: &Field<Cow<'l, str>>, most: usize) -> Option<Cow<'l, str>> {
    match field {
        Field::Is(text) if (1..=most).contains(&length(text, most)) => Some(text.clone()),
        _ => None,
    }
}

/// Length in Unicode scalar values; exact only where it may exceed `most`.
fn length(text: &str, most: usize) -> usize {
    if text.len() <= most { text.len() } else { text.chars().count() }
}

fn address<'l>(envelope: &mut Envelope<'l>) -> Result<Address<'l>, String> {
    let text = |field: &mut Field<Cow<'l, str>>, name: &str, most: usize| {
        let text = std::mem::take(field).optional(name, "a string")?;
        match text.as_ref().map(|text| length(text, most)) {
            Some(0) => Err(format!("`{name}` is empty")),
            Some(chars) if chars > most => Err(format!("`{name}` has {chars} characters, but {most} are allowed")),
            _ => Ok(text),
        }
    };
    let message_id = text(&mut envelope.message_id, "messageId", limits::MESSAGE_ID_CHARS)?;
    let component_id = text(&mut envelope.component_id, "componentId", MAX_COMPONENT_ID_CHARS)?;
    let message_type = std::mem::take(&mut envelope.message_type).optional("messageType", "a string")?;
    let message_type = message_type.ok_or("`messageType` is missing")?;
    Ok(Address { message_type, message_id, component_id })
}

fn source_time(time: Field<Cow<'_, str>>) -> Result<Option<i64>, String> {
    let expected = "an RFC 3339 time such as 2026-01-31T12:00:00Z";
    match time.optional("time", expected)? {
        None => Ok(None),
        Some(text) => match Timestamp::parse(&text) {
            Some(time) => Ok(Some(time.0)),
            None => Err(format!("`time`: expected {expected}")),
        },
    }
}

/// The head of a report with its number.
fn numbered(sequence: Field<u64>, incarnation: Field<u64>) -> Result<ReportHead, String> {
    let expected = "an integer from 0 to 9007199254740991";
    let sequence = sequence.optional("sequence", expected)?;
    let incarnation = incarnation.optional("incarnation", expected)?;
    match (sequence, incarnation) {
        (None, None) => Ok(ReportHead::default()),
        (None, Some(_)) => Err("`incarnation` without `sequence`".to_owned()),
        (Some(sequence), incarnation) => Ok(ReportHead {
            sequence,
            incarnation: incarnation.unwrap_or(0),
            flags: head_flags::HAS_SEQUENCE,
            ..ReportHead::default()
        }),
    }
}

fn answer_members<'l>(
    message_id: &Option<Cow<'l, str>>,
    response: Field<Cow<'l, str>>,
) -> Result<(Cow<'l, str>, Cow<'l, str>), String> {
    let message_id = message_id.clone().ok_or("`messageId` is missing")?;
    let response = response.optional("response", "a string")?.ok_or("`response` is missing")?;
    Ok((message_id, response))
}

/// Whether a source time is near enough to the time of receipt to be used for history.
fn plausible(source: i64, now: i64) -> bool {
    let millis = |duration: std::time::Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    let (past, future) = (millis(limits::SOURCE_TIME_PAST), millis(limits::SOURCE_TIME_FUTURE));
    (now.saturating_sub(past)..=now.saturating_add(future)).contains(&source)
}
