//! Dates and times of RFC 3339, as far as they have to be compared.

/// Seconds since 1970-01-01 UTC and nanoseconds.
pub(crate) type Instant = (i64, u32);

/// Reads `2026-11-26T07:00:00.5+01:00`. A leap second is taken as the second after it; digits beyond nanoseconds are
/// dropped.
pub(crate) fn parse_rfc3339(text: &str) -> Option<Instant> {
    let bytes = text.as_bytes();
    let fixed = bytes.get(..19)?;
    let marks = [(4, b"--"), (7, b"--"), (10, b"Tt"), (13, b"::"), (16, b"::")];
    if !marks.iter().all(|&(place, allowed)| fixed.get(place).is_some_and(|byte| allowed.contains(byte))) {
        return None;
    }
    let at = |from, to| digits(fixed.get(from..to)?);
    let (year, month, day) = (at(0, 4)?, at(5, 7)?, at(8, 10)?);
    let (hour, minute, second) = (at(11, 13)?, at(14, 16)?, at(17, 19)?);
    let days = days_in_month(year, month)?;
    if day < 1 || day > days || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (nanos, zone) = fraction(bytes.get(19..)?)?;
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    Some((seconds - zone_offset(zone)?, nanos))
}

/// Nanoseconds, and what follows them.
fn fraction(rest: &[u8]) -> Option<(u32, &[u8])> {
    let Some(tail) = rest.strip_prefix(b".") else { return Some((0, rest)) };
    let length = tail.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if length == 0 {
        return None;
    }
    let mut nanos = 0;
    for place in 0..9 {
        let digit = if place < length { tail.get(place)? - b'0' } else { 0 };
        nanos = nanos * 10 + u32::from(digit);
    }
    Some((nanos, tail.get(length..)?))
}

/// Seconds that a zone is ahead of UTC.
fn zone_offset(zone: &[u8]) -> Option<i64> {
    match zone {
        b"Z" | b"z" => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (digits(&[*h1, *h2])?, digits(&[*m1, *m2])?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let offset = hours * 3_600 + minutes * 60;
            Some(if *sign == b'-' { -offset } else { offset })
        }
        _ => None,
    }
}

fn digits(bytes: &[u8]) -> Option<i64> {
    bytes.iter().try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0')))
}

fn days_in_month(year: i64, month: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    Some(match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        _ => return None,
    })
}

/// Days of the civil calendar, counted in years that start on 1 March so that the leap day comes last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_fraction_and_zone() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", (0, 0)),
            ("1970-01-01T01:00:00+01:00", (0, 0)),
            ("1969-12-31T19:00:00.25-05:00", (0, 250_000_000)),
            ("2000-02-29t12:00:00z", (951_825_600, 0)),
            ("2026-01-01T00:00:00.123456789123Z", (1_767_225_600, 123_456_789)),
            ("2016-12-31T23:59:60Z", (1_483_228_800, 0)),
            ("0000-03-01T00:00:00Z", (-62_162_035_200, 0)),
            ("9999-12-31T23:59:59Z", (253_402_300_799, 0)),
        ] {
            assert_eq!(parse_rfc3339(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_of_rfc_3339_is_refused() {
        for text in [
            "",
            "2026-11-26",
            "2026-11-26T07:00:00",
            "2026-11-26 07:00:00Z",
            "2026-11-26T07:00Z",
            "2026-13-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-04-31T00:00:00Z",
            "2026-11-00T00:00:00Z",
            "2026-11-26T24:00:00Z",
            "2026-11-26T07:60:00Z",
            "2026-11-26T07:00:61Z",
            "2026-11-26T07:00:00.Z",
            "2026-11-26T07:00:00+1:00",
            "2026-11-26T07:00:00+0100",
            "2026-11-26T07:00:00+24:00",
            "2026-11-26T07:00:00ZZ",
            "+026-11-26T07:00:00Z",
            "2026-11-26T07:00:00\u{e9}",
        ] {
            assert_eq!(parse_rfc3339(text), None, "{text}");
        }
    }
}
