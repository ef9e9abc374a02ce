//! Protected names that direct writes made: told, and put back when a person says so.

use std::path::{Path, PathBuf};

use ringfence::Made;
use ringfence_capability::text;
use serde_json::{Value, json};

use super::end::Signals;
use crate::args::MadeArg;
use crate::error::CliError;
use crate::print::Printer;

/// How many are listed; the log has the rest.
const LISTED: usize = 40;

/// The exit code where the program succeeded and something of it was not let be.
const REFUSED: u8 = 3;

/// What was done.
#[derive(Default)]
pub(super) struct Decided {
    pub(super) json: Value,
    held: bool,
}

impl Decided {
    /// Returns the exit code: a program that succeeded did not, if not all it made is there.
    pub(super) fn code(&self, of_program: u8) -> u8 {
        if self.held && of_program == 0 { REFUSED } else { of_program }
    }
}

/// Says what was made, asks if there is somebody to ask, and returns what was done.
pub(super) fn decide(
    made: Made,
    rule: MadeArg,
    signals: &Signals,
    printer: &Printer,
) -> Result<Decided, CliError> {
    let pair = |(was, is): &(PathBuf, PathBuf)| json!({ "path": shown(was), "now": shown(is) });
    let left = |(path, why): &(PathBuf, String)| json!({ "path": shown(path), "why": why });
    let mut json = json!({
        "moved-aside": made.moved().iter().map(pair).collect::<Vec<_>>(),
        "kept": made.kept().iter().map(|path| shown(path)).collect::<Vec<_>>(),
        "left": made.left().iter().map(left).collect::<Vec<_>>(),
        "put-back": false,
    });
    for line in told(&made) {
        printer.note(&line);
    }
    let unsettled = !made.left().is_empty();
    if made.moved().is_empty() || rule != MadeArg::Ask || !confirmed(printer)? {
        let held = unsettled || !made.moved().is_empty();
        return Ok(Decided { json, held });
    }
    let failed = signals.hold(|| made.put_back())?;
    json["put-back"] = json!(failed.is_empty());
    for (path, why) in &failed {
        printer.note(&format!("ringfence: `{}` stays aside: {why}", shown(path)));
    }
    Ok(Decided { json, held: unsettled || !failed.is_empty() })
}

fn told(made: &Made) -> Vec<String> {
    let mut lines = Vec::new();
    let mut list = |title: &str, rows: Vec<String>| {
        if rows.is_empty() {
            return;
        }
        lines.push(format!("ringfence: {title}:"));
        let more = rows.len().saturating_sub(LISTED);
        lines.extend(rows.into_iter().take(LISTED).map(|row| format!("  {row}")));
        if more > 0 {
            lines.push(format!("  … and {more} more"));
        }
    };
    let arrow = |(was, is): &(PathBuf, PathBuf)| format!("{} → {}", shown(was), name(is));
    list(
        "programs on this machine take orders from these names, so what was made is moved aside",
        made.moved().iter().map(arrow).collect(),
    );
    list(
        "these protected names were made and are kept, as you said",
        made.kept().iter().map(|path| shown(path)).collect(),
    );
    list(
        "look at these before you use the workspace",
        made.left().iter().map(|(path, why)| format!("{}: {why}", shown(path))).collect(),
    );
    lines
}

#[cfg(target_os = "linux")]
fn confirmed(printer: &Printer) -> Result<bool, CliError> {
    let Some(mut tty) = super::tty() else {
        printer.note("ringfence: there is no terminal to ask at; rename what you want to keep");
        return Ok(false);
    };
    let text = "Put them back under their names? [y]es  [n]o\n";
    let answer = super::commit::question(&mut tty, text)?;
    Ok(matches!(answer.as_deref(), Some("y" | "yes")))
}

#[cfg(not(target_os = "linux"))]
fn confirmed(_: &Printer) -> Result<bool, CliError> {
    Ok(false)
}

fn shown(path: &Path) -> String {
    text::plain(&path.to_string_lossy())
}

fn name(path: &Path) -> String {
    shown(Path::new(path.file_name().unwrap_or_default()))
}
