//! Compiled code on disk, mapped when it is used again.
//!
//! Deserialising machine code trusts it completely, so an entry is only mapped when this host wrote
//! it for this user and nothing touched it since: the directory and the entry belong to the user,
//! nobody else may write them, the entry is a plain file with one link, and its inode, size and
//! change time are those noted in the entry's stamp when it was written. The kernel sets the change
//! time on every write, and no user can set it back. Anything else is a miss: the component is
//! compiled again and the entry replaced.
//!
//! An entry's name is a hash of the component's digest, of what the code depends on in wasmtime (its
//! version, its settings and this processor's features, which is its compatibility hash) and of the
//! build of this host. The compatibility hash would do for a component. It does not for a core
//! module: what is compiled then is made of the module by an adapter and a linker of this build.

use std::hash::{Hash, Hasher};
use std::io::{Read, Write};
use std::path::Path;

use cap_std::fs::{Dir, File, OpenOptions};
use cap_std::time::SystemTime;
use ringfence_capability::Digest;
use sha2::{Digest as _, Sha256};
use wasmtime::component::Component;

use crate::EngineError;

mod trust;

use trust::Stamp;
pub use trust::is_private;

/// What of this build decides which code comes out: `build.rs` lists it.
const BUILD: &str = concat!(env!("CARGO_PKG_VERSION"), " ", env!("RINGFENCE_CODE_BUILD"));

/// An entry used within this many seconds is not marked as used again: saves a write per run.
const TOUCH_AFTER_SECS: u64 = 3600;

/// A directory of compiled code, bounded in size. Many processes can use it at once.
#[derive(Debug)]
pub struct AotCache {
    dir: Dir,
    most_bytes: u64,
}

/// What a cache holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CacheStats {
    /// How many components.
    pub entries: u64,
    /// Their compiled size in bytes.
    pub size_bytes: u64,
}

impl AotCache {
    /// Returns the cache kept in `dir`, of at most `most_bytes`. `display` is for messages.
    ///
    /// # Errors
    /// [`EngineError::Cache`] when the directory belongs to someone else or others may write it.
    ///
    /// # Security
    /// Whoever can write files as this user can run code as this user anyway; the checks keep
    /// everybody else, and plugins, from placing code here. The caller must never grant a plugin a
    /// directory that contains this one.
    pub fn open(dir: Dir, display: &Path, most_bytes: u64) -> Result<Self, EngineError> {
        let fail = |why| EngineError::Cache { path: display.display().to_string(), why };
        let metadata = dir.dir_metadata().map_err(|_| fail("it cannot be read"))?;
        if trust::is_private(&metadata) {
            Ok(Self { dir, most_bytes })
        } else {
            Err(fail("it belongs to another user, or others may write to it"))
        }
    }

    /// Tells whether a trusted entry for this component exists.
    pub fn contains(&self, engine: &wasmtime::Engine, digest: &Digest) -> bool {
        self.trusted(&key(engine, digest)).is_some()
    }

    /// Returns what the cache holds.
    pub fn stats(&self) -> CacheStats {
        let entries = self.entries();
        let size_bytes = entries.iter().map(|entry| entry.size_bytes).sum();
        CacheStats { entries: entries.len() as u64, size_bytes }
    }

    /// Returns the component mapped from its entry, or nothing when there is none to be trusted.
    pub(crate) fn map(&self, engine: &wasmtime::Engine, digest: &Digest) -> Option<Component> {
        let key = key(engine, digest);
        let file = self.trusted(&key)?;
        match map_file(engine, &file) {
            Ok(component) => {
                self.touch(&key);
                Some(component)
            }
            Err(error) => {
                tracing::warn!(%error, key, "compiled code does not fit this host; it is rebuilt");
                None
            }
        }
    }

    /// Keeps `code`. A failure is logged and means only that the next run compiles again.
    pub(crate) fn store(&self, engine: &wasmtime::Engine, digest: &Digest, code: &[u8]) {
        if code.len() as u64 > self.most_bytes {
            return;
        }
        if let Err(error) = self.try_store(&key(engine, digest), code) {
            tracing::warn!(%error, "compiled code cannot be kept; the next run compiles again");
        }
    }

