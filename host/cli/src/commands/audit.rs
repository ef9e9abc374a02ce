//! `audit`: reads and checks the log.

use std::fs::File;
use std::io::BufReader;

use ringfence_audit::{Decision, Filter, Record, Records, verify};
use ringfence_capability::Digest;
use serde_json::json;

use crate::args::{AuditCommand, Global};
use crate::error::CliError;
use crate::places;
use crate::print::{Printer, visible};

/// `ringfence audit`.
pub(crate) fn audit(
    command: AuditCommand,
    global: &Global,
    printer: &Printer,
) -> Result<u8, CliError> {
    let path = places::state(global)?.join("audit.jsonl");
    let display = path.display().to_string();
    let file = match File::open(&path) {
        Ok(file) => BufReader::new(file),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            printer.note(&format!("nothing is logged yet in `{display}`"));
            return Ok(0);
        }
        Err(source) => return Err(CliError::File { what: "audit log", path: display, source }),
    };
    match command {
        AuditCommand::Verify { expect_head } => {
            let expected = expect_head.map(|text| text.parse::<Digest>()).transpose();
            let expected =
                expected.map_err(|error| CliError::Usage(format!("`--expect-head`: {error}")))?;
            let summary =
                verify(file, expected).map_err(|broken| CliError::Room(Box::new(broken)))?;
            let head = summary.head.map(|head| head.to_string());
            if printer.is_json() {
                printer.value(&json!({ "ok": true, "records": summary.records, "recovered": summary.recovered, "head": head }));
            } else {
                let head = head.unwrap_or_else(|| "none".to_owned());
                printer.line(&format!("{} records, unbroken; head {head}", summary.records));
            }
        }
        AuditCommand::Show { run, plugin, refused, last } => {
            let decision = refused.then_some(Decision::Forbid);
            let filter = Filter { run, plugin, decision, ..Filter::default() };
            show(file, &filter, last, printer)?;
        }
    }
    Ok(0)
}

fn show(
    file: BufReader<File>,
    filter: &Filter,
    last: usize,
    printer: &Printer,
) -> Result<(), CliError> {
    let mut kept = std::collections::VecDeque::new();
    for record in Records::new(file) {
        let record = record.map_err(|broken| CliError::Room(Box::new(broken)))?;
        if filter.matches(&record) {
            if kept.len() == last {
                kept.pop_front();
            }
            kept.push_back(record);
        }
    }
    for record in kept {
        if printer.is_json() {
            printer.value(&serde_json::to_value(&record).unwrap_or_default());
        } else {
            printer.line(&visible(&line(&record)));
        }
    }
    Ok(())
}

fn line(record: &Record) -> String {
    let entry = &record.entry;
    let decision = match entry.decision {
        Some(Decision::Allow) => "allow ",
        Some(Decision::Prompt) => "ask   ",
        Some(Decision::Forbid) => "forbid",
        None => "      ",
    };
    let target = entry.target.as_ref().map(ToString::to_string).unwrap_or_default();
    let plugin = entry.plugin.as_ref().map_or("", |plugin| plugin.name.as_str());
    let reason = entry.reason.as_deref().unwrap_or_default();
    format!(
        "{:>6} {} {decision} {plugin:<16} {:<14} {target}  {reason}",
        record.seq, record.time, entry.operation
    )
}
