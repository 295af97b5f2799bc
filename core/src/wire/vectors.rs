//! Runs the test vectors that the project publishes for authors of components (`tests/vectors`).

use std::{borrow::Cow, path::Path};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{DecodeOptions, Decoded, Decoder, Frame, Frames, Notes, subscription};
use crate::model::{
    Catalogue, ReportBatch, Symbol, SymbolTable, Timestamp,
    report_batch::{SampleKind, head_flags, sample_kind, sample_object},
};

#[derive(Deserialize)]
#[serde(untagged)]
enum Text {
    Plain(String),
    Pieces(Vec<Piece>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Piece {
    Plain(String),
    Repeated { repeat: String, times: usize },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Case {
    name: String,
    point: Option<crate::model::ReferencePoint>,
    r#in: Option<Text>,
    in_hex: Option<String>,
    max_line_bytes: Option<usize>,
    expect: serde_json::Map<String, Value>,
}

impl Case {
    fn bytes(&self) -> Vec<u8> {
        match (&self.r#in, &self.in_hex) {
            (Some(Text::Plain(text)), None) => text.clone().into_bytes(),
            (Some(Text::Pieces(pieces)), None) => pieces
                .iter()
                .map(|piece| match piece {
                    Piece::Plain(text) => text.clone(),
                    Piece::Repeated { repeat, times } => repeat.repeat(*times),
                })
                .collect::<String>()
                .into_bytes(),
            (None, Some(hex)) => hex
                .as_bytes()
                .chunks(2)
                .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
                .collect(),
            _ => panic!("{}: one of `in` and `inHex`", self.name),
        }
    }
}

fn cases(file: &str) -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors").join(file);
    let cases: Vec<Case> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(cases.len() >= 10);
    cases
}

/// The value of one key of `expect`, as the decoder has it.
fn seen(key: &str, decoded: &Decoded<'_>, batch: &ReportBatch, notes: &Notes, symbols: &SymbolTable) -> Value {
    let head = batch.reports.first().copied().unwrap_or_default();
    match key {
        "answer" => match decoded {
            Decoded::Report { .. } if batch.faults.is_empty() && notes.key_material.is_empty() => json!("success"),
            Decoded::Report { .. } => json!("rejected"),
            Decoded::TooLarge { is_answer: false, .. } => json!("too-large"),
            Decoded::Malformed { is_answer: false, .. } => json!("malformed"),
            // On Mx it would be answered; the vectors are of components.
            Decoded::Unsupported { .. } | Decoded::Request { .. } => json!("unsupported"),
            Decoded::Subscribe { ends: false, extension, .. } => match subscription::parse_subscribe(extension) {
                Ok(_) => json!("success"),
                Err(_) => json!("rejected"),
            },
            _ => Value::Null,
        },
        "response" => match decoded {
            Decoded::Answer { response, .. } => json!(response),
            _ => Value::Null,
        },
        "samples" => (0..batch.values.len())
            .map(|i| {
                let value = match sample_kind(batch.flags[i]) {
                    SampleKind::Number => json!(batch.values[i]),
                    SampleKind::Word => json!(symbols.text(Symbol(batch.values[i] as u32)).as_ref()),
                    SampleKind::Flag => json!(batch.values[i] > 0.0),
                };
                json!({
                    "object": sample_object(batch.flags[i]),
                    "name": symbols.text(Symbol(batch.names[i])).as_ref(),
                    "resource": symbols.text(Symbol(batch.resources[i])).as_ref(),
                    "value": value,
                })
            })
            .collect(),
        "sampleCount" => json!(batch.values.len()),
        "sequence" => json!(head.sequence),
        "incarnation" => json!(head.incarnation),
        "time" => json!(Timestamp(head.time).to_string()),
        "timeReplaced" => json!(head.flags & head_flags::TIME_REPLACED != 0),
        "unknownNames" => json!(notes.unknown_names),
        "unknownTypes" => json!(notes.unknown_types),
        "texts" => {
            batch.objects.iter().map(|object| json!({ "object": object.index, "type": object.kind.as_str() })).collect()
        }
        "faults" if matches!(decoded, Decoded::Subscribe { .. }) => match decoded {
            Decoded::Subscribe { extension, .. } => {
                subscription::parse_subscribe(extension).err().into_iter().map(|error| json!(error.path)).collect()
            }
            _ => Value::Null,
        },
        "faults" => batch.faults.iter().map(|fault| json!(fault.path)).collect(),
        "keyMaterial" => json!(notes.key_material),
        other => panic!("no such expectation: {other}"),
    }
}

/// Integers and doubles of the same value are the same.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| same(value, other)))
        }
        _ => left == right,
    }
}

