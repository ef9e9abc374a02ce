//! Reads one `trust.toml`, strictly.

use super::{KeyEntry, KeyState, LayerKind, MAX_TRUST_BYTES, Revoked, TrustLayer};
use crate::StoreError;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use ringfence_capability::{NamePattern, text};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::str::FromStr;

/// The most entries of a kind: each is looked at when a store is made.
const MAX_ENTRIES: usize = 4096;
/// The most patterns of one key.
const MAX_PATTERNS: usize = 64;
/// The longest name and the longest reason, in characters.
const MAX_TEXT: usize = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    key: Vec<Key>,
    #[serde(default)]
    revoked: Vec<RevokedDigest>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Key {
    id: String,
    public: Option<String>,
    name: Option<String>,
    max_profile: Option<String>,
    plugins: Option<Vec<String>>,
    not_before: Option<String>,
    not_after: Option<String>,
    state: Option<State>,
    retired_at: Option<String>,
    reason: Option<String>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum State {
    Active,
    Retired,
    Revoked,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RevokedDigest {
    digest: String,
    reason: String,
}

pub(super) fn parse(kind: LayerKind, file: &str, text: &str) -> Result<TrustLayer, StoreError> {
    let too_large = |what, limit| StoreError::TooLarge { file: file.to_owned(), what, limit };
    if text.len() as u64 > MAX_TRUST_BYTES {
        return Err(too_large("bytes", MAX_TRUST_BYTES));
    }
    let document: Document = toml::from_str(text).map_err(|error| syntax(file, text, &error))?;
    if document.key.len().max(document.revoked.len()) > MAX_ENTRIES {
        return Err(too_large("entries of one kind", MAX_ENTRIES as u64));
    }
    let mut ids = BTreeSet::new();
    let mut keys = Vec::with_capacity(document.key.len());
    for table in &document.key {
        let place = Place { file, entry: format!("key `{}`", text::brief(&table.id, 20)) };
        let entry = key(kind, table, &place)?;
        if !ids.insert(entry.id) {
            return Err(place.fail("it is there twice"));
        }
        keys.push(entry);
    }
    let mut revoked = Vec::with_capacity(document.revoked.len());
    for table in &document.revoked {
        let entry = format!("revoked `{}`", text::brief(&table.digest, 80));
        let place = Place { file, entry };
        let reason = place.sentence("reason", &table.reason)?;
        revoked.push(Revoked { digest: place.parse("digest", &table.digest)?, reason });
    }
    Ok(TrustLayer { kind, file: file.to_owned(), text: text.to_owned(), keys, revoked })
}

fn syntax(file: &str, text: &str, error: &toml::de::Error) -> StoreError {
    let at = error.span().map_or(0, |span| span.start).min(text.len());
    let line = text.as_bytes()[..at].split(|byte| *byte == b'\n').count();
    StoreError::Syntax { file: file.to_owned(), line, message: text::brief(error.message(), 300) }
}

fn key(kind: LayerKind, table: &Key, place: &Place<'_>) -> Result<KeyEntry, StoreError> {
    let id = place.parse("id", &table.id)?;
    let public = table.public.as_deref().map(|key| place.parse("public", key)).transpose()?;
    let public: Option<crate::PublicKey> = public;
    if let Some(public) = public {
        if kind == LayerKind::Workspace {
            return Err(place.fail("a workspace can only narrow keys, so it has no `public`"));
        }
        if public.id() != id {
            return Err(place.fail(format!("`public` is the key {}", public.id())));
        }
    }
    let sentence = |key, text: &Option<String>| {
        text.as_deref().map(|text| place.sentence(key, text)).transpose()
    };
    let profile = table.max_profile.as_deref();
    Ok(KeyEntry {
        id,
        public,
        name: sentence("name", &table.name)?,
        max_profile: profile.map(|text| place.parse("max-profile", text)).transpose()?,
        plugins: table.plugins.as_deref().map(|list| patterns(list, place)).transpose()?,
        not_before: place.time("not-before", table.not_before.as_deref(), Edge::Start)?,
        not_after: place.time("not-after", table.not_after.as_deref(), Edge::End)?,
        state: state(table, place)?,
        reason: sentence("reason", &table.reason)?,
    })
}

fn state(table: &Key, place: &Place<'_>) -> Result<KeyState, StoreError> {
    let at = place.time("retired-at", table.retired_at.as_deref(), Edge::Start)?;
    match (table.state.unwrap_or(State::Active), at) {
        (State::Active, None) => Ok(KeyState::Active),
        (State::Revoked, None) => Ok(KeyState::Revoked),
        (State::Retired, Some(at)) => Ok(KeyState::Retired(at)),
        (State::Retired, None) => Err(place.fail("a retired key says `retired-at`")),
        (_, Some(_)) => Err(place.fail("`retired-at` is for a key whose state is `retired`")),
    }
}

fn patterns(list: &[String], place: &Place<'_>) -> Result<Vec<String>, StoreError> {
    if list.is_empty() || list.len() > MAX_PATTERNS {
        return Err(place.fail(format!("`plugins` has 1 to {MAX_PATTERNS} names")));
    }
    for pattern in list {
        place.parse::<NamePattern>("plugins", pattern)?;
    }
    Ok(list.to_vec())
}

/// An entry, for messages about it.
struct Place<'f> {
    file: &'f str,
    entry: String,
}

/// Which end of a day a date without a time stands for.
#[derive(Clone, Copy)]
enum Edge {
    Start,
    End,
}

impl Place<'_> {
    fn fail(&self, why: impl Into<String>) -> StoreError {
        let (file, entry) = (self.file.to_owned(), self.entry.clone());
        StoreError::Entry { file, entry, why: why.into() }
    }

    fn parse<T: FromStr<Err: Display>>(&self, key: &str, text: &str) -> Result<T, StoreError> {
        text.parse().map_err(|error: T::Err| self.fail(format!("`{key}`: {error}")))
    }

    fn sentence(&self, key: &str, text: &str) -> Result<String, StoreError> {
        let count = text.chars().count();
        if count == 0 || count > MAX_TEXT || text.chars().any(text::hides) {
            return Err(self.fail(format!("`{key}` is one line of 1 to {MAX_TEXT} characters")));
        }
        Ok(text.to_owned())
    }

    /// Reads a point in time, or a day: its start, or the first moment after it.
    fn time(
        &self,
        key: &str,
        text: Option<&str>,
        edge: Edge,
    ) -> Result<Option<Timestamp>, StoreError> {
        let Some(text) = text else { return Ok(None) };
        let fail = || {
            self.fail(format!(
                "`{key}`: `{}` is not a day such as `2026-12-31` or a time such as \
                 `2026-12-31T12:00:00Z`",
                text::brief(text, 40)
            ))
        };
        if text.len() != "2026-12-31".len() {
            return text.parse().map(Some).map_err(|_| fail());
        }
        let date: Date = text.parse().map_err(|_| fail())?;
        let day = match edge {
            Edge::Start => date,
            Edge::End => date.tomorrow().map_err(|_| fail())?,
        };
        let zoned = day.to_zoned(TimeZone::UTC).map_err(|_| fail())?;
        Ok(Some(zoned.timestamp()))
    }
}
