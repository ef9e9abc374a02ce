//! What is swapped while the question stands is not what was approved. Each swap has its twin: the
//! same without it runs.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::common::{Done, Fixture, each};
use super::session::Session;

/// Makes an executable script that prints `word`, owned by who runs the command.
fn script(fixture: &Fixture, name: &str, word: &str) {
    fixture.write(name, &format!("#!/bin/sh\necho {word}\n"));
    let path = fixture.work().join(name);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Runs `argv`, does `swap` while the question stands, says yes, and returns code and output.
fn answered(fixture: &Fixture, argv: &[&str], swap: impl FnOnce(&Path)) -> (Option<i32>, String) {
    let words = [&["exec", "--commit", "none", "--"], argv].concat();
    let mut session = Session::start(fixture, &words);
    session.until("\n> ");
    swap(&fixture.work());
    session.answer("\n> ", "y\n");
    session.end()
}

#[test]
fn a_program_that_is_swapped_while_the_question_stands_does_not_run() {
    each(|fixture| {
        script(fixture, "tool", "good");
        script(fixture, "other", "bad");
        let swap = |work: &Path| std::fs::rename(work.join("other"), work.join("tool")).unwrap();
        let (code, seen) = answered(fixture, &["./tool"], swap);
        assert_eq!(code, Some(3), "{seen}");
        assert!(seen.contains("error[sandbox::program-changed]") && !seen.contains("bad\r\n"));
        let (code, seen) = answered(fixture, &["./tool"], |_| {});
        assert!(code == Some(0) && seen.contains("bad\r\n"), "{seen}");
    });
}

#[test]
fn a_program_that_is_written_over_while_the_question_stands_does_not_run() {
    each(|fixture| {
        script(fixture, "tool", "good");
        let swap =
            |work: &Path| std::fs::write(work.join("tool"), "#!/bin/sh\necho bad\n").unwrap();
        let (code, seen) = answered(fixture, &["./tool"], swap);
        assert_eq!(code, Some(3), "{seen}");
        assert!(seen.contains("error[sandbox::program-changed]") && !seen.contains("bad\r\n"));
    });
}

#[test]
fn a_link_that_is_swapped_while_the_question_stands_leads_nowhere_new() {
    each(|fixture| {
        script(fixture, "first", "good");
        script(fixture, "second", "bad");
        symlink("first", fixture.work().join("tool")).unwrap();
        let swap = |work: &Path| {
            symlink("second", work.join("new")).unwrap();
            std::fs::rename(work.join("new"), work.join("tool")).unwrap();
        };
        let (code, seen) = answered(fixture, &["./tool"], swap);
        // What was opened when the question was made runs, or nothing.
        assert!(!seen.contains("bad\r\n"), "{seen}");
        assert!(matches!(code, Some(0 | 3)), "{seen}");
        let (_, seen) = answered(fixture, &["./tool"], |_| {});
        assert!(
            seen.contains("bad\r\n"),
            "the twin: started after the swap it is the other: {seen}"
        );
    });
}

/// Starts `argv`, approved ahead, does `meanwhile` while it waits for the log, which is right before it
/// would start, and returns how it ended.
fn at_the_log(fixture: &Fixture, argv: &[&str], meanwhile: impl FnOnce()) -> Done {
    let log = std::fs::File::open(fixture.state().join("audit.jsonl")).unwrap();
    let mut command = fixture.approved(&["--write", "direct"], argv);
    log.lock().unwrap();
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let waiter = format!(" {} ", child.id());
    let waits = || {
        let locks = std::fs::read_to_string("/proc/locks").unwrap();
        locks.lines().any(|line| line.contains("-> ") && line.contains(&waiter))
    };
    assert!((0..1_000_000).any(|_| waits()), "it never came to the log");
    meanwhile();
    log.unlock().unwrap();
    Done::of(&child.wait_with_output().unwrap())
}

#[test]
fn a_program_that_is_written_over_right_before_it_starts_does_not_run() {
    each(|fixture| {
        script(fixture, "tool", "good");
        let first = Done::of(&fixture.approved(&[], &["./tool"]).output().unwrap());
        assert_eq!(first.code, Some(0), "{}", first.err);
        let swap = || std::fs::write(fixture.work().join("tool"), "#!/bin/sh\necho bad\n").unwrap();
        let done = at_the_log(fixture, &["./tool"], swap);
        assert!(!done.out.contains("bad"), "{}", done.out);
        assert_eq!(done.code, Some(3), "{}", done.err);
        assert!(done.err.contains("error[sandbox::program-changed]"), "{}", done.err);
        // The twin: nothing is written meanwhile.
        let done = at_the_log(fixture, &["./tool"], || {});
        assert_eq!((done.code, done.out.as_str()), (Some(0), "bad\n"), "{}", done.err);
    });
}

#[test]
fn a_log_that_goes_away_right_before_it_starts_stops_it() {
    each(|fixture| {
        let first = Done::of(&fixture.approved(&[], &["true"]).output().unwrap());
        assert_eq!(first.code, Some(0), "{}", first.err);
        let log = fixture.state().join("audit.jsonl");
        let done = at_the_log(fixture, &["touch", "ran"], || {
            std::fs::rename(&log, log.with_extension("away")).unwrap();
            std::fs::create_dir(&log).unwrap();
        });
        assert_eq!(done.code, Some(70), "{}", done.err);
        assert!(fixture.names().is_empty(), "{:?}", fixture.names());
    });
}

/// Two programs outside of the workspace, and a directory `bin` for `PATH` that `link` fills.
fn search_path(fixture: &Fixture, link: impl FnOnce(&Path)) -> PathBuf {
    let tools = fixture.home().join("tools");
    for (place, program) in [("good", "/bin/echo"), ("bad", "/usr/bin/printf")] {
        let place = tools.join(place);
        std::fs::create_dir_all(&place).unwrap();
        std::fs::copy(program, place.join("tool")).unwrap();
    }
    link(&tools);
    tools.join("bin")
}

/// Replaces the link `name` by one to `target` in one step.
fn relink(target: &str, name: &Path) {
    let new = name.with_extension("new");
    symlink(target, &new).unwrap();
    std::fs::rename(new, name).unwrap();
}

/// Runs `tool %sgood bad` from `path`: one program prints `%sgood bad`, the other `badgood`.
fn found_on(fixture: &Fixture, path: &Path, swap: impl FnOnce()) -> (Option<i32>, String) {
    let args = ["exec", "--commit", "none", "--", "tool", "%sgood", "bad"];
    let search = format!("{}:/usr/local/bin:/usr/bin:/bin", path.display());
    let mut session = Session::start_with(fixture, &fixture.work(), &args, |command| {
        command.env("PATH", search);
    });
    session.until("\n> ");
    swap();
    session.answer("\n> ", "y\n");
    session.end()
}

#[test]
fn a_link_on_the_search_path_that_is_swapped_while_the_question_stands_starts_nothing_new() {
    type Fill = fn(&Path);
    let to_program: Fill = |tools| {
        std::fs::create_dir(tools.join("bin")).unwrap();
        symlink("../good/tool", tools.join("bin/tool")).unwrap();
    };
    let to_directory: Fill = |tools| symlink("good", tools.join("bin")).unwrap();
    for (fill, name, target) in
        [(to_program, "bin/tool", "../bad/tool"), (to_directory, "bin", "bad")]
    {
        each(|fixture| {
            let path = search_path(fixture, fill);
            let link = fixture.home().join("tools").join(name);
            let (code, seen) = found_on(fixture, &path, || relink(target, &link));
            // What was opened when the question was made runs, or nothing.
            assert!(!seen.contains("badgood"), "{name}: {seen}");
            match code {
                Some(0) => assert!(seen.contains("%sgood bad\r\n"), "{name}: {seen}"),
                code => assert_eq!(code, Some(3), "{name}: {seen}"),
            }
            let (code, seen) = found_on(fixture, &path, || {});
            let other = code == Some(0) && seen.contains("badgood");
            assert!(other, "the twin: started after the swap it is the other: {name}: {seen}");
        });
    }
}

#[test]
fn a_working_directory_that_is_swapped_while_the_question_stands_is_not_left_for_another() {
    each(|fixture| {
        fixture.write("here/word", "good");
        let outside = fixture.home().join("outside");
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(outside.join("word"), "bad").unwrap();
        fixture.own(&outside).unwrap();
        let swap = |work: &Path| {
            std::fs::rename(work.join("here"), work.join("away")).unwrap();
            symlink(&outside, work.join("here")).unwrap();
        };
        let argv = ["sh", "-c", "cd ../here && cat word"];
        let words = [&["exec", "--commit", "none", "--workspace", "..", "--"], &argv[..]].concat();
        let mut session = Session::start_in(fixture, &fixture.work().join("here"), &words);
        session.until("\n> ");
        swap(&fixture.work());
        session.answer("\n> ", "y\n");
        let (code, seen) = session.end();
        assert!(code != Some(0) && !seen.contains("bad"), "{code:?} {seen}");
    });
}
