//! What a target's answer means for what was sent.

use std::time::Duration;

use crate::model::Timestamp;

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It has arrived.
    Delivered,
    /// The target cannot now, or is not what was meant: everything waits and is sent again later.
    Later,
    /// The target does not want this very event: after some tries it is parked, so that the others get through.
    Refused,
}

/// Reads an HTTP status.
///
/// Of the client errors only those are a refusal of the event that are about its content. 401, 403, 404, 405, 407 and 410
/// are about the address or the credentials: they would hold for every event, and parking one after the other would empty
/// the outbox because of one mistake in a configuration. 408, 425 and 429 ask for another try. Redirects are not followed
/// (they could lead anywhere), and are a wrong address too.
#[must_use]
pub const fn verdict(status: u16) -> Verdict {
    match status {
        200..=299 => Verdict::Delivered,
        401 | 403 | 404 | 405 | 407 | 408 | 410 | 425 | 429 => Verdict::Later,
        400..=499 => Verdict::Refused,
        _ => Verdict::Later,
    }
}

/// Reads `Retry-After`: seconds, or a date of HTTP.
#[must_use]
pub fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    // HTTP's dates are those of mail, with the zone spelt GMT.
    let date = jiff::fmt::rfc2822::parse(value).ok()?;
    let wait = Timestamp(date.timestamp().as_millisecond()).since(now);
    Some(Duration::from_millis(u64::try_from(wait).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_content_is_refused_for_good() {
        for status in [200, 202, 204, 299] {
            assert_eq!(verdict(status), Verdict::Delivered, "{status}");
        }
        for status in [400, 406, 409, 411, 413, 415, 422, 451] {
            assert_eq!(verdict(status), Verdict::Refused, "{status}");
        }
        for status in [101, 301, 302, 308, 401, 403, 404, 405, 407, 408, 410, 425, 429, 500, 502, 503, 504] {
            assert_eq!(verdict(status), Verdict::Later, "{status}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = Timestamp::parse("2026-11-26T08:00:00Z").unwrap();
        assert_eq!(retry_after(" 120 ", now), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("Thu, 26 Nov 2026 08:01:30 GMT", now), Some(Duration::from_secs(90)));
        assert_eq!(retry_after("Thu, 26 Nov 2026 07:00:00 GMT", now), Some(Duration::ZERO));
        for text in ["", "soon", "-3", "1.5", "99999999999999999999999"] {
            assert_eq!(retry_after(text, now), None, "{text}");
        }
    }
}
