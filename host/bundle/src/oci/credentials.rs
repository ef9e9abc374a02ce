//! Credentials for registries, as `docker login` keeps them, or as a person gives them.
//!
//! A helper program that holds credentials is named in errors and never started: only the sandbox starts
//! programs. Nothing here shows a password: [`Secret`] hides itself.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;

use super::error::OciError;
use super::reference::Registry;

/// The most bytes of a credentials file.
pub const MAX_CREDENTIALS_BYTES: u64 = 1024 * 1024;

/// A password or token. `Debug` hides it, and it has no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a text that nobody may see.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What is known about one registry.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credential {
    /// Nothing: ask as nobody.
    Anonymous,
    /// A name and a password.
    Password {
        /// The name.
        username: String,
        /// The password, or a token used like one.
        password: Secret,
    },
    /// A token that is exchanged for others.
    IdentityToken(Secret),
    /// A helper program has them, which is not started: ask as nobody, and say so if that fails.
    Helper(String),
}

impl Credential {
    /// Returns the value of an `Authorization` header for a name and a password.
    pub(super) fn basic(username: &str, password: &Secret) -> String {
        format!("Basic {}", STANDARD.encode(format!("{username}:{}", password.reveal())))
    }
}

/// The part of Docker's `config.json` that is about credentials.
#[derive(Debug, Default)]
pub struct CredentialFile {
    display: String,
    parsed: Parsed,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parsed {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
    #[serde(default)]
    creds_store: Option<String>,
    #[serde(default)]
    cred_helpers: BTreeMap<String, String>,
}

impl fmt::Debug for Parsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let registries: Vec<_> = self.auths.keys().chain(self.cred_helpers.keys()).collect();
        f.debug_struct("Parsed").field("registries", &registries).finish_non_exhaustive()
    }
}

#[derive(Default, Deserialize)]
struct Entry {
    #[serde(default)]
    auth: Option<String>,
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    password: Option<String>,
    #[serde(default, rename = "identitytoken")]
    identity_token: Option<String>,
}

impl CredentialFile {
    /// Reads the text of a `config.json`; `display` is how a person would name it.
    ///
    /// # Errors
    /// [`OciError::Credentials`] when it is not JSON of that form.
    pub fn parse(bytes: &[u8], display: &str) -> Result<Self, OciError> {
        // What a parser says about JSON may quote it, and what it quotes may be a password.
        let parsed = serde_json::from_slice(bytes).map_err(|_| OciError::Credentials {
            file: display.to_owned(),
            problem: "it is not the JSON that `docker login` writes",
        })?;
        Ok(Self { display: display.to_owned(), parsed })
    }

    /// Returns what it knows about `registry`: a helper for exactly that one first, then what stands in
    /// the file, then the helper for all.
    ///
    /// # Errors
    /// [`OciError::Credentials`] when the entry cannot be used.
    pub fn find(&self, registry: &Registry) -> Result<Credential, OciError> {
        let known = |name: &str| keys(registry).iter().any(|key| same(name, key));
        let helper = self.parsed.cred_helpers.iter().find(|(name, _)| known(name));
        if let Some((_, helper)) = helper {
            return Ok(Credential::Helper(helper.clone()));
        }
        let entry = self.parsed.auths.iter().find(|(name, _)| known(name)).map(|(_, entry)| entry);
        if let Some(credential) = entry.map(|entry| self.read(entry)).transpose()?.flatten() {
            return Ok(credential);
        }
        Ok(match &self.parsed.creds_store {
            Some(helper) if !helper.is_empty() => Credential::Helper(helper.clone()),
            _ => Credential::Anonymous,
        })
    }

    /// Reads one entry; one that holds nothing means that a helper has it.
    fn read(&self, entry: &Entry) -> Result<Option<Credential>, OciError> {
        let fail = |problem| OciError::Credentials { file: self.display.clone(), problem };
        let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        if let Some(token) = filled(&entry.identity_token) {
            return Ok(Some(Credential::IdentityToken(Secret::new(token))));
        }
        if let Some(auth) = filled(&entry.auth) {
            let bytes = STANDARD.decode(auth).map_err(|_| fail("an `auth` is not base64"))?;
            let text = String::from_utf8(bytes).map_err(|_| fail("an `auth` is not text"))?;
            let (username, password) =
                text.split_once(':').ok_or_else(|| fail("an `auth` holds no `:`"))?;
            let password = Secret::new(password.trim_end_matches('\0').to_owned());
            return Ok(Some(Credential::Password { username: username.to_owned(), password }));
        }
        Ok(match (filled(&entry.username), filled(&entry.password)) {
            (Some(username), Some(password)) => {
                Some(Credential::Password { username, password: Secret::new(password) })
            }
            _ => None,
        })
    }
}

