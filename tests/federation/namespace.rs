//! Three managers as on three machines: a network namespace each, wires of the kernel between them, names instead of loopback addresses,
//! and the folders that `federation.py make --hosts` writes for machines and containers. Where the kernel has netem, everything on
//! the wires is delayed and some of it lost.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use harness::{binary, eventually, patience};
use serde_json::Value;

use crate::example::script;

/// How a domain is seen that has said nothing for too long, or for much too long where the test is slow.
const SILENT: &[&str] = &["stale", "unreachable"];
const DOMAINS: [&str; 3] = ["flanders", "brabant", "wallonia"];

/// A shell with a network and mounts of its own, and no rights outside.
struct Machines {
    shell: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Machines {
    /// `None`, told aloud, where the kernel does not let us.
    fn enter() -> Option<Self> {
        let trial = "mount -t tmpfs none /run && ip netns add trial && ip link add trial type bridge";
        let trial = Command::new("unshare").args(["-rnm", "sh", "-c", trial]).output();
        if !trial.is_ok_and(|done| done.status.success()) {
            eprintln!("SKIPPED: no network namespaces for this user here, so this test shows nothing.");
            return None;
        }
        let cache = std::env::current_exe().unwrap().with_file_name("test-plugin-cache");
        let mut shell = Command::new("unshare")
            .args(["-rnm", "sh"])
            .env("QKDNM", binary::qkdnm())
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

    /// Runs a command, and gives what it printed, with whether it succeeded.
    fn run(&mut self, command: &str) -> Result<String, String> {
        writeln!(self.input, "{{ {command}; }} 2>&1; echo \"<$?>\"").expect("the shell reads");
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

    /// A wire from each machine to a switch, and names for all.
    fn wire(&mut self, hosts: &Path) {
        self.succeeds("mount -t tmpfs none /run && ip link add switch type bridge && ip link set switch up");
        let mut names = "127.0.0.1 localhost\n".to_owned();
        for (domain, number) in DOMAINS.iter().zip(1..) {
            self.succeeds(&format!("ip netns add {domain}"));
            self.succeeds(&format!("ip link add to-{domain} type veth peer name eth0 netns {domain}"));
            self.succeeds(&format!("ip link set to-{domain} master switch up"));
            self.succeeds(&format!("ip -n {domain} addr add 10.77.0.{number}/24 dev eth0"));
            self.succeeds(&format!("ip -n {domain} link set eth0 up && ip -n {domain} link set lo up"));
            names += &format!("10.77.0.{number} {domain}\n");
        }
        fs::write(hosts, names).unwrap();
        self.succeeds(&format!("mount --bind '{}' /etc/hosts", hosts.display()));
        let slow =
            |domain: &str| format!("ip netns exec {domain} tc qdisc add dev eth0 root netem delay 20ms 5ms loss 1%");
        if let Err(told) = self.run(&slow(DOMAINS[0])) {
            eprintln!(
                "SKIPPED: delay and loss, for which the kernel needs netem ({}); all else is tried.",
                told.trim()
            );
            return;
        }
        self.succeeds(&slow(DOMAINS[1]));
        self.succeeds(&slow(DOMAINS[2]));
    }

    /// Starts a machine's manager and its network.
    fn start(&mut self, folder: &Path, domain: &str) {
        let at = folder.join(domain).display().to_string();
        let inside = format!("cd '{at}' && exec ip netns exec {domain} \"$QKDNM\"");
        let run = "run --config manager.toml --ready-file ready.json";
        self.succeeds(&format!("({inside} {run} </dev/null >manager.log 2>&1) & started=\"$started $!\""));
        eventually(&format!("the manager of {domain}"), patience(), || {
            folder.join(domain).join("ready.json").exists().then_some(())
        });
        let network = "simulate network.toml --site .";
        self.succeeds(&format!("({inside} {network} </dev/null >network.log 2>&1) & started=\"$started $!\""));
    }

    /// How a machine's manager sees a domain.
    fn seen(&mut self, at: &str, domain: &str) -> Value {
        let text = self.succeeds(&format!("ip netns exec {at} \"$QKDNM\" domain list -o json"));
        let list: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let found = list["items"].as_array().expect("a list").iter().find(|one| one["domain"] == domain);
        found.map_or(Value::Null, |one| one["freshness"].clone())
    }

    /// Waits until a machine's manager sees a domain in one of these ways.
    #[track_caller]
    fn await_seen(&mut self, at: &str, domain: &str, how: &[&str]) {
        eventually(&format!("{domain} {how:?} at {at}"), patience(), || {
            let seen = self.seen(at, domain);
            how.iter().any(|how| seen == **how).then_some(())
        });
    }
}

impl Drop for Machines {
    fn drop(&mut self) {
        let _ = writeln!(self.input, "[ -z \"$started\" ] || kill -9 $started; wait; exit");
        let _ = self.shell.wait();
    }
}

#[test]
fn three_machines_with_a_wire_each_lose_sight_of_each_other_and_find_it_again() {
    let Some(mut machines) = Machines::enter() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (at, hosts) = (folder.path().join("belgium"), folder.path().join("hosts"));
    let script = script();
    machines.succeeds(&format!("python3 '{}' make three '{}' --refresh 1s --hosts", script.display(), at.display()));
    machines.wire(&hosts);
    DOMAINS.iter().for_each(|domain| machines.start(&at, domain));
    let all = |machines: &mut Machines| {
        for here in DOMAINS {
            DOMAINS.iter().for_each(|there| machines.await_seen(here, there, &["fresh"]));
        }
    };
    all(&mut machines);
    machines.succeeds("ip link set to-wallonia down");
    machines.await_seen("flanders", "wallonia", SILENT);
    machines.await_seen("wallonia", "brabant", SILENT);
    assert_eq!(machines.seen("flanders", "brabant"), "fresh");
    machines.succeeds("ip link set to-wallonia up");
    all(&mut machines);
    machines.succeeds("kill $started; wait; started=");
    for domain in DOMAINS {
        let log = fs::read_to_string(at.join(domain).join("manager.log")).unwrap();
        assert!(log.contains("Stopped.") && !log.contains("ERROR"), "{domain}:\n{log}");
        assert!(!log.contains("authentication-failed"), "{domain}:\n{log}");
    }
}
