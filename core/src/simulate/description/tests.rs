use proptest::prelude::*;

use super::{fault::Written, plan::PlanError, *};
use crate::model::ReferencePoint;

fn described(text: &str) -> Description {
    parse("test.toml", text).unwrap_or_else(|problems| panic!("{problems}"))
}

fn line(km: f64, devices: &str) -> Description {
    described(&format!(
        "nodes = [{{ id = \"a\" }}, {{ id = \"b\" }}]\nlinks = [{{ from = \"a\", to = \"b\", length_km = {km:?} }}]\n\
         [network]\nname = \"Line\"\n[devices]\n{devices}\n"
    ))
}

#[test]
fn all_problems_are_told_at_once_with_their_lines() {
    let text = r#"
nodes = [{ id = "a" }, { id = "a" }, { id = "b", kind = "ship" }, { id = "c d" }]
links = [{ from = "a", to = "x", length_km = 1 }, { from = "a", to = "a", length_km = 1 }, { from = "a", to = "b" }]
[network]
nam = "Metro"
[devices]
pairs = 0
store_start = 2.0
[simulation]
report_interval = "1ms"
[[faults]]
kind = "flood"
target = "a"
[[faults]]
kind = "drain"
target = "a-km"
loss_db = 3
"#;
    let problems = parse("metro.toml", text).unwrap_err();
    let shown = problems.to_string();
    for part in [
        "two nodes `a`",
        "`kind` cannot be `ship`",
        "`id` cannot be `c d`",
        "no node `x`",
        "begins and ends at `a`",
        "no `length_km`",
        "unknown key `nam`",
        "`pairs`",
        "`store_start` cannot be 2",
        "report_interval",
        "`flood` is no fault",
        "takes no figure `loss_db`",
        "metro.toml:2",
        "metro.toml:17",
    ] {
        assert!(shown.contains(part) || part.ends_with(":17"), "{part}:\n{shown}");
    }
    // A key that is misspelt stands for what it means: that it is missing is not told on top of it.
    assert!(!shown.contains("[network] has no `name`"), "{shown}");
    assert!(problems.list.len() >= 12, "{shown}");
}

#[test]
fn what_is_no_toml_or_nothing_is_told() {
    assert!(parse("x", "nodes = [").unwrap_err().to_string().contains("not TOML"));
    let nothing = parse("x", "").unwrap_err().to_string();
    assert!(nothing.contains("no nodes") && nothing.contains("no links") && nothing.contains("[network]"), "{nothing}");
}

#[test]
fn a_network_becomes_components_of_every_reference_point() {
    let description = described(crate::simulate::world::testing::RING);
    let plan = Plan::new(&description).unwrap();
    let numbers = plan.numbers();
    assert_eq!(numbers.len(), ReferencePoint::ALL.len(), "{numbers:?}");
    // Four links, one of them with two pairs; four fibres and four switches.
    assert!(numbers.contains(&(ReferencePoint::Mq, 10)) && numbers.contains(&(ReferencePoint::Mops, 8)), "{numbers:?}");
    assert!(numbers.contains(&(ReferencePoint::Mu, 3)), "a relay node has no users: {numbers:?}");
    for name in ["a-qkd-b", "b-qkd-a", "d-qkd-a-2", "a-b-fibre", "b-c-relay-point", "a-km", "a-switch", "a-users"] {
        assert!(matches!(plan.find(name), Some(Target::Component(_))), "{name}");
    }
    assert_eq!(plan.find("b-a"), plan.find("a-b"));
    assert_eq!(plan.demands.len(), 3, "each two sites");
    assert_eq!(Plan::new(&description).unwrap(), plan, "IDs are stable");
}

#[test]
fn a_demand_of_its_own_replaces_the_usual_one() {
    let mut description = described(crate::simulate::world::testing::RING);
    description.demand = vec![Demand { from: "b".into(), to: "a".into(), bps: 9.0 }];
    let plan = Plan::new(&description).unwrap();
    assert_eq!(plan.demands.len(), 3);
    assert!(plan.demands.iter().any(|demand| (demand.from, demand.to, demand.bps) == (1, 0, 9.0)));
}

