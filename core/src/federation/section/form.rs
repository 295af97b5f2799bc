//! The filter that nothing gets past: what may be in a section, member by member.
//!
//! In: a value, whoever made it. Out: what of it has the form of its section, and where the rest was wrong. It is a list of
//! what there may be, with closed vocabularies wherever there is one, so that neither free text nor key material passes:
//! names that a component chose never get here, and numbers have bounds and few digits. It knows nothing of who reads.

use std::{collections::BTreeSet, fmt::Write as _};

use serde_json::{Map, Value};

use super::{contents::SECTIONS, rollup};
use crate::federation::protocol::{Freshness, MAX_COUNT};
use crate::model::{Catalogue, ReferencePoint, Severity, Timestamp, disclosure::is_name};

/// What a value may be.
#[derive(Clone, Copy, Debug)]
pub(in crate::federation) enum Form {
    /// A whole number up to [`MOST_COUNTED`].
    Count,
    /// A number from 0 to 1.
    Ratio,
    /// A number from 0 to this.
    UpTo(f64),
    /// Numbers with dots between them.
    Version,
    /// A full minute, UTC: `2026-01-01T12:05:00Z`.
    Minute,
    /// The version of a document.
    DocumentVersion,
    /// Half of a hash.
    HalfHash,
    /// The name of a link, domain or area.
    Name,
    /// The ID of a request: so long that nobody guesses it, too short for a key.
    RequestId,
    /// A time in whole seconds (RFC 3339), of this century.
    Time,
    /// One of these.
    OneOf(&'static [&'static str]),
    /// A word of a vocabulary.
    Of(Vocabulary),
    /// An object with these members and no others.
    Members(&'static [Member]),
    /// An object whose members have words of a vocabulary for names.
    By(Vocabulary, &'static Self),
    /// A list, bounded.
    List(&'static Self),
}

/// A member of an object.
#[derive(Clone, Copy, Debug)]
pub(in crate::federation) struct Member {
    name: &'static str,
    form: Form,
    /// Without it the object says nothing.
    required: bool,
}

pub(in crate::federation) const fn member(name: &'static str, form: Form) -> Member {
    Member { name, form, required: false }
}

pub(in crate::federation) const fn required(name: &'static str, form: Form) -> Member {
    Member { name, form, required: true }
}

/// Words that there are a fixed set of.
#[derive(Clone, Copy, Debug)]
pub(in crate::federation) enum Vocabulary {
    /// Reference points.
    Points,
    /// Severities (RFC 8632).
    Severities,
    /// Alarm types of the catalogue, and one word for all others.
    AlarmTypes,
    /// Names of sections.
    Sections,
    /// States of links.
    LinkStates,
    /// How an aggregator sees a domain.
    SourceStates,
}

impl Vocabulary {
    fn has(self, word: &str) -> bool {
        match self {
            Self::Points => ReferencePoint::ALL.iter().any(|point| point.as_str() == word),
            Self::Severities => Severity::ALL.iter().any(|severity| severity.as_str() == word),
            Self::AlarmTypes => Catalogue::get().shared_alarm_type(word) == word,
            Self::Sections => super::names().any(|name| name == word),
            Self::LinkStates => STATES.contains(&word),
            Self::SourceStates => is_source_state(word),
        }
    }

    const fn expected(self) -> &'static str {
        match self {
            Self::Points => "a reference point",
            Self::Severities => "a severity",
            Self::AlarmTypes => "an alarm type of the catalogue, or `other`",
            Self::Sections => "the name of a section",
            Self::LinkStates => "the state of a link",
            Self::SourceStates => "how a domain is seen",
        }
    }
}

/// Of a link or key relation.
pub(super) const STATES: [&str; 4] = ["up", "degraded", "down", "unknown"];
/// Entries of a list in a section.
const MOST_ENTRIES: usize = 256;
/// Of anything counted: no network of today has more, and no number that is a key in disguise passes.
pub(super) const MOST_COUNTED: u64 = 9_999_999;
/// Bits per second: a terabit, far above any QKD link.
pub(super) const MOST_RATE_BPS: f64 = 1e12;
/// Seconds: ten years.
pub(super) const MOST_SECONDS: f64 = 315_360_000.0;
/// Significant digits of a number that is not counted.
const DIGITS: i32 = 4;
/// Characters of a version.
const VERSION_CHARS: usize = 16;
/// Faults told of one section.
const MOST_FAULTS: usize = 8;

/// From 2000 to 2100: milliseconds since 1970.
const TIMES: std::ops::Range<i64> = 946_684_800_000..4_102_444_800_000;
/// Hexadecimal digits of the ID of a request.
const REQUEST_ID_DIGITS: usize = 16;

/// Whether a text can be the ID of a request.
pub(in crate::federation) fn is_request_id(text: &str) -> bool {
    text.len() == REQUEST_ID_DIGITS && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_version(text: &str) -> bool {
    let numbers = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    text.len() <= VERSION_CHARS && text.split('.').all(numbers)
}

fn is_source_state(word: &str) -> bool {
    [rollup::UNHEARD, rollup::DISPUTED].contains(&word) || Freshness::ALL.iter().any(|one| one.as_str() == word)
}

/// Key generation, epoch and number, with dots.
fn is_document_version(text: &str) -> bool {
    let counts = |part: &str| is_version(part) && part.parse::<u64>().is_ok_and(|count| count <= MAX_COUNT);
    text.split('.').count() == 3 && text.split('.').all(counts)
}

/// Whether this is a full minute of this century, written in the one way that we write it.
fn is_minute(text: &str) -> bool {
    let full = text.len() == 20 && text.starts_with("20") && text.ends_with(":00Z");
    full && Timestamp::parse(text).is_some_and(|time| super::minute(time) == text)
}

/// A number with few digits: what is measured is known no better, and what is more would be room for something else.
fn rounded(number: f64) -> f64 {
    format!("{number:.*e}", DIGITS as usize - 1).parse().unwrap_or(number)
}

/// What was found of a value.
#[derive(Clone, Debug, PartialEq)]
pub struct Fitted {
    /// What has the form.
    pub value: Value,
    /// What did not: where, and what was expected; the first few.
    pub faults: Vec<String>,
}

#[derive(Default)]
struct Fitting<'names> {
    path: String,
    faults: Vec<String>,
    /// The names that may be used; absent: all that look like names.
    names: Option<&'names BTreeSet<&'names str>>,
}

impl Fitting<'_> {
    fn fault(&mut self, problem: &str) {
        if self.faults.len() < MOST_FAULTS {
            let at = if self.path.is_empty() { "/" } else { &self.path };
            self.faults.push(format!("{at}: {problem}"));
        }
    }

    fn at<T>(&mut self, step: &dyn std::fmt::Display, look: impl FnOnce(&mut Self) -> T) -> T {
        let len = self.path.len();
        let _ = write!(self.path, "/{step}");
        let seen = look(self);
        self.path.truncate(len);
        seen
    }

    fn expected<T>(&mut self, value: Option<T>, expected: &str) -> Option<T> {
        if value.is_none() {
            self.fault(&format!("expected {expected}"));
        }
        value
    }

    fn fit(&mut self, value: &Value, form: &Form) -> Option<Value> {
        match form {
            Form::Count => {
                let number = value.as_u64().filter(|number| *number <= MOST_COUNTED).map(Value::from);
                self.expected(number, "a whole number from 0 to 9999999")
            }
            Form::Ratio => self.number(value, 1.0),
            Form::UpTo(most) => self.number(value, *most),
            Form::Version => {
                let text = value.as_str().filter(|text| is_version(text)).map(Value::from);
                self.expected(text, "numbers with dots between them")
            }
            Form::Minute => {
                let text = value.as_str().filter(|text| is_minute(text)).map(Value::from);
                self.expected(text, "a full minute, such as 2026-01-01T12:05:00Z")
            }
            Form::Name => self.named(value, is_name, "a name of at most 32 letters and digits"),
            Form::DocumentVersion => self.named(value, is_document_version, "the version of a document"),
            Form::HalfHash => self.named(value, rollup::is_half, "half of a hash in base64url"),
            Form::RequestId => self.named(value, is_request_id, "16 hexadecimal digits"),
            Form::Time => {
                let time = value.as_str().and_then(Timestamp::parse).filter(|time| TIMES.contains(&time.0));
                let time = time.filter(|time| time.0 % 1_000 == 0).map(|time| time.to_string().into());
                self.expected(time, "a time in whole seconds, such as 2026-11-26T08:00:00Z")
            }
            Form::OneOf(words) => {
                let text = value.as_str().filter(|text| words.contains(text)).map(Value::from);
                self.expected(text, &format!("one of {}", words.join(", ")))
            }
            Form::Of(words) => {
                let text = value.as_str().filter(|text| words.has(text)).map(Value::from);
                self.expected(text, words.expected())
            }
            Form::Members(members) => self.members(value, members),
            Form::By(words, form) => self.by(value, *words, form),
            Form::List(form) => self.list(value, form),
        }
    }

    /// Free text, as far as there is any: on its way out it has to be one of the names that may be used.
    fn named(&mut self, value: &Value, is_form: fn(&str) -> bool, expected: &str) -> Option<Value> {
        let may_be_used = |text: &&str| self.names.is_none_or(|names| names.contains(text));
        let text = value.as_str().filter(|text| is_form(text)).filter(may_be_used).map(Value::from);
        self.expected(text, expected)
    }

    fn number(&mut self, value: &Value, most: f64) -> Option<Value> {
        let number = value.as_f64().filter(|number| (0.0..=most).contains(number));
        Some(rounded(self.expected(number, &format!("a number from 0 to {most}"))?).into())
    }

    fn members(&mut self, value: &Value, members: &[Member]) -> Option<Value> {
        let object = self.expected(value.as_object(), "an object")?;
        let (mut kept, mut complete) = (Map::new(), true);
        for Member { name, form, required } in members {
            let found = match object.get(*name) {
                Some(value) => self.at(name, |fitting| fitting.fit(value, form)),
                None if *required => self.at(name, |fitting| fitting.expected(None, "to be there")),
                None => None,
            };
            complete &= found.is_some() || !required;
            kept.extend(found.map(|found| ((*name).to_owned(), found)));
        }
        complete.then_some(Value::Object(kept))
    }

    fn by(&mut self, value: &Value, words: Vocabulary, form: &Form) -> Option<Value> {
        let object = self.expected(value.as_object(), "an object")?;
        let mut kept = Map::new();
        for (name, value) in object {
            // A word that is not known is not repeated: it may be anything.
            if !words.has(name) {
                self.fault(&format!("expected each name to be {}", words.expected()));
            } else if let Some(found) = self.at(name, |fitting| fitting.fit(value, form)) {
                kept.insert(name.clone(), found);
            }
        }
        Some(Value::Object(kept))
    }

    fn list(&mut self, value: &Value, form: &Form) -> Option<Value> {
        let list = self.expected(value.as_array(), "a list")?;
        let mut kept = Vec::new();
        for (index, value) in list.iter().enumerate() {
            if kept.len() == MOST_ENTRIES {
                self.fault("expected at most 256 entries");
                break;
            }
            kept.extend(self.at(&index, |fitting| fitting.fit(value, form)));
        }
        Some(kept.into())
    }
}

