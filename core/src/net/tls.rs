//! What TLS the manager speaks: provider, versions, key exchange groups, ALPN (PROTOCOL section 1).
//!
//! In: `key_exchange` and `allow_tls12`. Out: the parts of rustls configurations. Who may connect is not known here.

use std::sync::Arc;

use rustls::{
    CommonState, NamedGroup, ProtocolVersion, SupportedProtocolVersion,
    crypto::{
        CryptoProvider, SupportedKxGroup,
        aws_lc_rs::{self, kx_group},
    },
    time_provider::TimeProvider,
    version,
};
use rustls_pki_types::UnixTime;

use crate::{
    config::{KeyExchange, TlsConfig},
    model::Timestamp,
};

/// The application protocol that the manager speaks.
pub const ALPN: &[u8] = b"qkdn/1";

/// The manager's clock, as everything in `net` takes it.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A clock for rustls.
pub(super) struct TlsClock(pub(super) Clock);

impl std::fmt::Debug for TlsClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsClock")
    }
}

impl TimeProvider for TlsClock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(unix_time((self.0)()))
    }
}

/// A point in time as rustls has it.
pub(super) fn unix_time(time: Timestamp) -> UnixTime {
    UnixTime::since_unix_epoch(std::time::Duration::from_millis(u64::try_from(time.0).unwrap_or(0)))
}

/// Cryptography: aws-lc-rs, with the groups that `key_exchange` allows, in the order of preference.
#[must_use]
pub fn provider(key_exchange: KeyExchange) -> Arc<CryptoProvider> {
    const CLASSICAL: [&'static dyn SupportedKxGroup; 3] = [kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1];
    let mut kx_groups: Vec<&'static dyn SupportedKxGroup> = Vec::new();
    if key_exchange != KeyExchange::Classical {
        kx_groups.push(kx_group::X25519MLKEM768);
    }
    if key_exchange != KeyExchange::HybridRequired {
        kx_groups.extend(CLASSICAL);
    }
    Arc::new(CryptoProvider { kx_groups, ..aws_lc_rs::default_provider() })
}

/// TLS 1.3; 1.2 too if it is asked for and can be had: it has no hybrid groups.
#[must_use]
pub fn versions(tls: &TlsConfig) -> &'static [&'static SupportedProtocolVersion] {
    if tls.allow_tls12 && tls.key_exchange != KeyExchange::HybridRequired { BOTH } else { ONLY_13 }
}

static ONLY_13: &[&SupportedProtocolVersion] = &[&version::TLS13];
static BOTH: &[&SupportedProtocolVersion] = &[&version::TLS13, &version::TLS12];

/// What a handshake agreed on, for inventory, metrics and people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// Key exchange group, `X25519MLKEM768` or a classical one.
    pub key_exchange: &'static str,
    /// `1.3` or `1.2`.
    pub tls_version: &'static str,
    /// Whether an earlier session was resumed.
    pub resumed: bool,
}

impl Agreed {
    /// Whether the key exchange withstands a quantum computer.
    #[must_use]
    pub fn is_hybrid(&self) -> bool {
        self.key_exchange == "X25519MLKEM768"
    }

    /// Reads it off a connection whose handshake is done.
    #[must_use]
    pub fn of(connection: &CommonState) -> Self {
        let key_exchange = match connection.negotiated_key_exchange_group().map(SupportedKxGroup::name) {
            Some(NamedGroup::X25519MLKEM768) => "X25519MLKEM768",
            Some(NamedGroup::X25519) => "X25519",
            Some(NamedGroup::secp256r1) => "secp256r1",
            Some(NamedGroup::secp384r1) => "secp384r1",
            Some(_) => "other",
            // TLS 1.2 resumes without a key exchange.
            None => "none",
        };
        let tls_version = match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "1.3",
            Some(ProtocolVersion::TLSv1_2) => "1.2",
            _ => "unknown",
        };
        let resumed = connection.handshake_kind() == Some(rustls::HandshakeKind::Resumed);
        Self { key_exchange, tls_version, resumed }
    }
}
