//! Programs that `cargo xtask test` looks for or fetches, and names in the environment.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

/// The program that a variable names; says aloud if there is none.
pub(crate) fn named(variable: &str, what: &str) -> Option<PathBuf> {
    let path = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.exists());
    if path.is_none() {
        eprintln!(
            "SKIPPED: {variable} names no {what} (`cargo xtask test` fetches it where it can), so this test shows nothing."
        );
    }
    path
}

/// Runs a program to its end, or fails after a while.
pub(crate) fn run(command: &mut Command, folder: &Path, patience: Duration) -> (Output, String) {
    let file = folder.join("output.txt");
    let out = std::fs::File::create(&file).unwrap();
    let mut child = command
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(out.try_clone().unwrap())
        .stderr(out)
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    let started = std::time::Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if started.elapsed() > patience {
            let _ = child.kill();
            let _ = child.wait();
            panic!("{command:?} took longer than {patience:?}\n{}", std::fs::read_to_string(&file).unwrap_or_default());
        }
        std::thread::park_timeout(Duration::from_millis(50));
    };
    let text = std::fs::read_to_string(&file).unwrap();
    (Output { status, stdout: Vec::new(), stderr: Vec::new() }, text)
}
