//! A key management entity as ETSI GS QKD 014 has it: status, keys for an SAE to share with another, and the same keys by
//! their IDs for the other.
//!
//! In: a request with the SAE that its certificate names, how the node is, the time. Out: a status and a JSON document. Keys are
//! random numbers of this process and mean nothing; the store that they come from is the simulated network's. An SAE is
//! called `sae-NODE`; who asks may be called as it likes.

use std::collections::{BTreeMap, VecDeque};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Deserialize;
use serde_json::{Value, json};

use super::NodeView;

/// Bits of a key unless another size is asked for.
const KEY_SIZE: u64 = 256;
/// Least and greatest size, bits.
const KEY_SIZES: std::ops::RangeInclusive<u64> = 64..=4_096;
/// Keys in one request.
const MOST_KEYS: u64 = 64;
/// Keys that were handed out to one end and not yet to the other.
const MOST_WAITING: usize = 4_096;

/// A request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'a> {
    /// `GET` or `POST`.
    pub method: &'a str,
    /// Path, decoded.
    pub path: &'a str,
    /// Names and values of the query, decoded.
    pub query: &'a [(String, String)],
    /// The body.
    pub body: &'a [u8],
    /// Who asks.
    pub sae: &'a str,
}

/// Status and document.
pub type Reply = (u16, Value);

/// What the entity remembers.
#[derive(Debug)]
pub struct Entity {
    id: String,
    waiting: BTreeMap<String, Waiting>,
    order: VecDeque<String>,
    /// Keys taken out that the network's store does not know of, by link; they come back as it fills.
    taken: BTreeMap<String, f64>,
    last: Option<u64>,
}

#[derive(Debug)]
struct Waiting {
    master: String,
    slave: String,
    key: Vec<u8>,
}

/// What may be asked for in a body or query.
#[derive(Debug, Default, Deserialize)]
struct KeyRequest {
    number: Option<u64>,
    size: Option<u64>,
    #[serde(default, rename = "additional_slave_SAE_IDs")]
    additional: Vec<String>,
    #[serde(default)]
    extension_mandatory: Vec<Value>,
}

#[derive(Debug, Deserialize)]
struct KeyId {
    #[serde(rename = "key_ID")]
    id: String,
}

#[derive(Debug, Deserialize)]
struct KeyIds {
    #[serde(rename = "key_IDs")]
    ids: Vec<KeyId>,
}

fn refused(status: u16, message: impl Into<String>) -> Reply {
    (status, json!({ "message": message.into() }))
}

impl Entity {
    /// The entity of a node.
    #[must_use]
    pub fn new(node: &str) -> Self {
        Self {
            id: format!("kme-{node}"),
            waiting: BTreeMap::new(),
            order: VecDeque::new(),
            taken: BTreeMap::new(),
            last: None,
        }
    }

    /// Answers; `now` is in milliseconds.
    pub fn answer(&mut self, request: Request<'_>, view: &NodeView, now: u64) -> Reply {
        self.time_passes(view, now);
        let Some((other, what)) = request.path.strip_prefix("/api/v1/keys/").and_then(|rest| rest.split_once('/'))
        else {
            return refused(404, "there is /api/v1/keys/{SAE_ID}/status, enc_keys and dec_keys");
        };
        if !view.works {
            return refused(503, "the key manager of this node does not work");
        }
        match (request.method, what) {
            ("GET", "status") => self.status(other, request.sae, view),
            ("GET" | "POST", "enc_keys") => match asked(request) {
                Ok(wanted) => self.new_keys(other, request.sae, &wanted, view),
                Err(why) => refused(400, why),
            },
            ("GET" | "POST", "dec_keys") => match named(request) {
                Ok(ids) => self.keys_by_id(other, request.sae, &ids),
                Err(why) => refused(400, why),
            },
            (_, "status" | "enc_keys" | "dec_keys") => refused(405, "this method does nothing here"),
            _ => refused(404, "there is status, enc_keys and dec_keys"),
        }
    }

    /// Stores fill: what was taken out is made up for.
    fn time_passes(&mut self, view: &NodeView, now: u64) {
        let seconds = self.last.replace(now).map_or(0.0, |last| now.saturating_sub(last) as f64 / 1_000.0);
        for (link, taken) in &mut self.taken {
            let rate = view.links.iter().find(|known| known.id == *link).map_or(0.0, |link| link.keys_a_second);
            *taken = (*taken - rate * seconds).max(0.0);
        }
    }

