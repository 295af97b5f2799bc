//! Export and import policies between real managers: what passes, what a hostile or broken one gets through (nothing), and what
//! is shown in the end.

use std::fs;

use harness::{eventually, guests, patience};
use serde_json::{Value, json};

use crate::cluster::{Cluster, section};

/// Writes the file of a policy of one manager.
fn write(cluster: &Cluster, at: usize, name: &str, plugin: &str, config: &str) {
    let folder = cluster.managers[at].root().join("policies");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(name), format!("plugin = {plugin:?}\n[config]\n{config}\n")).unwrap();
}

/// Puts lines into the configuration of one manager: of `[federation]`, and of its first peer.
fn configure(cluster: &mut Cluster, at: usize, federation: &str, peer: &str) {
    let more = &mut cluster.managers[at].settings_mut().more;
    *more = more.replacen("name = \"test\"\n", &format!("name = \"test\"\n{federation}"), 1);
    *more = more.replacen("[[peers]]\n", &format!("[[peers]]\n{peer}"), 1);
}

/// What is written now is taken over.
fn reload(cluster: &Cluster, at: usize) {
    let answer = cluster.managers[at].reload_settings();
    assert_eq!(answer.status, 200, "{}", answer.text);
    let view = answer.json();
    assert_ne!(view["result"], "refused", "{view}");
}

/// Waits until what one manager shows of another's domain is as it should be.
#[track_caller]
fn await_section(cluster: &Cluster, at: usize, domain: &str, name: &str, is: impl Fn(&Value) -> bool) -> Value {
    eventually(&format!("section {name} of {domain}"), patience(), || {
        let found = section(&cluster.domain(at, domain), name);
        is(&found).then_some(found)
    })
}

/// Waits for an alarm about a failing policy, or for its end.
#[track_caller]
fn await_failing(cluster: &Cluster, at: usize, is_raised: bool) -> Value {
    eventually("the alarm about the policy", patience(), || {
        let alarms = cluster.managers[at].api().list("/api/v1/alarms");
        let about = |alarm: &&Value| alarm["alarmTypeId"] == "plugin-failed" && alarm["isCleared"] != true;
        let found = alarms.iter().find(about).cloned();
        (found.is_some() == is_raised).then(|| found.unwrap_or_default())
    })
}

#[test]
fn what_is_told_has_passed_the_policies_and_a_reload_changes_them() {
    let mut cluster = Cluster::prepare(&["east", "west"]);
    cluster.configure(&[(0, 1)]);
    write(&cluster, 1, "export.toml", "builtin:disclosure", "minimum_group = 3\nbelow_minimum = \"raise\"");
    configure(&mut cluster, 1, "export = [\"policies/export.toml\"]\n", "");
    cluster.managers.iter_mut().for_each(harness::ManagerProcess::launch);
    cluster.await_all_fresh();
    cluster.says(1, 0.1);
    let alarms = await_section(&cluster, 0, "west", "alarms", |alarms| alarms["raised"]["major"] == 3);
    assert_eq!(alarms, json!({ "raised": { "major": 3 }, "types": { "key-store-low": 3 } }));
    assert_eq!(section(&cluster.domain(0, "west"), "health")["components"], json!({ "mk": { "known": 3 } }));
    // What is shown beforehand is what arrives.
    let preview = cluster.managers[1].api().get("/api/v1/peers/manager-east/preview").json();
    assert_eq!(preview["own"][0]["sections"], cluster.domain(0, "west")["documents"][0]["sections"]);
    let config = "leave_out = [\"health\", \"alarms/types\"]\nminimum_group = 2";
    write(&cluster, 1, "export.toml", "builtin:disclosure", config);
    reload(&cluster, 1);
    let alarms = await_section(&cluster, 0, "west", "alarms", |alarms| alarms["types"].is_null());
    assert_eq!(alarms, json!({ "raised": {} }));
    await_section(&cluster, 0, "west", "health", Value::is_null);
    // What would be told is too young.
    write(&cluster, 1, "export.toml", "builtin:disclosure", "delay = \"1h\"");
    reload(&cluster, 1);
    await_section(&cluster, 0, "west", "alarms", Value::is_null);
}

