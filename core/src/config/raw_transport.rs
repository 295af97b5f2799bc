//! `[tls]` and `[interfaces.*]` as written, with the place of each value.
//!
//! Types of values are checked here and nothing else; whether addresses collide and files are there is `check`'s to say.

use std::{net::SocketAddr, time::Duration};

use super::{
    KeyExchange,
    problem::Problem,
    raw::keys,
    reader::{Found, TableReader},
    source::{Place, Spot},
};
use crate::model::ReferencePoint;

/// `[tls]`, and the same keys of an interface.
#[derive(Clone, Debug, Default)]
pub struct RawTls {
    pub(super) place: Option<Place>,
    /// Keys that are there with a value of the wrong type or are misspelt, which was reported.
    pub(super) unreadable: Vec<&'static str>,
    pub(super) certificate: Option<Spot<String>>,
    pub(super) private_key: Option<Spot<String>>,
    pub(super) trust_anchors: Option<Spot<Vec<Spot<String>>>>,
    pub(super) revocation_lists: Option<Spot<Vec<Spot<String>>>>,
    pub(super) key_exchange: Option<Spot<KeyExchange>>,
    pub(super) allow_tls12: Option<Spot<bool>>,
}

/// `[interfaces.*]`
#[derive(Debug)]
pub struct RawInterface {
    pub(super) place: Place,
    pub(super) reference_point: ReferencePoint,
    pub(super) listen: Option<Vec<Spot<SocketAddr>>>,
    /// Whether some of its addresses could not be read, which was reported.
    pub(super) listen_unreadable: bool,
    pub(super) tls: RawTls,
    pub(super) max_connections: Option<Spot<u64>>,
    pub(super) max_connections_per_identity: Option<Spot<u64>>,
    pub(super) max_line_bytes: Option<Spot<u64>>,
    pub(super) max_in_flight: Option<Spot<u64>>,
    pub(super) handshake_timeout: Option<Spot<Duration>>,
    pub(super) idle_timeout: Option<Spot<Duration>>,
    pub(super) request_timeout: Option<Spot<Duration>>,
}

/// `[tls]` of the whole. Where it is misspelt, that was reported, and nothing in it is missing besides.
pub(super) fn tls_of(top: &TableReader<'_>, is_there: bool) -> RawTls {
    match top.table("tls", "[tls]", keys::TLS) {
        Some(table) => tls(&table),
        None if is_there => RawTls { unreadable: NEEDED.to_vec(), ..RawTls::default() },
        None => RawTls::default(),
    }
}

/// The keys without which there is no TLS.
const NEEDED: [&str; 3] = ["certificate", "private_key", "trust_anchors"];

/// All `[interfaces.*]`.
pub(super) fn interfaces<'a>(
    table: &'a TableReader<'a>,
    found: &'a Found,
) -> impl Iterator<Item = RawInterface> + use<'a> {
    ReferencePoint::ALL.into_iter().filter_map(move |point| interface(table, point, found))
}

/// The reference points whose table is there, readable or not.
pub(super) fn points(interfaces: &TableReader<'_>) -> Vec<ReferencePoint> {
    ReferencePoint::ALL.into_iter().filter(|point| interfaces.is_meant(point.as_str())).collect()
}

fn tls(table: &TableReader<'_>) -> RawTls {
    let groups = [
        ("hybrid-required", KeyExchange::HybridRequired),
        ("hybrid-preferred", KeyExchange::HybridPreferred),
        ("classical", KeyExchange::Classical),
    ];
    let (certificate, private_key) = (table.text("certificate"), table.text("private_key"));
    let trust_anchors = table.texts("trust_anchors");
    let read = [certificate.is_some(), private_key.is_some(), trust_anchors.is_some()];
    let unreadable =
        NEEDED.into_iter().zip(read).filter(|(key, read)| !read && table.is_meant(key)).map(|(key, _)| key);
    RawTls {
        place: Some(table.place),
        unreadable: unreadable.collect(),
        certificate,
        private_key,
        trust_anchors,
        revocation_lists: table.texts("revocation_lists"),
        key_exchange: table.word("key_exchange", &groups),
        allow_tls12: table.flag("allow_tls12"),
    }
}

fn interface(interfaces: &TableReader<'_>, point: ReferencePoint, found: &Found) -> Option<RawInterface> {
    let table = interfaces.table(point.as_str(), &format!("[interfaces.{point}]"), keys::INTERFACE)?;
    let second = Duration::from_secs(1);
    let written = table.texts("listen");
    let addresses = |list: Spot<Vec<Spot<String>>>| list.value.into_iter().filter_map(|text| address(text, found));
    let listen: Option<Vec<_>> = written.clone().map(|list| addresses(list).collect());
    Some(RawInterface {
        place: table.place,
        reference_point: point,
        listen_unreadable: written.map(|list| list.value.len()) != listen.as_ref().map(Vec::len),
        listen,
        tls: tls(&table),
        max_connections: table.number("max_connections", 1..=1_000_000),
        max_connections_per_identity: table.number("max_connections_per_identity", 1..=1_000_000),
        max_line_bytes: table.number("max_line_bytes", 1_024..=64 << 20),
        max_in_flight: table.number("max_in_flight", 1..=65_536),
        handshake_timeout: table.duration("handshake_timeout", second / 10..=second * 300),
        idle_timeout: table.duration("idle_timeout", second / 10..=super::raw::YEAR),
        request_timeout: table.duration("request_timeout", second / 100..=second * 3_600),
    })
}

/// An address to listen on.
pub(super) fn address(text: Spot<String>, found: &Found) -> Option<Spot<SocketAddr>> {
    if let Ok(address) = text.value.parse() {
        return Some(Spot::new(address, text.place));
    }
    let problem = Problem::error(text.place, format!("`{}` is no address to listen on", text.value));
    found.add(if port_is_too_high(&text.value) {
        problem.label("ports end at 65535")
    } else {
        problem
            .label("expected IP address and port")
            .help("write it as \"0.0.0.0:7101\" or \"[::]:7101\"; names are not looked up")
    });
    None
}

/// Whether an address ends in a number that is too high for a port.
pub(super) fn port_is_too_high(address: &str) -> bool {
    let digits = |port: &str| !port.is_empty() && port.bytes().all(|digit| digit.is_ascii_digit());
    address.rsplit_once(':').is_some_and(|(_, port)| digits(port) && port.parse::<u16>().is_err())
}
