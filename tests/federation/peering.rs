//! Peers as files: added, seen and removed by commands, as an operator does it.

use std::path::Path;

use harness::{ManagerProcess, eventually, patience};

use crate::cluster::{Cluster, key};

/// Two managers that know nothing of each other.
fn strangers() -> Cluster {
    let mut cluster = Cluster::prepare(&["east", "west"]);
    cluster.configure(&[]);
    for manager in &mut cluster.managers {
        let more = &mut manager.settings_mut().more;
        *more = more.split("[[federation.origins]]").next().unwrap().to_owned();
    }
    cluster.managers.iter_mut().for_each(ManagerProcess::launch);
    cluster
}

fn add<'a>(cluster: &'a Cluster, at: usize, more: &[&'a str]) -> std::process::Output {
    let other = 1 - at;
    let name = ["east", "west"][other];
    let (key, anchor) = (key(&cluster.managers[other]).with_extension("pub"), cluster.anchor(other));
    let id = format!("manager-{name}");
    let config = cluster.managers[at].root().join("manager.toml");
    let mut words = vec!["peer", "add", &id, "--domain", name, "--signing-key", text(&key)];
    words.extend(["--trust-anchor", text(&anchor), "--config", text(&config)]);
    words.extend(more);
    cluster.managers[at].command(&words)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_peer_is_added_seen_and_removed_by_commands() {
    let cluster = strangers();
    let address = cluster.address(1);
    let list = cluster.managers[1].pki.revoke(&[]);
    let what_counts = ["--min-epoch", "1", "--revocation-list", text(&list)];
    for (at, more) in [(0, [&["--address", &address][..], &what_counts].concat()), (1, vec![])] {
        let done = add(&cluster, at, &more);
        assert!(done.status.success(), "{done:?}");
        cluster.managers[at].reload();
    }
    cluster.await_all_fresh();
    let output = cluster.managers[0].command(&["peer", "graph"]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("our session") && told.contains("1 connection"), "{told}");
    let show = String::from_utf8(cluster.managers[0].command(&["peer", "show", "manager-west"]).stdout).unwrap();
    assert!(show.contains("we dialled") && show.contains("s ago"), "{show}");
    let least = show.lines().find(|line| line.starts_with("Least epoch")).unwrap();
    assert!(least.ends_with(" 1"), "{show}");
    let copied = cluster.managers[0].root().join("peers/manager-west-crl.pem");
    assert_eq!(std::fs::read(copied).unwrap(), std::fs::read(&list).unwrap());
    let metrics = cluster.managers[0].api().get("/metrics");
    for line in ["qkdn_federation_domains{seen=\"fresh\"} 1", "qkdn_federation_peers_connected 1"] {
        assert!(metrics.text.contains(line), "{line}: {}", metrics.text);
    }
    let config = cluster.managers[0].root().join("manager.toml");
    let gone = cluster.managers[0].command(&["peer", "remove", "manager-west", "--config", text(&config)]);
    assert!(gone.status.success(), "{gone:?}");
    cluster.managers[0].reload();
    eventually("no peer", patience(), || cluster.managers[0].api().list("/api/v1/peers").is_empty().then_some(()));
    let again = cluster.managers[0].command(&["peer", "remove", "manager-west", "--config", text(&config)]);
    assert!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains("peer add"), "{again:?}");
}

#[test]
fn why_a_peer_is_not_reached_is_told() {
    let cluster = strangers();
    let done = add(&cluster, 0, &["--address", "127.0.0.1:1"]);
    assert!(done.status.success(), "{done:?}");
    let east = &cluster.managers[0];
    east.reload();
    let failed = eventually("a dial that failed", patience(), || {
        let peer = east.api().get("/api/v1/peers/manager-west").json();
        peer["failedDials"].is_object().then(|| peer["failedDials"].clone())
    });
    let why = failed["why"].as_str().unwrap();
    assert!(why.contains("127.0.0.1:1") && why.contains("refused"), "{failed}");
    for words in [&["peer", "show", "manager-west"][..], &["doctor"]] {
        let told = String::from_utf8(east.command(words).stdout).unwrap();
        assert!(told.contains(why), "{told}");
    }
}

#[test]
fn what_the_manager_would_refuse_leaves_nothing_behind() {
    let cluster = strangers();
    let folder = cluster.managers[0].root().to_owned();
    let refused = |more: &[&str], expected: &str| {
        let output = add(&cluster, 0, more);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && told.contains(expected), "{expected}: {told}");
        let left: Vec<_> =
            ["conf.d", "peers"].iter().filter_map(|name| std::fs::read_dir(folder.join(name)).ok()).flatten().collect();
        assert!(left.is_empty(), "{left:?}");
    };
    refused(&["--address", "nowhere"], "nothing was changed");
    let private = key(&cluster.managers[0]);
    refused(&["--signing-key", text(&private)], "private key");
    refused(&["--signing-key", text(&folder.join("missing.pub"))], "missing.pub");
}
