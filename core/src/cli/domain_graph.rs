//! `qkdnm peer graph`: how domains are connected, and whose loss would cut others off.

use super::{Client, CommandResult, Exit, Output, output::count};
use crate::api::views::GraphView;

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
            "session" => "our session",
            "told" => "a neighbour says so",
            "way" => "documents come that way",
            "configured" => "configured, and down",
            other => other,
        }
        .to_owned()
    };
    if total > 0 {
        let row = |one: crate::api::views::DomainConnectionView| [one.one, one.other, words(&one.known_by)];
        output.table(["DOMAIN", "DOMAIN", "KNOWN BY"], graph.connections.into_iter().map(row).collect())?;
    }
    output.line(&count(total, "connection"))?;
    for one in &graph.bottlenecks {
        output.line(&format!("without {}, no way is known to {}", one.domain, one.cuts_off.join(", ")))?;
    }
    if !graph.unreached.is_empty() {
        output.line(&format!("no way is known now to {}", graph.unreached.join(", ")))?;
    }
    Ok(Exit::Success)
}

/// The graph in Graphviz's language.
fn dot(graph: &GraphView) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let mut text = format!("graph federation {{\n  node [shape=box];\n  {} [style=bold];\n", quoted(&graph.domain));
    for one in &graph.bottlenecks {
        text.push_str(&format!("  {} [color=red];\n", quoted(&one.domain)));
    }
    for one in &graph.unreached {
        text.push_str(&format!("  {} [style=dashed];\n", quoted(one)));
    }
    for one in &graph.connections {
        let style = match one.known_by.as_str() {
            "configured" => " [style=dashed]",
            "session" => " [style=bold]",
            _ => "",
        };
        text.push_str(&format!("  {} -- {}{style};\n", quoted(&one.one), quoted(&one.other)));
    }
    text + "}\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::views::{BottleneckView, DomainConnectionView};

    #[test]
    fn the_graph_is_drawn_with_what_deserves_a_look() {
        let graph = GraphView {
            domain: "east".into(),
            connections: vec![DomainConnectionView {
                one: "east".into(),
                other: "we\"st".into(),
                known_by: "configured".into(),
            }],
            bottlenecks: vec![BottleneckView { domain: "north".into(), cuts_off: vec!["south".into()] }],
            unreached: vec!["we\"st".into()],
        };
        let expected = "graph federation {\n  node [shape=box];\n  \"east\" [style=bold];\n  \"north\" [color=red];\n  \
                        \"we\\\"st\" [style=dashed];\n  \"east\" -- \"we\\\"st\" [style=dashed];\n}\n";
        assert_eq!(dot(&graph), expected);
    }
}
