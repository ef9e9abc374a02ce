//! A program, or somebody else at the same time, that means harm.

use super::support::{Place, conflicts, everything, lines, protected};
use crate::staging::{Decision, Flag, ScanLimits, StagingError};
use rustix::fs::{Mode, XattrFlags, mkdirat};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;

/// Stages `script`, then runs `attack` in the workspace; the commit must refuse with `expected`,
/// and what lies outside must stay as it is.
fn check(name: &str, script: &str, attack: &str, expected: &[&str]) {
    let setup = "umask 022; mkdir d ../outside; echo a > f; echo b > d/g; mkdir gone; \
                 echo c > gone/h; echo safe > ../outside/g; echo safe > ../outside/f";
    let Some(place) = Place::new(name, setup) else { return };
    let (mut stage, changes) = place.staged(script);
    place.shell(attack);
    let now = place.tree();
    let error = stage.commit(&changes, &everything(&changes)).unwrap_err();
    assert_eq!(conflicts(error), expected, "{name}");
    assert_eq!(place.tree(), now, "{name}");
    for file in ["f", "g"] {
        let outside = fs::read_to_string(place.outside("outside").join(file)).unwrap();
        assert_eq!(outside, "safe\n", "{name}");
    }
    stage.discard().unwrap();
    assert_eq!(place.leftovers(), Vec::<String>::new(), "{name}");
}

#[test]
fn a_workspace_that_changes_after_the_list_is_not_written_over() {
    let still = "it is not what it was";
    let cases: [(&str, &str, &str, &str); 12] = [
        ("file becomes link", "echo x > f", "rm f; ln -s ../outside/f f", &format!("f: {still}")),
        (
            "parent becomes link",
            "echo x > d/g",
            "mv d e; ln -s ../outside d",
            "d/g: a symbolic link lies on the way",
        ),
        (
            "parent of a new file becomes link",
            "echo x > d/new",
            "mv d e; ln -s ../outside d",
            "d/new: a symbolic link lies on the way",
        ),
        ("parent goes", "echo x > d/g", "rm -r d", "d/g: its directory is gone"),
        ("file appears", "echo x > new", "echo y > new", "new: it appeared"),
        ("link appears", "echo x > new", "ln -s ../outside/f new", "new: it appeared"),
        ("file goes", "echo x > f", "rm f", "f: it is gone"),
        ("same bytes, other file", "echo x > f", "cp f n; mv n f", &format!("f: {still}")),
        (
            "written within the same size and time",
            "echo x > f",
            "touch -r f ../time; echo z > f; touch -r ../time f",
            &format!("f: {still}"),
        ),
        ("becomes a pipe", "echo x > f", "rm f; mkfifo f", &format!("f: {still}")),
        ("deleted tree grows", "rm -r gone", "echo n > gone/n", &format!("gone: {still}")),
        ("gets another name", "echo x > f", "ln f ../outside/also", &format!("f: {still}")),
    ];
    for (name, script, attack, expected) in cases {
        check(name, script, attack, &[expected]);
    }
}

#[test]
fn the_same_attack_succeeds_against_a_copy_that_follows_links() {
    let Some(place) = Place::new("twin", "echo a > f; echo safe > ../outside") else { return };
    let (stage, _) = place.staged("echo x > f");
    place.shell("rm f; ln -s ../outside f");
    fs::copy(stage.upper().join("f"), place.workspace.join("f")).unwrap();
    assert_eq!(fs::read_to_string(place.outside("outside")).unwrap(), "x\n");
}

#[test]
fn what_changes_while_the_program_runs_is_named() {
    let Some(place) = Place::new("meanwhile", "echo a > f; mkdir d; echo b > d/g") else { return };
    let stage = place.stage();
    place.run(&stage, "echo x > f; rm -r d");
    place.shell("echo mine > f; echo mine > d/new");
    let changes = stage.changes(&protected).unwrap();
    assert!(changes.iter().all(crate::staging::Change::changed_meanwhile));
    let mut stage = stage;
    let error = stage.commit(&changes, &Decision::all()).unwrap_err();
    let why = "changed while the program ran";
    assert_eq!(conflicts(error), [format!("d: {why}"), format!("f: {why}")]);
}

