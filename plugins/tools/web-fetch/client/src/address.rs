//! Addresses: what may be asked for, and where a redirect leads.

use url::Url;

use crate::FetchError;

/// Longest address; servers refuse longer ones too.
const MAX_ADDRESS_BYTES: usize = 8 << 10;

/// Returns the address, or why it cannot be fetched.
pub fn parse(text: &str) -> Result<Url, FetchError> {
    let bad = |reason: String| FetchError::BadAddress { url: shortened(text), reason };
    if text.len() > MAX_ADDRESS_BYTES {
        return Err(bad(format!("longer than {MAX_ADDRESS_BYTES} bytes")));
    }
    let url = Url::parse(text).map_err(|e| bad(e.to_string()))?;
    checked(url).map_err(bad)
}

/// Returns where a `Location` leads from `from`.
pub fn redirect(from: &Url, location: &str) -> Result<Url, FetchError> {
    let bad = |reason: String| FetchError::BadAddress { url: shortened(location), reason };
    if location.len() > MAX_ADDRESS_BYTES {
        return Err(bad(format!("longer than {MAX_ADDRESS_BYTES} bytes")));
    }
    let mut to = from.join(location).map_err(|e| bad(e.to_string()))?;
    if to.fragment().is_none() {
        to.set_fragment(from.fragment());
    }
    let to = checked(to).map_err(bad)?;
    if from.scheme() == "https" && to.scheme() != "https" {
        return Err(FetchError::Downgrade { from: from.to_string(), to: to.to_string() });
    }
    Ok(to)
}

/// Returns the path and query as they go on the wire.
#[cfg(any(test, target_family = "wasm"))]
pub(crate) fn path_and_query(url: &Url) -> String {
    match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    }
}

/// Returns host and port as they go on the wire.
#[cfg(any(test, target_family = "wasm"))]
pub(crate) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

fn checked(url: Url) -> Result<Url, String> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("scheme `{}` is not http or https", url.scheme()));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err("there is no host in it".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a user name or password in an address would end up in logs".to_owned());
    }
    Ok(url)
}

fn shortened(text: &str) -> String {
    text.chars().take(200).filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::{authority, parse, path_and_query, redirect};

    #[test]
    fn addresses_are_taken_apart_for_the_wire() {
        for (text, host, path) in [
            ("https://example.org", "example.org", "/"),
            ("HTTP://Example.org:8080/a b?q=ü#part", "example.org:8080", "/a%20b?q=%C3%BC"),
            ("https://example.org:443/x", "example.org", "/x"),
            ("https://müsli.example/", "xn--msli-0ra.example", "/"),
            ("http://[::1]:81/", "[::1]:81", "/"),
        ] {
            let url = parse(text).unwrap();
            assert_eq!((authority(&url).as_str(), path_and_query(&url).as_str()), (host, path));
        }
    }

    #[test]
    fn addresses_that_cannot_be_fetched_say_why() {
        for (text, expected) in [
            ("", "address ``: relative URL without a base"),
            ("example.org/x", "address `example.org/x`: relative URL without a base"),
            (
                "file:///etc/passwd",
                "address `file:///etc/passwd`: scheme `file` is not http or https",
            ),
            ("https://", "address `https://`: empty host"),
            (
                "https://me:secret@example.org/",
                "address `https://me:secret@example.org/`: a user name or password in an address would end up in logs",
            ),
            (
                "http://exa mple.org/",
                "address `http://exa mple.org/`: invalid international domain name",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), expected);
        }
        let long = format!("https://example.org/{}", "x".repeat(9000));
        assert!(parse(&long).unwrap_err().to_string().ends_with("longer than 8192 bytes"));
    }

    #[test]
    fn a_redirect_is_resolved_and_never_gives_up_encryption() {
        let from = parse("https://example.org/a/b#part").unwrap();
        let to = |location: &str| {
            redirect(&from, location).map(|url| url.to_string()).map_err(|e| e.to_string())
        };
        assert_eq!(to("../c"), Ok("https://example.org/c#part".to_owned()));
        assert_eq!(to("//other.example/#x"), Ok("https://other.example/#x".to_owned()));
        let down = "redirect from `https://example.org/a/b#part` to `http://example.org/#part` would give up encryption";
        assert_eq!(to("http://example.org/"), Err(down.to_owned()));
        let script = "address `javascript:alert(1)`: scheme `javascript` is not http or https";
        assert_eq!(to("javascript:alert(1)"), Err(script.to_owned()));
    }
}
