//! JSON text as values that borrow from it: what an object says is looked at once and dropped.
//!
//! In: the text of an extension object. Out: its value; members of objects are sorted by their names, the last of those that
//! stand twice counts. Texts without escapes are not copied, and an object is one list and no tree.

use std::{borrow::Cow, fmt};

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Flag(bool),
    Number(Number),
    Text(Cow<'a, str>),
    List(Vec<Self>),
    Object(Object<'a>),
}

/// A number, as it was written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    /// A whole number from 0.
    Whole(u64),
    /// Any other.
    Other(f64),
}

/// The members of an object.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Object<'a>(Vec<(Cow<'a, str>, Value<'a>)>);

impl<'a> Object<'a> {
    /// The value of a member.
    pub(crate) fn get(&self, name: &str) -> Option<&Value<'a>> {
        let place = self.0.binary_search_by(|(known, _)| known.as_ref().cmp(name)).ok()?;
        self.0.get(place).map(|(_, value)| value)
    }

    /// All members, in the order of their names.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&str, &Value<'a>)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value))
    }

    fn of(mut members: Vec<(Cow<'a, str>, Value<'a>)>) -> Self {
        members.sort_by(|(one, _), (other, _)| one.cmp(other));
        // The last of equal names counts: it is moved to where the first stands.
        members.dedup_by(|later, earlier| {
            let is_same = later.0 == earlier.0;
            if is_same {
                std::mem::swap(&mut later.1, &mut earlier.1);
            }
            is_same
        });
        Self(members)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Value<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(AnObject)
    }
}

/// A text that is borrowed where it can be.
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AText;
        impl<'de> Visitor<'de> for AText {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(AText)
    }
}

struct AnObject;

impl<'de> Visitor<'de> for AnObject {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
        let mut members = Vec::with_capacity(8);
        while let Some((Text(name), value)) = map.next_entry()? {
            members.push((name, value));
        }
        Ok(Object::of(members))
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any valid JSON value")
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Value<'de>, E> {
        Ok(Value::Flag(flag))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value<'de>, E> {
        Ok(Value::Number(Number::Whole(number)))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value<'de>, E> {
        Ok(Value::Number(Number::Other(number as f64)))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value<'de>, E> {
        Ok(Value::Number(Number::Other(number)))
    }

    fn visit_unit<E: Error>(self) -> Result<Value<'de>, E> {
        Ok(Value::Null)
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value<'de>, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element()? {
            values.push(value);
        }
        Ok(Value::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value<'de>, A::Error> {
        AnObject.visit_map(map).map(Value::Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same as `serde_json` has it.
    fn agrees(ours: &Value<'_>, theirs: &serde_json::Value) -> bool {
        use serde_json::Value as Theirs;
        match (ours, theirs) {
            (Value::Null, Theirs::Null) => true,
            (Value::Flag(ours), Theirs::Bool(theirs)) => ours == theirs,
            (Value::Number(Number::Whole(ours)), Theirs::Number(theirs)) => theirs.as_u64() == Some(*ours),
            (Value::Number(Number::Other(ours)), Theirs::Number(theirs)) => {
                !theirs.is_u64() && theirs.as_f64() == Some(*ours)
            }
            (Value::Text(ours), Theirs::String(theirs)) => ours == theirs,
            (Value::List(ours), Theirs::Array(theirs)) => {
                ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| agrees(ours, theirs))
            }
            (Value::Object(ours), Theirs::Object(theirs)) => {
                ours.members().count() == theirs.len()
                    && ours.members().all(|(name, ours)| theirs.get(name).is_some_and(|theirs| agrees(ours, theirs)))
                    && theirs.keys().all(|name| ours.get(name).is_some())
            }
            _ => false,
        }
    }

    fn text() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            any::<bool>().prop_map(|flag| flag.to_string()),
            any::<u64>().prop_map(|number| number.to_string()),
            any::<i64>().prop_map(|number| number.to_string()),
            (-1e9_f64..1e9).prop_map(|number| format!("{number:e}")),
            "[a-c\"\\\\\u{e9}\n]{0,4}".prop_map(|text| serde_json::to_string(&text).unwrap_or_default()),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            let member = ("[a-c]{1,2}", inner.clone()).prop_map(|(name, value)| format!("\"{name}\": {value}"));
            prop_oneof![
                prop::collection::vec(inner, 0..6).prop_map(|list| format!("[{}]", list.join(", "))),
                prop::collection::vec(member, 0..6).prop_map(|members| format!("{{{}}}", members.join(","))),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_text_is_read_as_serde_json_reads_it(text in text()) {
            let theirs: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            let ours: Value<'_> = serde_json::from_str(&text).expect("JSON");
            prop_assert!(agrees(&ours, &theirs), "{text}: {ours:?}");
        }
    }

    #[test]
    fn the_last_of_two_members_of_a_name_counts() {
        let object: Object<'_> = serde_json::from_str(r#"{"b": 1, "a": 2, "b": 3, "b": 4}"#).expect("JSON");
        let numbers: Vec<_> = object.members().collect();
        let whole = |number| Value::Number(Number::Whole(number));
        assert_eq!(numbers, [("a", &whole(2)), ("b", &whole(4))]);
    }

    #[test]
    fn what_is_no_object_is_none() {
        for text in ["[]", "1", "\"a\"", "{", "{\"a\" 1}", ""] {
            assert!(serde_json::from_str::<Object<'_>>(text).is_err(), "{text}");
        }
    }
}