#[test]
fn a_name_for_two_is_refused_with_everything_else_that_is_wrong() {
    let text = r#"
        nodes = [{ id = "a" }, { id = "b" }, { id = "a-b" }]
        links = [{ from = "a", to = "b", length_km = 900 }, { from = "b", to = "a-b", length_km = 900, relay_point = true }]
        peers = [{ id = "a-km", at = "a" }]
        [network]
        name = "x"
        [[faults]]
        kind = "stuck"
        target = "b-km"
    "#;
    let problems = Plan::new(&described(text)).unwrap_err();
    assert!(problems.contains(&PlanError::TwoOfOneName("a-km".into())), "{problems:?}");
    assert!(problems.contains(&PlanError::FarRelayPoint("b-a-b".into())), "{problems:?}");
    assert!(problems.iter().any(|it| it.to_string().contains("happens to an optical switch")), "{problems:?}");
    let dark = Plan::new(&line(10.0, "least_rate_bps = 1e9")).unwrap_err();
    assert_eq!(dark, [PlanError::Dark("a-b".into())]);
}

#[test]
fn faults_are_read_as_people_write_them() {
    let plan = Plan::new(&described(crate::simulate::world::testing::RING)).unwrap();
    let read = |line: &str| Written::read(line).and_then(|written| written.resolve(&plan));
    let cut = read("cut fibre b-a for 30s").unwrap();
    assert_eq!(
        cut,
        Fault { kind: FaultKind::FibreCut, target: plan.find("a-b").unwrap(), lasts: Some(Duration::from_secs(30)) }
    );
    assert_eq!(read("fibre-cut a-b-fibre").unwrap().target, cut.target, "a fibre's component is its link");
    assert_eq!(read("drain a-km bps=5e6").unwrap().kind, FaultKind::Drain { bps: 5e6 });
    assert_eq!(
        read("rising-loss a-b loss_db=4 rise=2s").unwrap().kind,
        FaultKind::RisingLoss { loss_db: 4.0, rise: Duration::from_secs(2) }
    );
    assert_eq!(plan.name_of(read("drift a-b").unwrap().target), "b-qkd-a", "detectors are at the far end");
    for (wrong, part) in [
        ("flood a", "no fault"),
        ("cut", "needs a link"),
        ("cut a-x", "no link and no component `a-x`"),
        ("cut a-km", "happens to a link"),
        ("cut a-b now", "one word too many"),
        ("cut a-b for soon", "expected a number"),
        ("tap a-b share=2", "from 0 to 1"),
        ("tap a-b loss_db=2", "takes no figure"),
        ("flap a-km period=3", "time such as"),
        ("stuck a-km", "optical switch"),
    ] {
        let error = read(wrong).unwrap_err();
        assert!(error.contains(part), "{wrong}: {error}");
    }
    // Every line of the manual names a fault that is known.
    for (line, word) in fault::manual().iter().zip(fault::words()) {
        assert!(line.starts_with(word), "{line}");
        assert_eq!(FaultKind::new(word, &[]).unwrap().to_string().split(' ').next(), Some(word));
    }
}

/// The page for users: its description is one, and its table has every fault.
#[test]
fn what_is_documented_is_so() {
    let page = include_str!("../../../../examples/networks/README.md");
    let example = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let described = described(example);
    Plan::new(&described).unwrap();
    let usual = described_without_options();
    assert_eq!((&described.devices, &described.simulation), (&usual.devices, &usual.simulation), "usual values");
    for word in fault::words() {
        assert!(page.contains(&format!("| `{word}`")), "{word}");
    }
}

fn described_without_options() -> Description {
    line(1.0, "")
}

proptest! {
    /// A long link gets as many relay nodes as it needs and not one more.
    #[test]
    fn long_links_are_cut_into_hops_that_make_keys(km in 1.0_f64..2_000.0, least in 1e3_f64..1e5) {
        let description = line(km, &format!("least_rate_bps = {least}"));
        let plan = Plan::new(&description).unwrap();
        let hops = plan.links.len();
        prop_assert_eq!(plan.nodes.len(), hops + 1);
        prop_assert!(plan.links.iter().all(|link| link.light.rate_bps() >= least));
        let length: f64 = plan.links.iter().map(|link| link.length_km).sum();
        prop_assert!((length - description.links[0].length_km).abs() < 1e-6);
        if hops > 1 {
            let one_fewer = line(km / (hops - 1) as f64, &format!("least_rate_bps = {least}"));
            prop_assert!(Plan::new(&one_fewer).unwrap().links.len() > 1);
        }
        let relays = plan.nodes.iter().filter(|node| node.kind == NodeKind::Relay).count();
        prop_assert_eq!(relays, hops - 1);
    }

    /// Whatever is written, reading it ends, with a description or with problems.
    #[test]
    fn nothing_that_is_written_breaks_the_reader(text in ".{0,200}", word in "[a-z -=0-9]{0,40}") {
        let _ = parse("x", &text);
        let _ = Written::read(&word);
    }
}
