//! Areas in sum, as aggregators publish them, behind `qkdnm domain list` and `qkdnm domain show`.

use std::io;

use serde_json::Value;

use super::{Output, federation::told};
use crate::api::views::{DomainView, RollupSourceView, RollupView};

/// A sum of counts; a dash where there is none, which is not nought.
fn total(counts: &Value, member: Option<&str>, is_there: bool) -> String {
    let numbers = counts.as_object().into_iter().flat_map(serde_json::Map::values);
    let sum: u64 = numbers.filter_map(|value| member.map_or(value, |member| &value[member]).as_u64()).sum();
    if is_there || sum > 0 { sum.to_string() } else { "-".to_owned() }
}

fn checked(one: &RollupView) -> String {
    if one.detail.is_empty() { one.check.clone() } else { format!("{}: {}", one.check, one.detail) }
}

/// A line for each roll-up, behind the domains; nothing where there is none.
pub(super) fn list(domains: &[DomainView], output: &mut Output<'_>) -> io::Result<()> {
    let rollups = domains.iter().flat_map(|domain| domain.rollups.iter().map(move |one| (domain, one)));
    let row = |(domain, one): (&DomainView, &RollupView)| {
        let by = format!("{} ({})", one.aggregator, domain.freshness);
        let components = total(&one.components, Some("known"), false);
        // Where components are told and no alarm is raised, there is none; where nothing is told, nobody knows.
        let alarms = total(&one.raised, None, components != "-");
        [one.area.clone(), by, components, alarms, one.check.clone(), one.sum_of.clone(), one.detail.clone()]
    };
    let rows: Vec<_> = rollups.map(row).collect();
    if rows.is_empty() {
        return Ok(());
    }
    output.line("")?;
    let headings = ["AREA", "ADDED UP BY", "COMPONENTS", "ALARMS", "ADDED UP HERE", "SUM OF", "BECAUSE"];
    output.table_and_more(headings, 1, rows)
}

/// Roll-ups of a domain in full, with their sources.
pub(super) fn show(domain: &DomainView, output: &mut Output<'_>) -> io::Result<()> {
    for one in &domain.rollups {
        output.line("")?;
        output.line(&format!("Area {}: sum of {}", one.area, one.sum_of))?;
        output.line(&format!("  added up here: {}", checked(one)))?;
        one.differences.iter().try_for_each(|what| output.line(&format!("  other sums: {what}")))?;
        let mut lines = Vec::new();
        for (name, content) in [("components", &one.components), ("raised", &one.raised), ("links", &one.links)] {
            told(content, name, &mut lines);
        }
        lines.iter().try_for_each(|(path, value)| output.line(&format!("  {path}: {value}")))?;
        let row = |source: &RollupSourceView| {
            let age = source.max_age_ms.map(|age| format!("{} s", age.div_ceil(1_000))).unwrap_or_default();
            let [audience, version] = [&source.audience, &source.version].map(|text| text.clone().unwrap_or_default());
            [source.domain.clone(), source.state.clone(), age, audience, version]
        };
        output
            .table(["SOURCE", "SEEN AS", "AGE AT MOST", "TOLD TO", "VERSION"], one.sources.iter().map(row).collect())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_sum_is_not_nought() {
        let components = json!({ "mk": { "known": 3 }, "mq": { "known": 4 } });
        assert_eq!(total(&components, Some("known"), false), "7");
        assert_eq!((total(&json!({}), None, true), total(&json!({}), None, false)), ("0".to_owned(), "-".to_owned()));
    }
}
