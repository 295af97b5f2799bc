//! The configuration file of a manager under test, built from what the test needs. Everything else keeps the defaults
//! of the product, so that these are tested too.

use std::{fmt::Write as _, path::Path};

use crate::pki::{Identity, TestPki};

/// The token of the operator that [`Settings::to_toml`] configures.
pub const OPERATOR_TOKEN: &str = "operator-token-of-the-tests";
/// SHA-256 of [`OPERATOR_TOKEN`], as the configuration wants it.
const OPERATOR_TOKEN_SHA256: &str = "11371aff22562e1c8540b6417a2429007fbbdb4ae0ffda050503b3d77632e972";
/// The token of the viewer.
pub const VIEWER_TOKEN: &str = "viewer-token-of-the-tests";
const VIEWER_TOKEN_SHA256: &str = "5f8b27761cc587c85daa2daa03dd2adb19604f2217703bdac5b8e237b8fc7264";

/// The token of the administrator.
pub const ADMIN_TOKEN: &str = "admin-token-of-the-tests";
const ADMIN_TOKEN_SHA256: &str = "12371cac728c629c46c4ba653d0f7fd37a82328cf18b4061f8e318a5c56f78fc";

/// What a test wants of its manager.
#[derive(Clone)]
pub struct Settings {
    /// Manager ID and domain.
    pub name: (String, String),
    /// Keys of `[manager]` beside id, domain and data_dir.
    pub manager: String,
    /// Reference points that are listened on.
    pub interfaces: Vec<Interface>,
    /// Components, each a list of TOML lines.
    pub components: Vec<String>,
    /// TOML that is added at the end: handlers, policies, `[storage]`.
    pub more: String,
    /// Lines for `[plugins]` beside `cache_dir`.
    pub plugins: String,
    /// Lines for `[tls]` beside certificate, key and anchors.
    pub tls: String,
    /// `[log] level`
    pub log_level: String,
    /// Variables of the environment.
    pub environment: Vec<(String, String)>,
    /// Listen address of the API.
    pub api: String,
    /// Lines for `[api]` beside `listen` and the tokens.
    pub api_lines: String,
}

/// One `[interfaces.*]` table.
#[derive(Clone)]
pub struct Interface {
    /// `mk` and its like.
    pub reference_point: String,
    /// Where.
    pub listen: String,
    /// Lines beside `listen`.
    pub lines: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: ("manager-test".to_owned(), "test".to_owned()),
            manager: String::new(),
            interfaces: Vec::new(),
            components: Vec::new(),
            more: String::new(),
            plugins: String::new(),
            tls: String::new(),
            log_level: "info".to_owned(),
            environment: Vec::new(),
            api: "127.0.0.1:0".to_owned(),
            api_lines: String::new(),
        }
    }
}

impl Settings {
    /// A manager that listens on this reference point and knows these components.
    #[must_use]
    pub fn one(reference_point: &str, components: &[&str]) -> Self {
        let mut settings = Self::default().interface(reference_point, "");
        for id in components {
            settings = settings.component(reference_point, id, "");
        }
        settings
    }

    /// Adds a listener on a free port.
    #[must_use]
    pub fn interface(mut self, reference_point: &str, lines: &str) -> Self {
        self.interfaces.push(Interface {
            reference_point: reference_point.to_owned(),
            listen: "127.0.0.1:0".to_owned(),
            lines: lines.to_owned(),
        });
        self
    }

    /// Adds a component; `lines` are further keys of its table.
    #[must_use]
    pub fn component(mut self, reference_point: &str, id: &str, lines: &str) -> Self {
        self.components.push(format!("id = {id:?}\nreference_point = {reference_point:?}\n{lines}\n"));
        self
    }

    /// Adds tables at the end of the file.
    #[must_use]
    pub fn with(mut self, toml: &str) -> Self {
        self.more.push_str(toml);
        self.more.push('\n');
        self
    }

