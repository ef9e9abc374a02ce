//! The store as a guest meets it, through both drafts' traits.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
use super::draft::wit as v1;
use super::draft2::wit as v2;
use super::*;
use crate::{EffectSink, NotRecorded, Verdict};
use ringfence_capability::{Grant, Limits, Origin};
use std::path::Path;
use v1::store::Error;

#[derive(Default)]
struct Log(Mutex<Vec<Effect>>);

impl EffectSink for Log {
    fn record(&self, effect: Effect) -> Result<(), NotRecorded> {
        self.0.lock().unwrap().push(effect);
        Ok(())
    }
}

struct World {
    ctx: KvCtx,
    table: ResourceTable,
    log: Arc<Log>,
}

fn world(path: &Path, namespaces: &[(&str, u64)]) -> World {
    let grant = |(name, size): &(&str, u64)| {
        let namespace = name.parse().unwrap();
        Grant::new(Capability::Kv { namespace, size_bytes: *size }, Origin::BuiltIn)
    };
    let grants = GrantSet::new(namespaces.iter().map(grant).collect());
    let log = Arc::new(Log::default());
    let effects: Effects = log.clone();
    let ctx = KvCtx::new(&grants, path.join("kv.sqlite"), Meter::new(Limits::default()), effects);
    World { ctx, table: ResourceTable::new(), log }
}

impl World {
    fn kv(&mut self) -> KvView<'_> {
        KvView { ctx: &mut self.ctx, table: &mut self.table }
    }

    async fn open(&mut self, name: &str) -> Handle {
        v1::store::Host::open(&mut self.kv(), name.to_owned()).await.unwrap().unwrap()
    }

    async fn set(&mut self, bucket: &Handle, key: &str, bytes: usize) -> Result<(), Error> {
        let (bucket, key) = (Resource::new_borrow(bucket.rep()), key.to_owned());
        let mut kv = self.kv();
        v1::store::HostBucket::set(&mut kv, bucket, key, vec![b'x'; bytes]).await.unwrap()
    }

    async fn get(&mut self, bucket: &Handle, key: &str) -> Option<Vec<u8>> {
        let (bucket, key) = (Resource::new_borrow(bucket.rep()), key.to_owned());
        v1::store::HostBucket::get(&mut self.kv(), bucket, key).await.unwrap().unwrap()
    }
}

/// What an entry of this namespace counts for without its key and its value.
fn row(namespace: &str) -> u64 {
    namespace.len() as u64 + u64::from(database::ROW_BYTES)
}

fn other(error: KvError) -> Error {
    Error::Other(error.to_string())
}

#[test]
fn opening_a_store_that_stays_locked_ends_at_one_deadline() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("kv.sqlite");
    let holder = rusqlite::Connection::open(&path).unwrap();
    holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let (started, wait) = (std::time::Instant::now(), std::time::Duration::from_millis(200));
    let Err(error) = Database::open_within(&path, wait) else {
        panic!("a locked store was opened")
    };
    assert!(matches!(error, KvError::Busy), "{error}");
    assert!(started.elapsed() < 4 * wait, "{:?}", started.elapsed());
    assert_eq!(
        error.to_string(),
        "the store is busy: other processes kept it locked for 5 seconds"
    );
    drop(holder);
    assert!(Database::open_within(&path, wait).is_ok());
}

#[tokio::test]
async fn what_is_set_is_there_in_the_next_run() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = world(dir.path(), &[("notes", 1000)]);
    let bucket = first.open("notes").await;
    first.set(&bucket, "key", 3).await.unwrap();
    drop(first);
    let mut second = world(dir.path(), &[("notes", 1000)]);
    let bucket = second.open("notes").await;
    assert_eq!(second.get(&bucket, "key").await, Some(b"xxx".to_vec()));
    assert_eq!(second.get(&bucket, "other").await, None);
}

#[tokio::test]
async fn only_granted_namespaces_are_opened_and_seen() {
    let dir = tempfile::tempdir().unwrap();
    let mut both = world(dir.path(), &[("mine", 1000), ("theirs", 1000)]);
    let theirs = both.open("theirs").await;
    both.set(&theirs, "key", 3).await.unwrap();
    let mine = both.open("mine").await;
    assert_eq!(both.get(&mine, "key").await, None, "the namespaces are apart");

    let mut one = world(dir.path(), &[("mine", 1000)]);
    for (name, wanted) in [
        ("theirs", KvError::AccessDenied),
        ("never-made", KvError::AccessDenied),
        ("", KvError::NoSuchStore),
        ("a b", KvError::NoSuchStore),
    ] {
        let refused = one.kv().open(name).unwrap().unwrap_err();
        assert_eq!(refused, wanted, "{name}");
    }
    let log = one.log.0.lock().unwrap();
    let reason = Verdict::Refused("the namespace was not granted".to_owned());
    assert_eq!((log[0].target.as_str(), &log[0].verdict), ("theirs", &reason));
}

