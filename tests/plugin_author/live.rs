//! `qkdnm plugin run`: a plugin under the hands of its author, with reports from a recording, from standard input and from a simulated
//! network.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, Stdio},
    sync::mpsc::{Receiver, channel},
};

use harness::{PATIENCE, binary::repository};

use crate::{Project, command, said};

/// What a command says, line by line, while it runs.
struct Said(Receiver<String>);

impl Said {
    fn of(child: &mut Child) -> Self {
        let (lines, said) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || output.lines().map_while(Result::ok).all(|line| lines.send(line).is_ok()));
        Self(said)
    }

    /// Everything up to a line that has this.
    fn until(&self, wanted: &str) -> String {
        let mut text = String::new();
        loop {
            let line = self.0.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no `{wanted}` in\n{text}"));
            text += &format!("{line}\n");
            if line.contains(wanted) {
                return text;
            }
        }
    }

    /// The rest, to its end.
    fn rest(&self) -> String {
        self.0.iter().map(|line| line + "\n").collect()
    }
}

#[test]
fn at_every_save_the_same_reports_go_through_and_the_difference_is_shown() {
    let project = Project::new("relay-live", "policy");
    let mut child = command(&project.folder, &["plugin", "run", ".", "--saves", "3"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let live = Said::of(&mut child);
    let first = live.until("Waiting for a save");
    assert!(first.contains("raises major mk/km-1 key-relay-failed relay-live: 19 of 110"), "{first}");
    assert!(first.contains("4 reports. Waiting"), "{first}");

    project.replace("\"major\"", "\"critical\"");
    let changed = live.until("+     raises critical");
    assert!(changed.contains("something else follows") && changed.contains("-     raises major"), "{changed}");
    project.replace("fn needs(&self)", "fn needs(&self, oops)");
    let broken = live.until("its messages are above");
    assert!(broken.contains("It cannot be used as it is now"), "{broken}");
    project.replace("fn needs(&self, oops)", "fn needs(&self)");
    let mended = live.rest();
    assert!(
        mended.contains("of 4 reports the same follows"),
        "what followed before it broke is what it is compared with: {mended}"
    );
    assert!(child.wait().unwrap().success());

    // A component that is there already, and other reports.
    let wasm = project.wasm();
    let network = repository().join("examples/networks/vienna-5.toml");
    let simulated =
        ["--simulate", network.to_str().unwrap(), "--point", "mk", "--reports", "12", "--every", "0", "--saves", "0"];
    let simulated = project.run(&[&["plugin", "run", &wasm][..], &simulated].concat());
    let text = said(&simulated);
    assert!(simulated.status.success() && text.matches(": success").count() == 12, "{text}");

    let arguments = ["plugin", "run", &wasm, "--stdin", "--point", "mk", "--saves", "0", "-o", "json"];
    let mut child = command(&project.folder, &arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "{}", project.recording(".jsonl").lines().next().unwrap()).unwrap();
    let live = Said::of(&mut child);
    let decisions = live.until("\"decisions\"");
    assert!(decisions.contains("line 1, mk/km-1: success"), "a line is told when it comes: {decisions}");
    drop(stdin);
    assert!(child.wait().unwrap().success());
}