#[test]
fn what_was_shown_is_what_is_written() {
    let Some(place) = Place::new("shown", "echo a > f") else { return };
    let before = place.tree();
    let (mut stage, changes) = place.staged("echo good > f; mkdir n; echo good > n/x");
    for file in ["f", "n/x"] {
        fs::write(stage.upper().join(file), "evil\n").unwrap();
        let error = stage.commit(&changes, &Decision::all()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("the staged content of `{file}` is not what was shown")
        );
        assert_eq!(place.tree(), before);
        fs::write(stage.upper().join(file), "good\n").unwrap();
    }
    let (_, other) = place.staged("echo other > f");
    assert!(stage.commit(&other, &Decision::all()).is_err(), "the list of another stage");
    stage.commit(&changes, &Decision::all()).unwrap();
}

#[test]
fn protected_names_are_flagged_however_they_are_reached() {
    let setup = "mkdir -p .git/hooks sub/deep/.git/hooks; echo a > .git/config; echo s > sub/s";
    let cases: [(&str, &str, &[&str]); 10] = [
        ("config", "echo x > .git/config", &[".git/config"]),
        (
            "hook in an empty directory",
            "echo x > .git/hooks/pre-commit",
            &[".git/hooks/pre-commit"],
        ),
        ("deleted", "rm -r .git", &[".git"]),
        ("deleted with its parent", "rm -r sub", &["sub"]),
        ("renamed parent", "mv sub other", &["other/deep/.git", "other/deep/.git/hooks", "sub"]),
        ("parent becomes a file", "rm -r sub; echo x > sub", &["sub"]),
        ("nested and new", "mkdir -p n/.git; echo x > n/.git/HEAD", &["n/.git", "n/.git/HEAD"]),
        ("a file of that name", "mkdir n; echo 'gitdir: /x' > n/.git", &["n/.git"]),
        ("another case", "mkdir .GIT; echo x > .Envrc", &[".Envrc", ".GIT"]),
        ("as folded", "mkdir .git. 'git~1'; echo x > '.envrc '", &[".envrc ", ".git.", "git~1"]),
    ];
    for (name, script, expected) in cases {
        let Some(place) = Place::new(name, setup) else { return };
        let (mut stage, changes) = place.staged(script);
        let flagged: Vec<String> = changes
            .flagged()
            .inspect(|change| assert!(change.flags().contains(&Flag::ProtectedName)))
            .map(|change| change.path().to_string())
            .collect();
        assert_eq!(flagged, expected, "{name}");
        let before = place.tree();
        let error = stage.commit(&changes, &Decision::all()).unwrap_err();
        assert!(matches!(error, StagingError::Unapproved { .. }), "{name}: {error:?}");
        assert_eq!(place.tree(), before, "{name}");
    }
}

#[test]
fn a_bare_repository_is_flagged_however_it_is_completed() {
    let cases: [(&str, &str, &[&str]); 4] = [
        (
            "mkdir -p n",
            "mkdir -p n/objects n/refs n/hooks; echo x > n/HEAD; echo y > n/config; \
             echo z > n/hooks/post-checkout; echo w > n/readme",
            &["n/HEAD", "n/config", "n/hooks", "n/hooks/post-checkout", "n/objects", "n/refs"],
        ),
        ("mkdir objects refs", "echo x > HEAD; echo y > config", &["HEAD", "config"]),
        ("mkdir objects refs; echo x > HEAD", "echo y > config", &["config"]),
        ("mkdir objects", "echo x > HEAD; echo y > config", &[]),
    ];
    for (setup, script, expected) in cases {
        let Some(place) = Place::new("bare repository", setup) else { return };
        let (_stage, changes) = place.staged(script);
        let flagged: Vec<String> = changes
            .flagged()
            .inspect(|change| assert!(change.flags().contains(&Flag::Repository)))
            .map(|change| change.path().to_string())
            .collect();
        assert_eq!(flagged, expected, "{script}");
    }
}