#[tokio::test]
async fn keys_and_values_together_stay_within_the_quota() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = world(dir.path(), &[("small", 2 * row("small") + 10)]);
    let bucket = world.open("small").await;
    world.set(&bucket, "a", 2).await.unwrap();
    world.set(&bucket, "bc", 5).await.unwrap();
    let full = format!("{:?}", other(KvError::Full));
    for (key, bytes) in [("d", 0), ("bc", 6)] {
        let refused = world.set(&bucket, key, bytes).await.unwrap_err();
        assert_eq!(format!("{refused:?}"), full, "{key}");
    }
    let reason = Verdict::Refused("the quota of the namespace is reached".to_owned());
    assert_eq!(world.log.0.lock().unwrap().last().unwrap().verdict, reason);
    assert_eq!(world.get(&bucket, "bc").await.unwrap().len(), 5, "a refused change is none");
    world.set(&bucket, "bc", 4).await.unwrap();
    world.set(&bucket, "a", 3).await.unwrap();
    let fd = Resource::new_borrow(bucket.rep());
    v1::store::HostBucket::delete(&mut world.kv(), fd, "a".to_owned()).await.unwrap().unwrap();
    world.set(&bucket, "de", 2).await.unwrap();
}

#[test]
fn entries_without_contents_reach_the_quota_too() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = Database::open(&dir.path().join("kv.sqlite")).unwrap();
    let quota = 9 * (row("n") + 1);
    let bucket = Bucket { namespace: "n".to_owned(), quota };
    let mut set = |i: u32| database.set(&bucket, &[(i.to_string(), Vec::new())]);
    for i in 1..=9 {
        set(i).unwrap();
    }
    assert_eq!(set(0).unwrap_err(), KvError::Full);
    set(1).unwrap();
    database.delete(&bucket, &["1".to_owned()]).unwrap();
    let again = |key: &str| vec![(key.to_owned(), Vec::new())];
    database.set(&bucket, &again("0")).unwrap();
    assert_eq!(database.set(&bucket, &again("1")).unwrap_err(), KvError::Full);
}

#[tokio::test]
async fn keys_and_values_are_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = world(dir.path(), &[("big", 1 << 30)]);
    let bucket = world.open("big").await;
    let long = "k".repeat(database::MAX_KEY_BYTES);
    world.set(&bucket, &long, 1).await.unwrap();
    world.set(&bucket, "k", database::MAX_VALUE_BYTES).await.unwrap();
    for (key, bytes, wanted) in [
        (format!("{long}k"), 1, KvError::BadKey),
        (String::new(), 1, KvError::BadKey),
        ("k".to_owned(), database::MAX_VALUE_BYTES + 1, KvError::LargeValue),
    ] {
        let refused = world.set(&bucket, &key, bytes).await.unwrap_err();
        assert_eq!(format!("{refused:?}"), format!("{:?}", other(wanted)));
    }
}

#[tokio::test]
async fn keys_are_listed_in_pages_of_either_cursor() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = world(dir.path(), &[("many", 1 << 20)]);
    let bucket = world.open("many").await;
    let entries = (0..600).map(|i| (format!("key-{i:03}"), Vec::new())).collect();
    let many = (0..=database::MAX_BATCH_KEYS).map(|i| i.to_string()).collect();
    let fd = || Resource::new_borrow(bucket.rep());
    v1::batch::Host::set_many(&mut world.kv(), fd(), entries).await.unwrap().unwrap();
    let refused = v1::batch::Host::delete_many(&mut world.kv(), fd(), many).await.unwrap();
    let wanted = format!("{:?}", other(KvError::LargeBatch));
    assert_eq!(format!("{:?}", refused.unwrap_err()), wanted);
    let (mut skip, mut keys) = (None, Vec::new());
    loop {
        let page = v1::store::HostBucket::list_keys(&mut world.kv(), fd(), skip).await;
        let page = page.unwrap().unwrap();
        keys.extend(page.keys);
        skip = page.cursor;
        if skip.is_none() {
            break;
        }
    }
    assert_eq!((keys.len(), keys.is_sorted()), (600, true));
    let (mut after, mut again) = (None, Vec::new());
    loop {
        let page = v2::store::HostBucket::list_keys(&mut world.kv(), fd(), after).await;
        let page = page.unwrap().unwrap();
        again.extend(page.keys);
        after = page.cursor;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(keys, again);
}

#[tokio::test]
async fn a_batch_is_done_as_a_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = world(dir.path(), &[("small", 2 * row("small") + 10)]);
    let bucket = world.open("small").await;
    let fd = || Resource::new_borrow(bucket.rep());
    let entries = vec![("a".to_owned(), vec![1]), ("b".to_owned(), vec![2; 20])];
    let set = v1::batch::Host::set_many(&mut world.kv(), fd(), entries).await.unwrap();
    assert_eq!(format!("{:?}", set.unwrap_err()), format!("{:?}", other(KvError::Full)));
    assert_eq!(world.get(&bucket, "a").await, None);
    let entries = vec![("a".to_owned(), vec![1]), ("b".to_owned(), vec![2])];
    v1::batch::Host::set_many(&mut world.kv(), fd(), entries).await.unwrap().unwrap();
    let keys = vec!["b".to_owned(), "c".to_owned()];
    let found = v2::batch::Host::get_many(&mut world.kv(), fd(), keys).await.unwrap().unwrap();
    assert_eq!(found, [("b".to_owned(), Some(vec![2])), ("c".to_owned(), None)]);
}

