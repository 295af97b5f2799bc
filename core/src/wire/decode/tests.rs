use proptest::prelude::*;

use super::*;
use crate::model::{
    Catalogue, ReportHead, SymbolTable,
    report_batch::{SampleKind, head_flags, sample_kind, sample_object},
};

const NOW: i64 = 1_767_225_600_000;

fn symbols() -> SymbolTable {
    let symbols = SymbolTable::new();
    Catalogue::get().intern(&symbols);
    symbols
}

const fn options(symbols: &SymbolTable) -> DecodeOptions<'_> {
    DecodeOptions { symbols, now: Timestamp(NOW), keep_raw: false, exchange: false }
}

/// Decodes one line into a batch of its own, resources bound.
fn decode<'l>(line: &'l str, symbols: &SymbolTable) -> (Decoded<'l>, ReportBatch, Notes) {
    let (mut decoder, mut batch) = (Decoder::new(), ReportBatch::default());
    let decoded = decoder.decode(line.as_bytes(), &mut batch, &options(symbols));
    decoder.bind_resources(&mut batch, &mut |text| Some(symbols.intern(text)));
    (decoded, batch, decoder.notes().clone())
}

fn head(line: &str) -> ReportHead {
    let (decoded, batch, _) = decode(line, &symbols());
    assert!(matches!(decoded, Decoded::Report { .. } | Decoded::Answer { .. }), "{line}: {decoded:?}");
    batch.reports[0]
}

