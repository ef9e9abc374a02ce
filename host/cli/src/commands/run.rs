//! `run` and `call`: the main job.

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::mem::ManuallyDrop;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ringfence::{
    CallDone, CallResult, Host, Level, Observer, Plugin, PluginKind, Prepared, RunOptions, Sink,
    Stdio, Usage,
};
use ringfence_capability::{Grant, Kind};
use serde_json::{Value, json};

use crate::args::{ApproverKind, Call, Global, Grants, Run};
use crate::error::CliError;
use crate::print::{Printer, visible};
use crate::{flags, named, places};

/// The most JSON one input may hold.
const INPUT_BYTES: u64 = 64 * 1024 * 1024;
/// How long the end of a killed program is waited for.
const KILLED: Duration = Duration::from_secs(5);
/// A component larger than this is worth a word while it compiles.
const SLOW_BYTES: usize = 300 * 1024;

/// `ringfence run`.
pub(crate) fn run(args: &Run, global: &Global, printer: &Printer) -> Result<u8, CliError> {
    let (prepared, _) = prepare(&args.plugin, &args.grants, args.approver, global, printer)?;
    // The process ends next: taking code and tables apart first would only take time.
    let prepared = ManuallyDrop::new(prepared);
    match prepared.kind() {
        PluginKind::Command => {
            if args.input.is_some() {
                let text = "`--input` is for tools; a command takes its arguments after `--`";
                return Err(CliError::Usage(text.to_owned()));
            }
            super::command::command(&prepared, &args.args, printer)
        }
        PluginKind::Tools | PluginKind::Agent | PluginKind::Step => {
            if !args.args.is_empty() {
                let text =
                    "this plugin is a tool: give it JSON with `--input`, not arguments after `--`";
                return Err(CliError::Usage(text.to_owned()));
            }
            let function = only_function(&prepared, &args.plugin)?;
            let input = input(args.input.as_deref())?;
            one_call(&prepared, &function, &input, printer)
        }
        PluginKind::HttpHandler => {
            let text = format!(
                "this plugin answers HTTP requests: `ringfence serve {}`",
                args.plugin.display()
            );
            Err(CliError::Usage(text))
        }
    }
}

/// `ringfence call`.
pub(crate) fn call(args: &Call, global: &Global, printer: &Printer) -> Result<u8, CliError> {
    let (prepared, _) = prepare(&args.plugin, &args.grants, args.approver, global, printer)?;
    // The process ends next: taking code and tables apart first would only take time.
    let prepared = ManuallyDrop::new(prepared);
    if let Some(file) = &args.batch {
        return batch(&prepared, file, printer);
    }
    let function = match &args.function {
        Some(function) => function.clone(),
        None => only_function(&prepared, &args.plugin)?,
    };
    let input = input(args.input.as_deref())?;
    one_call(&prepared, &function, &input, printer)
}

/// Opens, decides, loads and links.
pub(crate) fn prepare(
    path: &Path,
    grants: &Grants,
    approver: ApproverKind,
    global: &Global,
    printer: &Printer,
) -> Result<(Prepared, Plugin), CliError> {
    let mut options = flags::options(grants, global)?;
    options.native = super::native::options(approver, global)?;
    options.outside = Some(super::mcp::held(global));
    if !printer.is_json() || std::io::stderr().is_terminal() {
        options.observer = Some(Arc::new(Talk));
    }
    let host = places::host(global)?.build()?;
    let plugin = named::open(&host, path, global)?;
    announce(&host, &plugin, &options, printer);
    let prepared = host.prepare(&plugin, options)?;
    Ok((prepared, plugin))
}

/// Says why the first run takes long, when it will.
fn announce(host: &Host, plugin: &Plugin, _: &RunOptions, printer: &Printer) {
    if plugin.component.len() > SLOW_BYTES
        && std::io::stderr().is_terminal()
        && !host.is_compiled(plugin)
    {
        let size = plugin.component.len() / 1024;
        printer.note(&format!(
            "compiling `{}` ({size} KiB), once; later runs map the result",
            plugin.display
        ));
    }
}

