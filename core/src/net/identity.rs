//! From a certificate to the components it speaks for (PROTOCOL section 1).
//!
//! In: the certificate that a peer showed, the reference point it came to, and the mappings of `[[components]]`. Out: an
//! [`Identity`], or the cause why there is none. The certificate's SAN URIs `urn:qkdn:<reference-point>:<component-id>`
//! name its components; where the configuration maps a component to certificates (`identity = ...`), that mapping
//! replaces the SAN for that component.
//!
//! Pure. Whether the certificate is genuine, valid and not revoked is `trust`'s to find out, before this is asked.

use std::collections::{HashMap, HashSet};

use rustls_pki_types::CertificateDer;
use x509_parser::{certificate::X509Certificate, extensions::GeneralName, prelude::FromDer};

use super::{Cause, Refused, subject};
use crate::{
    config::{ComponentConfig, IdentityRule},
    model::{ComponentRef, ReferencePoint, ShownCertificate, Timestamp},
};

/// Which side of TLS the peer is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// It dialled the manager: its certificate is a client's.
    Client,
    /// The manager dialled this component: its certificate is a server's, and must cover it.
    Dialled(ComponentRef),
}

/// Who is on the other side of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The components of this reference point it speaks for, sorted, never empty.
    pub components: Vec<ComponentRef>,
    /// Whether some of them are not in `[[components]]`: what `manager.enrolment` decides about.
    pub covers_unlisted: bool,
    /// SHA-256 of the certificate, lower-case hex.
    pub fingerprint: String,
    /// Subject as RFC 4514 text.
    pub subject: String,
    /// Issuer as RFC 4514 text.
    pub issuer: String,
    /// SHA-256 of the public key of the trust anchor that the chain ends in, lower-case hex; looked for only where the
    /// identity covers components that are not in `[[components]]`, else empty.
    pub authority: String,
    /// Serial number, lower-case hex.
    pub serial: String,
    /// Start of validity.
    pub not_before: Timestamp,
    /// End of validity; the connection is not entitled after it.
    pub not_after: Timestamp,
    /// Which side of TLS the peer was.
    pub role: Role,
    /// The chain as shown, the peer's own certificate first: to be checked again when trust changes.
    pub chain: Vec<CertificateDer<'static>>,
}

impl Identity {
    /// Of a component that a collector of the manager's own reports for: no certificate says so, but the configuration.
    #[must_use]
    pub fn of_collector(component: &ComponentRef, collector: &str) -> Self {
        Self {
            components: vec![component.clone()],
            covers_unlisted: false,
            fingerprint: String::new(),
            subject: format!("collector {collector}"),
            issuer: String::new(),
            authority: String::new(),
            serial: String::new(),
            not_before: Timestamp(0),
            not_after: Timestamp(i64::MAX),
            role: Role::Client,
            chain: Vec::new(),
        }
    }

    /// Whether it speaks for a component.
    #[must_use]
    pub fn covers(&self, component: &ComponentRef) -> bool {
        self.components.binary_search(component).is_ok()
    }

    /// What an operator has to see of it to decide about one of its components.
    #[must_use]
    pub fn shown(&self) -> ShownCertificate {
        ShownCertificate {
            fingerprint: self.fingerprint.clone(),
            subject: self.subject.clone(),
            issuer: self.issuer.clone(),
            authority: self.authority.clone(),
            not_after: self.not_after,
        }
    }

    /// The component, if it speaks for exactly one.
    #[must_use]
    pub fn only_component(&self) -> Option<&ComponentRef> {
        match self.components.as_slice() {
            [one] => Some(one),
            _ => None,
        }
    }
}

/// What the configuration says of the identities of one reference point.
#[derive(Clone, Debug)]
pub struct IdentityRules {
    point: ReferencePoint,
    listed: HashSet<ComponentRef>,
    /// Components whose rule is not the default one.
    mapped: HashSet<ComponentRef>,
    by_san: HashMap<String, Vec<ComponentRef>>,
    by_fingerprint: HashMap<String, Vec<ComponentRef>>,
    by_subject: HashMap<String, Vec<ComponentRef>>,
}

