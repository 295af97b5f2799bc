//! Whether a collector may have something fetched.
//!
//! In: a request, the hosts that the plugin's description asks for, those that the configuration grants. Out: the path as
//! it is sent, or a refusal with its reason. Deny by default: a host has to be asked for and granted, and a path that could
//! hand out keys is refused whatever else is so. Paths are looked at with every encoding taken off, and with the path of
//! the host's URL before them, so that a key cannot be had in disguise.

use std::fmt;

use crate::{
    config::{HostConfig, limits},
    plugin::Get,
};

/// What the endpoints are called that hand out keys: of ETSI GS QKD 014, GET and POST alike.
const KEY_ENDPOINTS: [&str; 2] = ["enc_keys", "dec_keys"];
/// A part of a path that is a key by itself: SKIP hands out keys at `/key` and `/key/{id}`.
const KEY_SEGMENT: &str = "key";
/// Times that an encoding is taken off; what is encoded more often hides something.
const ENCODINGS: usize = 4;

/// Why a request is not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The plugin's description does not ask for this host.
    NotAsked,
    /// The configuration does not grant it.
    NotGranted,
    /// The path hands out keys, or may.
    Keys,
    /// The path or header cannot be sent.
    Malformed(&'static str),
    /// The collection has had as many as it may.
    TooMany,
}

impl Refusal {
    /// Short names, for counters, in the order of [`Self::index`].
    pub const NAMES: [&str; 5] = ["not-asked", "not-granted", "keys", "malformed", "too-many"];

    /// Place of its name.
    #[must_use]
    pub const fn index(&self) -> usize {
        match self {
            Self::NotAsked => 0,
            Self::NotGranted => 1,
            Self::Keys => 2,
            Self::Malformed(_) => 3,
            Self::TooMany => 4,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAsked => f.write_str("the plugin's description does not ask for a host of this name"),
            Self::NotGranted => f.write_str(
                "the configuration does not grant a host of this name: add [[collectors.http]] with it and its url",
            ),
            Self::Keys => f.write_str("this path may hand out keys, which the manager never asks for"),
            Self::Malformed(why) => write!(f, "it cannot be sent: {why}"),
            Self::TooMany => write!(f, "a collection may have {} requests", limits::COLLECTOR_REQUESTS),
        }
    }
}

/// The host of a request, and the path to send; or why not.
///
/// # Errors
/// The refusal.
pub fn permitted<'a>(
    get: &Get,
    mut asked: impl Iterator<Item = &'a str>,
    granted: &'a [HostConfig],
) -> Result<(usize, String), Refusal> {
    if !asked.any(|name| name == get.host) {
        return Err(Refusal::NotAsked);
    }
    let position = granted.iter().position(|host| host.name == get.host).ok_or(Refusal::NotGranted)?;
    let host = granted.get(position).ok_or(Refusal::NotGranted)?;
    let path = sent(&host.url.path, &get.path)?;
    if hands_out_keys(&path) {
        return Err(Refusal::Keys);
    }
    let is_header = |text: &str| text.len() <= 256 && text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    if !is_header(&get.accept) {
        return Err(Refusal::Malformed("`accept` has other characters than ASCII, or more than 256"));
    }
    Ok((position, path))
}

/// The path as it is sent.
fn sent(base: &str, path: &str) -> Result<String, Refusal> {
    let bad = |why| Err(Refusal::Malformed(why));
    if !path.starts_with('/') {
        return bad("a path begins with `/`");
    }
    if path.len() > limits::COLLECTOR_PATH_BYTES {
        return bad("the path is too long");
    }
    if path.bytes().any(|byte| byte <= 0x20 || byte >= 0x7f || byte == b'#' || byte == b'\\') {
        return bad("a path has printable ASCII characters without space, # and \\; write others as %XX");
    }
    let plain = decoded(path).ok_or(Refusal::Malformed("it is encoded more often than any path has to be"))?;
    let only_path = plain.split('?').next().unwrap_or_default();
    if only_path.split(['/', '\\']).any(|segment| segment == "." || segment == "..") {
        return bad("`.` and `..` lead out of where a path begins");
    }
    let path = format!("{}{path}", base.trim_end_matches('/'));
    if path.parse::<http::uri::PathAndQuery>().is_err() {
        return bad("it is no path of a URL");
    }
    Ok(path)
}

/// Whether a key could be had there, as far as names tell.
fn hands_out_keys(path: &str) -> bool {
    let Some(plain) = decoded(path) else { return true };
    let plain = plain.to_lowercase();
    let only_path = plain.split('?').next().unwrap_or_default();
    KEY_ENDPOINTS.iter().any(|name| plain.contains(name))
        || only_path.split(['/', '\\', ';']).any(|segment| segment == KEY_SEGMENT)
}

