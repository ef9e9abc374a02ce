//! Tests of the compiled-code cache: what is mapped, and everything that is not.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

use super::*;
use crate::{Engine, EngineOptions, Source};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

const COMPONENT: &str =
    "(component (core module $m (func (export \"f\"))) (core instance (instantiate $m)))";

struct Fixture {
    root: tempfile::TempDir,
    bytes: Vec<u8>,
    digest: Digest,
}

impl Fixture {
    fn new() -> Self {
        let bytes = wat::parse_str(COMPONENT).unwrap();
        let digest = Digest::from_bytes(Sha256::digest(&bytes).into());
        Self { root: tempfile::tempdir().unwrap(), bytes, digest }
    }

    fn engine(&self, most_bytes: u64) -> Engine {
        let dir = Dir::open_ambient_dir(self.root.path(), cap_std::ambient_authority()).unwrap();
        let cache = AotCache::open(dir, self.root.path(), most_bytes).unwrap();
        let options = EngineOptions { cache: Some(Arc::new(cache)), ..EngineOptions::default() };
        Engine::new(options).unwrap()
    }

    /// Loads once to fill the cache, lets `spoil` act on the entry, and returns how it loads then.
    fn reload_after(&self, spoil: impl FnOnce(&Path, &Path)) -> Source {
        let engine = self.engine(1 << 20);
        assert!(matches!(self.load(&engine), Source::Compiled(_)));
        assert_eq!(self.load(&engine), Source::Cached, "untouched, the entry is mapped");
        let key = key(engine.wasmtime(), &self.digest);
        let path = |end: &str| self.root.path().join(format!("{key}.{end}"));
        spoil(&path("cwasm"), &path("stamp"));
        let source = self.load(&self.engine(1 << 20));
        assert_eq!(self.load(&self.engine(1 << 20)), Source::Cached, "the entry was rebuilt");
        source
    }

    fn load(&self, engine: &Engine) -> Source {
        engine.load(&self.bytes, &self.digest, "test").unwrap().source
    }
}

#[test]
fn an_untouched_entry_is_mapped_by_another_engine() {
    assert_eq!(Fixture::new().reload_after(|_, _| ()), Source::Cached);
}

#[test]
fn another_build_of_the_host_never_meets_the_code_of_this_one() {
    let fixture = Fixture::new();
    let engine = fixture.engine(1 << 20);
    let of = |build: &str| key_of(build, engine.wasmtime(), &fixture.digest);
    assert_eq!(of(BUILD), key(engine.wasmtime(), &fixture.digest));
    assert_ne!(of(BUILD), of(&format!("{BUILD}+")));
    for part in
        ["wasmtime-48.", "cranelift-codegen-", "wit-component-", "-adapter-provider-", "adapt-"]
    {
        assert!(BUILD.contains(part), "`{part}` is not in `{BUILD}`");
    }
}

type Spoil = fn(&Path, &Path);

#[test]
fn an_entry_that_was_touched_is_rebuilt() {
    let cases: [(&str, Spoil); 8] = [
        ("one byte flipped", |code, _| {
            let mut bytes = std::fs::read(code).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            std::fs::write(code, bytes).unwrap();
        }),
        ("truncated", |code, _| {
            std::fs::File::options().write(true).open(code).unwrap().set_len(100).unwrap();
        }),
        ("replaced by a foreign file", |code, _| {
            std::fs::remove_file(code).unwrap();
            std::fs::write(code, b"\x7fELF").unwrap();
        }),
        ("a link to elsewhere", |code, _| {
            let away = code.with_extension("away");
            std::fs::rename(code, &away).unwrap();
            std::os::unix::fs::symlink(&away, code).unwrap();
        }),
        ("a second name", |code, _| {
            std::fs::hard_link(code, code.with_extension("alias")).unwrap();
        }),
        ("writable by others", |code, _| {
            std::fs::set_permissions(code, std::fs::Permissions::from_mode(0o666)).unwrap();
        }),
        ("no stamp", |_, stamp| std::fs::remove_file(stamp).unwrap()),
        ("a huge stamp", |_, stamp| std::fs::write(stamp, "x".repeat(1 << 16)).unwrap()),
    ];
    for (name, spoil) in cases {
        let source = Fixture::new().reload_after(spoil);
        assert!(matches!(source, Source::Compiled(_)), "{name}");
    }
}

#[test]
fn a_directory_others_can_write_is_refused() {
    let fixture = Fixture::new();
    std::fs::set_permissions(fixture.root.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let dir = Dir::open_ambient_dir(fixture.root.path(), cap_std::ambient_authority()).unwrap();
    let refused = AotCache::open(dir, fixture.root.path(), 1).unwrap_err();
    assert!(refused.to_string().ends_with("it belongs to another user, or others may write to it"));
}

#[test]
fn the_entry_used_longest_ago_makes_room() {
    let fixture = Fixture::new();
    let dir = Dir::open_ambient_dir(fixture.root.path(), cap_std::ambient_authority()).unwrap();
    let cache = AotCache::open(dir, fixture.root.path(), 250).unwrap();
    for (name, seconds_ago) in [("old", 50), ("older", 90), ("new", 1)] {
        cache.try_store(name, &[0; 80]).unwrap();
        let then = std::time::SystemTime::now() - std::time::Duration::from_secs(seconds_ago);
        let stamp = fixture.root.path().join(format!("{name}.stamp"));
        std::fs::File::options().write(true).open(stamp).unwrap().set_modified(then).unwrap();
    }
    cache.try_store("fresh", &[0; 80]).unwrap();
    let mut kept: Vec<_> = cache.entries().into_iter().map(|entry| entry.key).collect();
    kept.sort();
    assert_eq!(kept, ["fresh", "new", "old"]);
    assert_eq!(cache.stats(), CacheStats { entries: 3, size_bytes: 240 });
}

#[test]
fn many_writers_at_once_leave_one_good_entry() {
    let fixture = Fixture::new();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| fixture.load(&fixture.engine(1 << 20)));
        }
    });
    assert_eq!(fixture.load(&fixture.engine(1 << 20)), Source::Cached);
}
