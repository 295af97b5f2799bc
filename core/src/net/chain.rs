//! The check that every peer's certificate chain goes through: issuer, validity, revocation, usage, identity.
//!
//! In: the loaded files of one state of trust, and the chain a peer showed. Out: an [`Identity`], or a cause. The same
//! check serves rustls within the handshake ([`PeerVerifier`]), finished handshakes, and connections that are up.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error as TlsError, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    server::{
        ServerSessionMemoryCache, StoresServerSessions, WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::SingleCertAndKey,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::{
    Cause, Identity, IdentityRules, Refused, Role, Scope, TrustError, TrustSource, TrustWarning,
    credentials::{self, CredentialError, Problems},
    identity::fingerprint,
    tls::{self, Clock},
};
use crate::{
    config::{ComponentConfig, KeyExchange, TlsConfig},
    model::{ComponentRef, ReferencePoint, Timestamp},
};

/// Whom the verifier of one handshake refused. rustls keeps the certificate to itself when a handshake fails, and an
/// operator needs to know whose it was.
#[derive(Clone, Debug, Default)]
pub(super) struct Finding(Arc<OnceLock<Refused>>);

impl Finding {
    pub(super) fn take(&self) -> Option<Refused> {
        self.0.get().cloned()
    }
}

/// One state of trust: never changed, only replaced.
pub(super) struct Trust {
    vouchers: Vec<Voucher>,
    rules: IdentityRules,
    hints: Vec<DistinguishedName>,
    pub(super) provider: Arc<CryptoProvider>,
    pub(super) versions: &'static [&'static rustls::SupportedProtocolVersion],
    pub(super) own: Arc<SingleCertAndKey>,
    pub(super) own_not_after: Timestamp,
    pub(super) sessions: Arc<dyn StoresServerSessions>,
}

/// A source, loaded.
struct Voucher {
    clients: Arc<dyn ClientCertVerifier>,
    servers: Arc<WebPkiServerVerifier>,
    scope: Scope,
    roots: Arc<RootCertStore>,
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust").field("point", &self.rules.reference_point()).finish_non_exhaustive()
    }
}

impl Trust {
    pub(super) fn load(
        point: ReferencePoint,
        tls: &TlsConfig,
        peers: &[TrustSource],
        components: &[ComponentConfig],
        clock: &Clock,
    ) -> Result<(Self, Vec<TrustWarning>), TrustError> {
        let now = clock();
        let provider = tls::provider(tls.key_exchange);
        let mut problems = Problems::default();
        let own = credentials::own_certificate(tls, &provider, now, &mut problems);
        let base = TrustSource {
            trust_anchors: tls.trust_anchors.clone(),
            revocation_lists: tls.revocation_lists.clone(),
            scope: Scope::AnyComponent,
        };
        let mut hints = Vec::new();
        let mut vouchers = Vec::new();
        for source in std::iter::once(&base).chain(peers) {
            vouchers.extend(Voucher::load(source, &provider, now, &mut hints, &mut problems));
        }
        if tls.allow_tls12 && tls.key_exchange == KeyExchange::HybridRequired {
            problems.warnings.push(TrustWarning(
                "allow_tls12 has no effect with key_exchange = \"hybrid-required\": TLS 1.2 has no hybrid groups"
                    .to_owned(),
            ));
        }
        let Some(own) = own.filter(|_| problems.errors.is_empty()) else {
            return Err(TrustError { reference_point: point, problems: problems.errors });
        };
        let trust = Self {
            vouchers,
            rules: IdentityRules::new(point, components),
            hints,
            provider,
            versions: tls::versions(tls),
            own_not_after: own.not_after,
            own: Arc::new(SingleCertAndKey::from(own.certified)),
            sessions: ServerSessionMemoryCache::new(SESSIONS),
        };
        Ok((trust, problems.warnings))
    }

