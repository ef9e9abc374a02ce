//! `mcp pin` and `mcp accept`: what differs from what was accepted, and taking it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use ringfence::Standings;
use ringfence::approval::terminal::Terminal as _;
use ringfence::mcp::contract::{Contract, Standing, differences};
use ringfence_capability::text;
use serde_json::{Value, json};

use super::add::{Wanted, approved, told};
use super::record::{File, Record};
use super::{block_on, closed, log, record_of, room, servers, start};
use crate::args::{Change, Global, Which};
use crate::commands::exec;
use crate::error::CliError;
use crate::print::Printer;

/// How long the question stands.
const PATIENCE: Duration = Duration::from_mins(10);
/// The most characters of one value that is shown.
const SHOWN: usize = 2_000;
/// The exit code when something is not what was accepted.
const DRIFTED: u8 = 3;

/// One tool, what became of it, and what it is now.
type One = (String, Standing, Option<Contract>);

pub(super) fn pin(which: &Which, global: &Global, printer: &Printer) -> Result<u8, CliError> {
    let record = record_of(&which.name, global)?;
    let found = looked(&record, global)?;
    let chosen = chosen(&which.tools, &found, &record)?;
    let drifted = chosen.iter().any(|(_, standing, _)| *standing != Standing::Pinned);
    if printer.is_json() {
        printer.value(&all_as_json(&chosen, &record));
    } else {
        for line in chosen.iter().flat_map(|one| lines(one, &record)) {
            printer.line(&line);
        }
    }
    Ok(if drifted { DRIFTED } else { 0 })
}

pub(super) fn accept(change: &Change, global: &Global, printer: &Printer) -> Result<u8, CliError> {
    let mut record = record_of(&change.name, global)?;
    if change.program {
        return program(change, &record, global, printer);
    }
    let found = looked(&record, global)?;
    let mut chosen = chosen(&change.tools, &found, &record)?;
    chosen.retain(|(_, standing, _)| *standing != Standing::Pinned);
    if chosen.is_empty() {
        printer.note("ringfence: there is nothing to accept: all of it is what you accepted");
        return Ok(0);
    }
    let shown: Vec<String> = chosen.iter().flat_map(|one| lines(one, &record)).collect();
    agreed(change, &chosen, &shown, printer)?;
    let json = all_as_json(&chosen, &record);
    for (name, _, tool) in &chosen {
        match tool {
            Some(tool) => record.accept(tool),
            None => drop(record.tools.remove(name)),
        }
    }
    for (name, standing, _) in &chosen {
        let what = format!("{}/{name}", record.name);
        log(
            "mcp.accepted",
            &what,
            &format!("a person accepted a {} tool", standing.name()),
            global,
        )?;
    }
    servers(global)?.write(&record.name, &record.bytes()).map_err(room)?;
    if printer.is_json() {
        printer.value(&json);
    } else {
        printer.line(&format!("accepted {} tools of {}", chosen.len(), record.name));
    }
    Ok(0)
}

/// Asks about the program as it is now. Its tools stay pinned to what was accepted.
fn program(
    change: &Change,
    record: &Record,
    global: &Global,
    printer: &Printer,
) -> Result<u8, CliError> {
    let files = |when: &str, files: &[File]| {
        for file in files {
            let path = text::plain(&file.path);
            printer.note(&format!("ringfence: {when} {} {path} {}", file.role, file.digest));
        }
    };
    files("was", &record.pinned);
    let wanted = Wanted {
        name: &record.name,
        program: PathBuf::from(&record.program),
        argv: record.argv.iter().map(OsString::from).collect(),
        given: record.given.clone(),
        approve: &change.approve,
        approver: change.approver,
        after: "accept",
    };
    let mut now = approved(wanted, &record.global(global), printer)?;
    files("now", &now.pinned);
    now.tools.clone_from(&record.tools);
    log("mcp.accepted", &record.name, "a person approved the program as it is now", global)?;
    servers(global)?.write(&record.name, &now.bytes()).map_err(room)?;
    told(&now, printer);
    Ok(0)
}