#[test]
fn a_hostile_policy_gets_nothing_through() {
    let mut cluster = Cluster::prepare(&["east", "west"]);
    cluster.configure(&[(0, 1)]);
    let guest = guests::wasm("guest-exchange").display().to_string();
    let link = "[[federation.links]]\nname = \"border\"\ndomain = \"east\"\nfrom = [\"mk/km-1\"]\n[[peers]]\nexport = \
                [\"policies/export.toml\"]\n";
    write(&cluster, 1, "export.toml", &guest, "try = \"names\"");
    configure(&mut cluster, 1, "export = [\"policies/export.toml\"]\n", "");
    let more = &mut cluster.managers[1].settings_mut().more;
    *more = more.replacen("[[peers]]\n", link, 1);
    cluster.managers.iter_mut().for_each(harness::ManagerProcess::launch);
    cluster.await_all_fresh();
    cluster.says(1, 0.1);
    // Other values, which only the manager's filter knows for what they are.
    for what in ["names", "text", "key-material", "digits"] {
        write(&cluster, 1, "export.toml", &guest, &format!("try = {what:?}"));
        reload(&cluster, 1);
        let is_filtered = |seen: &Value| match what {
            "digits" => section(seen, "alarms")["raised"] == json!({}),
            _ => section(seen, "capabilities")["program"].is_null() && section(seen, "links")["ends"] == json!([]),
        };
        let seen = eventually(&format!("what {what} leads to"), patience(), || {
            let seen = cluster.domain(0, "west");
            (section(&seen, "alarms").is_object() && is_filtered(&seen)).then_some(seen)
        });
        for never in ["Jane", "rack", "+43", "q83v", "12379813738877118345"] {
            assert!(!seen.to_string().contains(never), "{what}: {seen}");
        }
    }
    // Answers that are none: nothing is told, and an alarm says so.
    for what in ["add-member", "add-section", "panic"] {
        write(&cluster, 1, "export.toml", &guest, &format!("try = {what:?}"));
        reload(&cluster, 1);
        let alarm = await_failing(&cluster, 1, true);
        assert!(alarm["text"].as_str().unwrap().contains("is told no sections"), "{alarm}");
        eventually("documents without sections", patience(), || {
            let seen = cluster.domain(0, "west");
            let documents = seen["documents"].as_array().unwrap();
            documents.iter().all(|document| document["sections"] == json!([])).then_some(())
        });
        write(&cluster, 1, "export.toml", &guest, "try = \"nothing\"");
        reload(&cluster, 1);
        await_section(&cluster, 0, "west", "alarms", |alarms| alarms["raised"]["major"] == 1);
        await_failing(&cluster, 1, false);
    }
    eventually("the link", patience(), || {
        let links = cluster.managers[0].api().list("/api/v1/domain-links");
        links.iter().any(|link| link["id"] == "border").then_some(())
    });
}

