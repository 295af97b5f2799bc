//! Numbers of a JSON text: exactly the double that is nearest to what is written.

use super::{Broken, Scanner};

/// Powers of ten that a double holds exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];
/// Integers up to here are doubles exactly.
const EXACT: u64 = 1 << 53;
/// So many digits fit a `u64` whatever they are.
const DIGITS: usize = 19;

/// The parts of a number, as far as a `u64` holds them.
struct Parts {
    negative: bool,
    /// All digits in one; good if `digits` is at most [`DIGITS`].
    mantissa: u64,
    digits: usize,
    /// How many of them stand after the point.
    fraction: usize,
    exponent: bool,
}

impl Scanner<'_> {
    /// Takes a number; the scanner stands at its first character.
    pub(crate) fn number(&mut self) -> Result<f64, Broken> {
        let start = self.at;
        let parts = self.parts()?;
        let Some(power) = POWERS.get(parts.fraction) else { return Ok(self.nearest(start)) };
        if parts.exponent || parts.digits > DIGITS || parts.mantissa > EXACT {
            return Ok(self.nearest(start));
        }
        // Both operands are exact, so the one rounding of the division gives the nearest double.
        let mantissa = parts.mantissa as f64;
        let magnitude = if parts.fraction == 0 { mantissa } else { mantissa / power };
        Ok(if parts.negative { -magnitude } else { magnitude })
    }

    /// Takes a number: the integer that it is, if it is one of 0 to 2^64-1.
    pub(crate) fn integer(&mut self) -> Result<Option<u64>, Broken> {
        let start = self.at;
        let parts = self.parts()?;
        if parts.negative || parts.exponent || parts.fraction > 0 || parts.digits > DIGITS {
            self.nearest(start);
            return Ok(exact_integer(self.slice(start, self.at)));
        }
        Ok(Some(parts.mantissa))
    }

    fn parts(&mut self) -> Result<Parts, Broken> {
        let negative = self.byte() == Some(b'-');
        if negative {
            self.at += 1;
        }
        let leading_zero = self.byte() == Some(b'0');
        let (mut digits, mut mantissa) = self.digits(0)?;
        if leading_zero && digits > 1 {
            return self.broken("a number must not start with 0");
        }
        let mut fraction = 0;
        if self.byte() == Some(b'.') {
            self.at += 1;
            (fraction, mantissa) = self.digits(mantissa)?;
            digits += fraction;
        }
        let exponent = matches!(self.byte(), Some(b'e' | b'E'));
        if exponent {
            self.at += 1;
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits(0)?;
        }
        Ok(Parts { negative, mantissa, digits, fraction, exponent })
    }

    /// The number from `start` to here, by the library; notes one that is out of range.
    #[cold]
    fn nearest(&mut self, start: usize) -> f64 {
        let value: f64 = self.slice(start, self.at).parse().unwrap_or(f64::INFINITY);
        if !value.is_finite() {
            self.note(start, "a number out of the range of a double");
        }
        value
    }

    /// Takes at least one digit: how many, and `before` continued by them (good for up to [`DIGITS`] in all).
    fn digits(&mut self, before: u64) -> Result<(usize, u64), Broken> {
        let (bytes, mut at, mut value) = (self.text.as_bytes(), self.at, before);
        while let Some(digit @ 0..=9) = bytes.get(at).map(|byte| byte.wrapping_sub(b'0')) {
            value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
            at += 1;
        }
        let count = at - self.at;
        self.at = at;
        if count == 0 { self.broken("expected a digit") } else { Ok((count, value)) }
    }
}

