//! Opens a plugin: finds its manifest, reads its component, takes the digest.

use crate::archive::ArchiveError;
use crate::archive::{self, Sealed};
use crate::manifest::Manifest;
use crate::read::{self, Limit, PlainFile};
use crate::sniff::{self, Found};
use crate::{BundleError, manifest};
use cap_std::fs::Dir;
use ringfence_capability::Digest;
use sha2::{Digest as _, Sha256};
use std::io::Read as _;

/// The name of the list of what a plugin was built of, in the format `CycloneDX`.
pub const SBOM_FILE: &str = "sbom.cdx.json";
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
    /// Every file of a bundle with its size and digest, sorted by path; none for other forms.
    pub files: Vec<PackedFile>,
    /// The `sbom.cdx.json` of a bundle, as it came: what the plugin was built of.
    pub sbom: Option<Vec<u8>>,
}

/// A file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PackedFile {
    /// Its path.
    pub path: String,
    /// How many bytes it has.
    pub size_bytes: u64,
    /// Their SHA-256.
    pub digest: Digest,
}

/// In which form a plugin came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "trust depends on the form, so every form is handled")]
pub enum Form {
    /// A bundle: a `.rfz`, or a directory with a `SHA256SUMS`.
    Bundle,
    /// A directory with a `plugin.toml`.
    Directory,
    /// A component by itself, which asks for nothing.
    BareComponent,
    /// A core module by itself, which asks for nothing.
    CoreModule,
}

impl Form {
    /// Tells whether there is no manifest, so that the plugin asks for nothing.
    pub fn is_bare(self) -> bool {
        match self {
            Self::Bundle | Self::Directory => false,
            Self::BareComponent | Self::CoreModule => true,
        }
    }
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

/// What was opened.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a bundle has to be verified, the others have not")]
#[expect(clippy::large_enum_variant, reason = "there is one of them at a time")]
pub enum Opened {
    /// A bundle. Its files are the listed ones; nobody looked at its signatures or its manifest.
    Sealed(Sealed),
    /// A plugin in another form, which nobody can have signed.
    Plain(Plugin),
}

/// Opens the plugin called `name` in `dir`, as [`open`] does, or the bundle: a `.rfz`, or a directory
/// with a `SHA256SUMS`.
///
/// # Errors
/// As [`open`], and when a bundle is refused.
///
/// # Security
/// As [`open`]. A bundle is read once, and what is returned are the bytes that were compared with the
/// list.
pub fn open_any(dir: &Dir, name: &str, display: &str) -> Result<Opened, ArchiveError> {
    if name != "." && !is_part(name) {
        return Err(BundleError::NotFound { path: display.to_owned() }.into());
    }
    if name == "." || read::metadata(dir, name, display)?.is_dir() {
        let tree = read::subdirectory(dir, name, display)?;
        if archive::is_sealed(&tree) {
            return archive::read_tree(&tree, display).map(Opened::Sealed);
        }
        return Ok(Opened::Plain(open_directory(&tree, display)?));
    }
    let limit = Limit { what: "bundle", bytes: archive::MAX_ARCHIVE_BYTES };
    let mut file = PlainFile::open(dir, name, display, limit)?;
    let head = file.head(sniff::HEAD_BYTES)?;
    if has_ending(name, ".rfz") || sniff::sniff(&head) == Found::Tar {
        return archive::read(head.as_slice().chain(file.into_reader()), display)
            .map(Opened::Sealed);
    }
    Ok(Opened::Plain(open(dir, name, display)?))
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

    /// Returns the plugin in a bundle. The digest of the component is the one that was compared with
    /// the list; its bytes are the very ones that were read.
    ///
    /// # Errors
    /// When there is no manifest, it is wrong, or the component it names is not there or is none.
    ///
    /// # Security
    /// Nothing says who made it: `ringfence_trust::verify` checks that before it calls this.
    pub fn from_sealed(mut sealed: Sealed) -> Result<Self, BundleError> {
        let display = sealed.display().to_owned();
        let shown = |path: &str| format!("{}/{path}", display.trim_end_matches('/'));
        let identity = sealed.digest();
        let files = sealed.listed().collect();
        let Some((_, text)) = sealed.take(MANIFEST_FILE) else {
            return Err(BundleError::NoManifest { path: display });
        };
        if text.len() as u64 > MAX_MANIFEST_BYTES {
            let (what, limit_bytes) = ("manifest", MAX_MANIFEST_BYTES);
            return Err(BundleError::TooLarge { path: shown(MANIFEST_FILE), what, limit_bytes });
        }
        let manifest = manifest::parse_bytes(&text, &shown(MANIFEST_FILE))?;
        let path = shown(&manifest.component);
        let Some((digest, component)) = sealed.take(&manifest.component) else {
            return Err(BundleError::NoComponent { path });
        };
        let head = &component[..component.len().min(sniff::HEAD_BYTES)];
        let encoding = match sniff::sniff(head) {
            Found::Component => Encoding::Component,
            Found::CoreModule => Encoding::CoreModule,
            found => return Err(BundleError::WrongKind { path, found }),
        };
        let sbom = sealed.take(SBOM_FILE).map(|(_, bytes)| bytes);
        let form = Form::Bundle;
        Ok(Self { manifest, component, digest, identity, form, encoding, display, files, sbom })
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
        let (display, files, sbom) = (display.to_owned(), Vec::new(), None);
        Self { manifest, component, digest, identity, form, encoding, display, files, sbom }
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
