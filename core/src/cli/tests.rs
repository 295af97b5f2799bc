//! What the commands print and how they end, against a manager in memory.

use clap::{CommandFactory, Parser};

use super::*;
use crate::{
    api::{fake_backend::FakeBackend, fake_manager::FakeManager},
    model::Severity,
};

/// Runs a command line without a token; gives how it ended and what it printed.
fn run(manager: &FakeManager, line: &str) -> (Result<Exit, String>, String) {
    run_as(manager, "", line)
}

/// Runs a command line with a token.
fn run_as(manager: &FakeManager, token: &str, line: &str) -> (Result<Exit, String>, String) {
    let words = ["qkdnm", "--api", &manager.url].into_iter().chain(line.split_whitespace());
    let mut cli = Cli::try_parse_from(words).unwrap();
    cli.api.token = Token::new(token.to_owned());
    let mut printed = Vec::new();
    let (format, wide) = (cli.output, cli.wide);
    let result = dispatch(cli, &mut Output::plain(&mut printed, format).wide(wide));
    (result.map_err(text), String::from_utf8(printed).unwrap())
}

fn text(error: CommandError) -> String {
    match error {
        CommandError::Usage(error) => format!("usage: {error:#}"),
        CommandError::Failure(error) => format!("{error:#}"),
    }
}

fn manager() -> FakeManager {
    FakeManager::start(FakeBackend::default())
}

#[track_caller]
fn prints(manager: &FakeManager, line: &str, expected: &str) {
    let (result, printed) = run(manager, line);
    assert_eq!(result, Ok(Exit::Success));
    assert_eq!(printed, expected, "\n{printed}");
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
    let help = Cli::command().render_long_help().to_string();
    assert!(help.starts_with("QKDN manager: watches over"), "{help}");
    assert!(help.contains("\n  3  `alarm list --fail-on SEVERITY` found such an alarm\n"), "{help}");
}

#[test]
fn components_in_a_table() {
    let manager = manager();
    prints(
        &manager,
        "component list --reference-point mk",
        "\
COMPONENT     KIND         SITE    CONNECTED  LAST REPORT               REPORTS  WORST ALARM
mk/km-1       key manager  vienna  yes        2026-11-26T07:59:55.000Z  42       -
mk/km-2       key manager  vienna  no         never                     0        -
mk/site a/ü%  key manager  vienna  yes        2026-11-26T07:59:55.000Z  42       -
3 components, 2 connected
",
    );
    prints(&manager, "component list --vendor nobody", "No components.\n");
}

#[test]
fn one_component() {
    let manager = manager();
    prints(
        &manager,
        "component show mk/km-1",
        "\
Component:       mk/km-1 (key manager)
Vendor:          acme
Model:           k2
Site:            vienna
Tags:            metro
Handler:         mk
Policies:        qber
Last report:     2026-11-26T07:59:55.000Z
Expected every:  30 s
Reports:         42 accepted
Numbering:       at 41 of incarnation 0, 2 outstanding, 0 lost
Alarms:          none raised

CONNECTION       DIRECTION  SINCE                     KEY EXCHANGE
192.0.2.7:50000  accepted   2026-11-26T07:00:00.000Z  X25519MLKEM768

SUBSCRIPTION  STATE    DETAIL   NOTIFICATIONS  MISSING  LAST
key-stores    granted  durable  7              0        2026-11-26T07:59:55.000Z

VALUE                 RESOURCE  IS    UNIT   TIME
key_store_fill_ratio            0.25  ratio  2026-11-26T07:59:55.000Z
kma_link_state        link-1    up           2026-11-26T07:59:55.000Z
",
    );
    let (result, _) = run(&manager, "component show mk/km-77");
    assert!(result.unwrap_err().contains("`qkdnm component list` lists"), "says what to try");
}

#[test]
fn alarms_in_a_table_worst_first() {
    let manager = manager();
    prints(
        &manager,
        "alarm list --all",
        "\
ID  SEVERITY  STATE    OPERATOR  COMPONENT  RESOURCE  TYPE                     CHANGED                   TEXT
3   major     raised   -         mq/m-1     link-1    qber-threshold-exceeded  2026-11-26T07:59:00.000Z  QBER 7 %
1   minor     raised   -         mk/km-1    link-1    qber-threshold-exceeded  2026-11-26T07:59:00.000Z  store low
2   critical  cleared  -         mq/m-1     link-1    qber-threshold-exceeded  2026-11-26T07:59:30.000Z  QBER 3 %
3 alarms
",
    );
    prints(&manager, "alarm list --severity critical", "No alarms.\n");
}

