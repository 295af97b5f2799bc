//! What the configuration may say: every problem is found, each with its JSON Pointer.

use qkdn_plugin::{Problem, Problems, Span, catalogue};
use serde::Deserialize;

use crate::rule::{Direction, Level, Rule};

/// The configuration as written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the value watched.
    pub value: String,
    /// Alarm type to raise.
    pub alarm_type: String,
    /// Raise when above.
    pub raise_above: Option<f64>,
    /// Clear when below.
    pub clear_below: Option<f64>,
    /// Raise when below.
    pub raise_below: Option<f64>,
    /// Clear when above.
    pub clear_above: Option<f64>,
    /// Severity of the one level.
    pub severity: Option<String>,
    /// Several levels instead of one.
    pub levels: Option<Vec<LevelConfig>>,
    /// How long beyond before raising.
    #[serde(default)]
    pub hold_off: Span,
    /// How long back before clearing.
    #[serde(default)]
    pub clear_hold_off: Span,
    /// Qualifier; empty: the policy's name.
    #[serde(default)]
    pub qualifier: String,
    /// X.733 event type; empty: the catalogue's.
    #[serde(default)]
    pub event_type: String,
    /// Probable cause; empty: the catalogue's.
    #[serde(default)]
    pub probable_cause: String,
    /// Sentence before the figures.
    #[serde(default)]
    pub text: String,
    /// What to do.
    #[serde(default)]
    pub repair_actions: Vec<String>,
    /// Other levels for some subjects.
    #[serde(default)]
    pub overrides: Vec<OverrideConfig>,
}

/// One of several levels.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LevelConfig {
    /// Raise when above.
    pub raise_above: Option<f64>,
    /// Clear when below.
    pub clear_below: Option<f64>,
    /// Raise when below.
    pub raise_below: Option<f64>,
    /// Clear when above.
    pub clear_above: Option<f64>,
    /// Severity.
    pub severity: Option<String>,
}

/// Other levels for some subjects.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OverrideConfig {
    /// The component: `mk/km-1`.
    pub component: Option<String>,
    /// The resource; empty: the component itself.
    pub resource: Option<String>,
    /// Not watched.
    #[serde(default)]
    pub disabled: bool,
    /// Raise when above.
    pub raise_above: Option<f64>,
    /// Clear when below.
    pub clear_below: Option<f64>,
    /// Raise when below.
    pub raise_below: Option<f64>,
    /// Clear when above.
    pub clear_above: Option<f64>,
    /// Severity.
    pub severity: Option<String>,
    /// Several levels.
    pub levels: Option<Vec<LevelConfig>>,
    /// How long beyond before raising.
    pub hold_off: Option<Span>,
    /// How long back before clearing.
    pub clear_hold_off: Option<Span>,
}

/// The configuration, checked.
pub(crate) struct Checked {
    pub(crate) value: String,
    pub(crate) alarm_type: String,
    pub(crate) qualifier: String,
    pub(crate) event_type: String,
    pub(crate) probable_cause: String,
    pub(crate) repair_actions: Vec<String>,
    pub(crate) rule: Rule,
    pub(crate) overrides: Vec<Override>,
    text: String,
}

/// An override, checked.
pub(crate) struct Override {
    pub(crate) component: Option<String>,
    pub(crate) resource: Option<String>,
    /// `None`: not watched.
    pub(crate) rule: Option<Rule>,
}

impl Config {
    /// Checks the configuration.
    pub(crate) fn check(self) -> Result<Checked, Vec<Problem>> {
        let mut check =
            Check { problems: Problems::new(), range: (f64::NEG_INFINITY, f64::INFINITY), value: &self.value };
        check.value_name();
        if self.alarm_type.is_empty() {
            check.problems.add("/alarm_type", "expected an alarm type, such as `qber-threshold-exceeded`");
        }
        let typical = catalogue::alarm_type(&self.alarm_type).map_or("warning", |known| known.severity);
        let single = self.single_level();
        let (direction, levels) = check.levels("", &single, self.levels.as_deref(), typical);
        let rule = Rule { direction, levels, hold_off: self.hold_off, clear_hold_off: self.clear_hold_off };
        let mut overrides = Vec::with_capacity(self.overrides.len());
        for (position, over) in self.overrides.iter().enumerate() {
            let path = format!("/overrides/{position}");
            check.subject(&path, over);
            let rule = (!over.disabled).then(|| self.overridden(over, &path, &rule, &mut check, typical));
            overrides.push(Override { component: over.component.clone(), resource: over.resource.clone(), rule });
        }
        let Check { problems, .. } = check;
        problems.or(Checked {
            rule,
            overrides,
            value: self.value,
            alarm_type: self.alarm_type,
            qualifier: self.qualifier,
            event_type: self.event_type,
            probable_cause: self.probable_cause,
            repair_actions: self.repair_actions,
            text: self.text,
        })
    }