/// Runs `work` to its end. Calls it left behind on other threads, such as a name that does not
/// resolve, are not waited for: a run that reached its time ends then.
pub(crate) fn block_on<T>(
    prepared: &Prepared,
    work: impl Future<Output = T>,
) -> Result<T, CliError> {
    let runtime = runtime(prepared)?;
    let done = runtime.block_on(async {
        let done = work.await;
        prepared.end_servers().await;
        done
    });
    let native = |grant: &Grant| matches!(grant.capability.kind(), Kind::Exec | Kind::Mcp);
    if prepared.grants().iter().any(native) {
        // A program that was killed with the run is still written down.
        runtime.shutdown_timeout(KILLED);
    } else {
        runtime.shutdown_background();
    }
    Ok(done)
}

/// Returns a runtime for one run. Waiting for sockets is only set up when something may use them.
fn runtime(prepared: &Prepared) -> Result<tokio::runtime::Runtime, CliError> {
    let network = prepared.grants().iter().any(|grant| {
        matches!(
            grant.capability.kind(),
            Kind::HttpRead | Kind::HttpWrite | Kind::Socket | Kind::Mcp
        )
    });
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time();
    if network {
        builder.enable_io();
    }
    super::event_loop::built(&mut builder)
}

fn one_call(
    prepared: &Prepared,
    function: &str,
    input: &Value,
    printer: &Printer,
) -> Result<u8, CliError> {
    let err = Passing::new(Stream::Err);
    let stdio = Stdio::new(None, Passing::new(Stream::Err), err);
    let done = block_on(prepared, prepared.call(function, input, stdio))??;
    Ok(show(&done, printer))
}

/// Prints what a call gave back and returns the exit code.
fn show(done: &CallDone, printer: &Printer) -> u8 {
    match (&done.result, printer.is_json()) {
        (CallResult::Ok(value), true) => {
            printer.value(&json!({ "ok": true, "result": value, "usage": usage(done.usage) }));
            0
        }
        (CallResult::Ok(value), false) => {
            printer.value(value);
            0
        }
        (CallResult::Err(value), true) => {
            printer
                .value(&json!({ "ok": false, "plugin-error": value, "usage": usage(done.usage) }));
            1
        }
        (CallResult::Err(value), false) => {
            let mut err = anstream::stderr().lock();
            let _ = writeln!(err, "error[plugin]: {}", visible(&plugin_error(value)));
            1
        }
    }
}

/// Writes a plugin's error the way its own words read best: `invalid-input: line 3 …`.
fn plugin_error(value: &Value) -> String {
    let case = value
        .as_object()
        .filter(|object| object.len() == 1)
        .and_then(|object| object.iter().next());
    match (value, case) {
        (Value::String(text), _) => text.clone(),
        (_, Some((case, Value::String(text)))) => format!("{case}: {text}"),
        (Value::Null, _) => "the plugin failed and gave no reason".to_owned(),
        _ => value.to_string(),
    }
}

pub(super) fn usage(usage: Usage) -> Value {
    json!({ "cpu-ms": usage.cpu_ms, "memory-bytes": usage.memory_bytes, "host-calls": usage.host_calls })
}

/// Makes the calls of a file, one JSON object a line, in one instance.
fn batch(prepared: &Prepared, file: &str, printer: &Printer) -> Result<u8, CliError> {
    let text = match file {
        "-" => read_stdin(INPUT_BYTES)?,
        path => places::read(Path::new(path), "batch file", INPUT_BYTES)?,
    };
    let text = String::from_utf8(text)
        .map_err(|_| CliError::Usage(format!("`{file}` is not UTF-8 text")))?;
    let mut worst = 0;
    block_on(prepared, async {
        let stdio = Stdio::new(None, Passing::new(Stream::Err), Passing::new(Stream::Err));
        let mut session = prepared.session(stdio).await?;
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let (function, input) = batch_line(file, number + 1, line)?;
            let done = session.call(&function, &input).await?;
            worst = worst.max(show(&done, printer));
        }
        Ok::<_, CliError>(())
    })??;
    Ok(worst)
}

fn batch_line(file: &str, number: usize, line: &str) -> Result<(String, Value), CliError> {
    let fail = |why: &str| {
        let form = "{\"function\":\"name\",\"input\":{…}}";
        CliError::Usage(format!("`{file}`, line {number}: {why}; a line is {form}"))
    };
    let mut value = crate::json::read(line.as_bytes()).map_err(|error| fail(&error.to_string()))?;
    let object = value.as_object_mut().ok_or_else(|| fail("it is no object"))?;
    let Some(Value::String(function)) = object.remove("function") else {
        return Err(fail("it has no `function`"));
    };
    let input = object.remove("input").unwrap_or_else(|| json!({}));
    match object.keys().next() {
        Some(key) => Err(fail(&format!("unknown key `{}`", visible(key)))),
        None => Ok((function, input)),
    }
}

