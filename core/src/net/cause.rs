//! Why a peer was refused: a short name for counters and alarms, and a sentence for a person.
//!
//! In: what rustls and the identity check found. Out: [`Refused`], which says what was found and what was expected.

use std::{fmt, io, sync::Arc};

use rustls::{CertificateError, Error as TlsError, InvalidMessage, OtherError, PeerIncompatible};

use crate::model::Timestamp;

/// Why a connection was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The peer sent no certificate.
    NoCertificate,
    /// Its certificate, or one it was issued by, is past its validity.
    Expired,
    /// Its certificate is not valid yet.
    NotYetValid,
    /// No trust anchor of this interface issued it.
    UnknownIssuer,
    /// It stands on a revocation list.
    Revoked,
    /// It may not be used for this side of a connection (extended key usage).
    WrongUsage,
    /// It cannot be read, or does what X.509 forbids.
    BadCertificate,
    /// A signature does not fit its key.
    BadSignature,
    /// The revocation list of its issuer cannot be relied on.
    RevocationList,
    /// It names no component.
    NoIdentity,
    /// It names components of other reference points only.
    WrongReferencePoint,
    /// It has a `urn:qkdn:` name that cannot be read.
    MalformedIdentity,
    /// It names components that the configuration gives to other certificates.
    MappedElsewhere,
    /// A dialled component turned out to be another one.
    WrongComponent,
    /// The handshake took too long.
    HandshakeTimeout,
    /// No key exchange group in common.
    NoCommonKeyExchange,
    /// No TLS version in common.
    NoCommonVersion,
    /// The peer offers application protocols, ours not among them.
    Alpn,
    /// What came is not TLS, or breaks its rules.
    Protocol,
    /// The peer refused us.
    RefusedByPeer,
    /// The peer went away during the handshake.
    Closed,
    /// All connections of the listener are in use.
    Full,
    /// This identity has as many connections as it may have.
    IdentityFull,
    /// An operator has rejected what it speaks for.
    RejectedByOperator,
    /// It would wait for approval, but as many do as may.
    WaitingFull,
}

