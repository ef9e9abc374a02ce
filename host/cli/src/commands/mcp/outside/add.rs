//! `mcp add`, and the second half of `mcp accept --program`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ringfence::mcp::client::ClientBounds;
use ringfence::{ExecPlan, Host, Name, OutsideOptions, OutsideServer, RunError, ServerSpec};
use serde_json::json;

use super::record::{Given, Record, options};
use super::{Lasting, block_on, closed, hinted, log, room, servers};
use crate::args::{Add, ApproverKind, Global};
use crate::commands::exec::{self, command};
use crate::error::CliError;
use crate::places;
use crate::print::{Printer, visible};

/// What is to be added.
pub(super) struct Wanted<'a> {
    pub(super) name: &'a str,
    pub(super) program: PathBuf,
    pub(super) argv: Vec<OsString>,
    pub(super) given: Given,
    /// Digests a person approved ahead.
    pub(super) approve: &'a [String],
    pub(super) approver: ApproverKind,
    /// The word of the command line behind which a flag goes.
    pub(super) after: &'a str,
}

pub(super) fn add(args: &Add, global: &Global, printer: &Printer) -> Result<u8, CliError> {
    let kept = servers(global)?;
    let there = kept.read(&args.name).map_err(room)?.is_some();
    if there && !args.replace && !args.plan {
        return Err(CliError::Usage(format!(
            "there is an outside server `{0}`; `ringfence mcp remove {0}` forgets it, `--replace` \
             takes its place",
            args.name
        )));
    }
    let (program, words) = command::program(&args.argv)?;
    let wanted = Wanted {
        name: &args.name,
        program,
        argv: words,
        given: Given::of(args)?,
        approve: &args.approve,
        approver: args.approver,
        after: "add",
    };
    if args.plan {
        let host = places::host(global)?.looks_only().build()?;
        let (_, plan) = planned(&host, &wanted, global)?;
        if printer.is_json() {
            printer.value(&plan.as_json());
        } else {
            printer.line(plan.to_string().trim_end());
        }
        return Ok(0);
    }
    let record = approved(wanted, global, printer)?;
    kept.write(&args.name, &record.bytes()).map_err(room)?;
    log("mcp.added", &args.name, "added; its tools are accepted as they are", global)?;
    told(&record, printer);
    Ok(0)
}

/// Resolves the command and plans its start.
fn planned(
    host: &Host,
    wanted: &Wanted<'_>,
    global: &Global,
) -> Result<(ServerSpec, ExecPlan), CliError> {
    let workspace = real(&global.workspace)?;
    let name: Name = wanted.name.parse()?;
    let spec = ServerSpec::resolve(name, &wanted.program, wanted.argv.clone(), &workspace)?;
    let args = wanted.given.as_exec(wanted.approve, wanted.approver);
    let plan = host.plan_server(&spec, options(&args, global)?)?;
    Ok((spec, plan))
}

fn real(path: &Path) -> Result<PathBuf, CliError> {
    std::fs::canonicalize(path).map_err(|source| CliError::File {
        what: "workspace",
        path: path.display().to_string(),
        source,
    })
}

/// Asks a person, starts the server once, and returns its record with every tool as it is.
pub(super) fn approved(
    wanted: Wanted<'_>,
    global: &Global,
    printer: &Printer,
) -> Result<Record, CliError> {
    let host = places::host(global)?.build()?;
    let (spec, plan) = planned(&host, &wanted, global)?;
    let args = wanted.given.as_exec(wanted.approve, wanted.approver);
    let approver = Lasting(exec::approver(&args, global, &plan)?);
    let subject = plan.request().map_err(RunError::from)?.subject().to_string();
    let options = OutsideOptions {
        exec: options(&args, global)?,
        approver: Arc::new(approver),
        pins: BTreeMap::new(),
        bounds: ClientBounds::default(),
    };
    let workspace = real(&global.workspace)?;
    let done = block_on(async {
        let server = OutsideServer::start(&host, spec.clone(), options).await;
        let server = server.map_err(|error| hinted(error, &subject, wanted.after))?;
        let record = Record::of(&spec, wanted.given, &workspace, &server)?;
        let unusable = server.unusable().to_vec();
        closed(server).await?;
        Ok((record, unusable))
    });
    let (record, unusable) = match done {
        Ok(done) => done,
        Err(error) => {
            // A yes to a server that was not added must not stay.
            host.revoke_server(&plan)?;
            return Err(error);
        }
    };
    for one in unusable {
        printer.note(&format!("ringfence: `{}` is left out: {}", one.name, one.why));
    }
    Ok(record)
}

/// Says what was added.
pub(super) fn told(record: &Record, printer: &Printer) {
    if printer.is_json() {
        let tool = |(name, tool): (&String, &super::record::Accepted)| json!({ "name": name, "digest": tool.digest });
        return printer.value(&json!({
            "name": record.name,
            "profile": record.given.profile,
            "revision": record.revision,
            "pinned": record.pinned,
            "not-pinned": record.notes,
            "tools": record.tools.iter().map(tool).collect::<Vec<_>>(),
        }));
    }
    let revision = record.revision.as_deref().unwrap_or("?");
    printer.line(&format!("added {} (MCP {revision}, {})", record.name, record.given.profile));
    for file in &record.pinned {
        printer.line(&format!("  {:<12} {} {}", file.role, visible(&file.path), file.digest));
    }
    for name in record.tools.keys() {
        printer.line(&format!("  tool         {name}"));
    }
    for note in &record.notes {
        printer.note(&format!("ringfence: {note}"));
    }
}
