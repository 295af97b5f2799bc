//! Exporters that go over to another configuration while batches come: nothing is missed, and what cannot be used changes
//! nothing.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    sync::{Arc, mpsc},
    time::Duration,
};

use serde_json::Value;

use super::{
    Around, Exporters,
    store_tests::{batch, config, raised},
};
use crate::{
    alarm::{AlarmBoard, clear},
    api::ExporterDesk as _,
    clock::Clock,
    config::{
        ExporterConfig,
        exporter::{ExporterKind, SecretSource},
    },
    export::Origin,
    manager::alarms::AlarmDesk,
    model::{Alarm, Timestamp},
    storage::{JournalPosition, feed::Feed},
    telemetry::{audit::Audit, metrics::Metrics},
};

/// A server that answers 204 and hands over what it got.
fn receiver() -> (u16, mpsc::Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, received) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream);
            let mut length = 0;
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                    length = value.trim().parse().unwrap();
                }
                line.clear();
            }
            let mut body = vec![0; length];
            if length == 0 || reader.read_exact(&mut body).is_err() {
                continue;
            }
            let _gone = sender.send(serde_json::from_slice(&body).unwrap());
            let answer = b"HTTP/1.1 204 Taken\r\nconnection: close\r\n\r\n";
            let _closed = reader.get_mut().write_all(answer);
        }
    });
    (port, received)
}

fn to(name: &str, port: u16) -> ExporterConfig {
    let mut config = config(name, ExporterKind::Webhook).as_ref().clone();
    config.url.host = "127.0.0.1".into();
    config.url.port = port;
    config.retry_min = Duration::from_millis(10);
    config.retry_max = Duration::from_millis(100);
    config
}

struct Bench {
    folder: tempfile::TempDir,
    board: Arc<AlarmBoard>,
    feed: Arc<Feed>,
    position: u64,
}

impl Bench {
    fn around(&self) -> Around {
        let metrics = Arc::new(Metrics::default());
        let (audit, _writer) = Audit::open(self.folder.path(), Arc::clone(&metrics)).unwrap();
        Around {
            origin: Arc::new(Origin { manager: "m".into(), domain: "d".into() }),
            data_dir: self.folder.path().to_path_buf(),
            clock: Clock::start(Timestamp(0)),
            board: Arc::clone(&self.board),
            feed: Arc::clone(&self.feed),
            desk: AlarmDesk::new(Vec::new().into()),
            metrics,
            audit,
        }
    }

    /// As a commit does it: the list first, then who follows.
    fn commit(&mut self, alarm: Alarm) {
        self.position += 1 << 16;
        self.board.publish(Arc::new(alarm.clone()));
        self.feed.publish(JournalPosition(self.position), &Arc::new(batch(vec![alarm])));
    }
}

fn next(received: &mpsc::Receiver<Value>) -> (String, String) {
    let event = received.recv_timeout(Duration::from_secs(30)).unwrap();
    (event["alarmid"].as_str().unwrap().to_owned(), event["type"].as_str().unwrap().to_owned())
}

fn told(alarm: &str, kind: &str) -> (String, String) {
    (alarm.to_owned(), format!("qkdnm.alarm.{kind}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn exporters_change_while_alarms_come() {
    let mut bench = Bench {
        folder: tempfile::tempdir().unwrap(),
        board: Arc::default(),
        feed: Arc::new(Feed::at(JournalPosition(1 << 16))),
        position: 1 << 16,
    };
    let ((first_port, first), (second_port, second)) = (receiver(), receiver());
    let exporters = Exporters::start(bench.around(), &[to("one", first_port)], &[]).unwrap();
    bench.commit(raised(1, 10));
    assert_eq!(next(&first), told("1", "raised"));
    let broken = ExporterConfig { secret: Some(SecretSource::Environment("QKDNM_NOT_SET".into())), ..to("one", 1) };
    let error = exporters.restart(&[broken], &[]).await.unwrap_err().to_string();
    assert_eq!(error, "exporter one: secret_env: QKDNM_NOT_SET: the variable is not set, or not UTF-8");
    bench.commit(clear(&raised(1, 10), "", Timestamp(11)).unwrap());
    assert_eq!(next(&first), told("1", "cleared"), "what cannot be used changes nothing");
    bench.commit(raised(2, 20));
    assert_eq!(next(&first), told("2", "raised"));
    exporters.restart(&[to("one", first_port), to("two", second_port)], &[]).await.unwrap();
    assert_eq!(next(&second), told("2", "raised"), "a new target is told what is so");
    bench.commit(raised(3, 30));
    assert_eq!((next(&first), next(&second)), (told("3", "raised"), told("3", "raised")));
    assert_eq!(exporters.list().iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["one", "two"]);
    exporters.restart(&[], &[]).await.unwrap();
    assert!(exporters.list().is_empty());
    assert!(first.try_recv().is_err(), "nothing was told twice");
}
