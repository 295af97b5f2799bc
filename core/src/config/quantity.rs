//! Durations (`"50ms"`, `"10s"`, `"10m"`, `"12h"`, `"7d"`) and sizes (`"4KiB"`, `"32MiB"`, `"20GiB"`) as they are
//! written in the configuration: a whole number and a unit.

use std::time::Duration;

const TIME: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const SIZE: [(&str, u64); 5] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];

/// Reads a duration. The error says what was expected.
pub fn duration(text: &str) -> Result<Duration, String> {
    let expected = "expected a number and ms, s, m, h or d, such as \"10s\"";
    scaled(text, &TIME, expected).map(Duration::from_millis)
}

/// Reads a size in bytes. The error says what was expected.
pub fn size(text: &str) -> Result<u64, String> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit()).trim();
    let decimal =
        [("kb", "KiB"), ("mb", "MiB"), ("gb", "GiB"), ("tb", "TiB"), ("k", "KiB"), ("m", "MiB"), ("g", "GiB")];
    if let Some((_, binary)) = decimal.iter().find(|(name, _)| unit.eq_ignore_ascii_case(name)) {
        return Err(format!("sizes are in powers of 1024: write {binary} instead of {unit}"));
    }
    scaled(text, &SIZE, "expected a number and B, KiB, MiB, GiB or TiB, such as \"32MiB\"")
}

fn scaled(text: &str, units: &[(&str, u64)], expected: &str) -> Result<u64, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let factor = units.iter().find(|(name, _)| *name == unit.trim()).map(|(_, factor)| *factor);
    match (number.is_empty(), factor) {
        (false, Some(factor)) => {
            number.parse::<u64>().ok().and_then(|n| n.checked_mul(factor)).ok_or_else(|| "too large".to_owned())
        }
        _ => Err(expected.to_owned()),
    }
}

/// A duration as it would be written, in the largest unit that divides it.
#[must_use]
pub fn show_duration(duration: Duration) -> String {
    show(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX), &TIME)
}

/// A size as it would be written.
#[must_use]
pub fn show_size(bytes: u64) -> String {
    show(bytes, &SIZE)
}

fn show(number: u64, units: &[(&str, u64)]) -> String {
    let fits = units.iter().rev().find(|(_, factor)| number.is_multiple_of(*factor) && number >= *factor);
    match (fits, units.first()) {
        (Some((unit, factor)), _) => format!("{}{unit}", number / factor),
        (None, Some((unit, _))) => format!("{number}{unit}"),
        (None, None) => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_shown_reads_back(number in 0_u64..1 << 50) {
            prop_assert_eq!(size(&show_size(number)).unwrap(), number);
            prop_assert_eq!(duration(&show_duration(Duration::from_millis(number))).unwrap().as_millis(), u128::from(number));
        }

        #[test]
        fn any_text_is_answered(text in ".*") {
            let _ = (size(&text), duration(&text));
        }
    }

    #[test]
    fn units_are_required_and_checked() {
        assert_eq!(duration("50ms"), Ok(Duration::from_millis(50)));
        assert_eq!(duration("7d"), Ok(Duration::from_secs(7 * 86_400)));
        assert_eq!(size("20GiB"), Ok(20 << 30));
        for text in ["", "10", "s", "-1s", "1.5s", "10 seconds", "10S", "99999999999999999999s"] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert_eq!(size("32MB"), Err("sizes are in powers of 1024: write MiB instead of MB".into()));
        assert_eq!(size("99999999TiB"), Err("too large".into()));
    }
}
