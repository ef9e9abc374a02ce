//! The store: bundles named by their digest, receipts named by their plugin, one lock.
//!
//! Everything is written in the order that leaves the old or the new whole: a bundle before the
//! receipt that names it, a receipt without a bundle before that bundle goes. What a process that
//! died left over is found under the lock, where nobody else writes.

use crate::StoreError;
use crate::admit::{Candidate, Terms, admit};
use crate::place::Place;
use crate::receipt::{self, Installed, MAX_VERSIONS, Receipt};
use cap_std::fs::File;
use fd_lock::{RwLock, RwLockWriteGuard};
use ringfence_bundle::archive::{self, MAX_ARCHIVE_BYTES, Sealed};
use ringfence_bundle::nearest;
use ringfence_capability::{Digest, text};
use semver::Version;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The file the processes take turns with.
const LOCK: &str = "lock";
/// The directories of the store.
const BUNDLES: &str = "bundles";
const RECEIPTS: &str = "receipts";

/// What is installed for one user.
#[derive(Debug)]
pub struct Store {
    root: Place,
    bundles: Place,
    receipts: Place,
}

/// A name of an installed plugin, with the version that is meant if one is: `name` or `name@1.2.0`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wanted {
    /// The name.
    pub name: String,
    /// The version.
    pub version: Option<Version>,
}

/// Something in the store that no name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unused {
    /// The file of the bundle.
    pub file: String,
    /// The name and version it was installed as; none for what no receipt names.
    pub was: Option<(String, Version)>,
}

