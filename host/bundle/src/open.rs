//! Opens a plugin: finds its manifest, reads its component, takes the digest.

use crate::manifest::Manifest;
use crate::read::{self, Limit, PlainFile};
use crate::sniff::{self, Found};
use crate::{BundleError, manifest};
use cap_std::fs::Dir;
use ringfence_capability::Digest;
use sha2::{Digest as _, Sha256};

/// The name of the manifest in a plugin directory.
pub const MANIFEST_FILE: &str = "plugin.toml";
/// The largest component that is read: ten times what a Python plugin with its runtime has.
pub const MAX_COMPONENT_BYTES: u64 = 256 * 1024 * 1024;
/// The largest manifest that is read: a hundred times the size of a long one.
pub const MAX_MANIFEST_BYTES: u64 = 256 * 1024;

/// A plugin as it was found. Nothing about it has been decided or verified.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Plugin {
    /// What the plugin says about itself; made up for a bare component.
    pub manifest: Manifest,
    /// The bytes the digest is over; a core module is not yet adapted.
    pub component: Vec<u8>,
    /// The SHA-256 of `component`; what compiled code is kept under.
    pub digest: Digest,
    /// The digest that stands for the whole plugin, its manifest included; what a person trusts. It
    /// is the SHA-256 of the `sha256sum` list of its files, sorted by name.
    pub identity: Digest,
    /// How it came.
    pub form: Form,
    /// What `component` holds.
    pub encoding: Encoding,
    /// How the operator named it; for messages.
    pub display: String,
}

/// In which form a plugin came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "trust depends on the form, so every form is handled")]
pub enum Form {
    /// A directory with a `plugin.toml`.
    Directory,
    /// A component by itself, which asks for nothing.
    BareComponent,
    /// A core module by itself, which asks for nothing.
    CoreModule,
}

/// What the code of a plugin is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the header of WebAssembly knows only these two layers"
)]
pub enum Encoding {
    /// A component, ready to be compiled.
    Component,
    /// A core module, for [`crate::adapt::adapt`].
    CoreModule,
}

/// Opens the plugin called `name` in `dir`: a directory with a manifest, or a `.wasm` file.
/// `name` is one part of a path, or `.` for `dir` itself; `display` is how the operator named it.
///
/// # Errors
/// When it is not there, no plugin, too large, or its manifest is wrong; see [`BundleError`].
///
/// # Security
/// Everything is read below `dir`, within limits, and no link is followed. The component is only
/// looked at as far as its header: it can still be invalid.
pub fn open(dir: &Dir, name: &str, display: &str) -> Result<Plugin, BundleError> {
    if name != "." && !is_part(name) {
        return Err(BundleError::NotFound { path: display.to_owned() });
    }
    if name == "." || read::metadata(dir, name, display)?.is_dir() {
        let plugin_dir = read::subdirectory(dir, name, display)?;
        return open_directory(&plugin_dir, display);
    }
    if has_ending(name, ".rfz") {
        return Err(BundleError::Packed { path: display.to_owned() });
    }
    let (component, encoding) = read_component(dir, name, display)?;
    let form = match encoding {
        Encoding::Component => Form::BareComponent,
        Encoding::CoreModule => Form::CoreModule,
    };
    let manifest = Manifest::of_bare(name);
    Ok(Plugin::new(manifest, component, form, encoding, display, None))
}

impl Plugin {
    /// Returns the plugin whose whole content is `component`, a component or a core module in memory.
    /// `display` is how the operator named it; the part after the last `/` becomes its name.
    ///
    /// # Errors
    /// When the bytes are neither, or are too large.
    pub fn from_bytes(component: Vec<u8>, display: &str) -> Result<Self, BundleError> {
        let path = || display.to_owned();
        if component.len() as u64 > MAX_COMPONENT_BYTES {
            return Err(BundleError::TooLarge {
                path: path(),
                what: "component",
                limit_bytes: MAX_COMPONENT_BYTES,
            });
        }
        let head = &component[..component.len().min(sniff::HEAD_BYTES)];
        let (encoding, form) = match sniff::sniff(head) {
            Found::Component => (Encoding::Component, Form::BareComponent),
            Found::CoreModule => (Encoding::CoreModule, Form::CoreModule),
            found => return Err(BundleError::WrongKind { path: path(), found }),
        };
        let name = display.rsplit('/').next().unwrap_or(display);
        Ok(Self::new(Manifest::of_bare(name), component, form, encoding, display, None))
    }

