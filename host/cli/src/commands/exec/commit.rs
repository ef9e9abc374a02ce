//! What becomes of staged changes: shown, asked about, committed or thrown away.

use ringfence::Staged;
use serde_json::Value;

use super::end::Signals;
use crate::args::CommitRule;
use crate::error::CliError;
use crate::print::Printer;

#[cfg(not(target_os = "linux"))]
pub(in crate::commands) fn decide(
    _: Staged,
    _: CommitRule,
    _: &Signals,
    _: &Printer,
) -> Result<Value, CliError> {
    Ok(Value::Null)
}

#[cfg(target_os = "linux")]
pub(in crate::commands) use linux::decide;

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::BTreeSet;
    use std::fmt::Write as _;
    use std::time::Duration;

    use ringfence::AgreedBy;
    use ringfence::approval::terminal::{self, Terminal as _, Tty};
    use ringfence::sandbox::staging::{Approve, Change, Decision, Receipt, RelPath, UndoData};
    use serde_json::json;

    use super::{CliError, CommitRule, Printer, Signals, Staged, Value};

    /// How long the question stands: what was done is kept until somebody comes back to it.
    const PATIENCE: Duration = Duration::from_hours(24);
    /// How many changes are listed before the question; `d` shows all of them.
    const LISTED: usize = 40;

    /// Commits or discards, and returns what was done.
    pub(in crate::commands) fn decide(
        mut staged: Staged,
        rule: CommitRule,
        signals: &Signals,
        printer: &Printer,
    ) -> Result<Value, CliError> {
        let listed = json!(staged.changes());
        let by = match rule {
            CommitRule::All => AgreedBy::Rule,
            CommitRule::Ask | CommitRule::None => AgreedBy::Person,
        };
        let decision = match (rule, super::super::tty()) {
            (CommitRule::All, _) => {
                list(&staged, printer);
                Some(unflagged(&staged, printer))
            }
            (CommitRule::Ask, Some(mut tty)) => ask(&staged, &mut tty)?,
            (CommitRule::Ask, None) => {
                list(&staged, printer);
                printer.note(
                    "ringfence: there is no terminal to ask at, so these changes are thrown away; \
                     `--commit all` commits them",
                );
                None
            }
            (CommitRule::None, _) => {
                list(&staged, printer);
                None
            }
        };
        let Some(decision) = decision.filter(|decision| !is_nothing(decision)) else {
            signals.hold(|| staged.discard())?;
            printer.note("ringfence: nothing was changed in the workspace");
            return Ok(json!({ "committed": false, "changes": listed }));
        };
        let receipt = signals.hold(|| staged.commit(&decision, by))?;
        printer.note(&told(&receipt));
        Ok(json!({ "committed": true, "receipt": receipt, "changes": listed }))
    }

    fn is_nothing(decision: &Decision) -> bool {
        decision.also.is_empty()
            && matches!(&decision.approve, Approve::Paths(paths) if paths.is_empty())
    }

    fn told(receipt: &Receipt) -> String {
        let Receipt { added, changed, deleted, left_out, .. } = receipt;
        let left = if *left_out > 0 { format!(", {left_out} left out") } else { String::new() };
        let undo = match receipt.undo {
            UndoData::Kept => "; `ringfence exec undo` takes it back",
            _ => "",
        };
        format!(
            "ringfence: committed {added} added, {changed} changed, {deleted} deleted{left}{undo}"
        )
    }

    /// Returns the yes to everything that needs none of its own, and says what is left out.
    fn unflagged(staged: &Staged, printer: &Printer) -> Decision {
        let changes = staged.changes();
        for change in changes.flagged() {
            printer.note(&format!("ringfence: left out, it needs a yes of its own: {change}"));
        }
        Decision::unflagged(changes)
    }

    fn list(staged: &Staged, printer: &Printer) {
        for line in summary(staged).lines() {
            printer.note(line);
        }
    }

    fn summary(staged: &Staged) -> String {
        let changes = staged.changes();
        let mut text =
            String::from("\nringfence: the program changed, in a copy of the workspace:\n");
        for change in changes.iter().take(LISTED) {
            let _ = writeln!(text, "  {change}");
        }
        if changes.len() > LISTED {
            let _ = writeln!(text, "  … and {} more", changes.len() - LISTED);
        }
        text
    }

    /// Asks what to commit; nothing means to discard.
    fn ask(staged: &Staged, tty: &mut Tty) -> Result<Option<Decision>, CliError> {
        show(tty, &summary(staged))?;
        loop {
            let line = question(tty, "Commit? [y]es  [n]o  [s]elect  [d]iff\n")?;
            match line.as_deref() {
                Some("y" | "yes") => return whole(staged, tty).map(Some),
                Some("s" | "select") => return select(staged, tty).map(Some),
                Some("d" | "diff") => page(&staged.diff()?, tty)?,
                Some("n" | "no") | None => return Ok(None),
                Some(_) => show(tty, "Answer with y, n, s or d.\n")?,
            }
        }
    }

    /// Returns the yes to everything, with a question of its own for each flagged change.
    fn whole(staged: &Staged, tty: &mut Tty) -> Result<Decision, CliError> {
        let flagged: Vec<&Change> = staged.changes().flagged().collect();
        let mut yes = Vec::new();
        for change in &flagged {
            if confirmed(change, tty)? {
                yes.push(change.path().clone());
            }
        }
        if yes.len() == flagged.len() {
            return Ok(Decision::all().also(yes));
        }
        let mut decision = Decision::unflagged(staged.changes());
        // What is flagged and approved comes in by name, with the directories it needs.
        if let Approve::Paths(paths) = &mut decision.approve {
            paths.extend(yes.iter().cloned());
        }
        Ok(decision.also(yes))
    }

    /// Asks about each change.
    fn select(staged: &Staged, tty: &mut Tty) -> Result<Decision, CliError> {
        let (mut paths, mut also) = (BTreeSet::<RelPath>::new(), Vec::new());
        for change in staged.changes() {
            let flagged = !change.flags().is_empty();
            let line = question(tty, &format!("  {change}\n  this one? [y]es  [n]o  [q]uit\n"))?;
            match line.as_deref() {
                Some("y" | "yes") => {
                    paths.insert(change.path().clone());
                    if flagged {
                        also.push(change.path().clone());
                    }
                }
                Some("q" | "quit") | None => break,
                Some(_) => {}
            }
        }
        Ok(Decision { approve: Approve::Paths(paths), also: also.into_iter().collect() })
    }

    fn confirmed(change: &Change, tty: &mut Tty) -> Result<bool, CliError> {
        let text = format!("  {change}\n  this needs a yes of its own: commit it? [y]es  [n]o\n");
        Ok(matches!(question(tty, &text)?.as_deref(), Some("y" | "yes")))
    }

    /// Shows a text a page at a time.
    fn page(text: &str, tty: &mut Tty) -> Result<(), CliError> {
        terminal::page(tty, text, PATIENCE).map_err(unusable)
    }

    fn show(tty: &mut Tty, text: &str) -> Result<(), CliError> {
        tty.show(text).map_err(unusable)
    }

    fn unusable(source: std::io::Error) -> CliError {
        CliError::File { what: "terminal", path: "/dev/tty".to_owned(), source }
    }

    /// Returns one answer; nothing when none comes any more.
    pub(in super::super) fn question(
        tty: &mut Tty,
        text: &str,
    ) -> Result<Option<String>, CliError> {
        show(tty, text)?;
        // Only what is typed after the question stands there is an answer to it.
        if tty.discard_input().is_err() {
            return Ok(None);
        }
        show(tty, "> ")?;
        let line = tty.read_line(PATIENCE).ok();
        Ok(line.map(|line| line.trim().to_lowercase()))
    }
}

#[cfg(target_os = "linux")]
pub(super) use linux::question;
