//! Whom an interface trusts, and the check that every handshake goes through (PROTOCOL section 1, DESIGN sections 7, 9).
//!
//! In: files of certificates and lists, and what they may vouch for. Out: rustls configurations whose handshake accepts
//! exactly the peers that are entitled, and [`InterfaceTrust::still_entitled`] for connections that are up.
//!
//! - An interface has a list of sources: anchors, revocation lists, and the components that they may vouch for. The
//!   anchors of a peer manager vouch for that manager's ID and nothing else.
//! - A revocation list covers the certificates of its own issuer; issuers without a list are not checked for revocation.
//! - What is loaded is immutable. A reload puts a new state of trust in its place, whole or not at all, with a session cache of
//!   its own: no session outlives the trust it was made under.
//! - The same check runs inside the handshake (so that the peer gets an alert) and after it (resumed sessions skip the
//!   first, and trust may have changed meanwhile).

use std::{
    collections::BTreeSet,
    fmt,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;
use rustls::{ClientConfig, Error as TlsError, ServerConfig, client::Resumption};
use rustls_pki_types::CertificateDer;

pub use super::credentials::TrustWarning;
use super::{
    Identity, Refused, Role,
    chain::{Finding, PeerVerifier, Trust},
    credentials::CredentialError,
    tls::{self, Clock, TlsClock, unix_time},
};
use crate::{
    config::{ComponentConfig, TlsConfig},
    model::{ComponentRef, ReferencePoint, Timestamp},
};

/// What the anchors of a source may vouch for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every component of the reference point.
    AnyComponent,
    /// These only: a peer manager's own ID.
    Only(BTreeSet<ComponentRef>),
}

/// Anchors, their revocation lists, and what they may vouch for.
#[derive(Clone, Debug)]
pub struct TrustSource {
    /// CA certificates.
    pub trust_anchors: Vec<PathBuf>,
    /// Lists of those CAs.
    pub revocation_lists: Vec<PathBuf>,
    /// Whom they may vouch for.
    pub scope: Scope,
}

/// Files could not be used; everything stays as it was.
#[derive(Debug, thiserror::Error)]
pub struct TrustError {
    /// The reference point whose TLS it is about.
    pub reference_point: ReferencePoint,
    /// Every problem.
    pub problems: Vec<CredentialError>,
}

impl fmt::Display for TrustError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TLS of interface {}:", self.reference_point)?;
        let separator = if self.problems.len() == 1 { " " } else { "\n  " };
        self.problems.iter().try_for_each(|problem| write!(f, "{separator}{problem}"))
    }
}

/// Trust that was read and is not in force.
#[derive(Debug)]
pub struct PreparedTrust(Arc<Trust>);

/// The trust of one interface, exchangeable while it runs.
pub struct InterfaceTrust {
    point: ReferencePoint,
    clock: Clock,
    current: ArcSwap<Trust>,
    /// Grows with every change of `current`, after it.
    changes: AtomicU64,
}

impl fmt::Debug for InterfaceTrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InterfaceTrust").field("point", &self.point).finish_non_exhaustive()
    }
}

impl InterfaceTrust {
    /// Reads the files of `tls`. `peers` are further sources with a narrow scope.
    pub fn load(
        point: ReferencePoint,
        tls: &TlsConfig,
        peers: &[TrustSource],
        components: &[ComponentConfig],
        clock: Clock,
    ) -> Result<(Self, Vec<TrustWarning>), TrustError> {
        let (trust, warnings) = Trust::load(point, tls, peers, components, &clock)?;
        Ok((Self { point, clock, current: ArcSwap::from_pointee(trust), changes: AtomicU64::new(0) }, warnings))
    }

