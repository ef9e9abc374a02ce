//! A crash after every single step ends in all of the old or all of the new.

use super::support::{Place, everything, skip};
use crate::staging::journal::Steps;
use crate::staging::{Outcome, Stage, StagingError, Undo, recover, state::State};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::process::{Command, Stdio};

const SETUP: &str = "umask 022; mkdir -p d/e gone shut; echo a > d/f; echo b > d/e/g; \
    echo c > gone/h; echo k > k; ln -s k l; echo p > shut/p; chmod 555 shut; echo t > t";

const SCRIPT: &str = "umask 022; echo 1 > d/f; rm -r gone; mkdir -p new/deep; \
    echo 2 > new/deep/x; echo 3 > new/y; chmod 700 d/e; rm l; ln -s d l; chmod 755 k; \
    chmod 755 shut; echo q > shut/q; chmod 555 shut; rm t; mkdir t; echo u > t/u";

type Tree = BTreeMap<String, String>;

/// Returns a place, its tree before and its tree after the commit.
fn trees() -> Option<(Tree, Tree)> {
    let place = Place::new("crash", SETUP)?;
    let old = place.tree();
    place.shell(SCRIPT);
    Some((old, place.tree()))
}

/// Recovers until no crash comes in between any more; returns what became of the stage.
fn recover_with(place: &Place, mut crashes: Vec<usize>) -> Option<Outcome> {
    loop {
        let mut steps = Steps { left: crashes.pop() };
        let state = State::open(&place.state).unwrap();
        match recover::run(&state, None, &mut steps) {
            Ok(all) if all.is_empty() && !place.leftovers().is_empty() => {
                // A process that another test is just starting still holds the lock for a moment.
                std::thread::yield_now();
            }
            Ok(mut all) => return all.pop().map(|one| one.outcome),
            Err(StagingError::Stopped) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
}

fn check(place: &Place, old: &Tree, new: &Tree, outcome: Option<Outcome>, name: &str) {
    match outcome {
        None | Some(Outcome::Finished) => assert_eq!(place.tree(), *new, "{name}"),
        Some(Outcome::Discarded | Outcome::TakenBack) => assert_eq!(place.tree(), *old, "{name}"),
        Some(Outcome::Stuck(error)) => panic!("{name}: {error:?}"),
    }
    assert_eq!(place.leftovers(), Vec::<String>::new(), "{name}");
}

/// Commits with a crash after `stop` steps. Returns whether there was one.
fn commit(place: &Place, stop: usize) -> bool {
    let (mut stage, changes) = place.staged(SCRIPT);
    let decision = everything(&changes);
    match stage.commit_in_steps(&changes, &decision, &mut Steps { left: Some(stop) }) {
        Ok(_) => false,
        Err(StagingError::Stopped) => true,
        Err(error) => panic!("{stop}: {error:?}"),
    }
}

#[test]
fn a_commit_that_crashes_after_any_step_is_finished_or_taken_back() {
    let Some((old, new)) = trees() else { return };
    let mut outcomes = [0; 2];
    for stop in 0.. {
        let place = Place::without_overlay(SETUP);
        let crashed = commit(&place, stop);
        let outcome = recover_with(&place, Vec::new());
        outcomes[usize::from(matches!(outcome, Some(Outcome::Finished)))] += 1;
        check(&place, &old, &new, outcome, &format!("stop {stop}"));
        if !crashed {
            assert!(stop > 30, "only {stop} steps");
            break;
        }
    }
    assert!(outcomes[0] > 5 && outcomes[1] > 10, "both ends were seen: {outcomes:?}");
}

#[test]
fn the_same_holds_when_nothing_can_be_moved_to_the_state_directory() {
    let name = "the state directory on another file system";
    let Some((old, new)) = trees() else { return };
    for stop in (0..).step_by(2) {
        let mut place = Place::without_overlay(SETUP);
        let Some(other) = other_file_system(&place) else {
            return skip(name, "there is no second file system that can hold a stage");
        };
        place.state = other.path().join("state");
        let crashed = commit(&place, stop);
        let outcome = recover_with(&place, vec![stop % 5]);
        check(&place, &old, &new, outcome, &format!("stop {stop}"));
        if !crashed {
            Undo::of(&place.state, &place.workspace).unwrap().apply().unwrap();
            assert_eq!(place.tree(), old);
            break;
        }
    }
}

/// Returns a directory from which nothing can be moved into the workspace.
fn other_file_system(place: &Place) -> Option<tempfile::TempDir> {
    let other = tempfile::tempdir_in("/dev/shm").ok()?;
    let device = |path: &std::path::Path| std::fs::metadata(path).unwrap().dev();
    let differs = device(other.path()) != device(&place.workspace);
    (differs && Stage::create(&other.path().join("try"), &place.workspace).is_ok()).then_some(other)
}

#[test]
fn a_recovery_that_crashes_too_is_recovered() {
    let Some((old, new)) = trees() else { return };
    for (stop, again) in [(2, 0), (14, 0), (16, 1), (18, 3), (20, 7), (24, 2), (27, 5), (30, 1)] {
        let place = Place::without_overlay(SETUP);
        assert!(commit(&place, stop), "{stop} steps is all there are");
        let outcome = recover_with(&place, vec![again + 1, again]);
        check(&place, &old, &new, outcome, &format!("stops {stop}, {again}"));
    }
}

#[test]
fn a_crash_with_the_workspace_changed_afterwards_is_taken_back() {
    let Some((mut old, _)) = trees() else { return };
    let mut taken_back = 0;
    for stop in 10..30 {
        let place = Place::without_overlay(SETUP);
        if !commit(&place, stop) {
            break;
        }
        // What no step wrote yet is changed by somebody else.
        if std::fs::symlink_metadata(place.workspace.join("t")).unwrap().is_dir() {
            continue;
        }
        place.shell("echo mine > t");
        old.insert("t".to_owned(), "file 644 5 \"mine\\n\"".to_owned());
        let outcome = recover_with(&place, vec![stop % 4]);
        assert!(matches!(outcome, Some(Outcome::TakenBack)), "{stop}: {outcome:?}");
        assert_eq!(place.tree(), old, "{stop}");
        assert_eq!(place.leftovers(), Vec::<String>::new());
        taken_back += 1;
    }
    assert!(taken_back > 3, "only {taken_back}");
}

#[test]
fn an_undo_that_crashes_after_any_step_is_finished_or_taken_back() {
    let Some((old, new)) = trees() else { return };
    for stop in 0.. {
        let place = Place::without_overlay(SETUP);
        let (mut stage, changes) = place.staged(SCRIPT);
        stage.commit(&changes, &everything(&changes)).unwrap();
        assert_eq!(place.tree(), new);
        let undo = Undo::of(&place.state, &place.workspace).unwrap();
        let crashed = match undo.apply_in_steps(&mut Steps { left: Some(stop) }) {
            Ok(()) => false,
            Err(StagingError::Stopped) => true,
            Err(error) => panic!("{stop}: {error:?}"),
        };
        let outcome = recover_with(&place, Vec::new());
        check(&place, &new, &old, outcome, &format!("stop {stop}"));
        if !crashed {
            assert!(stop > 15, "only {stop} steps");
            break;
        }
    }
}

/// Not a test of its own: what the next one kills.
#[test]
fn holds_a_stage_until_it_is_killed() {
    let Some(top) = std::env::var_os("RINGFENCE_TEST_STAGE") else { return };
    let top = std::path::PathBuf::from(top);
    let stage = Stage::create(&top.join("state"), &top.join("workspace")).unwrap();
    std::fs::write(stage.upper().join("file"), "staged").unwrap();
    std::fs::write(top.join("ready.part"), stage.id()).unwrap();
    std::fs::rename(top.join("ready.part"), top.join("ready")).unwrap();
    // The test that started this one waits for it.
    std::io::stdout().write_all(b"ready\n").unwrap();
    let _ = std::io::stdin().read(&mut [0]);
}

#[test]
fn a_stage_lives_as_long_as_its_process_and_no_longer() {
    let place = Place::without_overlay("echo a > f");
    let name = "staging::tests::crash::holds_a_stage_until_it_is_killed";
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env("RINGFENCE_TEST_STAGE", place.outside(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(output.any(|line| line.unwrap().contains("ready")), "the child made no stage");
    assert_eq!(Stage::sweep(&place.state).unwrap().len(), 0, "a live stage was swept");
    assert!(!place.leftovers().is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    let swept = Stage::sweep(&place.state).unwrap();
    assert!(matches!(swept[..], [ref one] if matches!(one.outcome, Outcome::Discarded)));
    assert_eq!(place.leftovers(), Vec::<String>::new());
}
