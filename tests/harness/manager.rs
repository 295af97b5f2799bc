//! A manager as its own process, with a folder of its own that goes when the test ends.
//!
//! Ports are chosen by the system and told in the ready file. The log goes to a file: when the test ends, a line at
//! WARN or ERROR that was not announced ([`ManagerProcess::expect_log`]) fails it, and a failing test prints the end of
//! the log. Processes are ended by their id, and never outlive their test.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::Mutex,
    thread,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    api::Api,
    binary,
    log_guard::{Expected, unexpected_lines},
    pki::{Identity, TestPki},
    raw_client::RawClient,
    settings::Settings,
    waiting::{eventually, patience},
};

/// A manager under test.
pub struct ManagerProcess {
    settings: Settings,
    dir: Option<TempDir>,
    root: PathBuf,
    /// The authority that the manager trusts.
    pub pki: TestPki,
    identity: Identity,
    child: Option<Child>,
    ready: Value,
    expected: Mutex<Expected>,
    components: Mutex<HashMap<String, Identity>>,
}

impl ManagerProcess {
    /// Starts a manager and waits until it is ready.
    ///
    /// # Panics
    /// When it does not become ready.
    #[must_use]
    pub fn start(settings: Settings) -> Self {
        let mut manager = Self::prepare(settings);
        manager.launch();
        manager
    }

    /// As [`Self::start`], after `change` had a look at the folder and the PKI.
    ///
    /// # Panics
    /// When it does not become ready.
    #[must_use]
    pub fn start_with(change: impl FnOnce(&TestPki, &Path) -> Settings) -> Self {
        let mut manager = Self::prepare(Settings::default());
        manager.settings = change(&manager.pki, &manager.root);
        manager.launch();
        manager
    }

    /// Makes folder and PKI, and starts nothing.
    ///
    /// # Panics
    /// When there is no room for a folder.
    #[must_use]
    pub fn prepare(settings: Settings) -> Self {
        let dir = tempfile::Builder::new().prefix("qkdnm-test-").tempdir().expect("a temporary folder");
        let root = dir.path().to_path_buf();
        let pki = TestPki::new(&root.join("pki"));
        let identity = pki.issue_manager(&settings.name.0);
        Self {
            settings,
            dir: Some(dir),
            root,
            pki,
            identity,
            child: None,
            ready: Value::Null,
            expected: Mutex::default(),
            components: Mutex::default(),
        }
    }

    /// Starts the process on the folder as it is, and waits until it is ready.
    ///
    /// # Panics
    /// When it runs already, or does not become ready.
    pub fn launch(&mut self) {
        if let Err(status) = self.try_launch() {
            panic!("the manager ended with {status} before it was ready\n{}", self.log_tail());
        }
    }

    /// As [`Self::launch`], but a process that ends before it is ready is told, not a failure.
    ///
    /// # Panics
    /// When it runs already, or neither ends nor becomes ready.
    pub fn try_launch(&mut self) -> Result<(), ExitStatus> {
        self.spawn();
        let ready_file = self.root.join("ready.json");
        let ready = eventually("the ready file", patience(), || match self.exited() {
            Some(status) => Some(Err(status)),
            None => fs::read_to_string(&ready_file).ok().map(Ok),
        });
        let ready = ready.inspect_err(|_| self.child = None)?;
        self.ready = serde_json::from_str(&ready).unwrap_or_else(|error| panic!("the ready file is no JSON: {error}"));
        let child = self.child.as_ref().map(Child::id);
        assert_eq!(self.ready["pid"].as_u64(), child.map(u64::from), "the ready file is this process's");
        Ok(())
    }

    /// Has the manager listen on the same ports after its next start, for clients that come back by themselves.
    pub fn keep_ports(&mut self) {
        for interface in &mut self.settings.interfaces {
            if let Some(address) = self.ready["interfaces"][&interface.reference_point][0].as_str() {
                address.clone_into(&mut interface.listen);
            }
        }
        if let Some(address) = self.ready["api"].as_str() {
            address.clone_into(&mut self.settings.api);
        }
    }

