//! Which headers belong to the connection, and so to the host, and not to the guest.

use http::Method;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use wasmtime_wasi_http::DEFAULT_FORBIDDEN_HEADERS;

use super::rules::{Admitted, BodyRule, Reason};

/// Tells whether the header is the host's: it frames, routes or upgrades the connection.
pub(crate) fn is_forbidden(name: &HeaderName) -> bool {
    DEFAULT_FORBIDDEN_HEADERS.contains(name)
        || *name == header::TE
        || *name == header::TRAILER
        || *name == header::EXPECT
        || name.as_str().starts_with("proxy-")
}

/// Checks the guest's headers and returns the body length they declare, if any.
pub(super) fn check(headers: &HeaderMap, body: BodyRule) -> Result<Option<u64>, Reason> {
    if headers.contains_key(header::UPGRADE) || headers.contains_key(header::SEC_WEBSOCKET_KEY) {
        return Err(Reason::Upgrade);
    }
    if headers.contains_key(header::TRANSFER_ENCODING) && body == BodyRule::None {
        return Err(Reason::BodyOnRead);
    }
    // `Host` is replaced below instead: bindings of some languages set it without being asked.
    if headers.keys().any(|name| is_forbidden(name) && *name != header::HOST) {
        return Err(Reason::ForbiddenHeader);
    }
    let declared = declared_length(headers)?;
    if body == BodyRule::None && declared.is_some_and(|length| length > 0) {
        return Err(Reason::BodyOnRead);
    }
    Ok(declared)
}

/// Adds what the host knows better than the guest.
pub(super) fn complete(headers: &mut HeaderMap, admitted: &Admitted) -> Result<(), Reason> {
    let host = HeaderValue::try_from(admitted.authority()).map_err(|_| Reason::Uri)?;
    headers.insert(header::HOST, host);
    if admitted.body() == BodyRule::None {
        headers.remove(header::CONTENT_LENGTH);
    }
    Ok(())
}

/// Tells whether the method only reads.
pub(super) fn only_reads(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

fn declared_length(headers: &HeaderMap) -> Result<Option<u64>, Reason> {
    let mut all = headers.get_all(header::CONTENT_LENGTH).iter();
    let Some(length) = all.next() else { return Ok(None) };
    let digits = length.as_bytes();
    if all.next().is_some() || digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Reason::ContentLength);
    }
    let length = length.to_str().ok().and_then(|text| text.parse().ok());
    length.map(Some).ok_or(Reason::ContentLength)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let line = |(name, value): &(&str, &str)| {
            (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap())
        };
        lines.iter().map(line).collect()
    }

    #[test]
    fn headers_of_the_connection_are_refused() {
        for (name, value, reason) in [
            ("upgrade", "websocket", Reason::Upgrade),
            ("sec-websocket-key", "x", Reason::Upgrade),
            ("connection", "close", Reason::ForbiddenHeader),
            ("keep-alive", "1", Reason::ForbiddenHeader),
            ("proxy-authorization", "x", Reason::ForbiddenHeader),
            ("proxy-anything", "x", Reason::ForbiddenHeader),
            ("transfer-encoding", "chunked", Reason::ForbiddenHeader),
            ("te", "trailers", Reason::ForbiddenHeader),
            ("trailer", "x", Reason::ForbiddenHeader),
            ("content-length", "+5", Reason::ContentLength),
            ("content-length", "99999999999999999999", Reason::ContentLength),
        ] {
            let refused = check(&headers(&[(name, value)]), BodyRule::Allowed).unwrap_err();
            assert_eq!(refused, reason, "{name}");
        }
        let twice = headers(&[("content-length", "5"), ("content-length", "5")]);
        assert_eq!(check(&twice, BodyRule::Allowed), Err(Reason::ContentLength));
    }

    #[test]
    fn other_headers_are_left_alone() {
        let fine = headers(&[("sec-fetch-mode", "cors"), ("x-forwarded-for", "x"), ("host", "y")]);
        assert_eq!(check(&fine, BodyRule::None), Ok(None));
    }

    #[test]
    fn a_body_may_be_announced_only_where_one_is_allowed() {
        let five = headers(&[("content-length", "5")]);
        assert_eq!(check(&five, BodyRule::None), Err(Reason::BodyOnRead));
        assert_eq!(check(&five, BodyRule::Allowed), Ok(Some(5)));
        let chunked = headers(&[("transfer-encoding", "chunked")]);
        assert_eq!(check(&chunked, BodyRule::None), Err(Reason::BodyOnRead));
    }

    #[test]
    fn a_line_break_cannot_get_into_a_header() {
        for bad in ["a\r\nb: c", "a\nb", "a\rb", "a\0b"] {
            assert!(HeaderValue::try_from(bad).is_err(), "{bad:?}");
            assert!(HeaderName::try_from(bad).is_err(), "{bad:?}");
        }
    }
}
