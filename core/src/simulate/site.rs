//! A folder for a simulated network and its manager: an authority, the manager's certificate, and a `manager.toml` with all
//! components and policies that fit the network. `qkdnm run` and `qkdnm simulate` work together from it.
//!
//! Components get their certificates from the folder's authority when they begin ([`super::running::Certificates`]).

use std::{
    collections::HashMap,
    fmt::Write as _,
    fs, io,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    description::{Description, Plan, plan::Kind, plan::Light},
    world::report::VENDOR,
};
use crate::{
    config::{self, Config, Problems, load::load_text, quantity::show_duration, source::SourceText},
    model::{ComponentId, ComponentRef, ReferencePoint, component_id::ComponentIdError},
    pki::{self, IssueRequest, PkiError},
};

/// Days that certificates are valid.
const DAYS: u32 = 365;
/// The manager's own ID.
pub const MANAGER: &str = "manager-simulated";
/// Its domain.
pub const DOMAIN: &str = "simulated";
/// Reports that may be missed before silence is an alarm.
const MISSED: u32 = 3;
/// Silence shorter than this is none, however fast components report.
const LEAST_SILENCE: Duration = Duration::from_secs(5);
/// Loss on top of a fibre's healthy one that is an alarm, and that is none any more.
const LOSS_DB: (f64, f64) = (2.0, 1.5);
/// Fibres with a threshold of their own; a policy takes no more.
const MOST_THRESHOLDS: usize = 1_024;
/// Where a running manager leaves its addresses, if it is asked to.
pub const READY_FILE: &str = "ready.json";

