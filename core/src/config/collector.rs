//! `[[collectors]]`: plugins that ask devices, what they are granted, and when they do it; checked.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    PluginSource,
    exporter::{ExporterTls, ExporterUrl},
};
use crate::model::ComponentRef;

/// `[[collectors.http]]`: a host that requests may be sent to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostConfig {
    /// The plugin's name for it.
    pub name: String,
    /// Where it is. The path stands before that of each request.
    pub url: ExporterUrl,
    /// For `https`.
    pub tls: Option<ExporterTls>,
}

/// `[[collectors]]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CollectorConfig {
    /// Unique name.
    pub name: String,
    /// Whom it reports for; each is in `[[components]]`.
    pub components: Vec<ComponentRef>,
    /// Where it is.
    pub plugin: PluginSource,
    /// Expected SHA-256 in lower-case hex, if set.
    pub sha256: Option<String>,
    /// Whom it may ask.
    pub http: Vec<HostConfig>,
    /// From one collection to the next.
    pub interval: Duration,
    /// One request, from dialling to the last byte of the answer.
    pub timeout: Duration,
    /// Longest wait after collections that failed.
    pub retry_max: Duration,
    /// Its own configuration.
    pub config: serde_json::Value,
}

impl CollectorConfig {
    /// Files that its hosts are spoken to with.
    pub fn tls_files(&self) -> impl Iterator<Item = &PathBuf> {
        self.http.iter().filter_map(|host| host.tls.as_ref()).flat_map(|tls| {
            let own = tls.client.iter().flat_map(|(certificate, key)| [certificate, key]);
            tls.trust_anchors.iter().chain(own)
        })
    }
}
