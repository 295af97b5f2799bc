//! One member of an extension object, without making a tree of all the others.
//!
//! In: the JSON text of an object, the member's name. Out: its text, if it is there and is a string; of several the last, as
//! everywhere. Anything that is no JSON object has none.

use std::{borrow::Cow, fmt};

use serde::de::{DeserializeSeed, Deserializer as _, IgnoredAny, MapAccess, Visitor};

/// The text of a member.
pub(super) fn text_member<'t>(object: &'t str, name: &str) -> Option<Cow<'t, str>> {
    let mut text = serde_json::Deserializer::from_str(object);
    let found = text.deserialize_map(Members(name)).ok()?;
    text.end().ok()?;
    found
}

/// Looks for a member among all.
struct Members<'n>(&'n str);

impl<'de> Visitor<'de> for Members<'_> {
    type Value = Option<Cow<'de, str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(is_it) = map.next_key_seed(IsIt(self.0))? {
            if is_it {
                found = match map.next_value()? {
                    Told::Text(text) => Some(text),
                    Told::Other(IgnoredAny) => None,
                };
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// Whether a key is the one looked for.
struct IsIt<'n>(&'n str);

impl<'de> DeserializeSeed<'de> for IsIt<'_> {
    type Value = bool;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for IsIt<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<bool, E> {
        Ok(name == self.0)
    }
}

/// What a member says.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Told<'t> {
    #[serde(borrow)]
    Text(Cow<'t, str>),
    Other(IgnoredAny),
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_last_text_under_the_name_counts() {
        let of = |text| text_member(text, "resource").map(Cow::into_owned);
        assert_eq!(of(r#"{"type":"event","resource":"link-1","name":"x"}"#).as_deref(), Some("link-1"));
        assert_eq!(of(r#"{"\u0072esource":"\u0041"}"#).as_deref(), Some("A"));
        assert_eq!(of(r#"{"resource":"a","resource":"b"}"#).as_deref(), Some("b"));
        assert_eq!(of(r#"{"resource":"a","resource":7}"#), None);
        assert_eq!(of(r#"{"nested":{"resource":"a"}}"#), None);
        for text in ["", "[]", "7", r#"{"resource":"a""#, r#"{"resource":"a"} x"#] {
            assert_eq!(of(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn it_is_what_a_tree_has(
            members in prop::collection::vec(("[ab\"\\\\]", prop_oneof![Just("1".to_owned()), "[a\"\u{e9}]{0,3}".prop_map(|text| serde_json::Value::from(text).to_string()), Just("{\"a\":\"x\"}".to_owned())]), 0..5),
        ) {
            let members: Vec<String> = members.iter().map(|(name, value)| format!("{}:{value}", serde_json::Value::from(name.as_str()))).collect();
            let text = format!("{{{}}}", members.join(","));
            let tree: serde_json::Value = serde_json::from_str(&text).unwrap();
            let expected = tree.get("a").and_then(serde_json::Value::as_str);
            let found = text_member(&text, "a");
            prop_assert_eq!(found.as_deref(), expected);
        }
    }
}