/// A value that has its form, whole; its names are among these, if there are any.
///
/// # Errors
/// For the first place where it has not.
pub(in crate::federation) fn strict(
    value: &Value,
    form: &Form,
    names: Option<&BTreeSet<&str>>,
) -> Result<Value, String> {
    let mut fitting = Fitting { names, ..Fitting::default() };
    let found = fitting.fit(value, form);
    match (found, fitting.faults.into_iter().next()) {
        (Some(found), None) => Ok(found),
        (_, fault) => Err(fault.unwrap_or_default()),
    }
}

fn fit(name: &str, value: &Value, mut fitting: Fitting<'_>) -> Option<Fitted> {
    let (_, form) = SECTIONS.iter().find(|(known, _)| *known == name)?;
    let value = fitting.fit(value, form).unwrap_or_else(|| Value::Object(Map::new()));
    Some(Fitted { value, faults: fitting.faults })
}

/// What of a section of another domain has its form. `None`: there is no such section.
#[must_use]
pub(super) fn fitted(name: &str, value: &Value) -> Option<Fitted> {
    fit(name, value, Fitting::default())
}

/// What of a section may leave the domain: what has its form, with no names but these. `None`: there is no such section.
#[must_use]
pub(super) fn leaving(name: &str, value: &Value, names: &BTreeSet<&str>) -> Option<Fitted> {
    fit(name, value, Fitting { names: Some(names), ..Fitting::default() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn value(name: &str, value: &Value) -> Value {
        fitted(name, value).unwrap().value
    }

    #[test]
    fn what_is_not_known_does_not_pass() {
        let sneaky = json!({
            "components": { "mq": { "known": 3, "operator": "Jane", "connected": -1 }, "my-module": { "known": 1 } },
            "keyMaterial": "c2VjcmV0",
        });
        assert_eq!(value("health", &sneaky), json!({ "components": { "mq": { "known": 3 } } }));
        assert_eq!(fitted("inventory", &sneaky), None);
        let alarms = json!({ "types": { "link-down": 1, "other": 2, "rack 5, ask Jane": 3 }, "raised": { "major": 1, "bad": 2 } });
        let kept = json!({ "types": { "link-down": 1, "other": 2 }, "raised": { "major": 1 } });
        assert_eq!(value("alarms", &alarms), kept);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let link =
            |id: &str, state: &str, qber: f64| json!({ "id": id, "peer": "west", "state": state, "qberRatio": qber });
        let links =
            json!({ "ends": [link("a", "up", 0.02), link("b", "broken", 0.02), { "id": "c" }, link("d", "up", 1.5)] });
        let found = fitted("links", &links).unwrap();
        let kept = json!({ "ends": [link("a", "up", 0.02), { "id": "d", "peer": "west", "state": "up" }] });
        assert_eq!(found.value, kept);
        let faults = [
            "/ends/1/state: expected one of up, degraded, down, unknown",
            "/ends/2/peer: expected to be there",
            "/ends/2/state: expected to be there",
            "/ends/3/qberRatio: expected a number from 0 to 1",
        ];
        assert_eq!(found.faults, faults);
        let many = json!({ "ends": vec![json!(1); 300] });
        assert_eq!(fitted("links", &many).unwrap().faults.len(), MOST_FAULTS);
        // What has not the form does not count as an entry.
        let ends = [vec![json!(1); 300], vec![link("a", "up", 0.02)]].concat();
        let late = json!({ "ends": ends });
        assert_eq!(value("links", &late), json!({ "ends": [link("a", "up", 0.02)] }));
    }

    #[test]
    fn only_names_of_ours_leave() {
        let end = |id: &str| json!({ "id": id, "peer": "west", "state": "up" });
        let links = json!({ "ends": [end("vienna-brno"), end("c2VjcmV0LXNlY3JldA")] });
        let left = leaving("links", &links, &BTreeSet::from(["vienna-brno", "west"])).unwrap();
        assert_eq!(left.value, json!({ "ends": [end("vienna-brno")] }));
        assert_eq!(left.faults.len(), 1);
    }

    #[test]
    fn numbers_have_bounds_and_few_digits() {
        let link = |rate: f64| json!({ "ends": [{ "id": "a", "peer": "b", "state": "up", "secretKeyRateBps": rate }] });
        assert_eq!(value("links", &link(1_234.567_89)), link(1_235.0));
        assert!(fitted("links", &link(1e300)).unwrap().faults[0].starts_with("/ends/0/secretKeyRateBps: "));
        let huge = json!({ "raised": { "major": 12_345_678_901_234_u64 } });
        assert_eq!(value("alarms", &huge), json!({ "raised": {} }));
    }

    #[test]
    fn a_time_is_a_full_minute_of_this_century() {
        let since = |since: &str| {
            let service = json!({ "services": [{ "id": "a", "state": "met", "since": since }] });
            value("services", &service)["services"][0]["since"].is_string()
        };
        assert!(since("2026-01-01T12:05:00Z"));
        for never in
            ["2026-01-01T12:05:01Z", "1926-01-01T12:05:00Z", "2026-01-01T12:05:00+00", "2026-13-01T12:05:00Z", "now"]
        {
            assert!(!since(never), "{never}");
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            Just(Value::from("up")),
            Just(Value::from("2026-01-01T12:05:00Z")),
            "[a-zA-Z0-9+/=]{0,80}".prop_map(Value::from),
        ];
        #[rustfmt::skip]
        const KNOWN: [&str; 26] = [
            "components", "ends", "mq", "known", "id", "peer", "state", "raised", "types", "major", "link-down",
            "areas", "area", "worstAgeS", "sources", "origin", "domains", "states",
            "links", "relations", "services", "since", "start", "totals", "keyRateBps", "measured",
        ];
        let name = prop_oneof![prop::sample::select(&KNOWN[..]).prop_map(str::to_owned), "[a-z]{1,9}"];
        leaf.prop_recursive(4, 64, 8, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(name.clone(), inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// 32 bytes as somebody would write them to get them past a filter: in hexadecimal or base64, in one run or with
    /// separators every few characters.
    fn written_key() -> impl Strategy<Value = String> {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let base64 = |bytes: &[u8]| {
            let digit = |byte: &u8| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()]);
            bytes.iter().chain(&bytes[..11]).map(digit).collect::<String>()
        };
        (any::<[u8; 32]>(), any::<bool>(), 2_usize..40, prop::sample::select(vec!['-', '_', '.', ':', '/', ' ']))
            .prop_map(move |(bytes, as_hex, every, separator)| {
                let text = if as_hex { hex(&bytes) } else { base64(&bytes) };
                let chunks: Vec<String> =
                    text.chars().collect::<Vec<_>>().chunks(every).map(String::from_iter).collect();
                chunks.join(&separator.to_string())
            })
    }

    /// Puts a text in every place where there is one, as a value and as a name.
    fn planted(value: &Value, text: &str) -> Value {
        match value {
            Value::Object(members) => {
                let mut all: Map<String, Value> =
                    members.iter().map(|(name, value)| (name.clone(), planted(value, text))).collect();
                all.insert(text.to_owned(), 1.into());
                Value::Object(all)
            }
            Value::Array(values) => {
                values.iter().map(|value| planted(value, text)).chain([Value::from(text)]).collect()
            }
            Value::String(_) => text.into(),
            other => other.clone(),
        }
    }

    fn whole(name: &str) -> Value {
        let end = json!({ "id": "a", "peer": "b", "state": "up", "qberRatio": 0.1 });
        let range = json!({ "min": 0.1, "max": 0.2, "count": 2 });
        let ranges = json!({ "states": { "up": 2 }, "qberRatio": range });
        match name {
            "health" => json!({ "components": { "mq": { "known": 1 } } }),
            "alarms" => json!({ "raised": { "major": 1 }, "types": { "link-down": 1 } }),
            "links" => json!({ "ends": [end] }),
            "linkRanges" => ranges,
            "rollup" => {
                let hash = "AAAAAAAAAAAAAAAAAAAAAA";
                let source = json!({ "origin": "b", "state": "fresh", "ageS": 45, "audience": "area", "version": "1.2.3",
                    "manifestHash": hash, "contentHash": hash });
                json!({ "areas": [{ "area": "a", "components": { "mq": { "known": 1 } }, "raised": { "major": 1 },
                    "links": ranges, "domains": { "fresh": 1 }, "worstAgeS": 45, "sources": [source] }] })
            }
            "maintenance" => {
                let times = ["2026-01-01T00:00:00.000Z", "2026-01-01T02:00:00.000Z"];
                let window = json!({
                    "id": "0123456789abcdef", "links": ["a"], "from": times[0], "until": times[1], "effect": "none",
                    "state": "announced",
                });
                json!({ "announced": 1, "underWay": 0, "windows": [window] })
            }
            "incidents" => {
                let incident = json!({
                    "id": 7, "link": "a", "since": "2026-01-01T00:00:00.000Z", "severity": "major",
                    "alarmType": "link-down", "state": "open",
                });
                json!({ "raised": { "major": 1 }, "open": [incident] })
            }
            "interDomainLinks" => {
                json!({ "links": [{ "id": "a", "peer": "b", "state": "up", "keyStoreFillRatio": 0.3 }] })
            }
            "keyRelations" => json!({ "relations": [{ "id": "a", "peer": "b", "state": "up", "keyRateBps": 12.0 }] }),
            "services" => {
                let figure = json!({ "objective": 1.0, "measured": 2.0, "state": "met" });
                json!({ "services": [{ "id": "a", "state": "met", "since": "2026-01-01T12:05:00Z", "keyRateBps": figure }] })
            }
            "settlement" => {
                let total = json!({ "start": "2026-01-01T12:00:00Z", "intervals": 3, "consumedBits": 256.0 });
                json!({ "period": "hour", "totals": [total] })
            }
            _ => json!({ "program": "p", "version": "1.0", "referencePoints": ["mq"], "sections": ["health"] }),
        }
    }

    #[test]
    fn what_a_section_is_for_passes_whole() {
        for (name, _) in SECTIONS {
            assert_eq!(fitted(name, &whole(name)), Some(Fitted { value: whole(name), faults: Vec::new() }));
        }
    }

    proptest! {
        #[test]
        fn the_filter_lets_its_own_work_pass(value in any_json()) {
            for (name, _) in SECTIONS {
                let once = fitted(name, &value).unwrap().value;
                prop_assert_eq!(fitted(name, &once), Some(Fitted { value: once, faults: Vec::new() }));
            }
        }

        #[test]
        fn no_key_passes_however_it_is_written(value in any_json(), key in written_key()) {
            for (name, _) in SECTIONS {
                for value in [&value, &whole(name)] {
                    let left = fitted(name, &planted(value, &key)).unwrap();
                    let text = format!("{left:?}");
                    prop_assert!(!text.contains(&key), "{text}");
                }
            }
        }

        #[test]
        fn no_text_of_an_attackers_choice_names_a_member(text in "[ -~]{1,40}") {
            let left = fitted("alarms", &planted(&whole("alarms"), &text)).unwrap().value;
            for (name, _) in left["types"].as_object().unwrap().iter().chain(left["raised"].as_object().unwrap()) {
                prop_assert!(Vocabulary::AlarmTypes.has(name) || Vocabulary::Severities.has(name), "{name}");
            }
        }
    }
}
