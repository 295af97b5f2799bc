//! A federation in a network of its own, made of nothing but the kernel: everything that goes over it is delayed and some of it lost,
//! and it goes down for everybody at once.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use harness::{binary, eventually, patience};

use crate::example::script;

/// A shell in a network namespace, without any rights outside.
struct Namespace {
    shell: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Namespace {
    /// `None`, told aloud, where the kernel does not let us.
    fn enter() -> Option<Self> {
        let usable = Command::new("unshare").args(["-rn", "ip", "link", "set", "lo", "up"]).output();
        if !usable.is_ok_and(|done| done.status.success()) {
            eprintln!("SKIPPED: no network namespaces for this user here, so this test shows nothing.");
            return None;
        }
        let cache = std::env::current_exe().unwrap().with_file_name("test-plugin-cache");
        let mut shell = Command::new("unshare")
            .args(["-rn", "sh"])
            .env("QKDNM_BIN", binary::qkdnm())
            .env("QKDNM__PLUGINS__CACHE_DIR", cache)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare starts");
        let (input, output) = (shell.stdin.take().unwrap(), BufReader::new(shell.stdout.take().unwrap()));
        Some(Self { shell, input, output })
    }

    /// Runs a command, and gives what it printed if it succeeded.
    fn run(&mut self, command: &str) -> Result<String, String> {
        writeln!(self.input, "{command} 2>&1; echo \"<$?>\"").expect("the shell reads");
        let mut text = String::new();
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).expect("the shell writes") > 0, "the shell ended:\n{text}");
            match line.trim_end() {
                "<0>" => return Ok(text),
                end if end.starts_with('<') && end.ends_with('>') => return Err(text),
                _ => text += &line,
            }
        }
    }

    #[track_caller]
    fn succeeds(&mut self, command: &str) -> String {
        self.run(command).unwrap_or_else(|told| panic!("`{command}` failed:\n{told}"))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = writeln!(self.input, "exit");
        let _ = self.shell.wait();
    }
}

fn log(folder: &Path, domain: &str) -> String {
    fs::read_to_string(folder.join(domain).join("manager.log")).unwrap_or_default()
}

#[test]
fn a_network_that_loses_and_goes_down_loses_no_word() {
    let Some(mut namespace) = Namespace::enter() else { return };
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().display();
    let script = format!("python3 '{}'", script().display());
    namespace.succeeds("ip link set lo up");
    if let Err(told) = namespace.run("tc qdisc add dev lo root netem delay 20ms 5ms loss 1%") {
        eprintln!("SKIPPED: delay and loss, since the kernel has no netem ({}); the rest is tried.", told.trim());
    }
    namespace.succeeds(&format!("{script} make three '{at}' --refresh 1s"));
    namespace.succeeds(&format!("{script} start '{at}' --wait 60"));
    namespace.succeeds("ip link set lo down");
    for domain in ["flanders", "brabant", "wallonia"] {
        eventually(&format!("{domain} sees the others no more"), patience(), || {
            let stale = log(folder.path(), domain).matches(r#"before="fresh" now="stale""#).count();
            let indirect = log(folder.path(), domain).matches(r#"before="indirect" now="stale""#).count();
            (stale + indirect == 2).then_some(())
        });
    }
    namespace.succeeds("ip link set lo up");
    let told = namespace.succeeds(&format!("{script} status '{at}' --wait 60"));
    assert_eq!(told.matches("2 fresh").count(), 3, "{told}");
    namespace.succeeds(&format!("{script} stop '{at}'"));
    for domain in ["flanders", "brabant", "wallonia"] {
        let log = log(folder.path(), domain);
        assert!(!log.contains("ERROR") && !log.contains("authentication-failed"), "{domain}:\n{log}");
    }
}
