//! Walks JSON values of any shape for what must hold everywhere: no key twice in an object, no key material; and
//! hashes them on the way. What the catalogue does not know goes through here.

use super::{content_hash, key_material};
use crate::wire::json::{Broken, Scanner};

/// What a walk needs room for, kept from message to message.
#[derive(Debug, Default)]
pub(super) struct WalkRoom {
    /// Hashes of the keys of all open objects, innermost last.
    keys: Vec<u64>,
    /// Offsets of object keys that carry key material.
    pub(super) offences: Vec<usize>,
}

impl WalkRoom {
    pub(super) fn clear(&mut self) {
        self.keys.clear();
        self.offences.clear();
    }

    fn offence(&mut self, at: usize) {
        // A part that is read twice is found twice.
        if self.offences.len() < key_material::MOST_OFFENCES && !self.offences.contains(&at) {
            self.offences.push(at);
        }
    }
}

/// What became of a value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walked {
    pub(super) hash: u64,
    /// Members of an object; 0 of anything else.
    pub(super) members: usize,
    /// It would be key material under a name of key material: a string, or an array that holds some.
    carries: bool,
    /// An object with a key that names key material.
    names_key: bool,
}

impl Walked {
    const fn plain(hash: u64) -> Self {
        Self { hash, members: 0, carries: false, names_key: false }
    }
}

/// A scanner with room for a walk.
pub(super) struct Walk<'l, 'd> {
    pub(super) json: Scanner<'l>,
    pub(super) room: &'d mut WalkRoom,
}

/// An object whose members are being read by somebody else.
#[must_use]
pub(super) struct OpenObject {
    keys_from: usize,
    at: usize,
}

impl Walk<'_, '_> {
    /// Takes any value.
    pub(super) fn value(&mut self) -> Result<Walked, Broken> {
        match self.json.peek() {
            Some(b'"') => {
                let hash = content_hash::string(&self.json.string()?);
                Ok(Walked { carries: true, ..Walked::plain(hash) })
            }
            Some(b'-' | b'0'..=b'9') => Ok(Walked::plain(content_hash::number(self.json.number()?))),
            Some(b'{') => self.object(),
            Some(b'[') => self.array(),
            _ => Ok(Walked::plain(content_hash::literal(self.json.literal()?))),
        }
    }

    fn object(&mut self) -> Result<Walked, Broken> {
        let open = self.open_object()?;
        let (mut first, mut sum, mut members, mut names_key) = (true, 0_u64, 0, false);
        while self.json.next_member(&mut first)? {
            let at = self.json.position();
            let key = self.json.string()?;
            names_key |= key_material::is_key_name(&key);
            sum = sum.wrapping_add(self.member(at, &key)?);
            members += 1;
        }
        self.close_object(open);
        Ok(Walked { members, names_key, ..Walked::plain(content_hash::object(sum)) })
    }

    fn array(&mut self) -> Result<Walked, Broken> {
        self.json.enter()?;
        let (mut first, mut hash, mut carries) = (true, content_hash::EMPTY, false);
        while self.json.next_element(&mut first)? {
            let element = self.value()?;
            hash = content_hash::element(hash, element.hash);
            carries |= element.carries || element.names_key;
        }
        self.json.leave();
        Ok(Walked { carries, ..Walked::plain(hash) })
    }

    /// Takes the rest of a member whose key stood at offset `at`: its part of the object's hash.
    pub(super) fn member(&mut self, at: usize, key: &str) -> Result<u64, Broken> {
        let hash = self.key(key);
        self.json.colon()?;
        let value = self.value()?;
        if value.carries && key_material::is_key_name(key) {
            self.room.offence(at);
        }
        Ok(content_hash::mix(hash, value.hash))
    }

    /// Enters an object whose members the caller reads, each key reported to [`Self::key`].
    pub(super) fn open_object(&mut self) -> Result<OpenObject, Broken> {
        let open = OpenObject { keys_from: self.room.keys.len(), at: self.json.position() };
        self.json.enter()?;
        Ok(open)
    }

    /// Remembers a key of the innermost open object; its hash.
    pub(super) fn key(&mut self, key: &str) -> u64 {
        let hash = content_hash::string(key);
        self.room.keys.push(hash);
        hash
    }

    /// Leaves an object after its closing bracket.
    pub(super) fn close_object(&mut self, open: OpenObject) {
        let keys = self.room.keys.get_mut(open.keys_from..).unwrap_or_default();
        if has_duplicate(keys) {
            self.json.note(open.at, "a key occurs twice in this object");
        }
        self.room.keys.truncate(open.keys_from);
        self.json.leave();
    }
}

