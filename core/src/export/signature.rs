//! The signature of a webhook's request, after Standard Webhooks 1.0: HMAC-SHA256 over identifier, time and body, so that a
//! receiver can tell who sent it, that nothing was changed, and that it is not an old one sent again.
//!
//! Headers: `webhook-id`, `webhook-timestamp` (seconds since 1970), `webhook-signature` (`v1,` and Base64). What is signed
//! is `ID.TIMESTAMP.BODY`. A receiver refuses timestamps that are more than a few minutes off, and remembers the IDs of
//! that time.

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// Bytes below which a key is weaker than the hash (Standard Webhooks asks for 24 to 64).
pub const KEY_BYTES: usize = 24;

/// The key.
pub struct SigningKey(hmac::Key);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey")
    }
}

/// The text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Nothing in it.
    #[error("it is empty")]
    Empty,
    /// Too short.
    #[error(
        "the key has {0} bytes; expected at least {KEY_BYTES}. Make one: printf 'whsec_%s' \"$(openssl rand -base64 32)\""
    )]
    Short(usize),
    /// Begins with `whsec_` and does not go on in Base64.
    #[error("what follows `whsec_` is no Base64")]
    NotBase64,
}

impl SigningKey {
    /// Reads a key: `whsec_` and Base64 as in Standard Webhooks, or any other text, whose bytes are the key.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        let bytes = match text.strip_prefix("whsec_") {
            Some(encoded) => STANDARD.decode(encoded).map_err(|_| KeyError::NotBase64)?,
            None => text.as_bytes().to_vec(),
        };
        match bytes.len() {
            0 => Err(KeyError::Empty),
            short if short < KEY_BYTES => Err(KeyError::Short(short)),
            _ => Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes))),
        }
    }

    /// The value of `webhook-signature`.
    #[must_use]
    pub fn sign(&self, id: &str, seconds: i64, body: &[u8]) -> String {
        let mut signed = format!("{id}.{seconds}.").into_bytes();
        signed.extend_from_slice(body);
        format!("v1,{}", STANDARD.encode(hmac::sign(&self.0, &signed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_other_implementations() {
        // The example of the specification's reference libraries.
        let key = SigningKey::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
        let signature = key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        // printf 1.2.x | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef -binary | base64
        let key = SigningKey::parse("0123456789abcdef0123456789abcdef").unwrap();
        assert_eq!(key.sign("1", 2, b"x"), "v1,zS4Z/hz3udD6g5/6YTqOn0TrJoIRs5R2h1Fdbnisjf4=");
        assert_eq!(format!("{key:?}"), "SigningKey");
    }

    #[test]
    fn weak_keys_are_refused() {
        let error = |text| SigningKey::parse(text).unwrap_err();
        assert_eq!(error(" \n"), KeyError::Empty);
        assert_eq!(error("whsec_"), KeyError::Empty);
        assert_eq!(error("secret"), KeyError::Short(6));
        assert_eq!(error("whsec_c2VjcmV0"), KeyError::Short(6));
        assert_eq!(error("whsec_*"), KeyError::NotBase64);
    }
}