#[test]
fn what_is_shown_of_others_has_passed_the_import_policies() {
    let mut cluster = Cluster::prepare(&["east", "west"]);
    cluster.configure(&[(0, 1)]);
    let guest = guests::wasm("guest-exchange").display().to_string();
    write(&cluster, 0, "all.toml", "builtin:disclosure", "leave_out = [\"capabilities\"]");
    write(&cluster, 0, "west.toml", "builtin:disclosure", "[config.steps]\ncounts = 10");
    configure(&mut cluster, 0, "import = [\"policies/all.toml\"]\n", "import = [\"policies/west.toml\"]\n");
    cluster.managers.iter_mut().for_each(harness::ManagerProcess::launch);
    cluster.await_all_fresh();
    cluster.says(1, 0.1);
    await_section(&cluster, 0, "west", "alarms", |alarms| alarms["raised"]["major"] == 10);
    let seen = cluster.domain(0, "west");
    let of = |name: &str| {
        let sections = seen["documents"][0]["sections"].as_array().unwrap();
        sections.iter().find(|section| section["name"] == name).unwrap().clone()
    };
    assert_eq!(of("health")["content"]["components"]["mk"]["known"], 10);
    assert_eq!(
        (&of("capabilities")["content"], &of("capabilities")["withheld"]),
        (&Value::Null, &json!("left out by an import policy"))
    );
    let text = String::from_utf8(cluster.managers[0].command(&["domain", "show", "west"]).stdout).unwrap();
    assert!(text.contains("not shown: left out by an import policy"), "{text}");
    // Our own is shown as it is signed.
    assert_eq!(section(&cluster.domain(0, "east"), "health")["components"]["mk"]["known"], 1);
    // One that adds something shows nothing.
    write(&cluster, 0, "west.toml", &guest, "try = \"add-member\"");
    reload(&cluster, 0);
    await_section(&cluster, 0, "west", "alarms", Value::is_null);
    let alarm = await_failing(&cluster, 0, true);
    assert!(alarm["text"].as_str().unwrap().contains("nothing is shown of what domain west told"), "{alarm}");
    write(&cluster, 0, "west.toml", &guest, "try = \"text\"");
    reload(&cluster, 0);
    await_section(&cluster, 0, "west", "alarms", |alarms| alarms["raised"]["major"] == 1);
    assert!(!cluster.domain(0, "west").to_string().contains("Jane"));
}

#[test]
fn links_have_aliases_that_both_ends_understand() {
    let mut cluster = Cluster::prepare(&["east", "west"]);
    cluster.configure(&[(0, 1)]);
    for (at, other) in [(0, "west"), (1, "east")] {
        write(&cluster, at, "export.toml", "builtin:disclosure", "pseudonyms = true");
        fs::write(cluster.managers[at].root().join("names.key"), "0123456789abcdef0123456789abcdef\n").unwrap();
        let lines = format!(
            "[[federation.links]]\nname = \"vienna-brno\"\ndomain = {other:?}\nfrom = [\"mk/km-1\"]\n[[peers]]\nexport = \
             [\"policies/export.toml\"]\npseudonym_key = \"names.key\"\n"
        );
        let more = &mut cluster.managers[at].settings_mut().more;
        *more = more.replacen("[[peers]]\n", &lines, 1);
    }
    cluster.managers.iter_mut().for_each(harness::ManagerProcess::launch);
    cluster.await_all_fresh();
    let links = await_section(&cluster, 0, "west", "links", |links| links["ends"][0]["id"].is_string());
    assert!(links["ends"][0]["id"].as_str().unwrap().starts_with("alias-"), "{links}");
    eventually("the link, from both ends", patience(), || {
        let links = cluster.managers[0].api().list("/api/v1/domain-links");
        let both = links.iter().find(|link| link["id"] == "vienna-brno" && link["theirs"].is_object())?;
        (links.len() == 1 && both["differences"] == json!([])).then_some(())
    });
}

#[test]
fn what_is_wrong_in_a_policys_file_is_shown_in_it() {
    let mut cluster = Cluster::prepare(&["east", "west"]);
    cluster.configure(&[(0, 1)]);
    write(
        &cluster,
        0,
        "export.toml",
        "builtin:disclosure",
        "leave_out = [\"alarms\", \"alarm/types\"]\nminimum_grup = 3",
    );
    configure(&mut cluster, 0, "export = [\"policies/export.toml\", \"policies/none.toml\"]\n", "");
    let file = cluster.managers[0].write_config();
    let output = cluster.managers[0].command(&["check", &file.display().to_string()]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    for told in ["policies/export.toml:4:", "minimum_group", "cannot read the export policy", "there is no such file"] {
        assert!(text.contains(told), "{told}: {text}");
    }
    write(&cluster, 0, "export.toml", "builtin:disclosure", "leave_out = [\"alarms\", \"alarm/types\"]");
    let output = cluster.managers[0].command(&["check", &file.display().to_string()]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("policies/export.toml:3:24") && text.contains("`alarm/types` leads to nothing"), "{text}");
}
