//! `qkdnm domain compare`, `path` and `alarms`: what two domains tell of one thing, a path over several, links in trouble as both ends
//! see them.

use super::{
    Client, CommandResult, Exit, Output,
    output::{age, count},
};
use crate::api::{
    Page,
    views::{DomainAlarmView, DomainComparisonView, DomainPathView, LeastFigureView, LinkEndView, PathHopView},
};

/// What stands where a domain tells nothing.
const NOT_DISCLOSED: &str = "not disclosed";

/// `qkdnm domain path`
#[derive(Clone, Debug, clap::Args)]
pub struct PathArgs {
    /// The domain where it begins.
    from: String,
    /// The domain where it ends.
    to: String,
    /// As a document, for programs: JSON, where -o says nothing else.
    #[arg(long)]
    json: bool,
}

/// What this domain and another tell of the same things.
pub(super) fn comparisons(client: &Client, domain: Option<&str>) -> anyhow::Result<Page<DomainComparisonView>> {
    let mut page: Page<DomainComparisonView> = client.get("/api/v1/domain-comparisons", &[])?;
    page.items.retain(|one| domain.is_none_or(|domain| one.domain == domain));
    Ok(page)
}

pub(super) fn compare(page: Page<DomainComparisonView>, output: &mut Output<'_>) -> CommandResult {
    if output.is_data() {
        output.list(&page)?;
        return Ok(Exit::Success);
    }
    table(&page.items, output)?;
    output.line(&count(page.items.len(), "comparison"))?;
    Ok(Exit::Success)
}

pub(super) fn table(items: &[DomainComparisonView], output: &mut Output<'_>) -> std::io::Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    let row = |one: &DomainComparisonView| {
        let figures = figures(one).join(", ");
        [
            one.domain.clone(),
            one.kind.clone(),
            one.id.clone(),
            one.state.clone(),
            one.freshness.clone(),
            one.differences.join("; "),
            figures,
        ]
    };
    let headings = ["DOMAIN", "KIND", "NAME", "STATE", "SEEN AS", "DIFFERENCES", "HERE / THERE"];
    output.table_and_more(headings, 1, items.iter().map(row).collect())
}

/// Figures with a short name: of both sides, where both tell one.
fn figures(one: &DomainComparisonView) -> Vec<String> {
    const NAMES: [(&str, &str); 8] = [
        ("/keyRateBps", "bit/s"),
        ("/keyRateBps/measured", "bit/s"),
        ("/keyStoreFillRatio", "full"),
        ("/longestWithoutKeyS/measured", "s without key"),
        ("/availabilityRatio/measured", "available"),
        ("/consumedBits", "bits consumed"),
        ("/suppliedKeys", "keys supplied"),
        ("/relayedBits", "bits relayed"),
    ];
    let figure = |side: &Option<serde_json::Value>, path: &str| side.as_ref()?.pointer(path)?.as_f64();
    let both = |(path, unit): &(&str, &str)| {
        let shown = |figure: Option<f64>| figure.map_or_else(|| "-".to_owned(), |figure| figure.to_string());
        match (figure(&one.ours, path), figure(&one.theirs, path)) {
            (None, None) => None,
            (ours, theirs) => Some(format!("{} / {} {unit}", shown(ours), shown(theirs))),
        }
    };
    NAMES.iter().filter_map(both).collect()
}

pub(super) fn path(args: &PathArgs, client: &Client, output: &mut Output<'_>) -> CommandResult {
    let query = [("from", args.from.clone()), ("to", args.to.clone())];
    let path: DomainPathView = client.get("/api/v1/domain-path", &query)?;
    if args.json || output.is_data() {
        output.document(&path)?;
        return Ok(Exit::Success);
    }
    if path.hops.is_empty() {
        output.line(&format!("No links are known that lead from {} to {}.", path.from, path.to))?;
    } else {
        output.line(&format!(
            "From {} to {}: {}, {}",
            path.from,
            path.to,
            path.state,
            count(path.hops.len(), "link")
        ))?;
        hops(&path.hops, output)?;
        least("Lowest key rate", " bit/s", &path.bottleneck_rate_bps, output)?;
        least("Lowest filling of a key store", "", &path.lowest_store_fill_ratio, output)?;
        alternative(&path, output)?;
        silent(&path.hops, output)?;
    }
    if !path.undisclosed.is_empty() {
        output.line(&format!("No links are disclosed by {}: there may be other ways.", path.undisclosed.join(", ")))?;
    }
    Ok(Exit::Success)
}

/// Says of which links a single end alone is heard.
fn silent(hops: &[PathHopView], output: &mut Output<'_>) -> std::io::Result<()> {
    let links: Vec<&str> = hops.iter().filter(|hop| hop.state == "one-sided").map(|hop| hop.link.as_str()).collect();
    if links.is_empty() {
        return Ok(());
    }
    output.line(&format!(
        "Of {} one end is up, and the other is not heard: nobody knows whether it is.",
        links.join(", ")
    ))
}

