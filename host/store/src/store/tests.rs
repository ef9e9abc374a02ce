//! What is installed stays whole: names, versions, tampering, and what lies around.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, reason = "tests")]

pub(crate) mod crash;
mod many;

use super::*;
use crate::{Asked, Downgrade, Signer, Source, Succession};
use jiff::Timestamp;
use ringfence_capability::Diagnostic as _;
use std::collections::BTreeMap;
use tempfile::TempDir;

pub(super) const STRICT: Terms =
    Terms { downgrade: Downgrade::Refused, succession: Succession::None };
pub(super) const BACK: Terms = Terms { downgrade: Downgrade::Allowed, ..STRICT };

/// Returns a bundle that differs from every other by `text`.
pub(super) fn bundle(text: &str) -> Sealed {
    let files = BTreeMap::from([
        ("plugin.toml".to_owned(), text.as_bytes().to_vec()),
        ("p.wasm".to_owned(), vec![7; 5_000]),
    ]);
    archive::seal(files, "p").unwrap()
}

pub(super) fn candidate<'a>(
    bundle: &'a Sealed,
    version: &'a Version,
    key: Option<&str>,
) -> Candidate<'a> {
    Candidate {
        bundle,
        name: "word-count",
        version,
        signer: key.map(|key| Signer { key: key.to_owned(), name: "Acme".to_owned() }),
        source: Source::File("/x.rfz".to_owned()),
        time: Timestamp::UNIX_EPOCH,
        asked: Asked { requests: vec!["fs.read:workspace".to_owned()], ..Asked::default() },
    }
}

pub(super) struct Home(TempDir);

impl Home {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(super) fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    pub(super) fn store(&self) -> Store {
        Store::open(&self.data()).unwrap()
    }

    /// Installs the bundle `text` as this version.
    pub(super) fn install(&self, text: &str, version: &str, key: Option<&str>) -> Receipt {
        let store = self.store();
        let (bundle, version) = (bundle(text), version.parse().unwrap());
        let seen = store.receipt("word-count").unwrap();
        store.install(&candidate(&bundle, &version, key), BACK, seen.as_ref()).unwrap()
    }

    fn bundles(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.data().join("bundles")).unwrap();
        let mut names: Vec<_> =
            names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

pub(super) fn wanted(word: &str) -> Wanted {
    word.parse().unwrap()
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, StoreError>, code: &str, says: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.code(), code, "{error}");
    assert!(error.to_string().contains(says), "{error}");
}

#[test]
fn what_is_installed_is_found_by_its_name_and_read_back() {
    let home = Home::new();
    assert!(Store::look(&home.data()).unwrap().is_none());
    let receipt = home.install("one", "1.0.0", Some("k"));
    let store = Store::look(&home.data()).unwrap().unwrap();
    assert_eq!(store.names().unwrap(), ["word-count"]);
    for word in ["word-count", "word-count@1.0.0"] {
        let (found, installed) = store.find(&wanted(word)).unwrap();
        assert_eq!(found, receipt);
        assert_eq!(store.read("word-count", &installed).unwrap().digest(), bundle("one").digest());
        let packed = std::fs::metadata(store.path(&installed)).unwrap();
        assert_eq!(packed.len(), installed.size_bytes);
    }
    refused(store.find(&wanted("word-cuont")), "store::not-installed", "`word-cuont` is not");
    refused(store.find(&wanted("word-count@2.0.0")), "store::no-version", "version 2.0.0");
    for word in ["", "Word", "-a", "a/b", "a@", "a@1", "../a", "a@1.0.0@2.0.0"] {
        refused(word.parse::<Wanted>(), "store::bad-name", "is no name of a plugin");
    }
}

