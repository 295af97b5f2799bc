//! The API over a real loopback socket, as a client sees it.

use std::io::{Read, Write};

use serde_json::{Value, json};

use super::{
    fake_backend::FakeBackend,
    fake_manager::{self, FakeManager},
};
use crate::config::{ApiConfig, ReadWithoutToken, limits};

struct Reply {
    status: u16,
    headers: ureq::http::HeaderMap,
    text: String,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Checks that this is a problem document and gives its detail.
    #[track_caller]
    fn problem(&self, status: u16, kind: &str) -> String {
        let json = self.json();
        assert_eq!(self.status, status, "{json}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(json["type"], format!("urn:qkdn:problem:{kind}"));
        assert_eq!(json["status"], status);
        assert!(json["title"].as_str().is_some_and(|title| !title.is_empty()));
        json["detail"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        assert_eq!(self.header("content-type"), "application/json");
        self.json()
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().new_agent()
}

fn reply(response: ureq::http::Response<ureq::Body>) -> Reply {
    let (parts, mut body) = response.into_parts();
    Reply { status: parts.status.as_u16(), headers: parts.headers, text: body.read_to_string().unwrap() }
}

impl FakeManager {
    fn get(&self, path: &str) -> Reply {
        reply(agent().get(format!("{}{path}", self.url)).call().unwrap())
    }

    fn post(&self, path: &str, token: &str, body: &str) -> Reply {
        let mut request = agent().post(format!("{}{path}", self.url));
        if !token.is_empty() {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        reply(request.send(body).unwrap())
    }

    /// Sends bytes as they are and reads until the server closes.
    fn raw(&self, request: &str) -> String {
        let mut stream = std::net::TcpStream::connect(self.url.trim_start_matches("http://")).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }
}

fn manager() -> FakeManager {
    FakeManager::start(FakeBackend::default())
}

fn ids(list: &Value, key: &str) -> Vec<String> {
    list["items"].as_array().unwrap().iter().map(|item| item[key].to_string().replace('"', "")).collect()
}

#[test]
fn components_are_listed_filtered_and_paged() {
    let manager = manager();
    let all = manager.get("/api/v1/components").ok();
    assert_eq!(ids(&all, "component"), ["mq/m-1", "mk/km-1", "mk/km-2", "mk/site a/ü%"]);
    assert_eq!(all["next"], Value::Null);
    assert_eq!(all["items"][1]["kind"], "key manager");
    assert_eq!(all["items"][1]["lastReport"], "2026-11-26T07:59:55.000Z");
    let some =
        manager.get("/api/v1/components?referencePoint=mk&connected=true&vendor=acme&site=vienna&tag=metro").ok();
    assert_eq!(ids(&some, "component"), ["mk/km-1", "mk/site a/ü%"]);
    let (mut seen, mut query) = (Vec::new(), String::new());
    loop {
        let page = manager.get(&format!("/api/v1/components?limit=1{query}")).ok();
        seen.extend(ids(&page, "component"));
        let Some(next) = page["next"].as_str() else { break };
        query = format!("&cursor={}", next.replace('%', "%25").replace(' ', "%20").replace('ü', "%C3%BC"));
    }
    assert_eq!(seen, ids(&all, "component"));
}

#[test]
fn a_component_is_explained_before_it_is_known() {
    let manager = manager();
    let known = manager.get("/api/v1/components/mk/km-1/explanation").ok();
    assert_eq!((&known["isKnown"], &known["handlers"][0]["why"]), (&json!(true), &json!("the first that matches")));
    assert_eq!(manager.get("/api/v1/components/mk/not-yet/explanation").ok()["isKnown"], false);
    assert_eq!(manager.get("/api/v1/components/mz/km-1/explanation").status, 404);
    assert_eq!(manager.get("/api/v1/components/mk/km%051/explanation").status, 404);
}

#[test]
fn a_component_is_shown_whole_whatever_its_id() {
    let manager = manager();
    let detail = manager.get("/api/v1/components/mk/km-1").ok();
    assert_eq!((&detail["component"], &detail["lastSequence"]), (&"mk/km-1".into(), &41.into()));
    assert_eq!(detail["connections"][0]["keyExchange"], "X25519MLKEM768");
    assert_eq!(detail["values"][0]["unit"], "ratio");
    assert_eq!(detail["values"][1]["value"], "up");
    assert_eq!(manager.get("/api/v1/components/mk/site%20a%2F%C3%BC%25").ok()["id"], "site a/ü%");
    let detail = manager.get("/api/v1/components/mk/km-9").problem(404, "not-found");
    assert!(detail.contains("`mk/km-9`") && detail.contains("/api/v1/components"), "{detail}");
    assert!(manager.get("/api/v1/components/xx/km-1").problem(404, "not-found").contains("mqrp"));
}

#[test]
fn a_status_report_is_requested_and_every_failure_has_its_status() {
    let manager = manager();
    let ask = |component: &str, body: &str| {
        manager.post(&format!("/api/v1/components/{component}/request"), "ops-token", body)
    };
    assert_eq!(ask("mk/km-1", "").ok()["values"][0]["value"], 0.25);
    assert_eq!(
        ask("mk/km-1", r#"{"types":["performance"],"names":[],"resources":["link-1"]}"#).ok()["component"],
        "mk/km-1"
    );
    assert!(ask("mk/km-9", "").problem(404, "not-found").contains("mk/km-9"));
    assert!(ask("mk/km-2", "").problem(409, "not-connected").contains("open connection"));
    assert!(ask("mk/km-1", r#"{"names":["slow"]}"#).problem(504, "no-answer").contains("10 s"));
    assert_eq!(ask("mk/km-1", r#"{"names":["refused"]}"#).problem(502, "refused"), "rejected: no such name");
    let busy = ask("mk/km-1", r#"{"names":["busy"]}"#);
    busy.problem(429, "busy");
    assert_eq!(busy.header("retry-after"), "1");
    assert!(ask("mk/km-1", r#"{"name":["x"]}"#).problem(400, "bad-body").contains("`name`"));
    assert!(ask("mk/km-1", r#"{"names":[""]}"#).problem(400, "bad-body").contains("`names`"));
    let many = serde_json::json!({ "types": vec!["x"; limits::REQUEST_QUERY_ITEMS + 1] }).to_string();
    assert!(ask("mk/km-1", &many).problem(400, "bad-body").contains("`types`"));
}

#[test]
fn alarms_are_listed_newest_first_filtered_and_paged() {
    let manager = manager();
    let list = |query: &str| ids(&manager.get(&format!("/api/v1/alarms{query}")).ok(), "id");
    assert_eq!(list(""), ["3", "2", "1"]);
    assert_eq!(list("?severity=major"), ["3", "2"]);
    assert_eq!(list("?cleared=true"), ["2"]);
    assert_eq!(list("?component=mq%2Fm-1&cleared=false&operatorState=none&type=qber-threshold-exceeded"), ["3"]);
    assert_eq!(list("?resource=link-2"), Vec::<String>::new());
    let page = manager.get("/api/v1/alarms?limit=2").ok();
    assert_eq!((ids(&page, "id"), &page["next"]), (vec!["3".to_owned(), "2".to_owned()], &"2".into()));
    assert_eq!(list("?limit=2&cursor=2"), ["1"]);
    let alarm = manager.get("/api/v1/alarms/2").ok();
    assert_eq!((&alarm["isCleared"], &alarm["alarmTypeId"]), (&true.into(), &"qber-threshold-exceeded".into()));
    assert_eq!(alarm["statusChanges"][0]["severity"], Value::Null);
    assert_eq!(alarm["severity"], "critical");
    for path in ["/api/v1/alarms/9", "/api/v1/alarms/x"] {
        assert!(manager.get(path).problem(404, "not-found").contains("/api/v1/alarms"));
    }
    let summary = manager.get("/api/v1/alarms/summary").ok();
    assert_eq!((&summary[0]["severity"], &summary[0]["clearedNotClosed"]), (&"critical".into(), &1.into()));
}

#[test]
fn operators_act_on_alarms_under_the_name_of_their_token() {
    let manager = manager();
    let act =
        |id: &str, action: &str, body: &str| manager.post(&format!("/api/v1/alarms/{id}/{action}"), "ops-token", body);
    let alarm = act("3", "acknowledge", r#"{"comment":"on my way"}"#).ok();
    assert_eq!(alarm["operatorState"], "acknowledged");
    assert_eq!(alarm["operatorActions"][0]["operator"], "ops");
    assert_eq!(alarm["operatorActions"][0]["text"], "on my way");
    assert!(act("3", "acknowledge", "").problem(409, "nothing-to-change").contains("by ops at 2026"));
    assert_eq!(act("3", "close", "{}").ok()["operatorState"], "closed");
    assert_eq!(act("3", "reopen", "").ok()["operatorState"], "none");
    assert_eq!(manager.get("/api/v1/alarms/3").ok()["operatorActions"].as_array().unwrap().len(), 3);
    assert!(act("9", "close", "").problem(404, "not-found").contains("alarm 9"));
    assert!(act("3", "delete", "").problem(404, "not-found").contains("acknowledge, close or reopen"));
    assert!(act("3", "close", "[").problem(400, "bad-body").contains("line 1"));
    assert!(act("3", "close", r#"{"coment":""}"#).problem(400, "bad-body").contains("`coment`"));
    let long = serde_json::json!({ "comment": "x".repeat(limits::ALARM_TEXT_CHARS + 1) }).to_string();
    act("3", "close", &long).problem(400, "comment-too-long");
    act("3", "close", &" ".repeat(limits::API_BODY_BYTES + 1)).problem(413, "too-large");
}

#[test]
fn writing_needs_a_token_of_enough_role_that_has_not_expired() {
    let manager = manager();
    for path in ["/api/v1/alarms/3/close", "/api/v1/components/mk/km-1/request"] {
        let none = manager.post(path, "", "");
        assert!(none.problem(401, "unauthorized").contains("Authorization: Bearer"));
        assert_eq!(none.header("www-authenticate"), "Bearer realm=\"qkdnm\"");
        let wrong = manager.post(path, "nobody-token", "");
        assert!(wrong.problem(401, "unauthorized").contains("not one of"));
        assert!(wrong.header("www-authenticate").contains("invalid_token"));
        assert!(manager.post(path, "gone-token", "").problem(401, "unauthorized").contains("expired at 2026-11-26"));
        let reader = manager.post(path, "reader-token", "");
        assert!(reader.problem(403, "forbidden").contains("viewer"));
        assert!(reader.header("www-authenticate").contains("insufficient_scope"));
        // Who may not write learns nothing of what is there.
        assert_eq!(manager.post(&path.replace("km-1", "km-9").replace('3', "9"), "", "").status, 401);
    }
    assert_eq!(manager.get("/api/v1/alarms/3").ok()["operatorState"], "none");
    let config = ApiConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        tokens: Vec::new(),
        read_without_token: ReadWithoutToken::Loopback,
    };
    let closed = FakeManager::start_with(config, FakeBackend::default());
    assert!(
        closed.post("/api/v1/alarms/3/close", "ops-token", "").problem(401, "unauthorized").contains("it has none")
    );
}

#[test]
fn reports_are_read_from_a_number_on_and_paged() {
    let manager = manager();
    let page = manager.get("/api/v1/reports?component=mk%2Fkm-1&fromSequence=2&limit=2").ok();
    assert_eq!(ids(&page, "position"), ["7.0.2", "7.0.3"]);
    assert_eq!(page["items"][1]["refusal"], "rejected: extension[0].values.qber_ratio: expected a number");
    let rest = manager.get("/api/v1/reports?component=mk%2Fkm-1&fromSequence=2&cursor=7.0.3").ok();
    assert_eq!((ids(&rest, "sequence"), &rest["next"]), (vec!["4".to_owned()], &Value::Null));
    assert!(manager.get("/api/v1/reports").problem(400, "bad-parameter").contains("component"));
    assert!(manager.get("/api/v1/reports?component=km-1").problem(400, "bad-parameter").contains("mk/km-1"));
    assert!(manager.get("/api/v1/reports?component=mk/km-1&cursor=x").problem(400, "bad-parameter").contains("12.0.3"));
    manager.get("/api/v1/reports?component=mk/km-9").problem(404, "not-found");
}

#[test]
fn plugins_and_the_manager_itself_are_shown() {
    let manager = manager();
    let plugin = &manager.get("/api/v1/plugins").ok()["items"][0];
    assert_eq!((&plugin["role"], &plugin["usedBy"]), (&json!("policy"), &json!(["qber"])));
    let interface = &manager.get("/api/v1/interfaces").ok()["items"][0];
    assert_eq!((&interface["referencePoint"], &interface["listen"]), (&json!("mk"), &json!(["127.0.0.1:7104"])));
    let policy = &manager.get("/api/v1/policies").ok()["items"][0];
    assert_eq!((&policy["function"], &policy["mode"]), (&"performance".into(), &"shadow".into()));
    let handler = &manager.get("/api/v1/handlers").ok()["items"][0];
    assert_eq!((&handler["referencePoint"], &handler["onFailure"]), (&"mk".into(), &"keep-raw".into()));
    let health = manager.get("/api/v1/health").ok();
    assert_eq!((&health["manager"], &health["uptimeSeconds"]), (&"manager-east".into(), &3_600.into()));
    assert_eq!(manager.get("/livez").text, "alive\n");
    assert_eq!(manager.get("/readyz").text, "ready\n");
    let broken = FakeManager::start(FakeBackend { ready: false, ..FakeBackend::default() });
    assert_eq!(broken.get("/livez").status, 200);
    assert_eq!(broken.get("/api/v1/health").ok()["ready"], false);
    let unready = broken.get("/readyz");
    assert_eq!(unready.problem(503, "not-ready"), "The journal cannot be written.");
    assert_eq!(unready.json()["reasons"][0], "The journal cannot be written.");
}

#[test]
fn what_is_not_understood_is_named() {
    let manager = manager();
    assert!(manager.get("/api/v1/alarms?sevrity=major").problem(400, "bad-parameter").contains("`sevrity`"));
    assert!(manager.get("/api/v1/alarms?severity=bad").problem(400, "bad-parameter").contains("`bad`"));
    assert!(
        manager.get("/api/v1/alarms?severity=major&severity=minor").problem(400, "bad-parameter").contains("duplicate")
    );
    assert!(manager.get("/api/v1/health?x=1").problem(400, "bad-parameter").contains("`x`"));
    for limit in ["0", "1001", "-1", "x", ""] {
        let detail = manager.get(&format!("/api/v1/alarms?limit={limit}")).problem(400, "bad-parameter");
        assert!(detail.contains("limit"), "{detail}");
    }
    assert!(manager.get("/api/v1/alarm").problem(404, "not-found").contains("/api/v1/alarms"));
    assert!(manager.get("/api").problem(404, "not-found").contains("/api/v1/components"));
    let delete = reply(agent().delete(format!("{}/api/v1/alarms/3", manager.url)).call().unwrap());
    delete.problem(405, "method-not-allowed");
    assert!(delete.header("allow").contains("GET"));
    let long = format!("/api/v1/alarms?resource={}", "x".repeat(limits::API_HEADER_BYTES));
    manager.get(&long).problem(431, "too-large");
}

#[test]
fn a_loopback_listener_answers_for_this_machine_only() {
    let manager = manager();
    let ask =
        |target: &str, host: &str| manager.raw(&format!("GET {target} HTTP/1.1\r\n{host}Connection: close\r\n\r\n"));
    for host in ["Host: localhost:9\r\n", "Host: 127.0.0.1\r\n", "Host: [::1]:7100\r\n"] {
        assert!(ask("/livez", host).starts_with("HTTP/1.1 200 "), "{host}");
    }
    for host in ["Host: evil.example:7100\r\n", "Host: \r\n", ""] {
        let answer = ask("/api/v1/alarms", host);
        assert!(answer.starts_with("HTTP/1.1 421 ") && answer.contains("loopback"), "{host}: {answer}");
        assert!(!answer.contains("QBER"));
    }
    assert!(ask("http://evil.example/livez", "Host: localhost\r\n").starts_with("HTTP/1.1 421 "));
    assert!(ask("http://localhost/livez", "Host: localhost\r\n").starts_with("HTTP/1.1 200 "));
}

#[test]
fn answers_are_not_for_caches_and_other_origins() {
    let reply = manager().get("/api/v1/alarms");
    assert_eq!((reply.header("cache-control"), reply.header("x-content-type-options")), ("no-store", "nosniff"));
    assert_eq!(reply.header("access-control-allow-origin"), "");
}

#[test]
fn the_server_stops_though_a_client_stays_connected() {
    let mut manager = manager();
    let mut idle = std::net::TcpStream::connect(manager.url.trim_start_matches("http://")).unwrap();
    idle.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut first = [0; 12];
    idle.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    manager.stop();
    assert!(std::net::TcpStream::connect(manager.url.trim_start_matches("http://")).is_err());
}

#[test]
fn a_second_server_on_the_address_is_told_so() {
    let manager = manager();
    let listen = manager.url.trim_start_matches("http://").parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = runtime
        .block_on(super::ApiServer::bind(&ApiConfig {
            listen,
            tokens: Vec::new(),
            read_without_token: ReadWithoutToken::Loopback,
        }))
        .unwrap_err();
    assert!(error.to_string().contains("another manager running"), "{error}");
}

#[test]
fn lists_are_csv_for_whoever_asks_for_it_and_say_where_they_go_on() {
    let manager = manager();
    let list = manager.get("/api/v1/components?format=csv&limit=1&tag=metro");
    assert_eq!((list.status, list.header("content-type")), (200, "text/csv; charset=utf-8; header=present"));
    assert!(list.text.starts_with("component,referencePoint,id,"), "{}", list.text);
    assert_eq!(list.header("link"), "</api/v1/components?format=csv&limit=1&tag=metro&cursor=mq%2Fm-1>; rel=\"next\"");
    let accept = agent().get(format!("{}/api/v1/alarms", manager.url)).header("Accept", "text/csv").call().unwrap();
    assert_eq!(reply_of_csv(accept), ["id", "3", "2", "1"]);
    let json = agent().get(format!("{}/api/v1/alarms?format=json", manager.url)).header("Accept", "text/csv");
    assert_eq!(ids(&reply(json.call().unwrap()).ok(), "id"), ["3", "2", "1"]);
    assert!(manager.get("/api/v1/alarms?format=xml").problem(400, "bad-parameter").contains("csv"));
}

/// The first column of a table.
fn reply_of_csv(response: ureq::http::Response<ureq::Body>) -> Vec<String> {
    let text = reply(response).text;
    text.lines().filter_map(|line| line.split(',').next()).map(str::to_owned).collect()
}

#[test]
fn single_things_resources_and_the_audit_trail_are_shown() {
    let manager = manager();
    assert_eq!(manager.get("/api/v1/policies/qber").ok()["config"]["value"], "qber_ratio");
    assert_eq!(manager.get("/api/v1/policies/qber").ok()["lastFailure"]["text"], "trapped");
    assert_eq!(manager.get("/api/v1/handlers/mk").ok()["referencePoint"], "mk");
    assert_eq!(manager.get("/api/v1/plugins/threshold").ok()["items"][0]["role"], "policy");
    assert_eq!(manager.get("/api/v1/interfaces/mk").ok()["maxConnections"], 10_000);
    for path in ["policies/x", "handlers/x", "plugins/x", "interfaces/mq", "interfaces/x", "resources/mk/km-1/x"] {
        let detail = manager.get(&format!("/api/v1/{path}")).problem(404, "not-found");
        assert!(detail.contains("GET /api/v1/"), "{detail}");
    }
    let parts = manager.get("/api/v1/resources?limit=2").ok();
    assert_eq!(ids(&parts, "component"), ["mq/m-1", "mk/km-1"]);
    let rest = manager.get(&format!("/api/v1/resources?cursor={}", parts["next"].as_str().unwrap())).ok();
    assert_eq!(ids(&rest, "component"), ["mk/site a/ü%"]);
    assert_eq!(manager.get("/api/v1/resources/mk/km-1/link-1").ok()["lastValues"][0]["value"], "up");
    assert!(manager.get("/api/v1/catalogue").ok()["alarms"].as_array().is_some_and(|alarms| !alarms.is_empty()));

    manager.get("/api/v1/audit").problem(401, "unauthorized");
    let audit = |token: &str, query: &str| {
        let request = agent().get(format!("{}/api/v1/audit{query}", manager.url));
        reply(request.header("Authorization", format!("Bearer {token}")).call().unwrap())
    };
    audit("reader-token", "").problem(403, "forbidden");
    assert_eq!(ids(&audit("ops-token", "").ok(), "number"), ["3", "2", "1"]);
    assert_eq!(ids(&audit("ops-token", "?kind=refused&from=-1h").ok(), "number"), ["2"]);
    assert_eq!(audit("ops-token", "?limit=1").ok()["next"], "3");
    for cursor in ["x", "-1", "9223372036854775808"] {
        audit("ops-token", &format!("?cursor={cursor}")).problem(400, "bad-parameter");
    }
}

#[test]
fn alarms_are_found_by_function_and_time() {
    let manager = manager();
    let list = |query: &str| ids(&manager.get(&format!("/api/v1/alarms{query}")).ok(), "id");
    assert_eq!(list("?function=P"), ["3", "2", "1"]);
    assert_eq!(list("?function=security"), Vec::<String>::new());
    assert_eq!(list("?since=-45s"), ["2"], "cleared half a minute ago");
    assert_eq!(list("?referencePoint=mk"), ["1"]);
    assert!(manager.get("/api/v1/alarms?function=X").problem(400, "bad-parameter").contains("performance"));
    assert!(manager.get("/api/v1/alarms?since=soon").problem(400, "bad-parameter").contains("-6h"));
}

#[test]
fn several_histories_come_at_once() {
    let manager = manager();
    let several = |query: &str| manager.get(&format!("/api/v1/components/mk/km-1/histories?{query}"));
    assert_eq!(ids(&several("name=a&name=none&name=b&from=-2h&step=1m").ok(), "name"), ["a", "b"]);
    for (query, part) in
        [("", "`name`"), ("name=a&nam=b", "`nam`"), ("name=a&step=1m&step=2m", "twice"), ("name=a&from=x", "`from`")]
    {
        assert!(several(query).problem(400, "bad-parameter").contains(part), "{query}");
    }
    several(&["name=a"; 17].join("&")).problem(400, "bad-parameter");
    manager.get("/api/v1/components/mk/km-9/histories?name=a").problem(404, "not-found");
}

#[test]
fn reading_needs_a_token_where_the_configuration_or_the_address_says_so() {
    let config = |listen: &str, read_without_token| ApiConfig {
        listen: listen.parse().unwrap(),
        tokens: fake_manager::tokens(),
        read_without_token,
    };
    let closed = FakeManager::start_with(config("127.0.0.1:0", ReadWithoutToken::Never), FakeBackend::default());
    for path in ["/api/v1/components", "/api/v1/health", "/metrics"] {
        closed.get(path).problem(401, "unauthorized");
        let with = agent().get(format!("{}{path}", closed.url)).header("Authorization", "Bearer reader-token");
        assert_eq!(with.call().unwrap().status(), 200, "{path}");
        let gone = agent().get(format!("{}{path}", closed.url)).header("Authorization", "Bearer gone-token");
        assert_eq!(gone.call().unwrap().status(), 401, "{path}");
    }
    for path in ["/livez", "/readyz", "/ui/", "/api/v1/openapi.json"] {
        assert_eq!(closed.get(path).status, 200, "{path}");
    }
    let elsewhere = |reading| FakeManager::start_with(config("0.0.0.0:0", reading), FakeBackend::default());
    let path = "/api/v1/components";
    assert_eq!(elsewhere(ReadWithoutToken::Loopback).get(path).status, 401, "an address that others can reach");
    let open = elsewhere(ReadWithoutToken::Always);
    assert_eq!(open.get(path).status, 200);
    // A token that is wrong is no token: whoever sends one wants to know.
    for (path, status) in [(path, 401), ("/livez", 200)] {
        let wrong = agent().get(format!("{}{path}", open.url)).header("Authorization", "Bearer guessed");
        assert_eq!(wrong.call().unwrap().status(), status, "{path}");
    }
}

/// The text format's rules: a family once, its help and type before its samples, no sample twice, counters in `_total`.
#[test]
fn metrics_are_well_formed() {
    let reply = manager().get("/metrics?collect=all");
    assert_eq!(reply.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let (mut families, mut samples) = (std::collections::BTreeMap::new(), std::collections::BTreeSet::new());
    let mut help = "";
    for line in reply.text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ').unwrap().0;
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(name, help);
            assert_eq!(name.ends_with("_total"), kind == "counter", "{name}");
            assert!(families.insert(name, kind).is_none(), "{name} occurs twice");
        } else {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            assert!(value.parse::<f64>().is_ok_and(f64::is_finite), "{line}");
            let name = sample.split('{').next().unwrap();
            let parts = ["_bucket", "_sum", "_count"].iter().filter(|_| families.get(help) == Some(&"histogram"));
            let family = parts.filter_map(|part| name.strip_suffix(part)).next().unwrap_or(name);
            assert_eq!(family, help, "{line}");
            assert!(samples.insert(sample), "{sample} occurs twice");
        }
    }
    for line in [
        r#"qkdn_wire_reports_accepted_total{reference_point="mk"} 42"#,
        r#"qkdn_wire_messages_refused_total{reference_point="mk",code="rejected"} 1"#,
        r#"qkdn_net_handshakes_refused_total{cause="expired"} 1"#,
        r#"qkdn_plugin_calls_made_total{plugin="say \"qber\"\\\n"} 3"#,
        r#"qkdn_plugin_call_seconds_total{plugin="say \"qber\"\\\n"} 1.5"#,
        r#"qkdn_plugin_failures_seen_total{plugin="say \"qber\"\\\n",kind="trap"} 1"#,
        r#"qkdn_plugin_call_duration_seconds_bucket{plugin="say \"qber\"\\\n",le="0.064"} 0"#,
        r#"qkdn_plugin_call_duration_seconds_bucket{plugin="say \"qber\"\\\n",le="+Inf"} 3"#,
        r#"qkdn_plugin_call_duration_seconds_count{plugin="say \"qber\"\\\n"} 3"#,
        r#"qkdn_state_components_connected{reference_point="mk"} 2.0"#,
        r#"qkdn_network_value_least{reference_point="mk",value="key_store_fill_ratio",unit="ratio"} 0.1"#,
        "qkdn_manager_ready 1.0",
    ] {
        assert!(reply.text.lines().any(|found| found == line), "{line} is missing in\n{}", reply.text);
    }
}

#[test]
fn exporters_are_listed_shown_tried_and_made_to_try_again() {
    let manager = FakeManager::start(FakeBackend::default());
    let list = manager.get("/api/v1/exporters").ok();
    assert_eq!((&list["items"][0]["name"], &list["items"][0]["state"]), (&json!("noc"), &json!("retrying")));
    let one = manager.get("/api/v1/exporters/noc").ok();
    assert_eq!((&one["pending"], &one["parkedEvents"][0]["alarm"]), (&json!(4), &json!(7)));
    assert!(manager.get("/api/v1/exporters/nobody").problem(404, "not-found").contains("GET /api/v1/exporters"));
    for action in ["retry", "test"] {
        let path = format!("/api/v1/exporters/noc/{action}");
        manager.post(&path, "guessed", "").problem(401, "unauthorized");
        assert_eq!(manager.post(&path, "ops-token", "").status, 200);
        manager.post(&format!("/api/v1/exporters/nobody/{action}"), "ops-token", "").problem(404, "not-found");
    }
}

#[test]
fn who_waits_is_listed_and_decided_about_by_administrators() {
    let manager = FakeManager::start(FakeBackend::default());
    let list = manager.get("/api/v1/enrolments?state=waiting").ok();
    assert_eq!(list["items"][0]["component"], "mk/km-9");
    assert_eq!(manager.get("/api/v1/enrolments?component=mk/km-1").ok()["items"], serde_json::json!([]));
    let path = "/api/v1/components/mk/km-9/approve";
    manager.post(path, "ops-token", "").problem(403, "forbidden");
    let done = manager.post(path, "admin-token", "{\"note\": \"new\"}").ok();
    assert_eq!((done["state"].as_str(), done["decidedBy"].as_str()), (Some("approved"), Some("admin")));
    let marked = format!("{{\"fingerprint\": \"sha256:{}\"}}", "AA:".repeat(31) + "AA");
    assert_eq!(manager.post("/api/v1/components/mk/km-9/reject", "admin-token", &marked).ok()["state"], "rejected");
    manager.post(path, "admin-token", "{\"fingerprint\": \"aa\"}").problem(400, "bad-body");
    let other = format!("{{\"fingerprint\": \"{}\"}}", "0".repeat(64));
    manager.post(path, "admin-token", &other).problem(409, "not-decided");
    manager.post("/api/v1/components/mk/km-1/approve", "admin-token", "").problem(404, "not-found");
}

#[test]
fn requests_of_peers_are_listed_and_decided_and_peers_asked_by_operators() {
    let manager = FakeManager::start(FakeBackend::default());
    assert_eq!(manager.get("/api/v1/peer-requests").ok()["items"].as_array().unwrap().len(), 2);
    let waiting = manager.get("/api/v1/peer-requests?state=pending&direction=received&peer=manager-west").ok();
    assert_eq!(waiting["items"][0]["links"], serde_json::json!(["vienna-brno"]));
    assert_eq!(manager.get("/api/v1/peer-requests?peer=nobody").ok()["items"], serde_json::json!([]));
    let path = "/api/v1/peer-requests/0123456789abcdef";
    assert_eq!(manager.get(path).ok()["effect"], "interrupted");
    manager.post(&format!("{path}/accept"), "guessed", "").problem(401, "unauthorized");
    let done = manager.post(&format!("{path}/accept"), "ops-token", "").ok();
    assert_eq!((&done["state"], &done["by"]), (&"accepted".into(), &"ops".into()));
    assert_eq!(manager.post(&format!("{path}/decline"), "ops-token", "").ok()["reason"], "unspecified");
    let told =
        manager.post(&format!("{path}/decline"), "ops-token", "{\"reason\":\"too-many\"}").problem(409, "not-possible");
    assert!(told.contains("not an operator's"), "{told}");
    manager.post("/api/v1/peer-requests/fedcba9876543210/accept", "ops-token", "").problem(409, "not-possible");
    manager.post("/api/v1/peer-requests/0/accept", "ops-token", "").problem(404, "not-found");
    let path = "/api/v1/peers/manager-west/requests";
    let asked = manager.post(
        path,
        "ops-token",
        r#"{"kind":"incidentHandOver","links":["l"],"severity":"major","alarmType":"rack-7","since":"2026-01-01T00:00:00.7Z"}"#,
    );
    let asked = asked.ok();
    assert_eq!(
        (&asked["alarmType"], &asked["since"]),
        (&"other".into(), &"2026-01-01T00:00:00.000Z".into()),
        "{asked}"
    );
    for (body, says, status, kind) in [
        (r#"{"kind":"coffee","links":["l"]}"#, "unknown variant `coffee`", 400, "bad-body"),
        (
            r#"{"kind":"maintenance","links":["l"],"until":"2026-01-01T00:00:00Z","effect":"none"}"#,
            "needs `from`",
            409,
            "not-possible",
        ),
        (
            r#"{"kind":"emergencyPriority","links":["a","b"],"until":"2026-01-01T00:00:00Z","cause":"exercise"}"#,
            "names one link",
            409,
            "not-possible",
        ),
        (
            r#"{"kind":"emergencyPriority","links":["a"],"effect":"none"}"#,
            "`effect` does not belong",
            409,
            "not-possible",
        ),
        (r#"{"kind":"emergencyPriority","links":["a"],"note":"call Jane"}"#, "unknown field `note`", 400, "bad-body"),
    ] {
        let told = manager.post(path, "ops-token", body).problem(status, kind);
        assert!(told.contains(says), "{told}");
    }
    manager
        .post(
            "/api/v1/peers/nobody/requests",
            "ops-token",
            r#"{"kind":"emergencyPriority","links":["a"],"until":"2026-01-01T00:00:00Z","cause":"exercise"}"#,
        )
        .problem(404, "not-found");
}

#[test]
fn peers_and_domains_are_listed_shown_and_previewed() {
    let manager = FakeManager::start(FakeBackend::default());
    assert_eq!(manager.get("/api/v1/peers").ok()["items"][0]["freshness"], "fresh");
    assert_eq!(manager.get("/api/v1/peers/manager-west").ok()["domain"], "west");
    assert_eq!(manager.get("/api/v1/peers/manager-west/preview").ok()["own"][0]["sections"][0]["name"], "health");
    assert_eq!(manager.get("/api/v1/peers/manager-west/disclosures").ok()["items"].as_array().unwrap().len(), 2);
    assert_eq!(manager.get("/api/v1/domains").ok()["items"][1]["domain"], "west");
    assert_eq!(manager.get("/api/v1/domains/east").ok()["own"], true);
    for path in ["peers/nobody", "peers/nobody/preview", "peers/nobody/disclosures"] {
        let told = manager.get(&format!("/api/v1/{path}")).problem(404, "not-found");
        assert!(told.contains("GET /api/v1/peers"), "{told}");
    }
    assert_eq!(manager.get("/api/v1/domain-links").ok()["items"][0]["state"], "up");
    let graph = manager.get("/api/v1/domain-graph").ok();
    assert_eq!((&graph["bottlenecks"][0]["domain"], &graph["unreached"][0]), (&"west".into(), &"north".into()));
    manager.get("/api/v1/domains/nowhere").problem(404, "not-found");
}

#[test]
fn views_over_several_domains_are_shown() {
    let manager = FakeManager::start(FakeBackend::default());
    assert_eq!(manager.get("/api/v1/domain-comparisons").ok()["items"][0]["kind"], "key-relation");
    assert_eq!(manager.get("/api/v1/domain-alarms").ok()["items"][0]["sides"], "both");
    let path = manager.get("/api/v1/domain-path?from=east&to=west").ok();
    assert_eq!((&path["hops"][0]["link"], &path["hops"][0]["ends"][1]["state"]), (&"vienna-brno".into(), &Value::Null));
    let told = manager.get("/api/v1/domain-path?from=east&to=wets").problem(404, "not-found");
    assert!(told.contains("did you mean `west`?"), "{told}");
    manager.get("/api/v1/domain-path?from=east&to=east").problem(404, "not-found");
    manager.get("/api/v1/domain-path?from=east").problem(400, "bad-parameter");
}
