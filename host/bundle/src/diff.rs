//! What changes from one plugin to another: what the second asks for that the first did not, and
//! what it no longer asks for.
//!
//! Compared by what capabilities contain, never by their text: `http.read:*.example.com` instead of
//! `http.read:a.example.com` is wider, in whatever order and words it is written. Invariants: a
//! plugin compared with itself gives nothing; if neither of two steps asks for more, the two
//! together do not; what cannot be told apart safely counts as more. Nothing of a plugin runs.
//!
//! Start with [`Diff::between`].

mod asks;
mod offers;

use crate::Plugin;
use crate::inspect::Interface;
use std::cmp::Ordering;
use std::fmt;

/// One of the two plugins that are compared.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    plugin: &'a Plugin,
    interface: &'a Interface,
    signer: Option<&'a str>,
}

impl<'a> Side<'a> {
    /// Returns the side for `plugin`, whose interface is `interface`; `signer` is the key that signed
    /// it, none when it is not signed.
    pub fn new(plugin: &'a Plugin, interface: &'a Interface, signer: Option<&'a str>) -> Self {
        Self { plugin, interface, signer }
    }
}

/// One thing in which two plugins differ.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// What it is about.
    pub about: About,
    /// Whether the second asks for more by it, or for less.
    pub direction: Direction,
    /// The one thing that differs, such as `http.read:*.example.com` or `memory`.
    pub item: String,
    /// How it is in the first, when it is there.
    pub old: Option<String>,
    /// How it is in the second, when it is there.
    pub new: Option<String>,
}

/// What a change is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum About {
    /// A capability that is asked for.
    Request,
    /// How a secret reaches a request.
    Secret,
    /// A limit that is asked for.
    Limit,
    /// The least profile the author believes it can work in.
    Profile,
    /// An interface it imports.
    Import,
    /// What a call of a function does to the world.
    Effect,
    /// A function or interface it exports.
    Export,
    /// What kind of plugin it is.
    Kind,
    /// Its name.
    Name,
    /// Its version.
    Version,
    /// Who signed it.
    Signer,
    /// Its licence.
    License,
    /// The size of its component.
    Size,
    /// Its contents as a whole.
    Digest,
}

impl About {
    /// Returns the name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Secret => "secret",
            Self::Limit => "limit",
            Self::Profile => "needs-profile",
            Self::Import => "import",
            Self::Effect => "effect",
            Self::Export => "export",
            Self::Kind => "kind",
            Self::Name => "name",
            Self::Version => "version",
            Self::Signer => "signer",
            Self::License => "license",
            Self::Size => "size",
            Self::Digest => "digest",
        }
    }
}

/// Whether the second of two plugins asks for more or for less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "whoever asks a person must handle every direction")]
pub enum Direction {
    /// It asks for more.
    Wider,
    /// It asks for less.
    Narrower,
    /// Neither: it is another thing, not more of one.
    Neither,
}

impl Direction {
    /// Returns the name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wider => "wider",
            Self::Narrower => "narrower",
            Self::Neither => "neither",
        }
    }

    /// Returns the direction from one level to another.
    fn from<T: Ord>(old: &T, new: &T) -> Self {
        match old.cmp(new) {
            Ordering::Less => Self::Wider,
            Ordering::Equal => Self::Neither,
            Ordering::Greater => Self::Narrower,
        }
    }
}

/// Everything in which two plugins differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diff {
    changes: Vec<Change>,
    signer: Signer,
    version: Ordering,
}

/// What became of the signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signer {
    Same,
    Gone,
    Another,
}

impl Diff {
    /// Compares `old` with `new`.
    pub fn between(old: &Side<'_>, new: &Side<'_>) -> Self {
        let mut changes = Vec::new();
        asks::requests(old, new, &mut changes);
        asks::secrets(old, new, &mut changes);
        asks::limits(old, new, &mut changes);
        asks::profile(old, new, &mut changes);
        offers::imports(old, new, &mut changes);
        offers::functions(old, new, &mut changes);
        offers::interfaces(old, new, &mut changes);
        about_itself(old, new, &mut changes);
        let signer = match (old.signer, new.signer) {
            (old, new) if old == new => Signer::Same,
            (Some(_), None) => Signer::Gone,
            _ => Signer::Another,
        };
        let version = new.plugin.manifest.version.cmp(&old.plugin.manifest.version);
        Self { changes, signer, version }
    }