    /// Adds lines to `[plugins]`.
    #[must_use]
    pub fn plugins(mut self, lines: &str) -> Self {
        self.plugins.push_str(lines);
        self.plugins.push('\n');
        self
    }

    /// Adds lines to `[tls]`.
    #[must_use]
    pub fn tls(mut self, lines: &str) -> Self {
        self.tls.push_str(lines);
        self.tls.push('\n');
        self
    }

    /// Adds a variable of the environment.
    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The file.
    #[must_use]
    pub fn to_toml(&self, data_dir: &Path, pki: &TestPki, identity: &Identity) -> String {
        let mut text = format!(
            "[manager]\nid = {:?}\ndomain = {:?}\ndata_dir = {data_dir:?}\n{}\n\
             [log]\nlevel = {:?}\n\n\
             [tls]\ncertificate = {:?}\nprivate_key = {:?}\ntrust_anchors = [{:?}]\n{}\n\n",
            self.name.0,
            self.name.1,
            self.manager,
            self.log_level,
            identity.certificate_file,
            identity.key_file,
            pki.anchor_file(),
            self.tls,
        );
        for interface in &self.interfaces {
            let _ = writeln!(
                text,
                "[interfaces.{}]\nlisten = {:?}\n{}\n",
                interface.reference_point, interface.listen, interface.lines
            );
        }
        for component in &self.components {
            let _ = writeln!(text, "[[components]]\n{component}");
        }
        let _ = writeln!(
            text,
            "[api]\nlisten = {:?}\n{}\n\
             [[api.tokens]]\nname = \"operator-test\"\nsha256 = \"{OPERATOR_TOKEN_SHA256}\"\nrole = \"operator\"\n\
             [[api.tokens]]\nname = \"admin-test\"\nsha256 = \"{ADMIN_TOKEN_SHA256}\"\nrole = \"admin\"\n\
             [[api.tokens]]\nname = \"viewer-test\"\nsha256 = \"{VIEWER_TOKEN_SHA256}\"\nrole = \"viewer\"\n",
            self.api, self.api_lines
        );
        let _ = writeln!(text, "[plugins]\ncache_dir = {:?}\n{}\n", plugin_cache(), self.plugins);
        text.push_str(&self.more);
        text
    }
}

/// One cache of compiled plugins for all tests: compiling them is most of a manager's first start, and two managers
/// that fill one cache at the same time are worth a test anyway.
fn plugin_cache() -> std::path::PathBuf {
    let executable = std::env::current_exe().expect("a test knows where it is");
    executable.with_file_name("test-plugin-cache")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_configured_by_their_digest() {
        let digest = |token: &str| {
            let input = std::process::Command::new("sh")
                .args(["-c", "printf %s \"$1\" | sha256sum", "sh", token])
                .output()
                .unwrap();
            String::from_utf8(input.stdout).unwrap().split_whitespace().next().unwrap().to_owned()
        };
        assert_eq!(digest(OPERATOR_TOKEN), OPERATOR_TOKEN_SHA256);
        assert_eq!(digest(VIEWER_TOKEN), VIEWER_TOKEN_SHA256);
        assert_eq!(digest(ADMIN_TOKEN), ADMIN_TOKEN_SHA256);
    }

    #[test]
    fn the_file_is_toml_and_has_what_was_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let pki = TestPki::new(dir.path());
        let identity = pki.issue_manager("manager-test");
        let settings = Settings::one("mk", &["km-1", "km-2"]).with("[storage]\ndurability = \"os\"");
        let text = settings.to_toml(&dir.path().join("data"), &pki, &identity);
        let table: toml::Table = text.parse().unwrap();
        assert_eq!(table["components"].as_array().unwrap().len(), 2);
        assert_eq!(table["interfaces"]["mk"]["listen"].as_str(), Some("127.0.0.1:0"));
        assert_eq!(table["storage"]["durability"].as_str(), Some("os"));
    }
}