#[test]
#[cfg(unix)]
fn the_store_is_for_one_user_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = Home::new();
    let installed = home.install("one", "1.0.0", None).current().unwrap().clone();
    let store = home.store();
    let data = home.data();
    for (path, mode) in [
        (data.clone(), 0o700),
        (data.join("bundles"), 0o700),
        (data.join("receipts"), 0o700),
        (data.join("receipts/word-count.toml"), 0o600),
        (store.path(&installed), 0o600),
        (data.join("lock"), 0o600),
    ] {
        let found = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(found, mode, "{path:?}");
        // Open to others it is refused, whichever of them it is.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode | 0o020)).unwrap();
        let read = |store: Store| {
            let (_, installed) = store.find(&wanted("word-count"))?;
            store.read("word-count", &installed)?;
            store.unused()
        };
        let result = Store::open(&data).and_then(read);
        refused(result, "store::too-open", &path.display().to_string());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
}

#[test]
#[cfg(unix)]
fn nothing_is_read_through_a_link() {
    let home = Home::new();
    let installed = home.install("one", "1.0.0", None).current().unwrap().clone();
    let (data, bundle) = (home.data(), home.store().path(&installed));
    for path in [bundle, data.join("receipts/word-count.toml"), data.join("receipts")] {
        let aside = home.0.path().join("aside");
        std::fs::rename(&path, &aside).unwrap();
        std::os::unix::fs::symlink(&aside, &path).unwrap();
        let read = Store::open(&data).and_then(|store| {
            let (_, installed) = store.find(&wanted("word-count"))?;
            store.read("word-count", &installed)
        });
        refused(read, "store::not-plain", "is not used");
        std::fs::remove_file(&path).unwrap();
        std::fs::rename(&aside, &path).unwrap();
    }
}

