//! The subject of a certificate as text (RFC 4514), for people and for `identity = { subject = "..." }`.
//!
//! Most specific part first, as RFC 4514 has it: `CN=km-1,O=Acme,C=AT`. Pure.

use std::fmt::Write as _;

use x509_parser::x509::{AttributeTypeAndValue, X509Name};

/// Writes a name; attributes whose value is no text are written as `#` and the hex of their contents.
#[must_use]
pub fn rfc4514(name: &X509Name<'_>) -> String {
    let mut parts: Vec<String> =
        name.iter_rdn().map(|rdn| rdn.iter().map(attribute).collect::<Vec<_>>().join("+")).collect();
    parts.reverse();
    parts.join(",")
}

/// Brings what an operator wrote to the form that [`rfc4514`] writes, as far as it differs only in blanks around
/// separators and in the case of attribute types.
#[must_use]
pub fn normalized(text: &str) -> String {
    let mut parts = Vec::new();
    let mut part = String::new();
    let mut escaped = false;
    for c in text.chars() {
        if c == ',' && !escaped {
            parts.push(std::mem::take(&mut part));
        } else {
            part.push(c);
        }
        escaped = c == '\\' && !escaped;
    }
    parts.push(part);
    let parts: Vec<String> = parts
        .iter()
        .map(|part| match part.split_once('=') {
            Some((kind, value)) => format!("{}={}", kind.trim().to_ascii_uppercase(), trimmed(value)),
            None => part.trim().to_owned(),
        })
        .collect();
    parts.join(",")
}

/// Without blanks at both ends, except an escaped one at the end.
fn trimmed(value: &str) -> &str {
    let value = value.trim_start();
    let end = value.trim_end();
    if end.ends_with('\\') && end.len() < value.len() { value.get(..=end.len()).unwrap_or(end) } else { end }
}

fn attribute(attribute: &AttributeTypeAndValue<'_>) -> String {
    let oid = attribute.attr_type().to_id_string();
    let kind = short_name(&oid).unwrap_or(&oid);
    match attribute.as_str() {
        Ok(value) => format!("{kind}={}", escaped(value)),
        Err(_) => {
            let mut hex = String::new();
            for byte in attribute.as_slice() {
                let _ = write!(hex, "{byte:02x}");
            }
            format!("{kind}=#{hex}")
        }
    }
}

/// The attribute types of RFC 4514 section 3, and what is common besides.
fn short_name(oid: &str) -> Option<&'static str> {
    Some(match oid {
        "2.5.4.3" => "CN",
        "2.5.4.5" => "SERIALNUMBER",
        "2.5.4.6" => "C",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.9" => "STREET",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "0.9.2342.19200300.100.1.1" => "UID",
        "0.9.2342.19200300.100.1.25" => "DC",
        "1.2.840.113549.1.9.1" => "EMAILADDRESS",
        _ => return None,
    })
}

fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (at, c) in value.chars().enumerate() {
        match c {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => text.extend(['\\', c]),
            '#' if at == 0 => text.push_str("\\#"),
            ' ' if at == 0 || at == last => text.push_str("\\ "),
            // A subject goes to logs and audit lines: no control character gets there as itself.
            c if c.is_control() => {
                for byte in c.to_string().bytes() {
                    let _ = write!(text, "\\{byte:02X}");
                }
            }
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_characters_are_escaped() {
        assert_eq!(escaped("a,b+c"), "a\\,b\\+c");
        assert_eq!(escaped("#x "), "\\#x\\ ");
        assert_eq!(escaped("a\nb"), "a\\0Ab");
        assert_eq!(escaped(" "), "\\ ");
    }

    #[test]
    fn blanks_and_case_of_types_do_not_matter() {
        assert_eq!(normalized("cn=km-1, O = Acme Ltd , c=AT"), "CN=km-1,O=Acme Ltd,C=AT");
        assert_eq!(normalized("CN=a\\, b,O=c"), "CN=a\\, b,O=c");
        assert_eq!(normalized("CN=a\\ ,O=c"), "CN=a\\ ,O=c");
        assert_eq!(normalized(""), "");
    }
}