fn report(rest: &str) -> String {
    format!(r#"{{"messageType":"statusReport","componentId":"km-1"{rest}}}"#)
}

#[test]
fn symbols_are_those_of_the_managers_table() {
    let line = report(r#","extension":[{"type":"state","values":{"operational_state":"disabled"}}]"#);
    // A table that was recovered may have the catalogue's entries anywhere.
    let recovered = SymbolTable::new();
    for text in ["mk/km-1", "disabled", "link"] {
        recovered.intern(text);
    }
    Catalogue::get().intern(&recovered);
    for symbols in [symbols(), recovered] {
        let (_, batch, _) = decode(&line, &symbols);
        assert_eq!(symbols.text(Symbol(batch.names[0])).as_ref(), "operational_state");
        assert_eq!(symbols.text(Symbol(batch.values[0] as u32)).as_ref(), "disabled");
    }
}

#[test]
fn repeated_lines_decode_the_same_whatever_came_before() {
    let lines = [
        report(r#","extension":[{"type":"performance","values":{"relay_hops":1,"qber_ratio":2,"relay_count":3}}]"#),
        report(
            r#","extension":[{"type":"performance","values":{"qber_ratio":2,"relay_count":3,"x":1,"relay_hops":1}}]"#,
        ),
        report(r#","extension":[{"type":"state","values":{"qber_ratio":2,"app_status":"ON"}}]"#),
        report(r#","extension":[{"type":"performance","values":{"app_status":"ON","qber_ratio":2}}]"#),
    ];
    let (mut decoder, mut batch) = (Decoder::new(), ReportBatch::default());
    for _ in 0..3 {
        for line in &lines {
            decoder.decode(line.as_bytes(), &mut batch, &options(&symbols()));
            let last = batch.single(batch.len() - 1);
            assert_eq!((last, decoder.notes()), (decode(line, &symbols()).1, &decode(line, &symbols()).2), "{line}");
        }
    }
}

#[test]
fn resources_beyond_the_quota_are_a_fault_and_take_their_samples_along() {
    let object = |resource: &str| {
        format!(r#"{{"type":"performance","resource":"{resource}","values":{{"relay_hops":1,"relay_count":2}}}}"#)
    };
    let line = report(&format!(r#","extension":[{},{},{},{}]"#, object("a"), object("b"), object("c"), object("b")));
    let (mut decoder, mut batch) = (Decoder::new(), ReportBatch::default());
    decoder.decode(report("").as_bytes(), &mut batch, &options(&symbols()));
    decoder.decode(line.as_bytes(), &mut batch, &options(&symbols()));
    let mut asked = Vec::new();
    decoder.bind_resources(&mut batch, &mut |text| {
        asked.push(text.to_owned());
        (text != "b").then_some(Symbol(if text == "a" { 900 } else { 901 }))
    });
    assert_eq!(asked, ["a", "b", "c"]);
    assert_eq!(batch.resources, [900, 900, 901, 901]);
    assert_eq!(batch.samples(1), 0..4);
    assert_eq!((batch.faults[0].report, &*batch.faults[0].path), (1, "extension[1].resource"));
    assert_eq!((batch.faults.len(), batch.flags.len(), sample_object(batch.flags[2])), (1, 4, 2));
}

#[test]
fn many_resources_are_told_apart() {
    let object =
        |i: usize| format!(r#"{{"type":"performance","resource":"link-{}","values":{{"relay_hops":{i}}}}}"#, i % 700);
    let objects: Vec<String> = (0..1400).map(object).collect();
    let symbols = symbols();
    let line = report(&format!(r#","extension":[{}]"#, objects.join(",")));
    let (_, batch, _) = decode(&line, &symbols);
    assert_eq!(batch.values.len(), 1400);
    for (resource, value) in batch.resources.iter().zip(&batch.values) {
        assert_eq!(symbols.text(Symbol(*resource)).as_ref(), format!("link-{}", *value as usize % 700));
    }
}

#[test]
fn text_is_kept_where_the_arrays_do_not_say_everything() {
    let kept = |extension: &str| {
        let line = report(&format!(r#","extension":{extension}"#));
        let (_, batch, _) = decode(&line, &symbols());
        assert_eq!(batch.reports[0].flags & head_flags::KEPT_TEXT != 0, batch.extension_text(0) == extension);
        !batch.extension_text(0).is_empty()
    };
    assert!(!kept("[]"));
    assert!(!kept(r#"[{"type":"performance","resource":"a","values":{"relay_hops":1}}]"#));
    assert!(!kept(r#"[{"type":"performance","time":"2026-01-01T00:00:00Z","values":{"relay_hops":1}}]"#));
    assert!(kept(r#"[{"type":"performance","values":{"relay_hops":1,"é":2}}]"#));
    assert!(kept(r#"[{"type":"performance","values":{"relay_hops":"1"}}]"#));
    assert!(kept(r#"[{"type":"state","values":{"app_status":"no such word"}}]"#));
    assert!(kept(r#"[ {"type":"event"} ]"#));
    assert!(kept(r#"[{"type":"x.y"}]"#));
    assert!(kept("[{}]"));
    let (mut decoder, mut batch) = (Decoder::new(), ReportBatch::default());
    let symbols = symbols();
    let options = DecodeOptions { keep_raw: true, ..options(&symbols) };
    decoder.decode(report(r#","extension":[ ]"#).as_bytes(), &mut batch, &options);
    assert_eq!((batch.extension_text(0), batch.reports[0].flags), ("[ ]", 0));
}

#[test]
fn objects_point_into_the_kept_text() {
    let line = report(
        r#","extension":[{"type":"event","name":"a"} , {"name":"é","type":"usage"},{"type":"performance","values":{}}]"#,
    );
    let (mut decoder, mut batch) = (Decoder::new(), ReportBatch::default());
    for _ in 0..2 {
        decoder.decode(line.as_bytes(), &mut batch, &options(&symbols()));
    }
    let texts: Vec<&str> = batch.objects.iter().map(|object| batch.object_text(object)).collect();
    let expected = [r#"{"type":"event","name":"a"}"#, r#"{"name":"é","type":"usage"}"#];
    assert_eq!(texts, [expected, expected].concat());
    let places: Vec<(u32, u32)> = batch.objects.iter().map(|object| (object.report, object.index)).collect();
    assert_eq!(places, [(0, 0), (0, 1), (1, 0), (1, 1)]);
}

#[test]
fn time_of_a_report() {
    let time = |rest: &str| {
        let head = head(&report(rest));
        (head.time - NOW, head.flags & (head_flags::HAS_TIME | head_flags::TIME_REPLACED | head_flags::KEPT_TEXT))
    };
    let object = |time: &str| format!(r#"{{"type":"performance"{time},"values":{{"relay_hops":1}}}}"#);
    let (has, replaced) = (head_flags::HAS_TIME, head_flags::TIME_REPLACED);
    assert_eq!(time(""), (0, 0));
    assert_eq!(time(r#","time":"2026-01-01T00:00:01Z""#), (1_000, has));
    assert_eq!(time(r#","time":"2025-12-31T00:00:00Z""#), (-86_400_000, has));
    assert_eq!(time(r#","time":"2025-12-30T23:59:59.999Z""#), (0, has | replaced));
    assert_eq!(time(r#","time":"2026-01-01T00:05:00Z""#), (300_000, has));
    assert_eq!(time(r#","time":"2026-01-01T00:05:00.001Z""#), (0, has | replaced));
    let (early, late) = (object(r#","time":"2025-12-31T23:59:58Z""#), object(r#","time":"2025-12-31T23:59:59Z""#));
    assert_eq!(time(&format!(r#","extension":[{early}],"time":"2026-01-01T00:00:00Z""#)), (-2_000, has));
    assert_eq!(time(&format!(r#","extension":[{early},{late}]"#)), (-1_000, has));
    assert_eq!(time(&format!(r#","extension":[{early},{}]"#, object(""))), (0, has));
    let message = r#","time":"2025-12-31T23:59:57Z""#;
    assert_eq!(time(&format!(r#"{message},"extension":[{early},{}]"#, object(""))), (-2_000, has));
}

#[test]
fn each_object_keeps_its_own_time() {
    let object = |time: &str| format!(r#"{{"type":"performance"{time},"values":{{"relay_hops":1}}}}"#);
    let at = |second: &str| object(&format!(r#","time":"2025-12-31T23:59:{second}Z""#));
    let times = |rest: &str| {
        let line = report(rest);
        let (_, batch, _) = decode(&line, &symbols());
        let flags = batch.flags.iter();
        flags.map(|&flags| batch.sample_time(0, flags) - NOW).collect::<Vec<_>>()
    };
    let all = |objects: &[String]| times(&format!(r#","extension":[{}]"#, objects.join(",")));
    assert_eq!(all(&[at("58"), at("59"), at("57")]), [-2_000, -1_000, -3_000]);
    assert_eq!(all(&[object(""), at("58")]), [0, -2_000], "without a time: that of receipt");
    let message = r#","time":"2025-12-31T23:59:57Z""#;
    let objects = [object(""), at("58"), object("")].join(",");
    assert_eq!(times(&format!(r#"{message},"extension":[{objects}]"#)), [-3_000, -2_000, -3_000]);
    let old = object(r#","time":"2024-12-31T00:00:00Z""#);
    assert_eq!(all(&[old, at("59")]), [-1_000, -1_000], "what cannot be is not kept");
}

#[test]
fn batch_keeps_what_it_had_when_a_line_is_refused() {
    let (mut decoder, mut batch) = (Decoder::new(), ReportBatch::default());
    let good = report(
        r#","extension":[{"type":"performance","resource":"r","values":{"relay_hops":1,"q":2}},{"type":"event"},{}]"#,
    );
    decoder.decode(good.as_bytes(), &mut batch, &options(&symbols()));
    let before = batch.clone();
    for bad in [
        &good[..good.len() - 1],
        &good.replace("km-1", ""),
        &good.replace("statusReport", "subscribe"),
        &format!("{good}x"),
    ] {
        let decoded = decoder.decode(bad.as_bytes(), &mut batch, &options(&symbols()));
        assert!(!matches!(decoded, Decoded::Report { .. } | Decoded::Answer { .. }), "{bad}");
        decoder.bind_resources(&mut batch, &mut |_| panic!("nothing to bind"));
        assert_eq!(batch, before, "{bad}");
    }
}

#[test]
fn ids_are_read_from_broken_lines() {
    let ids = |line: &[u8]| {
        let (mut decoder, mut batch) = (Decoder::new(), ReportBatch::default());
        match decoder.decode(line, &mut batch, &options(&symbols())) {
            Decoded::Malformed { message_id, component_id, is_answer, .. } => {
                (message_id.map(Cow::into_owned), component_id.map(Cow::into_owned), is_answer)
            }
            other => panic!("{other:?}"),
        }
    };
    let (m, c) = (|| Some("m".to_owned()), || Some("c".to_owned()));
    assert_eq!(ids(br#"{"messageId":"m","componentId":"c","#), (m(), c(), false));
    assert_eq!(ids(b"{\"messageId\":\"m\",\"a\":\"\xff\",\"componentId\":\"c\"}"), (m(), None, false));
    assert_eq!(ids(br#"{"a":1,"a":1,"b":1e999,"c":"\ud800","messageId":"m","componentId":"c"}"#), (m(), c(), false));
    assert_eq!(ids(br#"{"messageType":1,"messageId":"m","componentId":"c"}"#), (m(), c(), false));
    assert_eq!(ids(br#"{"messageType":"statusReport","messageId":7,"componentId":"c"}"#), (None, c(), false));
    assert_eq!(ids(br#"{"messageType":"otherResponse","messageId":"m",}"#), (m(), None, true));
    assert_eq!(ids(br#"{"messageType":"statusReportRequestResponse","messageId":"m"}"#), (m(), None, true));
    assert_eq!(ids(b"nonsense"), (None, None, false));
}

/// A report as a test makes it, written with any order of keys and any white space.
#[derive(Clone, Debug)]
struct Sample {
    name: usize,
    value: f64,
}

fn objects() -> impl Strategy<Value = Vec<(bool, Option<String>, Vec<Sample>)>> {
    let count = Catalogue::get().performance.len().min(Catalogue::get().state.len());
    let value =
        prop_oneof![any::<f64>().prop_filter("finite", |v| v.is_finite()), (-1000_i32..1000).prop_map(f64::from)];
    let sample = (0..count, value).prop_map(|(name, value)| Sample { name, value });
    let samples = prop::collection::vec(sample, 0..8).prop_map(|mut samples| {
        samples.sort_by_key(|sample| sample.name);
        samples.dedup_by_key(|sample| sample.name);
        samples
    });
    prop::collection::vec((any::<bool>(), prop::option::of("[a-z\"\\\\\n]{1,5}"), samples), 0..5)
}

/// Writes an object with its members in an order, and white space, that `seed` decides.
fn written(members: Vec<(String, String)>, seed: &mut u64) -> String {
    let mut members = members;
    let mut next = || {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 33) as usize
    };
    for index in (1..members.len()).rev() {
        members.swap(index, next() % (index + 1));
    }
    let mut space = || ["", "", "", " ", "\t", " \r\n "][next() % 6];
    let members: Vec<String> = members
        .iter()
        .map(|(key, value)| format!("{}\"{key}\"{}:{}{value}{}", space(), space(), space(), space()))
        .collect();
    format!("{{{}}}", members.join(","))
}

fn text(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

fn written_report(objects: &[(bool, Option<String>, Vec<Sample>)], seed: u64) -> String {
    let catalogue = Catalogue::get();
    let mut seed = seed;
    let extension: Vec<String> = objects
        .iter()
        .map(|(state, resource, samples)| {
            let values = samples.iter().map(|sample| {
                if *state {
                    let flag = sample.value > 0.0;
                    (catalogue.state[sample.name].name.clone(), flag.to_string())
                } else {
                    let spelled = if seed.is_multiple_of(2) && sample.value.fract() == 0.0 && sample.value.abs() < 1e6 {
                        format!("{}", sample.value)
                    } else {
                        serde_json::to_string(&sample.value).unwrap()
                    };
                    (catalogue.performance[sample.name].name.clone(), spelled)
                }
            });
            let mut members = vec![
                ("type".to_owned(), text(if *state { "state" } else { "performance" })),
                ("values".to_owned(), written(values.collect(), &mut seed)),
                ("vendor".to_owned(), "{\"a\":[null]}".to_owned()),
            ];
            members.extend(resource.iter().map(|resource| ("resource".to_owned(), text(resource))));
            written(members, &mut seed)
        })
        .collect();
    let members = [
        ("messageType", text("statusReport")),
        ("componentId", text("km-1")),
        ("messageId", text(&seed.to_string())),
        ("sequence", "5".to_owned()),
        ("other", "[1,{}]".to_owned()),
        ("extension", format!("[{}]", extension.join(" , "))),
    ];
    written(members.map(|(key, value)| (key.to_owned(), value)).to_vec(), &mut seed)
}

proptest! {
    #[test]
    fn samples_come_out_as_they_went_in(objects in objects(), seed in any::<u64>()) {
        let (catalogue, symbols) = (Catalogue::get(), symbols());
        let line = written_report(&objects, seed);
        let (decoded, batch, notes) = decode(&line, &symbols);
        prop_assert!(matches!(decoded, Decoded::Report { .. }), "{:?}", decoded);
        prop_assert_eq!(batch.reports[0].sequence, 5);
        prop_assert!(batch.faults.is_empty() && notes.key_material.is_empty());
        // The order of members within an object is free, so samples are compared sorted within their object.
        let mut seen: Vec<(u32, String, String, u32, u64)> = (0..batch.values.len()).map(|i| (
            sample_object(batch.flags[i]),
            symbols.text(Symbol(batch.names[i])).to_string(),
            symbols.text(Symbol(batch.resources[i])).to_string(),
            sample_kind(batch.flags[i]) as u32,
            batch.values[i].to_bits(),
        )).collect();
        let mut expected = Vec::new();
        for (index, (state, resource, samples)) in objects.iter().enumerate() {
            for sample in samples {
                let (name, kind, value) = if *state {
                    (&catalogue.state[sample.name].name, SampleKind::Flag, f64::from(u8::from(sample.value > 0.0)))
                } else {
                    (&catalogue.performance[sample.name].name, SampleKind::Number, sample.value)
                };
                let resource = resource.clone().unwrap_or_default();
                expected.push((index as u32, name.clone(), resource, kind as u32, value.to_bits()));
            }
        }
        seen.sort();
        expected.sort();
        prop_assert_eq!(seen, expected);
    }

    #[test]
    fn hash_is_of_the_content(objects in objects(), one in any::<u64>(), other in any::<u64>(), change in any::<f64>()) {
        let hash = |objects: &[_], seed| head(&written_report(objects, seed)).content_hash;
        let before = hash(&objects, one);
        prop_assert_eq!(before, hash(&objects, other));
        let mut changed = objects.clone();
        let first = changed.first_mut().filter(|(state, _, _)| !state).and_then(|(_, _, samples)| samples.first_mut());
        if let Some(sample) = first.filter(|sample| change.is_finite() && change != sample.value) {
            sample.value = change;
            prop_assert_ne!(before, hash(&changed, one));
        }
        changed.push((true, None, Vec::new()));
        prop_assert_ne!(before, hash(&changed, one));
    }

    #[test]
    fn no_bytes_do_harm(objects in objects(), seed in any::<u64>(), edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..3), 0..4)) {
        let mut line = written_report(&objects, seed).into_bytes();
        for (place, byte, edit) in edits {
            let place = place.index(line.len());
            match edit {
                0 => line[place] = byte,
                1 => line.insert(place, byte),
                _ => line.truncate(place.max(1)),
            }
        }
        let (mut decoder, mut batch) = (Decoder::new(), ReportBatch::default());
        let decoded = decoder.decode(&line, &mut batch, &options(&symbols()));
        let accepted = matches!(decoded, Decoded::Report { .. } | Decoded::Answer { .. });
        if accepted {
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&line).is_ok());
            prop_assert_eq!(batch.len(), 1);
            prop_assert_eq!(batch.samples(0), 0..batch.values.len());
            prop_assert!(batch.names.len() == batch.values.len() && batch.flags.len() == batch.values.len());
            prop_assert_eq!(batch.resources.len(), batch.values.len());
        } else {
            prop_assert_eq!(batch, ReportBatch::default());
        }
    }
}
