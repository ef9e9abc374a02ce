//! What another run that shares the directory does between a decision and what it was about, and
//! how much one run can make the host hold.

use super::super::guard::Wanted;
use super::*;

const CHANGED: &str = "it was replaced while it was being opened";

/// Opens `path` of a fresh tree while `meanwhile` happens between the decision and the opening.
async fn race(path: &str, wanted: Wanted, meanwhile: impl FnOnce(&Dir)) -> Result<World, String> {
    let mut world = world(vec![write(".")], PROTECTED, Limits::default());
    let root = world.root();
    let fd = || Resource::new_borrow(root.rep());
    let opening = world.fs().at(&fd(), path, |guard, at| guard.may_open(at, wanted));
    let opening = opening.map_err(|refusal| format!("{refusal:?}"))?;
    meanwhile(&host(&world.tree));
    let (none, both) = (OpenFlags::empty(), DescriptorFlags::READ | DescriptorFlags::WRITE);
    let flags = if wanted.changes() { both } else { DescriptorFlags::READ };
    let mut fs = world.fs();
    let (follow, path) = (PathFlags::SYMLINK_FOLLOW, path.to_owned());
    let opened = fs.inner().open_at(fd(), follow, path.clone(), none, flags).await.unwrap();
    let kept = fs.opened(&opened, opening);
    if let Err(refusal) = kept {
        assert!(world.table.get(&opened).is_err(), "{path}: it is closed");
        assert_eq!(world.meter.used(Limit::OpenFiles), 0, "{path}");
        assert_eq!(world.last_refusal(), CHANGED, "{path}");
        return Err(format!("{refusal:?}"));
    }
    Ok(world)
}

fn wanted() -> Wanted {
    Wanted { follow: true, write: true, ..Wanted::default() }
}

#[tokio::test]
async fn what_replaced_a_file_after_the_decision_is_not_written() {
    let by_link = |dir: &Dir| {
        dir.remove_file("a.txt").unwrap();
        dir.symlink(".git/config", "a.txt").unwrap();
    };
    let by_file = |dir: &Dir| {
        dir.rename("a.txt", dir, "old.txt").unwrap();
        dir.write("a.txt", "other").unwrap();
    };
    let second_name = |dir: &Dir| dir.hard_link("a.txt", dir, "c.txt").unwrap();
    let refused = || Some("NotPermitted".to_owned());
    assert_eq!(race("a.txt", wanted(), by_link).await.err(), refused());
    assert_eq!(race("a.txt", wanted(), by_file).await.err(), refused());
    assert_eq!(race("a.txt", wanted(), second_name).await.err(), refused());
    assert_eq!(race("a.txt", wanted(), |_| ()).await.err(), None);
    assert_eq!(race("link/b.txt", wanted(), |_| ()).await.err(), None);
}

#[tokio::test]
async fn a_directory_replaced_after_the_decision_gives_no_right_to_write() {
    let read_only = Wanted { follow: true, ..Wanted::default() };
    let swap = |dir: &Dir| {
        dir.rename("sub", dir, "old").unwrap();
        dir.symlink(".git", "sub").unwrap();
    };
    assert_eq!(race("sub", read_only, swap).await.err(), Some("NotPermitted".to_owned()));
    assert_eq!(race("sub", read_only, |_| ()).await.err(), None);
}

#[tokio::test]
async fn a_file_is_made_by_the_decision_and_not_where_its_path_leads_later() {
    let create = Wanted { create: true, ..wanted() };
    let swap = |dir: &Dir| {
        dir.rename("sub", dir, "old").unwrap();
        dir.symlink(".git", "sub").unwrap();
        dir.write(".git/new", "kept").unwrap();
    };
    assert_eq!(race("sub/new", create, swap).await.err(), Some("NotPermitted".to_owned()));
    let world = race("sub/new", create, |_| ()).await.unwrap();
    assert!(host(&world.tree).is_file("sub/new"));
    assert_eq!(
        race("a.txt", Wanted { exclusive: true, ..create }, |_| ()).await.err().unwrap(),
        "Exist"
    );
}

#[tokio::test]
async fn files_are_made_and_emptied_as_before() {
    let mut world = world(vec![write(".")], PROTECTED, Limits::default());
    let root = world.root();
    let (create, truncate) = (OpenFlags::CREATE, OpenFlags::TRUNCATE);
    let r = DescriptorFlags::READ;
    for (path, open, left) in
        [("a.txt", create, "old"), ("a.txt", create | truncate, ""), ("sub/n", create, "")]
    {
        let opened = world.open(&root, path, open, r).await.unwrap();
        assert_eq!(host(&world.tree).read_to_string(path).unwrap(), left, "{path} {open:?}");
        let fd = || Resource::new_borrow(opened.rep());
        world.fs().write(fd(), b"old".to_vec(), 0).await.unwrap();
        assert_eq!(world.fs().read(fd(), 9, 0).await.unwrap().0, b"old");
    }
    for (path, open, code) in [
        ("a.txt", create | OpenFlags::EXCLUSIVE, ErrorCode::Exist),
        ("sub/x/", create, ErrorCode::Invalid),
        ("sub/x", create | OpenFlags::DIRECTORY, ErrorCode::Invalid),
        ("sub/x", truncate, ErrorCode::NoEntry),
    ] {
        let refused = world.open(&root, path, open, r).await.unwrap_err();
        assert_eq!(refused.downcast().unwrap(), code, "{path} {open:?}");
        assert!(!host(&world.tree).exists("sub/x"), "{path} {open:?}");
    }
}

