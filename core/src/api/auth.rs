//! Who may write: bearer tokens of the configuration, known by their SHA-256 only.

use arc_swap::ArcSwap;
use aws_lc_rs::{constant_time, digest};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};

use super::problem::Problem;
use crate::{
    config::{Role, TokenConfig},
    model::Timestamp,
};

/// The tokens that open the API for writing.
#[derive(Debug)]
pub struct Tokens(ArcSwap<Vec<Token>>);

#[derive(Debug)]
struct Token {
    name: String,
    sha256: [u8; 32],
    role: Role,
    expires: Option<Timestamp>,
}

/// Who sent a request that was let through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Name of the token: what the histories show.
    pub name: String,
}

/// A digest of the configuration is none.
#[derive(Debug, thiserror::Error)]
#[error("api.tokens: `sha256` of token `{name}` is not a SHA-256 in 64 hexadecimal digits")]
pub struct BadTokenDigest {
    /// Name of the token.
    pub name: String,
}

impl Tokens {
    /// Reads the digests.
    pub fn new(tokens: &[TokenConfig]) -> Result<Self, BadTokenDigest> {
        let read = |token: &TokenConfig| {
            let sha256 = parse_sha256(&token.sha256).ok_or_else(|| BadTokenDigest { name: token.name.clone() })?;
            Ok(Token { name: token.name.clone(), sha256, role: token.role, expires: token.expires })
        };
        tokens.iter().map(read).collect::<Result<_, _>>().map(|tokens| Self(ArcSwap::from_pointee(tokens)))
    }

    /// Goes by other tokens from now on.
    pub fn replace(&self, tokens: &Self) {
        self.0.store(tokens.0.load_full());
    }

    /// Lets a request through if its token has at least this role now.
    pub fn authorise(&self, headers: &HeaderMap, least: Role, now: Timestamp) -> Result<Caller, Problem> {
        let tokens = self.0.load();
        let Some(presented) = bearer(headers) else {
            let role = role_word(least);
            let none = if tokens.is_empty() { "this manager has none yet; " } else { "" };
            return Err(unauthorised(
                "Bearer realm=\"qkdnm\"",
                format!(
                    "this needs a token with {}, sent as `Authorization: Bearer TOKEN`; {none}make one with `qkdnm \
                     token new --name me --role {role}`, which says what to add to the configuration",
                    if least == Role::Admin {
                        "the role admin".to_owned()
                    } else {
                        format!("at least the role {role}")
                    }
                ),
            ));
        };
        let invalid = "Bearer realm=\"qkdnm\", error=\"invalid_token\"";
        let Some(token) = find(&tokens, presented) else {
            let none = if tokens.is_empty() { "; it has none" } else { "" };
            return Err(unauthorised(
                invalid,
                format!("the token is not one of `api.tokens` in the manager's configuration{none}"),
            ));
        };
        if let Some(expired) = token.expires.filter(|expires| *expires <= now) {
            return Err(unauthorised(invalid, format!("the token `{}` expired at {expired}", token.name)));
        }
        if token.role < least {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "forbidden",
                "Not allowed",
                format!(
                    "the token `{}` has the role {}, this needs {}",
                    token.name,
                    role_word(token.role),
                    role_word(least)
                ),
            )
            .with_header(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"qkdnm\", error=\"insufficient_scope\""),
            ));
        }
        Ok(Caller { name: token.name.clone() })
    }
}

/// Compares with every token, so that the time taken says nothing about which one came close.
fn find<'a>(tokens: &'a [Token], presented: &str) -> Option<&'a Token> {
    let presented = digest::digest(&digest::SHA256, presented.as_bytes());
    tokens.iter().fold(None, |found, token| {
        let same = constant_time::verify_slices_are_equal(presented.as_ref(), &token.sha256).is_ok();
        if same { Some(token) } else { found }
    })
}

const fn role_word(role: Role) -> &'static str {
    match role {
        Role::Viewer => "viewer",
        Role::Operator => "operator",
        Role::Admin => "admin",
    }
}

fn unauthorised(challenge: &'static str, detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "Not authorised", detail)
        .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
}

/// Whether a request brings a token, right or wrong.
#[must_use]
pub fn presents_token(headers: &HeaderMap) -> bool {
    bearer(headers).is_some()
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn parse_sha256(hex: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if hex.len() != 64 || !hex.is_ascii() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    hex.bytes().all(|digit| digit.is_ascii_hexdigit()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SHA-256 of `abc`, from FIPS 180-2.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn tokens(role: Role, expires: Option<Timestamp>) -> Tokens {
        Tokens::new(&[TokenConfig { name: "ops".into(), sha256: ABC.into(), role, expires }]).unwrap()
    }

    fn headers(value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_static(value))])
    }

    #[test]
    fn the_right_token_is_its_name() {
        let tokens = tokens(Role::Operator, Some(Timestamp(10)));
        for value in ["Bearer abc", "bearer abc", "BEARER abc "] {
            let caller = tokens.authorise(&headers(value), Role::Operator, Timestamp(9)).unwrap();
            assert_eq!(caller.name, "ops");
        }
        for value in ["Bearer abcd", "Bearer ", "Basic abc", "abc"] {
            assert!(tokens.authorise(&headers(value), Role::Operator, Timestamp(9)).is_err(), "{value}");
        }
        assert!(tokens.authorise(&headers("Bearer abc"), Role::Operator, Timestamp(10)).is_err(), "expired");
        assert!(tokens.authorise(&headers("Bearer abc"), Role::Admin, Timestamp(9)).is_err(), "role");
    }

    #[test]
    fn who_has_no_token_is_told_which_one_to_make() {
        let said = |problem: Problem| problem.detail().to_owned();
        let without = tokens(Role::Admin, None).authorise(&HeaderMap::new(), Role::Operator, Timestamp(0)).unwrap_err();
        let text = said(without);
        assert!(text.starts_with("this needs a token with at least the role operator"), "{text}");
        assert!(text.contains("`qkdnm token new --name me --role operator`"), "{text}");
        let none = Tokens::new(&[]).unwrap();
        let text = said(none.authorise(&HeaderMap::new(), Role::Admin, Timestamp(0)).unwrap_err());
        assert!(text.contains("the role admin") && text.contains("this manager has none yet"), "{text}");
        let text = said(none.authorise(&headers("Bearer abc"), Role::Viewer, Timestamp(0)).unwrap_err());
        assert!(text.ends_with("it has none"), "{text}");
    }

    #[test]
    fn a_digest_that_is_none_is_named() {
        for sha256 in ["", "ba78", &ABC.replace('b', "g"), &ABC.replace("ba", "+a"), &"ü".repeat(32)] {
            let config = TokenConfig { name: "ops".into(), sha256: sha256.into(), role: Role::Admin, expires: None };
            assert!(Tokens::new(&[config]).unwrap_err().to_string().contains("`ops`"), "{sha256}");
        }
    }
}
