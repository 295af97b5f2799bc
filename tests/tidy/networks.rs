//! The networks in `examples/networks`: each is read, hangs together, has the lengths that its header promises, and makes keys.

use std::{collections::BTreeMap, fs};

use harness::binary::repository;
use qkdn_manager::simulate::description::{self, Description, Node, NodeKind, Plan};

/// The files, with the number of nodes that their names end with.
fn networks() -> Vec<(String, usize, Description)> {
    let mut found: Vec<_> = fs::read_dir(repository().join("examples/networks"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| {
            let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let nodes = stem.rsplit('-').next().unwrap().parse().unwrap();
            let file = description::parse(&stem, &fs::read_to_string(&path).unwrap());
            (stem, nodes, file.unwrap_or_else(|problems| panic!("{problems}")))
        })
        .collect();
    found.sort_by_key(|(_, nodes, _)| *nodes);
    assert_eq!(found.iter().map(|(_, nodes, _)| *nodes).collect::<Vec<_>>(), [5, 20, 100]);
    found
}

fn node<'a>(file: &'a Description, id: &str) -> &'a Node {
    file.nodes.iter().find(|node| node.id == id).unwrap_or_else(|| panic!("{}: no node {id}", file.network.name))
}

/// Nodes that are reached from the first one without the link `left_out`.
fn reached(file: &Description, left_out: Option<usize>) -> usize {
    let mut component: BTreeMap<&str, usize> =
        file.nodes.iter().enumerate().map(|(number, node)| (node.id.as_str(), number)).collect();
    for (_, link) in file.links.iter().enumerate().filter(|(number, _)| Some(*number) != left_out) {
        let (keep, lose) = (component[link.from.as_str()], component[link.to.as_str()]);
        component.values_mut().filter(|number| **number == lose).for_each(|number| *number = keep);
    }
    let first = component[file.nodes[0].id.as_str()];
    component.values().filter(|number| **number == first).count()
}

/// Length of the great circle, by the haversine formula.
fn great_circle_km(one: &Node, other: &Node) -> f64 {
    const EARTH_RADIUS_KM: f64 = 6371.0;
    let ((latitude, longitude), (to_latitude, to_longitude)) = (one.position.unwrap(), other.position.unwrap());
    let half_sine = |degrees: f64| (degrees.to_radians() / 2.0).sin().powi(2);
    let across = half_sine(to_latitude - latitude)
        + latitude.to_radians().cos() * to_latitude.to_radians().cos() * half_sine(to_longitude - longitude);
    2.0 * EARTH_RADIUS_KM * across.sqrt().asin()
}

#[test]
fn each_network_has_its_nodes_and_hangs_together() {
    for (stem, nodes, file) in networks() {
        assert_eq!(file.nodes.len(), nodes, "{stem}");
        assert!(file.nodes.iter().all(|node| !node.name.is_empty() && !file.network.name.is_empty()), "{stem}");
        let ids: BTreeMap<&str, &Node> = file.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
        assert_eq!(ids.len(), nodes, "{stem}: identifiers are told apart");
        let mut pairs: Vec<_> = file.links.iter().map(|link| [&link.from, &link.to]).collect();
        pairs.iter_mut().for_each(|pair| pair.sort());
        pairs.sort();
        assert!(
            pairs.iter().all(|[one, other]| one != other) && pairs.windows(2).all(|two| two[0] != two[1]),
            "{stem}"
        );
        assert_eq!(reached(&file, None), nodes, "{stem}: connected");
        for relay in file.nodes.iter().filter(|node| node.kind == NodeKind::Relay) {
            let links = file.links.iter().filter(|link| [&link.from, &link.to].contains(&&relay.id)).count();
            assert_eq!(links, 2, "{stem}: {} is on the way from one site to another", relay.id);
        }
    }
}

/// The one on which the demonstration cuts a fibre has a way round each of its links.
#[test]
fn no_link_of_the_network_of_twenty_is_the_only_way() {
    let (_, _, file) = networks().remove(1);
    for number in 0..file.links.len() {
        assert_eq!(reached(&file, Some(number)), 20, "{} - {}", file.links[number].from, file.links[number].to);
    }
}

#[test]
fn lengths_are_those_that_the_header_promises() {
    for (stem, _, file) in networks() {
        for link in &file.links {
            let straight = great_circle_km(node(&file, &link.from), node(&file, &link.to));
            let place = format!("{stem}: {} - {}", link.from, link.to);
            assert!(link.length_km > straight, "{place}: a fibre is longer than {straight} km");
            match file.network.route_factor {
                // Coordinates and lengths are rounded.
                Some(factor) => assert!((link.length_km - factor * straight).abs() < 0.3, "{place}: {straight} km"),
                None => assert!(link.length_km < straight * 3.0, "{place}: {straight} km"),
            }
            assert!(file.network.longest_hop_km.is_none_or(|longest| link.length_km <= longest), "{place}");
        }
    }
}

/// Links with their devices, switches and relay points; none of them had to be cut into hops.
#[test]
fn every_link_makes_keys() {
    for (stem, nodes, file) in networks() {
        let plan = Plan::new(&file).unwrap_or_else(|problems| panic!("{stem}: {problems:?}"));
        assert_eq!((plan.nodes.len(), plan.links.len()), (nodes, file.links.len()), "{stem}");
        for (link, written) in plan.links.iter().zip(&file.links) {
            let by_length = written.length_km * file.network.attenuation_db_per_km;
            assert!(
                written.loss_db.is_none_or(|loss| loss >= by_length),
                "{stem}: {}: less loss than {by_length} dB of the fibre alone",
                link.id
            );
            assert!(link.healthy_rate_bps > 10_000.0, "{stem}: {}: {} bit/s", link.id, link.healthy_rate_bps);
        }
        assert_eq!(plan.numbers().len(), 7, "{stem}: components of every reference point");
    }
}
