//! Items of the federation protocol as JSON objects of an extension (status protocol, section 7), and back.
//!
//! In and out: texts of objects. What is not understood is ignored, what has the wrong form is told with its path; nothing
//! is believed here. Manifests and sections are carried as their exact bytes, never written anew.

use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use super::protocol::{
    Audience, Claim, Document, Hash, Item, Jws, OriginId, Proof, SectionBody, Slot, Subscription, Version, Want,
};

/// Objects by their `type`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type")]
enum Object {
    /// A manifest; sections that follow belong to it.
    #[serde(rename = "mx.manifest", rename_all = "camelCase")]
    Manifest {
        age_ms: u64,
        #[serde(default)]
        hops: u32,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        via: Vec<OriginId>,
        jws: Jws,
    },
    /// A section of the manifest before it.
    #[serde(rename = "mx.section")]
    Section { origin: OriginId, audience: Audience, name: String, salt: String, data: String },
    #[serde(rename = "mx.root")]
    Root {
        hash: Hash,
        #[serde(default)]
        complete: bool,
    },
    #[serde(rename = "mx.digest", rename_all = "camelCase")]
    Digest {
        claims: Vec<ClaimObject>,
        #[serde(default)]
        complete: bool,
        #[serde(default)]
        wants_yours: bool,
    },
    #[serde(rename = "mx.announce")]
    Announce { claims: Vec<ClaimObject> },
    #[serde(rename = "mx.echo")]
    Echo {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        direct: Option<BTreeSet<OriginId>>,
    },
    #[serde(rename = "mx.want")]
    Want { wants: Vec<WantObject> },
    #[serde(rename = "mx.proof")]
    Proof { first: Jws, second: Jws },
}

const TYPES: [&str; 8] =
    ["mx.manifest", "mx.section", "mx.root", "mx.digest", "mx.announce", "mx.echo", "mx.want", "mx.proof"];

#[derive(Debug, Serialize, Deserialize)]
struct ClaimObject {
    origin: OriginId,
    audience: Audience,
    #[serde(flatten)]
    version: Version,
    hash: Hash,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    disputed: bool,
}

impl From<&Claim> for ClaimObject {
    fn from(claim: &Claim) -> Self {
        let Claim { slot, version, hash, disputed } = claim.clone();
        Self { origin: slot.origin, audience: slot.audience, version, hash, disputed }
    }
}

