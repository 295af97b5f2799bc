//! Devices of a simulated network that do not report, and answer when they are asked: an entity of ETSI GS QKD 014, a node of ETSI
//! GS QKD 015 over RESTCONF. Over HTTP and mutual TLS, with figures of the network as it is, faults included.
//!
//! In: which node is offered how and where, and the network now and then. Out: answers. What is answered is decided by
//! [`etsi014`] and [`etsi015`], which are pure; `serving` speaks TLS and HTTP.

pub mod etsi014;
pub mod etsi015;
mod serving;
mod view;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{sync::watch, time::Instant};

pub use self::view::{LinkView, NodeView};
use self::{etsi014::Entity, serving::Served};
use super::{
    description::Plan,
    running::{Certificates, CertificatesError},
    world::World,
};

/// How a node is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceKind {
    /// As a key management entity.
    Etsi014,
    /// As a software-defined QKD node.
    Etsi015,
}

impl DeviceKind {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Etsi014 => "etsi014",
            Self::Etsi015 => "etsi015",
        }
    }
}

/// A device that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedDevice {
    /// How.
    pub kind: DeviceKind,
    /// The node's name.
    pub node: String,
    /// Where.
    pub listen: SocketAddr,
}

impl std::str::FromStr for WantedDevice {
    type Err = String;

    /// `etsi014:NODE=127.0.0.1:8443`
    fn from_str(text: &str) -> Result<Self, String> {
        const FORM: &str = "expected etsi014:NODE=ADDRESS:PORT or etsi015:NODE=ADDRESS:PORT";
        let (kind, rest) = text.split_once(':').ok_or(FORM)?;
        let (node, listen) = rest.split_once('=').ok_or(FORM)?;
        let kind = match kind {
            "etsi014" => DeviceKind::Etsi014,
            "etsi015" => DeviceKind::Etsi015,
            _ => return Err(FORM.to_owned()),
        };
        Ok(Self { kind, node: node.to_owned(), listen: listen.parse().map_err(|_| FORM.to_owned())? })
    }
}

/// Why a device is not offered.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// There is no such node.
    #[error("the network has no node `{node}`; it has {known}")]
    NoNode {
        /// The name.
        node: String,
        /// Those that there are.
        known: String,
    },
    /// Its certificate.
    #[error(transparent)]
    Certificates(#[from] CertificatesError),
    /// Its address.
    #[error("cannot listen on {address}: {error}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why not.
        error: std::io::Error,
    },
}

/// How often devices learn how the network is.
const FRESH: Duration = Duration::from_millis(250);

/// Devices that are offered.
pub struct Devices {
    open: Vec<Open>,
    told: Option<Instant>,
}

struct Open {
    kind: DeviceKind,
    node: usize,
    name: String,
    address: SocketAddr,
    view: watch::Sender<Arc<NodeView>>,
}

impl std::fmt::Debug for Devices {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Devices").field("open", &self.open.len()).finish_non_exhaustive()
    }
}

impl Devices {
    /// Offers them; on a tokio runtime, with which they end.
    ///
    /// # Errors
    /// The first that cannot be.
    pub async fn open(
        wanted: &[WantedDevice],
        plan: &Plan,
        world: &World,
        certificates: &Certificates,
    ) -> Result<Self, DeviceError> {
        let mut open = Vec::new();
        for device in wanted {
            let Some(node) = plan.nodes.iter().position(|node| node.id == device.node) else {
                let known: Vec<&str> = plan.nodes.iter().map(|node| node.id.as_str()).collect();
                return Err(DeviceError::NoNode { node: device.node.clone(), known: known.join(", ") });
            };
            let (view, seen) = watch::channel(Arc::new(view::of(world, node)));
            let served = match device.kind {
                DeviceKind::Etsi014 => Served::Entity(Entity::new(&device.node), seen),
                DeviceKind::Etsi015 => Served::Node(seen),
            };
            let name = format!("{}-{}", device.node, device.kind.as_str());
            let tls = certificates.of_server(&name, device.listen.ip())?;
            let failed = |error| DeviceError::Bind { address: device.listen, error };
            let address = serving::start(device.listen, tls, served).await.map_err(failed)?;
            open.push(Open { kind: device.kind, node, name: device.node.clone(), address, view });
        }
        Ok(Self { open, told: None })
    }

    /// Where each can be asked, as `etsi014 erd https://127.0.0.1:8443`.
    #[must_use]
    pub fn addresses(&self) -> Vec<String> {
        let line = |open: &Open| format!("{} {} https://{}", open.kind.as_str(), open.name, open.address);
        self.open.iter().map(line).collect()
    }

    /// Tells them how the network is, now and then.
    pub fn tell(&mut self, world: &World) {
        if self.told.is_some_and(|told| told.elapsed() < FRESH) {
            return;
        }
        self.told = Some(Instant::now());
        for open in &self.open {
            open.view.send_replace(Arc::new(view::of(world, open.node)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_read_from_the_command_line() {
        let device: WantedDevice = "etsi014:erd=127.0.0.1:0".parse().unwrap();
        assert_eq!((device.kind, device.node.as_str(), device.listen.port()), (DeviceKind::Etsi014, "erd", 0));
        for bad in ["erd=127.0.0.1:0", "etsi099:erd=127.0.0.1:0", "etsi014:erd", "etsi014:erd=here"] {
            assert!(bad.parse::<WantedDevice>().unwrap_err().contains("etsi014:NODE=ADDRESS"), "{bad}");
        }
    }
}
