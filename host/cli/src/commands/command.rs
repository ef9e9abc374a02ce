//! `run` of a command: what it prints is passed on as it comes or, with `--json`, kept for the one
//! object that is printed at the end; and its end is told.

use std::io::{ErrorKind, IsTerminal as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringfence::{CommandDone, Diagnostic as _, Prepared, RunError, Sink, Stdin, Stdio};
use serde_json::{Map, Value, json};

use super::run::{Passing, Stream, block_on, usage};
use crate::error::CliError;
use crate::print::{Printer, described};

/// How shells report a writer that its reader left: 128 and the number of `SIGPIPE`.
const READER_GONE: u8 = 141;

/// Runs a command to its end and returns the exit code.
pub(super) fn command(
    prepared: &Prepared,
    args: &[String],
    printer: &Printer,
) -> Result<u8, CliError> {
    // Handed on as the command reads it: whoever starts this program may never close the pipe.
    let stdin = if std::io::stdin().is_terminal() { Stdin::Closed } else { Stdin::Process };
    let err = Passing::new(Stream::Err);
    if printer.is_json() {
        let kept = Kept::default();
        let done = block_on(prepared, prepared.run(args, Stdio::new(stdin, kept.clone(), err)))?;
        return Ok(object(done, &kept.taken(), printer));
    }
    let out = Watched::default();
    let gone = Arc::clone(&out.gone);
    let done = block_on(prepared, prepared.run(args, Stdio::new(stdin, out, err)))?;
    told(done, gone.load(Ordering::Relaxed), printer)
}

/// Says how the command ended. What it printed is printed already.
fn told(
    done: Result<CommandDone, RunError>,
    gone: bool,
    printer: &Printer,
) -> Result<u8, CliError> {
    match done {
        Ok(done) if done.exit_code == 0 => Ok(0),
        // Nobody reads any more, and the command did not cope: that is no failure of its own.
        Ok(_) if gone => Ok(READER_GONE),
        Err(error) if gone && error.code() == "engine::trap" => Ok(READER_GONE),
        Ok(done) => {
            printer.note(&format!("the plugin ended with code {}", done.exit_code));
            // A code that means something of ours elsewhere is still the plugin's own failure.
            Ok(1)
        }
        Err(error) => Err(error.into()),
    }
}

/// Prints the one object of a run with `--json`, whichever way it ended.
fn object(done: Result<CommandDone, RunError>, stdout: &[u8], printer: &Printer) -> u8 {
    let mut object = Map::new();
    let code = match done {
        Ok(done) => {
            object.insert("ok".to_owned(), json!(done.exit_code == 0));
            object.insert("exit-code".to_owned(), json!(done.exit_code));
            object.insert("usage".to_owned(), usage(done.usage));
            u8::from(done.exit_code != 0)
        }
        Err(error) => {
            object.insert("ok".to_owned(), json!(false));
            object.insert("error".to_owned(), described(&error));
            error.class().exit_code()
        }
    };
    let (key, value) = match std::str::from_utf8(stdout) {
        Ok(text) => ("stdout", text.to_owned()),
        Err(_) => ("stdout-base64", STANDARD.encode(stdout)),
    };
    object.insert(key.to_owned(), Value::String(value));
    printer.value(&Value::Object(object));
    code
}

/// Keeps what a command prints; the `output` limit of the run bounds it.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    fn taken(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Sink for Kept {
    fn take(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(())
    }
}

/// Passes standard output on, and notes when nobody reads it any more.
struct Watched {
    out: Passing,
    gone: Arc<AtomicBool>,
}

impl Default for Watched {
    fn default() -> Self {
        Self { out: Passing::new(Stream::Out), gone: Arc::default() }
    }
}

impl Sink for Watched {
    fn take(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let taken = self.out.take(bytes);
        if taken.as_ref().is_err_and(|error| error.kind() == ErrorKind::BrokenPipe) {
            self.gone.store(true, Ordering::Relaxed);
        }
        taken
    }
}
