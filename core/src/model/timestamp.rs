//! Points in time as the manager stores them: milliseconds since 1970-01-01T00:00:00Z; RFC 3339 at the rim.

use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Milliseconds since the Unix epoch, UTC. JSON form: RFC 3339 with milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-11-26T08:00:00.000Z")]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// A time of the system's clock; what is before 1970 is 1970.
    #[must_use]
    pub fn of(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// Without what is beyond whole seconds.
    #[must_use]
    pub const fn whole_seconds(self) -> Self {
        Self(self.0 - self.0.rem_euclid(1_000))
    }

    /// Reads RFC 3339 and nothing else; `None` if the text is not such a time. Digits beyond milliseconds are dropped; a
    /// leap second is the second before it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let number = |at: usize, length: usize| {
            let digit = |value: i64, byte: &u8| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0'));
            bytes.get(at..at + length)?.iter().try_fold(0_i64, digit)
        };
        let mark = |at: usize, marks: &[u8]| bytes.get(at).is_some_and(|byte| marks.contains(byte)).then_some(());
        let (year, month, day) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
        let (hour, minute, second) = (number(11, 2)?, number(14, 2)?, number(17, 2)?);
        for (at, marks) in [(4, b"--"), (7, b"--"), (10, b"Tt"), (13, b"::"), (16, b"::")] {
            mark(at, marks)?;
        }
        if day == 0 || day > days_in_month(year, month)? || hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let (mut at, mut millisecond) = (19, 0);
        if mark(at, b".").is_some() {
            let digits = bytes.get(20..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let kept = digits.min(3);
            millisecond = number(20, kept)? * [1, 100, 10, 1].get(kept)?;
            at = if digits == 0 { return None } else { 20 + digits };
        }
        let offset = if mark(at, b"Zz").is_some() {
            at += 1;
            0
        } else {
            mark(at, b"+-")?;
            mark(at + 3, b":")?;
            let (hours, minutes) = (number(at + 1, 2)?, number(at + 4, 2)?);
            let minutes = (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)?;
            at += 6;
            if bytes.get(at - 6) == Some(&b'-') { -minutes } else { minutes }
        };
        let minutes = (days_since_1970(year, month, day) * 24 + hour) * 60 + minute - offset;
        (at == bytes.len()).then_some(Self((minutes * 60 + second.min(59)) * 1000 + millisecond))
    }

    /// Milliseconds from `earlier` to this, negative if this is the earlier one.
    #[must_use]
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// This time and `milliseconds` more.
    #[must_use]
    pub const fn plus(self, milliseconds: i64) -> Self {
        Self(self.0.saturating_add(milliseconds))
    }
}

fn days_in_month(year: i64, month: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 => Some(if leap { 29 } else { 28 }),
        _ => None,
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, for years from 0 on.
const fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    // Years are counted from March, so that the leap day is the last of its year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (153 * month + 2) / 5 + day - 719_469
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(time) => write!(f, "{time:.3}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { serializer.serialize_i64(self.0) }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            Self::parse(&text).ok_or_else(|| serde::de::Error::custom("expected an RFC 3339 time"))
        } else {
            i64::deserialize(deserializer).map(Self)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rfc_3339_and_nothing_else() {
        for (text, time) in [
            ("1970-01-01T00:00:01.5Z", 1_500),
            ("1970-01-01t01:00:00+01:00", 0),
            ("1969-12-31T23:59:59.999999999z", -1),
            ("2000-02-29T00:00:00-00:30", 951_784_200_000),
            ("2016-12-31T23:59:60Z", 1_483_228_799_000),
            ("0000-01-01T00:00:00Z", -62_167_219_200_000),
            ("9999-12-31T23:59:59Z", 253_402_300_799_000),
        ] {
            assert_eq!(Timestamp::parse(text), Some(Timestamp(time)), "{text}");
        }
        for text in [
            "",
            "now",
            "1970-01-01",
            "1970-01-01T00:00:00",
            "1970-01-01 00:00:00Z",
            "1970-13-01T00:00:00Z",
            "1970-00-01T00:00:00Z",
            "1970-01-00T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "1970-01-01T24:00:00Z",
            "1970-01-01T00:60:00Z",
            "1970-01-01T00:00:61Z",
            "1970-01-01T00:00:00.Z",
            "1970-01-01T00:00:00,5Z",
            "1970-01-01T00:00Z",
            "1970-01-01T00:00:00+1",
            "1970-01-01T00:00:00+01",
            "1970-01-01T00:00:00+0100",
            "1970-01-01T00:00:00+24:00",
            "1970-01-01T00:00:00Z ",
            "1970-01-01T00:00:00Z[UTC]",
            "+1970-01-01T00:00:00Z",
            "197a-01-01T00:00:00Z",
            "1970-01-01T00:00:00\u{e9}",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
        assert_eq!(Timestamp(1500).to_string(), "1970-01-01T00:00:01.500Z");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(time in -62_167_219_200_000_i64..253_402_300_800_000, minutes in -1439_i32..1440) {
            let time = Timestamp(time);
            prop_assert_eq!(Timestamp::parse(&time.to_string()), Some(time));
            // In other zones, by a library that has its own arithmetic; only times that have four digits of year there.
            let zone = jiff::tz::TimeZone::fixed(jiff::tz::Offset::from_seconds(minutes * 60).unwrap());
            let zoned = jiff::Timestamp::from_millisecond(time.0).unwrap().to_zoned_datetime(zone);
            if (0..=9999).contains(&zoned.year()) {
                let text = zoned.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string();
                prop_assert_eq!(Timestamp::parse(&text), Some(time), "{}", text);
            }
        }

        #[test]
        fn no_text_does_harm(text in "[0-9]{0,4}-?[0-9]{2}-[0-9]{2}.[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{0,12})?(.|[+-][0-9]{2}:[0-9]{2})?") {
            if let Some(time) = Timestamp::parse(&text) {
                let theirs = text.parse::<jiff::Timestamp>().map(|time| time.as_millisecond().div_euclid(1));
                // The library rounds towards zero before 1970, and refuses what its range does not hold.
                prop_assert!(theirs.is_ok_and(|theirs| (theirs - time.0).abs() <= 1), "{}", text);
            }
        }
    }
}
