//! Whom a manager stops to believe while it runs: a peer whose certificate was revoked, and what a domain said before its least epoch.

use harness::{ManagerProcess, eventually, patience};

use crate::cluster::{Cluster, version};

/// Two managers of which the first has a revocation list of the second one's authority; only one of them dials.
fn with_list(first_dials: bool) -> (Cluster, std::path::PathBuf) {
    let mut cluster = Cluster::prepare(&["east", "west"]);
    let list = cluster.managers[1].pki.revoke(&[]);
    cluster.configure(&[(0, 1)]);
    let anchor = format!("trust_anchors = {:?}\n", cluster.anchor(1));
    let more = &mut cluster.managers[0].settings_mut().more;
    *more = more.replacen(&anchor, &format!("{anchor}revocation_lists = [{list:?}]\n"), 1);
    let (silent, address) = (usize::from(first_dials), cluster.address(usize::from(!first_dials)));
    let more = &mut cluster.managers[silent].settings_mut().more;
    *more = more.replacen(&format!("address = {address:?}\n"), "", 1);
    cluster.managers.iter_mut().for_each(ManagerProcess::launch);
    (cluster, list)
}

fn is_connected(cluster: &Cluster, at: usize) -> bool {
    cluster.managers[at].api().list("/api/v1/peers")[0]["connected"] == true
}

#[test]
fn a_peer_whose_certificate_is_revoked_loses_its_session_and_gets_none_until_it_has_another() {
    for first_dials in [true, false] {
        let (cluster, _) = with_list(first_dials);
        cluster.await_all_fresh();
        let peer = cluster.managers[0].api().get("/api/v1/peers/manager-west").json();
        assert_eq!(peer["dialled"], first_dials, "{peer}");
        let west = &cluster.managers[1];
        west.pki.revoke(&[west.identity()]);
        cluster.managers[0].reload();
        eventually("the end of the session", patience(), || (!is_connected(&cluster, 0)).then_some(()));
        // It tries again, or is dialled again, and is refused.
        let refused = || {
            let audit = cluster.managers[0].admin_command(&["audit", "list", "-o", "csv"]);
            String::from_utf8(audit.stdout).unwrap().to_lowercase().contains("revoked").then_some(())
        };
        eventually("a refusal in the audit trail", patience(), refused);
        assert!(!is_connected(&cluster, 0), "we dial: {first_dials}");
        // A new certificate is not on the list.
        let _ = west.pki.issue_manager("manager-west");
        west.reload();
        eventually("a session with the new certificate", patience(), || is_connected(&cluster, 0).then_some(()));
        cluster.await_seen(0, "west", "fresh");
    }
}

#[test]
fn a_revoked_peer_is_refused_from_the_start_and_taken_when_the_list_is_emptied() {
    let (mut cluster, _) = with_list(false);
    cluster.await_all_fresh();
    cluster.managers[0].stop();
    cluster.managers[1].pki.revoke(&[cluster.managers[1].identity()]);
    cluster.managers[0].launch();
    let refused = || cluster.managers[0].log().to_lowercase().contains("revoked").then_some(());
    eventually("a refusal in the log", patience(), refused);
    assert!(!is_connected(&cluster, 0));
    cluster.managers[1].pki.revoke(&[]);
    cluster.managers[0].reload();
    eventually("a session", patience(), || is_connected(&cluster, 0).then_some(()));
}

/// Says the least epoch of the west, at one manager, where its own or its peer's key generation stands.
fn set_least(cluster: &mut Cluster, at: usize, epoch: u64) {
    let before = if at == 0 { "domain = \"west\"\n" } else { "[federation]\n" };
    let more = &mut cluster.managers[at].settings_mut().more;
    *more = more.replacen(before, &format!("{before}min_epoch = {epoch}\n"), 1);
    assert_eq!(cluster.managers[at].reload_settings().json()["result"], "applied");
}

#[test]
fn a_least_epoch_is_taken_over_without_restart_and_shuts_out_what_was_said_before() {
    let mut cluster = Cluster::mesh(&["east", "west"]);
    cluster.await_all_fresh();
    let before = version(&cluster.domain(0, "west"));
    set_least(&mut cluster, 0, before.1 + 1);
    cluster.await_seen(0, "west", "excluded");
    let peer = cluster.managers[0].api().get("/api/v1/peers/manager-west").json();
    assert_eq!(
        (peer["minEpoch"].as_u64(), &peer["keyGeneration"]),
        (Some(before.1 + 1), &serde_json::json!(1)),
        "{peer}"
    );
    let show = String::from_utf8(cluster.managers[0].command(&["peer", "show", "manager-west"]).stdout).unwrap();
    assert!(show.contains(&(before.1 + 1).to_string()) && show.contains("excluded"), "{show}");
    // The domain itself is told, goes above it, and is believed again.
    set_least(&mut cluster, 1, before.1 + 1);
    cluster.await_seen(0, "west", "fresh");
    let after = version(&cluster.domain(0, "west"));
    assert!(after.1 > before.1, "{before:?} {after:?}");
    // It holds over a restart, from whatever the disk says.
    cluster.managers[1].kill();
    std::fs::remove_dir_all(cluster.managers[1].data_dir()).unwrap();
    cluster.managers[1].launch();
    eventually("a life above it", patience(), || (version(&cluster.domain(0, "west")).1 > after.1).then_some(()));
}