impl From<ClaimObject> for Claim {
    fn from(object: ClaimObject) -> Self {
        let ClaimObject { origin, audience, version, hash, disputed } = object;
        Self { slot: Slot { origin, audience }, version, hash, disputed }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct WantObject {
    origin: OriginId,
    audience: Audience,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    have: Vec<Hash>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    proof: bool,
}

/// What an object means, and where in the extension something is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct FormError {
    /// Such as `mx[2]`: the third of the objects that managers exchange.
    pub path: String,
    /// What was expected.
    pub problem: String,
}

/// Appends an object to a list of them.
fn put(out: &mut String, object: &Object) {
    // Keys are texts and numbers finite: writing to memory does not fail.
    let text = serde_json::to_string(object).unwrap_or_default();
    out.push(if out.is_empty() { '[' } else { ',' });
    out.push_str(&text);
}

/// The extension that carries items: a JSON array.
#[must_use]
pub fn write(items: &[Item]) -> String {
    let mut out = String::new();
    for item in items {
        match item {
            Item::Document(document) => write_document(&mut out, document),
            Item::Root { hash, complete } => put(&mut out, &Object::Root { hash: *hash, complete: *complete }),
            Item::Digest { claims, complete, wants_yours } => {
                let claims = claims.iter().map(ClaimObject::from).collect();
                put(&mut out, &Object::Digest { claims, complete: *complete, wants_yours: *wants_yours });
            }
            Item::Announce(claims) => {
                put(&mut out, &Object::Announce { claims: claims.iter().map(ClaimObject::from).collect() });
            }
            Item::Echo { direct } => put(&mut out, &Object::Echo { direct: direct.clone() }),
            Item::Proof(proof) => {
                let Proof { first, second } = (**proof).clone();
                put(&mut out, &Object::Proof { first, second });
            }
        }
    }
    if out.is_empty() { "[]".to_owned() } else { out + "]" }
}

fn write_document(out: &mut String, document: &Document) {
    let Document { jws, age_ms, hops, via, sections } = document;
    put(out, &Object::Manifest { age_ms: *age_ms, hops: *hops, via: via.clone(), jws: jws.clone() });
    let Ok(manifest) = jws.manifest() else { return };
    for SectionBody { name, salt, data } in sections {
        let object = Object::Section {
            origin: manifest.origin.clone(),
            audience: manifest.audience.clone(),
            name: name.to_string(),
            salt: URL_SAFE_NO_PAD.encode(salt),
            data: URL_SAFE_NO_PAD.encode(data),
        };
        put(out, &object);
    }
}

/// The extension that asks for documents.
#[must_use]
pub fn write_wants(wants: &[Want]) -> String {
    let wants = wants
        .iter()
        .map(|want| WantObject {
            origin: want.slot.origin.clone(),
            audience: want.slot.audience.clone(),
            have: want.have.clone(),
            proof: want.proof,
        })
        .collect();
    let mut out = String::new();
    put(&mut out, &Object::Want { wants });
    out + "]"
}

fn object(index: usize, text: &str) -> Result<Option<Object>, FormError> {
    #[derive(Deserialize)]
    struct Typed {
        #[serde(rename = "type")]
        kind: String,
    }
    let wrong = |problem: String| FormError { path: format!("mx[{index}]"), problem };
    let typed: Typed = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
    if !TYPES.contains(&typed.kind.as_str()) {
        return Ok(None);
    }
    serde_json::from_str(text).map(Some).map_err(|error| wrong(format!("`{}`: {error}", typed.kind)))
}

fn section(name: &str, salt: &str, data: &str) -> Result<SectionBody, String> {
    let bytes = |text: &str, what: &str| {
        URL_SAFE_NO_PAD.decode(text).map_err(|_| format!("`{what}`: expected base64url without padding"))
    };
    let salt = bytes(salt, "salt")?.try_into().map_err(|_| "`salt`: expected 16 bytes".to_owned())?;
    Ok(SectionBody { name: name.into(), salt, data: bytes(data, "data")?.into() })
}

/// The items of a report or answer. Objects of types that are not known are ignored.
///
/// # Errors
/// For the first object that has the wrong form.
pub fn read<Text: AsRef<str>>(objects: &[Text]) -> Result<Vec<Item>, FormError> {
    let mut items = Vec::new();
    for (index, text) in objects.iter().enumerate() {
        let wrong = |problem: String| FormError { path: format!("mx[{index}]"), problem };
        let Some(object) = object(index, text.as_ref())? else { continue };
        let claims = |claims: Vec<ClaimObject>| claims.into_iter().map(Claim::from).collect();
        match object {
            Object::Manifest { age_ms, hops, via, jws } => {
                items.push(Item::Document(Document { jws, age_ms, hops, via, sections: Vec::new() }));
            }
            Object::Section { origin, audience, name, salt, data } => {
                let body = section(&name, &salt, &data).map_err(wrong)?;
                let Some(Item::Document(document)) = items.last_mut() else {
                    return Err(wrong("a section without the manifest that it belongs to before it".to_owned()));
                };
                let theirs = document.jws.manifest().ok().map(|manifest| (manifest.origin, manifest.audience));
                if theirs != Some((origin, audience)) {
                    return Err(wrong("a section of another document than the manifest before it".to_owned()));
                }
                document.sections.push(body);
            }
            Object::Root { hash, complete } => items.push(Item::Root { hash, complete }),
            Object::Digest { claims: list, complete, wants_yours } => {
                items.push(Item::Digest { claims: claims(list), complete, wants_yours });
            }
            Object::Announce { claims: list } => items.push(Item::Announce(claims(list))),
            Object::Echo { direct } => items.push(Item::Echo { direct }),
            Object::Proof { first, second } => items.push(Item::Proof(Box::new(Proof { first, second }))),
            Object::Want { .. } => return Err(wrong("`mx.want` belongs into a status report request".to_owned())),
        }
    }
    Ok(items)
}

/// What a status report request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Documents.
    Wants(Vec<Want>),
    /// The plain status of the domain, in objects of section 4: the question of a manager that knows nothing of the rest.
    Plain,
}

/// Reads the extension of a status report request.
///
/// # Errors
/// If what is asked has the wrong form.
pub fn read_question(extension: &str) -> Result<Question, FormError> {
    let objects: Vec<Box<serde_json::value::RawValue>> = serde_json::from_str(extension)
        .map_err(|error| FormError { path: "extension".to_owned(), problem: error.to_string() })?;
    let mut wants = Vec::new();
    let mut asked = false;
    for (index, text) in objects.iter().enumerate() {
        if let Some(Object::Want { wants: list }) = object(index, text.get())? {
            asked = true;
            wants.extend(list.into_iter().map(|want| Want {
                slot: Slot { origin: want.origin, audience: want.audience },
                have: want.have,
                proof: want.proof,
            }));
        }
    }
    Ok(if asked { Question::Wants(wants) } else { Question::Plain })
}

/// A subscription to what managers exchange, as an object of a `subscribe`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SubscriptionObject {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sections: Option<BTreeSet<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    audience: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    min_interval_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    relay: Option<bool>,
}

/// The extension of a `subscribe` to what managers exchange.
#[must_use]
pub fn write_subscription(wishes: &Subscription) -> String {
    let object = SubscriptionObject {
        kind: "subscription".to_owned(),
        sections: wishes.sections.as_ref().map(|names| names.iter().map(ToString::to_string).collect()),
        audience: Some(Audience::Federation.to_string()),
        min_interval_ms: Some(wishes.min_interval_ms),
        relay: Some(wishes.relay),
    };
    let text = serde_json::to_string(&object).unwrap_or_default();
    format!("[{text}]")
}

