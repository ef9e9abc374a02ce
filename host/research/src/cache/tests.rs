//! The cache in real files: what is found, what is not, and what is left when somebody meddles.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};

use ringfence_capability::Diagnostic as _;
use rusqlite::Connection;

use super::{Cache, CacheError, Entry, Key, Kind};

fn now() -> u64 {
    1_000_000
}

fn open(dir: &Path) -> Cache {
    Cache::open(dir, now, 1 << 20).unwrap()
}

fn place() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("research");
    (dir, path)
}

fn key(plugin: &str, part: &str) -> Key {
    Key::new(Kind::Page, plugin, &[part.as_bytes()])
}

fn entry(body: &str) -> Entry {
    Entry { body: body.as_bytes().to_vec(), checked: 7 }
}

#[test]
fn an_entry_is_found_by_who_wrote_it_and_by_nobody_else() {
    let (_dir, path) = place();
    open(&path).keep(&key("a", "x"), "x", &entry("one")).unwrap();
    // Another process, and the file is still there.
    let cache = open(&path);
    assert_eq!(cache.find(&key("a", "x")).unwrap(), Some(entry("one")));
    assert_eq!(cache.find(&key("b", "x")).unwrap(), None);
    assert_eq!(cache.find(&key("a", "y")).unwrap(), None);
    assert_eq!(cache.find(&Key::new(Kind::Answer, "a", &[b"x"])).unwrap(), None);
    assert_ne!(Key::new(Kind::Page, "a", &[b"xy", b""]), Key::new(Kind::Page, "a", &[b"x", b"y"]));
    cache.keep(&key("a", "x"), "x", &entry("two")).unwrap();
    assert_eq!(cache.find(&key("a", "x")).unwrap(), Some(entry("two")));
    assert_eq!(cache.held().unwrap().first().map(|held| held.entries), Some(1));
    cache.forget(&key("a", "x")).unwrap();
    assert!(cache.held().unwrap().iter().all(|held| (held.entries, held.bytes) == (0, 0)));
}

#[test]
fn whatever_is_changed_in_an_entry_it_is_dropped() {
    // The twin of each is the same entry unchanged, which is found.
    for change in [
        "UPDATE entry SET body = CAST('evil' AS BLOB)",
        "UPDATE entry SET checked_s = 999999",
        "UPDATE entry SET sha256 = zeroblob(32)",
        // One entry under the name of another.
        "UPDATE entry SET key = (SELECT key FROM other) WHERE 1",
    ] {
        let (_dir, path) = place();
        let cache = open(&path);
        let (first, second) = (key("a", "x"), key("a", "y"));
        cache.keep(&first, "x", &entry("one")).unwrap();
        assert_eq!(cache.find(&first).unwrap(), Some(entry("one")), "unchanged it is found");
        let file = Connection::open(path.join("cache.sqlite")).unwrap();
        file.execute_batch("CREATE TEMP TABLE other (key BLOB)").unwrap();
        file.execute("INSERT INTO other VALUES (?1)", [second.hash]).unwrap();
        file.execute_batch(change).unwrap();
        assert_eq!(cache.find(&first).unwrap(), None, "{change}");
        assert_eq!(cache.find(&second).unwrap(), None, "{change}");
        assert!(cache.held().unwrap().iter().all(|held| held.entries == 0), "{change}");
    }
}

#[test]
fn all_together_stays_below_the_bound_and_what_was_used_last_stays() {
    let (_dir, path) = place();
    let cache = Cache::open(&path, now, 10_000).unwrap();
    let big = "b".repeat(3000);
    let keys = ["1", "2", "3", "4", "5"].map(|part| key("a", part));
    for key in &keys {
        cache.keep(key, "", &entry(&big)).unwrap();
    }
    let there = keys.iter().map(|key| cache.find(key).unwrap().is_some());
    assert_eq!(there.collect::<Vec<_>>(), [false, false, true, true, true]);
    let bytes: u64 = cache.held().unwrap().iter().map(|held| held.bytes).sum();
    assert!(bytes <= 10_000, "{bytes}");
    cache.keep(&keys[0], "", &entry(&"b".repeat(20_000))).unwrap();
    assert_eq!(cache.find(&keys[0]).unwrap(), None, "what is too large by itself is not kept");
    assert!(cache.find(&keys[4]).unwrap().is_some(), "and drops nothing else");
}