#[test]
fn one_alarm_with_its_history() {
    let manager = manager();
    prints(
        &manager,
        "alarm show 2",
        "\
Alarm:        2
Severity:     critical
State:        cleared
Operator:     none
Component:    mq/m-1
Resource:     link-1
Type:         qber-threshold-exceeded
Qualifier:    qber
Text:         QBER 3 %
Function:     performance
Event type:   quality-of-service
Cause:        threshold-crossed
Observed:     0.07
Threshold:    0.06
Repair:       Check the fibre.
Raised by:    policy:qber
Created:      2026-11-26T07:59:00.000Z
Last raised:  2026-11-26T07:59:00.000Z (once)
Changed:      2026-11-26T07:59:30.000Z

TIME                      STATUS    TEXT
2026-11-26T07:59:30.000Z  cleared   QBER 3 %
2026-11-26T07:59:00.000Z  critical  QBER 12 %
",
    );
}

#[test]
fn an_exit_code_tells_scripts_that_an_alarm_stands() {
    let manager = manager();
    assert_eq!(run(&manager, "alarm list --fail-on major").0, Ok(Exit::AlarmStands));
    assert_eq!(run(&manager, "alarm list --fail-on critical --all").0, Ok(Exit::Success), "the critical one is clear");
    assert_eq!(run(&manager, "alarm list --fail-on minor --component mk/km-2").0, Ok(Exit::Success));
    assert_eq!(run(&manager, "alarm list --fail-on minor -o json").0, Ok(Exit::AlarmStands));
}

#[test]
fn operators_acknowledge_and_close() {
    let manager = manager();
    let (result, printed) = run_as(&manager, "ops-token", "alarm acknowledge 3 -m coming");
    assert_eq!(result, Ok(Exit::Success));
    assert_eq!(printed, "Alarm 3 is acknowledged: mq/m-1 link-1 qber-threshold-exceeded qber\n");
    let (result, printed) = run_as(&manager, "ops-token", "alarm close 3 9 1");
    let error = result.unwrap_err();
    assert!(error.contains("there is no alarm 9"), "{error}");
    assert_eq!(printed.lines().count(), 2, "the others are closed: {printed}");
    assert!(run_as(&manager, "ops-token", "alarm reopen 3").1.starts_with("Alarm 3 is open again"));
    let (result, _) = run_as(&manager, "reader-token", "alarm close 3");
    assert!(
        result.unwrap_err().contains("has the role viewer, this needs operator. The token of QKDNM_TOKEN was sent")
    );
    let (result, _) = run(&manager, "alarm close 3");
    assert!(result.unwrap_err().contains("QKDNM_TOKEN"));
}

#[test]
fn a_component_is_asked_for_a_status_report() {
    let manager = manager();
    let (result, printed) = run_as(&manager, "ops-token", "component request mk/km-1 --type performance --name x");
    assert_eq!(result, Ok(Exit::Success));
    let expected = "\
mk/km-1 answered at 2026-11-26T08:00:00.000Z.

VALUE                 RESOURCE  IS    UNIT   TIME
key_store_fill_ratio            0.25  ratio  2026-11-26T07:59:55.000Z
kma_link_state        link-1    up           2026-11-26T07:59:55.000Z
";
    assert_eq!(printed, expected, "\n{printed}");
    let error = |line: &str| run_as(&manager, "ops-token", line).0.unwrap_err();
    assert_eq!(error("component request mk/km-1 --name refused"), "rejected: no such name");
    assert!(error("component request mk/km-2").contains("`mk/km-2` is not connected"));
    assert!(run(&manager, "component request mk/km-1").0.unwrap_err().contains("QKDNM_TOKEN"));
}

#[test]
fn a_token_is_never_shown() {
    let token = Token::new("secret".to_owned());
    let api = ApiArgs { api: "http://127.0.0.1:1".into(), token };
    assert!(!format!("{api:?} {:?}", Client::new(&api).unwrap()).contains("secret"));
}