    fn single_level(&self) -> LevelConfig {
        LevelConfig {
            raise_above: self.raise_above,
            clear_below: self.clear_below,
            raise_below: self.raise_below,
            clear_above: self.clear_above,
            severity: self.severity.clone(),
        }
    }

    /// The rule of an override: what it does not say is the policy's own.
    fn overridden(&self, over: &OverrideConfig, path: &str, base: &Rule, check: &mut Check<'_>, typical: &str) -> Rule {
        let mut single = LevelConfig {
            raise_above: over.raise_above,
            clear_below: over.clear_below,
            raise_below: over.raise_below,
            clear_above: over.clear_above,
            severity: over.severity.clone(),
        };
        let raises = single.raise_above.is_some() || single.raise_below.is_some();
        let (direction, levels) = if single.is_empty() && over.levels.is_none() {
            (base.direction, base.levels.clone())
        } else if over.levels.is_none() && !raises && self.levels.is_some() {
            check.problems.add(path, "the policy has several levels: give `levels`, or a level to raise at, here too");
            (base.direction, base.levels.clone())
        } else {
            if !raises && over.levels.is_none() {
                single.raise_above = self.raise_above;
                single.raise_below = self.raise_below;
                if single.clear_below.is_none() && single.clear_above.is_none() {
                    single.clear_below = self.clear_below;
                    single.clear_above = self.clear_above;
                }
            }
            if over.levels.is_none() && single.severity.is_none() {
                single.severity.clone_from(&self.severity);
            }
            check.levels(path, &single, over.levels.as_deref(), typical)
        };
        Rule {
            direction,
            levels,
            hold_off: over.hold_off.unwrap_or(base.hold_off),
            clear_hold_off: over.clear_hold_off.unwrap_or(base.clear_hold_off),
        }
    }
}

impl LevelConfig {
    fn is_empty(&self) -> bool {
        let numbers = [self.raise_above, self.clear_below, self.raise_below, self.clear_above];
        numbers.iter().all(Option::is_none) && self.severity.is_none()
    }
}

impl Checked {
    /// Most levels that a rule has.
    pub(crate) fn most_levels(&self) -> usize {
        let rules = self.overrides.iter().filter_map(|over| over.rule.as_ref()).chain([&self.rule]);
        rules.map(|rule| rule.levels.len()).max().unwrap_or(0)
    }

    /// The figures, with the configured sentence before them.
    pub(crate) fn sentence(&self, figures: &str) -> String {
        if self.text.is_empty() { figures.to_owned() } else { format!("{}: {figures}", self.text) }
    }
}

impl Override {
    /// The resource, if it has a name.
    pub(crate) fn named_resource(&self) -> Option<&str> {
        self.resource.as_deref().filter(|name| !name.is_empty())
    }
}

/// Problems found so far, and what is known of the value.
struct Check<'a> {
    problems: Problems,
    range: (f64, f64),
    value: &'a str,
}

