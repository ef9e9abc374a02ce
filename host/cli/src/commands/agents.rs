//! `agents run`: an agent on a task, or a plan of several.

mod plan;
mod show;
mod transcript;

use std::sync::Arc;

use ringfence::supervisor::{Cancel, Why};
use ringfence::{CrewDone, CrewOptions, FlowRule, RunOptions};
use serde_json::{Value, json};

use crate::args::{AgentsCommand, AgentsRun, Global};
use crate::error::CliError;
use crate::print::Printer;
use crate::{flags, named, places};
use show::Show;
use transcript::Transcript;

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
    if let Some(earlier) = &args.resume {
        work.plan.done = transcript::outcomes(earlier, &work.plan.tasks)?;
    }
    let open = |paths: &[std::path::PathBuf]| {
        paths.iter().map(|path| named::open(&host, path, global)).collect::<Result<Vec<_>, _>>()
    };
    let (agents, tools) = (open(&work.agents)?, open(&work.tools)?);
    let transcript = Transcript::start(global, &work.plan.tasks)?;
    let path = transcript.path().display().to_string();
    let show = Arc::new(Show::new(printer.is_json(), transcript));
    let options = options(args, global)?;
    let crew = host.crew(CrewOptions {
        agents,
        tools,
        options,
        at_once: usize::try_from(args.at_once).unwrap_or(1),
        flow: FlowRule::Ask(show::asker(&show)),
        person: show::person(&show),
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
        let interrupts = tokio::spawn(interrupts(cancel.clone()));
        let done = crew.run(work.plan, &cancel).await;
        interrupts.abort();
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

/// Returns what the operator says about each plugin of the run.
fn options(
    args: &AgentsRun,
    global: &Global,
) -> Result<Arc<dyn Fn() -> RunOptions + Send + Sync>, CliError> {
    let held = super::mcp::held(global);
    let make = move |grants: &crate::args::Grants, global: &Global, approver| {
        let mut options = flags::options(grants, global)?;
        options.native = super::native::options(approver, global)?;
        options.outside = Some(held.clone());
        Ok::<_, CliError>(options)
    };
    make(&args.grants, global, args.approver)?;
    let (grants, global, approver) = (args.grants.clone(), global.clone(), args.approver);
    // They were read just now; what cannot be read any more gives nothing.
    Ok(Arc::new(move || make(&grants, &global, approver).unwrap_or_default()))
}

/// Asks the run to end at the first interrupt, and ends it at the second.
async fn interrupts(cancel: Cancel) {
    super::serve::stop_signal().await;
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
            printer.note(&format!("`{label}` has no outcome: {failure}"));
        }
    }
    printer.note(&format!("transcript: {transcript}"));
    match &done.merged {
        Ok(outcome) => {
            printer.text(&outcome.plain());
            0
        }
        Err(error) => {
            printer.note(&format!("error[agents]: {error}"));
            1
        }
    }
}