/// The text with every percent-encoding taken off; `None` if there is no end to it.
fn decoded(text: &str) -> Option<String> {
    let mut text = text.to_owned();
    for _ in 0..ENCODINGS {
        let plain = once(&text);
        if plain == text {
            return Some(plain);
        }
        text = plain;
    }
    None
}

fn once(text: &str) -> String {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let bytes = text.as_bytes();
    let (mut plain, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(byte) = bytes.get(at) {
        match (byte, digit(bytes.get(at + 1)), digit(bytes.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                plain.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
                at += 3;
            }
            _ => {
                plain.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::exporter::ExporterUrl;

    fn granted(path: &str) -> Vec<HostConfig> {
        let url = ExporterUrl { https: false, host: "localhost".to_owned(), port: 80, path: path.to_owned() };
        vec![HostConfig { name: "kme".to_owned(), url, tls: None }]
    }

    fn asked(host: &str, path: &str, base: &str) -> Result<String, Refusal> {
        let get = Get { host: host.to_owned(), path: path.to_owned(), accept: String::new() };
        permitted(&get, ["kme", "other"].into_iter(), &granted(base)).map(|(_, path)| path)
    }

    #[test]
    fn a_host_has_to_be_asked_for_and_granted() {
        assert_eq!(asked("kme", "/api/v1/keys/sae-b/status", "/").unwrap(), "/api/v1/keys/sae-b/status");
        assert_eq!(asked("kme", "/status?x=1", "/site/a/").unwrap(), "/site/a/status?x=1");
        assert_eq!(asked("stranger", "/", "/"), Err(Refusal::NotAsked));
        assert_eq!(asked("other", "/", "/"), Err(Refusal::NotGranted));
    }

    #[test]
    fn what_hands_out_keys_is_refused_in_every_disguise() {
        for path in [
            "/api/v1/keys/sae-b/enc_keys",
            "/api/v1/keys/sae-b/dec_keys?key_ID=1",
            "/api/v1/keys/sae-b/ENC_KEYS",
            "/api/v1/keys/sae-b/enc%5fkeys",
            "/api/v1/keys/sae-b/%65nc_keys",
            "/api/v1/keys/sae-b/%2565nc_keys",
            "/api/v1/keys/sae-b/dec_keys/",
            "/api/v1/keys/sae-b/dec_keys;x=1",
            "/redirect?to=/api/v1/keys/sae-b/enc_keys",
            "/key",
            "/key/0123",
            "/KEY?size=256",
        ] {
            assert_eq!(asked("kme", path, "/"), Err(Refusal::Keys), "{path}");
        }
        assert_eq!(asked("kme", "/", "/api/v1/keys/sae-b/enc_keys"), Err(Refusal::Keys), "the path of the host counts");
        assert_eq!(
            asked("kme", "/sae/../status", "/x"),
            Err(Refusal::Malformed("`.` and `..` lead out of where a path begins"))
        );
    }

    #[test]
    fn what_is_no_path_is_not_sent() {
        for path in ["", "status", "http://elsewhere/", "/a b", "/a\r\nHost: x", "/ä", "/a#b", "/a\\b", "/%2e%2e/x"] {
            assert!(matches!(asked("kme", path, "/"), Err(Refusal::Malformed(_))), "{path}");
        }
        assert!(matches!(asked("kme", &format!("/{}", "x".repeat(5_000)), "/"), Err(Refusal::Malformed(_))));
        assert!(matches!(asked("kme", "/%25252565nc", "/"), Err(Refusal::Malformed(_))));
    }

    proptest! {
        /// However the name of a key endpoint is encoded, letter by letter, nothing is sent.
        #[test]
        fn no_encoding_of_a_key_endpoint_passes(encode in prop::collection::vec((any::<bool>(), any::<bool>()), 8)) {
            let mut path = "/api/v1/keys/s/".to_owned();
            for (letter, (is_encoded, is_upper)) in "enc_keys".chars().zip(encode) {
                let letter = if is_upper { letter.to_ascii_uppercase() } else { letter };
                if is_encoded { path.push_str(&format!("%{:02X}", u32::from(letter))) } else { path.push(letter) }
            }
            prop_assert_eq!(asked("kme", &path, "/"), Err(Refusal::Keys));
        }

        /// What is sent has one host: nothing in it begins another line, header or authority.
        #[test]
        fn what_is_sent_is_a_path(path in ".{0,64}") {
            if let Ok(sent) = asked("kme", &path, "/base") {
                prop_assert!(sent.starts_with("/base/"));
                prop_assert!(sent.bytes().all(|byte| (0x21..0x7f).contains(&byte)));
            }
        }
    }
}
