//! Comma-separated values (RFC 4180) that no spreadsheet takes for formulas.

use crate::record::Record;
use serde::Serialize;
use std::io::{self, Write};

const COLUMNS: [&str; 19] = [
    "seq",
    "time",
    "run",
    "plugin",
    "plugin_digest",
    "signer",
    "operation",
    "target_type",
    "target",
    "decision",
    "layer",
    "rule",
    "reason",
    "request",
    "approval",
    "approved_by",
    "outcome",
    "prev",
    "hash",
];

pub(super) fn header(out: &mut impl Write) -> io::Result<()> {
    write!(out, "{}\r\n", COLUMNS.join(","))
}

pub(super) fn row(out: &mut impl Write, record: &Record) -> io::Result<()> {
    let entry = &record.entry;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let (plugin, approval) = (entry.plugin.as_ref(), entry.approval.as_ref());
    let kind = tag(&entry.target)?;
    let cells: [String; COLUMNS.len()] = [
        record.seq.to_string(),
        record.time.clone(),
        text(&entry.run),
        plugin.map(|plugin| plugin.name.clone()).unwrap_or_default(),
        plugin.map(|plugin| plugin.digest.to_string()).unwrap_or_default(),
        plugin.map(|plugin| text(&plugin.signer)).unwrap_or_default(),
        entry.operation.clone(),
        kind,
        entry.target.as_ref().map(ToString::to_string).unwrap_or_default(),
        entry.decision.map(|decision| decision.name().to_owned()).unwrap_or_default(),
        text(&entry.layer),
        text(&entry.rule),
        text(&entry.reason),
        entry.request.map(|request| request.to_string()).unwrap_or_default(),
        approval.map(|approval| approval.how.name().to_owned()).unwrap_or_default(),
        approval.map(|approval| text(&approval.by)).unwrap_or_default(),
        entry.outcome.as_ref().map(serde_json::to_string).transpose()?.unwrap_or_default(),
        record.prev.to_string(),
        record.hash.to_string(),
    ];
    let cells: Vec<_> = cells.iter().map(|cell| quoted(cell)).collect();
    write!(out, "{}\r\n", cells.join(","))
}

/// Returns the `type` a value has in JSON.
fn tag(value: &impl Serialize) -> io::Result<String> {
    let json = serde_json::to_value(value)?;
    Ok(json["type"].as_str().unwrap_or_default().to_owned())
}

/// Returns the cell, in quotes where it has to be. Where a spreadsheet would compute it, an
/// apostrophe in front makes it text.
fn quoted(cell: &str) -> String {
    let formula = cell
        .trim_start()
        .starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'])
        || cell.starts_with(['\t', '\r', '\n']);
    let safe = if formula { format!("'{cell}") } else { cell.to_owned() };
    if safe.contains([',', '"', '\r', '\n', '\'', ';']) || safe.trim() != safe {
        format!("\"{}\"", safe.replace('"', "\"\""))
    } else {
        safe
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn no_cell_is_a_formula_and_every_cell_is_one() {
        for (cell, expected) in [
            ("plain text", "plain text"),
            ("=1+2", "\"'=1+2\""),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("  =1", "\"'  =1\""),
            ("\u{ff1d}1", "\"'\u{ff1d}1\""),
            ("\t=1", "\"'\t=1\""),
            ("a,\"b\"", "\"a,\"\"b\"\"\""),
            ("a\nb", "\"a\nb\""),
            ("", ""),
        ] {
            assert_eq!(quoted(cell), expected, "{cell:?}");
        }
    }
}
