//! Everything changes, and nobody who is not concerned notices.

use harness::{ManagerProcess, Settings, performance, report, response_code};
use serde_json::{Value, json};

use crate::{
    applied, free_address,
    load::{Load, assert_whole},
    policy,
};

fn components() -> Vec<String> {
    (1..=6).map(|number| format!("mk/km-{number}")).collect()
}

fn settings(more: &str) -> Settings {
    let ids: Vec<String> = components().iter().map(|one| one.trim_start_matches("mk/").to_owned()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut settings = Settings::one("mk", &ids);
    settings.manager = "shards = 2\nreload_on_change = false\n".to_owned();
    settings.with(more)
}

/// The configurations that the test goes through, again and again.
fn turn(number: usize, more_interface: &str) -> Settings {
    let threshold = [0.2, 0.3, 0.4][number % 3];
    let mut text = policy(threshold);
    if number % 2 == 1 {
        text.push_str(
            "[[policies]]\nname = \"high\"\nfunction = \"performance\"\nplugin = \"builtin:threshold\"\nconfig = { value = \
             \"key_store_fill_ratio\", raise_above = 0.9, clear_below = 0.8, severity = \"minor\", alarm_type = \
             \"key-store-full\" }\n[[handlers]]\nname = \"own\"\nreference_point = \"mk\"\nmatch = { id = \"km-1\" }\n\
             plugin = \"builtin:mk\"\n",
        );
    }
    let mut settings = settings(&text);
    if number % 3 == 1 {
        settings = settings.component("mk", "km-more", "expected_interval = \"1h\"");
    }
    if number.is_multiple_of(2) {
        settings = settings.interface("mq", "").component("mq", "qm-1", "");
        settings.interfaces.last_mut().unwrap().listen = more_interface.to_owned();
    }
    settings.interfaces[0].lines = format!("max_in_flight = {}\nidle_timeout = \"{}m\"", 64 + number, 5 + number);
    settings.plugins = format!("log_lines_per_second = {}\n", 20 + number / 4);
    settings
}

#[test]
fn nothing_is_lost_refused_or_dropped_while_everything_changes() {
    let mut manager = ManagerProcess::start(settings(&policy(0.2)));
    let (load, more) = (Load::start(&manager, &components()), free_address());
    load.go_on(500);
    let mut took: Vec<(f64, f64)> = Vec::new();
    for number in 0..12 {
        *manager.settings_mut() = turn(number, &more);
        let view = applied(&manager);
        took.push((view["tookMs"].as_f64().unwrap(), view["heldMs"].as_f64().unwrap()));
        load.go_on(300);
    }
    let outcomes = load.stop();
    let sent: u64 = outcomes.iter().map(|outcome| outcome.sent).sum();
    let longest = outcomes.iter().map(|outcome| outcome.longest).max().unwrap();
    let (longest_reload, longest_hold) =
        took.iter().fold((0.0_f64, 0.0_f64), |most, one| (most.0.max(one.0), most.1.max(one.1)));
    println!(
        "{} reloads under {sent} reports: longest {longest_reload:.0} ms, connections held for {longest_hold:.3} ms, \
         longest wait for an answer {} ms",
        took.len(),
        longest.as_millis(),
    );
    assert_whole(&manager, "mk", &outcomes);
    assert_eq!(manager.api().metric("qkdn_config_reloads_total", &["result=\"applied\""]), 12.0);
    assert_eq!(manager.api().metric("qkdn_wire_messages_refused_total", &[]), 0.0);
    manager.expect_warnings();
    manager.stop();
    let data = manager.data_dir();
    let replayed = manager.command(&["storage", "replay", "--check", data.to_str().unwrap()]);
    let told = String::from_utf8_lossy(&replayed.stdout) + String::from_utf8_lossy(&replayed.stderr);
    assert!(replayed.status.success(), "{told}");
    assert!(told.contains("12 changes of the configuration"), "{told}");
}

#[test]
fn kill_9_right_after_a_reload_comes_back_with_the_new_configuration() {
    let mut manager = ManagerProcess::start(settings(&policy(0.2)));
    manager.expect_warnings();
    let mut accepted: Vec<u64> = vec![0; components().len()];
    for round in 0..4 {
        let load = Load::start(&manager, &components());
        load.go_on(200);
        let threshold = [0.5, 0.1, 0.6, 0.3][round];
        let keeps = round != 2;
        *manager.settings_mut() = settings(&if keeps { policy(threshold) } else { String::new() });
        if round == 1 {
            *manager.settings_mut() = settings(&policy(threshold)).component("mk", "km-new", "");
        }
        applied(&manager);
        manager.kill();
        for (outcome, total) in load.stop().iter().zip(&mut accepted) {
            assert_eq!(outcome.refused, Vec::<String>::new());
            *total = outcome.accepted;
        }
        manager.launch();
        let policies = manager.api().list("/api/v1/policies");
        assert_eq!(policies.len(), usize::from(keeps));
        for (component, accepted) in components().iter().zip(&accepted) {
            let shown = manager.api().get(&format!("/api/v1/components/{component}")).json();
            assert!(shown["reports"].as_u64().unwrap() >= *accepted, "{component} lost reports: {shown}");
        }
        // An incarnation of its own for each round: the load counts from 1.
        let low = 0.45;
        let mut client = manager.connect("mk", "km-1");
        assert_eq!(
            response_code(&client.ask(&report("km-1", performance(json!({"key_store_fill_ratio": low}))))),
            "success"
        );
        let raised = |alarm: &Value| alarm["component"] == "mk/km-1" && alarm["isCleared"] == false;
        let is_raised = manager.api().list("/api/v1/alarms").iter().any(raised);
        assert_eq!(is_raised, keeps && low < threshold, "round {round}: the new threshold holds");
        drop(client);
        // The next round's load numbers its reports anew; a new folder would hide damage that adds up.
        manager.stop();
        let data = manager.data_dir();
        let replayed = manager.command(&["storage", "replay", "--check", data.to_str().unwrap()]);
        let told = String::from_utf8_lossy(&replayed.stdout) + String::from_utf8_lossy(&replayed.stderr);
        assert!(replayed.status.success(), "round {round}: {told}");
        std::fs::remove_dir_all(&data).unwrap();
        manager.launch();
    }
}

#[test]
fn a_refused_reload_is_not_noticed_by_the_load() {
    let mut manager = ManagerProcess::start(settings(&policy(0.2)));
    manager.expect_errors();
    let load = Load::start(&manager, &components());
    load.go_on(200);
    for _ in 0..3 {
        manager.settings_mut().more = "[[policies]]\nname = 3\n".to_owned();
        assert_eq!(manager.reload_settings().status, 422);
        load.go_on(100);
    }
    assert_whole(&manager, "mk", &load.stop());
}

#[test]
fn a_reload_while_storage_fails_is_in_the_journal_once_it_works_before_anything_that_was_judged_by_it() {
    let mut settings = Settings::one("mk", &["km-1"]).with(&policy(0.2));
    settings.manager = "shards = 1\nreload_on_change = false\n".to_owned();
    let mut manager = ManagerProcess::start(settings.environment("QKDNM_FAULTS", "sync=eio@8..40"));
    manager.expect_errors();
    let mut client = manager.connect("mk", "km-1");
    let mut say = |level: f64| {
        let answer = client.ask(&report("km-1", performance(json!({"key_store_fill_ratio": level}))));
        response_code(&answer).to_owned()
    };
    harness::eventually("storage that fails", harness::PATIENCE, || (say(0.5) == "unavailable").then_some(()));
    manager.settings_mut().more = policy(0.4);
    manager.write_config();
    let (api, reloaded) = (manager.api(), std::sync::atomic::AtomicBool::new(false));
    let (view, refused) = std::thread::scope(|scope| {
        let reload = scope.spawn(|| {
            let answer =
                api.post("/api/v1/configuration/reload", Some(harness::settings::ADMIN_TOKEN), &json!({})).json();
            reloaded.store(true, std::sync::atomic::Ordering::SeqCst);
            answer
        });
        let mut refused = 0;
        harness::eventually("storage that works", harness::PATIENCE, || {
            // While the reload is under way, so that it meets the failure.
            let accepted = say(0.3) == "success";
            refused += u32::from(!accepted);
            (accepted && reloaded.load(std::sync::atomic::Ordering::SeqCst)).then_some(())
        });
        (reload.join().unwrap(), refused)
    });
    assert_eq!(view["result"], "applied", "{view}");
    assert!(refused > 0, "storage failed meanwhile");
    manager.api().await_alarm("key-store-low", |alarm| alarm["isCleared"] == false);
    drop(client);
    manager.kill();
    let data = manager.data_dir();
    let replayed = manager.command(&["storage", "replay", "--check", data.to_str().unwrap()]);
    let told = String::from_utf8_lossy(&replayed.stdout) + String::from_utf8_lossy(&replayed.stderr);
    assert!(replayed.status.success() && told.contains("1 changes of the configuration"), "{told}");
}
