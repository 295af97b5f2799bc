//! The demo's folder: certificates, `manager.toml`, and room for data and log. A reader who keeps it has an example that
//! works: `qkdnm run` and `qkdnm simulate` take the same folder.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use crate::{
    config::{Config, Problems},
    simulate::{
        description::{self, Description, Plan},
        site::{self, Wanted},
    },
};

/// The network that the story is told on.
const NETWORK: &str = include_str!("../../../examples/networks/belgium-20.toml");
/// Time between two reports of a component.
pub(super) const INTERVAL: Duration = Duration::from_millis(1_000);
/// Room for keys of each link: little enough that a store is drained while somebody watches.
const STORE_BITS: f64 = 4e6;
/// Policies for all letters of FCAPS, and subscriptions: key managers tell by themselves, controllers do not know how and are asked.
const TABLES: &str = include_str!("policies.toml");

/// Why there is no folder.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// No room for one.
    #[error("cannot make a folder in {0}")]
    Temporary(PathBuf, #[source] io::Error),
    /// It could not be filled.
    #[error(transparent)]
    Site(#[from] site::SiteError),
    /// The demo's own network is not in order.
    #[error("the demo's network is not in order:\n{0}")]
    Network(Box<Problems>),
    /// The demo's own network cannot be expanded.
    #[error("the demo's network cannot be simulated: {0}")]
    Plan(String),
}

/// The folder, and the network that reports to its manager.
#[derive(Debug)]
pub struct Site {
    site: site::Site,
    description: Description,
    plan: Arc<Plan>,
    /// Removes the folder when the demo is over.
    temporary: Option<tempfile::TempDir>,
}

impl Site {
    /// Makes the folder and what is in it; a temporary one unless `keep` names one.
    pub fn build(keep: Option<&Path>) -> Result<Self, SiteError> {
        let (folder, temporary) = match keep {
            Some(folder) => (folder.to_path_buf(), None),
            None => {
                let made = tempfile::Builder::new().prefix("qkdnm-demo-").tempdir();
                let made = made.map_err(|error| SiteError::Temporary(std::env::temp_dir(), error))?;
                (made.path().to_path_buf(), Some(made))
            }
        };
        let (description, plan) = network()?;
        let manager = (site::MANAGER, site::DOMAIN);
        let wanted = Wanted { manager, first_port: 0, interval: INTERVAL, hold_off: "2s", more: TABLES };
        let site = site::Site::write(&folder, &description, &plan, &wanted)?;
        Ok(Self { site, description, plan, temporary })
    }

    /// The folder of one domain of several, with a network of its own; `more` are further tables of its configuration.
    pub fn of_domain(folder: &Path, (domain, network): (&str, &str), more: &str) -> Result<Self, SiteError> {
        let (description, plan) = expanded(domain, network)?;
        let (manager, tables) = (format!("manager-{domain}"), format!("{TABLES}\n{more}"));
        let manager = (manager.as_str(), domain);
        let wanted = Wanted { manager, first_port: 0, interval: INTERVAL, hold_off: "1s", more: &tables };
        let site = site::Site::write(folder, &description, &plan, &wanted)?;
        Ok(Self { site, description, plan, temporary: None })
    }

    /// The configuration in the folder, loaded without regard to the environment of the process.
    pub fn load(&self) -> Result<Config, SiteError> {
        Ok(self.site.load()?)
    }

    /// The network.
    #[must_use]
    pub const fn description(&self) -> &Description {
        &self.description
    }

    /// Its components.
    #[must_use]
    pub const fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Certificates.
    #[must_use]
    pub fn pki(&self) -> PathBuf {
        self.site.pki()
    }

    /// `manager.toml`
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.site.config_file()
    }

    /// Where the manager's log goes.
    #[must_use]
    pub fn log_file(&self) -> PathBuf {
        self.folder().join("manager.log")
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.site.folder()
    }

    /// Whether the folder is there when the demo is over.
    #[must_use]
    pub const fn stays(&self) -> bool {
        self.temporary.is_none()
    }

    /// Leaves the folder where it is, for somebody who has to find out what went wrong.
    pub fn leave(self) {
        if let Some(temporary) = self.temporary {
            let _ = temporary.keep();
        }
    }
}

/// The network, with the figures of the demo.
pub(super) fn network() -> Result<(Description, Arc<Plan>), SiteError> {
    expanded("belgium-20.toml", NETWORK)
}

fn expanded(name: &str, text: &str) -> Result<(Description, Arc<Plan>), SiteError> {
    let mut description = description::parse(name, text).map_err(SiteError::Network)?;
    description.simulation.report_interval = INTERVAL;
    description.devices.store_bits = STORE_BITS;
    description.devices.store_start = 0.85;
    let plan = Plan::new(&description)
        .map_err(|problems| SiteError::Plan(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")))?;
    Ok((description, Arc::new(plan)))
}
