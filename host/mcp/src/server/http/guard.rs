//! Who may ask: under which name, from which page, with which token.
//!
//! # Security
//! A web page can send requests to loopback and, by making its own name lead there, read the answers. So
//! the name a request is for (`Host`) and the page it comes from (`Origin`) have to be this server's own,
//! and that is checked before everything else. Other processes of the machine are kept out by the token.

use std::fmt;

use http::header::{AUTHORIZATION, HOST, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use ring::hmac;

/// The fewest characters of a token: those of 128 bits.
const FEWEST: usize = 22;
/// The most characters of a token.
const MOST: usize = 512;

/// What every request has to bear. Neither `Debug` nor anything else shows it.
pub struct Token {
    key: hmac::Key,
    tag: hmac::Tag,
}

/// Why a text is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// It could be guessed, or is too long for a header.
    #[error("a token has {FEWEST} to {MOST} characters, and this one has {length}")]
    Length {
        /// How many it has.
        length: usize,
    },
    /// It cannot stand in a header.
    #[error("a token has letters, digits and `-._~+/=` only")]
    Characters,
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    NoRandom,
}

impl Token {
    /// Reads a token.
    ///
    /// # Errors
    /// [`TokenError`] when it is too short, or cannot stand in a header.
    pub fn new(text: &str) -> Result<Self, TokenError> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        if !text.bytes().all(fits) {
            return Err(TokenError::Characters);
        }
        if !(FEWEST..=MOST).contains(&text.len()) {
            return Err(TokenError::Length { length: text.len() });
        }
        let random = ring::rand::SystemRandom::new();
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &random);
        let key = key.map_err(|_| TokenError::NoRandom)?;
        let tag = hmac::sign(&key, text.as_bytes());
        Ok(Self { key, tag })
    }

    /// Returns a token nobody can guess, and its text, which is not to be had again.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn generate() -> Result<(Self, String), TokenError> {
        let text = random_text().ok_or(TokenError::NoRandom)?;
        Ok((Self::new(&text)?, text))
    }

    /// Tells whether `given` is the token, in a time that does not depend on how much of it is right.
    fn is(&self, given: &[u8]) -> bool {
        hmac::verify(&self.key, given, self.tag.as_ref()).is_ok()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Returns 256 random bits as text; nothing when the system has none.
pub(super) fn random_text() -> Option<String> {
    use base64::Engine as _;
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).ok()?;
    Some(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes))
}

/// Refuses whoever may not ask.
///
/// # Errors
/// The status, and why.
pub(super) fn check(
    parts: &Parts,
    token: &Token,
    hosts: &[String],
) -> Result<(), (StatusCode, &'static str)> {
    let Ok(Some(named)) = one(&parts.headers, &HOST) else {
        return Err((StatusCode::BAD_REQUEST, "a request names one `Host`"));
    };
    let absolute = parts.uri.authority().map(http::uri::Authority::as_str);
    if !known(named, hosts) || !absolute.is_none_or(|absolute| known(absolute, hosts)) {
        return Err((StatusCode::FORBIDDEN, "this server is not called what `Host` says"));
    }
    match one(&parts.headers, &ORIGIN) {
        Ok(None) => {}
        Ok(Some(origin)) if of_known(origin, hosts) => {}
        _ => return Err((StatusCode::FORBIDDEN, "no page of that `Origin` may ask here")),
    }
    let given = one(&parts.headers, &AUTHORIZATION).ok().flatten().and_then(bearer);
    if !given.is_some_and(|given| token.is(given.as_bytes())) {
        return Err((
            StatusCode::UNAUTHORIZED,
            "the token in `Authorization: Bearer …` is not the one of this server",
        ));
    }
    Ok(())
}

/// Returns the value of a header that may stand once.
fn one<'h>(headers: &'h HeaderMap, name: &http::HeaderName) -> Result<Option<&'h str>, ()> {
    let mut values = headers.get_all(name).iter();
    let first = values.next().map(|value| value.to_str().map_err(|_| ())).transpose()?;
    if values.next().is_some() { Err(()) } else { Ok(first) }
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_matches(' '))
}