/// Does `what` where `prepare` has changed the tree.
async fn prepared(prepare: fn(&Dir), protected: &[&'static str], what: Do) -> Option<String> {
    let mut world = world(vec![write(".")], protected, Limits::default());
    prepare(&host(&world.tree));
    let root = world.root();
    world.act(&root, what).await.err().map(|_| world.last_refusal())
}

#[tokio::test]
async fn links_to_protected_names_are_neither_moved_nor_made_through_others() {
    let chain = |dir: &Dir| {
        dir.symlink("hidden/config", "empty/far").unwrap();
        dir.symlink("../.git", "sub/hidden").unwrap();
        dir.symlink(".mcp.json", "early").unwrap();
    };
    let (name, leads) = ("the name is protected", "the link leads to a protected name");
    for (what, wanted) in [
        (Do::Rename("alias", "moved"), name),
        (Do::Rename("config-alias", "a.txt"), name),
        (Do::Rename("early", "moved"), leads),
        (Do::Rename("empty/far", "sub/far"), leads),
        (Do::Symlink("alias", "c"), leads),
        (Do::Symlink("hidden/config", "sub/c"), leads),
    ] {
        let refused = prepared(chain, PROTECTED, what).await;
        assert_eq!(refused.as_deref(), Some(wanted), "{what:?}");
        assert_eq!(prepared(chain, &[], what).await, None, "the twin of {what:?}");
    }
    assert_eq!(prepared(chain, PROTECTED, Do::Rename("link", "moved")).await, None);
}

#[tokio::test]
async fn a_protected_name_that_is_a_link_elsewhere_is_protected() {
    let link = |dir: &Dir| {
        dir.rename(".git", dir, ".repo").unwrap();
        dir.symlink(".repo", ".git").unwrap();
    };
    let name = Some("the name is protected".to_owned());
    for what in [Do::Write(".git/config"), Do::Create(".git/new"), Do::Mutate(".git")] {
        assert_eq!(prepared(link, PROTECTED, what).await, name, "{what:?}");
        assert_eq!(prepared(link, &[], what).await, None, "the twin of {what:?}");
    }
    let mut world = world(vec![write(".")], PROTECTED, Limits::default());
    link(&host(&world.tree));
    let root = world.root();
    let (dir, r) = (OpenFlags::DIRECTORY, DescriptorFlags::READ);
    let git = world.open(&root, ".git", dir, r).await.unwrap();
    assert!(world.act(&git, Do::Create("new")).await.is_err());
}

#[tokio::test]
async fn a_directory_with_too_many_entries_is_not_listed() {
    let mut world = world(vec![read(".")], &[], Limits::default());
    for name in ["empty/1", "empty/2", "empty/3"] {
        host(&world.tree).write(name, "").unwrap();
    }
    let root = world.root();
    let (dir, r) = (OpenFlags::DIRECTORY, DescriptorFlags::READ);
    let full = world.open(&root, "empty", dir, r).await.unwrap();
    let fd = || Resource::new_borrow(full.rep());
    world.guard.max_listed = 2;
    let refused = world.fs().read_directory(fd()).await.unwrap_err();
    assert_eq!(refused.downcast().unwrap(), ErrorCode::Quota);
    assert_eq!(world.last_refusal(), "the directory has too many entries");
    assert_eq!(world.meter.used(Limit::OpenFiles), 1, "only the directory is open");
    world.guard.max_listed = 3;
    world.fs().read_directory(fd()).await.unwrap();
}

#[tokio::test]
async fn listings_held_at_once_are_bounded_and_given_back() {
    let mut world = world(vec![read(".")], &[], Limits::default());
    let root = world.root();
    let fd = || Resource::new_borrow(root.rep());
    let first = world.fs().read_directory(fd()).await.unwrap();
    for _ in 1..8 {
        world.fs().read_directory(fd()).await.unwrap();
    }
    let refused = world.fs().read_directory(fd()).await.unwrap_err();
    assert_eq!(refused.downcast().unwrap(), ErrorCode::Quota);
    assert_eq!(world.last_refusal(), "too many directories are being listed");
    HostDirectoryEntryStream::drop(&mut world.fs(), first).unwrap();
    world.fs().read_directory(fd()).await.unwrap();
}
