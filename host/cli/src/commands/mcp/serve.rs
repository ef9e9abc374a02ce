//! `mcp serve`: offers plugins to a client over standard input and output, or to several over HTTP.
//!
//! Standard output carries the protocol and nothing else: what a plugin prints is dropped, and what
//! ringfence has to say goes to standard error.

use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::thread::JoinHandle;

use ringfence::mcp::server::MayAsk;
use ringfence::mcp::{Joined, Registry, Server, ServerOptions};
use ringfence::{Allocation, Gateway, Toolbox};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::runtime::Runtime;

use super::follow::{self, Plugins};
use super::listen::Web;
use crate::args::{ApproverKind, Global, McpServe, ServeApprover, Whom};
use crate::error::CliError;
use crate::places;
use crate::print::Printer;

/// What is kept between a stream of the process and the server.
const PIPE_BYTES: usize = 64 * 1024;

/// `ringfence mcp serve`.
pub(super) fn serve(args: &McpServe, global: &Global, printer: &Printer) -> Result<u8, CliError> {
    // Before anything is decided or recorded.
    let web = args.listen.map(|at| super::listen::checked(args, at)).transpose()?;
    let host = places::host(global)?.allocation(Allocation::Pooled);
    let host = host.concurrency(args.concurrency).build()?;
    let held = super::held(global);
    let runtime = crate::commands::event_loop::on_all_processors()?;
    let plugins =
        Plugins { host: &host, args, global, printer, runtime: runtime.handle(), held: &held };
    let offered = plugins.open()?;
    let own = follow::toolbox(&offered, args)?;
    let (tools, gateway) = runtime.block_on(with_servers(&own, &args.server, global))?;
    let count = tools.catalog().tools().len();
    let options = ServerOptions {
        concurrency: usize::try_from(args.concurrency).unwrap_or(1),
        may_ask: may_ask(&args.let_ask),
        ..ServerOptions::default()
    };
    let server = Server::new(tools, options);
    let (ended, written) = std::thread::scope(|scope| {
        // What follows ends when this end of the channel is gone.
        let (_serving, end) = std::sync::mpsc::channel();
        if offered.changes(args) {
            let (plugins, own) = (&plugins, &own);
            scope.spawn(move || plugins.follow(offered, own, &end));
        }
        talk(&server, web, count, &runtime, printer)
    });
    if let Some(gateway) = gateway {
        runtime.block_on(gateway.close());
    }
    runtime.block_on(held.close());
    // What was answered last is written before the process ends; reading may wait for ever.
    if let Some(written) = written {
        let _ = written.join();
    }
    runtime.shutdown_background();
    ended.map(|()| 0)
}

/// Talks to clients until the end; returns the thread that still writes what was answered last.
fn talk(
    server: &Server,
    web: Option<Web>,
    count: usize,
    runtime: &Runtime,
    printer: &Printer,
) -> (Result<(), CliError>, Option<JoinHandle<()>>) {
    if let Some(web) = web {
        return (runtime.block_on(super::listen::listen(server, web, count, printer)), None);
    }
    printer.note(&format!("serving {count} tools over MCP on standard input and output"));
    let (input, output, written) = standard(runtime.handle());
    runtime.block_on(server.lines(input, output, super::super::serve::stop_signal()));
    (Ok(()), Some(written))
}

/// Returns the tools of plugins and the accepted ones of outside servers as one registry.
async fn with_servers(
    tools: &Arc<Toolbox>,
    names: &[String],
    global: &Global,
) -> Result<(Arc<dyn Registry>, Option<Arc<Gateway>>), CliError> {
    let plugins: Arc<dyn Registry> = Arc::clone(tools) as _;
    if names.is_empty() {
        return Ok((plugins, None));
    }
    let gateway = Arc::new(Gateway::new(super::outside::started(names, global).await?)?);
    let servers: Arc<dyn Registry> = Arc::clone(&gateway) as _;
    Ok((Arc::new(Joined::new(vec![plugins, servers])?), Some(gateway)))
}

/// Returns who is asked about native programs, and whether the person at the client comes first. At no
/// time is it the terminal unless somebody says so: the client has it, and may be one itself.
pub(super) fn approver(kind: ServeApprover) -> (ApproverKind, bool) {
    let socket = if cfg!(target_os = "linux") { ApproverKind::Socket } else { ApproverKind::None };
    match kind {
        ServeApprover::Auto => (socket, true),
        ServeApprover::Client => (ApproverKind::None, true),
        ServeApprover::Terminal => (ApproverKind::Terminal, false),
        ServeApprover::Socket => (ApproverKind::Socket, false),
        ServeApprover::None => (ApproverKind::None, false),
    }
}

fn may_ask(whom: &[Whom]) -> MayAsk {
    if whom.is_empty() {
        return MayAsk::default();
    }
    let has = |one| whom.contains(&one);
    MayAsk { person: has(Whom::Person), model: has(Whom::Model), roots: has(Whom::Roots) }
}

/// Returns the streams of this process for a server, each moved by a thread of its own: a read of
/// standard input cannot be taken back, and must keep nobody from ending.
fn standard(runtime: &tokio::runtime::Handle) -> (DuplexStream, DuplexStream, JoinHandle<()>) {
    let (input, mut to) = tokio::io::duplex(PIPE_BYTES);
    let (output, mut from) = tokio::io::duplex(PIPE_BYTES);
    let handle = runtime.clone();
    std::thread::spawn(move || {
        let mut bytes = vec![0; PIPE_BYTES];
        let mut stdin = std::io::stdin().lock();
        loop {
            match stdin.read(&mut bytes) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => break,
                Ok(read) => {
                    if handle.block_on(to.write_all(&bytes[..read])).is_err() {
                        break;
                    }
                }
            }
        }
    });
    let handle = runtime.clone();
    let written = std::thread::spawn(move || {
        let mut bytes = vec![0; PIPE_BYTES];
        let mut stdout = std::io::stdout().lock();
        while let Ok(read @ 1..) = handle.block_on(from.read(&mut bytes)) {
            if stdout.write_all(&bytes[..read]).and_then(|()| stdout.flush()).is_err() {
                break;
            }
        }
    });
    (input, output, written)
}
