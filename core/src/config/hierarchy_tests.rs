//! The federation in a whole configuration: areas and aggregators, what is told to whom and what has no way to anybody; what of a peer does
//! not count any more.

use std::fs;

use super::{
    Change, Loaded, Problems, federation::FederationRole, load::load_text, problem::Level, source::SourceText,
};
use crate::model::disclosure::Topic;

const BASE: &str = "[manager]\nid = \"m\"\ndomain = \"d\"\n[tls]\ncertificate = \"x\"\nprivate_key = \"x\"\n\
    trust_anchors = [\"x\"]\n[interfaces.mx]\n[federation]\nname = \"f\"\nsigning_key = \"x\"\n";

fn load(federation: &str, peer: &str) -> Result<Loaded, Problems> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    fs::write(&path, "").unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let text =
        format!("{BASE}{federation}\n[[peers]]\nid = \"w\"\ndomain = \"west\"\nsigning_keys = [\"x\"]\n{peer}\n");
    let main = SourceText { name: "m.toml".into(), folder: folder.path().into(), text };
    load_text(main, &[])
}

fn warnings(federation: &str, peer: &str) -> Vec<String> {
    load(federation, peer).unwrap().warnings.into_iter().map(|problem| problem.message).collect()
}

#[test]
fn what_is_told_beyond_the_federation_is_nothing_unless_it_is_written() {
    let config = load("", "").unwrap().config.federation.unwrap();
    assert_eq!((config.area.as_str(), config.role), ("", FederationRole::Member));
    assert_eq!((config.disclose_area, config.disclose_aggregators), (vec![], vec![]));
    let told = "area = \"north\"\ndisclose = []\ndisclose_area = [\"alarms\", \"health\", \"alarms\"]\ndisclose_aggregators = \"links\"";
    let loaded = load(told, "area = \"north\"\nrole = \"aggregator\"").unwrap();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    let config = loaded.config.federation.unwrap();
    assert_eq!((config.disclose, config.disclose_area), (vec![], vec![Topic::Health, Topic::Alarms]));
    assert_eq!(config.disclose_aggregators, [Topic::Links]);
    let peer = &loaded.config.peers[0].origin;
    assert_eq!((peer.area.as_str(), peer.role), ("north", FederationRole::Aggregator));
}

#[test]
fn what_has_no_way_to_those_it_is_for_is_told() {
    let problems = load("disclose_area = [\"health\"]", "").unwrap_err();
    let shown = problems.render(false);
    assert!(shown.contains("this is told to nobody") && shown.contains("m.toml:12:17"), "{shown}");
    let problems = load("area = \"north;\"", "area = \"so\\u0007uth\"").unwrap_err();
    let errors = problems.list.iter().filter(|problem| problem.level == Level::Error);
    assert_eq!(errors.filter(|problem| problem.message.contains("name of an area")).count(), 2);
    let area = "area = \"north\"\ndisclose_area = [\"health\"]";
    assert_eq!(warnings(area, "area = \"south\""), ["no peer is of area `north`"]);
    assert_eq!(warnings("disclose_aggregators = [\"health\"]", ""), ["no peer is an aggregator"]);
    let alone = ["there is nothing that this aggregator could add up"];
    assert_eq!(warnings("role = \"aggregator\"", ""), alone);
    assert_eq!(warnings("role = \"aggregator\"\narea = \"north\"", "area = \"south\""), alone);
    assert!(warnings("role = \"aggregator\"", "area = \"south\"").is_empty());
}

#[test]
fn figures_of_links_that_nobody_is_told_the_state_of_are_told_to_nobody() {
    let told = ["`link-figures` in `disclose` tells nobody anything"];
    assert_eq!(warnings("disclose = [\"link-figures\"]", ""), told);
    assert_eq!(warnings("disclose = [\"links\", \"link-figures\"]", ""), told, "ranges have no names");
    assert!(warnings("disclose = [\"link-states\", \"link-figures\"]", "").is_empty());
    let area = "area = \"north\"\ndisclose_area = [\"link-figures\"]";
    let north = "area = \"north\"";
    assert_eq!(warnings(area, north), ["`link-figures` in `disclose_area` tells nobody anything"]);
    assert!(
        warnings(&format!("{area}\ndisclose = [\"link-states\"]"), north).is_empty(),
        "what all are told its area is too"
    );
}

#[test]
fn a_least_epoch_is_written_for_each_domain_and_what_was_changed_is_told() {
    let epoch = "min_epoch = 1954210119680000";
    let loaded = load(epoch, epoch).unwrap();
    let (own, peer) = (loaded.config.federation.as_ref().unwrap().min_epoch, loaded.config.peers[0].origin.min_epoch);
    assert_eq!((own, peer), (1_954_210_119_680_000, 1_954_210_119_680_000));
    let without = load("", "").unwrap().config;
    assert_eq!((without.federation.as_ref().unwrap().min_epoch, without.peers[0].origin.min_epoch), (0, 0));
    let told = Change::between(&without, &loaded.config).to_string();
    assert!(told.contains("peer w changed (min_epoch") && told.contains("federation changed"), "{told}");
    let of_a_past_second = "min_epoch = 1782579199999999";
    assert!(warnings(of_a_past_second, of_a_past_second).is_empty());
    let yet_to_come = ["`min_epoch` is of a time that is yet to come"; 2];
    assert_eq!(warnings("min_epoch = 9007199254740991", "min_epoch = 9007199254740991"), yet_to_come);
    let shown = load("min_epoch = 9007199254740992", "").unwrap_err().render(false);
    assert!(shown.contains("`min_epoch` is out of range") && shown.contains("9007199254740991"), "{shown}");
}

#[test]
fn lists_of_what_was_revoked_are_those_of_the_peers_own_authority() {
    let lists = "trust_anchors = [\"x\"]\nrevocation_lists = [\"x\"]";
    let (with, without) = (load("", lists).unwrap().config, load("", "trust_anchors = [\"x\"]").unwrap().config);
    assert!(with.peers[0].revocation_lists[0].ends_with("x") && without.peers[0].revocation_lists.is_empty());
    let mut same_place = with.clone();
    same_place.peers[0].revocation_lists.clear();
    assert!(Change::between(&with, &same_place).to_string().contains("(revocation_lists)"));
    // Where [tls] vouches for the peer, nobody would look at them.
    let shown = load("", "revocation_lists = [\"x\"]").unwrap_err().render(false);
    assert!(shown.contains("without `trust_anchors`") && shown.contains("name the lists in [tls]"), "{shown}");
    assert!(load("", "trust_anchors = [\"x\"]\nrevocation_lists = [\"gone.crl\"]").is_err());
}