#[test]
fn what_is_no_cache_is_refused_and_can_be_cleared() {
    for (meddle, says) in [
        ("CREATE TRIGGER t AFTER INSERT ON entry BEGIN DELETE FROM entry; END", "its tables"),
        ("PRAGMA application_id = 1", "not written by ringfence"),
        ("PRAGMA user_version = 9", "another version"),
    ] {
        let (_dir, path) = place();
        drop(open(&path));
        let file = Connection::open(path.join("cache.sqlite")).unwrap();
        file.execute_batch(meddle).unwrap();
        drop(file);
        let error = Cache::open(&path, now, 1).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
        Cache::remove(&path).unwrap();
        open(&path);
    }
    let (_dir, path) = place();
    drop(open(&path));
    let dir = cap_std::fs::Dir::open_ambient_dir(&path, cap_std::ambient_authority()).unwrap();
    dir.write("cache.sqlite", "no database at all".repeat(100)).unwrap();
    let error = Cache::open(&path, now, 1).unwrap_err().to_string();
    assert!(error.contains("is not sound"), "{error}");
    Cache::remove(&path).unwrap();
    open(&path);
}

#[cfg(unix)]
#[test]
fn a_place_that_others_can_write_to_is_refused() {
    use cap_std::fs::{Dir, PermissionsExt as _};
    let (dir, path) = place();
    drop(open(&path));
    let above = Dir::open_ambient_dir(dir.path(), cap_std::ambient_authority()).unwrap();
    let mode = |name: &str, mode| {
        above.set_permissions(name, cap_std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let refused = || match Cache::open(&path, now, 1) {
        Err(error @ CacheError::Open { .. }) => {
            let hint = error.hint().unwrap_or_default();
            assert!(!hint.contains("cache clear") && hint.contains("--cache-dir"), "{hint}");
            let CacheError::Open { why, .. } = error else { return hint };
            why
        }
        other => format!("{:?}", other.map(drop)),
    };
    mode("research", 0o777);
    assert_eq!(refused(), "others can write to it");
    mode("research", 0o700);
    mode("research/cache.sqlite", 0o666);
    assert_eq!(refused(), "others can write to it");
    mode("research/cache.sqlite", 0o600);
    drop(open(&path));
    above.rename("research/cache.sqlite", &above, "elsewhere").unwrap();
    above.symlink("../elsewhere", "research/cache.sqlite").unwrap();
    assert_eq!(refused(), "it is a link or of another kind");
}

#[cfg(unix)]
#[test]
fn a_cache_below_a_linked_home_is_used_and_one_that_is_a_link_is_not() {
    use cap_std::fs::Dir;
    let (dir, path) = place();
    drop(open(&path));
    let above = Dir::open_ambient_dir(dir.path(), cap_std::ambient_authority()).unwrap();
    above.symlink(".", "home").unwrap();
    open(&dir.path().join("home/research")).held().unwrap();
    // The twin: the last part is no place for a link, whoever made it.
    above.symlink("research", "linked").unwrap();
    let refused = Cache::open(&dir.path().join("linked"), now, 1).unwrap_err();
    assert!(matches!(refused, CacheError::Open { .. }), "{refused}");
}

#[test]
fn a_turn_is_had_by_one_and_ends_with_it() {
    let (_dir, path) = place();
    let (one, other) = (open(&path), open(&path));
    let turn = one.flight(&key("a", "x")).unwrap();
    assert!(turn.is_some() && other.flight(&key("a", "x")).unwrap().is_none());
    drop(turn);
    assert!(other.flight(&key("a", "x")).unwrap().is_some());
}
