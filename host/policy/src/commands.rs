//! Reads what only rules about native programs have: a pattern, examples and a warning.
//!
//! The examples are tried when the file is read, so that a pattern which does not say what its author
//! meant is found before it decides anything.

use crate::PolicyError;
use crate::interpreters::Interpreters;
use crate::parse::Entry;
use crate::rule::{Rule, Verdict};
use crate::scope::Scope;
use ringfence_capability::{ArgvPattern, Capability};

/// The keys of a rule about native programs.
pub(crate) const KEYS: &[&str] =
    &["capability", "argv", "decision", "reason", "warning", "match", "not_match"];

/// Returns what a rule that says `verdict` reaches.
pub(crate) fn scope(entry: &Entry<'_>, verdict: Verdict) -> Result<Scope, PolicyError> {
    let Some(words) = entry.words("argv")? else { return Ok(Scope::Everything) };
    let pattern = ArgvPattern::parse(&words).map_err(|source| entry.bad("argv", source))?;
    if verdict == Verdict::Forbid && pattern.is_bare() {
        let why =
            "it forbids the program without arguments only; with `**` behind it any are meant";
        return Err(entry.bad_value("argv", &pattern.to_string(), why));
    }
    Ok(Scope::Argv(pattern))
}

/// Checks the examples and the warning of a rule.
pub(crate) fn check(entry: &Entry<'_>, rule: &Rule) -> Result<(), PolicyError> {
    warned(entry, rule)?;
    examples(entry, rule, "match", Expected::Match)?;
    examples(entry, rule, "not_match", Expected::NoMatch)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    Match,
    NoMatch,
}

fn examples(
    entry: &Entry<'_>,
    rule: &Rule,
    key: &'static str,
    expected: Expected,
) -> Result<(), PolicyError> {
    for (line, words) in entry.commands(key)? {
        let argv = words.iter().map(|word| word.as_bytes());
        let pattern =
            ArgvPattern::exactly(argv).map_err(|source| entry.bad_at(line, key, source))?;
        let example = pattern.to_string();
        let command = Capability::Exec(pattern);
        // A forbid applies to what it touches, everything else to what it covers.
        let applies = match rule.verdict {
            Verdict::Forbid => rule.overlaps(&command),
            Verdict::Prompt | Verdict::Allow => rule.contains(&command),
        };
        if applies != (expected == Expected::Match) {
            let file = entry.file().to_owned();
            return Err(PolicyError::WrongExample {
                file,
                line,
                key,
                example,
                rule: rule.to_string(),
            });
        }
    }
    Ok(())
}

fn warned(entry: &Entry<'_>, rule: &Rule) -> Result<(), PolicyError> {
    let why = match (&rule.scope, rule.verdict) {
        (_, Verdict::Forbid) => None,
        (Scope::Argv(pattern), _) => Interpreters::built_in().reached_by(pattern),
        _ => Some("it names every program, shells and interpreters among them"),
    };
    match (why, &rule.warning) {
        (Some(why), None) => Err(PolicyError::Unwarned {
            file: entry.file().to_owned(),
            line: rule.line,
            rule: rule.to_string(),
            why: why.to_owned(),
        }),
        (None, Some(_)) => {
            let why =
                "its `warning` warns of nothing: no interpreter gets through by it".to_owned();
            Err(entry.useless(rule.to_string(), why))
        }
        _ => Ok(()),
    }
}
