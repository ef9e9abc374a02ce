//! `mcp add`, `list`, `tools`, `call`, `pin`, `accept` and `remove`: outside servers, held in the sandbox.

mod add;
mod call;
mod kept;
mod list;
mod pins;
mod record;

use std::sync::Arc;

use ringfence::approval::{Answer, ApprovalError, Approver, Channel, NoApprover, Prompt, Request};
use ringfence::{Digest, Host, OutsideOptions, OutsideServer, RunError};
use ringfence_audit::{Decision, Entry, Target};
use ringfence_capability::{Diagnostic, Origin};
use ringfence_store::Servers;
use sha2::{Digest as _, Sha256};

use crate::args::{Global, OutsideCommand};
use crate::error::CliError;
use crate::places;
use crate::print::Printer;
use record::Record;

/// Runs one of them.
pub(super) fn run(
    command: &OutsideCommand,
    global: &Global,
    printer: &Printer,
) -> Result<u8, CliError> {
    match command {
        OutsideCommand::Add(args) => add::add(args, global, printer),
        OutsideCommand::List => list::list(global, printer),
        OutsideCommand::Tools { name } => list::tools(name, global, printer),
        OutsideCommand::Call(args) => call::call(args, global, printer),
        OutsideCommand::Pin(which) => pins::pin(which, global, printer),
        OutsideCommand::Accept(change) => pins::accept(change, global, printer),
        OutsideCommand::Remove { name } => list::remove(name, global, printer),
    }
}

/// Returns the servers that were added, none of them started.
pub(super) fn held(global: &Global) -> ringfence::OutsideServers {
    ringfence::OutsideServers::new(Arc::new(kept::Kept::new(global)))
}

/// Starts the servers of these names for `mcp serve`.
pub(super) async fn started(
    names: &[String],
    global: &Global,
) -> Result<Vec<OutsideServer>, CliError> {
    let mut servers = Vec::new();
    for name in names {
        let record = record_of(name, global)?;
        servers.push(start(&record, global).await?);
    }
    Ok(servers)
}

fn room(error: impl Diagnostic + 'static) -> CliError {
    CliError::Room(Box::new(error))
}

fn servers(global: &Global) -> Result<Servers, CliError> {
    Servers::open(&places::data(global)?).map_err(room)
}

/// Returns the names of the servers that were added.
fn names(global: &Global) -> Result<Vec<String>, CliError> {
    let servers = Servers::look(&places::data(global)?).map_err(room)?;
    let names = servers.map(|servers| servers.names()).transpose().map_err(room)?;
    Ok(names.unwrap_or_default())
}

/// Returns what is kept about a server, and the digest of that; nothing when it was not added.
fn kept_about(name: &str, global: &Global) -> Result<Option<(Record, Digest)>, CliError> {
    let servers = Servers::look(&places::data(global)?).map_err(room)?;
    let bytes = servers.map(|servers| servers.read(name)).transpose().map_err(room)?.flatten();
    let Some(bytes) = bytes else { return Ok(None) };
    Ok(Some((Record::read(name, &bytes)?, Digest::from_bytes(Sha256::digest(&bytes).into()))))
}

/// Returns what is kept about a server.
fn record_of(name: &str, global: &Global) -> Result<Record, CliError> {
    let Some((record, _)) = kept_about(name, global)? else {
        let names = names(global)?;
        let near = ringfence_bundle::nearest(name, names.iter().map(String::as_str));
        let instead = near.map_or_else(
            || {
                "add it with `ringfence mcp add`; `ringfence mcp list` shows what there is"
                    .to_owned()
            },
            |near| format!("did you mean `{near}`?"),
        );
        return Err(CliError::Usage(format!("there is no outside server `{name}`; {instead}")));
    };
    Ok(record)
}

/// Returns the host a server of this record runs on.
fn host(record: &Record, global: &Global) -> Result<Host, CliError> {
    Ok(places::host(&record.global(global))?.build()?)
}

/// Starts a server that was added, with nobody to ask: what was approved starts, anything else does not.
async fn start(record: &Record, global: &Global) -> Result<OutsideServer, CliError> {
    let options = options(record, global)?;
    Ok(OutsideServer::start(&host(record, global)?, record.spec()?, options).await?)
}

fn options(record: &Record, global: &Global) -> Result<OutsideOptions, CliError> {
    Ok(OutsideOptions {
        exec: record.exec_options(global)?,
        approver: Arc::new(NoApprover),
        pins: record.pins(),
        bounds: ringfence::mcp::client::ClientBounds::default(),
    })
}

/// Runs `work` on an event loop of its own.
fn block_on<T>(work: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    let runtime = crate::commands::event_loop::here()?;
    let done = runtime.block_on(async {
        tokio::select! {
            done = work => done,
            () = crate::commands::serve::stop_signal() => {
                Err(CliError::Refused("a signal ended it".to_owned()))
            }
        }
    });
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    done
}

/// Ends a server whose writes nobody keeps.
async fn closed(mut server: OutsideServer) -> Result<(), CliError> {
    server.close().await.map(drop).map_err(CliError::from)
}

/// Records what a person did about a server.
fn log(operation: &str, name: &str, why: &str, global: &Global) -> Result<(), CliError> {
    let entry = Entry::new(operation).at(Target::name(name));
    places::record(global, entry.decided(Decision::Allow, "mcp", &Origin::BuiltIn, why))
}

/// Asks somebody whose yes to a server holds until it is removed: a server is added once and started
/// often.
struct Lasting(Box<dyn Approver>);

impl Approver for Lasting {
    fn ask(&self, request: &Request, prompt: &Prompt) -> Result<Answer, ApprovalError> {
        Ok(match self.0.ask(request, prompt)? {
            Answer::Once | Answer::ForThisRun => Answer::Always { pattern: None },
            other => other,
        })
    }

    fn channel(&self) -> Channel {
        self.0.channel()
    }
}

/// Returns the error with the command that approves exactly this, where nobody could be asked.
fn hinted(error: RunError, subject: &str, after: &str) -> CliError {
    use ringfence::ExecError;
    use ringfence::approval::Denied;
    match &error {
        RunError::Exec(ExecError::Denied(Denied::Unanswered {
            source: ApprovalError::NobodyToAsk { .. },
        })) => {
            let again = crate::commands::exec::command::again(after, &["--approve", subject]);
            let hint =
                format!("if it is intended, run `{again}`; `--plan` shows what it could reach");
            CliError::Room(Box::new(crate::commands::exec::Hinted { error, hint }))
        }
        _ => error.into(),
    }
}