    /// The node of an SAE, if keys can be shared with it.
    fn site<'a>(&self, sae: &'a str, view: &NodeView) -> Option<&'a str> {
        let site = sae.strip_prefix("sae-")?;
        (view.sites.iter().any(|known| known == site) && site != view.id).then_some(site)
    }

    fn stored(&self, site: &str, view: &NodeView) -> (u64, u64, String) {
        let Some(link) = view.towards(site) else { return (0, 0, String::new()) };
        // Whole keys.
        let taken = self.taken.get(&link.id).copied().unwrap_or_default() as u64;
        (link.keys.saturating_sub(taken), link.most_keys, link.id.clone())
    }

    fn status(&self, slave: &str, master: &str, view: &NodeView) -> Reply {
        let Some(site) = self.site(slave, view) else { return unknown(slave) };
        let (stored, most, _) = self.stored(site, view);
        (
            200,
            json!({
                "source_KME_ID": self.id,
                "target_KME_ID": format!("kme-{site}"),
                "master_SAE_ID": master,
                "slave_SAE_ID": slave,
                "key_size": KEY_SIZE,
                "stored_key_count": stored,
                "max_key_count": most,
                "max_key_per_request": MOST_KEYS,
                "max_key_size": KEY_SIZES.end(),
                "min_key_size": KEY_SIZES.start(),
                "max_SAE_ID_count": 0,
            }),
        )
    }

    fn new_keys(&mut self, slave: &str, master: &str, wanted: &KeyRequest, view: &NodeView) -> Reply {
        let Some(site) = self.site(slave, view) else { return unknown(slave) };
        let (number, size) = (wanted.number.unwrap_or(1), wanted.size.unwrap_or(KEY_SIZE));
        if !(1..=MOST_KEYS).contains(&number) {
            return refused(400, format!("number: expected 1 to {MOST_KEYS}, found {number}"));
        }
        if !KEY_SIZES.contains(&size) || size % 8 != 0 {
            let (least, most) = KEY_SIZES.into_inner();
            return refused(400, format!("size: expected a multiple of 8 from {least} to {most}, found {size}"));
        }
        if !wanted.additional.is_empty() {
            return refused(400, "additional_slave_SAE_IDs: keys are shared with one SAE here");
        }
        if !wanted.extension_mandatory.is_empty() {
            return refused(400, "not all extension_mandatory parameters are supported");
        }
        let (stored, _, link) = self.stored(site, view);
        let needed = (number * size).div_ceil(KEY_SIZE);
        if stored < needed {
            return refused(503, format!("{stored} keys of {KEY_SIZE} bits are stored, and {needed} are needed"));
        }
        *self.taken.entry(link).or_default() += needed as f64;
        let keys: Vec<Value> = (0..number)
            .map(|_| {
                let mut key = vec![0_u8; usize::try_from(size / 8).unwrap_or(0)];
                fastrand::fill(&mut key);
                let id = uuid(fastrand::u128(..));
                let shown = shown(&id, &key);
                self.keep(id, Waiting { master: master.to_owned(), slave: slave.to_owned(), key });
                shown
            })
            .collect();
        (200, json!({ "keys": keys }))
    }

    fn keep(&mut self, id: String, waiting: Waiting) {
        if self.order.len() >= MOST_WAITING
            && let Some(oldest) = self.order.pop_front()
        {
            self.waiting.remove(&oldest);
        }
        self.order.push_back(id.clone());
        self.waiting.insert(id, waiting);
    }

    /// Either end of a key may have it by its ID; the slave for the last time.
    fn keys_by_id(&mut self, other: &str, sae: &str, ids: &[String]) -> Reply {
        if ids.is_empty() || ids.len() as u64 > MOST_KEYS {
            return refused(400, format!("expected 1 to {MOST_KEYS} key_IDs, found {}", ids.len()));
        }
        let mut keys = Vec::new();
        for id in ids {
            let Some(waiting) = self.waiting.get(id) else { return refused(404, "a key_ID is not known") };
            let ends = [waiting.master.as_str(), waiting.slave.as_str()];
            if !(ends == [other, sae] || ends == [sae, other]) {
                return refused(401, "this SAE is no end of one of these keys");
            }
            keys.push(shown(id, &waiting.key));
        }
        for id in ids {
            if self.waiting.get(id).is_some_and(|waiting| waiting.slave == sae) {
                self.waiting.remove(id);
                self.order.retain(|known| known != id);
            }
        }
        (200, json!({ "keys": keys }))
    }
}

fn unknown(sae: &str) -> Reply {
    let sae: String = sae.chars().take(64).filter(|c| !c.is_control()).collect();
    refused(400, format!("no keys are shared with an SAE `{sae}` here"))
}

fn shown(id: &str, key: &[u8]) -> Value {
    json!({ "key_ID": id, "key": BASE64_STANDARD.encode(key) })
}

