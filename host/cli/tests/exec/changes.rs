//! What becomes of what a program writes.

use std::io::{BufRead as _, Read as _};
use std::process::Stdio;

use super::common::each;

#[test]
fn changes_are_committed_as_one_and_taken_back_once() {
    each(|fixture| {
        fixture.write("old", "before\n");
        let script = "echo after > old; mkdir d; echo new > d/file; pwd > /tmp/scratch";
        let done = fixture.sh(&["--commit", "all"], script, 0);
        done.says(&["committed 2 added, 1 changed, 0 deleted", "ringfence exec undo"]);
        assert_eq!(fixture.read("old").as_deref(), Some("after\n"));
        assert_eq!(fixture.read("d/file").as_deref(), Some("new\n"));
        fixture.no_stage_is_left();
        // Nobody looked at the changes, and the log does not claim that somebody did.
        let shown = fixture.run(&["audit", "show", "--operation", "exec.commit"]);
        assert!(shown.out.contains("a rule given ahead commits the changes"), "{}", shown.out);
        let undone = fixture.run(&["exec", "undo", "--yes"]);
        assert_eq!(undone.code, Some(0), "{}", undone.err);
        assert_eq!(fixture.read("old").as_deref(), Some("before\n"));
        assert_eq!(fixture.names(), ["old"]);
        let again = fixture.run(&["exec", "undo", "--yes"]);
        assert_eq!(again.code, Some(2));
        again.says(&["error[staging::nothing-to-undo]"]);
        let operations = fixture.operations();
        assert_eq!(operations[operations.len() - 2..], ["exec.undo", "exec.undone"]);
    });
}

#[test]
fn taking_a_commit_back_cleans_up_after_a_killed_run_on_the_record() {
    each(|fixture| {
        fixture.sh(&["--commit", "all"], "echo kept > committed", 0);
        let mut command = fixture.approved(&[], &["sh", "-c", "touch lost; echo up; read line"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        assert_eq!(line, "up\n");
        child.kill().unwrap();
        child.wait().unwrap();
        // The end of the output is the end of everything in the sandbox.
        assert_eq!(out.read_to_end(&mut Vec::new()).unwrap(), 0);
        let before = fixture.operations();
        assert!(!before.contains(&"exec.recovered".to_owned()), "{before:?}");
        let undone = fixture.run(&["exec", "undo", "--yes"]);
        assert_eq!((undone.code, fixture.names().len()), (Some(0), 0), "{}", undone.err);
        let after = fixture.operations();
        assert_eq!(after[before.len()..], ["exec.recovered", "exec.undo", "exec.undone"]);
        fixture.no_stage_is_left();
    });
}

#[test]
fn without_a_yes_changes_are_thrown_away_and_the_message_says_so() {
    each(|fixture| {
        fixture.write("old", "before\n");
        let mut command =
            fixture.approved(&["--commit", "none"], &["sh", "-c", "rm old; touch new"]);
        let done = super::common::Done::of(&command.output().unwrap());
        done.says(&["added   new", "deleted old", "nothing was changed in the workspace"]);
        assert_eq!((done.code, fixture.names()), (Some(0), vec!["old".to_owned()]));
        fixture.no_stage_is_left();
        // A process without a terminal of its own cannot be asked.
        let subject = fixture.subject(&[], &["touch", "new"]);
        let mut command = fixture.start("setsid".as_ref());
        command.arg("-w").arg(fixture.program()).args(["exec", "--approve", &subject]);
        let done = super::common::Done::of(&command.args(["--", "touch", "new"]).output().unwrap());
        done.says(&["there is no terminal to ask at", "`--commit all` commits them"]);
        assert_eq!(fixture.names(), ["old"]);
    });
}

#[test]
fn nothing_is_said_when_nothing_changed() {
    each(|fixture| {
        fixture.write("same", "text\n");
        let done = fixture.sh(&[], "cat same; : > /tmp/x", 0);
        assert_eq!((done.out.as_str(), done.err.as_str()), ("text\n", ""));
    });
}

#[test]
fn a_protected_name_is_left_out_of_a_general_yes() {
    each(|fixture| {
        let script = "mkdir .git; echo bad > .git/config; echo good > file";
        let done = fixture.sh(&["--commit", "all"], script, 0);
        done.says(&["left out, it needs a yes of its own", ".git", "committed 1 added"]);
        assert_eq!(fixture.names(), ["file"]);
    });
}

#[test]
fn direct_writes_are_there_at_once_and_protected_names_hold() {
    each(|fixture| {
        fixture.write(".git/config", "mine\n");
        fixture.sh(&["--write", "direct"], "echo a > file; ! echo b > .git/config", 0);
        assert_eq!(fixture.read("file").as_deref(), Some("a\n"));
        assert_eq!(fixture.read(".git/config").as_deref(), Some("mine\n"));
    });
}

#[test]
fn a_protected_name_that_direct_writes_made_is_moved_aside() {
    each(|fixture| {
        fixture.write("sub/file", "text\n");
        let script =
            "mkdir -p sub/.git; echo run > sub/.git/config; echo a > file; echo b > .envrc";
        let done = fixture.sh(&["--write", "direct", "--made-protected", "aside"], script, 3);
        done.says(&["is moved aside", ".envrc → .envrc.moved-aside-", "sub/.git → "]);
        assert!(fixture.read(".envrc").is_none() && fixture.read("sub/.git/config").is_none());
        let names = fixture.names();
        let aside = names.iter().find(|name| name.starts_with(".envrc.moved-aside-")).unwrap();
        assert_eq!(fixture.read(aside).as_deref(), Some("b\n"));
        assert_eq!(fixture.read("file").as_deref(), Some("a\n"));
        assert!(fixture.operations().contains(&"exec.made-protected".to_owned()));
    });
}

/// The same with the protection off.
#[test]
fn a_protected_name_that_direct_writes_made_stays_when_that_was_said() {
    each(|fixture| {
        let flags = ["--write", "direct", "--made-protected", "keep"];
        let done = fixture.sh(&flags, "echo b > .envrc", 0);
        done.says(&["are kept, as you said"]);
        assert_eq!(fixture.names(), [".envrc"]);
    });
}

#[test]
fn a_directory_outside_is_there_only_when_it_is_named() {
    each(|fixture| {
        let outside = fixture.home().join("outside");
        std::fs::create_dir(&outside).unwrap();
        let secret = outside.join("secret");
        std::fs::write(&secret, "text").unwrap();
        let argv = ["cat", secret.to_str().unwrap()];
        fixture.check(&[], &argv, 1);
        let dir = format!("{}:ro", outside.display());
        assert_eq!(fixture.check(&["--dir", &dir], &argv, 0).out, "text");
        let state = format!("{}:ro", fixture.state().display());
        let done = fixture.run(&["exec", "--dir", &state, "--", "true"]);
        assert_eq!(done.code, Some(3), "{}", done.err);
        done.says(&["error[runtime::holds-state]"]);
    });
}