#[test]
fn links_out_are_found_through_other_links() {
    let setup = "mkdir -p a/b x; ln -s /etc out; ln -s a/b near; ln -s x loop";
    let cases: [(&str, bool); 12] = [
        ("ln -s a/b l", false),
        ("ln -s ../x a/l", false),
        ("ln -s nowhere/../x l", false),
        ("ln -s near l", false),
        ("ln -s ../../x a/b/l", false),
        ("ln -s /etc/passwd l", true),
        ("ln -s .. l", true),
        ("ln -s ../../.. a/b/l", true),
        ("ln -s out/passwd l", true),
        ("ln -s near/../../.. l", true),
        ("rm loop; ln -s loop2 loop; ln -s loop loop2", true),
        ("mkdir -p deep/er; ln -s ../.. deep/er/up; ln -s deep/er/up/../x l", true),
    ];
    for (script, expected) in cases {
        let Some(place) = Place::new("links", setup) else { return };
        let (_stage, changes) = place.staged(script);
        let found = changes.iter().any(|change| change.flags().contains(&Flag::EscapingLink));
        assert_eq!(found, expected, "{script}");
    }
}

#[test]
fn strange_names_are_kept_and_shown_harmlessly() {
    let setup = "echo a > \"$(printf 'new\\nline')\"";
    let script = "echo b > \"$(printf 'new\\nline')\"; echo c > \"$(printf 'bad\\377name')\"; \
                  echo d > \"$(printf 'esc\\033[2J')\"; echo e > -rf; echo f > ' '; \
                  echo g > \"$(printf '\\342\\200\\256gnp')\"; echo h > 'back\\slash'";
    let (Some(place), Some(direct)) = (Place::new("names", setup), Place::new("names", setup))
    else {
        return;
    };
    let (mut stage, changes) = place.staged(script);
    let shown: Vec<String> = changes.iter().map(|change| change.path().to_string()).collect();
    assert_eq!(
        shown,
        [
            " ",
            "-rf",
            "back\\\\slash",
            "bad\\xffname",
            "esc\\u{1b}[2J",
            "new\\nline",
            "\\u{202e}gnp"
        ]
    );
    let json = serde_json::to_value(&changes).unwrap();
    assert_eq!(json["changes"][3]["path"]["hex"], "626164ff6e616d65");
    stage.commit(&changes, &Decision::all()).unwrap();
    direct.shell(script);
    assert_eq!(place.tree(), direct.tree());
}

#[test]
fn pipes_are_never_opened() {
    let Some(place) = Place::new("pipes", "mkfifo p q; mkdir d; mkfifo d/r") else { return };
    let (mut stage, changes) = place.staged("rm p; echo x > p; mkfifo n; rm q; rm -r d");
    assert_eq!(changes.len(), 4);
    stage.commit(&changes, &everything(&changes)).unwrap();
    let undo = crate::staging::Undo::of(&place.state, &place.workspace).unwrap();
    undo.apply().unwrap();
    assert_eq!(place.tree().keys().collect::<Vec<_>>(), ["d", "d/r", "p", "q"]);
    assert!(place.tree()["p"].starts_with("fifo"));
}

