//! What a grant covers reaches what runs programs, and whoever waits can stop it.

#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::{EffectSink, NotRecorded, Verdict};
use ringfence_capability::{Grant, Origin};
use std::sync::atomic::{AtomicU32, Ordering};

#[derive(Default)]
struct Recorded(Mutex<Vec<Verdict>>);

impl EffectSink for Recorded {
    fn record(&self, effect: Effect) -> Result<(), NotRecorded> {
        self.0.lock().unwrap().push(effect.verdict);
        Ok(())
    }
}

struct Nothing;

impl Programs for Nothing {
    fn run(&self, _: ProgramStart, _: &Stop) -> Result<ProgramEnd, ProgramError> {
        Err(ProgramError::NotFound)
    }
}

/// Returns whether the command reaches what runs programs, and what was recorded.
fn check(patterns: &[&[&str]], argv: &[&str]) -> (Result<(), ProgramError>, Vec<Verdict>) {
    let grant = |words: &&[&str]| {
        Grant::new(Capability::Exec(ArgvPattern::parse(words).unwrap()), Origin::BuiltIn)
    };
    let recorded = Arc::new(Recorded::default());
    let grants = Arc::new(GrantSet::new(patterns.iter().map(grant).collect()));
    let effects: Effects = Arc::<Recorded>::clone(&recorded);
    let ctx = ExecCtx::new(grants, Some(Arc::new(Nothing)), effects);
    let argv: Vec<String> = argv.iter().map(|&word| word.to_owned()).collect();
    let allowed = ctx.allowed(&argv).map(drop);
    let recorded = std::mem::take(&mut *recorded.0.lock().unwrap());
    (allowed, recorded)
}

#[test]
fn only_what_a_granted_pattern_covers_reaches_what_runs_programs() {
    let granted: &[&[&str]] = &[&["git", "fetch", "*"], &["ls", "**"]];
    let why = "no granted command covers the program with these arguments";
    for (argv, refused) in [
        (&["git", "fetch", "origin"][..], None),
        (&["ls"], None),
        (&["ls", "a", "b"], None),
        (&["ls", "--color"], Some(why)),
        (&["git", "fetch", "--upload-pack=sh"], Some(why)),
        (&["git", "fetch", "origin", "more"], Some(why)),
        (&["git"], Some(why)),
        (&["/tmp/git", "fetch", "origin"], Some(why)),
        (&["sh", "-c", "ls"], Some(why)),
        (&["ls", "a\0b"], Some("an argument has no NUL")),
        (&[], Some("")),
    ] {
        let (allowed, recorded) = check(granted, argv);
        match (refused, allowed) {
            (None, Ok(())) => assert_eq!(recorded, [Verdict::Done], "{argv:?}"),
            (Some(why), Err(ProgramError::Denied(reason))) => {
                assert!(reason.contains(why) && !reason.is_empty(), "{argv:?}: {reason}");
                assert_eq!(recorded, [Verdict::Refused(reason)], "{argv:?}");
            }
            (_, other) => unreachable!("{argv:?}: {other:?}"),
        }
    }
}

#[test]
fn whoever_registers_late_is_told_to_stop_at_once_and_nobody_twice() {
    let told = Arc::new(AtomicU32::new(0));
    let tell = || {
        let told = Arc::clone(&told);
        move || {
            told.fetch_add(1, Ordering::Relaxed);
        }
    };
    let stop = Stop::default();
    stop.on_stop(tell());
    assert_eq!((told.load(Ordering::Relaxed), stop.is_stopped()), (0, false));
    drop(Waiting(stop.clone()));
    assert_eq!((told.load(Ordering::Relaxed), stop.is_stopped()), (1, true));
    stop.on_stop(tell());
    stop.stop();
    assert_eq!(told.load(Ordering::Relaxed), 2);
}