    /// Chain, validity, revocation, usage, identity: the whole check. The first error is for the TLS alert.
    pub(super) fn check(
        &self,
        role: &Role,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Identity, Box<(TlsError, Refused)>> {
        let Some((leaf, intermediates)) = chain.split_first() else {
            let error = TlsError::NoCertificatesPresented;
            let refused = Refused::from_tls(&error);
            return Err(Box::new((error, refused)));
        };
        let mut worst: Option<TlsError> = None;
        let mut scopes = Vec::new();
        for voucher in &self.vouchers {
            match voucher.verify(role, leaf, intermediates, now) {
                Ok(()) => scopes.push(&voucher.scope),
                // A certificate that its issuer has revoked is revoked, whoever else vouches for that issuer.
                Err(error) if is_revoked(&error) => {
                    let refused = describe(&error, leaf);
                    return Err(Box::new((error, refused)));
                }
                Err(error) => {
                    // An anchor that is not concerned has nothing to say; one that is knows better.
                    if worst.is_none() || worst.as_ref().is_some_and(is_unknown_issuer) {
                        worst = Some(error);
                    }
                }
            }
        }
        if scopes.is_empty() {
            let error = worst.unwrap_or(TlsError::InvalidCertificate(CertificateError::UnknownIssuer));
            let refused = describe(&error, leaf);
            return Err(Box::new((error, refused)));
        }
        let mut identity =
            self.rules.identify(chain, role).map_err(|refused| Box::new((refused.clone().into_tls(), refused)))?;
        if let Err(refused) = restrict(&mut identity, &scopes) {
            return Err(Box::new((refused.clone().into_tls(), refused)));
        }
        identity.covers_unlisted = identity.components.iter().any(|component| !self.rules.is_listed(component));
        if identity.covers_unlisted {
            identity.authority = self.authority(role, leaf, intermediates, now).unwrap_or_default();
        }
        Ok(identity)
    }

    /// SHA-256 of the key of the anchor that a chain, already found good, ends in. rustls does not tell which it was.
    fn authority(
        &self,
        role: &Role,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Option<String> {
        let leaf = webpki::EndEntityCert::try_from(leaf).ok()?;
        let usage = || match role {
            Role::Client => webpki::KeyUsage::client_auth(),
            Role::Dialled(_) => webpki::KeyUsage::server_auth(),
        };
        let algorithms = self.provider.signature_verification_algorithms.all;
        self.vouchers.iter().find_map(|voucher| {
            let roots = &voucher.roots.roots;
            let path = leaf.verify_for_usage(algorithms, roots, intermediates, now, usage(), None, None).ok()?;
            Some(fingerprint(&path.anchor().subject_public_key_info))
        })
    }
}

/// Takes away what no source may vouch for.
fn restrict(identity: &mut Identity, scopes: &[&Scope]) -> Result<(), Refused> {
    let allowed = |component: &ComponentRef| {
        scopes.iter().any(|scope| match scope {
            Scope::AnyComponent => true,
            Scope::Only(components) => components.contains(component),
        })
    };
    let named = identity.components.clone();
    identity.components.retain(allowed);
    let dialled_lost = matches!(&identity.role, Role::Dialled(expected) if !identity.covers(expected));
    if !identity.components.is_empty() && !dialled_lost {
        return Ok(());
    }
    let names: Vec<String> = named.iter().take(5).map(ToString::to_string).collect();
    Err(Refused::new(
        Cause::UnknownIssuer,
        format!(
            "the certificate names {}, but the anchor that issued it vouches for another manager only; \
             expected a certificate from an anchor of this interface's [tls]",
            names.join(", ")
        ),
    )
    .with_certificate(&identity.subject, &identity.fingerprint))
}

impl Voucher {
    fn load(
        source: &TrustSource,
        provider: &Arc<CryptoProvider>,
        now: Timestamp,
        hints: &mut Vec<DistinguishedName>,
        problems: &mut Problems,
    ) -> Option<Self> {
        let roots = Arc::new(credentials::anchors(&source.trust_anchors, now, problems));
        let lists = credentials::revocation_lists(&source.revocation_lists, now, problems);
        if roots.is_empty() {
            return None;
        }
        hints.extend(roots.subjects());
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(provider))
            .with_crls(lists.iter().cloned())
            .allow_unknown_revocation_status()
            .build();
        let servers = WebPkiServerVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(provider))
            .with_crls(lists)
            .allow_unknown_revocation_status()
            .build();
        match (clients, servers) {
            (Ok(clients), Ok(servers)) => Some(Self { clients, servers, scope: source.scope.clone(), roots }),
            (Err(error), _) | (_, Err(error)) => {
                problems.errors.push(CredentialError::Content {
                    key: "revocation_lists",
                    path: source.revocation_lists.first().cloned().unwrap_or_default(),
                    found: error.to_string(),
                    expected: "complete X.509 revocation lists (no delta, no indirect lists)",
                });
                None
            }
        }
    }

