//! The door from the API to the federation with other domains.

use super::views::{
    DisclosureView, DomainAlarmView, DomainComparisonView, DomainLinkView, DomainPathView, DomainView, GraphView,
    PeerView, PreviewView,
};

/// What the API needs of the federation.
pub trait FederationDesk: Send + Sync {
    /// The configured peers, by domain.
    fn peers(&self) -> Vec<PeerView>;
    /// What is known of domains, the own one too, by name.
    fn domains(&self) -> Vec<DomainView>;
    /// Links to other domains, from both ends, by name.
    fn links(&self) -> Vec<DomainLinkView>;
    /// How domains are connected, as far as it is known here.
    fn graph(&self) -> GraphView;
    /// Key relations, services and settlements with other domains, from both sides.
    fn comparisons(&self) -> Vec<DomainComparisonView>;
    /// A path over links that domains disclose.
    ///
    /// # Errors
    /// The name of which no domain is known.
    fn path(&self, from: &str, to: &str) -> Result<DomainPathView, String>;
    /// Links between domains that are in trouble, the worst first.
    fn alarms(&self) -> Vec<DomainAlarmView>;
    /// What a peer's domain is told; `None`: there is no such peer.
    fn preview(&self, peer: &str) -> Option<PreviewView>;
    /// What a peer's domain was told, newest first; `None`: there is no such peer. Reads a database.
    ///
    /// # Errors
    /// If it cannot be read.
    fn disclosures(&self, peer: &str, limit: u32) -> Option<Result<Vec<DisclosureView>, String>>;
}

/// There is no federation.
#[derive(Clone, Copy, Debug)]
pub struct NoFederation;

impl FederationDesk for NoFederation {
    fn peers(&self) -> Vec<PeerView> {
        Vec::new()
    }

    fn domains(&self) -> Vec<DomainView> {
        Vec::new()
    }

    fn links(&self) -> Vec<DomainLinkView> {
        Vec::new()
    }

    fn graph(&self) -> GraphView {
        GraphView::default()
    }

    fn comparisons(&self) -> Vec<DomainComparisonView> {
        Vec::new()
    }

    fn path(&self, from: &str, _: &str) -> Result<DomainPathView, String> {
        Err(from.to_owned())
    }

    fn alarms(&self) -> Vec<DomainAlarmView> {
        Vec::new()
    }

    fn preview(&self, _: &str) -> Option<PreviewView> {
        None
    }

    fn disclosures(&self, _: &str, _: u32) -> Option<Result<Vec<DisclosureView>, String>> {
        None
    }
}