    fn try_store(&self, key: &str, code: &[u8]) -> std::io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create(true);
        let lock_file = self.dir.open_with("lock", &options)?.into_std();
        let mut lock = fd_lock::RwLock::new(lock_file);
        let _held = lock.write()?;
        self.evict(code.len() as u64)?;
        let code_file = self.replace(&format!("{key}.cwasm"), code)?;
        let stamp = Stamp::of(&code_file.metadata()?);
        self.replace(&format!("{key}.stamp"), stamp.text().as_bytes())?;
        Ok(())
    }

    /// Writes a file that appears whole or not at all, and returns it as it stands in its place.
    fn replace(&self, name: &str, bytes: &[u8]) -> std::io::Result<File> {
        let draft = format!("{name}.{}.tmp", std::process::id());
        let mut options = OpenOptions::new();
        options.write(true).read(true).create(true).truncate(true);
        trust::only_for_the_user(&mut options);
        let mut file = self.dir.open_with(&draft, &options)?;
        file.write_all(bytes)?;
        self.dir.rename(&draft, &self.dir, name)?;
        Ok(file)
    }

    /// Returns the entry's file when every check of this module's first paragraph holds.
    fn trusted(&self, key: &str) -> Option<File> {
        let file = self.dir.open(format!("{key}.cwasm")).ok()?;
        let metadata = file.metadata().ok()?;
        let mut text = String::new();
        let stamp = self.dir.open(format!("{key}.stamp")).ok()?;
        let private = trust::is_private(&stamp.metadata().ok()?) && trust::is_private(&metadata);
        stamp.take(trust::STAMP_BYTES).read_to_string(&mut text).ok()?;
        let same = text == Stamp::of(&metadata).text();
        (private && same && trust::is_plain(&metadata)).then_some(file)
    }

    /// Marks an entry as used now, at most once an hour.
    fn touch(&self, key: &str) {
        let name = format!("{key}.stamp");
        let Ok(metadata) = self.dir.metadata(&name) else { return };
        let age = metadata.modified().ok().and_then(|t| age_secs(t.into_std()));
        if age.is_some_and(|age| age > TOUCH_AFTER_SECS)
            && let Ok(file) = self.dir.open_with(&name, OpenOptions::new().write(true))
        {
            let _ = file.into_std().set_modified(std::time::SystemTime::now());
        }
    }

    /// Removes the entries used longest ago until `more` bytes fit.
    fn evict(&self, more: u64) -> std::io::Result<()> {
        self.remove_drafts();
        let mut entries = self.entries();
        entries.sort_by_key(|entry| entry.used);
        let mut total: u64 = entries.iter().map(|entry| entry.size_bytes).sum();
        for entry in entries {
            if total + more <= self.most_bytes {
                break;
            }
            self.dir.remove_file(format!("{}.cwasm", entry.key))?;
            let _ = self.dir.remove_file(format!("{}.stamp", entry.key));
            total -= entry.size_bytes;
        }
        Ok(())
    }

    /// Removes what writers that were killed left behind. The lock is held: nobody is writing now.
    fn remove_drafts(&self) {
        let Ok(names) = self.dir.entries() else { return };
        for name in names.flatten().map(|found| found.file_name()) {
            if Path::new(&name).extension().is_some_and(|end| end == "tmp") {
                let _ = self.dir.remove_file(&name);
            }
        }
    }

    fn entries(&self) -> Vec<Entry> {
        let Ok(names) = self.dir.entries() else { return Vec::new() };
        let entry = |name: std::ffi::OsString| {
            let key = name.to_str()?.strip_suffix(".cwasm")?.to_owned();
            let size_bytes = self.dir.metadata(&name).ok()?.len();
            let used =
                self.dir.metadata(format!("{key}.stamp")).ok().and_then(|m| m.modified().ok());
            Some(Entry { key, size_bytes, used })
        };
        names.flatten().filter_map(|found| entry(found.file_name())).collect()
    }
}

struct Entry {
    key: String,
    size_bytes: u64,
    used: Option<SystemTime>,
}

fn age_secs(time: std::time::SystemTime) -> Option<u64> {
    std::time::SystemTime::now().duration_since(time).ok().map(|age| age.as_secs())
}

/// Returns the name of the entry for a component, compiled by this host for this machine.
fn key(engine: &wasmtime::Engine, digest: &Digest) -> String {
    key_of(BUILD, engine, digest)
}

fn key_of(build: &str, engine: &wasmtime::Engine, digest: &Digest) -> String {
    let mut hasher = ShaHasher(Sha256::new());
    hasher.write(digest.as_bytes());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.write(build.as_bytes());
    Digest::from_bytes(hasher.0.finalize().into()).hex()
}

/// Lets wasmtime's compatibility hash be taken with SHA-256, so that no collision can be made.
struct ShaHasher(Sha256);

impl Hasher for ShaHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

#[cfg(target_os = "linux")]
const OPEN_FILES: &str = "/proc/self/fd";
#[cfg(not(target_os = "linux"))]
const OPEN_FILES: &str = "/dev/fd";

/// Maps the very file that was checked, by its descriptor rather than its name.
#[expect(unsafe_code, reason = "mapping machine code is unsafe; the checks above make it sound")]
fn map_file(engine: &wasmtime::Engine, file: &File) -> wasmtime::Result<Component> {
    use std::os::fd::AsRawFd as _;
    let path = format!("{OPEN_FILES}/{}", file.as_raw_fd());
    // SAFETY: `deserialize_file` needs bytes that `Component::serialize` produced and that nobody
    // changes while they are mapped. `trusted` made sure that (1) this user's host wrote the file:
    // the stamp beside it, private to the user, names this inode, size and change time, and the
    // kernel moves the change time on every later write; (2) nobody but the user can write the file
    // or the directory, and no plugin is ever granted a directory that holds the cache; (3) the file
    // has no other name, and entries are replaced by rename, never rewritten in place. A file made
    // by another wasmtime version or configuration is refused by wasmtime itself and has another key.
    unsafe { Component::deserialize_file(engine, path) }
}

#[cfg(test)]
mod tests;
