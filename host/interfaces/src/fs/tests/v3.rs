//! The same decisions through the 0.3 interface.

use super::*;
use wasmtime::component::Accessor;
use wasmtime::{Config, Engine, Store};
use wasmtime_wasi::p3::bindings::filesystem::types as v3;
use wasmtime_wasi::p3::bindings::filesystem::types::HostDescriptorWithStore;

impl GuardedFsView for World {
    fn guarded_fs(&mut self) -> GuardedFs<'_> {
        self.fs()
    }
}

type Fs = GuardedFilesystem;

async fn open(
    fs: &Accessor<World, Fs>,
    root: &Fd,
    path: &str,
    flags: v3::DescriptorFlags,
) -> Result<Fd, v3::ErrorCode> {
    let root = Resource::new_borrow(root.rep());
    let (follow, none) = (v3::PathFlags::SYMLINK_FOLLOW, v3::OpenFlags::empty());
    let opened = Fs::open_at(fs, root, follow, path.to_owned(), none, flags).await;
    opened.map_err(|error| error.downcast().unwrap())
}

/// Runs `body` as the calls of a guest of this world.
async fn with(world: World, body: impl AsyncFnOnce(&Accessor<World, Fs>, Fd)) -> World {
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    let mut store = Store::new(&Engine::new(&config).unwrap(), world);
    let root = store.data_mut().root();
    let run = store.run_concurrent(async |accessor| {
        body(&accessor.with_getter::<Fs>(World::guarded_fs), root).await;
    });
    run.await.unwrap();
    store.into_data()
}

#[tokio::test]
async fn writes_need_a_writable_and_unprotected_place() {
    for (grant, path, wanted) in [
        (read("."), "a.txt", Err("ReadOnly")),
        (write("."), ".git/config", Err("NotPermitted")),
        (write("."), "config-alias", Err("NotPermitted")),
        (write("."), "twice.txt", Err("NotPermitted")),
        (write("."), "a.txt", Ok(())),
    ] {
        let world = world(vec![grant], PROTECTED, Limits::default());
        with(world, async |fs, root| {
            let opened = open(fs, &root, path, v3::DescriptorFlags::WRITE).await;
            let opened = opened.map(drop).map_err(|code| format!("{code:?}"));
            match wanted {
                Ok(()) => assert_eq!(opened, Ok(()), "{path}"),
                Err(code) => assert!(opened.unwrap_err().contains(code), "{path}"),
            }
        })
        .await;
    }
}

#[tokio::test]
async fn names_are_changed_only_where_that_is_granted() {
    let fd = |root: &Fd| Resource::new_borrow(root.rep());
    for (grant, protected, refused) in
        [(read("."), &[][..], true), (write("."), PROTECTED, true), (write("."), &[], false)]
    {
        let world = world(vec![grant], protected, Limits::default());
        let world = with(world, async |fs, root| {
            let (from, to) = (".git/config".to_owned(), "moved".to_owned());
            let moved = Fs::rename_at(fs, fd(&root), from, fd(&root), to).await;
            assert_eq!(moved.is_err(), refused);
            let made = Fs::create_directory_at(fs, fd(&root), "sub/.git".to_owned()).await;
            assert_eq!(made.is_err(), refused);
            let removed = Fs::remove_directory_at(fs, fd(&root), ".git/hooks".to_owned()).await;
            assert_eq!(removed.is_err(), refused);
        })
        .await;
        assert_eq!(host(&world.tree).exists(".git/hooks"), refused);
    }
}

#[tokio::test]
async fn open_files_are_bounded_and_given_back() {
    let limits = Limits { open_files: 1, ..Limits::default() };
    let world = world(vec![read(".")], &[], limits);
    let world = with(world, async |fs, root| {
        let first = open(fs, &root, "a.txt", v3::DescriptorFlags::READ).await.unwrap();
        let refused = open(fs, &root, "a.txt", v3::DescriptorFlags::READ).await.unwrap_err();
        assert!(matches!(refused, v3::ErrorCode::Quota), "{refused:?}");
        let dropped = fs.with(|mut store| v3::HostDescriptor::drop(&mut store.get(), first));
        dropped.unwrap();
        open(fs, &root, "a.txt", v3::DescriptorFlags::READ).await.unwrap();
    })
    .await;
    assert_eq!(world.meter.used(Limit::OpenFiles), 1);
}

#[tokio::test]
async fn a_stream_holds_its_file_until_it_ends() {
    let limits = Limits { open_files: 1, ..Limits::default() };
    let world = world(vec![read(".")], &[], limits);
    with(world, async |fs, root| {
        let (mut stream, mut outcome) =
            fs.with(|store| Fs::read_directory(store, Resource::new_borrow(root.rep())).unwrap());
        let refused = open(fs, &root, "a.txt", v3::DescriptorFlags::READ).await.unwrap_err();
        assert!(matches!(refused, v3::ErrorCode::Quota), "{refused:?}");
        fs.with(|mut store| {
            stream.close(&mut store).unwrap();
            outcome.close(&mut store).unwrap();
        });
        // The end of the stream reaches the lease through the store's event loop.
        while fs.with(|mut store| store.get().guard.open_files()) > 0 {
            tokio::task::yield_now().await;
        }
        open(fs, &root, "a.txt", v3::DescriptorFlags::READ).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn files_are_made_and_emptied() {
    let world = world(vec![write(".")], PROTECTED, Limits::default());
    let world = with(world, async |fs, root| {
        let (create, truncate) = (v3::OpenFlags::CREATE, v3::OpenFlags::TRUNCATE);
        for (path, flags, made) in [
            ("sub/new", create, true),
            ("sub/new", create | v3::OpenFlags::EXCLUSIVE, false),
            ("a.txt", truncate, true),
            (".git/config", truncate, false),
            (".git/new", create, false),
        ] {
            let (at, follow) = (Resource::new_borrow(root.rep()), v3::PathFlags::SYMLINK_FOLLOW);
            let read = v3::DescriptorFlags::READ;
            let opened = Fs::open_at(fs, at, follow, path.to_owned(), flags, read).await;
            assert_eq!(opened.is_ok(), made, "{path}");
        }
    })
    .await;
    let tree = host(&world.tree);
    for (path, left) in [("sub/new", ""), ("a.txt", ""), (".git/config", "old")] {
        assert_eq!(tree.read_to_string(path).unwrap(), left, "{path}");
    }
    assert!(!tree.exists(".git/new"));
}
