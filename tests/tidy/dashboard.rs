//! The dashboard that is embedded was built from the sources beside it. Needs no Node.js: the build leaves a digest of its
//! sources (`core/ui/scripts/sources.mjs`), which is computed again here.

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use harness::binary::repository;

const UI: &str = "core/ui";
/// Beside everything in `src`.
const NAMED: [&str; 6] =
    ["index.html", "package-lock.json", "package.json", "svelte.config.js", "tsconfig.json", "vite.config.ts"];

pub(crate) fn sha256(content: &[u8]) -> String {
    let mut child = Command::new("sha256sum")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the test needs `sha256sum`");
    child.stdin.take().expect("a pipe").write_all(content).expect("written");
    let output = child.wait_with_output().expect("it ends");
    String::from_utf8_lossy(&output.stdout).split_whitespace().next().unwrap_or_default().to_owned()
}

fn walk(folder: &Path, root: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        if entry.path().is_dir() {
            walk(&entry.path(), root, found);
        } else {
            found.push(entry.path().strip_prefix(root).expect("below it").to_string_lossy().into_owned());
        }
    }
}

#[test]
fn the_dashboard_is_built_from_its_sources() {
    let root = repository().join(UI);
    let mut paths: Vec<String> = NAMED.map(str::to_owned).to_vec();
    walk(&root.join("src"), &root, &mut paths);
    paths.sort();
    let line = |path: &String| format!("{}  {path}\n", sha256(&fs::read(root.join(path)).expect("a file")));
    let now = sha256(paths.iter().map(line).collect::<String>().as_bytes());
    let built = fs::read_to_string(root.join("dist/sources.sha256")).expect("the build leaves it");
    assert_eq!(built.trim(), now, "{UI}/dist is not built from {UI}/src: run `npm ci && npm run build` in {UI}");
}