/// The integer that a JSON number is, however it is written (`5`, `5.0`, `50e-1`), if it is one of 0 to 2^64-1.
fn exact_integer(number: &str) -> Option<u64> {
    let magnitude = number.strip_prefix('-').unwrap_or(number);
    let (decimal, exponent) = match magnitude.split_once(['e', 'E']) {
        Some((decimal, exponent)) => (decimal, exponent.parse::<i64>().ok()),
        None => (magnitude, Some(0)),
    };
    let (whole, fraction) = decimal.split_once('.').unwrap_or((decimal, ""));
    let fraction = fraction.trim_end_matches('0');
    let digits = || whole.bytes().chain(fraction.bytes()).map(|byte| u64::from(byte.wrapping_sub(b'0')));
    if digits().all(|digit| digit == 0) {
        return Some(0);
    }
    // The number is `digits` times ten to the power of `shift`.
    let shift = exponent?.checked_sub(i64::try_from(fraction.len()).ok()?)?;
    let dropped = usize::try_from(shift.checked_neg()?.max(0)).ok()?;
    let kept = (whole.len() + fraction.len()).checked_sub(dropped)?;
    if number.starts_with('-') || digits().skip(kept).any(|digit| digit != 0) {
        return None;
    }
    let value = digits().take(kept).try_fold(0_u64, |value, digit| value.checked_mul(10)?.checked_add(digit))?;
    10_u64.checked_pow(u32::try_from(shift.max(0)).ok()?)?.checked_mul(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<(f64, usize, bool), Broken> {
        let mut scanner = Scanner::new(text);
        let value = scanner.number()?;
        Ok((value, scanner.position(), scanner.error().is_some()))
    }

    #[test]
    fn grammar() {
        for good in
            ["0", "-0", "1", "10", "1.5", "-1.50", "1e5", "1E+5", "1e-5", "0.1e1", "123456789012345678901234567890"]
        {
            assert_eq!(read(good).unwrap(), (good.parse().unwrap(), good.len(), false), "{good}");
        }
        for bad in ["-", ".5", "1.", "1.e5", "1e", "1e+", "01", "-01", "+1", "e5"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn range_of_a_double() {
        assert_eq!(read("1e308").unwrap(), (1e308, 5, false));
        assert_eq!(read("1e-400").unwrap(), (0.0, 6, false), "too small is zero, as everywhere");
        for beyond in ["1e309", "-1e309", "1e999999999999999999999", &"9".repeat(310)] {
            assert!(read(beyond).unwrap().2, "{beyond}");
        }
    }

    #[test]
    fn integers_by_value() {
        for (text, value) in [
            ("0", Some(0)),
            ("-0", Some(0)),
            ("0e999999999999999999999", Some(0)),
            ("5", Some(5)),
            ("5.0", Some(5)),
            ("5e0", Some(5)),
            ("50e-1", Some(5)),
            ("0.5e1", Some(5)),
            ("5.000000000000000000000000000000", Some(5)),
            ("5e3", Some(5000)),
            ("9007199254740993", Some(9_007_199_254_740_993)),
            ("9007199254740991.4", None),
            ("5.5", None),
            ("5e-1", None),
            ("-5", None),
            ("1e30", None),
            ("1e-99999999999999999999", None),
            ("1e99999999999999999999", None),
        ] {
            assert_eq!(exact_integer(text), value, "{text}");
        }
    }

    proptest! {
        #[test]
        fn nearest_double(text in r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?") {
            let (value, length, beyond) = read(&text).unwrap();
            let expected: f64 = text.parse().unwrap();
            prop_assert_eq!(value.to_bits(), expected.to_bits());
            prop_assert_eq!(length, text.len());
            prop_assert_eq!(beyond, expected.is_infinite());
        }

        #[test]
        fn written_doubles_come_back(value in any::<f64>().prop_filter("finite", |value| value.is_finite())) {
            prop_assert_eq!(read(&serde_json::to_string(&value).unwrap()).unwrap().0.to_bits(), value.to_bits());
        }

        #[test]
        fn written_integers_come_back(value in any::<u64>(), small in 0_u64..1000) {
            for value in [value, small] {
                let text = value.to_string();
                prop_assert_eq!(exact_integer(&text), Some(value));
                prop_assert!(matches!(Scanner::new(&text).integer(), Ok(Some(read)) if read == value));
            }
        }
    }
}