impl Check<'_> {
    fn value_name(&mut self) {
        let name = self.value;
        if let Some(known) = catalogue::performance(name) {
            self.range = (known.min.unwrap_or(f64::NEG_INFINITY), known.max.unwrap_or(f64::INFINITY));
        } else if let Some(known) = catalogue::state(name) {
            self.range = (0.0, 1.0);
            if !known.words.is_empty() {
                self.problems.add("/value", format!("`{name}` is a word; a threshold needs a number or a flag"));
            }
        } else {
            let known = catalogue::PERFORMANCE.iter().map(|entry| entry.name);
            let like = known.min_by_key(|known| distance(known, name)).unwrap_or_default();
            self.problems.add("/value", format!("the catalogue has no value `{name}`; the most similar is `{like}`"));
        }
    }

    fn subject(&mut self, path: &str, over: &OverrideConfig) {
        match over.component.as_deref() {
            Some(name) if !name.split_once('/').is_some_and(|(point, id)| !point.is_empty() && !id.is_empty()) => {
                let message = format!("expected a reference point and an ID, such as `mk/km-1`, not `{name}`");
                self.problems.add(format!("{path}/component"), message);
            }
            None if over.resource.is_none() => {
                self.problems.add(path, "expected `component`, `resource` or both: an override is for some subjects");
            }
            _ => {}
        }
    }

    /// One level, or several.
    fn levels(
        &mut self,
        path: &str,
        single: &LevelConfig,
        several: Option<&[LevelConfig]>,
        typical: &str,
    ) -> (Direction, Vec<Level>) {
        let Some(several) = several else {
            let (direction, level) = self.level(path, single, typical);
            return (direction, vec![level]);
        };
        if !single.is_empty() {
            let message = "`levels` stands instead of raise_above, clear_below, raise_below, clear_above and severity";
            self.problems.add(format!("{path}/levels"), message);
        }
        if several.is_empty() || several.len() > MOST_LEVELS {
            self.problems.add(format!("{path}/levels"), format!("expected 1 to {MOST_LEVELS} levels"));
        }
        let mut levels = Vec::with_capacity(several.len());
        let mut direction = None;
        for (position, config) in several.iter().take(MOST_LEVELS).enumerate() {
            let path = format!("{path}/levels/{position}");
            let (own, level) = self.level(&path, config, typical);
            if *direction.get_or_insert(own) != own {
                self.problems.add(&path, "the levels of a policy are all `raise_above` or all `raise_below`");
            }
            if levels.iter().any(|other: &Level| other.raise == level.raise) {
                self.problems.add(&path, format!("there is another level at {}", level.raise));
            }
            levels.push(level);
        }
        let direction = direction.unwrap_or(Direction::Above);
        levels.sort_by(|a, b| a.raise.total_cmp(&b.raise));
        if direction == Direction::Below {
            levels.reverse();
        }
        (direction, levels)
    }

    fn level(&mut self, path: &str, config: &LevelConfig, typical: &str) -> (Direction, Level) {
        let severity = config.severity.as_deref().unwrap_or(typical);
        if !SEVERITIES.contains(&severity) {
            let message = format!("`{severity}` is not one of {}", SEVERITIES.join(", "));
            self.problems.add(format!("{path}/severity"), message);
        }
        let level = |raise, clear| Level { raise, clear, severity: severity.to_owned() };
        match (config.raise_above, config.raise_below) {
            (Some(raise), None) => {
                self.unreachable_level(path, "raise_above", raise);
                self.wrong_side(path, config.clear_above.is_some(), "clear_above", "raise_above", "clear_below");
                if let Some(clear) = config.clear_below.filter(|&clear| clear > raise) {
                    let message = format!("{clear} is above raise_above ({raise}): the alarm would flap");
                    self.problems.add(format!("{path}/clear_below"), message);
                }
                (Direction::Above, level(raise, config.clear_below))
            }
            (None, Some(raise)) => {
                self.unreachable_level(path, "raise_below", raise);
                self.wrong_side(path, config.clear_below.is_some(), "clear_below", "raise_below", "clear_above");
                if let Some(clear) = config.clear_above.filter(|&clear| clear < raise) {
                    let message = format!("{clear} is below raise_below ({raise}): the alarm would flap");
                    self.problems.add(format!("{path}/clear_above"), message);
                }
                (Direction::Below, level(raise, config.clear_above))
            }
            (above, _) => {
                let what = if above.is_some() { "not both" } else { "one of them is needed" };
                self.problems.add(path, format!("`raise_above` or `raise_below`: {what}"));
                (Direction::Above, level(0.0, None))
            }
        }
    }

    /// A level that no value of the catalogue's range can cross is a mistake, often of units.
    fn unreachable_level(&mut self, path: &str, key: &str, raise: f64) {
        let (min, max) = self.range;
        let name = self.value;
        if key == "raise_above" && raise >= max {
            self.problems.add(format!("{path}/{key}"), format!("{name} is at most {max}: it is never above {raise}"));
        } else if key == "raise_below" && raise <= min {
            self.problems.add(format!("{path}/{key}"), format!("{name} is at least {min}: it is never below {raise}"));
        }
    }

    fn wrong_side(&mut self, path: &str, given: bool, key: &str, with: &str, instead: &str) {
        if given {
            self.problems.add(format!("{path}/{key}"), format!("does not go with `{with}`; expected `{instead}`"));
        }
    }
}

/// Number of edits between two names.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut corner = i;
        let mut left = i + 1;
        for (place, y) in row.iter_mut().skip(1).zip(b.bytes()) {
            let best = (corner + usize::from(x != y)).min(left + 1).min(*place + 1);
            corner = *place;
            *place = best;
            left = best;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

/// Most levels of a rule.
const MOST_LEVELS: usize = 8;
const SEVERITIES: [&str; 5] = ["warning", "minor", "major", "critical", "indeterminate"];
