//! The story without a manager, and the demo against one of a few lines.

use super::{story::Told, watch::Seen, *};
use crate::{
    model::{Alarm, AlarmKey, AlarmReport, OperatorState, Severity, Timestamp},
    simulate::{description::FaultKind, running::prompt, world::World},
};

fn alarm(id: u64, component: &str, alarm_type: &str, is_cleared: bool, raise_count: u64) -> Alarm {
    Alarm {
        id,
        key: AlarmKey {
            component: component.into(),
            resource: String::new(),
            alarm_type_id: alarm_type.into(),
            alarm_type_qualifier: String::new(),
        },
        is_cleared,
        report: AlarmReport {
            severity: Severity::Major,
            text: "too high".into(),
            event_type: String::new(),
            probable_cause: String::new(),
            observed: None,
            threshold: None,
            repair_actions: Vec::new(),
            additional_information: Vec::new(),
        },
        raised_by: "policy:qber".into(),
        time_created: Timestamp(0),
        last_raised: Timestamp(0),
        last_changed: Timestamp(0),
        raise_count,
        operator_state: OperatorState::None,
        status_changes: Vec::new(),
        operator_actions: Vec::new(),
    }
}

/// Alarms that the acts of the story call for, and whether each is raised.
fn alarms(is_raised: impl Fn(&str) -> bool) -> Vec<Alarm> {
    let all = [
        ("cut", "mops/antwerp-ghent-fibre", "quantum-channel-loss-high"),
        ("cut", "mops/antwerp-ghent-fibre", "link-down"),
        ("tap", "mq/evere-qkd-brussels", "possible-interception"),
        ("tap", "mq/brussels-qkd-evere", "possible-interception"),
        ("drain", "mk/arlon-km", "key-store-exhaustion-forecast"),
        ("crash", "mk/mons-km", "component-silent"),
        ("crash", "mk/vilvoorde-km", "kma-link-down"),
        ("crash", "mk/charleroi-km", "kma-link-down"),
        ("crash", "mu/mons-users", "service-degraded"),
    ];
    let numbered = all.into_iter().zip(1..);
    numbered.map(|((act, component, kind), id)| alarm(id, component, kind, !is_raised(act), 1)).collect()
}

/// A manager that knows what was done to the network.
fn noticed(world: &World) -> Vec<Alarm> {
    let is_there = |kind: fn(&FaultKind) -> bool| world.active().iter().any(|active| kind(&active.fault.kind));
    alarms(|act| match act {
        "cut" => is_there(|kind| matches!(kind, FaultKind::FibreCut)),
        "tap" => is_there(|kind| matches!(kind, FaultKind::Eavesdropper { .. })),
        "drain" => is_there(|kind| matches!(kind, FaultKind::Drain { .. })),
        _ => is_there(|kind| matches!(kind, FaultKind::Crash)),
    })
}

fn play(length: Option<Duration>, see: impl Fn(&World) -> Vec<Alarm>) -> (Vec<Told>, Duration) {
    let (description, plan) = site::network().unwrap();
    let mut world = World::new(plan, &description, 5, LOOK);
    let mut story = Story::new(length);
    let mut told = Vec::new();
    let mut now = Duration::ZERO;
    while !story.is_over() && now < Duration::from_secs(240) {
        world.step();
        let alarms = see(&world);
        for one in story.advance(now, &alarms, true) {
            if let Told::Happens(_, line) = one {
                let answer = prompt::answer(&mut world, line, Totals::default());
                assert!(!answer.text.starts_with("error: "), "{line}: {answer:?}");
            }
            told.push(one);
        }
        now += LOOK;
    }
    (told, now)
}

#[test]
fn everything_happens_and_is_noticed_within_the_shortest_demo() {
    let (told, took) = play(Some(SHORTEST), noticed);
    let missed = told.iter().any(|told| matches!(told, Told::Missed(_)));
    assert!(!missed, "{told:#?}");
    assert_eq!(told.iter().filter(|told| matches!(told, Told::Noticed(_))).count(), 9);
    assert!(took < SHORTEST, "{took:?}");
}

#[test]
fn a_demo_ends_in_time_whatever_happens() {
    let (told, took) = play(Some(SHORTEST), |_| alarms(|_| true));
    assert!(told.iter().any(|told| matches!(told, Told::Missed(_))));
    assert!(took <= SHORTEST + Duration::from_secs(30), "{took:?}");
}

#[test]
fn a_blind_manager_is_found_out() {
    let (told, _) = play(Some(SHORTEST), |_| Vec::new());
    let missed: Vec<_> = told.iter().filter(|told| matches!(told, Told::Missed(_))).collect();
    assert_eq!(missed.len(), 4, "{told:#?}");
    assert!(
        matches!(missed[0], Told::Missed(text) if text.contains("link-down at mops/antwerp-ghent-fibre")),
        "{missed:?}"
    );
}