/// Tells whether `authority`, a name with or without a port, is a name of this server.
fn known(authority: &str, hosts: &[String]) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    ["localhost", "127.0.0.1", "[::1]"].iter().any(|name| host.eq_ignore_ascii_case(name))
        || hosts.iter().any(|name| host.eq_ignore_ascii_case(name))
}

/// Tells whether a page's origin is this server, under whatever port.
fn of_known(origin: &str, hosts: &[String]) -> bool {
    let rest = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    rest.is_some_and(|authority| known(authority, hosts))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdefghijkl";

    fn verdict(headers: &[(&str, &str)], hosts: &[&str]) -> u16 {
        let mut request = http::Request::post("/mcp");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let hosts: Vec<_> = hosts.iter().map(|name| (*name).to_owned()).collect();
        check(&parts, &Token::new(TOKEN).unwrap(), &hosts)
            .map_or_else(|(status, _)| status.as_u16(), |()| 200)
    }

    #[test]
    fn a_name_that_is_not_this_servers_is_refused_whatever_the_token() {
        let bearer = ("authorization", &*format!("Bearer {TOKEN}"));
        for (host, expected) in [
            ("localhost", 200),
            ("LocalHost:8080", 200),
            ("127.0.0.1:1", 200),
            ("[::1]:1", 200),
            ("[::1]", 200),
            ("evil.example", 403),
            ("localhost.evil.example", 403),
            ("127.0.0.1.evil.example:80", 403),
            ("127.0.0.2", 403),
            ("evil.example:127.0.0.1", 403),
            ("user@localhost", 403),
            ("::1", 403),
            ("", 403),
        ] {
            assert_eq!(verdict(&[("host", host), bearer], &[]), expected, "{host}");
        }
        // The twin: the same name passes once the operator says that it is this server's.
        assert_eq!(verdict(&[("host", "evil.example"), bearer], &["evil.example"]), 200);
        assert_eq!(verdict(&[bearer], &[]), 400);
        assert_eq!(verdict(&[("host", "localhost"), ("host", "localhost"), bearer], &[]), 400);
    }

    #[test]
    fn a_page_of_another_origin_is_refused_whatever_the_token() {
        let bearer = ("authorization", &*format!("Bearer {TOKEN}"));
        for (origin, expected) in [
            ("http://localhost:3000", 200),
            ("https://127.0.0.1", 200),
            ("http://evil.example", 403),
            ("http://localhost.evil.example", 403),
            ("null", 403),
            ("file://", 403),
            ("", 403),
            ("ftp://localhost", 403),
        ] {
            assert_eq!(
                verdict(&[("host", "localhost"), ("origin", origin), bearer], &[]),
                expected,
                "{origin}"
            );
        }
        let named = [("host", "localhost"), ("origin", "http://evil.example"), bearer];
        assert_eq!(verdict(&named, &["evil.example"]), 200);
    }

    #[test]
    fn only_the_whole_token_opens() {
        for (value, expected) in [
            (format!("Bearer {TOKEN}"), 200),
            (format!("bearer  {TOKEN} "), 200),
            (format!("Bearer {}", &TOKEN[1..]), 401),
            (format!("Bearer {TOKEN}x"), 401),
            (format!("Basic {TOKEN}"), 401),
            (TOKEN.to_owned(), 401),
            ("Bearer ".to_owned(), 401),
            (String::new(), 401),
        ] {
            let given = [("host", "localhost"), ("authorization", &*value)];
            assert_eq!(verdict(&given, &[]), expected, "{value}");
        }
        assert_eq!(verdict(&[("host", "localhost")], &[]), 401);
        let twice = format!("Bearer {TOKEN}");
        let twice = [("host", "localhost"), ("authorization", &*twice), ("authorization", &*twice)];
        assert_eq!(verdict(&twice, &[]), 401);
    }

    #[test]
    fn a_token_that_could_be_guessed_is_none_and_no_token_is_shown() {
        assert_eq!(Token::new("short").unwrap_err(), TokenError::Length { length: 5 });
        assert_eq!(Token::new(&"ü".repeat(22)).unwrap_err(), TokenError::Characters);
        let (token, text) = Token::generate().unwrap();
        assert_eq!((text.len(), token.is(text.as_bytes())), (43, true));
        assert_eq!(format!("{token:?}"), "Token(…)");
        assert_ne!(text, Token::generate().unwrap().1);
    }
}
