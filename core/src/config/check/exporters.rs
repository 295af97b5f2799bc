//! Checks of `[[exporters]]`: that the target can be spoken to as it is written, and that no secret goes where it should not.

use super::{Checker, outgoing_tls::RawOutgoingTls};
use crate::config::{
    exporter::{ExporterConfig, ExporterFilter, ExporterKind, ExporterTls, ExporterUrl, SecretSource},
    limits,
    problem::Problem,
    raw_exporter::{RawExporter, RawFilter},
    source::Spot,
};

/// The path of Alertmanager's API where the URL has none.
const ALERTMANAGER_PATH: &str = "/api/v2/alerts";

impl Checker<'_> {
    /// The exporters in order.
    pub(super) fn exporters(&self, raw: &[RawExporter]) -> Vec<ExporterConfig> {
        self.unique("exporter", raw.iter().filter_map(|raw| raw.name.clone()));
        if let Some(one) = raw.get(limits::EXPORTERS) {
            let text = format!("there are {} exporters; at most {} are served", raw.len(), limits::EXPORTERS);
            self.found.add(Problem::error(one.place, text));
        }
        raw.iter().filter_map(|raw| self.exporter(raw)).collect()
    }

    fn exporter(&self, raw: &RawExporter) -> Option<ExporterConfig> {
        let name = raw.name.as_ref().and_then(|spot| self.name_in_paths(spot, "exporter"));
        let kind = raw.kind.as_ref().map(|spot| spot.value);
        let url = raw.url.as_ref().and_then(|spot| self.exporter_url(spot, kind));
        let filter = self.exporter_filter(&raw.filter);
        let secret = self.exporter_secret(raw);
        let tls = url.as_ref().and_then(|url| self.exporter_tls(raw, url));
        self.exporter_keys(raw, kind);
        if let Some(url) = &url {
            self.exporter_doubts(raw, url, secret.as_ref());
        }
        let (kind, number) = (kind?, |spot: &Option<Spot<u64>>, default: usize| {
            spot.as_ref().map_or(default, |spot| usize::try_from(spot.value).unwrap_or(usize::MAX))
        });
        let time = |spot: &Option<Spot<_>>, default| spot.as_ref().map_or(default, |spot| spot.value);
        let batch_size = match kind {
            ExporterKind::Alertmanager => limits::EXPORTER_BATCH_ALERTMANAGER,
            ExporterKind::Webhook => limits::EXPORTER_BATCH_WEBHOOK,
        };
        let refused_after = raw
            .refused_after
            .as_ref()
            .map_or(limits::EXPORTER_REFUSED_AFTER, |spot| u32::try_from(spot.value).unwrap_or(u32::MAX));
        Some(ExporterConfig {
            name: name?,
            kind,
            url: url?,
            filter,
            secret,
            tls,
            timeout: time(&raw.timeout, limits::EXPORTER_TIMEOUT),
            retry_min: time(&raw.retry_min, limits::EXPORTER_RETRY_MIN),
            retry_max: time(&raw.retry_max, limits::EXPORTER_RETRY_MAX),
            batch_size: number(&raw.batch_size, batch_size),
            outbox: number(&raw.outbox, limits::EXPORTER_OUTBOX),
            refused_after,
            unreachable_after: time(&raw.unreachable_after, limits::EXPORTER_UNREACHABLE_AFTER),
            resend_interval: time(&raw.resend_interval, limits::EXPORTER_RESEND_INTERVAL),
        })
    }

    /// Names stand in paths of the API and in labels of metrics.
    pub(super) fn name_in_paths(&self, spot: &Spot<String>, what: &str) -> Option<String> {
        let name = self.name(spot)?;
        if name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
            return Some(name);
        }
        let article = if what.starts_with('e') { "an" } else { "a" };
        let problem = Problem::error(spot.place, format!("this cannot be the name of {article} {what}"));
        self.found.add(problem.label("expected letters, digits, `-`, `_` and `.`"));
        None
    }

    fn exporter_url(&self, spot: &Spot<String>, kind: Option<ExporterKind>) -> Option<ExporterUrl> {
        match read_url(&spot.value, kind) {
            Ok(url) => Some(url),
            Err(label) => {
                let problem = Problem::error(spot.place, "`url` cannot be used").label(label);
                self.found.add(problem.help("write it as \"https://noc.example.net:8443/alarms\""));
                None
            }
        }
    }

    fn exporter_filter(&self, raw: &RawFilter) -> ExporterFilter {
        for text in raw.components.iter().filter(|text| !text.value.contains('/')) {
            let problem = Problem::error(text.place, format!("`{}` names no components", text.value));
            self.found.add(problem.label("expected REFERENCE-POINT/ID, such as \"mk/km-*\" or \"*/*\""));
        }
        let texts = |list: &[Spot<String>]| list.iter().map(|text| text.value.clone()).collect();
        ExporterFilter {
            severity_at_least: raw.severity_at_least.as_ref().map(|spot| spot.value),
            functions: raw.functions.clone(),
            alarm_types: texts(&raw.alarm_types),
            reference_points: raw.reference_points.clone(),
            components: texts(&raw.components),
        }
    }

    fn exporter_secret(&self, raw: &RawExporter) -> Option<SecretSource> {
        match (&raw.secret_file, &raw.secret_env) {
            (Some(file), Some(variable)) => {
                let problem = Problem::error(variable.place, "the secret is said to be in two places");
                self.found.add(problem.related(file.place, "the other one"));
                None
            }
            (Some(file), None) => Some(SecretSource::File(self.file(file, "secret"))),
            (None, Some(variable)) => Some(SecretSource::Environment(variable.value.clone())),
            (None, None) => None,
        }
    }

    fn exporter_tls(&self, raw: &RawExporter, url: &ExporterUrl) -> Option<ExporterTls> {
        let keys = RawOutgoingTls {
            trust_anchors: raw.trust_anchors.as_ref(),
            certificate: raw.certificate.as_ref(),
            private_key: raw.private_key.as_ref(),
            allow_tls12: raw.allow_tls12.as_ref(),
        };
        self.outgoing_tls(&keys, url.https, || {
            Problem::error(raw.place, "[[exporters]] with https has no `trust_anchors`").help(
                "add trust_anchors = [\"pki/noc-ca.pem\"], the authorities that may vouch for the target; those of \
                 the machine are in /etc/ssl/certs/ca-certificates.crt on Debian",
            )
        })
    }

    /// Keys that contradict each other, or mean nothing with a kind.
    fn exporter_keys(&self, raw: &RawExporter, kind: Option<ExporterKind>) {
        if let (Some(min), Some(max)) = (&raw.retry_min, &raw.retry_max)
            && min.value > max.value
        {
            let problem = Problem::error(min.place, "`retry_min` is longer than `retry_max`");
            self.found.add(problem.related(max.place, "the longest wait"));
        }
        if let Some(spot) = raw.resend_interval.as_ref().filter(|_| kind == Some(ExporterKind::Webhook)) {
            let problem = Problem::error(spot.place, "`resend_interval` means nothing for a webhook");
            self.found.add(problem.help("every event is told once; only Alertmanager forgets alerts"));
        }
    }

    /// What is allowed, and may not be what was meant.
    fn exporter_doubts(&self, raw: &RawExporter, url: &ExporterUrl, secret: Option<&SecretSource>) {
        let Some((spot, kind)) = raw.url.as_ref().zip(raw.kind.as_ref()) else { return };
        if !url.https && !url.is_loopback() {
            let read = if secret.is_some() && kind.value == ExporterKind::Alertmanager {
                "alarms and the token can be read on the way"
            } else {
                "alarms can be read on the way"
            };
            self.found.add(Problem::warning(spot.place, "the target is spoken to without TLS").label(read));
        }
        if secret.is_none() && kind.value == ExporterKind::Webhook && raw.secret_file.is_none() {
            let problem = Problem::warning(kind.place, "the events of this webhook are not signed");
            self.found.add(problem.help("add secret_file, so that the receiver can tell them from forged ones"));
        }
    }
}

