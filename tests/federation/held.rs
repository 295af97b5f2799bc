//! A manager that is held for a while, as by a machine that swaps or a debugger: others see it grow old and come back, and it takes
//! the silence for its own.

use crate::cluster::{Cluster, raised_in_log};

#[test]
fn a_manager_that_was_held_says_so_once_and_complains_about_nobody() {
    let mut cluster = Cluster::prepare(&["east", "north", "south", "west"]);
    cluster.lines = "refresh = \"1s\"";
    cluster.start(&[(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]);
    cluster.await_all_fresh();
    let before = cluster.managers[3].log().len();
    cluster.managers[3].hold();
    for at in 0..3 {
        // It is cleared once the domain is unreachable, which may be soon where the test is slow.
        cluster.managers[at].api().await_alarm("peer-stale", |alarm| alarm["resource"] == "domain west");
    }
    for at in 0..3 {
        let api = cluster.managers[at].api();
        api.await_alarm("peer-unreachable", |alarm| alarm["resource"] == "domain west" && alarm["isCleared"] == false);
    }
    cluster.managers[3].let_go();
    cluster.await_all_fresh();
    for at in 0..3 {
        let api = cluster.managers[at].api();
        for alarm_type in ["peer-stale", "peer-unreachable"] {
            api.await_alarm(alarm_type, |alarm| alarm["resource"] == "domain west" && alarm["isCleared"] == true);
        }
        let log = cluster.managers[at].log();
        let counts = ["peer-stale", "peer-unreachable"].map(|alarm_type| raised_in_log(&log, alarm_type));
        assert_eq!(counts, [1, 1], "of the west alone, and once:\n{log}");
    }
    let west = &cluster.managers[3];
    west.api().await_alarm("manager-isolated", |alarm| alarm["isCleared"] == true);
    let log = &west.log()[before..];
    assert_eq!(raised_in_log(log, "manager-isolated"), 1, "{log}");
    assert_eq!(raised_in_log(log, "peer-stale") + raised_in_log(log, "peer-unreachable"), 0, "{log}");
}
