//! `agents run`: an agent on a task, or a plan of several.

mod ask;
mod plan;
mod show;
mod transcript;

use std::sync::Arc;
use std::time::Duration;

use ringfence::supervisor::{Cancel, Why};
use ringfence::{CrewDone, CrewOptions, FlowRule, RunOptions};
use serde_json::{Value, json};

use crate::args::{AgentsCommand, AgentsRun, Global};
use crate::error::CliError;
use crate::print::{Printer, one_line};
use crate::{flags, named, places};
use show::Show;
use transcript::{Cast, Transcript};

/// `ringfence agents`.
pub(crate) fn agents(
    command: &AgentsCommand,
    global: &Global,
    printer: &Printer,
) -> Result<u8, CliError> {
    match command {
        AgentsCommand::Run(args) => run(args, global, printer),
    }
}

fn run(args: &AgentsRun, global: &Global, printer: &Printer) -> Result<u8, CliError> {
    let host = places::host(global)?.build()?;
    let mut work =
        plan::of(args, |path| Ok(named::open(&host, path, global)?.manifest.name.clone()))?;
    let open = |paths: &[std::path::PathBuf]| {
        paths.iter().map(|path| named::open(&host, path, global)).collect::<Result<Vec<_>, _>>()
    };
    let (agents, tools) = (open(&work.agents)?, open(&work.tools)?);
    let cast = Cast::new(&agents, &tools);
    if let Some(earlier) = &args.resume {
        work.plan.done = transcript::outcomes(earlier, &work.plan.tasks, &cast)?;
    }
    let mut options = options(args, global)?;
    let transcript = Transcript::start(global, &work.plan.tasks, cast)?;
    let path = transcript.path().display().to_string();
    let show = Arc::new(Show::new(printer.is_json(), transcript));
    options.native.approver = options.native.approver.map(|inner| ask::queued(&show, inner));
    let flow = host.flow_rule(ask::flow(&show));
    if matches!(flow, FlowRule::Off) {
        printer
            .note("the policy of this machine lets a run change things after it read the network");
    }
    let crew = host.crew(CrewOptions {
        agents,
        tools,
        options,
        at_once: usize::try_from(args.at_once).unwrap_or(1),
        grace: Duration::from_secs(u64::from(args.grace)),
        flow,
        person: ask::person(&show),
        ..CrewOptions::new(Arc::clone(&show) as Arc<_>)
    })?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|source| CliError::File {
        what: "runtime",
        path: "tokio".to_owned(),
        source,
    })?;
    let done = runtime.block_on(async {
        let cancel = Cancel::default();
        let interrupts = tokio::spawn(interrupts(cancel.clone(), Arc::clone(&show)));
        let clock = tokio::spawn(clock(Arc::clone(&show)));
        let done = crew.run(work.plan, &cancel).await;
        interrupts.abort();
        clock.abort();
        done
    });
    runtime.shutdown_background();
    show.over();
    let done = done?;
    if let Some(error) = show.lost() {
        return Err(error);
    }
    Ok(result(&done, &path, printer))
}

/// Returns what the operator says about each plugin of the run. It is read once: what changes in a file
/// or in the environment meanwhile neither adds to a run that goes on nor takes a denial out of it.
fn options(args: &AgentsRun, global: &Global) -> Result<RunOptions, CliError> {
    let mut options = flags::options(&args.grants, global)?;
    options.native = super::native::options(args.approver, global)?;
    options.outside = Some(super::mcp::held(global));
    Ok(options)
}

/// Has the times in the tree go on while nothing happens.
async fn clock(show: Arc<Show>) {
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    loop {
        seconds.tick().await;
        show.tick();
    }
}

/// Asks the run to end at the first interrupt, and ends it at the second. A question that is open then
/// counts as refused.
async fn interrupts(cancel: Cancel, show: Arc<Show>) {
    super::serve::stop_signal().await;
    show.stopping();
    cancel.ask(Why::Person);
    super::serve::stop_signal().await;
    cancel.now(Why::Person);
}

/// Prints what came of it and returns the exit code.
fn result(done: &CrewDone, transcript: &str, printer: &Printer) -> u8 {
    if printer.is_json() {
        let each = done.each.iter().map(|(label, one)| match one {
            Ok(outcome) => json!({ "label": label, "ok": true, "outcome": outcome }),
            Err(failure) => json!({ "label": label, "ok": false, "failure": failure.to_string() }),
        });
        let (outcome, error) = match &done.merged {
            Ok(outcome) => (json!(outcome), Value::Null),
            Err(error) => (Value::Null, json!(error.to_string())),
        };
        printer.value(&json!({
            "event": "result", "ok": done.merged.is_ok(), "outcome": outcome, "error": error,
            "agreed": done.agreed, "each": each.collect::<Vec<_>>(), "used": done.used,
            "transcript": transcript,
        }));
        return u8::from(done.merged.is_err());
    }
    for (label, one) in &done.each {
        if let Err(failure) = one {
            printer.note(&one_line(&format!("`{label}` has no outcome: {failure}")));
        }
    }
    printer.note(&format!("transcript: {transcript}"));
    match &done.merged {
        Ok(outcome) => {
            printer.text(&outcome.plain());
            0
        }
        Err(error) => {
            printer.note(&one_line(&format!("error[agents]: {error}")));
            1
        }
    }
}