/// Takes a URL apart; the error says what was expected.
pub(super) fn read_url(text: &str, kind: Option<ExporterKind>) -> Result<ExporterUrl, String> {
    let uri: http::Uri = text.parse().map_err(|error: http::uri::InvalidUri| error.to_string())?;
    let https = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        _ => return Err("expected http:// or https://".to_owned()),
    };
    let authority = uri.authority().ok_or("expected a host")?;
    if authority.as_str().contains('@') {
        return Err("user and password do not belong here; use secret_file".to_owned());
    }
    let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
    if host.is_empty() {
        return Err("expected a host".to_owned());
    }
    let port = authority.port_u16();
    if port.is_none()
        && authority.as_str().ends_with(|c: char| c.is_ascii_digit() || c == ':')
        && authority.port().is_none()
    {
        // `host:` and ports beyond 65535; an address without a port ends in a digit as well.
        let rest = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
        if !rest.is_empty() {
            return Err("expected a port from 1 to 65535".to_owned());
        }
    }
    let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let path = if path == "/" && kind == Some(ExporterKind::Alertmanager) { ALERTMANAGER_PATH } else { path };
    let port = port.unwrap_or(if https { 443 } else { 80 });
    Ok(ExporterUrl { https, host, port, path: path.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let read = |text| read_url(text, Some(ExporterKind::Webhook));
        let url = read("https://noc.example.net/alarms?token=s3cret").unwrap();
        assert_eq!((url.https, url.host.as_str(), url.port), (true, "noc.example.net", 443));
        assert_eq!(url.path, "/alarms?token=s3cret");
        assert_eq!(url.to_string(), "https://noc.example.net:443/alarms?...", "a token in the query is not shown");
        assert_eq!(format!("{url:?}"), url.to_string());
        let six = read("http://[::1]:9093").unwrap();
        assert_eq!((six.host.as_str(), six.port, six.path.as_str()), ("::1", 9093, "/"));
        assert_eq!(six.authority(), "[::1]:9093");
        assert!(six.is_loopback() && !url.is_loopback());
        assert_eq!(read("http://127.0.0.1").unwrap().port, 80);
        let manager = read_url("http://localhost:9093", Some(ExporterKind::Alertmanager)).unwrap();
        assert_eq!(manager.path, "/api/v2/alerts");
        for bad in ["noc.example.net", "ftp://x/", "http://user:pw@x/", "http:///x", "http://x:99999/", "http://x:/"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