/// The extension of the answer that grants a subscription.
#[must_use]
pub fn write_granted(wishes: &Subscription, id: u64) -> String {
    let granted: serde_json::Value = serde_json::from_str(&write_subscription(wishes)).unwrap_or_default();
    let mut granted = granted.get(0).cloned().unwrap_or_default();
    if let Some(members) = granted.as_object_mut() {
        members.remove("type");
    }
    serde_json::json!([{ "type": "subscription", "subscriptionId": format!("mx-{id}"), "granted": granted }])
        .to_string()
}

/// Reads the extension of a `subscribe`; `None` if it does not ask for what managers exchange: then it is an ordinary
/// subscription to objects of section 4.
#[must_use]
pub fn read_subscription(extension: &str) -> Option<Subscription> {
    let objects: Vec<serde_json::Value> = serde_json::from_str(extension).ok()?;
    let object: SubscriptionObject = objects.into_iter().find_map(|object| serde_json::from_value(object).ok())?;
    let exchanged = object.sections.is_some() || object.audience.is_some() || object.relay.is_some();
    (object.kind == "subscription" && exchanged).then(|| Subscription {
        sections: object.sections.map(|names| names.iter().map(|name| name.as_str().into()).collect()),
        min_interval_ms: object.min_interval_ms.unwrap_or(0),
        relay: object.relay.unwrap_or(true),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(extension: &str) -> Vec<String> {
        let objects: Vec<Box<serde_json::value::RawValue>> = serde_json::from_str(extension).unwrap();
        objects.iter().map(|object| object.get().to_owned()).collect()
    }

    fn claim(seq: u64) -> Claim {
        let slot = Slot { origin: "east".into(), audience: Audience::Adjacent("west".into()) };
        Claim { slot, version: Version { key_gen: 1, epoch: 7, seq }, hash: Hash([3; 32]), disputed: seq % 2 == 1 }
    }

    fn document() -> Document {
        let payload = r#"{"v":1,"federation":"f","origin":"east","audience":"federation","keyGen":1,"epoch":7,"seq":1,"issuedAt":5,"validForMs":45000,"sections":{}}"#;
        let jws = Jws { protected: "e30".into(), payload: URL_SAFE_NO_PAD.encode(payload), signature: "AA".into() };
        let body = |name: &str| SectionBody { name: name.into(), salt: [9; 16], data: b"{\"a\":1}".as_slice().into() };
        Document { jws, age_ms: 312, hops: 1, via: vec!["north".into()], sections: vec![body("health"), body("links")] }
    }

    #[test]
    fn items_are_read_as_meant() {
        let proof = Proof { first: document().jws, second: document().jws };
        let items = vec![
            Item::Document(document()),
            Item::Document(Document { sections: Vec::new(), via: Vec::new(), hops: 0, ..document() }),
            Item::Root { hash: Hash([1; 32]), complete: true },
            Item::Digest { claims: vec![claim(1), claim(2)], complete: false, wants_yours: true },
            Item::Announce(vec![claim(4)]),
            Item::Echo { direct: None },
            Item::Echo { direct: Some(["west".into()].into()) },
            Item::Proof(Box::new(proof)),
        ];
        assert_eq!(read(&texts(&write(&items))), Ok(items));
        assert_eq!(write(&[]), "[]");
    }

    #[test]
    fn questions_and_subscriptions_are_read_as_meant() {
        let slot = claim(1).slot;
        let wants = vec![
            Want { slot: slot.clone(), have: vec![Hash([2; 32])], proof: false },
            Want { slot, have: Vec::new(), proof: true },
        ];
        assert_eq!(read_question(&write_wants(&wants)), Ok(Question::Wants(wants)));
        assert_eq!(read_question(r#"[{"type":"query","names":["qber_ratio"]}]"#), Ok(Question::Plain));
        assert_eq!(read_question("[]"), Ok(Question::Plain));
        let wishes = Subscription { sections: Some(["links".into()].into()), min_interval_ms: 500, relay: false };
        assert_eq!(read_subscription(&write_subscription(&wishes)), Some(wishes));
        assert_eq!(read_subscription(r#"[{"type":"subscription","events":[],"notificationMethod":"PERIODIC"}]"#), None);
    }

    #[test]
    fn what_has_the_wrong_form_is_told_with_its_place() {
        let sections_alone = texts(&write(&[Item::Document(document())])).split_off(1);
        let error = read(&sections_alone).unwrap_err().to_string();
        assert!(error.starts_with("mx[0]: a section without the manifest"), "{error}");
        let error = read(&[r#"{"type":"mx.root","hash":"x"}"#]).unwrap_err().to_string();
        assert!(error.contains("mx[0]: `mx.root`") && error.contains("no SHA-256"), "{error}");
        assert_eq!(read(&[r#"{"type":"mx.tomorrow","a":1}"#]), Ok(Vec::new()));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,80}", kind in prop::sample::select(&TYPES[..])) {
            let _ = read(&[text.as_str(), &format!(r#"{{"type":"{kind}","claims":{text}}}"#)]);
            let _ = read_question(&text);
            let _ = read_subscription(&text);
        }
    }
}
