//! `serve`: answers HTTP with a plugin until it is told to stop.

use std::sync::Arc;

use ringfence::{Allocation, PluginKind, RunError, ServeOptions, Served};
use serde_json::json;
use tokio::net::TcpListener;

use crate::args::{Global, Serve};
use crate::error::CliError;
use crate::print::Printer;
use crate::{flags, named, places};

/// `ringfence serve`.
pub(crate) fn serve(args: &Serve, global: &Global, printer: &Printer) -> Result<u8, CliError> {
    if !args.addr.ip().is_loopback() {
        let text = format!(
            "`--addr {}` would let other machines in; listen on 127.0.0.1 and put a proxy with TLS and access control before it",
            args.addr
        );
        return Err(CliError::Usage(text));
    }
    let mut options = flags::options(&args.grants, global)?;
    options.native = super::native::options(args.approver, global)?;
    options.outside = Some(super::mcp::held(global));
    let host = places::host(global)?.allocation(Allocation::Pooled);
    let host = host.concurrency(args.concurrency).build()?;
    let plugin = named::open(&host, &args.plugin, global)?;
    let prepared = Arc::new(host.prepare(&plugin, options)?.for_serving());
    // Before an address is printed that nobody would answer at.
    serves(prepared.kind(), &plugin.display)?;
    let runtime = crate::commands::event_loop::on_all_processors()?;
    let served = runtime.block_on(async {
        let fail = |source| CliError::File { what: "address", path: args.addr.to_string(), source };
        let listener = TcpListener::bind(args.addr).await.map_err(fail)?;
        let url = format!("http://{}/", listener.local_addr().map_err(fail)?);
        if printer.is_json() {
            printer.value(&json!({ "url": url }));
        } else {
            printer.line(&format!("serving {} at {url}  (Ctrl-C ends it)", plugin.manifest.name));
        }
        let options = ServeOptions { concurrency: args.concurrency, ..ServeOptions::default() };
        let finishing = |open| {
            if open > 0 {
                printer.note(&format!("finishing {open} requests; Ctrl-C again ends at once"));
            }
            stop_signal()
        };
        let served =
            Arc::clone(&prepared).serve_until(listener, options, stop_signal(), finishing).await;
        prepared.end_servers().await;
        Ok::<_, CliError>(served?)
    });
    runtime.shutdown_background();
    let served = served?;
    let Served { answered, failed, aborted, .. } = served;
    printer.note(&format!("answered {answered} requests, {failed} failed, {aborted} aborted"));
    Ok(0)
}

/// Refuses a plugin that answers no HTTP.
fn serves(kind: PluginKind, plugin: &str) -> Result<(), RunError> {
    let instead = match kind {
        PluginKind::HttpHandler => return Ok(()),
        PluginKind::Command => format!("ringfence run {plugin}"),
        PluginKind::Tools | PluginKind::Agent | PluginKind::Step => {
            format!("ringfence call {plugin} FUNCTION")
        }
    };
    let (is, wanted) = (kind.name(), PluginKind::HttpHandler.name());
    Err(RunError::WrongKind { plugin: plugin.to_owned(), is, wanted, instead })
}

/// Waits for Ctrl-C, or for the signal that asks a service to end.
pub(super) async fn stop_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
