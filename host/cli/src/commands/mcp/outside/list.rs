//! `mcp list`, `mcp tools` and `mcp remove`.

use ringfence::mcp::contract::Contract;
use ringfence::{Host, Standings};
use ringfence_capability::text;
use serde_json::{Value, json};

use super::record::Record;
use super::{block_on, closed, host, log, names, record_of, room, servers, start};
use crate::args::Global;
use crate::error::CliError;
use crate::places;
use crate::print::Printer;

pub(super) fn list(global: &Global, printer: &Printer) -> Result<u8, CliError> {
    let names = names(global)?;
    let all: Vec<_> = names.iter().map(|name| (name, record_of(name, global))).collect();
    if printer.is_json() {
        printer.value(&Value::Array(all.iter().map(|(name, record)| row(name, record)).collect()));
        return Ok(0);
    }
    if all.is_empty() {
        printer.note("no outside server was added; `ringfence mcp add --help` has examples");
    }
    for (name, record) in all {
        printer.line(&match record {
            Ok(record) => format!(
                "{name:<20} {:<16} {:>3} tools  {}",
                record.given.profile,
                record.tools.len(),
                text::plain(&record.argv.join(" "))
            ),
            Err(error) => format!("{name:<20} {error}"),
        });
    }
    Ok(0)
}

fn row(name: &str, record: &Result<Record, CliError>) -> Value {
    match record {
        Ok(record) => json!({
            "name": name,
            "profile": record.given.profile,
            "workspace": record.workspace,
            "program": record.program,
            "argv": record.argv,
            "pinned": record.pinned,
            "not-pinned": record.notes,
            "revision": record.revision,
            "tools": record.tools.keys().collect::<Vec<_>>(),
        }),
        Err(error) => json!({ "name": name, "error": crate::print::described(error) }),
    }
}

pub(super) fn tools(name: &str, global: &Global, printer: &Printer) -> Result<u8, CliError> {
    let record = record_of(name, global)?;
    let (standings, unusable) = block_on(async {
        let server = start(&record, global).await?;
        let found = (server.standings(), server.unusable().to_vec());
        closed(server).await?;
        Ok(found)
    })?;
    if printer.is_json() {
        printer.value(&as_json(&standings));
    } else {
        for (tool, standing, contract) in &standings {
            let said = contract.as_ref().map(Contract::description).unwrap_or_default();
            let said = said.lines().next().unwrap_or_default();
            printer.line(&format!("{tool:<32} {:<8} {}", standing.name(), text::brief(said, 80)));
        }
    }
    for one in unusable {
        printer.note(&format!("ringfence: `{}` is left out: {}", one.name, one.why));
    }
    Ok(0)
}

fn as_json(standings: &Standings) -> Value {
    let each = standings.iter().map(|(tool, standing, contract)| {
        json!({
            "name": tool,
            "state": standing.name(),
            "digest": contract.as_ref().map(|contract| contract.digest().to_string()),
            "definition": contract.as_ref().map(|contract| contract.definition().clone()),
        })
    });
    Value::Array(each.collect())
}

pub(super) fn remove(name: &str, global: &Global, printer: &Printer) -> Result<u8, CliError> {
    let servers = servers(global)?;
    if servers.read(name).map_err(room)?.is_none() {
        record_of(name, global)?;
    }
    // A record that cannot be read is removed too, and what was approved under the name with it.
    let host: Host = match record_of(name, global) {
        Ok(record) => host(&record, global)?,
        Err(_) => places::host(global)?.build()?,
    };
    let revoked = host.revoke_servers_named(&name.parse()?)?;
    servers.remove(name).map_err(room)?;
    log("mcp.removed", name, "forgotten, and its approval taken back", global)?;
    if printer.is_json() {
        printer.value(&json!({ "removed": name, "approvals-revoked": revoked }));
    } else {
        printer.line(&format!("removed {name}; approvals taken back: {revoked}"));
    }
    Ok(0)
}
