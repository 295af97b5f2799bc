//! What people ask of a network that runs, a line each, and the answers. The same words at the prompt and over the control
//! address.

use super::Totals;
use crate::simulate::{
    description::{Target, fault, fault::Written},
    world::World,
};

/// Lines of a list that are shown.
const MOST_LINES: usize = 500;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// To be shown.
    pub text: String,
    /// Whether the simulation is to end.
    pub quits: bool,
}

/// Carries out a line and answers it.
pub fn answer(world: &mut World, line: &str, totals: Totals) -> Outcome {
    let said = |text: String| Outcome { text, quits: false };
    let mut words = line.split_whitespace();
    match (words.next(), words.next(), words.next()) {
        (None, ..) => said(String::new()),
        (Some("help" | "?"), None, None) => said(help()),
        (Some("quit" | "exit"), None, None) => Outcome { text: "ending".to_owned(), quits: true },
        (Some("list" | "faults"), None, None) | (Some("list"), Some("faults"), None) => said(faults(world)),
        (Some("list"), Some("links"), pattern) => said(links(world, pattern)),
        (Some("list"), Some("components"), pattern) => said(components(world, pattern)),
        (Some("list"), ..) => said("expected `list`, `list links` or `list components [TEXT]`".to_owned()),
        (Some("status"), None, None) => said(status(world, &totals)),
        (Some("end"), Some(which), None) => said(end(world, which)),
        _ => said(begin(world, line)),
    }
}

fn help() -> String {
    let faults: String = fault::manual().iter().map(|line| format!("  {line}\n")).collect();
    format!(
        "Faults begin with:\n{faults}\
         end NUMBER|all   ends a fault\n\
         list             the faults there are\n\
         list links       all links; `list components TEXT`: components whose name has TEXT in it\n\
         status           how many are connected, how many reports were acknowledged\n\
         quit             ends the simulation"
    )
}

fn begin(world: &mut World, line: &str) -> String {
    let fault = Written::read(line).and_then(|written| written.resolve(world.plan()));
    match fault {
        Ok(fault) => {
            let number = world.begin(fault);
            let name = world.plan().name_of(fault.target).to_owned();
            if fault.kind.is_momentary() {
                return format!("{} at {name}", fault.kind);
            }
            format!("fault {number}: {} at {name}; `end {number}` ends it", fault.kind)
        }
        Err(error) => format!("error: {error}"),
    }
}

fn end(world: &mut World, which: &str) -> String {
    if which == "all" {
        let numbers: Vec<u32> = world.active().iter().map(|active| active.number).collect();
        let ended = numbers.iter().filter(|number| world.end(**number)).count();
        return format!("{ended} ended");
    }
    match which.parse::<u32>() {
        Ok(number) if world.end(number) => format!("fault {number} ended"),
        _ => format!("error: there is no fault {which}; `list` shows those there are"),
    }
}

fn lines(mut lines: Vec<String>, nothing: &str) -> String {
    if lines.is_empty() {
        return nothing.to_owned();
    }
    let more = lines.len().saturating_sub(MOST_LINES);
    lines.truncate(MOST_LINES);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines.join("\n")
}

fn faults(world: &World) -> String {
    let shown = world.active().iter().map(|active| {
        let age = world.time().saturating_sub(active.began).as_secs();
        format!(
            "{}: {} at {}, begun {age} s ago",
            active.number,
            active.fault.kind,
            world.plan().name_of(active.fault.target)
        )
    });
    lines(shown.collect(), "no faults")
}

fn links(world: &World, pattern: Option<&str>) -> String {
    let shown =
        world.plan().links.iter().enumerate().filter(|(_, link)| pattern.is_none_or(|text| link.id.contains(text)));
    let shown = shown.map(|(index, link)| {
        let fill = world.store(index).map_or(0.0, crate::simulate::world::Store::fill);
        format!(
            "{}  {:.1} km, {:.0} bit/s, store {:.0} %",
            link.id,
            link.length_km,
            world.rate_bps(index),
            fill * 100.0
        )
    });
    lines(shown.collect(), "no such link")
}

fn components(world: &World, pattern: Option<&str>) -> String {
    let plan = world.plan();
    let all = (0..plan.components.len()).map(|index| plan.name_of(Target::Component(index)));
    let shown = all.filter(|name| pattern.is_none_or(|text| name.contains(text)));
    lines(shown.map(str::to_owned).collect(), "no such component")
}

/// How it goes, in a line.
#[must_use]
pub fn progress(totals: &Totals) -> String {
    format!(
        "{} components, {} connected; reports: {} acknowledged, {} refused, {} held back",
        totals.components, totals.connected, totals.acknowledged, totals.refused, totals.held_back
    )
}

fn status(world: &World, totals: &Totals) -> String {
    format!("{}; {} faults; network time {} s", progress(totals), world.active().len(), world.time().as_secs())
}
