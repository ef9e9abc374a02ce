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
mod flags;
mod places;
mod print;

use clap::Parser as _;

fn main() -> std::process::ExitCode {
    let args = args::Args::parse();
    let printer = print::Printer::new(args.global.json);
    if let Err(error) = start_log(&args.global) {
        return printer.failed(&error);
    }
    match commands::dispatch(args, &printer) {
        Ok(code) => std::process::ExitCode::from(code),
        Err(error) => printer.failed(&error),
    }
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
