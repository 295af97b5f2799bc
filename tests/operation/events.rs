//! The event stream behind the real door: an alarm is told while it is young, a listener that comes back misses nothing, and
//! one that cannot be served everything is told so.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpStream,
};

use harness::{ManagerProcess, PATIENCE, RawClient, Settings, performance, report, response_code};
use serde_json::{Value, json};

const POLICY: &str = "[[policies]]\nname = \"qber\"\nfunction = \"performance\"\nplugin = \"builtin:threshold\"\n\
    config = { value = \"qber_ratio\", raise_above = 0.06, clear_below = 0.05, severity = \"major\", alarm_type = \"qber-threshold-exceeded\" }\n";

/// A listener: events as they come.
struct Listener(BufReader<TcpStream>);

#[derive(Debug)]
struct Event {
    kind: String,
    id: String,
    data: Value,
}

impl Listener {
    fn open(manager: &ManagerProcess, query: &str, last: Option<&str>) -> Self {
        let address = manager.api().root().trim_start_matches("http://").to_owned();
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let last = last.map_or_else(String::new, |id| format!("Last-Event-ID: {id}\r\n"));
        write!(stream, "GET /api/v1/events{query} HTTP/1.1\r\nHost: {address}\r\n{last}\r\n").unwrap();
        let mut reader = BufReader::new(stream);
        let mut status = String::new();
        reader.read_line(&mut status).unwrap();
        assert!(status.contains(" 200 "), "{status}");
        Self(reader)
    }

    /// The next event; chunk sizes, comments and headers are passed over.
    fn next(&mut self) -> Event {
        let mut event = Event { kind: String::new(), id: String::new(), data: Value::Null };
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).expect("an event within the time") > 0, "the stream ended");
            let line = line.trim_end();
            match line.split_once(": ") {
                Some(("event", kind)) => kind.clone_into(&mut event.kind),
                Some(("id", id)) => id.clone_into(&mut event.id),
                Some(("data", data)) => {
                    event.data = serde_json::from_str(data).unwrap();
                    return self.rest(event);
                }
                _ => {}
            }
        }
    }

    /// Fields may come in any order before the empty line.
    fn rest(&mut self, mut event: Event) -> Event {
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            match line.trim_end().split_once(": ") {
                Some(("event", kind)) => kind.clone_into(&mut event.kind),
                Some(("id", id)) => id.clone_into(&mut event.id),
                Some(_) => {}
                None => return event,
            }
        }
    }
}

fn say(client: &mut RawClient, qber: f64) {
    let answer = client.ask(&report("qm-1", performance(json!({ "qber_ratio": qber }))));
    assert_eq!(response_code(&answer), "success");
}

#[test]
fn listeners_see_alarms_and_resume_where_they_were() {
    let mut manager = ManagerProcess::start(Settings::one("mq", &["qm-1"]).with(POLICY));
    manager.expect_warnings();
    let mut module = manager.connect("mq", "qm-1");
    let mut listener = Listener::open(&manager, "?types=alarm", None);
    let ready = listener.next();
    assert_eq!(ready.kind, "ready");
    say(&mut module, 0.07);
    let raised = listener.next();
    assert_eq!((raised.kind.as_str(), &raised.data["severity"]), ("alarm", &json!("major")));
    assert_eq!(raised.data, manager.api().get("/api/v1/alarms/1").json(), "the alarm as the API shows it");
    drop(listener);

    // What happens while it is away is there when it comes back, once.
    say(&mut module, 0.04);
    say(&mut module, 0.08);
    let mut listener = Listener::open(&manager, "?types=alarm", Some(&raised.id));
    let (cleared, again) = (listener.next(), listener.next());
    assert_eq!((&cleared.data["isCleared"], &again.data["isCleared"]), (&json!(true), &json!(false)));
    // Also for one who cannot set a header, and on the command line.
    let mut other = Listener::open(&manager, &format!("?types=alarm&lastEventId={}", cleared.id), None);
    assert_eq!(other.next().id, again.id);
    let told = manager.command(&["event", "follow", "--types", "alarm", "--after", &ready.id, "--count", "3"]);
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    assert_eq!(told.lines().filter(|line| line.contains("qber-threshold-exceeded")).count(), 3, "{told}");
    assert!(told.contains("cleared"), "{told}");

    // Components that report are told in sum.
    let mut components = Listener::open(&manager, "?types=components", None);
    assert_eq!(components.next().kind, "ready");
    say(&mut module, 0.08);
    let told = components.next();
    assert_eq!((told.kind.as_str(), &told.data["components"]), ("components", &json!(["mq/qm-1"])));

    // The log does not outlive the manager: who comes back is told to begin anew, and then sees what comes.
    drop((listener, other, components, module));
    manager.crash_and_restart();
    let mut listener = Listener::open(&manager, "?types=alarm", Some(&raised.id));
    assert_eq!(listener.next().kind, "resync");
    let mut module = manager.connect("mq", "qm-1");
    say(&mut module, 0.04);
    assert_eq!(listener.next().data["isCleared"], true);

    let refused = manager.api().get("/api/v1/events?types=alarms");
    assert_eq!(refused.status, 400);
    assert!(refused.text.contains("there are alarm, components"), "{}", refused.text);
    // A manager that stops ends its listeners, and does not wait for them.
    drop(module);
    manager.stop();
}
