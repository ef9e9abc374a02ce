//! Measures whole processes: from starting one to having its result, and the most memory it held.
//!
//! All cases take turns in one run, so that whatever else the machine does falls on all of them
//! alike; what counts is the ratio to `/bin/true` in the same run. Prints a Markdown table.
//! Start with [`cases::all`].
#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "a benchmark starts the programs it measures")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it prints what it measured")]

mod cases;
mod measure;
mod options;
mod table;

use std::error::Error;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let options = options::Options::read(std::env::args().skip(1))?;
    let scratch = tempfile::tempdir()?;
    let cases = cases::all(&options, scratch.path())?;
    let measured = measure::all(&cases, options.rounds)?;
    print!("{}", table::markdown(&measured, options.rounds));
    Ok(())
}