#[test]
fn reports_in_a_table() {
    let manager = manager();
    prints(
        &manager,
        "report list --component mk/km-1 --from-sequence 2 --limit 2",
        "\
POSITION  RECEIVED                  SEQUENCE  OUTCOME   SAID
7.0.2     2026-11-26T08:00:00.000Z  2         accepted  key_store_fill_ratio=0.25 link-1:kma_link_state=up
7.0.3     2026-11-26T08:00:00.000Z  3         refused   rejected: extension[0].values.qber_ratio: expected a number
2 reports; there are more, see --limit and --from-sequence
",
    );
}

#[test]
fn plugins_in_a_table() {
    let manager = manager();
    prints(
        &manager,
        "policy list",
        "\
POLICY  FUNCTION     MODE    PLUGIN             VERSION  SHA-256       CALLS  FAILED  MEAN TIME
qber    performance  shadow  builtin:threshold  0.1.0    abababababab  3      0       500.0 ms
1 policy
",
    );
    prints(
        &manager,
        "handler list",
        "\
HANDLER  REFERENCE POINT  ON FAILURE  THEN  PLUGIN      VERSION  SHA-256       CALLS  FAILED  MEAN TIME
mk       mk               keep-raw    -     builtin:mk  0.1.0    cdcdcdcdcdcd  0      0       -
1 handler
",
    );
}

#[test]
fn the_doctor_tells_the_worst_first_with_what_to_try() {
    let (result, printed) = run(&manager(), "doctor");
    assert_eq!(result, Ok(Exit::Success));
    let first: Vec<&str> = printed.lines().take(2).collect();
    assert_eq!(first[0], "look   components: 1 of 4 never reported: mk/km-2", "{printed}");
    assert!(first[1].starts_with("        try: switched on"), "{printed}");
    assert!(printed.contains("good   manager: manager-east of domain east"), "{printed}");
    let broken = FakeManager::start(FakeBackend { ready: false, ..FakeBackend::default() });
    let (result, printed) = run(&broken, "doctor");
    assert_eq!(result, Ok(Exit::Failure));
    assert!(printed.starts_with("WRONG  manager: "), "{printed}");
    assert!(printed.contains("The journal cannot be written."), "{printed}");
}

#[test]
fn json_is_what_the_api_answers() {
    let manager = manager();
    for (line, key, expected) in [
        ("component list -o json", "/items/0/component", "mq/m-1"),
        ("component show mk/km-1 -o json", "/connections/0/keyExchange", "X25519MLKEM768"),
        ("alarm list -o json", "/items/0/alarmTypeId", "qber-threshold-exceeded"),
        ("alarm show 3 -o json", "/raisedBy", "policy:qber"),
        ("report list --component mk/km-1 -o json", "/items/3/outcome", "refused"),
        ("policy list -o json", "/items/0/plugin", "builtin:threshold"),
        ("handler list -o json", "/items/0/onFailure", "keep-raw"),
        ("plugin top --once -o json", "/items/0/instances/0/instance", "shard-0"),
        ("plugin quarantine -o json", "/items/0/failure", "trap: unreachable"),
    ] {
        let (result, printed) = run(&manager, line);
        assert_eq!(result, Ok(Exit::Success), "{line}");
        let json: serde_json::Value = serde_json::from_str(&printed).unwrap();
        assert_eq!(json.pointer(key).and_then(serde_json::Value::as_str), Some(expected), "{line}: {printed}");
    }
}

#[test]
fn texts_of_components_cannot_steer_the_terminal() {
    let backend = FakeBackend::default();
    let text = "\u{1b}]0;owned\u{7} \u{202e}x\nnext";
    backend.alarms.lock().unwrap().push(crate::api::fake_backend::raised(4, "mk/km-1", Severity::Critical, text));
    let manager = FakeManager::start(backend);
    for line in ["alarm list", "alarm show 4", "alarm list -o json"] {
        let (_, printed) = run(&manager, line);
        assert!(printed.contains("owned"), "{line}");
        assert!(!printed.contains(['\u{1b}', '\u{7}']), "{line}");
    }
    assert!(!run(&manager, "alarm list").1.contains('\u{202e}'));
}

