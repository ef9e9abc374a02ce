//! The trust store: the keys a person trusts, how far, and what was taken back.
//!
//! A layer is one `trust.toml`. The host's comes before the user's, the workspace's last. The first
//! that has a key with its public half brings it; every other that names it narrows it. A workspace
//! brings no keys.

mod document;
mod edit;

use crate::key::KeyId;
use crate::{PublicKey, StoreError};
use jiff::Timestamp;
use ringfence_capability::{Digest, Name, NamePattern, Profile};
use std::collections::BTreeMap;

/// The largest file of a layer.
pub const MAX_TRUST_BYTES: u64 = 1024 * 1024;

/// How far a key is trusted when nothing else is said.
const DEFAULT_PROFILE: Profile = Profile::WorkspaceWrite;

/// Whose `trust.toml` it is, in the order they count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::exhaustive_enums, reason = "whoever reads the store must handle every layer")]
pub enum LayerKind {
    /// The machine's.
    Host,
    /// The user's.
    User,
    /// That of the workspace, written by whoever wrote what is in it.
    Workspace,
}

impl LayerKind {
    /// Returns the name a person sees.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::User => "user",
            Self::Workspace => "workspace",
        }
    }
}

/// Whether a key is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::exhaustive_enums, reason = "a check must handle every state")]
pub enum KeyState {
    /// It signs.
    Active,
    /// It signs nothing new: what was signed before it was retired holds.
    Retired(Timestamp),
    /// Nothing it signed holds any more.
    Revoked,
}

/// What one layer says about a key. What it does not say is left as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyEntry {
    /// The key.
    pub id: KeyId,
    /// Its public half, for a layer that brings it.
    pub public: Option<PublicKey>,
    /// What the operator calls it.
    pub name: Option<String>,
    /// The most a plugin signed with it can get.
    pub max_profile: Option<Profile>,
    /// What a plugin signed with it may be called.
    pub plugins: Option<Vec<String>>,
    /// From when on it is trusted.
    pub not_before: Option<Timestamp>,
    /// Until when it is trusted.
    pub not_after: Option<Timestamp>,
    /// Whether it is in use.
    pub state: KeyState,
    /// How it came here, or why it is in this state.
    pub reason: Option<String>,
}

impl KeyEntry {
    /// Returns what brings `public`, without any limit.
    pub fn new(public: PublicKey) -> Self {
        Self { public: Some(public), ..Self::about(public.id()) }
    }

    /// Returns what says nothing about `id`.
    pub fn about(id: KeyId) -> Self {
        Self {
            id,
            public: None,
            name: None,
            max_profile: None,
            plugins: None,
            not_before: None,
            not_after: None,
            state: KeyState::Active,
            reason: None,
        }
    }
}

/// Something that was taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Revoked {
    /// The digest of a bundle, or of a component.
    pub digest: Digest,
    /// Why.
    pub reason: String,
}

impl Revoked {
    /// Returns what takes `digest` back.
    pub fn new(digest: Digest, reason: &str) -> Self {
        Self { digest, reason: reason.to_owned() }
    }
}

/// One `trust.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustLayer {
    kind: LayerKind,
    file: String,
    text: String,
    keys: Vec<KeyEntry>,
    revoked: Vec<Revoked>,
}

impl TrustLayer {
    /// Returns the layer written in `text`, the contents of `file`.
    ///
    /// # Errors
    /// When it is too large, no TOML, has an unknown key or a value that cannot be used, names a key
    /// twice, or is a workspace's and brings a key.
    pub fn parse(kind: LayerKind, file: &str, text: &str) -> Result<Self, StoreError> {
        document::parse(kind, file, text)
    }

    /// Returns whose it is.
    pub fn kind(&self) -> LayerKind {
        self.kind
    }

    /// Returns the file it was read from.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Returns the text of the file.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns what it says about keys.
    pub fn keys(&self) -> &[KeyEntry] {
        &self.keys
    }

    /// Returns what it takes back.
    pub fn revoked(&self) -> &[Revoked] {
        &self.revoked
    }

    /// Returns the layer with `entry` in place of what it said about that key. Everything else in the
    /// text stays as it was, comments included.
    ///
    /// # Errors
    /// When the text is written in a way that cannot be changed safely.
    pub fn with_key(&self, entry: &KeyEntry) -> Result<Self, StoreError> {
        edit::with_key(self, entry)
    }

    /// Returns the layer without what it says about `id`.
    ///
    /// # Errors
    /// As [`TrustLayer::with_key`].
    pub fn without_key(&self, id: KeyId) -> Result<Self, StoreError> {
        edit::without_key(self, id)
    }

    /// Returns the layer that takes `revoked` back too.
    ///
    /// # Errors
    /// As [`TrustLayer::with_key`].
    pub fn with_revoked(&self, revoked: &Revoked) -> Result<Self, StoreError> {
        edit::with_revoked(self, revoked)
    }
}