impl IdentityRules {
    /// Takes the entries of this reference point; others are passed over.
    #[must_use]
    pub fn new(point: ReferencePoint, components: &[ComponentConfig]) -> Self {
        let mut rules = Self {
            point,
            listed: HashSet::new(),
            mapped: HashSet::new(),
            by_san: HashMap::new(),
            by_fingerprint: HashMap::new(),
            by_subject: HashMap::new(),
        };
        for entry in components.iter().filter(|entry| entry.component.reference_point == point) {
            let component = entry.component.clone();
            rules.listed.insert(component.clone());
            let (table, key) = match &entry.identity {
                IdentityRule::San(name) if ComponentRef::from_urn(name).as_ref() == Some(&component) => continue,
                IdentityRule::San(name) => (&mut rules.by_san, san_key(name)),
                IdentityRule::Fingerprint(digest) => (&mut rules.by_fingerprint, fingerprint_key(digest)),
                IdentityRule::Subject(name) => (&mut rules.by_subject, subject::normalized(name)),
            };
            rules.mapped.insert(component.clone());
            table.entry(key).or_default().push(component);
        }
        rules
    }

    /// The reference point they are for.
    #[must_use]
    pub const fn reference_point(&self) -> ReferencePoint {
        self.point
    }

    /// Whether the component is in `[[components]]`.
    #[must_use]
    pub fn is_listed(&self, component: &ComponentRef) -> bool {
        self.listed.contains(component)
    }

    /// Reads a chain, the peer's own certificate first, and finds what it speaks for.
    pub fn identify(&self, chain: &[CertificateDer<'_>], role: &Role) -> Result<Identity, Refused> {
        let Some(leaf) = chain.first() else {
            return Err(Refused::from_tls(&rustls::Error::NoCertificatesPresented));
        };
        let seen = Seen::read(leaf)?;
        let components =
            self.components(&seen).map_err(|refused| refused.with_certificate(&seen.subject, &seen.fingerprint))?;
        if let Role::Dialled(expected) = role
            && components.binary_search(expected).is_err()
        {
            let sentence = format!(
                "dialled {expected}, but the certificate there speaks for {}; expected the SAN URI {} or a certificate \
                 that `identity` of the component's entry names",
                listing(&components),
                expected.urn()
            );
            return Err(
                Refused::new(Cause::WrongComponent, sentence).with_certificate(&seen.subject, &seen.fingerprint)
            );
        }
        Ok(Identity {
            covers_unlisted: components.iter().any(|component| !self.is_listed(component)),
            components,
            fingerprint: seen.fingerprint,
            subject: seen.subject,
            issuer: seen.issuer,
            authority: String::new(),
            serial: seen.serial,
            not_before: seen.not_before,
            not_after: seen.not_after,
            role: role.clone(),
            chain: chain.iter().map(|der| der.clone().into_owned()).collect(),
        })
    }

    /// The components, sorted; an error if there are none.
    fn components(&self, seen: &Seen) -> Result<Vec<ComponentRef>, Refused> {
        let mut found: Vec<ComponentRef> = seen
            .named
            .iter()
            .filter(|name| name.reference_point == self.point && !self.mapped.contains(name))
            .cloned()
            .collect();
        let tables = [
            (&self.by_fingerprint, std::slice::from_ref(&seen.fingerprint)),
            (&self.by_subject, std::slice::from_ref(&seen.subject_key)),
            (&self.by_san, seen.san_keys.as_slice()),
        ];
        for (table, keys) in tables {
            for key in keys {
                found.extend(table.get(key).into_iter().flatten().cloned());
            }
        }
        found.sort_unstable();
        found.dedup();
        if found.is_empty() { Err(self.explain_none(seen)) } else { Ok(found) }
    }

    fn explain_none(&self, seen: &Seen) -> Refused {
        let here = format!("the {} interface ({})", self.point, self.point.component_kind());
        let expected = format!(
            "expected a SAN URI `urn:qkdn:{}:<component-id>`, or an `identity` in [[components]] that names this certificate",
            self.point
        );
        let replaced: Vec<ComponentRef> =
            seen.named.iter().filter(|name| name.reference_point == self.point).cloned().collect();
        if !replaced.is_empty() {
            return Refused::new(
                Cause::MappedElsewhere,
                format!(
                    "the certificate names {}, which [[components]] gives to other certificates by `identity`; \
                     present one of those, or change `identity`",
                    listing(&replaced)
                ),
            );
        }
        if !seen.named.is_empty() {
            return Refused::new(
                Cause::WrongReferencePoint,
                format!("the certificate names {}, but this is {here}; {expected}", listing(&seen.named)),
            );
        }
        if let Some(name) = seen.malformed.first() {
            return Refused::new(
                Cause::MalformedIdentity,
                format!("the SAN URI `{}` of the certificate is malformed at {here}; {expected}", shown(name)),
            );
        }
        Refused::new(Cause::NoIdentity, format!("the certificate names no component at {here}; {expected}"))
    }
}

/// The components that a certificate names, whatever reference point they are of, and its subject.
///
/// # Errors
/// If it cannot be read.
pub fn named_in(certificate: &CertificateDer<'_>) -> Result<(Vec<ComponentRef>, String), Refused> {
    Seen::read(certificate).map(|seen| (seen.named, seen.subject))
}

/// SHA-256 in lower-case hex.
#[must_use]
pub fn fingerprint(der: &[u8]) -> String {
    hex(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, der).as_ref())
}

