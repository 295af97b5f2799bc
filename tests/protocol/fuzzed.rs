//! What the fuzz targets check (`tests/fuzz/bodies`), over the test vectors and what becomes of them when they are damaged at random: so
//! that these are compiled and hold where there is no fuzzer.

#[path = "../fuzz/bodies/decode.rs"]
mod decode;
#[path = "../fuzz/bodies/frame.rs"]
mod frame;
#[path = "../fuzz/bodies/request.rs"]
mod request;

use std::{fs, path::Path};

use serde_json::Value;

/// The member `in` of all cases of a file of vectors: what is read there.
fn vectors(file: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors").join(file);
    let cases: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let text = |case: &Value| case["in"].as_str().map(str::to_owned);
    let found: Vec<String> = cases.as_array().unwrap().iter().filter_map(text).collect();
    assert!(found.len() >= 10, "{file}: {}", found.len());
    found
}

/// An input, damaged: bytes changed, left out, doubled, or a part of another input in the middle.
fn damaged(random: &mut fastrand::Rng, input: &str, other: &str) -> Vec<u8> {
    let mut bytes = input.as_bytes().to_vec();
    for _ in 0..random.usize(1..6) {
        let at = random.usize(..=bytes.len());
        match random.usize(..5) {
            0 => bytes.insert(at, random.u8(..)),
            1 if at < bytes.len() => bytes[at] = *random.choice(b"\\\"{}[]:,0-9e+.ntu\n\0\xff").unwrap(),
            2 if at < bytes.len() => drop(bytes.drain(at..random.usize(at..bytes.len()))),
            3 => bytes.extend_from_within(at.min(bytes.len())..),
            _ => {
                let part = other.as_bytes();
                let from = random.usize(..=part.len());
                bytes.splice(at..at, part[from..random.usize(from..=part.len())].iter().copied());
            }
        }
        bytes.truncate(16_384);
    }
    bytes
}

/// Seeds as they are, and each damaged so often, the same in every run.
fn each(seeds: &[String], times: usize, check: impl Fn(&[u8])) {
    let mut random = fastrand::Rng::with_seed(20_261_128);
    for seed in seeds {
        check(seed.as_bytes());
        for _ in 0..times {
            let other = random.usize(..seeds.len());
            check(&damaged(&mut random, seed, &seeds[other]));
        }
    }
}

#[test]
fn no_object_about_requests_does_harm() {
    // Vectors have the list; a target is given its objects, a line each.
    let objects = |list: String| -> Option<String> {
        let list: Vec<Value> = serde_json::from_str(&list).ok()?;
        Some(list.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    };
    let seeds: Vec<String> = vectors("requests.json").into_iter().filter_map(objects).collect();
    assert!(seeds.len() >= 20, "{}", seeds.len());
    each(&seeds, 200, |input| {
        if let Ok(text) = std::str::from_utf8(input) {
            request::check(text);
        }
    });
}

#[test]
fn no_line_and_no_cut_does_harm() {
    let seeds: Vec<String> =
        ["envelope.json", "extension.json", "content.json", "json.json"].into_iter().flat_map(vectors).collect();
    each(&seeds, 20, decode::check);
    each(&seeds, 20, |input| {
        for cut in [1, 2, 7, 64, 255] {
            frame::check((cut, input));
        }
    });
}
