//! `list` and `remove`.

use ringfence_audit::Decision;
use ringfence_store::{Installed, Receipt, Store, StoreError, Unused, Wanted};
use serde_json::{Value, json};

use super::{agreed, decided, logged, look, not_installed, open, room};
use crate::args::{Global, List, Remove};
use crate::error::CliError;
use crate::places;
use crate::print::{Printer, described, visible};

/// `ringfence list`. Ends with 3 when something in the store is damaged or no longer trusted.
pub(crate) fn list(args: &List, global: &Global, printer: &Printer) -> Result<u8, CliError> {
    let Some(store) = look(global)? else {
        return Ok(rows(Vec::new(), "nothing is installed", printer));
    };
    if args.unused {
        let unused = store.unused().map_err(room)?;
        return Ok(rows(unused.iter().map(unused_row).collect(), "nothing is unused", printer));
    }
    let mut found = Vec::new();
    for name in store.names().map_err(room)? {
        match store.receipt(&name) {
            Ok(Some(receipt)) => found.extend(receipt_rows(&receipt, &store, args, global)?),
            Ok(None) => {}
            Err(error) => found.push(Row::bad(&name, "?", room(error))),
        }
    }
    Ok(rows(found, "nothing is installed", printer))
}

/// One line of a list.
struct Row {
    text: String,
    json: Value,
    problem: Option<CliError>,
}

impl Row {
    fn bad(name: &str, version: &str, error: CliError) -> Self {
        let json = json!({ "name": name, "version": version });
        Self { text: format!("{name} {version}"), json, problem: Some(error) }
    }
}

/// Prints the rows and returns the exit code.
fn rows(rows: Vec<Row>, none: &str, printer: &Printer) -> u8 {
    let bad = rows.iter().any(|row| row.problem.is_some());
    if printer.is_json() {
        let json = rows.into_iter().map(|mut row| {
            row.json["problem"] = row.problem.as_ref().map_or(Value::Null, described);
            row.json
        });
        printer.value(&json.collect());
        return if bad { 3 } else { 0 };
    }
    if rows.is_empty() {
        printer.line(none);
    }
    for row in &rows {
        printer.line(&visible(&row.text));
        if let Some(problem) = &row.problem {
            printer.line(&visible(&format!("  problem: {problem}")));
            for cause in crate::print::causes(problem) {
                printer.line(&format!("           {cause}"));
            }
        }
    }
    if bad { 3 } else { 0 }
}

fn unused_row(unused: &Unused) -> Row {
    let Unused { file, was, .. } = unused;
    let name = was.as_ref().map(|(name, version)| format!("{name} {version}"));
    let text = format!("{}  {file}", name.as_deref().unwrap_or("left behind"));
    Row { text, json: json!({ "was": name, "file": file }), problem: None }
}

fn receipt_rows(
    receipt: &Receipt,
    store: &Store,
    args: &List,
    global: &Global,
) -> Result<Vec<Row>, CliError> {
    let trust = if args.check { Some(places::trust(global)?) } else { None };
    let row = |installed: &Installed| {
        let current = installed.digest == receipt.current;
        let problem = match &trust {
            None if store.path(installed).exists() => None,
            None => Some(room(StoreError::Missing {
                name: receipt.name.clone(),
                version: installed.version.clone(),
            })),
            Some(trust) => store
                .read(&receipt.name, installed)
                .map_err(room)
                .and_then(|sealed| {
                    let now = jiff::Timestamp::now();
                    ringfence_trust::verify(sealed, trust, now).map(drop).map_err(room)
                })
                .err(),
        };
        let signer = installed.signer.as_ref();
        let by = match signer {
            Some(signer) => format!("signed by {} ({})", signer.name, signer.key),
            None => "not signed".to_owned(),
        };
        let older = if current { "" } else { "  (older)" };
        Row {
            text: format!("{} {}{older}  {by}", receipt.name, installed.version),
            json: json!({
                "name": receipt.name,
                "version": installed.version.to_string(),
                "current": current,
                "digest": installed.digest.to_string(),
                "size-bytes": installed.size_bytes,
                "source": installed.source.to_string(),
                "signer": signer.map(|signer| json!({ "key": signer.key, "name": signer.name })),
                "installed": installed.time.to_string(),
                "requests": installed.asked.requests,
                "limits": installed.asked.limits,
                "needs-profile": installed.asked.needs_profile,
            }),
            problem,
        }
    };
    Ok(receipt.versions().iter().rev().map(row).collect())
}

/// `ringfence remove`.
pub(crate) fn remove(args: &Remove, global: &Global, printer: &Printer) -> Result<u8, CliError> {
    if look(global)?.is_none() {
        return match args.names.first() {
            Some(name) => Err(not_installed(name)),
            None => Ok(rows(Vec::new(), "nothing is unused", printer)),
        };
    }
    let store = open(global)?;
    if args.unused {
        let gone = store.remove_unused().map_err(room)?;
        return Ok(rows(gone.iter().map(unused_row).collect(), "nothing was unused", printer));
    }
    for word in &args.names {
        let wanted: Wanted = word.parse().map_err(room)?;
        let gone = remove_one(&wanted, &store, global)?;
        let versions: Vec<_> = gone.iter().map(|one| one.version.to_string()).collect();
        if printer.is_json() {
            let result = json!({ "name": wanted.name, "removed": versions });
            printer.value(&json!({ "ok": true, "result": result }));
        } else {
            printer.line(&format!("{}: removed {}", wanted.name, versions.join(", ")));
        }
    }
    Ok(0)
}

fn remove_one(wanted: &Wanted, store: &Store, global: &Global) -> Result<Vec<Installed>, CliError> {
    let (_, found) = store.find(wanted).map_err(room)?;
    let entry =
        decided("plugin.remove", logged(&wanted.name, &found), Decision::Allow, "the user said so");
    places::record(global, agreed(entry, "command"))?;
    store.remove(wanted).map_err(room)
}
