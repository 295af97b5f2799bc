//! History of values: raw and by steps, over a crash, and the last values of everything.

use harness::{ManagerProcess, PATIENCE, Settings, eventually, report, response_code};
use serde_json::{Value, json};

/// Points of a series once there are so many.
fn points(manager: &ManagerProcess, query: &str, count: usize) -> Vec<Value> {
    eventually("the points in the database", PATIENCE, || {
        let answer = manager.api().get(&format!("/api/v1/components/mq/qm-1/history?{query}"));
        assert_eq!(answer.status, 200, "{}", answer.text);
        let points = answer.json()["points"].as_array().unwrap().clone();
        (points.len() >= count).then_some(points)
    })
}

#[test]
fn samples_of_one_report_keep_the_times_of_their_objects() {
    let mut manager = ManagerProcess::start(Settings::one("mq", &["qm-1"]));
    manager.expect_warnings();
    let started = manager.api().get("/api/v1/health").json()["started"].as_str().unwrap().to_owned();
    let hour = &started[..14];
    let mut client = manager.connect("mq", "qm-1");
    let sample = |second: u32| json!({"type": "performance", "time": format!("{hour}00:{second:02}Z"), "values": {"qber_ratio": 0.01 * f64::from(second)}});
    // A module that was cut off brings what it measured meanwhile; the crash comes before anything is in the database.
    assert_eq!(response_code(&client.ask(&report("qm-1", json!([sample(1), sample(2), sample(3)])))), "success");
    drop(client);
    manager.crash_and_restart();
    let raw = points(&manager, &format!("name=qber_ratio&from={hour}00:00Z&to={hour}01:00Z"), 3);
    let times: Vec<&str> = raw.iter().filter_map(|point| point["time"].as_str()).collect();
    assert_eq!(times, [1, 2, 3].map(|second| format!("{hour}00:0{second}.000Z")));
    let last = manager.api().get("/api/v1/components/mq/qm-1").json();
    assert!(last.to_string().contains(&format!("{hour}00:03.000Z")), "{last}");
}

#[test]
fn samples_and_steps_are_there_once_over_a_crash() {
    let mut manager = ManagerProcess::start(Settings::one("mq", &["qm-1"]));
    // The source times lie back: the manager says that the component's clock is off.
    manager.expect_warnings();
    let started = manager.api().get("/api/v1/health").json()["started"].as_str().unwrap().to_owned();
    let hour = &started[..14];
    let mut client = manager.connect("mq", "qm-1");
    let mut sequence = 0;
    let mut say = |client: &mut harness::RawClient, second: u32, qber: f64, status: &str| {
        sequence += 1;
        let mut report = report(
            "qm-1",
            json!([
                {"type": "performance", "values": {"qber_ratio": qber}},
                {"type": "performance", "resource": "p-1", "values": {"qber_ratio": 0.5}},
                {"type": "state", "values": {"qkdi_status": status, "tamper_detected": false}},
            ]),
        );
        // In the hour before the start, which is within the day that source times may lie back.
        report["time"] = json!(format!("{hour}00:{second:02}Z"));
        report["sequence"] = json!(sequence);
        assert_eq!(response_code(&client.ask(&report)), "success");
        report
    };
    for second in 0..30 {
        say(&mut client, second, 0.01 * f64::from(second), "ENABLED");
    }
    let span = format!("from={hour}00:00Z&to={hour}01:00Z");
    let raw = points(&manager, &format!("name=qber_ratio&{span}"), 30);
    assert_eq!(raw.len(), 30, "another resource's values are another series");
    assert_eq!((&raw[7]["time"], &raw[7]["value"]), (&json!(format!("{hour}00:07.000Z")), &json!(0.07)));
    drop(client);
    manager.crash_and_restart();
    let mut client = manager.connect("mq", "qm-1");
    for second in 30..40 {
        let repeated = say(&mut client, second, 0.01 * f64::from(second), "FAILED");
        assert_eq!(response_code(&client.ask(&repeated)), "success", "a repeat adds nothing");
    }
    let raw = points(&manager, &format!("name=qber_ratio&{span}"), 40);
    let values: Vec<f64> = raw.iter().filter_map(|point| point["value"].as_f64()).collect();
    assert_eq!(values, (0..40).map(|second| 0.01 * f64::from(second)).collect::<Vec<_>>());
    let steps = points(&manager, &format!("name=qber_ratio&{span}&step=1m"), 1);
    assert_eq!(steps.len(), 1);
    let step = &steps[0];
    assert_eq!((&step["min"], &step["max"], &step["last"]), (&json!(0.0), &json!(0.39), &json!(0.39)));
    assert_eq!(step["count"], 40);
    assert!((step["mean"].as_f64().unwrap() - 0.195).abs() < 1e-12, "{step}");
    let tens = points(&manager, &format!("name=qber_ratio&{span}&step=10s"), 4);
    assert_eq!(tens.iter().map(|step| step["count"].as_u64().unwrap()).collect::<Vec<_>>(), [10, 10, 10, 10]);
    let words = points(&manager, &format!("name=qkdi_status&{span}&step=1h"), 1);
    assert_eq!((&words[0]["last"], &words[0]["count"]), (&json!("FAILED"), &json!(40)));
    let shown =
        manager.command(&["history", "mq/qm-1", "qber_ratio", "--from", &format!("{hour}00:00Z"), "--step", "1m"]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("0.39"), "{shown:?}");
    let never = manager.api().get("/api/v1/components/mq/qm-1/history?name=snr_db&from=-6h");
    assert_eq!((never.status, never.json()["points"].as_array().map(Vec::len)), (200, Some(0)));
    assert_eq!(manager.api().get("/api/v1/components/mq/qm-1/history?name=qber").status, 404);
    assert_eq!(manager.api().get("/api/v1/components/mq/qm-1/history?name=qber_ratio&step=0s").status, 400);
}

#[test]
fn the_last_value_of_everything_is_listed_in_pages() {
    let settings = Settings::default().interface("mq", "").component("mq", "qm-1", "").component("mq", "qm-2", "");
    let manager = ManagerProcess::start(settings);
    for id in ["qm-1", "qm-2"] {
        let values = json!([{"type": "performance", "values": {"qber_ratio": 0.02, "snr_db": 11.5}}]);
        assert_eq!(response_code(&manager.connect("mq", id).ask(&report(id, values))), "success");
    }
    let first = manager.api().get("/api/v1/values?limit=3").json();
    let next = first["next"].as_str().unwrap();
    let second = manager.api().get(&format!("/api/v1/values?limit=3&cursor={next}")).json();
    let all: Vec<String> = [&first, &second]
        .iter()
        .flat_map(|page| page["items"].as_array().unwrap())
        .map(|item| format!("{} {} {}", item["component"], item["name"], item["value"]))
        .collect();
    assert_eq!(all.len(), 4, "{all:?}");
    assert_eq!(manager.api().list("/api/v1/values?name=snr_db").len(), 2);
    let shown = manager.command(&["value", "list", "--component", "mq/qm-2"]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("11.5 dB"), "{shown:?}");
}
