use super::{prompt::answer, *};
use crate::simulate::world::testing::{RING, world};

#[test]
fn the_prompt_begins_lists_and_ends_faults() {
    let mut world = world(RING, 1);
    let mut ask = |line: &str| answer(&mut world, line, Totals::default());
    assert_eq!(ask("  ").text, "");
    assert_eq!(ask("list").text, "no faults");
    assert_eq!(ask("cut fibre a-b for 30s").text, "fault 1: fibre-cut at a-b; `end 1` ends it");
    assert_eq!(ask("drain a-km bps=5000").text, "fault 2: drain bps=5000 at a-km; `end 2` ends it");
    assert_eq!(ask("restart a-km").text, "restart at a-km");
    assert!(ask("list").text.starts_with("1: fibre-cut at a-b, begun 0 s ago\n2: "));
    assert_eq!(ask("end 1").text, "fault 1 ended");
    assert!(ask("end 1").text.starts_with("error: there is no fault 1"));
    assert_eq!(ask("end all").text, "1 ended");
    assert!(ask("list links a-").text.contains("a-b  20.0 km"));
    assert_eq!(ask("list components relay-point").text, "b-c-relay-point");
    assert!(ask("status").text.contains("0 faults"));
    assert!(ask("cut a-x").text.contains("did you mean"));
    for word in crate::simulate::description::fault::words() {
        assert!(ask("help").text.contains(word));
    }
    assert!(ask("help").text.contains("quit") && ask("quit").quits);
}

#[tokio::test]
async fn other_terminals_ask_and_are_answered_until_it_ends() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (ask, mut asked) = mpsc::channel::<Asked>(4);
    let served = tokio::spawn(control::serve(listener, ask));
    let answering = tokio::spawn(async move {
        for _ in 0..2 {
            let (line, answer) = asked.recv().await.unwrap();
            answer.send(format!("{line}\nis answered")).unwrap();
        }
    });
    for _ in 0..2 {
        assert_eq!(control::tell(address, "list").await.unwrap(), "list\nis answered");
    }
    answering.await.unwrap();
    served.await.unwrap();
    assert!(control::tell(address, "list").await.is_err());
}

#[test]
fn room_for_a_few_connections_is_there() {
    assert_eq!(limits::make_room(10), Ok(()));
    assert!(limits::make_room(usize::MAX / 2).is_err_and(|text| text.contains("ulimit -n")) || cfg!(not(unix)));
}