    /// Changes the configuration that the next start writes.
    pub fn change_settings(&mut self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.settings);
    }

    /// Starts the process and waits for nothing.
    ///
    /// # Panics
    /// When it runs already.
    pub fn spawn(&mut self) {
        assert!(self.child.is_none(), "the manager runs already");
        let config = self.write_config();
        let ready_file = self.root.join("ready.json");
        let _ = fs::remove_file(&ready_file);
        let log = OpenOptions::new().create(true).append(true).open(self.log_file()).expect("the log file");
        let child = Command::new(binary::qkdnm())
            .arg("run")
            .arg("--config")
            .arg(config)
            .arg("--ready-file")
            .arg(ready_file)
            .envs(self.settings.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.root)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("the log file"))
            .stderr(log)
            .spawn()
            .expect("the manager's binary starts");
        self.child = Some(child);
    }

    /// Writes the configuration from the settings.
    ///
    /// # Panics
    /// When the folder cannot be written.
    pub fn write_config(&self) -> PathBuf {
        let file = self.root.join("manager.toml");
        let text = self.settings.to_toml(&self.data_dir(), &self.pki, &self.identity);
        fs::write(&file, text).expect("the configuration is written");
        file
    }

    /// Changes the settings; they count from the next [`Self::launch`] or reload on.
    pub fn settings_mut(&mut self) -> &mut Settings {
        &mut self.settings
    }

    /// The manager's own certificate and key files.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The folder that everything lies in.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `data_dir`
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.root.join("data")
    }

    /// Where a reference point is listened on.
    ///
    /// # Panics
    /// When it is not.
    #[must_use]
    pub fn address(&self, reference_point: &str) -> SocketAddr {
        self.ready["interfaces"][reference_point][0]
            .as_str()
            .and_then(|text| text.parse().ok())
            .unwrap_or_else(|| panic!("no address of {reference_point} in the ready file: {}", self.ready))
    }

    /// The HTTP API.
    ///
    /// # Panics
    /// When the ready file names none.
    #[must_use]
    pub fn api(&self) -> Api {
        let address = self.ready["api"].as_str().and_then(|text| text.parse().ok());
        Api::at(address.unwrap_or_else(|| panic!("no address of the API in the ready file: {}", self.ready)))
    }

    /// The certificate of a component, the same at every call.
    ///
    /// # Panics
    /// Never, but for a poisoned lock.
    #[must_use]
    pub fn component_identity(&self, reference_point: &str, component_id: &str) -> Identity {
        let mut components = self.components.lock().expect("the map");
        let name = format!("{reference_point}/{component_id}");
        components.entry(name).or_insert_with(|| self.pki.issue(reference_point, component_id)).clone()
    }

    /// A connection as this component.
    #[must_use]
    pub fn connect(&self, reference_point: &str, component_id: &str) -> RawClient {
        let identity = self.component_identity(reference_point, component_id);
        RawClient::connect(self.address(reference_point), &identity, &self.pki.anchor())
    }

    /// Announces that lines with this text may come at WARN or ERROR.
    ///
    /// # Panics
    /// Never, but for a poisoned lock.
    pub fn expect_log(&self, text: &str) {
        self.expected.lock().expect("the list").texts.push(text.to_owned());
    }

    /// Announces that the test does what an operator should hear of: any line at WARN may come, ERROR may not.
    ///
    /// # Panics
    /// Never, but for a poisoned lock.
    pub fn expect_warnings(&self) {
        self.expected.lock().expect("the list").warnings = true;
    }

    /// Announces that the test breaks something on purpose: lines at WARN and ERROR may come, a panic may not.
    ///
    /// # Panics
    /// Never, but for a poisoned lock.
    pub fn expect_errors(&self) {
        let mut expected = self.expected.lock().expect("the list");
        expected.warnings = true;
        expected.errors = true;
    }

    /// The log so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.root.join("manager.log")
    }

    fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        let tail = lines.get(lines.len().saturating_sub(60)..).unwrap_or_default();
        format!("--- end of the manager's log ---\n{}\n---", tail.join("\n"))
    }

    fn pid(&self) -> Pid {
        let child = self.child.as_ref().expect("the manager runs");
        Pid::from_child(child)
    }

    /// Whether the process ended by itself, and how.
    ///
    /// # Panics
    /// When the system does not tell.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.as_mut()?.try_wait().expect("the process can be asked")
    }

    /// Waits until the process ends by itself.
    ///
    /// # Panics
    /// When it does not in time.
    pub fn wait(&mut self) -> ExitStatus {
        let status = eventually("the end of the manager", patience(), || self.exited());
        self.child = None;
        status
    }

    /// `kill -9`.
    ///
    /// # Panics
    /// When it does not run.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("the manager runs");
        // It may have ended itself at a fault point in this very moment.
        let _ = child.kill();
        child.wait().expect("the process is waited for");
    }

    /// SIGKILL if it runs: it is not to notice what becomes of other folders at the end of a test.
    pub fn end(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// SIGTERM, and waits for the end, which must be an orderly one.
    ///
    /// # Panics
    /// When it ends with anything but exit code 0.
    pub fn stop(&mut self) {
        kill_process(self.pid(), Signal::TERM).expect("the manager takes SIGTERM");
        let status = self.wait();
        assert_eq!(status.code(), Some(0), "after SIGTERM the exit code is 0\n{}", self.log_tail());
    }

    /// SIGSTOP: the process is held, its connections stay, and nothing is answered any more.
    ///
    /// # Panics
    /// When it does not run.
    pub fn hold(&self) {
        kill_process(self.pid(), Signal::STOP).expect("the manager can be held");
    }

    /// SIGCONT, after [`Self::hold`].
    ///
    /// # Panics
    /// When it does not run.
    pub fn let_go(&self) {
        kill_process(self.pid(), Signal::CONT).expect("the manager can be let go");
    }

    /// SIGHUP.
    ///
    /// # Panics
    /// When it does not run.
    pub fn reload(&self) {
        kill_process(self.pid(), Signal::HUP).expect("the manager takes SIGHUP");
    }

    /// Has the manager take over what the settings say now, over its API.
    ///
    /// # Panics
    /// When the folder cannot be written, or no HTTP answer comes.
    #[must_use]
    pub fn reload_settings(&self) -> crate::HttpAnswer {
        self.write_config();
        self.api().post("/api/v1/configuration/reload", Some(crate::settings::ADMIN_TOKEN), &serde_json::json!({}))
    }

    /// `kill -9` and start again on the same folder.
    pub fn crash_and_restart(&mut self) {
        self.kill();
        self.launch();
    }

    /// As [`Self::command`], with the token of the administrator.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn admin_command(&self, arguments: &[&str]) -> std::process::Output {
        let mut command = Command::new(binary::qkdnm());
        command.args(arguments).current_dir(&self.root).stdin(Stdio::null());
        command.env("QKDNM_API", self.api().root()).env("QKDNM_TOKEN", crate::settings::ADMIN_TOKEN);
        command.output().expect("the binary starts")
    }

    /// Runs `qkdnm` with these arguments in the manager's folder, with `QKDNM_API` set when it runs.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> std::process::Output {
        let mut command = Command::new(binary::qkdnm());
        command.args(arguments).current_dir(&self.root).stdin(Stdio::null());
        if self.child.is_some() {
            command.env("QKDNM_API", self.api().root());
        }
        command.output().expect("the binary starts")
    }

    /// Keeps the folder after the test, for a look at it.
    pub fn keep_folder(&mut self) -> PathBuf {
        if let Some(dir) = self.dir.take() {
            let _ = dir.keep();
        }
        self.root.clone()
    }
}

impl Drop for ManagerProcess {
    fn drop(&mut self) {
        self.end();
        if thread::panicking() {
            let tail = self.log_tail();
            eprintln!("{tail}");
            if std::env::var_os("QKDNM_TEST_KEEP").is_some() {
                eprintln!("kept: {}", self.keep_folder().display());
            }
            return;
        }
        let log = self.log();
        let expected = self.expected.lock().map(|list| list.clone()).unwrap_or_default();
        let unexpected = unexpected_lines(&log, &expected);
        assert!(unexpected.is_empty(), "the manager logged what the test did not announce:\n{}", unexpected.join("\n"));
    }
}

/// A file that can be appended to, for output of other programs that a test starts.
///
/// # Panics
/// When it cannot be made.
#[must_use]
pub fn output_file(path: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(path).expect("the output file")
}