#[tokio::test]
async fn a_value_changed_meanwhile_is_not_swapped() {
    use v2::atomics::{CasError, Host as _, HostCas as _};
    let dir = tempfile::tempdir().unwrap();
    let mut world = world(dir.path(), &[("cas", 1000)]);
    let bucket = world.open("cas").await;
    let fd = || Resource::new_borrow(bucket.rep());
    let cas = world.kv().new(fd(), "k".to_owned()).await.unwrap().unwrap();
    world.set(&bucket, "k", 1).await.unwrap();
    let Err(CasError::CasFailed(again)) = world.kv().swap(cas, b"new".to_vec()).await.unwrap()
    else {
        panic!("the value had changed")
    };
    let seen = world.kv().current(Resource::new_borrow(again.rep())).await.unwrap().unwrap();
    assert_eq!(seen, Some(b"x".to_vec()));
    world.kv().swap(again, b"new".to_vec()).await.unwrap().unwrap();
    assert_eq!(world.get(&bucket, "k").await, Some(b"new".to_vec()));

    let stale = world.kv().new(fd(), "k".to_owned()).await.unwrap().unwrap();
    for value in [1, 3] {
        world.set(&bucket, "k", value).await.unwrap();
    }
    let swapped = world.kv().swap(stale, b"late".to_vec()).await.unwrap();
    assert!(swapped.is_err(), "changed and changed back is changed");
}

#[tokio::test]
async fn only_an_integer_within_range_is_incremented() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = world(dir.path(), &[("count", 1000)]);
    let bucket = world.open("count").await;
    let fd = || Resource::new_borrow(bucket.rep());
    for (delta, wanted) in [(5, Some(5)), (-7, Some(-2)), (i64::MIN, None)] {
        let mut kv = world.kv();
        let now = v2::atomics::Host::increment(&mut kv, fd(), "n".to_owned(), delta).await;
        assert_eq!(now.unwrap().ok(), wanted, "{delta}");
    }
    world.set(&bucket, "text", 3).await.unwrap();
    let text = v1::atomics::Host::increment(&mut world.kv(), fd(), "text".to_owned(), 1).await;
    let wanted = format!("{:?}", other(KvError::NotInteger));
    assert_eq!(format!("{:?}", text.unwrap().unwrap_err()), wanted);
}

#[test]
fn many_connections_lose_nothing_and_keep_the_quota() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("kv.sqlite");
    // Nine entries of a hundred bytes and the counter.
    let quota = 1000 + 10 * row("shared");
    let bucket = Bucket { namespace: "shared".to_owned(), quota };
    let work = |id: usize| {
        let mut database = Database::open(&path).unwrap();
        for _ in 0..25 {
            database.increment(&bucket, "n", |n: u64| n.checked_add(1)).unwrap();
        }
        let mut set = |i| database.set(&bucket, &[(format!("{id}-{i}"), vec![0; 97])]).is_ok();
        (0..10).filter(|i| set(*i)).count()
    };
    // Four at once, as processes are: each has its own connection.
    let stored: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|id| scope.spawn(move || work(id))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    let database = Database::open(&path).unwrap();
    assert_eq!(database.get(&bucket, "n").unwrap(), Some(b"100".to_vec()));
    assert_eq!(stored, 9, "nine entries of a hundred bytes and the counter fit");
}

#[test]
fn a_file_that_is_no_store_is_a_typed_error() {
    let dir = tempfile::tempdir().unwrap();
    let authority = cap_std::ambient_authority();
    let host = cap_std::fs::Dir::open_ambient_dir(dir.path(), authority).unwrap();
    host.write("kv.sqlite", vec![7; 8192]).unwrap();
    for (name, format) in [("older", database::FORMAT - 1), ("newer", database::FORMAT + 1)] {
        let made = Database::open(&dir.path().join(name)).unwrap();
        made.pretend_format(format);
    }
    for path in ["kv.sqlite", "no/kv.sqlite", "older", "newer"] {
        let opened = Database::open(&dir.path().join(path)).map(drop);
        assert_eq!(opened.unwrap_err(), KvError::Unusable, "{path}");
    }
}

#[test]
fn the_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("kv.sqlite");
    let mut database = Database::open(&path).unwrap();
    let bucket = Bucket { namespace: "n".to_owned(), quota: 100 };
    database.set(&bucket, &[("k".to_owned(), vec![1])]).unwrap();
    for name in ["kv.sqlite", "kv.sqlite-wal", "kv.sqlite-shm"] {
        let mode = dir.path().join(name).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}