/// Returns the name of the plugin's one function.
fn only_function(prepared: &Prepared, plugin: &Path) -> Result<String, CliError> {
    match prepared.exports() {
        [only] => Ok(only.name.clone()),
        [] => {
            Err(CliError::Usage(format!("`{}` exports nothing that can be run", plugin.display())))
        }
        many => {
            let names: Vec<_> = many.iter().map(|export| export.short.as_str()).collect();
            let path = plugin.display();
            Err(CliError::Usage(format!(
                "`{path}` has several functions; name one: `ringfence call {path} {}`",
                visible(&names.join(" | "))
            )))
        }
    }
}

/// Reads `--input`: JSON itself, `@FILE` or `-`.
pub(super) fn input(text: Option<&str>) -> Result<Value, CliError> {
    let (from, bytes) = match text {
        None => return Ok(json!({})),
        Some("-") => ("standard input", read_stdin(INPUT_BYTES)?),
        Some(text) => match text.strip_prefix('@') {
            Some(path) => (path, places::read(Path::new(path), "input file", INPUT_BYTES)?),
            None => ("--input", text.as_bytes().to_vec()),
        },
    };
    let fail = |error| CliError::Usage(format!("{from} is not JSON: {error}"));
    crate::json::read(&bytes).map_err(fail)
}

fn read_stdin(most: u64) -> Result<Vec<u8>, CliError> {
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().take(most + 1).read_to_end(&mut bytes);
    read.map_err(|source| CliError::File {
        what: "input",
        path: "standard input".to_owned(),
        source,
    })?;
    if bytes.len() as u64 > most {
        return Err(CliError::Usage(format!("standard input is larger than {most} bytes")));
    }
    Ok(bytes)
}

#[derive(Clone, Copy)]
pub(super) enum Stream {
    Out,
    Err,
}

/// Passes what a plugin prints on as it comes; on a terminal without anything that could steer it.
pub(super) struct Passing {
    stream: Stream,
    terminal: bool,
}

impl Passing {
    pub(super) fn new(stream: Stream) -> Self {
        let terminal = match stream {
            Stream::Out => std::io::stdout().is_terminal(),
            Stream::Err => std::io::stderr().is_terminal(),
        };
        Self { stream, terminal }
    }
}

impl Sink for Passing {
    fn take(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let clean = self.terminal.then(|| visible(&String::from_utf8_lossy(bytes)));
        let bytes = clean.as_ref().map_or(bytes, |text| text.as_bytes());
        match self.stream {
            Stream::Out => write(&mut std::io::stdout().lock(), bytes),
            Stream::Err => write(&mut std::io::stderr().lock(), bytes),
        }
    }
}

fn write(to: &mut impl std::io::Write, bytes: &[u8]) -> std::io::Result<()> {
    to.write_all(bytes)?;
    to.flush()
}

/// Shows what a plugin says while it runs.
struct Talk;

impl Observer for Talk {
    fn message(&self, level: Level, text: &str, fields: &[(String, String)]) {
        if level < Level::Info {
            return;
        }
        let mut said = text.to_owned();
        for (name, value) in fields {
            said = format!("{said} {name}={value}");
        }
        let level = format!("{level:?}").to_lowercase();
        let _ = writeln!(anstream::stderr().lock(), "plugin {level}: {}", visible(&said));
    }

    fn progress(&self, done: f64, total: Option<f64>, note: &str) {
        let mut err = anstream::stderr().lock();
        if !std::io::stderr().is_terminal() {
            return;
        }
        let _ = match total {
            Some(total) if total > 0.0 => {
                write!(
                    err,
                    "\r\x1b[2K{:3.0} % {}",
                    (done / total * 100.0).clamp(0.0, 100.0),
                    visible(note)
                )
            }
            _ => write!(err, "\r\x1b[2K{done} {}", visible(note)),
        };
        if total.is_some_and(|total| done >= total) {
            let _ = writeln!(err);
        }
    }
}