/// What matters of a certificate.
struct Seen {
    named: Vec<ComponentRef>,
    malformed: Vec<String>,
    san_keys: Vec<String>,
    fingerprint: String,
    subject: String,
    subject_key: String,
    issuer: String,
    serial: String,
    not_before: Timestamp,
    not_after: Timestamp,
}

impl Seen {
    fn read(leaf: &CertificateDer<'_>) -> Result<Self, Refused> {
        let bad = |what: &str| Refused::new(Cause::BadCertificate, format!("the certificate cannot be read: {what}"));
        let (rest, certificate) = X509Certificate::from_der(leaf).map_err(|error| bad(&error.to_string()))?;
        if !rest.is_empty() {
            return Err(bad("bytes follow after its end"));
        }
        let subject = subject::rfc4514(certificate.subject());
        let fingerprint = fingerprint(leaf);
        let alternatives = certificate
            .subject_alternative_name()
            .map_err(|error| bad(&error.to_string()).with_certificate(&subject, &fingerprint))?;
        let mut seen = Self {
            named: Vec::new(),
            malformed: Vec::new(),
            san_keys: Vec::new(),
            fingerprint,
            subject_key: subject::normalized(&subject),
            subject,
            issuer: subject::rfc4514(certificate.issuer()),
            serial: hex(certificate.raw_serial()),
            not_before: Timestamp(certificate.validity().not_before.timestamp().saturating_mul(1000)),
            not_after: Timestamp(certificate.validity().not_after.timestamp().saturating_mul(1000)),
        };
        for name in alternatives.iter().flat_map(|extension| &extension.value.general_names) {
            match name {
                GeneralName::URI(uri) => seen.uri(uri),
                GeneralName::DNSName(name) => seen.san_keys.push(san_key(name)),
                _ => {}
            }
        }
        Ok(seen)
    }

    fn uri(&mut self, uri: &str) {
        self.san_keys.push(san_key(uri));
        if let Some(component) = ComponentRef::from_urn(uri) {
            self.named.push(component);
        } else if uri.get(..9).is_some_and(|prefix| prefix.eq_ignore_ascii_case("urn:qkdn:")) {
            self.malformed.push(uri.to_owned());
        }
    }
}

/// One form for names that mean the same: our URNs without regard to how they are encoded, other URIs as they are, DNS
/// names in lower case.
fn san_key(name: &str) -> String {
    match ComponentRef::from_urn(name) {
        Some(component) => component.urn(),
        None if name.contains(':') => name.to_owned(),
        None => name.trim_end_matches('.').to_ascii_lowercase(),
    }
}

/// Digits only, lower case: `sha256:AB:CD...` is accepted as well.
fn fingerprint_key(text: &str) -> String {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    digits.chars().filter(|c| *c != ':').map(|c| c.to_ascii_lowercase()).collect()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Text of a peer, short and without control characters.
fn shown(text: &str) -> String {
    text.chars().take(SHOWN_CHARS).flat_map(char::escape_debug).collect()
}

fn listing(components: &[ComponentRef]) -> String {
    let mut names: Vec<String> = components.iter().take(SHOWN_COMPONENTS).map(|one| shown(&one.to_string())).collect();
    if components.len() > SHOWN_COMPONENTS {
        names.push(format!("{} more", components.len() - SHOWN_COMPONENTS));
    }
    names.join(", ")
}

/// Components named in a sentence; a certificate may have hundreds.
const SHOWN_COMPONENTS: usize = 5;
/// Characters of a peer's text in a sentence.
const SHOWN_CHARS: usize = 300;
