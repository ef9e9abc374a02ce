//! Each misdeed is refused with its reason and recorded; its twin, without that one protection,
//! succeeds.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod shared;
mod v3;

use super::*;
use crate::{Effect, EffectSink, NotRecorded, Verdict};
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use ringfence_capability::{Capability, Grant, GrantSet, Limit, Limits, Origin, PathScope};
use ringfence_engine::Meter;
use std::sync::{Arc, Mutex};
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorFlags, ErrorCode, HostDescriptor, HostDirectoryEntryStream, NewTimestamp, OpenFlags,
    PathFlags,
};
use wasmtime_wasi::p2::{FsResult, bindings::filesystem::preopens::Host as _};

type Fd = Resource<Descriptor>;

#[derive(Default)]
struct Log(Mutex<Vec<Effect>>);

impl EffectSink for Log {
    fn record(&self, effect: Effect) -> Result<(), NotRecorded> {
        self.0.lock().unwrap().push(effect);
        Ok(())
    }
}

/// A guest's view of a fresh tree, given by `grants`.
struct World {
    guard: FsGuard,
    ctx: WasiFilesystemCtx,
    table: ResourceTable,
    log: Arc<Log>,
    meter: Arc<Meter>,
    tree: tempfile::TempDir,
}

fn host(tree: &tempfile::TempDir) -> Dir {
    Dir::open_ambient_dir(tree.path(), ambient_authority()).unwrap()
}

fn plant() -> tempfile::TempDir {
    let tree = tempfile::tempdir().unwrap();
    let dir = host(&tree);
    for path in ["sub", ".git/hooks", "nested/.git", "empty"] {
        dir.create_dir_all(path).unwrap();
    }
    for path in ["a.txt", "sub/b.txt", ".git/config", "nested/.git/config", "twice.txt"] {
        dir.write(path, "old").unwrap();
    }
    dir.hard_link("twice.txt", &dir, "again.txt").unwrap();
    dir.symlink(".git", "alias").unwrap();
    dir.symlink(".git/config", "config-alias").unwrap();
    dir.symlink("sub", "link").unwrap();
    dir.symlink("nowhere", "dangling").unwrap();
    dir.symlink_contents("/etc", "out").unwrap();
    tree
}

fn write(path: &str) -> Capability {
    Capability::FsWrite(
        PathScope::workspace(path, &format!("/{}", path.trim_matches('.'))).unwrap(),
    )
}

fn read(path: &str) -> Capability {
    Capability::FsRead(PathScope::workspace(path, &format!("/{}", path.trim_matches('.'))).unwrap())
}