#[test]
fn without_a_length_the_story_begins_again() {
    let (told, _) = play(None, noticed);
    assert!(told.iter().filter(|told| matches!(told, Told::Pause(_))).count() > 1);
}

#[test]
fn what_came_and_went_between_two_looks_is_told() {
    let mut seen = Seen::default();
    let change = |changes: Vec<Change>| -> Vec<&str> {
        let name = |change: &Change| match change {
            Change::Raised(_) => "raised",
            Change::Changed(_) => "changed",
            Change::Cleared(_) => "cleared",
        };
        changes.iter().map(name).collect()
    };
    assert_eq!(change(seen.changes(&[alarm(1, "mq/a", "t", false, 1)])), ["raised"]);
    assert_eq!(change(seen.changes(&[alarm(1, "mq/a", "t", false, 1)])), [""; 0]);
    assert_eq!(change(seen.changes(&[alarm(1, "mq/a", "t", true, 1)])), ["cleared"]);
    assert_eq!(change(seen.changes(&[alarm(1, "mq/a", "t", true, 2)])), ["raised", "cleared"]);
    let mut worse = alarm(1, "mq/a", "t", false, 3);
    assert_eq!(change(seen.changes(std::slice::from_ref(&worse))), ["raised"]);
    worse.report.severity = Severity::Critical;
    assert_eq!(change(seen.changes(&[worse])), ["changed"]);
    assert_eq!(change(seen.changes(&[alarm(2, "mq/b", "t", true, 1)])), ["raised", "cleared"]);
}

#[test]
fn a_reason_names_who_judged_and_on_what() {
    let policies: reason::Policies = serde_json::from_value::<Vec<_>>(
        serde_json::json!([{ "name": "qber", "function": "security", "plugin": "p" }]),
    )
    .unwrap()
    .into_iter()
    .collect();
    let mut told = alarm(1, "mq/a", "t", false, 1);
    told.report.observed = Some(0.09);
    told.report.threshold = Some(1_234_567.89);
    told.report.additional_information = (1..9)
        .map(|number| crate::model::alarm::Fact { name: format!("fact {number}"), value: "x".to_owned() })
        .collect();
    assert_eq!(
        policies.reason(&told),
        "policy qber (security, p): observed 0.09, limit 1234568, fact 1 x, fact 2 x",
        "the first of the evidence"
    );
    told.raised_by = "manager".to_owned();
    told.report = AlarmReport { observed: None, threshold: None, additional_information: Vec::new(), ..told.report };
    assert_eq!(policies.reason(&told), "the manager's own observation");
    told.raised_by = "policy:gone".to_owned();
    assert_eq!(policies.reason(&told), "policy gone");
}

#[test]
fn the_folder_has_a_configuration_that_is_accepted_and_goes_away() {
    let site = Site::build(None).unwrap();
    let config = site.load().unwrap();
    assert_eq!(config.interfaces.len(), 7);
    assert_eq!((config.components.len(), config.policies.len()), (site.plan().components.len(), 7));
    let functions: std::collections::HashSet<_> = config.policies.iter().map(|policy| policy.function).collect();
    assert_eq!(functions.len(), 5, "every letter of FCAPS");
    let folder = site.folder().to_path_buf();
    drop(site);
    assert!(!folder.exists());

    let keep = tempfile::tempdir().unwrap();
    let folder = keep.path().join("kept");
    let site = Site::build(Some(&folder)).unwrap();
    assert!(site.stays());
    drop(site);
    assert!(folder.join("pki/manager-simulated.key").exists());
    // Again in the same folder.
    Site::build(Some(&folder)).unwrap().load().unwrap();
}

mod with_a_manager {
    //! The demo against a manager that believes everything: TLS and HTTP are real, its judgement is three lines.

    use std::{
        collections::HashMap,
        sync::{Arc, Mutex},
    };

    use rustls::RootCertStore;
    use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
    use serde_json::{Value, json};
    use tokio::{
        io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
        net::{TcpListener, TcpStream},
    };
    use tokio_rustls::TlsAcceptor;

    use super::*;
    use crate::config::{Config, TlsConfig};

    /// Name of a value that says that a component's connection is gone.
    const GONE: &str = "gone";

    /// Last value of each name of each component itself.
    type Values = Arc<Mutex<HashMap<(String, String), f64>>>;

    struct Credulous {
        ports: HashMap<ReferencePoint, SocketAddr>,
        api: SocketAddr,
    }

    impl DemoManager for Credulous {
        fn listens(&self, point: ReferencePoint) -> Option<SocketAddr> {
            self.ports.get(&point).copied()
        }
        fn api(&self) -> SocketAddr {
            self.api
        }
        fn stop(self: Box<Self>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
            Box::pin(async {})
        }
    }

