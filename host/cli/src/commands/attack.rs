//! `doctor --attack`: attacks this machine's sandbox in every profile and shows what held.

use ringfence::attacked::{self, AttackRow};
use serde_json::json;

use crate::args::Global;
use crate::error::CliError;
use crate::places;
use crate::print::Printer;

/// What something that escaped ends with: refused, as the profile is from now on.
const ESCAPED: u8 = 3;

/// `ringfence doctor --attack`.
pub(crate) fn attack(global: &Global, printer: &Printer) -> Result<u8, CliError> {
    let state = places::state(global)?;
    // A host makes the directory, for this user alone.
    ringfence::Host::builder().state(&state).build()?;
    let program = std::env::current_exe().map_err(CliError::Output)?;
    let arguments = vec!["attack-from-inside".into()];
    let rows = attacked::attack(&program, arguments, &state, &mut |_| {})?;
    let escaped = rows.iter().any(|row| row.verdict == "escaped");
    if printer.is_json() {
        printer.value(&json!({ "ok": !escaped, "attacks": rows }));
    } else {
        table(&rows, printer);
    }
    Ok(if escaped { ESCAPED } else { 0 })
}

/// What the battery starts, inside a sandbox.
#[cfg(target_os = "linux")]
pub(crate) fn inside(name: &str) -> Result<u8, CliError> {
    use ringfence::sandbox::attack::{Guard, main};
    main(name, Guard::Confined).map_err(|error| CliError::Usage(error.to_string()))?;
    Ok(0)
}

/// What the battery starts; this system has none.
#[cfg(not(target_os = "linux"))]
pub(crate) fn inside(_name: &str) -> Result<u8, CliError> {
    Err(CliError::Usage("this system has no battery".to_owned()))
}

fn table(rows: &[AttackRow], printer: &Printer) {
    let mut rooms: Vec<&str> = Vec::new();
    for row in rows {
        if !rooms.contains(&row.room.as_str()) {
            rooms.push(&row.room);
        }
    }
    for (at, room) in rooms.iter().enumerate() {
        printer.line(&format!("{}  {room}", letter(at)));
    }
    let head: Vec<String> = (0..rooms.len()).map(|at| format!("{:<8}", letter(at))).collect();
    printer.line(&format!("\n{:<72} {}", "attack", head.join("").trim_end()));
    let mut names: Vec<&str> = rows.iter().map(|row| row.name).collect();
    names.dedup();
    for name in names {
        let cell = |room: &&str| {
            let row = rows.iter().find(|row| row.name == name && row.room == **room);
            format!("{:<8}", row.map_or("-", |row| shown(row.verdict)))
        };
        let cells: String = rooms.iter().map(cell).collect();
        let title = rows.iter().find(|row| row.name == name).map_or("", |row| row.title);
        let title: String = title.chars().take(72).collect();
        printer.line(&format!("{title:<72} {}", cells.trim_end()));
    }
    printer.line("");
    notes(rows, printer);
    for room in rooms {
        let count =
            |verdict| rows.iter().filter(|row| row.room == room && row.verdict == verdict).count();
        printer.line(&format!(
            "{room:<26} {} held, {} escaped, {} open, {} skipped",
            count("held"),
            count("escaped"),
            count("admitted"),
            count("skipped"),
        ));
    }
}

/// Says why for everything that was not held.
fn notes(rows: &[AttackRow], printer: &Printer) {
    let mut said: Vec<(&str, &str)> = Vec::new();
    for row in rows.iter().filter(|row| row.verdict != "held") {
        let (name, detail) = (row.name, row.detail.as_str());
        if said.contains(&(name, detail)) && row.verdict != "escaped" {
            continue;
        }
        said.push((name, detail));
        let at = if row.verdict == "escaped" { format!(" in {}", row.room) } else { String::new() };
        printer.line(&format!("{}{at}: {name}: {detail}", shown(row.verdict)));
    }
    if !said.is_empty() {
        printer.line("open: the plan's own table says that this is not held\n");
    }
}

fn shown(verdict: &str) -> &str {
    match verdict {
        "escaped" => "ESCAPED",
        // The plan's own table says that this is not held.
        "admitted" => "open",
        other => other,
    }
}

fn letter(at: usize) -> char {
    char::from(b'A' + u8::try_from(at % 26).unwrap_or(0))
}
