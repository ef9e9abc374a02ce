//! What is listed, what is committed, and what stays.

use super::support::{Place, everything, lines, path, protected};
use crate::staging::{Approve, Decision, DiffLimits, Stage, StagingError, UndoData};
use ringfence_capability::Diagnostic as _;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;

/// Runs `script` over what `setup` made; the list must be `expected`, and committing it must give
/// what the script gives when it runs in the workspace itself.
fn check(name: &str, setup: &str, script: &str, expected: &[&str]) {
    let (Some(place), Some(direct)) = (Place::new(name, setup), Place::new(name, setup)) else {
        return;
    };
    let before = place.tree();
    let (mut stage, changes) = place.staged(script);
    assert_eq!(lines(&changes), expected, "{name}");
    assert_eq!(place.tree(), before, "{name}: the program wrote through");
    let receipt = stage.commit(&changes, &everything(&changes)).expect(name);
    direct.direct(script);
    assert_eq!(place.tree(), direct.tree(), "{name}");
    assert_eq!(receipt.added + receipt.changed + receipt.deleted, expected.len(), "{name}");
    drop(stage);
    assert_eq!(place.leftovers(), Vec::<String>::new(), "{name}");
}

/// Name, what fills the workspace, what the program does, and what is listed.
const CASES: [(&str, &str, &str, &[&str]); 18] = [
    ("nothing", "echo a > f", "cat f", &[]),
    ("same content", "echo a > f", "echo a > f", &[]),
    ("touched", "echo a > f; mkdir d; echo b > d/g", "touch f d/g", &[]),
    ("renamed and back", "echo a > f", "mv f g; mv g f", &[]),
    ("added", "true", "echo a > f; chmod 644 f", &["added   f: file 0644 2 bytes"]),
    ("changed", "echo a > f", "echo bb > f", &["changed f: content, 2 to 3 bytes"]),
    ("mode", "echo a > f; chmod 644 f", "chmod 755 f", &["changed f: mode 0644 to 0755"]),
    ("deleted", "echo a > f; chmod 644 f", "rm f", &["deleted f: file 0644 2 bytes"]),
    (
        "new tree",
        "umask 022; mkdir d",
        "umask 022; mkdir -p d/e/f; echo a > d/e/f/g; ln -s g d/e/f/h",
        &[
            "added   d/e: directory 0755",
            "added   d/e/f: directory 0755",
            "added   d/e/f/g: file 0644 2 bytes",
            "added   d/e/f/h: link to g",
        ],
    ),
    (
        "deleted tree",
        "umask 022; mkdir -p d/e; echo a > d/e/f; echo b > d/g",
        "rm -r d",
        &["deleted d: directory 0755, with 3 entries"],
    ),
    (
        "opaque directory",
        "umask 022; mkdir -p d/e; echo a > d/f; echo b > d/g; echo c > d/e/h",
        "umask 022; rm -r d; mkdir d; echo b > d/g; echo n > d/n",
        &[
            "deleted d/e: directory 0755, with 1 entries",
            "deleted d/f: file 0644 2 bytes",
            "added   d/n: file 0644 2 bytes",
        ],
    ),
    (
        "renamed directory",
        "umask 022; mkdir d; echo a > d/f",
        "umask 022; mv d e",
        &[
            "deleted d: directory 0755, with 1 entries",
            "added   e: directory 0755",
            "added   e/f: file 0644 2 bytes",
        ],
    ),
    (
        "file becomes directory",
        "umask 022; echo a > f",
        "umask 022; rm f; mkdir f; echo b > f/g",
        &["changed f: file 0644 2 bytes becomes directory 0755", "added   f/g: file 0644 2 bytes"],
    ),
    (
        "directory becomes link",
        "umask 022; mkdir d; echo a > d/f; echo b > g",
        "rm -r d; ln -s g d",
        &["changed d: directory 0755 becomes link to g, with 1 entries"],
    ),
    (
        "closed directories",
        "umask 022; mkdir d; echo a > d/f; chmod 555 d",
        "umask 022; chmod 755 d; echo b > d/g; chmod 555 d; mkdir e; echo c > e/h; chmod 500 e",
        &[
            "added   d/g: file 0644 2 bytes",
            "added   e: directory 0500",
            "added   e/h: file 0644 2 bytes",
        ],
    ),
    (
        "directories nobody may enter",
        "umask 022; mkdir d; echo a > d/f",
        "umask 022; echo b > d/f; chmod 000 d; mkdir -p e/g; echo c > e/g/h; \
         chmod 000 e/g/h; chmod 200 e/g; chmod 000 e",
        &[
            "changed d: mode 0755 to 0000",
            "changed d/f: content, 2 bytes",
            "added   e: directory 0000",
            "added   e/g: directory 0200",
            "added   e/g/h: file 0000 2 bytes",
        ],
    ),
    (
        "directory attributes",
        "umask 022; mkdir d; echo a > d/f",
        "chmod 700 d; echo b > d/f",
        &["changed d: mode 0755 to 0700", "changed d/f: content, 2 bytes"],
    ),
    (
        "special and set-id",
        "umask 022; echo a > f",
        "umask 022; mkfifo p; chmod 4755 f; ln -s /etc/passwd l; ln -s ../.. m; mkdir -m 2755 d",
        &[
            "added   d: directory 2755 [set-id bit]",
            "changed f: mode 0644 to 4755 [set-id bit]",
            "added   l: link to /etc/passwd [link out of the workspace]",
            "added   m: link to ../.. [link out of the workspace]",
            "added   p: named pipe 0644 [special file]",
        ],
    ),
];

