//! Secrets and certificates of exporters, from where the configuration says they are. All problems at once.

use std::{fmt, path::Path};

use crate::{
    config::{
        ExporterConfig,
        exporter::{ExporterKind, SecretSource},
        limits::EXPORTER_SECRET_BYTES,
    },
    export::signature::SigningKey,
    net::OutgoingTls,
};

/// What an exporter needs to be heard.
#[derive(Default)]
pub struct Credentials {
    /// Signs requests (webhook).
    pub(super) signing: Option<SigningKey>,
    /// Stands in the `Authorization` header (Alertmanager).
    pub(super) bearer: Option<Bearer>,
    /// For `https`.
    pub(super) tls: Option<OutgoingTls>,
}

/// A token; never shown.
pub(super) struct Bearer(pub(super) http::HeaderValue);

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

/// Reads what an exporter needs. Every problem, and warnings.
pub fn load(config: &ExporterConfig) -> (Result<Credentials, Vec<String>>, Vec<String>) {
    let (mut credentials, mut problems, mut warnings) = (Credentials::default(), Vec::new(), Vec::new());
    if let Some(source) = &config.secret {
        match secret(source) {
            Ok(text) => match config.kind {
                ExporterKind::Webhook => match SigningKey::parse(&text) {
                    Ok(key) => credentials.signing = Some(key),
                    Err(error) => problems.push(format!("{}: {error}", named(source))),
                },
                ExporterKind::Alertmanager => match http::HeaderValue::try_from(format!("Bearer {}", text.trim())) {
                    Ok(mut value) if text.trim().is_ascii() && !text.trim().is_empty() => {
                        value.set_sensitive(true);
                        credentials.bearer = Some(Bearer(value));
                    }
                    _ => problems.push(format!("{}: expected a token in one line of ASCII", named(source))),
                },
            },
            Err(problem) => problems.push(problem),
        }
        if let SecretSource::File(path) = source
            && readable_by_others(path)
        {
            warnings.push(format!(
                "secret_file: {} may be read by other users of this machine; `chmod 600` it",
                path.display()
            ));
        }
    }
    if let Some(tls) = &config.tls {
        match OutgoingTls::load(tls) {
            Ok((tls, more)) => {
                credentials.tls = Some(tls);
                warnings.extend(more.into_iter().map(|warning| warning.0));
            }
            Err(errors) => problems.extend(errors.iter().map(ToString::to_string)),
        }
    }
    (if problems.is_empty() { Ok(credentials) } else { Err(problems) }, warnings)
}

fn named(source: &SecretSource) -> String {
    match source {
        SecretSource::File(path) => format!("secret_file: {}", path.display()),
        SecretSource::Environment(name) => format!("secret_env: {name}"),
    }
}

fn secret(source: &SecretSource) -> Result<String, String> {
    match source {
        SecretSource::File(path) => {
            let read = || -> std::io::Result<String> {
                if std::fs::metadata(path)?.len() > EXPORTER_SECRET_BYTES {
                    return Err(std::io::Error::other(format!("it is larger than {EXPORTER_SECRET_BYTES} bytes")));
                }
                std::fs::read_to_string(path)
            };
            read().map_err(|error| format!("{}: {error}", named(source)))
        }
        SecretSource::Environment(name) => {
            std::env::var(name).map_err(|_| format!("{}: the variable is not set, or not UTF-8", named(source)))
        }
    }
}

#[cfg(unix)]
fn readable_by_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|data| data.permissions().mode() & 0o007 != 0)
}

#[cfg(not(unix))]
fn readable_by_others(_path: &Path) -> bool {
    false
}