/// Whether a number occurs twice; sorts where there are many, so that no object costs quadratic time.
fn has_duplicate(hashes: &mut [u64]) -> bool {
    if hashes.len() > 16 {
        hashes.sort_unstable();
        return hashes.windows(2).any(|pair| pair.first() == pair.last());
    }
    let mut rest: &[u64] = hashes;
    while let Some((first, others)) = rest.split_first() {
        if others.contains(first) {
            return true;
        }
        rest = others;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::json::JsonError;
    use proptest::prelude::*;

    fn walk(text: &str) -> Result<(u64, Vec<usize>), JsonError> {
        let mut room = WalkRoom::default();
        let mut walk = Walk { json: Scanner::new(text), room: &mut room };
        let walked = walk.value();
        let end = walk.json.end();
        if let Some(error) = walk.json.error() {
            return Err(error);
        }
        assert!(walk.room.keys.is_empty() && end.is_ok());
        Ok((walked.map_or(0, |walked| walked.hash), room.offences))
    }

    #[test]
    fn key_material_is_found_where_it_carries_something() {
        for (text, found) in [
            (r#"{"key":"x"}"#, 1),
            (r#"{"key":""}"#, 1),
            (r#"{"key":5,"keys":[],"secret_key":{"id":"x"},"key_data":null}"#, 0),
            (r#"{"keys":["x"]}"#, 1),
            (r#"{"keys":[1,{"key_ID":"x"}]}"#, 0),
            (r#"{"keys":[{"key":5}]}"#, 1),
            (r#"{"keys":[{"key":"x"}]}"#, 2),
            (r#"{"keys":[[["x"]]]}"#, 1),
            (r#"[[{"a":{"KEY_VALUE":"x"}}]]"#, 1),
            (r#"{"\u006bey":"x"}"#, 1),
            (r#"["key","keys"]"#, 0),
        ] {
            assert_eq!(walk(text).unwrap().1.len(), found, "{text}");
        }
        let many = format!("[{}{{}}]", r#"{"key":"x"},"#.repeat(100));
        assert_eq!(walk(&many).unwrap().1.len(), key_material::MOST_OFFENCES);
    }

    #[test]
    fn duplicate_keys_at_any_depth() {
        for text in [r#"{"a":1,"a":1}"#, r#"[{"b":{"a":1,"c":2,"\u0061":3}}]"#] {
            assert!(walk(text).is_err(), "{text}");
        }
        assert!(walk(r#"{"a":{"a":{"a":1}},"A":{"a":1}}"#).is_ok());
        let keys = |last: usize| (0..500).chain([last]).map(|i| format!(r#""k{i}":1"#)).collect::<Vec<_>>().join(",");
        assert!(walk(&format!("{{{}}}", keys(500))).is_ok());
        assert!(walk(&format!("{{{}}}", keys(250))).is_err());
    }

    #[test]
    fn hash_is_of_the_content() {
        let same = |a: &str, b: &str| assert_eq!(walk(a).unwrap().0, walk(b).unwrap().0, "{a} and {b}");
        same(r#"{"a":1,"b":[true,null]}"#, "{ \"b\" : [ true,\tnull ] , \"\\u0061\" : 1.0 }");
        same("-0.0", "0");
        same("100", "1e2");
        let all = [
            "null",
            "true",
            "false",
            "0",
            "1",
            "\"\"",
            "\"a\"",
            "[]",
            "{}",
            "[[]]",
            "[{}]",
            "[1,2]",
            "[2,1]",
            r#"{"a":1}"#,
            r#"{"a":2}"#,
            r#"{"b":1}"#,
            r#"{"a":"1"}"#,
            r#"{"a":1,"b":2}"#,
            r#"{"a":2,"b":1}"#,
            r#"[{"a":1},{"b":2}]"#,
            "[1]",
        ];
        let mut hashes: Vec<u64> = all.iter().map(|text| walk(text).unwrap().0).collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), all.len());
    }

    #[test]
    fn hash_does_not_change_between_versions() {
        assert_eq!(walk(r#"{"a":[1,"x",true,null,{}]}"#).unwrap().0, 11_695_708_993_842_134_454);
    }

    /// Texts that are nearly JSON.
    fn nearly_json() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"",
            "\"a\"",
            "\"b\":",
            "1",
            "-",
            ".5",
            "e3",
            "0",
            "true",
            "null",
            " ",
            "\\u00e9",
            "\\n",
            "\"\\ud83d\\ude00\"",
            "é",
            "\t",
            "\u{1}",
            "x",
            "{\"a\":1}",
            "[1,2]",
        ]);
        prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn grammar_is_that_of_serde_json(text in nearly_json()) {
            let ours = walk(&text);
            let theirs = serde_json::from_str::<serde_json::Value>(&text);
            let twice = matches!(ours, Err(error) if error.what.contains("twice"));
            prop_assert_eq!(ours.is_ok() || twice, theirs.is_ok(), "{:?} {:?}", ours, theirs);
        }
    }
}