impl Cause {
    /// The name in counters, audit entries and alarms.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoCertificate => "no-certificate",
            Self::Expired => "expired",
            Self::NotYetValid => "not-yet-valid",
            Self::UnknownIssuer => "unknown-issuer",
            Self::Revoked => "revoked",
            Self::WrongUsage => "wrong-usage",
            Self::BadCertificate => "bad-certificate",
            Self::BadSignature => "bad-signature",
            Self::RevocationList => "revocation-list",
            Self::NoIdentity => "no-identity",
            Self::WrongReferencePoint => "wrong-reference-point",
            Self::MalformedIdentity => "malformed-identity",
            Self::MappedElsewhere => "mapped-elsewhere",
            Self::WrongComponent => "wrong-component",
            Self::HandshakeTimeout => "handshake-timeout",
            Self::NoCommonKeyExchange => "no-common-key-exchange",
            Self::NoCommonVersion => "no-common-version",
            Self::Alpn => "alpn",
            Self::Protocol => "protocol",
            Self::RefusedByPeer => "refused-by-peer",
            Self::Closed => "closed",
            Self::Full => "connections-full",
            Self::IdentityFull => "identity-connections-full",
            Self::RejectedByOperator => "rejected-by-operator",
            Self::WaitingFull => "waiting-full",
        }
    }

    /// Whether it speaks of who the peer is, rather than of load or of the line: a security matter.
    #[must_use]
    pub const fn is_about_identity(self) -> bool {
        !matches!(
            self,
            Self::HandshakeTimeout
                | Self::Protocol
                | Self::RefusedByPeer
                | Self::Closed
                | Self::Full
                | Self::IdentityFull
                | Self::WaitingFull
        )
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A refusal: its cause, a sentence, and who it was as far as the peer showed a certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{cause}: {sentence}")]
pub struct Refused {
    /// Why.
    pub cause: Cause,
    /// What was found and what was expected.
    pub sentence: String,
    /// Subject of the certificate shown (RFC 4514); nobody has vouched for it.
    pub subject: Option<String>,
    /// Its SHA-256, lower-case hex.
    pub fingerprint: Option<String>,
}

impl Refused {
    /// A refusal of nobody in particular.
    #[must_use]
    pub fn new(cause: Cause, sentence: impl Into<String>) -> Self {
        Self { cause, sentence: sentence.into(), subject: None, fingerprint: None }
    }

    /// Adds whose certificate it was.
    #[must_use]
    pub fn with_certificate(mut self, subject: &str, fingerprint: &str) -> Self {
        self.subject = Some(subject.to_owned());
        self.fingerprint = Some(fingerprint.to_owned());
        self
    }

    /// As an error inside the handshake, so that the peer gets an alert.
    pub(super) fn into_tls(self) -> TlsError {
        TlsError::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(self))))
    }

    /// What ended a handshake.
    #[must_use]
    pub fn from_io(error: &io::Error) -> Self {
        if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>()) {
            return Self::from_tls(error);
        }
        match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                Self::new(Cause::Closed, format!("the peer closed the connection during the TLS handshake ({error})"))
            }
            _ => Self::new(Cause::Protocol, format!("the TLS handshake failed: {error}")),
        }
    }

    /// What rustls found.
    #[must_use]
    pub fn from_tls(error: &TlsError) -> Self {
        let (cause, sentence) = match error {
            TlsError::InvalidCertificate(found) => return Self::from_certificate(found),
            TlsError::NoCertificatesPresented => {
                (Cause::NoCertificate, "the peer sent no certificate; this interface requires one".to_owned())
            }
            TlsError::NoApplicationProtocol => (
                Cause::Alpn,
                "the peer offers application protocols by ALPN, `qkdn/1` not among them; offer `qkdn/1` or none"
                    .to_owned(),
            ),
            TlsError::PeerIncompatible(found) => incompatible(found),
            TlsError::AlertReceived(alert) => {
                (Cause::RefusedByPeer, format!("the peer ended the TLS handshake with the alert {alert:?}"))
            }
            TlsError::InvalidCertRevocationList(found) => (
                Cause::RevocationList,
                format!("the revocation list of the certificate's issuer is unusable: {found:?}"),
            ),
            TlsError::InvalidMessage(InvalidMessage::InvalidContentType) => {
                (Cause::Protocol, "what the peer sent is not TLS; this interface speaks TLS only".to_owned())
            }
            other => (Cause::Protocol, format!("the peer broke the rules of TLS: {other}")),
        };
        Self::new(cause, sentence)
    }

    fn from_certificate(error: &CertificateError) -> Self {
        if let CertificateError::Other(OtherError(inner)) = error
            && let Some(refused) = inner.downcast_ref::<Self>()
        {
            return refused.clone();
        }
        let (cause, sentence) = match error {
            CertificateError::ExpiredContext { time, not_after } => {
                (Cause::Expired, format!("the certificate expired at {}, now it is {}", date(*not_after), date(*time)))
            }
            CertificateError::Expired => (Cause::Expired, "the certificate has expired".to_owned()),
            CertificateError::NotValidYetContext { time, not_before } => (
                Cause::NotYetValid,
                format!(
                    "the certificate is valid from {} on, now it is {}; check both clocks",
                    date(*not_before),
                    date(*time)
                ),
            ),
            CertificateError::NotValidYet => (Cause::NotYetValid, "the certificate is not valid yet".to_owned()),
            CertificateError::UnknownIssuer => {
                (Cause::UnknownIssuer, "no trust anchor of this interface issued the certificate".to_owned())
            }
            CertificateError::Revoked => {
                (Cause::Revoked, "the certificate, or one it was issued by, has been revoked by its issuer".to_owned())
            }
            CertificateError::InvalidPurpose => (Cause::WrongUsage, "the extended key usage is wrong".to_owned()),
            CertificateError::InvalidPurposeContext { required, presented } => (
                Cause::WrongUsage,
                format!("the certificate's extended key usage is {presented:?}; expected {required:?} among them"),
            ),
            CertificateError::BadSignature => {
                (Cause::BadSignature, "a signature does not fit the certificate's or its issuer's key".to_owned())
            }
            CertificateError::ExpiredRevocationListContext { .. }
            | CertificateError::ExpiredRevocationList
            | CertificateError::UnknownRevocationStatus => {
                (Cause::RevocationList, format!("whether the certificate is revoked cannot be told: {error:?}"))
            }
            other => (Cause::BadCertificate, format!("the certificate is not acceptable: {other}")),
        };
        Self::new(cause, sentence)
    }
}

fn incompatible(found: &PeerIncompatible) -> (Cause, String) {
    match found {
        PeerIncompatible::NoKxGroupsInCommon | PeerIncompatible::NamedGroupsExtensionRequired => (
            Cause::NoCommonKeyExchange,
            "the peer offers no key exchange group that `key_exchange` allows here; \
             \"hybrid-required\" expects X25519MLKEM768"
                .to_owned(),
        ),
        PeerIncompatible::ServerDoesNotSupportTls12Or13
        | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
        | PeerIncompatible::SupportedVersionsExtensionRequired
        | PeerIncompatible::Tls12NotOffered
        | PeerIncompatible::Tls12NotOfferedOrEnabled => (
            Cause::NoCommonVersion,
            "the peer does not speak TLS 1.3; TLS 1.2 is accepted only with `allow_tls12 = true`".to_owned(),
        ),
        other => (Cause::Protocol, format!("peer and manager have no common ground in TLS: {other:?}")),
    }
}

fn date(time: rustls_pki_types::UnixTime) -> Timestamp {
    Timestamp(i64::try_from(time.as_secs()).unwrap_or(i64::MAX).saturating_mul(1000))
}