#[test]
fn too_much_is_an_error_and_goes_away_all_the_same() {
    let wide = "mkdir w; cd w; seq 2000 | xargs touch";
    let deep = "p=d; i=0; while [ $i -lt 200 ]; do p=$p/d; i=$((i+1)); done; mkdir -p $p";
    let limits = |change: fn(&mut ScanLimits)| {
        let mut limits = ScanLimits::default();
        change(&mut limits);
        limits
    };
    let cases = [
        (wide, limits(|limits| limits.entries = 1000), "1000 entries"),
        (deep, limits(|_| {}), "128 levels of directories"),
        (
            "head -c 3000 /dev/zero > z",
            limits(|limits| limits.content_bytes = 2000),
            "2000 bytes of content",
        ),
        (deep, limits(|limits| limits.path_bytes = 50), "50 bytes in a path"),
    ];
    for (script, limits, expected) in cases {
        let Some(place) = Place::new("too much", "true") else { return };
        let stage = place.stage().with_limits(limits);
        place.run(&stage, script);
        let error = stage.changes(&protected).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        stage.discard().unwrap();
        assert_eq!(place.leftovers(), Vec::<String>::new());
    }
}

#[test]
fn a_tree_deeper_than_any_path_is_removed() {
    let place = Place::without_overlay("true");
    let stage = place.stage();
    let mut directory = rustix::fd::OwnedFd::from(fs::File::open(stage.upper()).unwrap());
    for _ in 0..5000 {
        mkdirat(&directory, "d", Mode::RWXU).unwrap();
        directory = crate::staging::dir::open_directory(&directory, "d".as_ref()).unwrap();
    }
    assert!(matches!(stage.changes(&protected), Err(StagingError::TooMuch { .. })));
    stage.discard().unwrap();
    assert_eq!(place.leftovers(), Vec::<String>::new());
}

#[test]
fn a_hundred_thousand_files_are_committed() {
    let Some(place) = Place::new("many files", "mkdir keep") else { return };
    let script = "for d in a b c d e; do mkdir $d; (cd $d; seq 20000 | xargs touch); done";
    let (mut stage, changes) = place.staged(script);
    assert_eq!(changes.len(), 100_005);
    let receipt = stage.commit(&changes, &Decision::all()).unwrap();
    assert_eq!(receipt.added, 100_005);
    assert_eq!(fs::read_dir(place.workspace.join("e")).unwrap().count(), 20_000);
    assert_eq!(place.leftovers(), Vec::<String>::new());
}

#[test]
fn marks_of_another_kind_of_overlay_are_refused_and_its_whiteouts_understood() {
    let place = Place::without_overlay("echo a > f; mkdir d; echo b > d/g");
    let stage = place.stage();
    let mark = |name: &str, mark: &str, value: &[u8]| {
        let file = fs::File::open(stage.upper().join(name)).unwrap();
        rustix::fs::fsetxattr(&file, mark, value, XattrFlags::empty()).unwrap();
    };
    fs::write(stage.upper().join("f"), "").unwrap();
    mark("f", "user.overlay.whiteout", b"");
    fs::create_dir(stage.upper().join("d")).unwrap();
    mark("d", "user.overlay.opaque", b"y");
    let changes = stage.changes(&protected).unwrap();
    let paths: Vec<String> = lines(&changes).iter().map(|line| line[..11].to_owned()).collect();
    assert_eq!(paths, ["deleted d/g", "deleted f: "]);
    mark("d", "user.overlay.redirect", b"/etc");
    let error = stage.changes(&protected).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the stage holds `a redirect` at `d`, which is never made by this overlay"
    );
}

#[test]
fn a_program_cannot_forge_the_marks_of_the_overlay() {
    let Some(place) = Place::new("forged marks", "mkdir d; echo a > d/f") else { return };
    let (_stage, changes) = place.staged(
        "command -v setfattr >/dev/null || exit 0; setfattr -n user.overlay.opaque -v y d; \
         setfattr -n user.overlay.redirect -v /etc d",
    );
    assert!(changes.is_empty(), "{changes}");
    let name = std::ffi::OsStr::from_bytes(b".ringfence-commit-00");
    assert!(!place.workspace.join(name).exists());
}