/// A key as all layers together have it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TrustedKey {
    /// The key.
    pub public: PublicKey,
    /// What the operator calls it.
    pub name: String,
    /// The most a plugin signed with it can get.
    pub max_profile: Profile,
    /// What a plugin signed with it may be called: one pattern of each list covers the name.
    pub plugins: Vec<Vec<String>>,
    /// From when on it is trusted.
    pub not_before: Option<Timestamp>,
    /// Until when it is trusted.
    pub not_after: Option<Timestamp>,
    /// Whether it is in use.
    pub state: KeyState,
    /// How it came here, or why it is in this state.
    pub reason: Option<String>,
    /// The layer that brought it.
    pub layer: LayerKind,
    /// The file of that layer.
    pub file: String,
}

impl TrustedKey {
    fn new(entry: &KeyEntry, public: PublicKey, layer: &TrustLayer) -> Self {
        Self {
            public,
            name: entry.name.clone().unwrap_or_else(|| entry.id.to_string()),
            max_profile: entry.max_profile.unwrap_or(DEFAULT_PROFILE),
            plugins: entry.plugins.iter().cloned().collect(),
            not_before: entry.not_before,
            not_after: entry.not_after,
            state: entry.state,
            reason: entry.reason.clone(),
            layer: layer.kind,
            file: layer.file.clone(),
        }
    }

    /// Takes away what `entry`, of a later layer, takes away.
    fn narrow(&mut self, entry: &KeyEntry) {
        if let Some(most) = entry.max_profile {
            self.max_profile = self.max_profile.min(most);
        }
        self.plugins.extend(entry.plugins.clone());
        self.not_before = self.not_before.max(entry.not_before);
        self.not_after = match (self.not_after, entry.not_after) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        let state = match (self.state, entry.state) {
            (KeyState::Retired(one), KeyState::Retired(other)) => KeyState::Retired(one.min(other)),
            (one, other) => one.max(other),
        };
        if state != self.state {
            self.state = state;
            self.reason.clone_from(&entry.reason);
        }
    }

    /// Tells whether it may sign for a plugin called `plugin`.
    pub fn covers(&self, plugin: &str) -> bool {
        let Ok(name) = plugin.parse::<Name>() else { return false };
        let covers = |pattern: &String| {
            pattern.parse::<NamePattern>().is_ok_and(|pattern| pattern.matches(&name))
        };
        self.plugins.iter().all(|list| list.iter().any(covers))
    }

    /// Returns why it is in its state, for a person.
    pub(crate) fn why(&self) -> String {
        self.reason.clone().unwrap_or_else(|| "no reason is given".to_owned())
    }
}

/// All layers together. The empty one trusts nobody.
#[derive(Debug, Clone, Default)]
pub struct TrustStore {
    keys: BTreeMap<KeyId, TrustedKey>,
    revoked: BTreeMap<Digest, String>,
}

impl TrustStore {
    /// Returns what these layers say together, whatever their order.
    ///
    /// # Errors
    /// When two of them bring different keys under one id.
    pub fn new(layers: impl IntoIterator<Item = TrustLayer>) -> Result<Self, StoreError> {
        let mut layers: Vec<_> = layers.into_iter().collect();
        layers.sort_by_key(|layer| layer.kind);
        let mut store = Self::default();
        for layer in &layers {
            for entry in &layer.keys {
                store.add(entry, layer)?;
            }
            for revoked in &layer.revoked {
                let reason = || revoked.reason.clone();
                store.revoked.entry(revoked.digest).or_insert_with(reason);
            }
        }
        // A key that a layer narrows before another brings it: the second pass sees every key.
        let known = store.keys.clone();
        for layer in &layers {
            for entry in &layer.keys {
                let brought = known.get(&entry.id).map(|key| (key.layer, key.file.as_str()));
                if let Some(key) = store.keys.get_mut(&entry.id)
                    && brought != Some((layer.kind, layer.file.as_str()))
                {
                    key.narrow(entry);
                }
            }
        }
        Ok(store)
    }

    fn add(&mut self, entry: &KeyEntry, layer: &TrustLayer) -> Result<(), StoreError> {
        let Some(public) = entry.public else { return Ok(()) };
        match self.keys.get(&entry.id) {
            None => {
                self.keys.insert(entry.id, TrustedKey::new(entry, public, layer));
                Ok(())
            }
            Some(key) if key.public == public => Ok(()),
            Some(key) => Err(StoreError::Entry {
                file: layer.file.clone(),
                entry: format!("key {}", entry.id),
                why: format!("`{}` has another key under this id", key.file),
            }),
        }
    }

    /// Returns the keys, sorted by id.
    pub fn keys(&self) -> impl Iterator<Item = &TrustedKey> {
        self.keys.values()
    }

    /// Returns the key called `id`.
    pub fn key(&self, id: KeyId) -> Option<&TrustedKey> {
        self.keys.get(&id)
    }

    /// Returns why `digest`, of a bundle or of a component, was taken back, if it was.
    pub fn revoked(&self, digest: &Digest) -> Option<&str> {
        self.revoked.get(digest).map(String::as_str)
    }

    /// Returns every digest that was taken back, with the reason.
    pub fn all_revoked(&self) -> impl Iterator<Item = (&Digest, &str)> {
        self.revoked.iter().map(|(digest, reason)| (digest, reason.as_str()))
    }
}

#[cfg(test)]
mod tests;
