//! `/metrics`: clean by the judgement of Prometheus' own program, and as many series for many components as for few.

use std::{collections::BTreeSet, process::Command, time::Duration};

use harness::{ManagerProcess, Settings, performance, report, response_code};
use serde_json::json;

use crate::{
    program::{named, run},
    site::Site,
};

#[test]
fn promtool_finds_nothing_to_mend_in_the_metrics() {
    let Some(promtool) = named("QKDNM_PROMTOOL", "promtool") else { return };
    let site = Site::start();
    let folder = tempfile::tempdir().unwrap();
    let text = site.manager.api().get("/metrics").text;
    assert!(text.contains("qkdn_alarm_alarms_raised{severity=\"major\"} 1"), "{text}");
    let fill = "{reference_point=\"mk\",value=\"key_store_fill_ratio\",unit=\"ratio\"}";
    for line in [format!("qkdn_network_value_least{fill} 0.1"), format!("qkdn_network_value_greatest{fill} 0.9")] {
        assert!(text.contains(&line), "{line}\n{text}");
    }
    std::fs::write(folder.path().join("metrics.txt"), text).unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$0\" check metrics < metrics.txt"]).arg(promtool);
    let (output, said) = run(&mut command, folder.path(), Duration::from_secs(30));
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}

fn series(manager: &ManagerProcess) -> BTreeSet<String> {
    let text = manager.api().get("/metrics").text;
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples.filter_map(|line| line.rsplit_once(' ').map(|(series, _)| series.to_owned())).collect()
}

#[test]
fn components_resources_and_alarms_add_no_series() {
    let ids: Vec<String> = (0..20).map(|number| format!("km-{number}")).collect();
    let names: Vec<&str> = ids.iter().map(String::as_str).collect();
    // Plugins have series for each shard that called them.
    let mut settings = Settings::one("mk", &names);
    settings.manager = "shards = 1\n".to_owned();
    let manager = ManagerProcess::start(settings);
    let say = |id: &str| {
        let mut client = manager.connect("mk", id);
        let mut values = performance(json!({ "key_store_fill_ratio": 0.5 }));
        values[0]["resource"] = json!(format!("kma-of-{id}"));
        assert_eq!(response_code(&client.ask(&report(id, values))), "success");
    };
    say("km-0");
    let before = series(&manager);
    names.iter().skip(1).for_each(|id| say(id));
    let after = series(&manager);
    assert_eq!(before, after, "{:?}", after.difference(&before).collect::<Vec<_>>());
}
