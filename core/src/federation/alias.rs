//! Aliases for the names of links: made with a key that both ends have, so that both make the same and nobody else does.
//!
//! In: the key, the federation's name, the link's. Out: a name that says nothing. The key never reaches a policy.

use std::fmt::Write as _;

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};

/// Least bytes of a key.
pub const LEAST_KEY: usize = 32;
/// Bytes of an alias: enough that no two links of a federation share one, and few enough for a name.
const BYTES: usize = 12;

/// The key in a file: its text without white space around it.
///
/// # Errors
/// If it is too short to be one.
pub fn key(file: &[u8]) -> Result<Key, String> {
    let bytes = file.trim_ascii();
    if bytes.len() < LEAST_KEY {
        return Err(format!(
            "it has {} bytes, and a key has {LEAST_KEY} at least; `openssl rand -hex 32` makes one",
            bytes.len()
        ));
    }
    Ok(Key::new(HMAC_SHA256, bytes))
}

/// What a link is called instead.
#[must_use]
pub fn alias(key: &Key, federation: &str, link: &str) -> String {
    // Lengths before texts: no two pairs of names are written alike.
    let text = format!("qkdn link alias\n{} {federation}\n{} {link}", federation.len(), link.len());
    let mut alias = "alias-".to_owned();
    for byte in sign(key, text.as_bytes()).as_ref().iter().take(BYTES) {
        let _ = write!(alias, "{byte:02x}");
    }
    alias
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::disclosure::is_name;

    #[test]
    fn both_ends_make_the_same_and_nobody_else_does() {
        let [ours, theirs, other] = [
            "0123456789abcdef0123456789abcdef",
            " 0123456789abcdef0123456789abcdef\n",
            "another key, as long as the first",
        ]
        .map(|text| key(text.as_bytes()).unwrap());
        let alias = |key: &Key, link: &str| alias(key, "european-qkd", link);
        assert_eq!(alias(&ours, "vienna-brno"), alias(&theirs, "vienna-brno"));
        assert!(is_name(&alias(&ours, "vienna-brno")), "{}", alias(&ours, "vienna-brno"));
        assert_ne!(alias(&ours, "vienna-brno"), alias(&other, "vienna-brno"));
        assert_ne!(alias(&ours, "vienna-brno"), alias(&ours, "vienna-graz"));
        assert!(key(b"short").unwrap_err().contains("32"));
    }
}