/// The names under which a registry may stand in the file.
fn keys(registry: &Registry) -> Vec<String> {
    if registry.is_docker_hub() {
        return vec!["docker.io".to_owned(), "index.docker.io".to_owned()];
    }
    vec![registry.to_string()]
}

/// Compares a name in the file, which may be a URL, with that of a registry. Only the whole host and port
/// are the same: a registry never gets what is for another.
fn same(name: &str, registry: &str) -> bool {
    let name = name.strip_prefix("https://").or(name.strip_prefix("http://")).unwrap_or(name);
    let name = name.split('/').next().unwrap_or_default();
    name.eq_ignore_ascii_case(registry)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::oci::Reference;

    fn check(config: &str, registry: &str) -> Result<Credential, &'static str> {
        let reference: Reference = format!("{registry}/a").parse().unwrap();
        let problem = |error| match error {
            OciError::Credentials { problem, .. } => problem,
            other => panic!("{other}"),
        };
        let file = CredentialFile::parse(config.as_bytes(), "config.json").map_err(problem)?;
        file.find(reference.registry()).map_err(problem)
    }

    fn password(username: &str, password: &str) -> Credential {
        let password = Secret::new(password.to_owned());
        Credential::Password { username: username.to_owned(), password }
    }

    #[test]
    fn a_registry_gets_the_credentials_that_are_for_it_and_no_others() {
        // `user:pa:ss` and `other:word`.
        let config = r#"{"auths":{
            "r.example":{"auth":"dXNlcjpwYTpzcw=="},
            "https://t.example:5000/v2/":{"username":"a","password":"b"},
            "https://index.docker.io/v1/":{"auth":"b3RoZXI6d29yZA=="},
            "token.example":{"identitytoken":"t","auth":"b3RoZXI6"}},
            "HttpHeaders":{}}"#;
        for (registry, expected) in [
            ("r.example", password("user", "pa:ss")),
            ("R.EXAMPLE", password("user", "pa:ss")),
            ("t.example:5000", password("a", "b")),
            ("docker.io", password("other", "word")),
            ("token.example", Credential::IdentityToken(Secret::new("t".to_owned()))),
            ("r.example:444", Credential::Anonymous),
            ("t.example", Credential::Anonymous),
            ("sub.r.example", Credential::Anonymous),
            ("r.example.evil.example", Credential::Anonymous),
            ("index.docker.io.evil.example", Credential::Anonymous),
        ] {
            assert_eq!(check(config, registry), Ok(expected), "{registry}");
        }
    }

    #[test]
    fn a_helper_is_named_where_it_has_the_credentials() {
        let config = r#"{"auths":{"a.example":{},"b.example":{"auth":"dTpw"}},
            "credsStore":"desktop","credHelpers":{"c.example":"ecr-login"}}"#;
        for (registry, expected) in [
            ("a.example", Credential::Helper("desktop".to_owned())),
            ("b.example", password("u", "p")),
            ("c.example", Credential::Helper("ecr-login".to_owned())),
            ("d.example", Credential::Helper("desktop".to_owned())),
        ] {
            assert_eq!(check(config, registry), Ok(expected), "{registry}");
        }
        assert_eq!(check("{}", "a.example"), Ok(Credential::Anonymous));
    }

    #[test]
    fn what_cannot_be_used_is_refused_without_a_word_of_it() {
        for (config, problem) in [
            ("", "it is not the JSON that `docker login` writes"),
            (
                r#"{"auths":{"a.example":{"auth":7}}}"#,
                "it is not the JSON that `docker login` writes",
            ),
            (r#"{"auths":{"a.example":{"auth":"%%"}}}"#, "an `auth` is not base64"),
            (r#"{"auths":{"a.example":{"auth":"//8="}}}"#, "an `auth` is not text"),
            (r#"{"auths":{"a.example":{"auth":"c2VjcmV0"}}}"#, "an `auth` holds no `:`"),
        ] {
            assert_eq!(check(config, "a.example"), Err(problem), "{config}");
        }
    }

    #[test]
    fn credentials_do_not_show_themselves() {
        let config = r#"{"auths":{"a.example":{"auth":"dXNlcjpodW50ZXIy"}}}"#;
        let file = CredentialFile::parse(config.as_bytes(), "config.json").unwrap();
        let found = check(config, "a.example").unwrap();
        for shown in [format!("{file:?}"), format!("{found:?}")] {
            assert!(!shown.contains("hunter2") && !shown.contains("dXNlcjpodW50ZXIy"), "{shown}");
        }
        assert_eq!(found, password("user", "hunter2"));
    }
}