#[test]
fn who_cannot_be_reached_is_named_with_what_to_try() {
    let mut manager = manager();
    manager.stop();
    let error = run(&manager, "alarm list").0.unwrap_err();
    assert!(error.contains(&manager.url) && error.contains("qkdnm run") && error.contains("--api"), "{error}");
    manager.url = "https://127.0.0.1:1".into();
    assert!(run(&manager, "alarm list").0.unwrap_err().contains("SSH tunnel"));
    manager.url = "127.0.0.1:7100".into();
    assert!(run(&manager, "alarm list").0.unwrap_err().starts_with("usage: "));
    manager.url = "http://".into();
    assert!(run(&manager, "alarm list").0.unwrap_err().contains("http://127.0.0.1:7100"));
}

#[test]
fn wrong_words_are_told_what_was_expected() {
    let error =
        |line: &str| Cli::try_parse_from(["qkdnm"].into_iter().chain(line.split_whitespace())).unwrap_err().to_string();
    assert!(error("alarm list --severity bad").contains("expected indeterminate, warning"));
    assert!(error("component show km-1").contains("mk/km-1"));
    assert!(error("alarm list --operator-state open").contains("none, acknowledged or closed"));
    assert!(error("alarms list").contains("alarm"));
    assert!(error("report list").contains("--component"));
    assert!(error("report list --component mk/km-1 --limit 0").contains("1.."));
}

#[test]
fn exporters_on_the_command_line() {
    let manager = manager();
    let (result, printed) = run(&manager, "exporter list");
    assert_eq!(result, Ok(Exit::Success));
    assert!(printed.contains("noc") && printed.contains("retrying") && printed.ends_with("1 exporter\n"), "{printed}");
    let (_, printed) = run(&manager, "exporter show noc");
    for part in ["next attempt:", "status 503", "10.0.0-7", "status 422: no such field"] {
        assert!(printed.contains(part), "{part}: {printed}");
    }
    let (result, printed) = run_as(&manager, "ops-token", "exporter retry noc");
    assert_eq!((result, printed.as_str()), (Ok(Exit::Success), "Parked events that wait again: 1. Trying now.\n"));
    let (result, printed) = run_as(&manager, "ops-token", "exporter test noc");
    assert_eq!(result, Ok(Exit::Failure), "a test that did not arrive is a failure");
    assert!(printed.contains("did not take the test event: cannot connect"), "{printed}");
    assert!(run(&manager, "exporter show nobody").0.unwrap_err().contains("there is no exporter `nobody`"));
}

#[test]
fn a_reload_says_what_would_change_and_what_is_wrong_and_needs_an_admin() {
    let manager = manager();
    let (result, printed) = run_as(&manager, "admin-token", "config reload --dry-run");
    assert_eq!(result, Ok(Exit::Success));
    let start = "The files are in order; a reload would change this:\n  policy qber changed (config)\n";
    assert!(printed.starts_with(start), "{printed}");
    let (result, printed) = run_as(&manager, "admin-token", "config reload");
    assert_eq!(printed, "");
    let text = result.unwrap_err();
    assert!(text.starts_with("nothing was changed: policy qber changed (config)"), "{text}");
    assert!(text.ends_with("\n  m.toml:3: error: no such file"), "{text}");
    let (result, _) = run_as(&manager, "ops-token", "config reload");
    assert!(result.unwrap_err().contains("this needs admin"));
    let (result, printed) = run(&manager, "config status");
    assert_eq!(result, Ok(Exit::Success));
    assert!(printed.starts_with("manager.toml and what belongs to it are in force.\n"), "{printed}");
}

#[test]
fn lists_come_as_yaml_and_csv() {
    let manager = manager();
    let (result, printed) = run(&manager, "component list --reference-point mq -o csv");
    assert_eq!(result, Ok(Exit::Success));
    assert!(printed.starts_with("component,referencePoint,") && printed.contains("\r\nmq/m-1,mq,m-1,"), "{printed}");
    let (_, printed) = run(&manager, "alarm list --function P --since -1h -o yaml");
    assert!(printed.starts_with("items:\n- id: 3\n  component: mq/m-1\n"), "{printed}");
    let (_, printed) = run(&manager, "health -o csv");
    assert!(printed.contains("\r\ncomponents.known,4\r\n"), "{printed}");
    let (_, printed) = run(&manager, "history mk/km-1 qber_ratio -o csv");
    assert_eq!(printed, "time,value,min,max,mean,last,count\r\n");
}