    /// Returns every change, what is asked for first.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Returns the changes by which the second asks for more.
    pub fn wider(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|change| change.direction == Direction::Wider)
    }

    /// Tells whether the second asks for more than the first.
    pub fn asks_for_more(&self) -> bool {
        self.wider().next().is_some()
    }

    /// Tells whether the second is signed by another key than the first, or no longer.
    pub fn changes_signer(&self) -> bool {
        self.signer != Signer::Same
    }

    /// Tells whether the second is an older version than the first.
    pub fn is_older(&self) -> bool {
        self.version == Ordering::Less
    }

    /// Tells whether a person has to agree before the second takes the place of the first: it asks
    /// for more, another key stands behind it, or it is older.
    pub fn needs_a_person(&self) -> bool {
        self.asks_for_more() || self.changes_signer() || self.is_older()
    }
}

/// The verdict in one line, such as `asks for nothing more`.
impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut wider = self.wider().map(Change::asked);
        match wider.next() {
            None => f.write_str("asks for nothing more")?,
            Some(first) => write!(f, "asks for more: {first}")?,
        }
        for more in wider {
            write!(f, ", {more}")?;
        }
        match self.signer {
            Signer::Same => {}
            Signer::Gone => f.write_str("; is no longer signed")?,
            Signer::Another => f.write_str("; is signed by another key")?,
        }
        if self.is_older() { f.write_str("; is an older version") } else { Ok(()) }
    }
}

impl Change {
    fn wider(about: About, item: impl Into<String>) -> Self {
        Self::new(about, Direction::Wider, item)
    }

    fn narrower(about: About, item: impl Into<String>) -> Self {
        Self::new(about, Direction::Narrower, item)
    }

    fn new(about: About, direction: Direction, item: impl Into<String>) -> Self {
        Self { about, direction, item: item.into(), old: None, new: None }
    }

    fn with(self, old: impl Into<String>, new: impl Into<String>) -> Self {
        Self { old: Some(old.into()), new: Some(new.into()), ..self }
    }

    /// Returns how the verdict names it.
    fn asked(&self) -> String {
        match (self.about, &self.new) {
            (About::Limit | About::Profile | About::Effect, Some(new)) => {
                format!("{} {new}", self.item)
            }
            (About::Import, _) => format!("import {}", self.item),
            (About::Secret, _) => format!("secret {}", self.item),
            _ => self.item.clone(),
        }
    }
}

/// Adds what a plugin is, apart from what it asks for and offers.
fn about_itself(old: &Side<'_>, new: &Side<'_>, changes: &mut Vec<Change>) {
    let (from, to) = (old.plugin, new.plugin);
    let size = |bytes: usize| format!("{bytes} bytes");
    let license = |side: &Side<'_>| side.plugin.manifest.license.clone();
    let text = |text: &str| Some(text.to_owned());
    let version = |side: &Side<'_>| Some(side.plugin.manifest.version.to_string());
    let rows = [
        (About::Kind, text(old.interface.kind.name()), text(new.interface.kind.name())),
        (About::Name, text(&from.manifest.name), text(&to.manifest.name)),
        (About::Version, version(old), version(new)),
        (About::Signer, old.signer.map(str::to_owned), new.signer.map(str::to_owned)),
        (About::License, license(old), license(new)),
        (About::Size, Some(size(from.component.len())), Some(size(to.component.len()))),
        (About::Digest, Some(from.identity.to_string()), Some(to.identity.to_string())),
    ];
    for (about, old, new) in rows.into_iter().filter(|(_, old, new)| old != new) {
        let item = about.name().to_owned();
        changes.push(Change { about, direction: Direction::Neither, item, old, new });
    }
}

#[cfg(test)]
mod tests;
