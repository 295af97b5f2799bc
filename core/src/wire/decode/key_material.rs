//! Key material must not travel on a management interface: which object keys would carry it, and where they stood.

use crate::wire::json::{Broken, Scanner};

/// Most paths reported of one message.
pub const MOST_OFFENCES: usize = 16;
/// Longest path reported, in bytes; a longer one is cut.
const PATH_BYTES: usize = 256;

/// Names of key material, in lower case without `_` and `-`.
const NAMES: [&str; 7] = ["key", "keys", "keyvalue", "keydata", "keymaterial", "keycontainer", "secretkey"];

/// Why a report is refused that has key material at this place of it (PROTOCOL.md, "Key material").
#[must_use]
pub fn refusal_at(path: &str) -> String {
    format!("{path}: looks like key material, which never travels on a management interface")
}

/// Whether an object key names key material, ignoring case, `_` and `-`.
#[must_use]
pub fn is_key_name(key: &str) -> bool {
    // Nearly every key ends here: only these can begin such a name. Letters beyond ASCII may have a lower case in it.
    let Some(b'k' | b'K' | b's' | b'S' | b'_' | b'-' | 0x80..) = key.bytes().next() else { return false };
    let letters = || key.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase);
    NAMES.iter().any(|name| letters().eq(name.chars()))
}

/// The path of the object key that stands at offset `offence` of a message, such as `extension[0].values.key_data`.
/// Slow, and only for messages that are refused.
pub(super) fn path_of(text: &str, offence: usize) -> String {
    let mut path = String::new();
    let mut scanner = Scanner::new(text);
    let _ = descend(&mut scanner, offence, &mut path);
    if path.len() > PATH_BYTES {
        let end = (0..=PATH_BYTES).rev().find(|&end| path.is_char_boundary(end)).unwrap_or(0);
        path.truncate(end);
        path.push_str("...");
    }
    path
}

/// Walks one value; true, with the path complete, once the key at `offence` has been met.
fn descend(scanner: &mut Scanner<'_>, offence: usize, path: &mut String) -> Result<bool, Broken> {
    let (before, mut first) = (path.len(), true);
    match scanner.peek() {
        Some(b'{') => {
            scanner.enter()?;
            while scanner.next_member(&mut first)? {
                let at = scanner.position();
                let key = scanner.string()?;
                scanner.colon()?;
                if before > 0 {
                    path.push('.');
                }
                path.push_str(&key);
                if at == offence || descend(scanner, offence, path)? {
                    return Ok(true);
                }
                path.truncate(before);
            }
            scanner.leave();
        }
        Some(b'[') => {
            scanner.enter()?;
            let mut index = 0_usize;
            while scanner.next_element(&mut first)? {
                path.push_str(&format!("[{index}]"));
                if descend(scanner, offence, path)? {
                    return Ok(true);
                }
                path.truncate(before);
                index += 1;
            }
            scanner.leave();
        }
        Some(b'"') => drop(scanner.string()?),
        Some(b'-' | b'0'..=b'9') => drop(scanner.number()?),
        _ => drop(scanner.literal()?),
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Catalogue;

    #[test]
    fn names_ignore_case_and_separators() {
        for name in [
            "key",
            "KEY",
            "Key_",
            "-k-e-y-",
            "keys",
            "key_value",
            "keyData",
            "KEY-MATERIAL",
            "key_container",
            "Secret_Key",
        ] {
            assert!(is_key_name(name), "{name}");
        }
        assert!(is_key_name("\u{212a}ey"), "the Kelvin sign is a k in lower case");
        for name in [
            "",
            "_",
            "ke",
            "keyid",
            "key_ID",
            "monkey",
            "secret",
            "secretkeys",
            "keyx",
            "ke y",
            "s",
            "schlüssel",
            "ключ",
        ] {
            assert!(!is_key_name(name), "{name}");
        }
    }

    #[test]
    fn no_name_of_the_catalogue_offends() {
        let catalogue = Catalogue::get();
        let performance = catalogue.performance.iter().map(|value| &value.name);
        let state = catalogue.state.iter().map(|value| &value.name);
        let inventory = catalogue.inventory.iter().map(|value| &value.name);
        for name in performance.chain(state).chain(inventory) {
            assert!(!is_key_name(name), "{name}");
        }
    }

    #[test]
    fn paths() {
        let text = r#"{"a":[{"key":1},{"b":{"\u006bey":"x"}}],"key":"y"}"#;
        assert_eq!(path_of(text, text.find(r#""\u"#).unwrap()), "a[1].b.key");
        assert_eq!(path_of(text, text.rfind(r#""key""#).unwrap()), "key");
        let long = format!(r#"{{"{}":{{"key":"x"}}}}"#, "é".repeat(500));
        assert!(path_of(&long, long.find(r#""key""#).unwrap()).len() < 300);
    }
}