#[test]
fn resources_and_single_plugins_are_shown() {
    let manager = manager();
    prints(
        &manager,
        "resource list --component mk/km-1",
        "\
COMPONENT  RESOURCE  SITE    VALUES  LAST VALUE                ALARMS  WORST ALARM
mk/km-1    link-1    vienna  1       2026-11-26T07:59:55.000Z  0       -
1 resource
",
    );
    let (result, printed) = run(&manager, "resource show mk/km-1 link-1");
    assert_eq!(result, Ok(Exit::Success));
    assert!(printed.contains("Resource:    link-1 of mk/km-1") && printed.contains("kma_link_state"), "{printed}");
    for (command, part) in [
        ("policy show qber", "trapped"),
        ("handler show mk", "onFailure"),
        ("plugin show threshold", "items.0.summary"),
        ("plugin top --once", "1 plugins, since the manager started"),
        ("plugin top --looks 2 --every 0.1 --instances", "shard-0"),
        ("plugin quarantine", "mk/km-1    trap: unreachable  skr_bps = 1"),
        ("interface show mk", "Connections:      2 of at most 10000"),
        ("alarm summary", "critical"),
        ("health", "manager-east of domain east"),
        ("domain compare", "1 comparison"),
        ("domain links", "IT SAYS"),
        ("domain links --wide", "QBER HERE / THERE"),
        ("domain list", "HEARD"),
        ("peer graph", "there may be one that nobody told us of"),
        ("peer show manager-west", "May ask us for:"),
        ("usage total --from -30d", ""),
        ("domain path east west", "Without vienna-brno there is no way that is known."),
        ("domain path east west", "not disclosed"),
        ("domain path east west --json", "\"withoutOtherWay\": ["),
        ("domain alarms", "both say so"),
        ("domain show west", "What it and this domain tell of the same:"),
    ] {
        let (result, printed) = run(&manager, command);
        assert_eq!(result, Ok(Exit::Success), "{command}");
        assert!(printed.contains(part), "{command}: {printed}");
    }
    let (result, _) = run(&manager, "policy show nobody");
    assert!(result.unwrap_err().contains("`qkdnm policy list` lists them"));
    let (result, _) = run(&manager, "audit list");
    let told = result.unwrap_err();
    assert!(told.contains("QKDNM_TOKEN") && told.contains("`qkdnm token new --name me --role operator`"), "{told}");
    let (_, printed) = run_as(&manager, "ops-token", "audit list --kind refused");
    assert!(printed.contains("did 2") && !printed.contains("did 1"), "{printed}");
}

#[test]
fn only_what_reads_can_be_watched() {
    let reads = |line: &str| Cli::try_parse_from(line.split_whitespace()).unwrap().command.only_reads();
    for line in ["qkdnm alarm list", "qkdnm component show mk/km-1", "qkdnm health", "qkdnm audit list", "qkdnm doctor"]
    {
        assert!(reads(line), "{line}");
    }
    for line in
        ["qkdnm alarm ack 1", "qkdnm component request mk/km-1", "qkdnm run --config x", "qkdnm subscription remove s"]
    {
        assert!(!reads(line), "{line}");
    }
}

#[test]
fn components_that_wait_on_the_command_line() {
    let manager = manager();
    let (result, printed) = run(&manager, "component list --waiting");
    result.unwrap();
    assert!(printed.contains("mk/km-9") && printed.ends_with("1 component waiting\n"), "{printed}");
    let (_, printed) = run(&manager, "component list --enrolment approved");
    assert_eq!(printed, "0 components approved\n");
    // It is no component of the manager's yet.
    let (result, printed) = run(&manager, "component show mk/km-9");
    result.unwrap();
    assert!(printed.contains("waiting") && printed.contains("urn:qkdn:mk:km-9"), "{printed}");
    let (result, printed) = run_as(&manager, "admin-token", "component approve mk/km-9 --note new");
    result.unwrap();
    assert!(printed.starts_with("mk/km-9 is approved: certificate sha256:aaaa"), "{printed}");
    let (_, printed) = run_as(&manager, "admin-token", "component reject mk/km-9");
    assert!(printed.starts_with("mk/km-9 is rejected"), "{printed}");
    assert!(run_as(&manager, "ops-token", "component approve mk/km-9").0.is_err());
}