    fn verify(
        &self,
        role: &Role,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), TlsError> {
        match role {
            Role::Client => self.clients.verify_client_cert(leaf, intermediates, now).map(|_| ()),
            Role::Dialled(_) => {
                // A component is known by its SAN URI, not by a DNS name. The name is looked at last, after a good
                // chain: a wrong one says that all else is well.
                let no_name = ServerName::IpAddress(std::net::Ipv4Addr::UNSPECIFIED.into());
                match self.servers.verify_server_cert(leaf, intermediates, &no_name, &[], now) {
                    Ok(_)
                    | Err(TlsError::InvalidCertificate(
                        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
                    )) => Ok(()),
                    Err(error) => Err(error),
                }
            }
        }
    }
}

fn is_unknown_issuer(error: &TlsError) -> bool {
    matches!(error, TlsError::InvalidCertificate(CertificateError::UnknownIssuer))
}

fn is_revoked(error: &TlsError) -> bool {
    matches!(error, TlsError::InvalidCertificate(CertificateError::Revoked))
}

/// A refusal with the name of whom it is about.
fn describe(error: &TlsError, leaf: &CertificateDer<'_>) -> Refused {
    let mut refused = Refused::from_tls(error);
    refused.fingerprint = Some(fingerprint(leaf));
    if let Ok((_, certificate)) = x509_parser::parse_x509_certificate(leaf) {
        refused.subject = Some(super::subject::rfc4514(certificate.subject()));
        match refused.cause {
            Cause::UnknownIssuer => {
                refused.sentence = format!(
                    "the certificate was issued by `{}`, which no trust anchor of this interface answers for",
                    super::subject::rfc4514(certificate.issuer())
                );
            }
            // Here the signature is the issuer's: an anchor has the issuer's name and another key.
            Cause::BadSignature => {
                refused.cause = Cause::UnknownIssuer;
                refused.sentence = format!(
                    "the certificate says it was issued by `{}`, but not with the key of the trust anchor of that name",
                    super::subject::rfc4514(certificate.issuer())
                );
            }
            _ => {}
        }
    }
    refused
}

/// The check, as rustls asks for it, in one handshake.
#[derive(Debug)]
pub(super) struct PeerVerifier {
    pub(super) trust: Arc<Trust>,
    pub(super) role: Role,
    pub(super) finding: Finding,
}

impl PeerVerifier {
    fn verify(&self, leaf: &CertificateDer<'_>, rest: &[CertificateDer<'_>], now: UnixTime) -> Result<(), TlsError> {
        let chain: Vec<CertificateDer<'_>> = std::iter::once(leaf).chain(rest).cloned().collect();
        self.trust.check(&self.role, &chain, now).map(|_| ()).map_err(|failed| {
            let (error, refused) = *failed;
            // Set once: a handshake verifies one chain.
            let _ = self.finding.0.set(refused);
            error
        })
    }

    fn schemes(&self) -> Vec<SignatureScheme> {
        self.trust.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for PeerVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.trust.hints
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, TlsError> {
        self.verify(leaf, intermediates, now).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, certificate, signed, &self.trust.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, certificate, signed, &self.trust.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}

impl ServerCertVerifier for PeerVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        self.verify(leaf, intermediates, now).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, certificate, signed, &self.trust.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, certificate, signed, &self.trust.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}

/// Sessions kept for resumption on one interface; each holds the peer's chain, a few kilobytes.
const SESSIONS: usize = 1_024;