fn ids(decoded: &Decoded<'_>) -> (Option<String>, Option<String>) {
    let owned = |id: &Option<Cow<'_, str>>| id.as_deref().map(str::to_owned);
    match decoded {
        Decoded::Report { message_id, component_id } | Decoded::TooLarge { message_id, component_id, .. } => {
            (owned(message_id), Some(component_id.clone().into_owned()))
        }
        Decoded::Unsupported { message_id, component_id, .. } | Decoded::Malformed { message_id, component_id, .. } => {
            (owned(message_id), owned(component_id))
        }
        Decoded::Subscribe { message_id, component_id, .. } | Decoded::Request { message_id, component_id, .. } => {
            (Some(message_id.clone().into_owned()), Some(component_id.clone().into_owned()))
        }
        Decoded::Answer { .. } | Decoded::PeerAnswer { .. } | Decoded::UnaskedAnswer { .. } => (None, None),
    }
}

#[test]
fn lines_are_understood_as_published() {
    let mut decoder = Decoder::new();
    let now = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
    let mut count = 0;
    for file in ["json.json", "envelope.json", "extension.json", "key-material.json", "content.json"] {
        let mut hashes = std::collections::HashMap::new();
        for case in cases(file) {
            let what = format!("{file}: {}", case.name);
            assert!(case.point.is_some(), "{what}: has a reference point");
            let symbols = SymbolTable::new();
            Catalogue::get().intern(&symbols);
            let (line, mut batch) = (case.bytes(), ReportBatch::default());
            let options = DecodeOptions { symbols: &symbols, now, keep_raw: false, exchange: false };
            let decoded = decoder.decode(&line, &mut batch, &options);
            decoder.bind_resources(&mut batch, &mut |text| Some(symbols.intern(text)));
            let hash = batch.reports.first().map(|head| head.content_hash);
            assert!(hashes.insert(case.name, hash).is_none(), "{what}: name occurs once");
            for (key, value) in &case.expect {
                match (key.as_str(), value.as_str()) {
                    ("messageId" | "componentId", _) => {}
                    ("sameContentAs", Some(other)) => assert_eq!(hash, hashes[other], "{what}"),
                    ("otherContentThan", Some(other)) => assert_ne!(hash, hashes[other], "{what}"),
                    (key, _) => {
                        let seen = seen(key, &decoded, &batch, decoder.notes(), &symbols);
                        assert!(same(&seen, value), "{what}: {key} is {seen}: {decoded:?}");
                    }
                }
            }
            if case.expect["answer"] != Value::Null {
                let (message_id, component_id) = ids(&decoded);
                let expected = |key: &str| case.expect.get(key).and_then(Value::as_str);
                assert_eq!(message_id.as_deref(), expected("messageId"), "{what}: {decoded:?}");
                assert_eq!(component_id.unwrap_or_default(), expected("componentId").unwrap(), "{what}: {decoded:?}");
            }
            count += 1;
        }
    }
    assert!(count >= 80);
}

#[test]
fn streams_are_framed_as_published() {
    for case in cases("framing.json") {
        let (stream, mut carry, mut seen) = (case.bytes(), Vec::new(), Vec::new());
        let mut frames = Frames::new(&stream, &mut carry, case.max_line_bytes.unwrap());
        while let Some(frame) = frames.next_frame() {
            seen.push(match frame {
                Frame::Line(line) => json!({ "line": std::str::from_utf8(line).unwrap() }),
                Frame::Empty => json!("empty"),
                Frame::TooLarge => json!("too-large"),
            });
        }
        let rest = std::str::from_utf8(&carry).unwrap();
        assert_eq!(json!({ "frames": seen, "rest": rest }), Value::Object(case.expect), "{}", case.name);
    }
}