    async fn start(config: Config, blind: bool) -> Result<Box<dyn DemoManager>, String> {
        let values = Values::default();
        let acceptor = acceptor(&config.tls);
        let mut ports = HashMap::new();
        for interface in &config.interfaces {
            let listener = TcpListener::bind(interface.listen[0]).await.unwrap();
            ports.insert(interface.reference_point, listener.local_addr().unwrap());
            let (acceptor, values) = (acceptor.clone(), Arc::clone(&values));
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(acceptor.clone(), stream, Arc::clone(&values)));
                }
            });
        }
        let answer = move || async move {
            let items = if blind { Vec::new() } else { judge(&values) };
            axum::Json(json!({ "items": items, "next": null }))
        };
        let policy = json!({ "name": "qber", "function": "performance", "plugin": "builtin:threshold" });
        let policies = move || async move { axum::Json(json!({ "items": [policy], "next": null })) };
        let router = axum::Router::new()
            .route("/api/v1/alarms", axum::routing::get(answer))
            .route("/api/v1/policies", axum::routing::get(policies));
        let listener = TcpListener::bind(config.api.listen).await.unwrap();
        let api = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Box::new(Credulous { ports, api }))
    }

    fn judge(values: &Values) -> Vec<Alarm> {
        let values = values.lock().unwrap();
        let value = |component: &str, name: &str| {
            values.get(&(component.to_owned(), name.to_owned())).copied().unwrap_or_default()
        };
        alarms(|act| match act {
            "cut" => value("antwerp-ghent-fibre", "link_loss_db") > 30.0,
            "tap" => value("evere-qkd-brussels", "qber_ratio") > 0.07,
            "drain" => value("arlon-km", "key_output_rate_bps") > 200_000.0,
            _ => value("mons-km", GONE) > 0.0,
        })
    }

    fn acceptor(tls: &TlsConfig) -> TlsAcceptor {
        let mut anchors = RootCertStore::empty();
        anchors.add(CertificateDer::from_pem_file(&tls.trust_anchors[0]).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier =
            rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(anchors), Arc::clone(&provider));
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(
                vec![CertificateDer::from_pem_file(&tls.certificate).unwrap()],
                PrivateKeyDer::from_pem_file(&tls.private_key).unwrap(),
            )
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }

    async fn serve(acceptor: TlsAcceptor, stream: TcpStream, values: Values) {
        let mut lines = BufReader::new(acceptor.accept(stream).await.unwrap());
        let (mut line, mut spoke) = (String::new(), None);
        while lines.read_line(&mut line).await.is_ok_and(|read| read > 0) {
            let report: Value = serde_json::from_str(&line).unwrap();
            line.clear();
            let component = report["componentId"].as_str().unwrap().to_owned();
            values.lock().unwrap().insert((component.clone(), GONE.to_owned()), 0.0);
            spoke = Some(component.clone());
            for object in report["extension"].as_array().unwrap().iter().filter(|it| it["resource"].is_null()) {
                for (name, value) in object["values"].as_object().into_iter().flatten() {
                    if let Some(value) = value.as_f64() {
                        values.lock().unwrap().insert((component.clone(), name.clone()), value);
                    }
                }
            }
            let answer = json!({ "messageType": "statusReportResponse", "messageId": report["messageId"],
                "componentId": component, "response": "success" });
            if lines.write_all(format!("{answer}\n").as_bytes()).await.is_err() {
                break;
            }
        }
        if let Some(component) = spoke {
            values.lock().unwrap().insert((component, GONE.to_owned()), 1.0);
        }
    }

    async fn demo(blind: bool) -> (Outcome, String) {
        let keep = tempfile::tempdir().unwrap();
        let options = DemoOptions { length: Some(SHORTEST), seed: 3, keep: Some(keep.path().to_path_buf()), speed: 5 };
        let mut out = Vec::new();
        let never = std::future::pending();
        let outcome = run(&options, |config| start(config, blind), never, &mut out).await.unwrap();
        (outcome, String::from_utf8(out).unwrap())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_demo_tells_what_happened_and_ends_well() {
        let (outcome, text) = demo(false).await;
        assert!(outcome.is_good(), "{outcome:?}\n{text}");
        assert!(outcome.totals.sent > 1_000, "{outcome:?}");
        assert!(text.contains("  ALARM  mops/antwerp-ghent-fibre, link-down (major): too high\n"), "{text}");
        assert!(text.contains("why  policy qber (performance, builtin:threshold)\n"), "{text}");
        assert!(text.contains("  cleared  mk/arlon-km, key-store-exhaustion-forecast (qber)\n"), "{text}");
        assert!(text.contains("Everything went as it should."), "{text}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_demo_fails_if_nothing_is_noticed() {
        let (outcome, text) = demo(true).await;
        assert!(!outcome.is_good());
        assert_eq!(outcome.missed.len(), 4, "{text}");
        assert!(text.contains("no alarm quantum-channel-loss-high at mops/antwerp-ghent-fibre, link-down"), "{text}");
    }
}