fn world(grants: Vec<Capability>, protected: &[&'static str], limits: Limits) -> World {
    let tree = plant();
    let grants = grants.into_iter().map(|c| Grant::new(c, Origin::BuiltIn)).collect();
    let roots = FsRoots::from_grants(&GrantSet::new(grants), |scope| {
        let dir = host(&tree);
        if dir.is_dir(scope.path()) {
            return dir.open_dir(scope.path()).map(Opened::Dir);
        }
        let (parent, name) = scope.path().rsplit_once('/').unwrap_or((".", scope.path()));
        Ok(Opened::File { parent: dir.open_dir(parent)?, name: name.to_owned() })
    });
    let (log, meter) = (Arc::new(Log::default()), Meter::new(limits));
    let protected = ProtectedNames::from_names(protected.iter().copied());
    let effects: crate::Effects = log.clone();
    let guard =
        FsGuard::new(roots.unwrap(), protected, Arc::clone(&meter), effects, Blocking::Elsewhere);
    let (ctx, table) = (WasiFilesystemCtx::default(), ResourceTable::new());
    World { guard, ctx, table, log, meter, tree }
}

#[derive(Debug, Clone, Copy)]
enum Do {
    Create(&'static str),
    Write(&'static str),
    WriteNoFollow(&'static str),
    Truncate(&'static str),
    Mutate(&'static str),
    Read(&'static str),
    Mkdir(&'static str),
    Rmdir(&'static str),
    Unlink(&'static str),
    Rename(&'static str, &'static str),
    Link(&'static str, &'static str),
    Symlink(&'static str, &'static str),
    Times(&'static str),
}

impl World {
    fn fs(&mut self) -> GuardedFs<'_> {
        GuardedFs { guard: &mut self.guard, ctx: &mut self.ctx, table: &mut self.table }
    }

    fn root(&mut self) -> Fd {
        self.fs().get_directories().unwrap().remove(0).0
    }

    async fn open(
        &mut self,
        at: &Fd,
        path: &str,
        open: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<Fd> {
        let at = Resource::new_borrow(at.rep());
        self.fs().open_at(at, PathFlags::SYMLINK_FOLLOW, path.to_owned(), open, flags).await
    }

    /// Does one thing from the directory `at`, as a guest would.
    async fn act(&mut self, at: &Fd, what: Do) -> FsResult<()> {
        let (none, r, w) = (OpenFlags::empty(), DescriptorFlags::READ, DescriptorFlags::WRITE);
        let fd = || Resource::new_borrow(at.rep());
        let text = str::to_owned;
        match what {
            Do::Create(path) => self.open(at, path, OpenFlags::CREATE, w).await.map(drop),
            Do::Write(path) => self.open(at, path, none, w).await.map(drop),
            Do::WriteNoFollow(path) => {
                let mut fs = self.fs();
                fs.open_at(fd(), PathFlags::empty(), text(path), none, w).await.map(drop)
            }
            Do::Truncate(path) => self.open(at, path, OpenFlags::TRUNCATE, r).await.map(drop),
            Do::Mutate(path) => {
                let flags = DescriptorFlags::READ | DescriptorFlags::MUTATE_DIRECTORY;
                self.open(at, path, OpenFlags::DIRECTORY, flags).await.map(drop)
            }
            Do::Read(path) => self.open(at, path, none, r).await.map(drop),
            Do::Mkdir(path) => self.fs().create_directory_at(fd(), text(path)).await,
            Do::Rmdir(path) => self.fs().remove_directory_at(fd(), text(path)).await,
            Do::Unlink(path) => self.fs().unlink_file_at(fd(), text(path)).await,
            Do::Rename(a, b) => self.fs().rename_at(fd(), text(a), fd(), text(b)).await,
            Do::Link(a, b) => {
                self.fs().link_at(fd(), PathFlags::empty(), text(a), fd(), text(b)).await
            }
            Do::Symlink(target, path) => self.fs().symlink_at(fd(), text(target), text(path)).await,
            Do::Times(path) => {
                let now = NewTimestamp::Now;
                let follow = PathFlags::SYMLINK_FOLLOW;
                self.fs().set_times_at(fd(), follow, text(path), now, now).await
            }
        }
    }

    fn last_refusal(&self) -> String {
        let log = self.log.0.lock().unwrap();
        match log.last().map(|effect| &effect.verdict) {
            Some(Verdict::Refused(reason)) => reason.clone(),
            other => format!("{other:?}"),
        }
    }
}

/// Does `what` in a fresh tree and returns the error code and the recorded reason.
async fn attempt(
    grant: Capability,
    protected: &[&'static str],
    what: Do,
) -> Result<(), (ErrorCode, String)> {
    let mut world = world(vec![grant], protected, Limits::default());
    let root = world.root();
    match world.act(&root, what).await {
        Ok(()) => Ok(()),
        Err(error) => Err((error.downcast().unwrap(), world.last_refusal())),
    }
}

const PROTECTED: &[&str] = &[".git", ".mcp.json"];

#[tokio::test]
async fn nothing_changes_in_a_directory_granted_for_reading() {
    for what in [
        Do::Create("new.txt"),
        Do::Write("a.txt"),
        Do::Truncate("a.txt"),
        Do::Mutate("sub"),
        Do::Mkdir("new"),
        Do::Rmdir("empty"),
        Do::Unlink("a.txt"),
        Do::Rename("a.txt", "c.txt"),
        Do::Link("a.txt", "c.txt"),
        Do::Symlink("a.txt", "c.txt"),
        Do::Times("a.txt"),
    ] {
        let (code, reason) = attempt(read("."), PROTECTED, what).await.unwrap_err();
        assert_eq!(
            (code, reason.as_str()),
            (ErrorCode::ReadOnly, "it was granted for reading only"),
            "{what:?}"
        );
        assert_eq!(attempt(write("."), PROTECTED, what).await, Ok(()), "the twin of {what:?}");
    }
    assert_eq!(attempt(read("."), PROTECTED, Do::Read("a.txt")).await, Ok(()));
}

#[tokio::test]
async fn protected_names_are_neither_written_nor_moved_nor_made() {
    let name = "the name is protected";
    for (what, wanted) in [
        (Do::Write(".git/config"), name),
        (Do::Truncate(".git/config"), name),
        (Do::Create(".git/hooks/pre-commit"), name),
        (Do::Create("nested/.git/hook"), name),
        (Do::Create(".mcp.json"), name),
        (Do::Create(".MCP.json. "), name),
        (Do::Write("alias/config"), name),
        (Do::Write("config-alias"), name),
        (Do::Write("sub/../.git/config"), name),
        (Do::Mutate(".git"), name),
        (Do::Mkdir("sub/.git"), name),
        (Do::Mkdir("sub/.Git"), name),
        (Do::Mkdir("sub/.git/"), name),
        (Do::Mkdir("alias/new"), name),
        (Do::Rmdir(".git/hooks"), name),
        (Do::Unlink(".git/config"), name),
        (Do::Unlink("alias/config"), name),
        (Do::Rename(".git", "moved"), name),
        (Do::Rename("empty", "sub/.git"), name),
        (Do::Rename("a.txt", ".git/config"), name),
        (Do::Rename("a.txt", "alias/hooks/pre-commit"), name),
        (Do::Link(".git/config", "c.txt"), name),
        (Do::Link("alias/config", "c.txt"), name),
        (Do::Symlink(".git/config", "c.txt"), "the link leads to a protected name"),
        (Do::Symlink("../.git", "sub/c"), "the link leads to a protected name"),
        (Do::Times(".git/config"), name),
        (Do::Times("config-alias"), name),
    ] {
        let (code, reason) = attempt(write("."), PROTECTED, what).await.unwrap_err();
        assert_eq!((code, reason.as_str()), (ErrorCode::NotPermitted, wanted), "{what:?}");
        assert_eq!(attempt(write("."), &[], what).await, Ok(()), "the twin of {what:?}");
    }
    for what in [Do::Read(".git/config"), Do::Read("config-alias"), Do::Create("sub/.gitignore")] {
        assert_eq!(attempt(write("."), PROTECTED, what).await, Ok(()), "{what:?}");
    }
}

#[tokio::test]
async fn a_protected_name_granted_by_itself_is_written() {
    assert_eq!(attempt(write(".git"), PROTECTED, Do::Write("config")).await, Ok(()));
}

#[tokio::test]
async fn paths_and_links_that_leave_the_directory_are_refused() {
    for (what, twin) in [
        (Do::Create("../new.txt"), Do::Create("sub/../new.txt")),
        (Do::Create("/new.txt"), Do::Create("new.txt")),
        (Do::Create("out/new.txt"), Do::Create("link/new.txt")),
        (Do::Symlink("/etc/passwd", "c"), Do::Symlink("a.txt", "c")),
        (Do::Symlink("../../x", "sub/c"), Do::Symlink("../x", "sub/c")),
        (Do::Rename("a.txt", "../a.txt"), Do::Rename("a.txt", "sub/a.txt")),
        (Do::Read("../x"), Do::Read("sub/../a.txt")),
        (Do::Read("out/passwd"), Do::Read("link/b.txt")),
    ] {
        let (code, reason) = attempt(write("."), &[], what).await.unwrap_err();
        assert_eq!(code, ErrorCode::NotPermitted, "{what:?}");
        assert!(reason.contains("leads out of the granted directory"), "{what:?}: {reason}");
        assert_eq!(attempt(write("."), &[], twin).await, Ok(()), "{twin:?}");
    }
}

#[tokio::test]
async fn a_link_to_nothing_is_not_written_through() {
    let refused = attempt(write("."), &[], Do::Create("dangling")).await.unwrap_err();
    assert_eq!(refused.0, ErrorCode::NoEntry);
    assert_eq!(attempt(write("."), &[], Do::Create("nowhere")).await, Ok(()));
}

#[tokio::test]
async fn a_file_with_two_names_is_not_written_in_place() {
    let reason = "the file has another name, which may be protected";
    for what in [Do::Write("twice.txt"), Do::Truncate("again.txt"), Do::WriteNoFollow("twice.txt")]
    {
        let refused = attempt(write("."), &[], what).await.unwrap_err();
        assert_eq!(refused, (ErrorCode::NotPermitted, reason.to_owned()), "{what:?}");
    }
    for what in [Do::Write("a.txt"), Do::WriteNoFollow("a.txt"), Do::Unlink("twice.txt")] {
        assert_eq!(attempt(write("."), &[], what).await, Ok(()), "{what:?}");
    }
}

#[tokio::test]
async fn what_could_block_the_host_is_not_opened() {
    let mut world = world(vec![read(".")], &[], Limits::default());
    let _socket = std::os::unix::net::UnixListener::bind(world.tree.path().join("socket")).unwrap();
    let root = world.root();
    let refused = world.act(&root, Do::Read("socket")).await.unwrap_err();
    assert_eq!(refused.downcast().unwrap(), ErrorCode::NoDevice);
    assert_eq!(world.last_refusal(), "it is neither a file nor a directory");
}

#[tokio::test]
async fn a_descriptor_has_no_more_than_what_it_descends_from() {
    let mut world = world(vec![write(".")], PROTECTED, Limits::default());
    let root = world.root();
    let (none, r) = (OpenFlags::empty(), DescriptorFlags::READ);
    let git = world.open(&root, ".git", OpenFlags::DIRECTORY, r).await.unwrap();
    let refused = world.act(&git, Do::Create("hooks/pre-commit")).await.unwrap_err();
    assert_eq!(refused.downcast().unwrap(), ErrorCode::NotPermitted);
    let sub = world.open(&root, "sub", OpenFlags::DIRECTORY, r).await.unwrap();
    world.act(&sub, Do::Create("new.txt")).await.unwrap();

    let file = world.open(&root, "a.txt", none, r).await.unwrap();
    let fd = || Resource::new_borrow(file.rep());
    let refused = world.fs().write(fd(), b"new".to_vec(), 0).await.unwrap_err();
    assert_eq!(refused.downcast().unwrap(), ErrorCode::NotPermitted);
    assert!(world.fs().set_size(fd(), 0).await.is_err());
    assert!(world.fs().write_via_stream(fd(), 0).is_err());
    assert!(world.fs().append_via_stream(fd()).is_err());
    assert_eq!(host(&world.tree).read_to_string("a.txt").unwrap(), "old");
    let file = world.open(&root, "a.txt", none, DescriptorFlags::WRITE).await.unwrap();
    let fd = || Resource::new_borrow(file.rep());
    assert_eq!(world.fs().write(fd(), b"new".to_vec(), 0).await.unwrap(), 3);
    assert_eq!(host(&world.tree).read_to_string("a.txt").unwrap(), "new");
}

#[tokio::test]
async fn files_open_at_once_are_bounded_through_their_streams_too() {
    let limits = Limits { open_files: 2, ..Limits::default() };
    let mut world = world(vec![read(".")], &[], limits);
    let root = world.root();
    let (none, r) = (OpenFlags::empty(), DescriptorFlags::READ);
    let first = world.open(&root, "a.txt", none, r).await.unwrap();
    let stream = world.fs().read_via_stream(Resource::new_borrow(first.rep()), 0).unwrap();
    HostDescriptor::drop(&mut world.fs(), first).unwrap();
    let second = world.open(&root, "a.txt", none, r).await.unwrap();
    let refused = world.open(&root, "a.txt", none, r).await.unwrap_err();
    assert_eq!(refused.downcast().unwrap(), ErrorCode::Quota);
    let listing = world.fs().read_directory(Resource::new_borrow(root.rep())).await;
    assert_eq!(listing.unwrap_err().downcast().unwrap(), ErrorCode::Quota);
    assert_eq!(world.meter.reached().unwrap().limit, Limit::OpenFiles);

    world.table.delete(stream).unwrap();
    let listing = world.fs().read_directory(Resource::new_borrow(root.rep())).await.unwrap();
    HostDirectoryEntryStream::drop(&mut world.fs(), listing).unwrap();
    HostDescriptor::drop(&mut world.fs(), second).unwrap();
    assert_eq!(world.meter.used(Limit::OpenFiles), 0, "everything was given back");
}

#[tokio::test]
async fn a_single_file_grant_reaches_that_file_alone() {
    let mut world = world(vec![write("sub/b.txt")], &[], Limits::default());
    host(&world.tree).write("sub/c.txt", "secret").unwrap();
    let (root, guest) = world.fs().get_directories().unwrap().remove(0);
    assert_eq!(guest, "/sub");
    world.act(&root, Do::Write("b.txt")).await.unwrap();
    for what in [Do::Read("c.txt"), Do::Write("c.txt"), Do::Read("../a.txt")] {
        let refused = world.act(&root, what).await.unwrap_err();
        assert_eq!(refused.downcast().unwrap(), ErrorCode::Access, "{what:?}");
        assert_eq!(world.last_refusal(), "only one file was granted");
    }
    let refused = world.act(&root, Do::Unlink("b.txt")).await.unwrap_err();
    assert_eq!(refused.downcast().unwrap(), ErrorCode::ReadOnly);
    assert!(world.fs().read_directory(Resource::new_borrow(root.rep())).await.is_err());
}

#[tokio::test]
async fn a_single_file_can_be_written_in_a_directory_granted_for_reading() {
    let mut world = world(vec![read("."), write("sub/b.txt")], PROTECTED, Limits::default());
    let root = world.root();
    world.act(&root, Do::Write("sub/b.txt")).await.unwrap();
    world.act(&root, Do::Truncate("link/b.txt")).await.unwrap();
    world.act(&root, Do::Read("a.txt")).await.unwrap();
    for what in [Do::Write("a.txt"), Do::Create("sub/c.txt"), Do::Unlink("sub/b.txt")] {
        let refused = world.act(&root, what).await.unwrap_err();
        assert_eq!(refused.downcast().unwrap(), ErrorCode::ReadOnly, "{what:?}");
    }
}

#[tokio::test]
async fn changes_are_recorded_and_reads_counted() {
    let mut world = world(vec![write(".")], &[], Limits::default());
    let root = world.root();
    world.act(&root, Do::Read("a.txt")).await.unwrap();
    world.act(&root, Do::Create("sub/new.txt")).await.unwrap();
    world.act(&root, Do::Rename("a.txt", "sub/a.txt")).await.unwrap();
    let log: Vec<(String, String)> = {
        let log = world.log.0.lock().unwrap();
        log.iter().map(|e| (e.operation.clone(), e.target.clone())).collect()
    };
    let wanted = [("create", "/sub/new.txt"), ("rename", "/a.txt -> /sub/a.txt")];
    assert_eq!(log, wanted.map(|(a, b)| (a.to_owned(), b.to_owned())));
    let counts = world.guard.counts();
    assert_eq!((counts.opened, counts.changed, counts.refused), (1, 2, 0));
}

#[test]
fn grants_of_one_path_are_one_root_and_two_paths_are_not() {
    let tree = plant();
    let open = |_: &PathScope| Ok(Opened::Dir(host(&tree)));
    let set = |c: Vec<Capability>| {
        GrantSet::new(c.into_iter().map(|c| Grant::new(c, Origin::BuiltIn)).collect())
    };
    let roots = FsRoots::from_grants(&set(vec![read("."), write(".")]), open).unwrap();
    assert_eq!((roots.roots.len(), roots.roots[0].writable), (1, true));
    let other = Capability::FsRead(PathScope::workspace("sub", "/").unwrap());
    let refused = FsRoots::from_grants(&set(vec![read("."), other]), open).unwrap_err();
    assert!(matches!(refused, FsRootError::SameGuestPath { .. }), "{refused}");
    assert!(FsRoots::from_grants(&GrantSet::default(), open).unwrap().is_empty());
}