    /// Reads the files again, under a configuration that may have changed, and changes nothing yet.
    pub fn prepare(
        &self,
        tls: &TlsConfig,
        peers: &[TrustSource],
        components: &[ComponentConfig],
    ) -> Result<(PreparedTrust, Vec<TrustWarning>), TrustError> {
        let (trust, warnings) = Trust::load(self.point, tls, peers, components, &self.clock)?;
        Ok((PreparedTrust(Arc::new(trust)), warnings))
    }

    /// New handshakes go by this trust. Connections that are up are the caller's to check with [`Self::still_entitled`].
    pub fn install(&self, prepared: PreparedTrust) {
        self.current.store(prepared.0);
        self.changes.fetch_add(1, Ordering::SeqCst);
    }

    /// Prepares and installs; on an error everything stays as it was.
    pub fn reload(
        &self,
        tls: &TlsConfig,
        peers: &[TrustSource],
        components: &[ComponentConfig],
    ) -> Result<Vec<TrustWarning>, TrustError> {
        let (prepared, warnings) = self.prepare(tls, peers, components)?;
        self.install(prepared);
        Ok(warnings)
    }

    /// How often trust has changed. Whoever read this before a check, and reads the same after a connection was entered
    /// among those that a change of trust has checked again, has missed no change.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    /// The reference point it is for.
    #[must_use]
    pub const fn reference_point(&self) -> ReferencePoint {
        self.point
    }

    /// When the manager's own certificate ends.
    #[must_use]
    pub fn own_not_after(&self) -> Timestamp {
        self.current.load().own_not_after
    }

    /// Whether a connection may stay: its chain is checked again, now and under the present trust. What the identity
    /// covers may have changed with the configuration: the answer is the identity as it is now.
    pub fn still_entitled(&self, identity: &Identity, now: Timestamp) -> Result<Identity, Refused> {
        self.current.load().check(&identity.role, &identity.chain, unix_time(now)).map_err(|failed| failed.1)
    }

    /// The identity behind a finished handshake, resumed or not.
    pub(super) fn entitled_now(&self, chain: &[CertificateDer<'static>], role: &Role) -> Result<Identity, Refused> {
        self.current.load().check(role, chain, unix_time((self.clock)())).map_err(|failed| failed.1)
    }

    /// A configuration for one handshake as the server, and where the handshake notes whom it refused.
    pub(super) fn server_config(&self) -> Result<(Arc<ServerConfig>, Finding), TlsError> {
        let trust = self.current.load_full();
        let finding = Finding::default();
        let verifier = PeerVerifier { trust: Arc::clone(&trust), role: Role::Client, finding: finding.clone() };
        let clock = Arc::new(TlsClock(Arc::clone(&self.clock)));
        let mut config = ServerConfig::builder_with_details(Arc::clone(&trust.provider), clock)
            .with_protocol_versions(trust.versions)?
            .with_client_cert_verifier(Arc::new(verifier))
            .with_cert_resolver(Arc::clone(&trust.own) as _);
        config.alpn_protocols = vec![tls::ALPN.to_vec()];
        config.session_storage = Arc::clone(&trust.sessions);
        Ok((Arc::new(config), finding))
    }

    /// A configuration for dialling one component. Dialled connections do not resume: they are few, and stay up.
    pub(super) fn client_config(&self, component: &ComponentRef) -> Result<(Arc<ClientConfig>, Finding), TlsError> {
        let trust = self.current.load_full();
        let finding = Finding::default();
        let role = Role::Dialled(component.clone());
        let verifier = PeerVerifier { trust: Arc::clone(&trust), role, finding: finding.clone() };
        let clock = Arc::new(TlsClock(Arc::clone(&self.clock)));
        let mut config = ClientConfig::builder_with_details(Arc::clone(&trust.provider), clock)
            .with_protocol_versions(trust.versions)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_cert_resolver(Arc::clone(&trust.own) as _);
        config.alpn_protocols = vec![tls::ALPN.to_vec()];
        config.resumption = Resumption::disabled();
        Ok((Arc::new(config), finding))
    }
}