impl Store {
    /// Opens the store in the directory `path`, made when missing.
    ///
    /// # Errors
    /// When a directory belongs to another user, is open to others, or cannot be made.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let root = Place::make(path)?;
        let (bundles, receipts) = (root.make_below(BUNDLES)?, root.make_below(RECEIPTS)?);
        Ok(Self { root, bundles, receipts })
    }

    /// Opens the store in the directory `path` to look at it; nothing when there is none.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn look(path: &Path) -> Result<Option<Self>, StoreError> {
        let Some(root) = Place::open(path)? else { return Ok(None) };
        match (root.below(BUNDLES)?, root.below(RECEIPTS)?) {
            (Some(bundles), Some(receipts)) => Ok(Some(Self { root, bundles, receipts })),
            _ => Ok(None),
        }
    }

    /// Returns the names that have a receipt, sorted.
    ///
    /// # Errors
    /// When the directory cannot be listed.
    pub fn names(&self) -> Result<Vec<String>, StoreError> {
        let files = self.receipts.names()?;
        let names = files.iter().filter_map(|file| file.strip_suffix(".toml"));
        Ok(names.filter(|name| is_name(name)).map(str::to_owned).collect())
    }

    /// Returns the receipt of `name`; nothing when it is not installed.
    ///
    /// # Errors
    /// [`StoreError::Receipt`] when it is damaged.
    pub fn receipt(&self, name: &str) -> Result<Option<Receipt>, StoreError> {
        use io::Read as _;
        if !is_name(name) {
            return Err(StoreError::BadName { name: text::brief(name, 80) });
        }
        let file = receipt_file(name);
        let Some(open) = self.receipts.file(&file, receipt::MAX_BYTES)? else {
            return Ok(None);
        };
        let path = self.receipts.path_of(&file);
        let mut bytes = Vec::new();
        let read = open.take(receipt::MAX_BYTES).read_to_end(&mut bytes);
        read.map_err(|source| StoreError::Io { what: "read", path: path.clone(), source })?;
        let receipt = Receipt::read(name, &bytes);
        receipt.map(Some).map_err(|problem| StoreError::Receipt {
            path,
            name: name.to_owned(),
            problem,
        })
    }

    /// Returns the receipt of `wanted` and the bundle that is meant.
    ///
    /// # Errors
    /// [`StoreError::NotInstalled`], [`StoreError::NoVersion`], [`StoreError::Receipt`].
    pub fn find(&self, wanted: &Wanted) -> Result<(Receipt, Installed), StoreError> {
        let Some(receipt) = self.receipt(&wanted.name)? else {
            let names = self.names()?;
            let nearest = nearest(&wanted.name, names.iter().map(String::as_str));
            let nearest = nearest.map(str::to_owned);
            return Err(StoreError::NotInstalled { name: wanted.name.clone(), nearest });
        };
        let found = match &wanted.version {
            None => receipt.current(),
            Some(version) => receipt.versions.iter().find(|one| one.version == *version),
        };
        if let Some(found) = found.cloned() {
            return Ok((receipt, found));
        }
        let have: Vec<_> = receipt.versions.iter().map(|one| one.version.to_string()).collect();
        let (name, have) = (receipt.name, have.join(", "));
        let version = wanted.version.clone().unwrap_or(Version::new(0, 0, 0));
        Err(StoreError::NoVersion { name, version, have })
    }

    /// Returns the path of the bundle `installed`, for whoever opens it by path and compares what it
    /// found with [`Installed::digest`].
    pub fn path(&self, installed: &Installed) -> PathBuf {
        self.bundles.path_of(&bundle_file(installed.digest))
    }

    /// Reads the bundle `installed` of `name`. What it returns has the digest of the receipt; whether
    /// its signature still counts is for the caller to check.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`StoreError::Damaged`] and [`StoreError::Tampered`], each naming it.
    pub fn read(&self, name: &str, installed: &Installed) -> Result<Sealed, StoreError> {
        let (name, version) = (name.to_owned(), installed.version.clone());
        let file = bundle_file(installed.digest);
        let Some(open) = self.bundles.file(&file, MAX_ARCHIVE_BYTES)? else {
            return Err(StoreError::Missing { name, version });
        };
        let display = self.path(installed).display().to_string();
        let sealed = match archive::read(open, &display) {
            Ok(sealed) => sealed,
            Err(source) => return Err(StoreError::Damaged { name, version, source }),
        };
        let (expected, found) = (installed.digest, sealed.digest());
        if found == expected {
            Ok(sealed)
        } else {
            Err(StoreError::Tampered { name, expected, found })
        }
    }

    /// Installs `candidate`, which the name stands for from then on. `seen` is the receipt that
    /// whoever agreed was shown; when another process changed it since, nothing is done.
    ///
    /// # Errors
    /// [`StoreError::Changed`], what [`admit`] says, and any failure to write. What was installed
    /// before is then untouched.
    pub fn install(
        &self,
        candidate: &Candidate<'_>,
        terms: Terms,
        seen: Option<&Receipt>,
    ) -> Result<Receipt, StoreError> {
        let mut turn = self.turn()?;
        let _mine = lock(&mut turn, &self.root)?;
        let before = self.receipt(candidate.name)?;
        if before.as_ref() != seen {
            return Err(StoreError::Changed { name: candidate.name.to_owned() });
        }
        let signer = candidate.signer.as_ref().map(|signer| signer.key.as_str());
        let owner = admit(before.as_ref(), candidate.version, signer, terms)?;
        let installed = candidate.installed(size(candidate.bundle));
        let after = match &before {
            None => Receipt::first(candidate.name, installed),
            Some(before) => before.with(installed, owner),
        };
        if after.versions.len() > MAX_VERSIONS {
            let (name, limit) = (candidate.name.to_owned(), MAX_VERSIONS);
            return Err(StoreError::TooMany { name, limit });
        }
        let file = bundle_file(candidate.bundle.digest());
        self.bundles.write(&file, |out| candidate.bundle.write(&mut io::BufWriter::new(out)))?;
        self.put(&after)?;
        if let Some(before) = before {
            self.drop_bundles(before.versions.iter().filter(|one| !after.names(one.digest)))?;
        }
        Ok(after)
    }

    /// Removes `name` with all its versions, or the one version that is meant. Returns what is gone.
    ///
    /// # Errors
    /// [`StoreError::NotInstalled`], [`StoreError::NoVersion`]; [`StoreError::IsCurrent`] for the
    /// version the name stands for while there are others.
    pub fn remove(&self, wanted: &Wanted) -> Result<Vec<Installed>, StoreError> {
        let mut turn = self.turn()?;
        let _mine = lock(&mut turn, &self.root)?;
        let (mut receipt, found) = self.find(wanted)?;
        let whole = wanted.version.is_none() || receipt.versions.len() == 1;
        if !whole && found.digest == receipt.current {
            return Err(StoreError::IsCurrent { name: receipt.name, version: found.version });
        }
        let gone = if whole {
            self.receipts.remove(&receipt_file(&receipt.name))?;
            self.receipts.sync()?;
            receipt.versions
        } else {
            receipt.versions.retain(|one| one.digest != found.digest);
            self.put(&receipt)?;
            vec![found]
        };
        self.drop_bundles(gone.iter())?;
        Ok(gone)
    }

    /// Removes the receipt of `name` although it cannot be read; its bundles go with
    /// [`Store::remove_unused`].
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn forget(&self, name: &str) -> Result<bool, StoreError> {
        if !is_name(name) {
            return Err(StoreError::BadName { name: text::brief(name, 80) });
        }
        let mut turn = self.turn()?;
        let _mine = lock(&mut turn, &self.root)?;
        let gone = self.receipts.remove(&receipt_file(name))?;
        self.receipts.sync()?;
        Ok(gone)
    }

    /// Returns what no name stands for: versions that another one took the place of, and what a
    /// process that died left behind.
    ///
    /// # Errors
    /// [`StoreError::Receipt`] when a receipt is damaged: what it names is not known then.
    pub fn unused(&self) -> Result<Vec<Unused>, StoreError> {
        let mut turn = self.turn()?;
        let _mine = lock(&mut turn, &self.root)?;
        self.find_unused()
    }

    /// Removes what no name stands for, and returns it.
    ///
    /// # Errors
    /// As [`Store::unused`].
    pub fn remove_unused(&self) -> Result<Vec<Unused>, StoreError> {
        let mut turn = self.turn()?;
        let _mine = lock(&mut turn, &self.root)?;
        let unused = self.find_unused()?;
        for name in self.names()? {
            if let Some(mut receipt) = self.receipt(&name)?
                && receipt.versions.len() > 1
            {
                receipt.versions.retain(|one| one.digest == receipt.current);
                self.put(&receipt)?;
            }
        }
        for one in &unused {
            self.bundles.remove(&one.file)?;
        }
        self.receipts.clean()?;
        self.bundles.sync()?;
        Ok(unused)
    }

    fn find_unused(&self) -> Result<Vec<Unused>, StoreError> {
        let (mut used, mut unused) = (Vec::new(), Vec::new());
        for name in self.names()? {
            let Some(receipt) = self.receipt(&name)? else { continue };
            used.push(bundle_file(receipt.current));
            for one in receipt.versions.iter().filter(|one| one.digest != receipt.current) {
                let was = Some((name.clone(), one.version.clone()));
                unused.push(Unused { file: bundle_file(one.digest), was });
            }
        }
        for file in self.bundles.names()? {
            if !used.contains(&file) && !unused.iter().any(|one| one.file == file) {
                unused.push(Unused { file, was: None });
            }
        }
        Ok(unused)
    }

    fn turn(&self) -> Result<RwLock<File>, StoreError> {
        self.root.turn(LOCK).map(RwLock::new)
    }

    fn put(&self, receipt: &Receipt) -> Result<(), StoreError> {
        let name = &receipt.name;
        let text =
            receipt.text().map_err(|source| StoreError::Encode { name: name.clone(), source })?;
        self.receipts.write(&receipt_file(name), |out| out.write_all(text.as_bytes()))
    }

    fn drop_bundles<'i>(
        &self,
        gone: impl Iterator<Item = &'i Installed>,
    ) -> Result<(), StoreError> {
        for installed in gone {
            self.bundles.remove(&bundle_file(installed.digest))?;
        }
        self.bundles.sync()
    }
}

