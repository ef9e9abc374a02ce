//! Programs that talk to a person: shells, signals of the keyboard, the size of the window.

use std::io::Write as _;
use std::process::Command;

use rustix::pty::ptsname;

use super::common::each;
use super::session::Session;

#[test]
fn a_shell_is_interactive_and_its_exit_code_is_kept() {
    each(|fixture| {
        let argv = ["exec", "--commit", "none", "--", "bash", "--norc", "-i"];
        let mut session = Session::start(fixture, &argv);
        session.answer("\n> ", "y\n");
        // The prompt ends with `#` for root and with `$` for everybody else.
        session.answer("bash-", "echo $((6 * 7)) $-; exit 5\n");
        let (code, seen) = session.end();
        assert_eq!(code, Some(5), "{seen}");
        let flags = seen.split_once("\n42 ").unwrap().1;
        // `m`: it controls jobs, which it does only at a terminal of its own.
        assert!(flags.lines().next().is_some_and(|flags| flags.contains('m')), "{seen}");
    });
}

#[test]
fn the_size_of_the_window_reaches_the_program_when_it_changes() {
    each(|fixture| {
        let script = "trap 'stty size; exit 7' WINCH; echo up; while :; do sleep 0.02; done";
        let mut session = Session::start(fixture, &["exec", "--", "sh", "-c", script]);
        session.answer("\n> ", "y\n");
        session.until("up\r\n");
        let name = ptsname(&session.person, Vec::new()).unwrap().into_string().unwrap();
        let size = ["rows", "33", "cols", "77"];
        assert!(Command::new("stty").args(["-F", &name]).args(size).status().unwrap().success());
        let (code, seen) = session.end();
        assert_eq!(code, Some(7), "{seen}");
        assert!(seen.contains("33 77"), "{seen}");
    });
}

#[test]
fn ctrl_z_does_not_lock_the_terminal() {
    each(|fixture| {
        let script = "echo up; read line; echo got $line";
        let mut session = Session::start(fixture, &["exec", "--", "sh", "-c", script]);
        session.answer("\n> ", "y\n");
        session.answer("up\r\n", "\x1a");
        session.person.write_all(b"on\n").unwrap();
        let (code, seen) = session.end();
        assert_eq!(code, Some(0), "{seen}");
        assert!(seen.contains("got on"), "{seen}");
    });
}

#[test]
fn the_end_of_the_input_and_ctrl_c_at_the_question_are_no() {
    each(|fixture| {
        for (key, said) in [("\x04", "error[approval::end-of-input]"), ("\x03", "")] {
            let argv = ["exec", "--write", "direct", "--", "touch", "ran"];
            let mut session = Session::start(fixture, &argv);
            session.answer("\n> ", key);
            let (code, seen) = session.end();
            assert_ne!(code, Some(0), "{seen}");
            assert!(seen.contains(said), "{seen}");
            assert!(fixture.names().is_empty(), "{seen}");
        }
        assert!(!fixture.operations().contains(&"exec.start".to_owned()));
    });
}

#[test]
fn the_question_says_who_what_and_how_far_and_nothing_in_it_steers_the_terminal() {
    each(|fixture| {
        let argv = ["exec", "--", "printf", "\x1b[2J\r\u{202e}gnp.exe", "it's"];
        let mut session = Session::start(fixture, &argv);
        session.until("\n> ");
        let seen = std::mem::take(&mut session.seen);
        for part in [
            "who asks    you, at the command line",
            r"printf $'\x1b[2J\r\u202egnp.exe' 'it'\''s'",
            "sha256:",
            "can reach",
            "environment",
            "n       no (what counts when nothing else is typed)",
        ] {
            assert!(seen.contains(part), "`{part}` is not in\n{seen}");
        }
        assert!(!seen.contains('\x1b') && !seen.contains('\u{202e}'), "{seen:?}");
        session.person.write_all(b"n\n").unwrap();
        assert_eq!(session.end().0, Some(3));
    });
}