    fn new(
        manifest: Manifest,
        component: Vec<u8>,
        form: Form,
        encoding: Encoding,
        display: &str,
        manifest_text: Option<&[u8]>,
    ) -> Self {
        let digest = sha256(&component);
        let identity = match manifest_text {
            None => digest,
            Some(text) => identity(&manifest.component, digest, sha256(text)),
        };
        Self { manifest, component, digest, identity, form, encoding, display: display.to_owned() }
    }
}

fn sha256(bytes: &[u8]) -> Digest {
    Digest::from_bytes(Sha256::digest(bytes).into())
}

/// Returns the digest over the list `sha256sum` would print for the component and the manifest.
fn identity(component_path: &str, component: Digest, manifest: Digest) -> Digest {
    let mut files = [(component_path, component), (MANIFEST_FILE, manifest)];
    files.sort_by_key(|(name, _)| *name);
    let list = files.map(|(name, digest)| format!("{}  {name}\n", digest.hex())).concat();
    sha256(list.as_bytes())
}

fn open_directory(dir: &Dir, display: &str) -> Result<Plugin, BundleError> {
    let file = format!("{}/{MANIFEST_FILE}", display.trim_end_matches('/'));
    let limit = Limit { what: "manifest", bytes: MAX_MANIFEST_BYTES };
    let text = match PlainFile::open(dir, MANIFEST_FILE, &file, limit) {
        Err(BundleError::NotFound { .. }) => {
            return Err(BundleError::NoManifest { path: display.to_owned() });
        }
        opened => opened?.rest(Vec::new())?,
    };
    let manifest = manifest::parse_bytes(&text, &file)?;
    let (component, encoding) =
        component_below(dir, &manifest.component, display).map_err(|error| match error {
            BundleError::NotFound { path } => BundleError::NoComponent { path },
            other => other,
        })?;
    Ok(Plugin::new(manifest, component, Form::Directory, encoding, display, Some(&text)))
}

/// Reads the component at `path`, which the manifest names and [`Manifest`] checked the form of.
fn component_below(
    dir: &Dir,
    path: &str,
    display: &str,
) -> Result<(Vec<u8>, Encoding), BundleError> {
    let shown = format!("{}/{path}", display.trim_end_matches('/'));
    let (folders, name) = path.rsplit_once('/').map_or((None, path), |(f, name)| (Some(f), name));
    let mut below = None;
    for part in folders.into_iter().flat_map(|folders| folders.split('/')) {
        below = Some(read::subdirectory(below.as_ref().unwrap_or(dir), part, &shown)?);
    }
    read_component(below.as_ref().unwrap_or(dir), name, &shown)
}

fn read_component(dir: &Dir, name: &str, path: &str) -> Result<(Vec<u8>, Encoding), BundleError> {
    let limit = Limit { what: "component", bytes: MAX_COMPONENT_BYTES };
    let mut file = PlainFile::open(dir, name, path, limit)?;
    let head = file.head(sniff::HEAD_BYTES)?;
    let encoding = match sniff::sniff(&head) {
        Found::Component => Encoding::Component,
        Found::CoreModule => Encoding::CoreModule,
        found => return Err(BundleError::WrongKind { path: path.to_owned(), found }),
    };
    Ok((file.rest(head)?, encoding))
}

fn is_part(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\\', '\0'])
}

fn has_ending(name: &str, ending: &str) -> bool {
    let from = name.len().checked_sub(ending.len());
    from.and_then(|from| name.get(from..)).is_some_and(|end| end.eq_ignore_ascii_case(ending))
}

#[cfg(test)]
mod tests;
