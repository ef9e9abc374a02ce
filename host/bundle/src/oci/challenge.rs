//! `WWW-Authenticate`: what a registry wants before it answers.

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

/// How a registry wants to be asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// Name and password with every request.
    Basic,
    /// A token from somewhere else.
    Bearer {
        /// Where tokens are.
        realm: String,
        /// What the token is for, as the registry calls itself.
        service: Option<String>,
    },
}

impl Challenge {
    /// Returns the challenge that is answered: a token where one is offered.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let texts =
            headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let all: Vec<_> = texts.filter_map(read).collect();
        let bearer = all.iter().position(|challenge| matches!(challenge, Self::Bearer { .. }));
        all.into_iter().nth(bearer.unwrap_or(0))
    }
}

/// Reads one header with one challenge.
fn read(text: &str) -> Option<Challenge> {
    let (scheme, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    if scheme.eq_ignore_ascii_case("basic") {
        return Some(Challenge::Basic);
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let (mut realm, mut service) = (None, None);
    let mut rest = rest;
    while let Some((name, value, further)) = parameter(rest) {
        match name.to_ascii_lowercase().as_str() {
            "realm" => realm = Some(value),
            "service" => service = Some(value),
            _ => {}
        }
        rest = further;
    }
    Some(Challenge::Bearer { realm: realm?, service })
}

/// Takes `name=value` or `name="value"` from the beginning of `text`.
fn parameter(text: &str) -> Option<(&str, String, &str)> {
    let text = text.trim_start_matches([' ', '\t', ',']);
    let (name, rest) = text.split_once('=')?;
    let Some(quoted) = rest.strip_prefix('"') else {
        let (value, rest) = rest.split_once(',').unwrap_or((rest, ""));
        return Some((name.trim(), value.trim().to_owned(), rest));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((name.trim(), value, &quoted[at + 1..])),
            '\\' => value.push(chars.next()?.1),
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(texts: &[&str]) -> Option<Challenge> {
        let mut headers = HeaderMap::new();
        for text in texts {
            headers.append(WWW_AUTHENTICATE, text.parse().ok()?);
        }
        Challenge::of(&headers)
    }

    fn bearer(realm: &str, service: Option<&str>) -> Challenge {
        let service = service.map(str::to_owned);
        Challenge::Bearer { realm: realm.to_owned(), service }
    }

    #[test]
    fn a_challenge_is_read_in_every_form_registries_write() {
        for (texts, expected) in [
            (&["Basic realm=\"r\""][..], Some(Challenge::Basic)),
            (&["basic"], Some(Challenge::Basic)),
            (
                &["Bearer realm=\"https://a.example/t\",service=\"s\",scope=\"repository:x:pull\""],
                Some(bearer("https://a.example/t", Some("s"))),
            ),
            (
                &["bearer Realm=https://a.example/t , service=s"],
                Some(bearer("https://a.example/t", Some("s"))),
            ),
            (&["Bearer realm=\"a\\\"b\""], Some(bearer("a\"b", None))),
            (&["Basic realm=\"r\"", "Bearer realm=\"x\""], Some(bearer("x", None))),
            (&["Bearer service=\"s\""], None),
            (&["Bearer realm=\"unfinished"], None),
            (&["Negotiate"], None),
            (&[], None),
        ] {
            assert_eq!(check(texts), expected, "{texts:?}");
        }
    }
}
