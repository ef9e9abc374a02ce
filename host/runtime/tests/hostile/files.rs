//! Files stay inside their grants.
//!
//! A case runs a guest twice in two equal places: once as it must be refused, once with that one
//! protection off. Afterwards the files themselves are looked at: a refusal that left a mark is none.

use std::path::Path;

use ringfence_capability::{Capability, PathScope};

use crate::common::{Expect, Place, Run, check, one, read, write};

/// One side of a case: what is granted, the guest's arguments, and what it says.
struct Side(Vec<Capability>, Vec<String>, &'static str);

/// A file below the root and what must be in it afterwards; nothing means that it is not there.
type Mark = (&'static str, Option<&'static str>);

/// Returns a workspace `ws` with a repository, links that lead out, and a secret beside it.
fn place() -> Place {
    let place = Place::new();
    place.file("secret.txt", "the secret");
    place.file("ws/file.txt", "inside").file("ws/data.txt", "0123456789");
    place.file("ws/ro/file.txt", "read only").file("ws/out/mine.txt", "mine");
    place.file("ws/.git/config", "[core]").file("ws/.git/hooks/sample", "#!");
    place.file("ws/.envrc", "export A=1").file("ws/nested/.git/config", "[core]");
    std::fs::create_dir(place.path("ws/nested/.git/hooks")).unwrap();
    let link =
        |target: &Path, name: &str| std::os::unix::fs::symlink(target, place.path(name)).unwrap();
    link(Path::new("../secret.txt"), "ws/link");
    link(&place.path("secret.txt"), "ws/absolute");
    link(Path::new(".."), "ws/up");
    link(Path::new(".git"), "ws/alias");
    link(Path::new("out"), "ws/plain-alias");
    place
}

/// Returns the file as it is, or nothing when it is not there.
fn content(place: &Place, path: &str) -> Option<String> {
    std::fs::read_to_string(place.path(path)).ok()
}

/// Runs the case. `on` and `off` are given the place, because a grant of the root names it.
#[track_caller]
fn case(
    guest: &str,
    on: impl Fn(&Place) -> Side,
    kept: &[Mark],
    off: impl Fn(&Place) -> Side,
    changed: &[Mark],
) {
    let (refusing, permitting) = (place(), place());
    let run = |place, side: &Side| {
        let run = Run::command(guest, side.1.iter().cloned()).at(place);
        side.0.iter().cloned().fold(run, Run::grant)
    };
    let (on, off) = (on(&refusing), off(&permitting));
    let reasons = (Expect::Refused(on.2), Expect::Succeeded(off.2));
    check(run(&refusing, &on), &reasons.0, run(&permitting, &off), &reasons.1);
    for (place, marks) in [(&refusing, kept), (&permitting, changed)] {
        for (path, wanted) in marks {
            assert_eq!(content(place, path).as_deref(), *wanted, "{guest} {:?}: {path}", on.1);
        }
    }
}

fn side(grants: &[Capability], args: &[&str], says: &'static str) -> Side {
    Side(grants.to_vec(), args.iter().map(ToString::to_string).collect(), says)
}

/// The workspace for reading, and for writing, both at `/ws`.
fn ro() -> Capability {
    read(".", "/ws")
}

fn rw() -> Capability {
    write(".", "/ws")
}

/// The parent of the workspace at `/top`: the protection that is off is the edge of the grant.
fn top(place: &Place) -> Capability {
    Capability::FsRead(place.root_scope("/top"))
}

/// Returns the parent of the workspace for writing, without the directories the host keeps there.
fn top_rw(place: &Place) -> Vec<Capability> {
    let scope = place.root_scope("/top");
    let below = |name: &str| {
        let path = format!("{}/{name}", scope.path());
        Capability::FsWrite(PathScope::elsewhere(&path, &format!("/{name}")).unwrap())
    };
    std::fs::create_dir_all(place.path("beside/ws")).unwrap();
    place.file("beside/secret.txt", "the secret");
    vec![below("beside")]
}

#[test]
fn a_path_leads_out_of_a_grant_only_when_the_grant_is_wider() {
    for path in [
        "../secret.txt",
        "./../secret.txt",
        "out/../../secret.txt",
        "../ws/file.txt",
        "up/secret.txt",
    ] {
        let on = |_: &Place| side(&[ro()], &["/ws", path], "not-permitted");
        let off = |place: &Place| side(&[top(place)], &["/top", "ws/../secret.txt"], "the secret");
        case("path-dotdot", on, &[], off, &[]);
        let on = |_: &Place| side(&[rw()], &["/ws", path], "not-permitted");
        case("path-dotdot", on, &[], off, &[]);
    }
    let on = |place: &Place| {
        side(&[ro()], &["/ws", place.path("secret.txt").to_str().unwrap()], "not-permitted")
    };
    let off = |place: &Place| side(&[top(place)], &["/top", "secret.txt"], "the secret");
    case("path-absolute", on, &[], off, &[]);
    let on = |_: &Place| side(&[ro()], &["/ws", "/ws/file.txt"], "not-permitted");
    case("path-absolute", on, &[], off, &[]);
}

#[test]
fn an_ordinary_program_sees_only_what_was_granted() {
    let inside = |_: &Place| side(&[ro()], &["/ws/file.txt"], "inside");
    let on =
        |place: &Place| side(&[ro()], &[place.path("secret.txt").to_str().unwrap()], "not-found");
    case("path-std", on, &[], inside, &[]);
    let on = |_: &Place| side(&[ro()], &["/ws/../secret.txt"], "permission-denied");
    case("path-std", on, &[], inside, &[]);
    // Without any grant the interface is not there at all.
    let here = place();
    for (guest, arg, says) in
        [("path-std", "/ws/file.txt", "inside"), ("dir-list", "/ws", "file.txt:regular-file")]
    {
        let run = || Run::command(guest, [arg]).at(&here);
        let names = ["wasi:filesystem/", "`fs.read` or `fs.write`", "--dir"];
        check(
            run(),
            &Expect::Error("interfaces::not-granted", &names),
            run().grant(ro()),
            &Expect::Succeeded(says),
        );
    }
}

#[test]
fn a_link_that_leads_out_is_not_followed() {
    for link in ["link", "absolute"] {
        for grant in [ro(), rw()] {
            let on =
                |_: &Place| side(std::slice::from_ref(&grant), &["/ws", link], "not-permitted");
            let off = |place: &Place| side(&[top(place)], &["/top", "ws/link"], "the secret");
            case("symlink-follow", on, &[], off, &[]);
        }
    }
    for grant in [ro(), rw()] {
        let on = |_: &Place| side(std::slice::from_ref(&grant), &["/ws", "up/"], "not-permitted");
        let off = |place: &Place| side(&[top(place)], &["/top", "ws/up/"], "secret.txt");
        case("trailing-slash", on, &[], off, &[]);
    }
}

#[test]
fn a_guest_makes_no_link_that_leads_out() {
    let off = |place: &Place| {
        side(&top_rw(place), &["/beside", "../secret.txt", "ws/made"], "the secret")
    };
    let none = [("ws/made", None)];
    let on = |_: &Place| side(&[rw()], &["/ws", "../secret.txt", "made"], "symlink not-permitted");
    case("symlink-create", on, &none, off, &[]);
    let on = |place: &Place| {
        side(
            &[rw()],
            &["/ws", place.path("secret.txt").to_str().unwrap(), "made"],
            "symlink not-permitted",
        )
    };
    case("symlink-create", on, &none, off, &[]);
    let on = |_: &Place| {
        side(&[rw()], &["/ws", "out/../../secret.txt", "made"], "symlink not-permitted")
    };
    case("symlink-create", on, &none, off, &[]);
    let on = |_: &Place| side(&[ro()], &["/ws", "file.txt", "made"], "symlink read-only");
    case("symlink-create", on, &none, off, &[]);
}

#[test]
fn nothing_changes_under_a_grant_for_reading() {
    let data = [("ws/data.txt", Some("0123456789"))];
    let empty = [("ws/data.txt", Some(""))];
    let on = |_: &Place| side(&[ro()], &["/ws", "data.txt"], "read-only");
    let off = |_: &Place| side(&[rw()], &["/ws", "data.txt"], "data.txt has 0 bytes");
    case("truncate-open", on, &data, off, &empty);
    let emptied = |_: &Place| side(&[rw()], &["/ws", "data.txt", "rw"], "data.txt is empty");
    let on = |_: &Place| side(&[ro()], &["/ws", "data.txt"], "set-size read-only");
    case("truncate-set-size", on, &data, emptied, &empty);
    let on = |_: &Place| side(&[ro()], &["/ws", "data.txt", "rw"], "open read-only");
    case("truncate-set-size", on, &data, emptied, &empty);
    // Granted for writing, but opened for reading.
    let on = |_: &Place| side(&[rw()], &["/ws", "data.txt"], "set-size not-permitted");
    case("truncate-set-size", on, &data, emptied, &empty);
    for path in ["data.txt", "new.txt"] {
        let on = |_: &Place| side(&[ro()], &["/ws", path], "read-only");
        let off = |_: &Place| side(&[rw()], &["/ws", path], "wrote 19 bytes");
        case("write-file", on, &[data[0], ("ws/new.txt", None)], off, &[]);
    }
    let on = |_: &Place| side(&[ro()], &["/ws", "data.txt"], "read-only");
    let off = |_: &Place| side(&[rw()], &["/ws", "data.txt"], "");
    case("delete-file", on, &data, off, &[("ws/data.txt", None)]);
    case("set-times", on, &data, off, &data);
}

#[test]
fn a_change_outside_the_grant_is_refused() {
    let secret = [("secret.txt", Some("the secret"))];
    for path in ["../secret.txt", "link", "up/secret.txt", "absolute"] {
        let on = |_: &Place| side(&[rw()], &["/ws", path], "not-permitted");
        let off = |place: &Place| side(&top_rw(place), &["/beside", "ws/../secret.txt"], "");
        let written = [("beside/secret.txt", Some("written by a guest\n"))];
        case("write-file", on, &secret, off, &written);
    }
    let on = |_: &Place| side(&[rw()], &["/ws", "../secret.txt"], "not-permitted");
    let off = |place: &Place| side(&top_rw(place), &["/beside", "secret.txt"], "");
    case("delete-file", on, &secret, off, &[("beside/secret.txt", None)]);
    case("set-times", on, &secret, off, &[]);
}

#[test]
fn a_file_granted_for_reading_is_not_linked_or_moved_where_it_can_be_written() {
    let both = [read("ro", "/ro"), write("out", "/out")];
    let all = [write("ro", "/ro"), write("out", "/out")];
    let kept = [("ws/ro/file.txt", Some("read only")), ("ws/out/new", None)];
    let moved = [("ws/ro/file.txt", None), ("ws/out/new", Some("read only"))];
    let args = ["/ro", "file.txt", "/out", "new"];
    let on = |_: &Place| side(&both, &args, "read-only");
    let off = |_: &Place| side(&all, &args, "moved to new");
    case("rename-across", on, &kept, off, &moved);
    let args = ["/out", "mine.txt", "/ro", "file.txt"];
    let on = |_: &Place| side(&both, &args, "read-only");
    let off = |_: &Place| side(&all, &args, "moved to file.txt");
    case("rename-across", on, &kept, off, &[("ws/ro/file.txt", Some("mine"))]);
}

#[test]
fn a_second_name_of_a_file_is_not_made_of_what_may_not_be_written_and_never_written_through() {
    // The link itself is what the grant decides about; that it is there shows that the protection
    // was off. Writing through it is refused in any case, because a file with two names may have
    // a protected one.
    let (from, into, changed) =
        (["/ro", "file.txt", "/out", "new"], write("out", "/out"), "link not-permitted");
    let repository = ["/ws", ".git/config", "/ws", "out/new"];
    let alias = ["/ws", "alias/config", "/ws", "out/new"];
    let plain = ["/ws", "plain-alias/mine.txt", "/ws", "out/new"];
    let cases = [
        (
            vec![read("ro", "/ro"), into.clone()],
            from,
            "link read-only",
            vec![write("ro", "/ro"), into.clone()],
            from,
        ),
        (
            vec![rw()],
            repository,
            changed,
            vec![write(".git", "/git"), into],
            ["/git", "config", "/out", "new"],
        ),
        (vec![rw()], alias, changed, vec![rw()], plain),
    ];
    for (grants, args, refused, wider, wider_args) in cases {
        let (refusing, permitting) = (place(), place());
        let run = |place, grants: Vec<Capability>, args: [&str; 4]| {
            grants.into_iter().fold(Run::command("hard-link", args).at(place), Run::grant)
        };
        let on = run(&refusing, grants, args);
        let through = Expect::Refused("open not-permitted");
        check(on, &Expect::Refused(refused), run(&permitting, wider, wider_args), &through);
        assert_eq!(content(&refusing, "ws/out/new"), None, "{args:?}");
        assert!(
            content(&permitting, "ws/out/new").is_some_and(|text| text != "overwritten"),
            "{args:?}"
        );
    }
}

/// Spellings of protected names, and how writing there ends. What a guest does first is to make the directories of the path: where that is refused, the
/// file has no place.
const SPELLINGS: [(&str, &str); 22] = [
    (".git/config", "not-permitted"),
    (".git/hooks/sample", "not-permitted"),
    (".envrc", "not-permitted"),
    (".EnvRC", "not-permitted"),
    (".mcp.json", "not-permitted"),
    (".bashrc", "not-permitted"),
    ("nested/.git/hooks/post-checkout", "not-permitted"),
    ("alias/config", "not-permitted"),
    ("alias/hooks/x", "not-permitted"),
    ("out/../.git/config", "not-permitted"),
    ("./.git/config", "not-permitted"),
    (".git/../.git/config", "not-permitted"),
    (".GIT/config", "no-entry"),
    (".Git/hooks/post-checkout", "no-entry"),
    (".git./config", "no-entry"),
    (".git /config", "no-entry"),
    (".g\u{200c}it/config", "no-entry"),
    ("GIT~1/config", "no-entry"),
    (".git::$INDEX_ALLOCATION/config", "no-entry"),
    ("a/b/.git/hooks/x", "no-entry"),
    (".vscode/tasks.json", "no-entry"),
    (".ringfence/policy.toml", "no-entry"),
];

#[test]
fn a_protected_name_is_not_written_in_any_spelling_or_place() {
    let kept = [
        ("ws/.git/config", Some("[core]")),
        ("ws/.envrc", Some("export A=1")),
        ("ws/nested/.git/hooks/post-checkout", None),
        ("ws/.git/hooks/x", None),
        ("ws/.mcp.json", None),
        ("ws/.bashrc", None),
    ];
    for (path, code) in SPELLINGS {
        let here = place();
        one(
            Run::command("protected-write", ["/ws", path]).at(&here).grant(rw()),
            &Expect::Refused(code),
        );
        let log = content(&here, "state/audit.jsonl").unwrap();
        assert!(log.contains("the name is protected"), "{path}");
        let (dir, _) = path.rsplit_once('/').unwrap_or((".", path));
        assert!(code == "not-permitted" || !here.path("ws").join(dir).exists(), "{path}");
        let on = |_: &Place| side(&[rw()], &["/ws", path], code);
        let off = |_: &Place| side(&[rw()], &["/ws", "a/b/git/hooks/x"], "wrote");
        case("protected-write", on, &kept, off, &[]);
    }
    // The same file, once a person granted the protected directory by its name.
    let on = |_: &Place| side(&[rw()], &["/ws", ".git/config"], "not-permitted");
    let off = |_: &Place| side(&[write(".git", "/git")], &["/git", "config"], "wrote");
    case(
        "protected-write",
        on,
        &kept,
        off,
        &[("ws/.git/config", Some("[core]\n\tfsmonitor = evil\n"))],
    );
    // A directory of its own below the grant does not lift the protection of one further down.
    let on = |_: &Place| side(&[write("nested", "/n")], &["/n", ".git/config"], "not-permitted");
    case("protected-write", on, &[("ws/nested/.git/config", Some("[core]"))], off, &[]);
}

#[test]
fn a_protected_name_gets_no_alias() {
    let cases = [
        ([".git", "made", "config"], ["out", "made", "config"]),
        (["./.git/hooks", "made", "x"], ["out", "made", "x"]),
        (["../.git", "out/made", "config"], ["../ro", "out/made", "config"]),
        (["alias", "made", "config"], ["plain-alias", "made", "config"]),
        ([".GIT", "made", "config"], ["out", "made", "config"]),
    ];
    let kept = [("ws/.git/config", Some("[core]")), ("ws/.git/hooks/x", None)];
    for (on, off) in cases {
        let refused = if on[0] == "alias" { "not-permitted" } else { "symlink not-permitted" };
        let on = |_: &Place| side(&[rw()], &["/ws", on[0], on[1], on[2]], refused);
        let off = |_: &Place| side(&[rw()], &["/ws", off[0], off[1], off[2]], "wrote");
        case("protected-alias", on, &kept, off, &[]);
    }
}

#[test]
fn nothing_is_moved_to_from_or_over_a_protected_name() {
    for name in [
        "out/.git",
        "out/.GIT",
        "nested/.git/hooks",
        ".vscode",
        "plain-alias/.git",
        "alias/new",
        ".envrc",
    ] {
        let on = |_: &Place| {
            side(&[rw()], &["/ws", "innocent", name, "post-checkout"], "rename not-permitted")
        };
        let kept =
            [("ws/nested/.git/hooks/post-checkout", None), ("ws/out/.git/post-checkout", None)];
        let off = |_: &Place| {
            side(
                &[rw()],
                &["/ws", "innocent", "out/plain", "post-checkout"],
                "renamed to out/plain",
            )
        };
        case("protected-rename", on, &kept, off, &[]);
    }
    let kept = [
        ("ws/.git/config", Some("[core]")),
        ("ws/file.txt", Some("inside")),
        ("ws/.git/hooks/x", None),
    ];
    for (from, to) in [
        (".git/config", "out/config"),
        (".git", "git"),
        (".envrc", "envrc"),
        ("file.txt", ".git/hooks/x"),
        ("file.txt", ".git/config"),
        ("alias/config", "out/config"),
        ("file.txt", "alias/hooks/x"),
        ("nested/.git", "nested/git"),
        ("file.txt", ".ENVRC"),
    ] {
        let on = |_: &Place| side(&[rw()], &["/ws", from, "/ws", to], "not-permitted");
        let off =
            |_: &Place| side(&[rw()], &["/ws", "file.txt", "/ws", "out/file.txt"], "moved to");
        case(
            "rename-across",
            on,
            &kept,
            off,
            &[("ws/file.txt", None), ("ws/out/file.txt", Some("inside"))],
        );
    }
    let on = |_: &Place| side(&[rw()], &["/ws", ".git/config"], "not-permitted");
    for guest in ["delete-file", "set-times", "truncate-open", "write-file"] {
        let off = |_: &Place| side(&[write(".git", "/git")], &["/git", "config"], "");
        case(guest, on, &kept, off, &[]);
    }
}

#[test]
fn a_grant_of_one_file_reaches_no_other() {
    let one_file = [read("file.txt", "/file.txt")];
    let off = |_: &Place| side(&one_file, &["/", "file.txt"], "inside");
    for path in ["data.txt", "ro/file.txt", ".git/config", "link"] {
        let on = |_: &Place| side(&one_file, &["/", path], "access");
        case("path-dotdot", on, &[], off, &[]);
    }
    let on = |_: &Place| side(&one_file, &["/", "file.txt"], "read-only");
    let off = |_: &Place| side(&[write("file.txt", "/file.txt")], &["/", "file.txt"], "wrote");
    let kept = [("ws/file.txt", Some("inside"))];
    case("write-file", on, &kept, off, &[("ws/file.txt", Some("written by a guest\n"))]);
}

#[test]
fn a_read_of_every_byte_there_could_be_is_a_short_one() {
    let here = place();
    for bytes in ["18446744073709551615", "4294967296", "10"] {
        let run = Run::command("huge-read", ["/ws", "data.txt", bytes]).at(&here).grant(ro());
        one(run, &Expect::Succeeded("10 bytes"));
    }
}

#[test]
fn a_grant_that_is_no_place_of_its_own_is_refused_before_anything_runs() {
    let here = place();
    std::fs::create_dir_all(here.path("ws/kept")).unwrap();
    let list = |grant| Run::command("dir-list", ["/d"]).at(&here).grant(grant);
    let refused = |grant, code, parts: &[&str]| {
        let ended = one(list(grant), &Expect::Error(code, parts));
        assert_eq!(ended.stdout, "", "nothing ran");
    };
    refused(read("up", "/d"), "runtime::linked-path", &["is a link"]);
    refused(read("alias", "/d"), "runtime::linked-path", &["is a link", ".git"]);
    refused(write("plain-alias", "/d"), "runtime::linked-path", &["is a link"]);
    refused(read("nothing", "/d"), "runtime::place", &["nothing"]);
    refused(
        Capability::FsWrite(here.everything("/d")),
        "runtime::holds-state",
        &["keeps its state in it"],
    );
    let state = format!("{}/state", here.everything("/d").path());
    let state = PathScope::elsewhere(&state, "/d").unwrap();
    refused(Capability::FsWrite(state.clone()), "runtime::holds-state", &["keeps its state in it"]);
    // The key that signs the log lies there, so reading is refused too.
    let reading = &["granted for reading", "keeps its state in it"];
    refused(Capability::FsRead(state.clone()), "runtime::holds-state", reading);
    refused(Capability::FsRead(here.everything("/d")), "runtime::holds-state", reading);
    let below = PathScope::elsewhere(&format!("{}/below", state.path()), "/d").unwrap();
    std::fs::create_dir_all(here.path("state/below")).unwrap();
    refused(Capability::FsWrite(below), "runtime::holds-state", &["keeps its state in it"]);
    // The twins: the place itself, and a directory beside what the host keeps.
    one(list(read("ro", "/d")), &Expect::Succeeded("file.txt"));
    one(list(write("kept", "/d")), &Expect::Succeeded(""));
    one(list(Capability::FsRead(here.root_scope("/d"))), &Expect::Succeeded("ws:directory"));
}
