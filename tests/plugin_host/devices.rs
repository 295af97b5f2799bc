//! Simulated devices for the tests of collectors: the real `qkdnm simulate` with a certificate authority of its own.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use harness::binary::{qkdnm, repository};
use tempfile::TempDir;

/// Nodes of a network that answer, as long as this lives.
pub(super) struct Devices {
    child: Option<Child>,
    folder: TempDir,
    /// `etsi014` and `etsi015`, and where.
    pub(super) urls: Vec<(String, String)>,
}

impl Devices {
    /// Offers the node `erd` of a published network in both ways.
    pub(super) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pki = folder.path().join("pki");
        let shown = pki.to_str().unwrap();
        let made = |arguments: &[&str]| {
            let output = Command::new(qkdnm()).args(arguments).output().unwrap();
            assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        };
        made(&["pki", "init", shown]);
        made(&["pki", "issue", shown, "--reference-point", "mu", "--component-id", "sae-erd"]);
        let mut devices = Self { child: None, folder, urls: Vec::new() };
        devices.begin(&["etsi014:erd=127.0.0.1:0", "etsi015:erd=127.0.0.1:0"]);
        devices
    }

    fn begin(&mut self, wanted: &[&str]) {
        let network = repository().join("examples/networks/vienna-5.toml");
        let mut command = Command::new(qkdnm());
        command.arg("simulate").arg(network).arg("--only-devices").arg("--pki").arg(self.pki());
        for one in wanted {
            command.args(["--device", one]);
        }
        let errors = fs::File::create(self.folder.path().join("simulate.err")).unwrap();
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let read = |line: String| {
            let mut words = line.strip_prefix("device ")?.split(' ').map(str::to_owned);
            let (kind, _node, url) = (words.next()?, words.next()?, words.next()?);
            Some((kind, url))
        };
        self.urls = lines.by_ref().filter_map(read).take(wanted.len()).collect();
        assert_eq!(self.urls.len(), wanted.len(), "{}", self.errors());
        // What it says later goes nowhere, and must not stop it.
        std::thread::spawn(move || lines.for_each(drop));
        self.child = Some(child);
    }

    fn errors(&self) -> String {
        fs::read_to_string(self.folder.path().join("simulate.err")).unwrap_or_default()
    }

    pub(super) fn end(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Offers the same again, where it was.
    pub(super) fn begin_again(&mut self) {
        let wanted: Vec<String> = self
            .urls
            .iter()
            .map(|(kind, url)| format!("{kind}:erd={}", url.strip_prefix("https://").unwrap()))
            .collect();
        let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
        self.begin(&wanted);
    }

    /// Where one is.
    pub(super) fn url(&self, kind: &str) -> &str {
        &self.urls.iter().find(|(known, _)| known == kind).unwrap().1
    }

    pub(super) fn pki(&self) -> PathBuf {
        self.folder.path().join("pki")
    }

    /// `[[collectors.http]]` that grants a device under the plugin's name for it.
    pub(super) fn grant(&self, name: &str, kind: &str) -> String {
        grant(name, self.url(kind), &self.pki())
    }
}

/// `[[collectors.http]]`
pub(super) fn grant(name: &str, url: &str, pki: &Path) -> String {
    format!(
        "[[collectors.http]]\nname = {name:?}\nurl = {url:?}\ntrust_anchors = [{:?}]\ncertificate = {:?}\nprivate_key = {:?}\n",
        pki.join("ca.pem"),
        pki.join("sae-erd.pem"),
        pki.join("sae-erd.key")
    )
}

impl Drop for Devices {
    fn drop(&mut self) {
        self.end();
    }
}
