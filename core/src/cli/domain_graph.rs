//! `qkdnm peer graph`: how domains are connected, and whose loss would cut others off.

use super::{Client, CommandResult, Exit, Output, output::count};
use crate::api::views::{BottleneckView, DomainConnectionView, GraphView};

/// As what.
#[derive(Clone, Debug, clap::Args)]
pub struct GraphArgs {
    /// For Graphviz: qkdnm peer graph --dot | dot -Tsvg
    #[arg(long)]
    dot: bool,
}

pub(super) fn show(args: &GraphArgs, client: &Client, output: &mut Output<'_>) -> CommandResult {
    let graph: GraphView = client.get("/api/v1/domain-graph", &[])?;
    if output.is_data() {
        output.document(&graph)?;
        return Ok(Exit::Success);
    }
    if args.dot {
        dot(&graph).lines().try_for_each(|line| output.line(line))?;
        return Ok(Exit::Success);
    }
    let total = graph.connections.len();
    let words = |known_by: &str| {
        match known_by {
            "session" => "our session, first hand",
            "told" => "a neighbour says so",
            "way" => "a document came that way",
            "configured" => "configured, and down",
            other => other,
        }
        .to_owned()
    };
    if total > 0 {
        let row = |one: &DomainConnectionView| [one.one.clone(), one.other.clone(), words(&one.known_by)];
        output.table(["DOMAIN", "DOMAIN", "KNOWN BY"], graph.connections.iter().map(row).collect())?;
    }
    output.line(&count(total, "connection"))?;
    output.line(&basis(&graph))?;
    graph.bottlenecks.iter().try_for_each(|one| output.line(&bottleneck(one)))?;
    if !graph.unreached.is_empty() {
        output.line(&format!("no way is known now to {}", graph.unreached.join(", ")))?;
    }
    Ok(Exit::Success)
}

/// What the picture is made of, and where it has gaps.
fn basis(graph: &GraphView) -> String {
    let others: Vec<&str> = graph.known_whole.iter().map(String::as_str).filter(|one| *one != graph.domain).collect();
    let whole = if others.is_empty() {
        String::new()
    } else {
        format!(", and those of {} as they tell them", others.join(", "))
    };
    let rest = match graph.known_in_part.as_slice() {
        [] => String::new(),
        domains => format!("; {} may have connections that are not told to us", domains.join(", ")),
    };
    format!("seen from {}: its own sessions{whole}{rest}", graph.domain)
}

fn bottleneck(one: &BottleneckView) -> String {
    let others = one.cuts_off.join(", ");
    if one.certain {
        format!("without {} there is no way to {others}", one.domain)
    } else {
        format!("without {} no way is known to {others}; there may be one that nobody told us of", one.domain)
    }
}

/// The graph in Graphviz's language.
fn dot(graph: &GraphView) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let mut text = format!("graph federation {{\n  node [shape=box];\n  {} [style=bold];\n", quoted(&graph.domain));
    for one in &graph.bottlenecks {
        let colour = if one.certain { "red" } else { "orange" };
        text.push_str(&format!("  {} [color={colour}];\n", quoted(&one.domain)));
    }
    for one in &graph.unreached {
        text.push_str(&format!("  {} [style=dashed];\n", quoted(one)));
    }
    for one in &graph.connections {
        let style = match one.known_by.as_str() {
            "configured" => " [style=dashed]",
            "session" => " [style=bold]",
            "way" => " [style=dotted]",
            _ => "",
        };
        text.push_str(&format!("  {} -- {}{style};\n", quoted(&one.one), quoted(&one.other)));
    }
    text + "}\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_graph_is_drawn_with_what_deserves_a_look() {
        let graph = GraphView {
            domain: "east".into(),
            connections: vec![DomainConnectionView {
                one: "east".into(),
                other: "we\"st".into(),
                known_by: "configured".into(),
                first_hand: false,
            }],
            bottlenecks: vec![BottleneckView { domain: "north".into(), cuts_off: vec!["south".into()], certain: true }],
            unreached: vec!["we\"st".into()],
            known_whole: vec!["east".into(), "north".into()],
            known_in_part: vec!["south".into()],
        };
        let expected = "graph federation {\n  node [shape=box];\n  \"east\" [style=bold];\n  \"north\" [color=red];\n  \
                        \"we\\\"st\" [style=dashed];\n  \"east\" -- \"we\\\"st\" [style=dashed];\n}\n";
        assert_eq!(dot(&graph), expected);
        let told = "seen from east: its own sessions, and those of north as they tell them; south may have connections that \
                    are not told to us";
        assert_eq!(basis(&graph), told);
        assert_eq!(bottleneck(&graph.bottlenecks[0]), "without north there is no way to south");
        let unsure = BottleneckView { certain: false, ..graph.bottlenecks[0].clone() };
        assert!(bottleneck(&unsure).ends_with("there may be one that nobody told us of"));
    }
}
