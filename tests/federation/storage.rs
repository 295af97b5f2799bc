//! What becomes of a domain whose manager lost its disk, or got an old one back.

use std::{
    path::Path,
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

use harness::{eventually, patience};

use crate::cluster::{Cluster, version};

fn copy(from: &Path, to: &Path) {
    let done = Command::new("cp").arg("-a").arg(from).arg(to).status().expect("cp starts");
    assert!(done.success());
}

#[test]
fn a_manager_that_lost_its_data_begins_an_epoch_that_others_accept() {
    let mut cluster = Cluster::mesh(&["east", "west"]);
    cluster.await_all_fresh();
    cluster.says(0, 0.1);
    eventually("the alarm in the east", patience(), || (cluster.raised(1, "east", "major") == 1).then_some(()));
    let before = version(&cluster.domain(0, "west"));
    cluster.managers[1].kill();
    std::fs::remove_dir_all(cluster.managers[1].data_dir()).unwrap();
    cluster.managers[1].launch();
    cluster.await_all_fresh();
    let after = eventually("the new epoch", patience(), || {
        let after = version(&cluster.domain(0, "west"));
        (after.1 > before.1).then_some(after)
    });
    assert_eq!(after.0, before.0, "the same keys");
    eventually("what was lost, from the peer", patience(), || (cluster.raised(1, "east", "major") == 1).then_some(()));
    cluster.says(1, 0.1);
    eventually("a change in the west", patience(), || (cluster.raised(0, "west", "major") == 1).then_some(()));
}

#[test]
fn a_manager_on_an_old_backup_hears_of_itself_and_goes_above() {
    let mut cluster = Cluster::mesh(&["east", "west"]);
    cluster.await_all_fresh();
    cluster.managers[1].stop();
    let (data, backup) = (cluster.managers[1].data_dir(), cluster.managers[1].root().join("backup"));
    copy(&data, &backup);
    // The life after the backup had a clock that was an hour ahead: by our own clock alone the next one would come below it.
    let ahead = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 3_600;
    let database = rusqlite::Connection::open(data.join("federation.db")).unwrap();
    database.execute("UPDATE publishing SET epoch = ?1", [i64::try_from(ahead << 20).unwrap()]).unwrap();
    drop(database);
    cluster.managers[1].launch();
    let lost = eventually("the life after the backup", patience(), || {
        let seen = version(&cluster.domain(0, "west"));
        (seen.1 > ahead << 20).then_some(seen)
    });
    cluster.says(1, 0.1);
    eventually("what it said", patience(), || (cluster.raised(0, "west", "major") == 1).then_some(()));
    cluster.managers[1].kill();
    std::fs::remove_dir_all(&data).unwrap();
    copy(&backup, &data);
    cluster.managers[1].launch();
    let after = eventually("an epoch above", patience(), || {
        let seen = version(&cluster.domain(0, "west"));
        (seen.1 > lost.1).then_some(seen)
    });
    assert!(cluster.managers[1].log().contains("Met a newer manifest of our own domain"), "{after:?}");
    cluster.await_all_fresh();
    // The backup knows nothing of the alarm, and so says nothing of it; what is said from now on is believed.
    eventually("what the backup says", patience(), || (cluster.raised(0, "west", "major") == 0).then_some(()));
    cluster.says(1, 0.1);
    eventually("a change in the west", patience(), || (cluster.raised(0, "west", "major") == 1).then_some(()));
    let audit = String::from_utf8(cluster.managers[1].admin_command(&["audit", "list", "-o", "csv"]).stdout).unwrap();
    assert!(audit.contains("newer manifest of our own domain"), "{audit}");
}