fn alternative(path: &DomainPathView, output: &mut Output<'_>) -> std::io::Result<()> {
    match &path.alternative {
        Some(other) => {
            let shared = match (other.shared_links.as_slice(), other.shared_domains.as_slice()) {
                ([], []) => "shares nothing with it".to_owned(),
                ([], domains) => format!("shares no link with it, and passes {} too", domains.join(", ")),
                (links, _) => format!("shares {} with it", links.join(", ")),
            };
            output.line("")?;
            output.line(&format!("Another way, {}, {shared}:", other.state))?;
            hops(&other.hops, output)?;
            least("Lowest key rate", " bit/s", &other.bottleneck_rate_bps, output)?;
        }
        None => output.line("No other way is known.")?,
    }
    match path.without_other_way.as_slice() {
        [] => Ok(()),
        links => output.line(&format!("Without {} there is no way that is known.", links.join(" or "))),
    }
}

fn hops(hops: &[PathHopView], output: &mut Output<'_>) -> std::io::Result<()> {
    let wide = output.is_wide();
    let row = |hop: &PathHopView| {
        let end = |at: usize| hop.ends.get(at).map(|one| end(one, wide)).unwrap_or_default();
        [hop.from.clone(), hop.to.clone(), hop.link.clone(), hop.state.clone(), end(0), end(1)]
    };
    let headings = ["FROM", "TO", "LINK", "STATE", "NEAR END SAYS", "FAR END SAYS"];
    output.table(headings, hops.iter().map(row).collect())
}

/// What an end says, and how old that is; its figures where there is room.
fn end(end: &LinkEndView, with_figures: bool) -> String {
    let Some(state) = &end.state else { return NOT_DISCLOSED.to_owned() };
    let mut text = state.clone();
    if let Some(rate) = end.secret_key_rate_bps.filter(|_| with_figures) {
        text += &format!(", {rate} bit/s");
    }
    if let Some(fill) = end.key_store_fill_ratio.filter(|_| with_figures) {
        text += &format!(", {:.0} % full", fill * 100.0);
    }
    match (end.told_to.as_deref(), end.freshness.as_deref()) {
        (Some("own"), _) => text + " (ours)",
        (_, freshness) => {
            let age = end.age_ms.map(|ms| format!(", {}", age(ms))).unwrap_or_default();
            text + &format!(" ({}{age})", freshness.unwrap_or("unheard"))
        }
    }
}

fn least(name: &str, unit: &str, figure: &LeastFigureView, output: &mut Output<'_>) -> std::io::Result<()> {
    let known = match (figure.value, &figure.link) {
        (Some(value), Some(link)) => format!("{value}{unit}, on {link}"),
        _ => NOT_DISCLOSED.to_owned(),
    };
    let rest = match figure.not_disclosed.as_slice() {
        links if links.is_empty() || figure.value.is_none() => String::new(),
        links => format!("; {NOT_DISCLOSED} of {}: it may be less", links.join(", ")),
    };
    output.line(&format!("{name}: {known}{rest}"))
}

pub(super) fn alarms(client: &Client, output: &mut Output<'_>) -> CommandResult {
    let page: Page<DomainAlarmView> = client.get("/api/v1/domain-alarms", &[])?;
    if output.is_data() {
        output.list(&page)?;
        return Ok(Exit::Success);
    }
    let total = page.items.len();
    if total > 0 {
        let wide = output.is_wide();
        let row = |one: DomainAlarmView| {
            let since = one.ends.iter().filter_map(|end| end.since).min();
            let since = since.map_or_else(|| "before the start".to_owned(), |since| since.to_string());
            let said = |end: &LinkEndView| {
                let since = end.since.map_or_else(|| "before the start".to_owned(), |since| since.to_string());
                match &end.state {
                    Some(state) if !wide => format!("{}: {state}", end.domain),
                    Some(state) => format!("{}: {state} since {since}", end.domain),
                    None => format!("{}: {NOT_DISCLOSED}", end.domain),
                }
            };
            let sides = match one.sides.as_str() {
                "both" => "both say so",
                "disagree" => "they disagree",
                _ => "one side only",
            };
            let ends: Vec<String> = one.ends.iter().map(said).collect();
            let mut ends = ends.into_iter();
            let mut next = || ends.next().unwrap_or_default();
            let first = one.first.unwrap_or_else(|| "-".to_owned());
            [one.severity.to_string(), one.link, since, sides.to_owned(), next(), next(), first]
        };
        let headings = ["SEVERITY", "LINK", "SINCE", "SIDES", "ONE END", "OTHER END", "SEEN FIRST"];
        output.table_and_more(headings, 1, page.items.into_iter().map(row).collect())?;
    }
    output.line(&format!("{} in trouble", count(total, "link")))?;
    Ok(Exit::Success)
}
