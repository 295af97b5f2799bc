//! The demo's folder: certificates, `manager.toml`, and room for data and log. A reader who keeps it has an example that
//! works: `qkdnm run` takes the same file.

use std::{
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    config::{self, Config, Problems, load::load_text, source::SourceText},
    model::{ComponentId, ComponentRef, ReferencePoint, component_id::ComponentIdError},
    pki::{self, IssueRequest, PkiError},
    simulate,
};

/// Days that the demo's certificates are valid.
const DAYS: u32 = 365;
/// The demo's manager.
const MANAGER: &str = "manager-demo";

/// Its policies, for all letters of FCAPS.
const POLICIES: &str = include_str!("policies.toml");
/// What its inventory should be; one of the policies reads it.
const BASELINE: &str = include_str!("baseline.toml");

/// Its subscriptions: the key managers tell by themselves, the controller does not know how and is asked.
const SUBSCRIPTIONS: &str = r#"
[[subscriptions]]
name = "key-stores"
applies_to = { reference_point = ["mk"] }
events = [{ types = ["performance"], names = ["key_store_fill_ratio"] }, { types = ["state"] }]
method = "on-change"
thresholds = [{ name = "key_store_fill_ratio", level = 0.58, direction = "crossed", hysteresis = 0.005 }]
durable = true

[[subscriptions]]
name = "routes"
applies_to = { reference_point = ["mc"] }
events = [{ types = ["performance"], names = ["active_relay_path_count"] }]
method = "on-change"
poll_interval = "3s"
"#;

/// Why there is no folder.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// The folder could not be made or written to.
    #[error("cannot prepare {0}")]
    Folder(PathBuf, #[source] io::Error),
    /// No certificates.
    #[error(transparent)]
    Certificates(#[from] PkiError),
    /// A name of the cast is no component ID.
    #[error(transparent)]
    Name(#[from] ComponentIdError),
    /// The demo's own configuration is refused.
    #[error("the demo's configuration is refused:\n{0}")]
    Config(Box<Problems>),
}

/// The folder.
#[derive(Debug)]
pub struct Site {
    folder: PathBuf,
    components: Vec<ComponentRef>,
    /// Removes the folder when the demo is over.
    temporary: Option<tempfile::TempDir>,
}

impl Site {
    /// Makes the folder and what is in it; a temporary one unless `keep` names one.
    pub fn build(keep: Option<&Path>) -> Result<Self, SiteError> {
        let temporary = match keep {
            Some(_) => None,
            None => {
                let made = tempfile::Builder::new().prefix("qkdnm-demo-").tempdir();
                Some(made.map_err(|error| SiteError::Folder(std::env::temp_dir(), error))?)
            }
        };
        let folder = match (&temporary, keep) {
            (Some(temporary), _) => temporary.path().to_path_buf(),
            (None, keep) => keep.unwrap_or_else(|| Path::new(".")).to_path_buf(),
        };
        let site = Self { folder, components: simulate::components()?, temporary };
        let pki = site.folder.join("pki");
        if !site.anchor().exists() {
            site.issue_all(&pki)?;
        }
        for (file, text) in
            [(site.folder.join("baseline.toml"), BASELINE.to_owned()), (site.config_file(), site.text())]
        {
            fs::write(&file, text).map_err(|error| SiteError::Folder(file, error))?;
        }
        Ok(site)
    }

    /// An authority, and a certificate for the manager and each component. A folder that was kept has them already.
    fn issue_all(&self, pki: &Path) -> Result<(), SiteError> {
        pki::init(pki, "qkdnm demo CA", DAYS)?;
        let manager = ComponentRef::new(ReferencePoint::Mx, ComponentId::new(MANAGER)?);
        let named = self.components.iter().map(|component| (component.clone(), file_name(component)));
        for (component, name) in std::iter::once((manager, MANAGER.to_owned())).chain(named) {
            let components = vec![component];
            let request = IssueRequest { components, dns: vec![], ips: vec![], days: DAYS, name: Some(name) };
            pki::issue(pki, &request)?;
        }
        Ok(())
    }

    /// The configuration in the folder, loaded without regard to the environment of the process.
    pub fn load(&self) -> Result<Config, SiteError> {
        let path = self.config_file();
        let text = fs::read_to_string(&path).map_err(|error| SiteError::Folder(path.clone(), error))?;
        let main = SourceText { name: path.display().to_string(), folder: self.folder.clone(), text };
        match load_text(main, &[]) {
            Ok(config::Loaded { config, .. }) => Ok(config),
            Err(problems) => Err(SiteError::Config(Box::new(problems))),
        }
    }

    fn text(&self) -> String {
        let mut text = format!(
            "# Written by `qkdnm demo`. Port 0: the system chooses.\n\n\
             [manager]\nid = \"{MANAGER}\"\ndomain = \"demo\"\n\n\
             [tls]\ncertificate = \"pki/{MANAGER}.pem\"\nprivate_key = \"pki/{MANAGER}.key\"\n\
             trust_anchors = \"pki/ca.pem\"\n\n\
             [storage]\njournal_segment_size = \"4MiB\"\n\n\
             [api]\nlisten = \"127.0.0.1:0\"\n"
        );
        for point in ReferencePoint::ALL {
            if self.components.iter().any(|component| component.reference_point == point) {
                let _ = write!(text, "\n[interfaces.{point}]\nlisten = \"127.0.0.1:0\"\n");
            }
        }
        for component in &self.components {
            let _ = write!(
                text,
                "\n[[components]]\nid = \"{}\"\nreference_point = \"{}\"\nvendor = \"example\"\nsite = \"demo\"\n\
                 expected_interval = \"5s\"\n",
                component.id, component.reference_point
            );
        }
        text + POLICIES + SUBSCRIPTIONS
    }

    /// The components of the simulated network.
    #[must_use]
    pub fn components(&self) -> &[ComponentRef] {
        &self.components
    }

    /// Certificate and key of a component.
    #[must_use]
    pub fn certificate_of(&self, component: &ComponentRef) -> (PathBuf, PathBuf) {
        let pki = self.folder.join("pki");
        let name = file_name(component);
        (pki.join(format!("{name}.pem")), pki.join(format!("{name}.key")))
    }

    /// The CA's certificate.
    #[must_use]
    pub fn anchor(&self) -> PathBuf {
        self.folder.join("pki").join("ca.pem")
    }

    /// `manager.toml`
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.folder.join("manager.toml")
    }

    /// Where the manager's log goes.
    #[must_use]
    pub fn log_file(&self) -> PathBuf {
        self.folder.join("manager.log")
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
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

fn file_name(component: &ComponentRef) -> String {
    format!("{}-{}", component.reference_point, component.id)
}
