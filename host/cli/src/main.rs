//! The `ringfence` command: arguments in, data on standard output, talk on standard error, and an
//! exit code that says what kind of end it was.
//!
//! The only room that prints, exits or reads the environment. It decides nothing: it turns flags
//! into requests and answers, and shows what the other rooms say.
#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "this room is the one that touches the environment")]

mod args;
mod commands;
mod error;
mod files;
mod flags;
mod json;
mod models;
mod named;
mod passphrase;
mod places;
mod print;

use std::ffi::OsString;

fn main() -> std::process::ExitCode {
    let words: Vec<_> = std::env::args_os().collect();
    let ahead = commands::fork_ahead(&words);
    let args = match args::Args::read(&words) {
        Ok(args) => args,
        Err(error) if error.use_stderr() && asks_for_json(&words) => {
            return print::Printer::new(true).failed(&error.into());
        }
        // Help and the version are data, other errors talk: clap knows where each is printed.
        Err(error) => error.exit(),
    };
    let printer = print::Printer::new(args.global.json);
    if let Err(error) = start_log(&args.global) {
        return printer.failed(&error);
    }
    match commands::dispatch(args, ahead, &printer) {
        Ok(code) => match printer.lost() {
            None => std::process::ExitCode::from(code),
            Some(error) => printer.failed(&error),
        },
        Err(error) => printer.failed(&error),
    }
}

/// Tells whether `--json` was given, on a command line that cannot be read otherwise.
fn asks_for_json(words: &[OsString]) -> bool {
    words.iter().skip(1).take_while(|word| *word != "--").any(|word| word == "--json")
}

/// Installs the log subscriber, when one was asked for: a run without it pays nothing for it.
fn start_log(global: &args::Global) -> Result<(), error::CliError> {
    let Some(filter) = &global.log else { return Ok(()) };
    let filter = tracing_subscriber::EnvFilter::try_new(filter).map_err(|source| {
        error::CliError::Usage(format!("`--log {filter}` is not a log filter: {source}"))
    })?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match global.log_format {
        args::LogFormat::Text => builder.init(),
        args::LogFormat::Json => builder.json().init(),
    }
    Ok(())
}