/// Waits until no other process writes.
fn lock<'l>(
    turn: &'l mut RwLock<File>,
    root: &Place,
) -> Result<RwLockWriteGuard<'l, File>, StoreError> {
    let path = root.path_of(LOCK);
    turn.write().map_err(|source| StoreError::Io { what: "lock", path, source })
}

impl Receipt {
    fn names(&self, digest: Digest) -> bool {
        self.versions.iter().any(|installed| installed.digest == digest)
    }
}

fn bundle_file(digest: Digest) -> String {
    format!("{}.rfz", digest.hex())
}

fn receipt_file(name: &str) -> String {
    format!("{name}.toml")
}

/// Returns the size of the packed bundle.
fn size(bundle: &Sealed) -> u64 {
    struct Count(u64);
    impl Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len() as u64;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Counting cannot fail.
    let _ = bundle.write(&mut count);
    count.0
}

/// Tells whether a plugin can have this name, so that it can be part of a path here.
pub(crate) fn is_name(text: &str) -> bool {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty() && text.len() <= 64 && !text.starts_with('-') && text.chars().all(good)
}

impl Wanted {
    /// Returns what `name` alone stands for.
    ///
    /// # Errors
    /// [`StoreError::BadName`] when no plugin can have this name.
    pub fn current(name: &str) -> Result<Self, StoreError> {
        if is_name(name) {
            return Ok(Self { name: name.to_owned(), version: None });
        }
        Err(StoreError::BadName { name: text::brief(name, 80) })
    }
}

impl FromStr for Wanted {
    type Err = StoreError;

    fn from_str(word: &str) -> Result<Self, StoreError> {
        let bad = || StoreError::BadName { name: text::brief(word, 80) };
        let (name, version) = match word.split_once('@') {
            Some((name, version)) => (name, Some(version.parse().map_err(|_| bad())?)),
            None => (word, None),
        };
        if is_name(name) { Ok(Self { name: name.to_owned(), version }) } else { Err(bad()) }
    }
}

#[cfg(test)]
pub(crate) mod tests;
