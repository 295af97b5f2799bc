//! Strings of a JSON text: borrowed where they are written plainly, built where they hold escapes.

use std::borrow::Cow;

use super::{Broken, Scanner};

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGH: u64 = ONES << 7;

impl<'l> Scanner<'l> {
    /// Takes a string; the scanner stands at its opening quote.
    pub(crate) fn string(&mut self) -> Result<Cow<'l, str>, Broken> {
        if self.byte() != Some(b'"') {
            return self.broken("expected a string");
        }
        let start = self.at + 1;
        self.at = plain_end(self.text.as_bytes(), start);
        match self.byte() {
            Some(b'"') => {
                let text = self.slice(start, self.at);
                self.at += 1;
                Ok(Cow::Borrowed(text))
            }
            Some(b'\\') => self.escaped(start).map(Cow::Owned),
            _ => self.broken_string(),
        }
    }

    fn broken_string<T>(&mut self) -> Result<T, Broken> {
        match self.byte() {
            Some(_) => self.broken("a control character in a string must be escaped"),
            None => self.broken("the line ends inside a string"),
        }
    }

    #[cold]
    fn escaped(&mut self, start: usize) -> Result<String, Broken> {
        let mut text = self.slice(start, self.at).to_owned();
        loop {
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => text.push(self.escape()?),
                _ => return self.broken_string(),
            }
            let start = self.at;
            self.at = plain_end(self.text.as_bytes(), start);
            text.push_str(self.slice(start, self.at));
        }
    }

    /// Takes one escape, or two that make a surrogate pair.
    fn escape(&mut self) -> Result<char, Broken> {
        let at = self.at;
        self.at += 1;
        let plain = match self.byte() {
            Some(b'u') => {
                self.at += 1;
                return self.unicode_escape(at);
            }
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            _ => return self.broken("unknown escape in a string"),
        };
        self.at += 1;
        Ok(plain)
    }

    fn unicode_escape(&mut self, at: usize) -> Result<char, Broken> {
        let unit = self.hex4()?;
        if let Some(scalar) = char::from_u32(unit) {
            return Ok(scalar);
        }
        let after = self.at;
        if (0xd800..0xdc00).contains(&unit) && self.take(b"\\u") {
            let low = self.hex4()?;
            if (0xdc00..0xe000).contains(&low) {
                let scalar = 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                return Ok(char::from_u32(scalar).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = after;
        }
        self.note(at, "a lone surrogate in a string");
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn hex4(&mut self) -> Result<u32, Broken> {
        let mut unit = 0;
        for _ in 0..4 {
            let Some(digit) = self.byte().and_then(|byte| char::from(byte).to_digit(16)) else {
                return self.broken("expected four hexadecimal digits after `\\u`");
            };
            unit = unit * 16 + digit;
            self.at += 1;
        }
        Ok(unit)
    }
}

/// Offset of the first quote, backslash or control character from `at` on; eight bytes at a time.
fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(Ok(eight)) = bytes.get(at..at + 8).map(<[u8; 8]>::try_from) {
        let word = u64::from_le_bytes(eight);
        // In each of these the lowest byte with its high bit set is the first byte that matches.
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let (quotes, backslashes) = (word ^ (ONES * u64::from(b'"')), word ^ (ONES * u64::from(b'\\')));
        let quote = quotes.wrapping_sub(ONES) & !quotes;
        let backslash = backslashes.wrapping_sub(ONES) & !backslashes;
        let found = (control | quote | backslash) & HIGH;
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while bytes.get(at).is_some_and(|&byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(String, bool), &'static str> {
        let mut scanner = Scanner::new(text);
        let string = scanner.string();
        let why = scanner.error().map(|error| error.what);
        Ok((string.map_err(|Broken| why.unwrap_or_default())?.into_owned(), why.is_some()))
    }

    #[test]
    fn plain_strings_are_borrowed() {
        for text in
            ["", "a", "1234567", "12345678", "a much longer string, with words", "Zürich é 中文 \u{1f600}\u{7f}"]
        {
            let quoted = format!("\"{text}\"");
            assert!(matches!(Scanner::new(&quoted).string(), Ok(Cow::Borrowed(read)) if read == text), "{text}");
        }
    }

    #[test]
    fn every_special_byte_is_found_at_every_place() {
        for special in [b'"', b'\\', 0, 0x1f] {
            for place in 0..20 {
                let mut bytes = vec![b'\x80'; 20];
                bytes[place] = special;
                assert_eq!(plain_end(&bytes, 0), place);
            }
        }
        for plain in [0x20, 0x21, 0x23, 0x5b, 0x5d, 0x7f, 0x80, 0xa2, 0xdc, 0xff] {
            assert_eq!(plain_end(&[plain; 20], 0), 20, "{plain:#x}");
        }
    }

    #[test]
    fn escapes_and_surrogates() {
        assert_eq!(read(r#""\"\\\/\b\f\n\r\t\u006bey""#), Ok(("\"\\/\u{8}\u{c}\n\r\tkey".into(), false)));
        assert_eq!(read(r#""\ud83d\ude00 \uD83D\uDE00""#), Ok(("\u{1f600} \u{1f600}".into(), false)));
        for lone in [r#""\ud83d""#, r#""\ude00x""#, r#""\ud83d\u0041""#, r#""\ud83d\ud83d\ude00""#, r#""\udfff\ud800""#]
        {
            assert!(read(lone).unwrap().1, "{lone}");
        }
        assert_eq!(read(r#""\ud83d\u0041""#).unwrap().0, "\u{fffd}A");
        for broken in [r#""\x""#, r#""\u12"#, r#""\u12g4""#, "\"a\nb\"", "\"abc", "\"\\", "x", "\"\\u+123\""] {
            assert!(read(broken).is_err(), "{broken}");
        }
    }
}