#[test]
fn each_kind_of_change_is_listed_and_committed() {
    for (name, setup, script, expected) in CASES {
        check(name, setup, script, expected);
    }
}

#[test]
fn hard_links_stay_together_and_are_never_written_through() {
    let setup = "echo shared > one; ln one two; echo o > ../outside; ln ../outside in; echo x > q";
    let Some(place) = Place::new("hard links", setup) else { return };
    let (mut stage, changes) =
        place.staged("echo more >> one; echo more >> in; echo n > a; ln a b; ln q r");
    let flags: Vec<String> = changes.flagged().map(ToString::to_string).collect();
    assert_eq!(flags, ["changed in: content, 2 to 7 bytes [hard link outside the workspace]"],);
    stage.commit(&changes, &everything(&changes)).unwrap();
    let read = |name: &str| fs::read_to_string(place.workspace.join(name)).unwrap();
    assert_eq!((read("one"), read("two")), ("shared\nmore\n".to_owned(), "shared\n".to_owned()));
    assert_eq!(fs::read_to_string(place.outside("outside")).unwrap(), "o\n");
    let inode = |name: &str| fs::metadata(place.workspace.join(name)).unwrap().ino();
    assert_eq!(inode("a"), inode("b"));
    assert_ne!(inode("one"), inode("two"));
}

#[test]
fn attributes_and_times_are_carried_over_but_not_those_of_the_overlay() {
    let Some(place) = Place::new("attributes", "echo a > f") else { return };
    let script = "python3 -c 'import os\nos.setxattr(\"f\", \"user.note\", b\"1\")\n\
                  os.setxattr(\"f\", \"user.overlay.opaque\", b\"y\")' && touch -d @1000 f";
    let python = std::process::Command::new("python3").arg("--version").output();
    if !python.is_ok_and(|output| output.status.success()) {
        super::support::skip("attributes", "there is no python3 to set attributes");
        return;
    }
    let (mut stage, changes) = place.staged(script);
    assert_eq!(lines(&changes), ["changed f: attribute user.note"]);
    stage.commit(&changes, &Decision::all()).unwrap();
    let file = fs::File::open(place.workspace.join("f")).unwrap();
    let found = crate::staging::dir::attributes(&file, |_| true).unwrap();
    let names: Vec<&[u8]> = found.keys().map(Vec::as_slice).collect();
    assert_eq!(names, [b"user.note".as_slice()]);
    assert_eq!(file.metadata().unwrap().mtime(), 1000);
}

#[test]
fn only_approved_paths_are_written() {
    let setup = "mkdir d; echo a > d/a; echo b > d/b; echo c > c";
    let script = "echo 1 > d/a; rm d/b; echo 2 > c; mkdir -p n/m; echo 3 > n/m/x; echo 4 > n/y";
    let Some(place) = Place::new("approved paths", setup) else { return };
    let (mut stage, changes) = place.staged(script);
    let paths = BTreeSet::from([path("d/a"), path("n/m")]);
    let decision = Decision { approve: Approve::Paths(paths), also: BTreeSet::new() };
    let receipt = stage.commit(&changes, &decision).unwrap();
    assert_eq!((receipt.added, receipt.changed, receipt.left_out), (3, 1, 3));
    let tree: Vec<String> = place.tree().into_keys().collect();
    assert_eq!(tree, ["c", "d", "d/a", "d/b", "n", "n/m", "n/m/x"]);
    assert_eq!(fs::read_to_string(place.workspace.join("c")).unwrap(), "c\n");
}

#[test]
fn a_flagged_change_needs_a_yes_of_its_own() {
    let Some(place) = Place::new("flagged", "mkdir .git; echo a > .git/config") else { return };
    let script = "echo evil > .git/config; echo x > .envrc; echo fine > fine";
    let before = place.tree();
    let (mut stage, changes) = place.staged(script);
    let error = stage.commit(&changes, &Decision::all()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "not approved on their own: `.envrc` (protected name), `.git/config` (protected name)"
    );
    assert_eq!(error.code(), "staging::unapproved");
    assert_eq!(place.tree(), before);
    let one = Decision::all().also([path(".envrc")]);
    assert!(
        matches!(stage.commit(&changes, &one), Err(StagingError::Unapproved { paths }) if paths.len() == 1)
    );
    let receipt = stage.commit(&changes, &Decision::unflagged(&changes)).unwrap();
    assert_eq!((receipt.added, receipt.left_out), (1, 2));
    assert_eq!(fs::read_to_string(place.workspace.join(".git/config")).unwrap(), "a\n");
}