/// Why there is no folder, or it is no use.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// The folder could not be made, written or read.
    #[error("cannot use {}", .0.display())]
    Folder(PathBuf, #[source] io::Error),
    /// No certificates.
    #[error(transparent)]
    Certificates(#[from] PkiError),
    /// A name is no component ID.
    #[error(transparent)]
    Name(#[from] ComponentIdError),
    /// The configuration is refused.
    #[error("the configuration in the folder is refused:\n{0}")]
    Config(Box<Problems>),
    /// A port is the system's to choose, and nobody says which it was.
    #[error("port 0 in manager.toml, and no {READY_FILE} beside it: start `qkdnm run` with --ready-file {}", .0.display())]
    NoPort(PathBuf),
}

/// What the configuration is to be like.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// The manager's own ID, and its domain.
    pub manager: (&'a str, &'a str),
    /// Of the API; reference points follow it in their order. 0: the system chooses each.
    pub first_port: u16,
    /// Time of the clock between two reports of a component.
    pub interval: Duration,
    /// How long a fibre has to lose too much light before it is an alarm, as the configuration writes times.
    pub hold_off: &'a str,
    /// More tables, such as subscriptions; instead of the usual policies if it has any.
    pub more: &'a str,
}

/// The folder.
#[derive(Clone, Debug)]
pub struct Site {
    folder: PathBuf,
}

impl Site {
    /// A folder that is there.
    #[must_use]
    pub fn open(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Makes the folder and what is in it. Certificates that are there stay; the configuration is written anew.
    pub fn write(
        folder: &Path,
        description: &Description,
        plan: &Plan,
        wanted: &Wanted<'_>,
    ) -> Result<Self, SiteError> {
        let site = Self::open(folder);
        let failed = |file: &Path, error| SiteError::Folder(file.to_owned(), error);
        fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
        let pki = site.pki();
        if !pki.join("ca.pem").exists() {
            pki::init(&pki, "qkdnm simulation CA", DAYS)?;
            let manager = ComponentRef::new(ReferencePoint::Mx, ComponentId::new(wanted.manager.0)?);
            let name = Some(wanted.manager.0.to_owned());
            pki::issue(&pki, &IssueRequest { components: vec![manager], dns: vec![], ips: vec![], days: DAYS, name })?;
        }
        let text = configuration(description, plan, wanted);
        for (name, text) in [("manager.toml", text), ("baseline.toml", baseline())] {
            let file = folder.join(name);
            fs::write(&file, text).map_err(|error| failed(&file, error))?;
        }
        Ok(site)
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Certificates.
    #[must_use]
    pub fn pki(&self) -> PathBuf {
        self.folder.join("pki")
    }

    /// `manager.toml`
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.folder.join("manager.toml")
    }

    /// Its content, without regard to the environment of the process.
    pub fn load(&self) -> Result<Config, SiteError> {
        let path = self.config_file();
        let text = fs::read_to_string(&path).map_err(|error| SiteError::Folder(path.clone(), error))?;
        let main = SourceText { name: path.display().to_string(), folder: self.folder.clone(), text };
        match load_text(main, &[]) {
            Ok(config::Loaded { config, .. }) => Ok(config),
            Err(problems) => Err(SiteError::Config(Box::new(problems))),
        }
    }

    /// Where the folder's manager listens.
    pub fn managers(&self) -> Result<HashMap<ReferencePoint, String>, SiteError> {
        let mut addresses = HashMap::new();
        for interface in self.load()?.interfaces {
            let Some(address) = interface.listen.first() else { continue };
            let reached = if address.ip().is_unspecified() {
                SocketAddr::new(IpAddr::from([127, 0, 0, 1]), address.port())
            } else {
                *address
            };
            addresses.insert(interface.reference_point, reached);
        }
        if addresses.values().any(|address| address.port() == 0) {
            self.chosen_ports(&mut addresses)?;
        }
        Ok(addresses.into_iter().map(|(point, address)| (point, address.to_string())).collect())
    }

    fn chosen_ports(&self, addresses: &mut HashMap<ReferencePoint, SocketAddr>) -> Result<(), SiteError> {
        let file = self.folder.join(READY_FILE);
        let text = fs::read_to_string(&file).map_err(|_| SiteError::NoPort(file.clone()))?;
        let note: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        for (point, address) in addresses.iter_mut() {
            let told = note["interfaces"][point.as_str()][0].as_str().and_then(|told| told.parse().ok());
            *address = told.ok_or_else(|| SiteError::NoPort(file.clone()))?;
        }
        Ok(())
    }
}

fn baseline() -> String {
    format!(
        "# What the inventory should be; the policy `drift` compares with it. Written by `qkdnm`.\n\n\
         [everywhere]\nvendor = \"{VENDOR}\"\n"
    )
}

fn configuration(description: &Description, plan: &Plan, wanted: &Wanted<'_>) -> String {
    let port = |offset: u16| if wanted.first_port == 0 { 0 } else { wanted.first_port.saturating_add(offset) };
    let (manager, domain) = wanted.manager;
    let mut text = format!(
        "# The manager of a simulated network: {}. Written by `qkdnm`.\n\n\
         [manager]\nid = \"{manager}\"\ndomain = \"{domain}\"\n\n\
         [tls]\ncertificate = \"pki/{manager}.pem\"\nprivate_key = \"pki/{manager}.key\"\n\
         trust_anchors = \"pki/ca.pem\"\n\n\
         [storage]\njournal_segment_size = \"16MiB\"\n\n\
         [api]\nlisten = \"127.0.0.1:{}\"\n",
        description.network.name.replace(|c: char| c.is_control(), " "),
        port(0)
    );
    for (point, offset) in ReferencePoint::ALL.into_iter().zip(1..) {
        let _ = write!(text, "\n[interfaces.{point}]\nlisten = \"127.0.0.1:{}\"\n", port(offset));
    }
    let silence = (wanted.interval * MISSED).max(LEAST_SILENCE);
    for component in &plan.components {
        let _ = write!(
            text,
            "\n[[components]]\nid = \"{}\"\nreference_point = \"{}\"\nvendor = \"{VENDOR}\"\nsite = \"{}\"\n\
             expected_interval = \"{}\"\n",
            component.component.id,
            component.component.reference_point,
            component.site,
            show_duration(silence)
        );
    }
    if !wanted.more.contains("[[policies]]") {
        text.push_str(POLICIES);
    }
    text.push_str(&link_loss(plan, wanted.hold_off));
    text.push_str(wanted.more);
    text
}

/// A threshold for each fibre: what it loses in good health, and a little.
fn link_loss(plan: &Plan, hold_off: &str) -> String {
    let mut text = format!(
        "\n# F: fibres that lose more light than they did when they were measured.\n[[policies]]\nname = \"link-loss\"\n\
         function = \"fault\"\nplugin = \"builtin:threshold\"\napplies_to = {{ reference_point = [\"mops\"] }}\n\n\
         [policies.config]\nvalue = \"link_loss_db\"\nraise_above = 30.0\nclear_below = 29.0\nhold_off = \"{hold_off}\"\n\
         severity = \"major\"\nalarm_type = \"quantum-channel-loss-high\"\noverrides = [\n"
    );
    let fibres = plan.components.iter().filter(|component| matches!(component.kind, Kind::Fibre { .. }));
    for component in fibres.take(MOST_THRESHOLDS) {
        let Kind::Fibre { link } = component.kind else { continue };
        let Some(link) = plan.links.get(link) else { continue };
        let healthy = match &link.light {
            Light::Direct(direct) => direct.loss_db(),
            Light::Measured(relay) => relay.performance().link_loss_db,
        };
        let _ = writeln!(
            text,
            "  {{ component = \"{}\", raise_above = {:.1}, clear_below = {:.1} }},",
            component.component,
            healthy + LOSS_DB.0,
            healthy + LOSS_DB.1
        );
    }
    text + "]\n"
}

/// Policies for each letter of FCAPS, with the times of a network that reports every few seconds.
const POLICIES: &str = include_str!("policies.toml");