#[test]
fn every_command_has_an_example_in_its_help() {
    use clap::CommandFactory as _;
    fn walk(command: &clap::Command, path: &str, without: &mut Vec<String>) {
        for own in command.get_subcommands().filter(|own| !own.is_hide_set()) {
            let path = format!("{path} {}", own.get_name());
            if own.has_subcommands() {
                walk(own, &path, without);
                continue;
            }
            let help = own.get_after_help().map(ToString::to_string).unwrap_or_default();
            if !help.contains(&path) {
                without.push(path);
            }
        }
    }
    let mut without = Vec::new();
    walk(&Cli::command(), "qkdnm", &mut without);
    assert!(without.is_empty(), "no example: {without:?}");
}

#[test]
fn no_command_has_an_option_of_the_name_of_one_that_all_have() {
    use clap::CommandFactory as _;
    fn walk(command: &clap::Command, global: &[String]) {
        for own in command.get_subcommands() {
            for argument in own.get_arguments() {
                assert!(!global.contains(&argument.get_id().to_string()), "{}: {}", own.get_name(), argument.get_id());
            }
            walk(own, global);
        }
    }
    let command = Cli::command();
    let global = command.get_arguments().filter(|argument| argument.is_global_set());
    let global: Vec<String> = global.map(|argument| argument.get_id().to_string()).collect();
    assert!(global.contains(&"watch".to_owned()), "{global:?}");
    walk(&command, &global);
}

#[test]
fn requests_of_peers_are_listed_shown_and_decided() {
    let manager = manager();
    prints(
        &manager,
        "peer requests",
        "\
ID                DOMAIN   STATE                  WHAT
0123456789abcdef  of west  waiting for us         maintenance of vienna-brno
fedcba9876543210  to west  refused (not-allowed)  emergency-priority of vienna-brno
2 requests
",
    );
    let (_, printed) = run(&manager, "peer requests --wide");
    assert!(printed.contains("WHAT") && printed.contains("MADE"), "{printed}");
    assert!(printed.contains("priority for key relay over vienna-brno until 2026-01-02T02:00:00.000Z"), "{printed}");
    let (_, by_domain) = run(&manager, "peer requests list --peer west");
    assert!(by_domain.contains("2 requests"), "{by_domain}");
    let (_, printed) = run(&manager, "peer requests show fedcba9876543210");
    assert!(printed.contains("Because:") && printed.contains("`requests` in the [[peers]] table"), "{printed}");
    let (done, printed) = run_as(&manager, "ops-token", "peer requests decline 0123456789abcdef --reason conflict");
    assert_eq!(done, Ok(Exit::Success));
    assert!(printed.starts_with("Request 0123456789abcdef of domain west is objected to (conflict): "), "{printed}");
    let line = "peer request incident manager-west --link vienna-brno --severity minor --type link-down --since -1h";
    let (done, printed) = run_as(&manager, "ops-token", line);
    assert_eq!(done, Ok(Exit::Success), "{printed}");
    let line = "peer request incident manager-west --link brno-graz --alarm 2";
    let (done, _) = run_as(&manager, "ops-token", line);
    assert!(done.unwrap_err().contains("is not about `brno-graz`"));
    let line = "peer request incident manager-west --link vienna-brno --alarm 2";
    let (done, printed) = run_as(&manager, "ops-token", line);
    assert_eq!(done, Ok(Exit::Success), "{printed}");
    assert!(printed.starts_with("Asked domain west: hand-over of a "), "{printed}");
    for (line, says) in [
        ("peer request emergency-priority w --link l --until tomorrow --cause exercise", "how far ahead, such as +2h"),
        ("peer requests decline 0 --reason too-many", "expected one of conflict"),
        ("peer request incident w --link l --severity major", "--type"),
        ("peer request incident w --link l --alarm 2 --severity major", "cannot be used with"),
    ] {
        let words = std::iter::once("qkdnm").chain(line.split_whitespace());
        let error = Cli::try_parse_from(words).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}