#[test]
fn a_decision_about_something_else_is_refused() {
    let Some(place) = Place::new("decision", "echo a > f") else { return };
    let (mut stage, changes) = place.staged("rm f; mkdir f; echo x > f/g");
    let only = |name: &str| Decision {
        approve: Approve::Paths(BTreeSet::from([path(name)])),
        also: BTreeSet::new(),
    };
    let error = stage.commit(&changes, &only("nowhere")).unwrap_err();
    assert_eq!(error.to_string(), "`nowhere` is not among the staged changes");
    let error = stage.commit(&changes, &only("f/g")).unwrap_err();
    assert_eq!(error.to_string(), "`f/g` cannot be written without the change of `f`");
}

#[test]
fn nothing_is_left_when_a_stage_is_discarded_or_dropped() {
    let Some(place) = Place::new("discard", "echo a > f") else { return };
    let before = place.tree();
    let script = "rm f; mkdir -p a/b; echo x > a/b/c; chmod 000 a/b a";
    let (stage, _) = place.staged(script);
    stage.discard().unwrap();
    assert_eq!(place.leftovers(), Vec::<String>::new());
    drop(place.staged(script));
    assert_eq!(place.leftovers(), Vec::<String>::new());
    assert_eq!(place.tree(), before);
}

#[test]
fn the_text_shows_differences_and_nothing_a_terminal_would_act_on() {
    let setup = "printf 'one\\ntwo\\nthree\\n' > f; printf 'a\\0b' > bin";
    let script = "printf 'one\\n2\\033[31m\\nthree' > f; printf 'a\\0c' > bin; echo hi > n; \
                  head -c 300000 /dev/zero > big";
    let Some(place) = Place::new("text", setup) else { return };
    let (stage, changes) = place.staged(script);
    let text = stage.text_diff(&changes, DiffLimits::default()).unwrap();
    let expected = "\
added   big: file 0644 300000 bytes
  (not shown: the file is too large)
changed bin: content, 3 bytes
  (binary)
changed f: content, 14 to 16 bytes
  @@ -1,3 +1,3 @@
   one
  -two
  -three
  +2\\u{1b}[31m
  +three
  \\ no newline at the end
added   n: file 0644 3 bytes
  @@ -1,0 +1,1 @@
  +hi
";
    assert_eq!(text, expected);
}

#[test]
fn the_list_is_json_and_its_digest_depends_on_all_of_it() {
    let Some(place) = Place::new("json", "echo a > f") else { return };
    let (first, changes) = place.staged("echo b > f");
    let json = serde_json::to_value(&changes).unwrap();
    assert_eq!(json["changes"][0]["path"], "f");
    assert_eq!(json["changes"][0]["effect"], "changed");
    assert_eq!(json["changes"][0]["after"]["size_bytes"], 2);
    assert_eq!(changes.digest(), first.changes(&protected).unwrap().digest());
    let (_second, other) = place.staged("echo c > f");
    assert_ne!(changes.digest(), other.digest());
}

#[test]
fn a_state_directory_in_the_workspace_is_refused() {
    let place = Place::without_overlay("mkdir -p deep/er");
    for inside in ["state", "deep/er/state"] {
        let error = Stage::create(&place.workspace.join(inside), &place.workspace).unwrap_err();
        assert_eq!(error.code(), "staging::state-inside-workspace");
        assert!(error.hint().unwrap().contains("XDG_STATE_HOME"));
    }
    let link = place.outside("link");
    std::os::unix::fs::symlink(&place.workspace, &link).unwrap();
    let error = Stage::create(&link.join("state"), &place.workspace).unwrap_err();
    assert_eq!(error.code(), "staging::state-inside-workspace");
}

#[test]
fn an_empty_commit_keeps_the_last_undo() {
    let Some(place) = Place::new("empty commit", "echo a > f") else { return };
    let (mut stage, changes) = place.staged("true");
    assert!(changes.is_empty());
    let receipt = stage.commit(&changes, &Decision::all()).unwrap();
    assert_eq!(receipt.undo, UndoData::NothingDone);
}

#[test]
fn stages_of_many_runs_at_once_are_not_in_each_others_way() {
    let place = Place::without_overlay("echo a > f");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..100 {
                    // As every start does it: what others left is swept first.
                    let left = Stage::sweep(&place.state).unwrap();
                    assert!(left.is_empty(), "nobody left anything: {left:?}");
                    place.stage().discard().unwrap();
                }
            });
        }
    });
    assert_eq!(place.leftovers(), Vec::<String>::new());
}
