#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::PathBuf;

use super::*;

const OK: Record<'static> = &|| Ok(());

fn space(name: &str, size_bytes: u64) -> Namespace {
    Namespace { name: Arc::from(name), size_bytes }
}

/// Returns a directory and the path of a store in it.
fn place() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("kv.db");
    (dir, path)
}

fn entries(list: &[(&str, usize)]) -> Vec<(String, Vec<u8>)> {
    list.iter().map(|(key, size)| ((*key).to_owned(), vec![b'x'; *size])).collect()
}

fn text<T: std::fmt::Debug>(result: Result<T, StoreError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn a_quota_counts_keys_and_values_and_a_larger_one_lets_the_same_through() {
    // Each case: what is set one after the other, and the first step that the quota refuses.
    let cases: &[(&[(&str, usize)], usize)] = &[
        (&[("a", 1023), ("a", 1024)], 1),
        (&[("a", 511), ("b", 511), ("c", 0)], 2),
        (&[("a", 1000), ("a", 10), ("b", 1000)], 2),
        (&[("a", 2000)], 0),
    ];
    for (steps, refused) in cases {
        for (size_bytes, refused) in [(1024, Some(*refused)), (1024 * 1024, None)] {
            let (_dir, path) = place();
            let mut store = Store::open(&path).unwrap();
            for (index, step) in steps.iter().enumerate() {
                let result = store.set(&space("n", size_bytes), &entries(&[*step]), OK);
                if Some(index) == refused {
                    assert_eq!(text(result), "quota of 1KiB reached", "{steps:?} {index}");
                } else {
                    result.unwrap();
                }
            }
        }
    }
}

#[test]
fn a_batch_over_the_quota_changes_nothing_and_one_that_makes_room_passes() {
    let (_dir, path) = place();
    let mut store = Store::open(&path).unwrap();
    let n = space("n", 100);
    store.set(&n, &entries(&[("a", 90)]), OK).unwrap();
    assert_eq!(text(store.set(&n, &entries(&[("b", 5), ("c", 50)]), OK)), "quota of 100B reached");
    assert!(!store.exists(&n, "b").unwrap());
    store.set(&n, &entries(&[("b", 50), ("a", 10)]), OK).unwrap();
    assert_eq!(store.get(&n, "b").unwrap().unwrap().len(), 50);
}

#[test]
fn a_deleted_entry_gives_its_room_back_and_a_lowered_quota_can_be_shrunk_below() {
    let (_dir, path) = place();
    let mut store = Store::open(&path).unwrap();
    store.set(&space("n", 100), &entries(&[("a", 49), ("b", 49)]), OK).unwrap();
    let lowered = space("n", 60);
    store.set(&lowered, &entries(&[("a", 48)]), OK).unwrap();
    assert_eq!(text(store.set(&lowered, &entries(&[("a", 49)]), OK)), "quota of 60B reached");
    store.delete(&lowered, &["a".to_owned(), "absent".to_owned()], OK).unwrap();
    store.set(&lowered, &entries(&[("c", 9)]), OK).unwrap();
    let other = space("other", 60);
    store.set(&other, &entries(&[("a", 59)]), OK).unwrap();
}

#[test]
fn keys_values_and_batches_have_bounds() {
    let (_dir, path) = place();
    let mut store = Store::open(&path).unwrap();
    let n = space("n", u64::MAX);
    let (long, fits) = ("k".repeat(KEY_BYTES + 1), "k".repeat(KEY_BYTES));
    store.set(&n, &entries(&[(&fits, VALUE_BYTES)]), OK).unwrap();
    assert_eq!(store.get(&n, &fits).unwrap().unwrap().len(), VALUE_BYTES);
    assert_eq!(text(store.set(&n, &entries(&[(&long, 1)]), OK)), "a key has at most 1KiB");
    assert_eq!(text(store.get(&n, &long)), "a key has at most 1KiB");
    assert_eq!(text(store.exists(&n, &long)), "a key has at most 1KiB");
    assert_eq!(text(store.increment(&n, &long, 1, OK)), "a key has at most 1KiB");
    assert_eq!(text(store.delete(&n, std::slice::from_ref(&long), OK)), "a key has at most 1KiB");
    let large = store.set(&n, &entries(&[("a", VALUE_BYTES + 1)]), OK);
    assert_eq!(text(large), "a value has at most 1MiB");
    let many = vec!["a".to_owned(); BATCH_KEYS + 1];
    assert_eq!(text(store.delete(&n, &many, OK)), "a batch has at most 1000 keys");
    assert_eq!(text(store.get_many(&n, many)), "a batch has at most 1000 keys");
    assert_eq!(text(store.get_many(&n, vec![fits; 8])), "a batch has at most 8MiB");
    let heavy = store.set(&n, &entries(&[("a", VALUE_BYTES); 8]), OK);
    assert_eq!(text(heavy), "a batch has at most 8MiB");
}

#[test]
fn any_text_is_a_key_and_any_bytes_are_a_value() {
    let (_dir, path) = place();
    let mut store = Store::open(&path).unwrap();
    let n = space("n", 1024);
    for key in ["", "a\0b", "a\0c", "A", "a", "%", "'; DROP TABLE entry; --", "é"] {
        let value = [0, 255, 39, u8::try_from(key.len()).unwrap()].to_vec();
        store.set(&n, &[(key.to_owned(), value.clone())], OK).unwrap();
        assert_eq!(store.get(&n, key).unwrap(), Some(value), "{key:?}");
    }
    assert_eq!(store.keys(&n, None).unwrap().keys.len(), 8);
}

#[test]
fn namespaces_do_not_see_each_other() {
    let (_dir, path) = place();
    let mut store = Store::open(&path).unwrap();
    let (mine, theirs) = (space("mine", 1024), space("theirs", 1024));
    store.set(&theirs, &entries(&[("a", 3), ("b", 3)]), OK).unwrap();
    assert_eq!(store.get(&mine, "a").unwrap(), None);
    assert!(!store.exists(&mine, "a").unwrap());
    assert_eq!(store.keys(&mine, None).unwrap(), Page { keys: vec![], next: None });
    store.delete(&mine, &["a".to_owned()], OK).unwrap();
    assert_eq!(store.get_many(&mine, vec!["a".to_owned()]).unwrap(), [None]);
    assert_eq!(store.get(&theirs, "a").unwrap(), Some(b"xxx".to_vec()));
}

#[test]
fn a_listing_comes_in_pages_that_cover_every_key_once() {
    let (_dir, path) = place();
    let mut store = Store::open(&path).unwrap();
    let n = space("n", 1024 * 1024);
    for (count, pages) in [(1, 1), (PAGE_KEYS, 1), (PAGE_KEYS + 1, 2), (PAGE_KEYS * 2 + 50, 3)] {
        let all: Vec<String> = (0..count).map(|index| format!("key-{index}")).collect();
        for key in &all {
            store.set(&n, &entries(&[(key, 1)]), OK).unwrap();
        }
        let (mut seen, mut cursor, mut turned) = (Vec::new(), None, 0);
        loop {
            let page = store.keys(&n, cursor).unwrap();
            seen.extend(page.keys);
            (cursor, turned) = (page.next, turned + 1);
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!((seen, turned), (all, pages));
    }
    assert_eq!(store.keys(&n, Some(u64::MAX)).unwrap(), Page { keys: vec![], next: None });
}

#[test]
fn only_a_decimal_number_that_stays_in_range_is_incremented() {
    let (_dir, path) = place();
    let mut store = Store::open(&path).unwrap();
    let n = space("n", 1024);
    assert_eq!(store.increment(&n, "count", 5, OK).unwrap(), 5);
    assert_eq!(store.increment(&n, "count", 6, OK).unwrap(), 11);
    assert_eq!(store.get(&n, "count").unwrap(), Some(b"11".to_vec()));
    let cases: [(&[u8], &str); 5] = [
        (b"", "the value is no decimal number of 64 bits"),
        (b"-1", "the value is no decimal number of 64 bits"),
        (b"twelve", "the value is no decimal number of 64 bits"),
        (b"\xff\xfe", "the value is no decimal number of 64 bits"),
        (b"18446744073709551615", "the number would pass 64 bits"),
    ];
    for (value, reason) in cases {
        store.set(&n, &[("a".to_owned(), value.to_vec())], OK).unwrap();
        assert_eq!(text(store.increment(&n, "a", 1, OK)), reason);
        assert_eq!(store.get(&n, "a").unwrap().as_deref(), Some(value), "nothing was changed");
    }
    assert_eq!(text(store.increment(&space("full", 1), "a", 1, OK)), "quota of 1B reached");
}

#[test]
fn two_connections_at_once_lose_nothing_and_it_is_there_after_reopening() {
    let (_dir, path) = place();
    let n = space("n", 1024 * 1024);
    std::thread::scope(|scope| {
        for writer in 0..2 {
            let (path, n) = (&path, &n);
            scope.spawn(move || {
                let mut store = Store::open(path).unwrap();
                for index in 0..100 {
                    store.increment(n, "count", 1, OK).unwrap();
                    store.set(n, &entries(&[(&format!("{writer}-{index}"), 10)]), OK).unwrap();
                }
            });
        }
    });
    let store = Store::open(&path).unwrap();
    assert_eq!(store.get(&n, "count").unwrap(), Some(b"200".to_vec()));
    let sql = "SELECT bytes = (SELECT sum(octet_length(key) + octet_length(value)) FROM entry) FROM space";
    let exact: bool = store.connection.query_row(sql, [], |row| row.get(0)).unwrap();
    assert!(exact, "the count of bytes agrees with the entries");
}

#[test]
fn what_could_not_be_recorded_does_not_happen() {
    let (_dir, path) = place();
    let mut store = Store::open(&path).unwrap();
    let n = space("n", 1024);
    store.set(&n, &entries(&[("a", 1)]), OK).unwrap();
    let broken: Record<'_> = &|| Err(NotRecorded::new());
    let reason = "the effect could not be written to the audit log";
    assert_eq!(text(store.set(&n, &entries(&[("b", 1)]), broken)), reason);
    assert_eq!(text(store.delete(&n, &["a".to_owned()], broken)), reason);
    assert_eq!(text(store.increment(&n, "c", 1, broken)), reason);
    assert_eq!(store.keys(&n, None).unwrap().keys, ["a"]);
}

#[test]
fn a_file_that_is_no_store_of_this_version_is_refused() {
    let damaged = "the store is damaged";
    let version = "the store has the format of another version of ringfence";
    let run = |sql: &'static str| {
        move |path: &PathBuf| Connection::open(path).unwrap().execute_batch(sql).unwrap()
    };
    let check = |make: &dyn Fn(&PathBuf), reason: &str| {
        let (_dir, path) = place();
        make(&path);
        let error = text(Store::open(&path));
        assert_eq!(error, reason);
    };
    check(&|path| std::fs::write(path, vec![b'x'; 8192]).unwrap(), damaged);
    check(&run("PRAGMA user_version = 2"), version);
    check(&run("CREATE TABLE someone_elses (a)"), version);
    check(&|path| std::fs::create_dir(path).unwrap(), "the store cannot be used");
    let (dir, _) = place();
    let missing = dir.path().join("missing").join("kv.db");
    assert_eq!(text(Store::open(&missing)), "the store cannot be used");
}

#[test]
fn pages_overwritten_after_the_header_are_an_error_and_not_an_answer() {
    let (_dir, path) = place();
    let n = space("n", 1024 * 1024);
    let mut store = Store::open(&path).unwrap();
    for index in 0..200 {
        store.set(&n, &entries(&[(&format!("key-{index}"), 500)]), OK).unwrap();
    }
    drop(store);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[4096..].fill(0x5a);
    std::fs::write(&path, bytes).unwrap();
    let mut store = Store::open(&path).unwrap();
    assert_eq!(text(store.get(&n, "key-1")), "the store is damaged");
    assert_eq!(text(store.set(&n, &entries(&[("a", 1)]), OK)), "the store is damaged");
}

#[test]
#[cfg(unix)]
fn only_the_owner_may_read_the_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let (dir, path) = place();
    let mut store = Store::open(&path).unwrap();
    store.set(&space("n", 100), &entries(&[("a", 1)]), OK).unwrap();
    let files: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(Result::unwrap).collect();
    assert!(files.len() > 1, "the log beside the file counts too");
    for file in files {
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", file.file_name());
    }
}

#[test]
fn a_value_larger_than_any_this_store_writes_is_not_read() {
    let (_dir, path) = place();
    let mut store = Store::open(&path).unwrap();
    let n = space("n", 100);
    store.set(&n, &entries(&[("a", 1)]), OK).unwrap();
    let sql = "UPDATE entry SET value = zeroblob(1048577)";
    store.connection.execute_batch(sql).unwrap();
    assert_eq!(text(store.get(&n, "a")), "the store is damaged");
}
