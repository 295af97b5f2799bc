//! The manager's log as a witness: a line at WARN or ERROR that a test did not announce fails the test.
//!
//! An operator reads every such line as something to act on; a healthy run has none.

/// What a test announced.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// Lines with one of these texts may come, at any level.
    pub texts: Vec<String>,
    /// Any line at WARN may come: the test does what an operator should hear of.
    pub warnings: bool,
    /// Any line at ERROR may come: the test breaks something on purpose. A panic may not.
    pub errors: bool,
}

/// Lines at WARN or ERROR, panics included, that were not announced.
#[must_use]
pub fn unexpected_lines<'a>(log: &'a str, expected: &Expected) -> Vec<&'a str> {
    log.lines()
        .filter(|line| match alarm_of(line) {
            None => false,
            Some(Alarm::Warning) => !expected.warnings,
            Some(Alarm::Error) => !expected.errors,
            Some(Alarm::Panic) => true,
        })
        .filter(|line| !expected.texts.iter().any(|text| line.contains(text.as_str())))
        .collect()
}

enum Alarm {
    Warning,
    Error,
    Panic,
}

fn alarm_of(line: &str) -> Option<Alarm> {
    // The manager's own panics; those of a plugin come as lines of its log.
    if line.starts_with("thread '") && line.contains("panicked at") {
        return Some(Alarm::Panic);
    }
    // The level is the second word of a text line, and a key of a JSON line; the same word further on is prose.
    let has = |level: &str| {
        if line.starts_with('{') {
            line.contains(&format!(r#""level":"{level}""#))
        } else {
            line.split_whitespace().take(3).any(|word| word == level)
        }
    };
    if has("ERROR") { Some(Alarm::Error) } else { has("WARN").then_some(Alarm::Warning) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_levels_alarm_and_only_when_not_announced() {
        let log = "2026-11-26T07:00:00Z  INFO qkdnm: Ready. No WARN so far.\n\
                   2026-11-26T07:00:01Z  WARN qkdnm: Handshake refused.\n\
                   2026-11-26T07:00:02Z ERROR qkdnm: Commit failed.\n\
                   {\"level\":\"WARN\",\"message\":\"x\"}\n\
                   thread 'shard-0' panicked at core/src/shard.rs:1:1:\n";
        assert_eq!(unexpected_lines(log, &Expected::default()).len(), 4);
        let announced = Expected { texts: vec!["Handshake refused".to_owned()], ..Expected::default() };
        assert_eq!(unexpected_lines(log, &announced).len(), 3);
        assert_eq!(unexpected_lines(log, &Expected { warnings: true, ..Expected::default() }).len(), 2);
        let broken = Expected { warnings: true, errors: true, ..Expected::default() };
        assert_eq!(unexpected_lines(log, &broken).len(), 1, "a panic is never expected");
    }
}
