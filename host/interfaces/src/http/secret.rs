//! Secrets that the host adds to requests; the guest never holds them.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use ringfence_capability::{Class, Diagnostic, HostPattern, Name};
use std::fmt;
use std::sync::Arc;

use super::headers;

/// The text of a secret. `Debug` and `Display` hide it.
#[derive(Clone)]
pub struct SecretValue(Arc<Hidden>);

struct Hidden(Vec<u8>);

impl Drop for Hidden {
    fn drop(&mut self) {
        // Best effort without unsafe code: the optimiser is asked not to see that nobody reads it.
        self.0.fill(0);
        std::hint::black_box(&self.0);
    }
}

impl SecretValue {
    /// Returns the secret with this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Arc::new(Hidden(text.into().into_bytes())))
    }

    /// Returns it, for a header of a request of the host's own.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0.0
    }

    /// Tells whether it stands in `text`.
    pub(crate) fn is_in(&self, text: &[u8]) -> bool {
        let secret = self.bytes();
        !secret.is_empty() && text.windows(secret.len()).any(|part| part == secret)
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(hidden)")
    }
}

impl fmt::Display for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// A secret, the hosts it is sent to and the header it is sent in.
///
/// # Security
/// It is added to `https` requests only (to an address the operator named through
/// [`danger::also`](super::danger::also), to `http` ones too), replaces what the guest put into the
/// same header, and needs a `secret` grant for the host. A response header or trailer that contains
/// it is dropped. A server that echoes it in the *body*, or encoded in another way, shows it to the
/// guest: name only hosts that do not.
#[derive(Debug, Clone)]
pub struct AttachedSecret {
    name: Name,
    host: HostPattern,
    header: HeaderName,
    line: HeaderValue,
    value: SecretValue,
}

impl AttachedSecret {
    /// Returns the secret `name`, sent to `host` in `header` as `format` with `{}` replaced by it.
    ///
    /// # Errors
    /// When `format` does not have `{}` once, the secret is empty or cannot stand in a header, or
    /// the header is one the host sets itself.
    pub fn new(
        name: Name,
        host: HostPattern,
        header: HeaderName,
        format: &str,
        value: SecretValue,
    ) -> Result<Self, SecretError> {
        let fail = |why| Err(SecretError { name: name.clone(), why });
        if headers::is_forbidden(&header) || header == http::header::CONTENT_LENGTH {
            return fail("the host sets this header itself");
        }
        let Some((before, after)) =
            format.split_once("{}").filter(|(_, rest)| !rest.contains("{}"))
        else {
            return fail("its format has `{}` once, where the secret goes");
        };
        if value.0.0.is_empty() {
            return fail("it is empty");
        }
        let line = [before.as_bytes(), &value.0.0, after.as_bytes()].concat();
        let Ok(mut line) = HeaderValue::from_maybe_shared(bytes::Bytes::from(line)) else {
            return fail("it has a character that cannot stand in a header");
        };
        line.set_sensitive(true);
        Ok(Self { name, host, header, line, value })
    }

    /// Returns the name under which the operator supplies it.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Returns the hosts it is sent to.
    pub fn host(&self) -> &HostPattern {
        &self.host
    }

    pub(super) fn attach(&self, headers: &mut HeaderMap) {
        headers.insert(self.header.clone(), self.line.clone());
    }

    fn is_in(&self, line: &HeaderValue) -> bool {
        self.value.is_in(line.as_bytes())
    }
}

/// Drops the headers that contain one of the secrets.
pub(super) fn scrub(headers: &mut HeaderMap, secrets: &[AttachedSecret]) {
    let leaks = |line: &HeaderValue| secrets.iter().any(|secret| secret.is_in(line));
    let leaking: Vec<HeaderName> =
        headers.iter().filter(|(_, line)| leaks(line)).map(|(name, _)| name.clone()).collect();
    for name in leaking {
        headers.remove(name);
    }
}

/// A secret that cannot be attached. Never says what it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the secret `{name}` cannot be added to requests: {why}")]
#[non_exhaustive]
pub struct SecretError {
    /// Its name.
    pub name: Name,
    /// What is wrong.
    pub why: &'static str,
}

impl Diagnostic for SecretError {
    fn code(&self) -> &'static str {
        "interfaces::secret"
    }

    fn class(&self) -> Class {
        Class::BadInput
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn secret(
        header: &'static str,
        format: &str,
        value: &str,
    ) -> Result<AttachedSecret, SecretError> {
        let (name, host) = ("TOKEN".parse().unwrap(), "example.com".parse().unwrap());
        AttachedSecret::new(
            name,
            host,
            HeaderName::from_static(header),
            format,
            SecretValue::new(value),
        )
    }

    #[test]
    fn a_secret_never_shows_itself() {
        let shown = format!("{:?}", secret("authorization", "Bearer {}", "hunter2").unwrap());
        assert!(!shown.contains("hunter2"), "{shown}");
        let value = SecretValue::new("hunter2");
        assert_eq!(format!("{value} {value:?}"), "(hidden) SecretValue(hidden)");
        let refused = secret("authorization", "Bearer {}", "hunter2\r\nx: y").unwrap_err();
        assert!(!format!("{refused} {refused:?}").contains("hunter2"));
    }

    #[test]
    fn a_secret_that_could_break_a_request_is_refused() {
        for (header, format, value, why) in [
            ("host", "{}", "x", "the host sets this header itself"),
            ("content-length", "{}", "1", "the host sets this header itself"),
            ("authorization", "Bearer", "x", "its format has `{}` once, where the secret goes"),
            ("authorization", "{} {}", "x", "its format has `{}` once, where the secret goes"),
            ("authorization", "{}", "", "it is empty"),
            ("authorization", "{}", "a\nb", "it has a character that cannot stand in a header"),
            ("authorization", "\r\n{}", "a", "it has a character that cannot stand in a header"),
        ] {
            assert_eq!(secret(header, format, value).unwrap_err().why, why, "{header} {format:?}");
        }
    }

    #[test]
    fn echoed_secrets_are_dropped_from_headers_and_others_stay() {
        let secrets = [secret("authorization", "Bearer {}", "hunter2").unwrap()];
        let mut headers = HeaderMap::new();
        headers.insert("x-echo", HeaderValue::from_static("got Bearer hunter2!"));
        headers.insert("x-other", HeaderValue::from_static("hunter"));
        scrub(&mut headers, &secrets);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-other"]);
    }
}