/// A UUID of version 4 (RFC 9562) from random bits.
pub(super) fn uuid(random: u128) -> String {
    let bits = (random & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let text = format!("{bits:032x}");
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}

fn asked(request: Request<'_>) -> Result<KeyRequest, String> {
    if request.method == "POST" {
        return serde_json::from_slice(request.body).map_err(|error| format!("the body is no key request: {error}"));
    }
    let mut wanted = KeyRequest::default();
    for (name, value) in request.query {
        let number = || value.parse().map(Some).map_err(|_| format!("{name}: expected a number, found `{value}`"));
        match name.as_str() {
            "number" => wanted.number = number()?,
            "size" => wanted.size = number()?,
            _ => {}
        }
    }
    Ok(wanted)
}

fn named(request: Request<'_>) -> Result<Vec<String>, String> {
    if request.method == "POST" {
        let ids: KeyIds =
            serde_json::from_slice(request.body).map_err(|error| format!("the body has no key_IDs: {error}"))?;
        return Ok(ids.ids.into_iter().map(|id| id.id).collect());
    }
    let ids = request.query.iter().filter(|(name, _)| name == "key_ID").map(|(_, id)| id.clone());
    Ok(ids.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::devices::LinkView;

    fn view(keys: u64) -> NodeView {
        let link = LinkView {
            id: "a-b".into(),
            other: "b".into(),
            keys,
            most_keys: 1_000,
            keys_a_second: 2.0,
            ..LinkView::default()
        };
        NodeView {
            id: "a".into(),
            works: true,
            links: vec![link],
            sites: vec!["a".into(), "b".into()],
            ..NodeView::default()
        }
    }

    fn get(entity: &mut Entity, path: &str, query: &[(&str, &str)], sae: &str, keys: u64, now: u64) -> Reply {
        let query: Vec<(String, String)> = query.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        let request = Request { method: "GET", path, query: &query, body: b"", sae };
        entity.answer(request, &view(keys), now)
    }

    #[test]
    fn keys_come_out_of_the_store_and_it_fills_again() {
        let mut entity = Entity::new("a");
        let status = |entity: &mut Entity, now| {
            let (status, document) = get(entity, "/api/v1/keys/sae-b/status", &[], "sae-a", 10, now);
            assert_eq!(status, 200);
            document["stored_key_count"].as_u64().unwrap()
        };
        assert_eq!(status(&mut entity, 0), 10);
        let (_, keys) = get(&mut entity, "/api/v1/keys/sae-b/enc_keys", &[("number", "6")], "sae-a", 10, 0);
        assert_eq!(keys["keys"].as_array().unwrap().len(), 6);
        assert_eq!(status(&mut entity, 0), 4);
        let (refused, _) = get(&mut entity, "/api/v1/keys/sae-b/enc_keys", &[("number", "6")], "sae-a", 10, 0);
        assert_eq!(refused, 503);
        assert_eq!(status(&mut entity, 1_000), 6);
        assert_eq!(status(&mut entity, 60_000), 10);
    }

    #[test]
    fn both_ends_have_the_same_key_and_nobody_else() {
        let mut entity = Entity::new("a");
        let (_, keys) = get(&mut entity, "/api/v1/keys/sae-b/enc_keys", &[("size", "128")], "sae-a", 10, 0);
        let (id, key) = (keys["keys"][0]["key_ID"].as_str().unwrap().to_owned(), keys["keys"][0]["key"].clone());
        assert_eq!(BASE64_STANDARD.decode(key.as_str().unwrap()).unwrap().len(), 16);
        let mut by_id = |other: &str, sae: &str| {
            get(&mut entity, &format!("/api/v1/keys/{other}/dec_keys"), &[("key_ID", &id)], sae, 10, 0)
        };
        assert_eq!(by_id("sae-a", "sae-c").0, 401);
        assert_eq!(by_id("sae-b", "sae-a").1["keys"][0]["key"], key, "the master again");
        assert_eq!(by_id("sae-a", "sae-b").1["keys"][0]["key"], key, "the slave");
        assert_eq!(by_id("sae-a", "sae-b").0, 404, "once");
    }

    #[test]
    fn what_cannot_be_is_refused_with_a_message() {
        let mut entity = Entity::new("a");
        for (path, query, status) in [
            ("/api/v1/keys/sae-x/status", vec![], 400),
            ("/api/v1/keys/sae-a/status", vec![], 400),
            ("/api/v1/keys/sae-b/enc_keys", vec![("size", "257")], 400),
            ("/api/v1/keys/sae-b/enc_keys", vec![("number", "65")], 400),
            ("/api/v1/keys/sae-b/enc_keys", vec![("number", "few")], 400),
            ("/api/v1/keys/sae-b/dec_keys", vec![], 400),
            ("/api/v1/keys/sae-b/dec_keys", vec![("key_ID", "0")], 404),
            ("/api/v1/keys/sae-b/other", vec![], 404),
            ("/", vec![], 404),
        ] {
            let (found, document) = get(&mut entity, path, &query, "sae-a", 10, 0);
            assert!(found == status && document["message"].is_string(), "{path} {query:?}: {found} {document}");
        }
        let body = br#"{"number":1,"extension_mandatory":[{"x":1}]}"#;
        let request = Request { method: "POST", path: "/api/v1/keys/sae-b/enc_keys", body, sae: "sae-a", query: &[] };
        assert_eq!(entity.answer(request, &view(9), 0).0, 400);
        let body = br#"{"number":1,"extension_optional":[{"x":1}]}"#;
        assert_eq!(entity.answer(Request { body, ..request }, &view(9), 0).0, 200);
        assert_eq!(entity.answer(request, &NodeView { works: false, ..view(9) }, 0).0, 503);
    }

    #[test]
    fn a_uuid_has_its_form() {
        let text = uuid(u128::MAX);
        assert_eq!(text, "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