fn looked(record: &Record, global: &Global) -> Result<Standings, CliError> {
    block_on(async {
        let server = start(record, global).await?;
        let standings = server.standings();
        closed(server).await?;
        Ok(standings)
    })
}

/// Returns the tools that are named, or all.
fn chosen(named: &[String], found: &Standings, record: &Record) -> Result<Vec<One>, CliError> {
    if named.is_empty() {
        return Ok(found.clone());
    }
    let one = |name: &String| {
        found.iter().find(|(tool, ..)| tool == name).cloned().ok_or_else(|| {
            CliError::Usage(format!(
                "server `{0}` has no tool `{1}`; `ringfence mcp tools {0}` lists them",
                record.name,
                text::brief(name, 80),
            ))
        })
    };
    named.iter().map(one).collect()
}

/// Returns when a person takes it.
fn agreed(
    change: &Change,
    chosen: &[One],
    shown: &[String],
    printer: &Printer,
) -> Result<(), CliError> {
    if let Some(digest) = &change.digest {
        return match chosen {
            [(_, _, Some(tool))] if tool.digest().to_string() == *digest => Ok(()),
            [(_, _, Some(tool))] => Err(CliError::Refused(format!(
                "its definition has the digest `{}`, not the one that was given",
                tool.digest()
            ))),
            _ => Err(CliError::Usage("`--digest` is for one tool that is there".to_owned())),
        };
    }
    let note = || {
        for line in shown {
            printer.note(line);
        }
    };
    if change.yes {
        note();
        return Ok(());
    }
    let Some(mut tty) = exec::tty() else {
        note();
        return Err(CliError::Refused(format!(
            "there is no terminal to ask at, so nothing was accepted; if it is intended: `{}`",
            exec::command::again("accept", &["--yes"])
        )));
    };
    let broken = |source| CliError::File { what: "terminal", path: "/dev/tty".to_owned(), source };
    tty.show(&shown.join("\n")).map_err(broken)?;
    tty.discard_input().map_err(room)?;
    tty.show("\nAccept? [y/N] ").map_err(broken)?;
    match tty.read_line(PATIENCE).map_err(room)?.trim() {
        "y" | "yes" => Ok(()),
        _ => Err(CliError::Refused("you did not accept it; nothing was changed".to_owned())),
    }
}

/// Returns what a person reads about one tool.
fn lines((name, standing, tool): &One, record: &Record) -> Vec<String> {
    let digest = tool.as_ref().map(|tool| tool.digest().to_string()).unwrap_or_default();
    let mut lines = vec![format!("{name}: {} {digest}", standing.name())];
    let shown = |value: &Value| text::brief(&value.to_string(), SHOWN);
    match (standing, tool, record.tools.get(name)) {
        (Standing::Changed, Some(tool), Some(was)) => {
            for one in differences(&was.definition, tool.definition()) {
                lines.push(format!("  {}", text::brief(&one.place, 200)));
                lines.extend(one.was.iter().map(|value| format!("    - {}", shown(value))));
                lines.extend(one.now.iter().map(|value| format!("    + {}", shown(value))));
            }
        }
        (Standing::New, Some(tool), _) => {
            lines.push(format!("    + {}", shown(tool.definition())));
        }
        _ => {}
    }
    lines
}

fn all_as_json(all: &[One], record: &Record) -> Value {
    let each = all.iter().map(|(name, standing, tool)| {
        let was = record.tools.get(name);
        let found = was.zip(tool.as_ref());
        let differences = found.map(|(was, now)| differences(&was.definition, now.definition()));
        let differences = differences.unwrap_or_default().into_iter();
        let place =
            |one: ringfence::mcp::contract::Difference| json!({ "place": one.place, "was": one.was, "now": one.now });
        json!({
            "name": name,
            "state": standing.name(),
            "accepted": was.map(|was| was.digest.clone()),
            "found": tool.as_ref().map(|tool| tool.digest().to_string()),
            "differences": differences.map(place).collect::<Vec<_>>(),
        })
    });
    Value::Array(each.collect())
}