#[test]
fn a_bundle_that_was_exchanged_or_damaged_is_named_and_never_handed_out() {
    let home = Home::new();
    let installed = home.install("one", "1.0.0", Some("k")).current().unwrap().clone();
    let store = home.store();
    let path = store.path(&installed);
    let whole = std::fs::read(&path).unwrap();
    let mut other = Vec::new();
    bundle("evil").write(&mut other).unwrap();
    let mut changed = whole.clone();
    changed[1_000] ^= 1;
    for (bytes, code, says) in [
        (other, "store::tampered", "is not what was installed"),
        (changed, "store::damaged", "`word-count` 1.0.0 in the store is damaged"),
        (whole[..whole.len() / 2].to_vec(), "store::damaged", "is damaged"),
        (Vec::new(), "store::damaged", "is damaged"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        refused(store.read("word-count", &installed), code, says);
    }
    std::fs::remove_file(&path).unwrap();
    refused(store.read("word-count", &installed), "store::missing", "is gone from the store");
    // Installing it again mends it.
    home.install("one", "1.0.0", Some("k"));
    assert_eq!(store.read("word-count", &installed).unwrap().digest(), bundle("one").digest());
}

#[test]
fn a_damaged_receipt_is_named_and_nothing_is_removed_on_its_word() {
    let home = Home::new();
    home.install("one", "1.0.0", None);
    let path = home.data().join("receipts/word-count.toml");
    let whole = std::fs::read_to_string(&path).unwrap();
    let half = &whole[..whole.len() / 2];
    for text in ["", half, "name = 1", &whole.replace("word-count", "other")] {
        std::fs::write(&path, text).unwrap();
        let store = home.store();
        let named = "word-count.toml` is damaged";
        refused(store.find(&wanted("word-count")), "store::damaged-receipt", named);
        refused(store.unused(), "store::damaged-receipt", named);
        refused(store.remove_unused(), "store::damaged-receipt", named);
        refused(store.remove(&wanted("word-count")), "store::damaged-receipt", named);
        assert_eq!(home.bundles().len(), 1);
    }
    // A person can drop it; only then the bundle belongs to nobody.
    let store = home.store();
    assert!(store.forget("word-count").unwrap());
    assert!(!store.forget("word-count").unwrap());
    assert_eq!(store.remove_unused().unwrap().len(), 1);
    assert!(home.bundles().is_empty());
}

#[test]
fn a_roll_back_and_a_name_of_another_key_are_refused_and_change_nothing() {
    let home = Home::new();
    let before = home.install("two", "2.0.0", Some("k"));
    let store = home.store();
    let old = bundle("one");
    let one = Version::new(1, 0, 0);
    let install =
        |key, terms| store.install(&candidate(&old, &one, Some(key)), terms, Some(&before));
    refused(install("k", STRICT), "store::downgrade", "2.0.0 is installed, and 1.0.0 is older");
    refused(install("evil", BACK), "store::name-taken", "belongs to the key `k`");
    assert_eq!(store.receipt("word-count").unwrap().unwrap(), before);
    assert_eq!(home.bundles().len(), 1);
    // The twins: what a person allowed, and what the trust store knows.
    let back = install("k", BACK).unwrap();
    assert_eq!(back.current().unwrap().version, one);
    let rotated = Terms { succession: Succession::Rotated, ..STRICT };
    let three = Version::new(3, 0, 0);
    let next = bundle("three");
    let handed = store.install(&candidate(&next, &three, Some("k2")), rotated, Some(&back));
    assert_eq!(handed.unwrap().owner.as_deref(), Some("k2"));
}

#[test]
fn what_changed_while_a_person_thought_is_not_replaced() {
    let home = Home::new();
    let seen = home.install("one", "1.0.0", Some("k"));
    let other = home.install("two", "1.1.0", Some("k"));
    let store = home.store();
    let (next, version) = (bundle("three"), Version::new(1, 2, 0));
    let install = |seen| store.install(&candidate(&next, &version, Some("k")), STRICT, seen);
    refused(install(Some(&seen)), "store::changed", "changed in the meantime");
    refused(install(None), "store::changed", "changed in the meantime");
    assert_eq!(install(Some(&other)).unwrap().versions().len(), 3);
}

#[test]
fn versions_go_one_by_one_and_the_rest_when_nobody_needs_it() {
    let home = Home::new();
    for version in ["1.0.0", "1.1.0", "1.2.0"] {
        home.install(version, version, Some("k"));
    }
    let store = home.store();
    assert_eq!(home.bundles().len(), 3);
    let current = store.remove(&wanted("word-count@1.2.0"));
    refused(current, "store::is-current", "1.2.0 is the version that `word-count` stands for");
    assert_eq!(store.remove(&wanted("word-count@1.0.0")).unwrap().len(), 1);
    std::fs::write(home.data().join("bundles/stray"), "x").unwrap();
    std::fs::write(home.data().join("receipts/.new"), "half").unwrap();
    let unused = store.unused().unwrap();
    let was: Vec<_> = unused.iter().map(|one| one.was.as_ref().map(|w| w.1.to_string())).collect();
    assert_eq!(was, [Some("1.1.0".to_owned()), None]);
    assert_eq!(store.remove_unused().unwrap(), unused);
    assert_eq!((home.bundles().len(), store.unused().unwrap().len()), (1, 0));
    assert!(!home.data().join("receipts/.new").exists());
    assert_eq!(store.remove(&wanted("word-count")).unwrap().len(), 1);
    assert!(home.bundles().is_empty() && store.names().unwrap().is_empty());
    // Removing it frees the name.
    home.install("mine", "0.1.0", Some("other"));
}

#[test]
fn another_bundle_of_the_same_version_takes_the_place_of_the_first() {
    let home = Home::new();
    home.install("one", "1.0.0", None);
    let receipt = home.install("one again", "1.0.0", None);
    assert_eq!((receipt.versions().len(), home.bundles().len()), (1, 1));
}

#[test]
fn no_more_versions_are_kept_than_the_limit() {
    let home = Home::new();
    for number in 0..MAX_VERSIONS {
        home.install(&number.to_string(), &format!("1.0.{number}"), None);
    }
    let store = home.store();
    let seen = store.receipt("word-count").unwrap();
    let (next, version) = (bundle("next"), Version::new(2, 0, 0));
    let more = store.install(&candidate(&next, &version, None), STRICT, seen.as_ref());
    refused(more, "store::too-many", "100 versions of `word-count`");
    store.remove_unused().unwrap();
    home.install("next", "2.0.0", None);
}
