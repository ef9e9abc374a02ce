//! Measures what it costs to start a native program: directly, by the library, by `ringfence exec`,
//! and by other sandboxes; and what staged writes cost against direct ones.
//!
//! All cases take turns in one run, so that whatever else the machine does falls on all of them
//! alike; what counts is the ratio to the first case of a table. Prints Markdown. Start with [`start`].
#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "a benchmark starts the programs it measures")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it prints what it measured")]

#[cfg(target_os = "linux")]
mod library;
#[cfg(target_os = "linux")]
mod options;
#[cfg(target_os = "linux")]
mod programs;
#[cfg(target_os = "linux")]
mod staging;
#[cfg(target_os = "linux")]
mod turns;

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

#[cfg(target_os = "linux")]
fn run() -> Result<(), Box<dyn Error>> {
    let options = options::Options::read(std::env::args().skip(1))?;
    let scratch = tempfile::tempdir()?;
    println!("{}", turns::table(start(&options, scratch.path())?, options.rounds)?);
    let kept = staging::Kept::default();
    for work in staging::WORK {
        let cases = staging::cases(work, scratch.path(), &kept)?;
        println!("{}", turns::table(cases, options.rounds)?);
    }
    Ok(())
}

/// Returns the ways to start `/bin/true`; the direct one, which the others are compared with, is
/// the first.
#[cfg(target_os = "linux")]
fn start(
    options: &options::Options,
    scratch: &std::path::Path,
) -> Result<Vec<turns::Case>, Box<dyn Error>> {
    let mut cases = vec![programs::plain(), library::sandboxed(scratch)?];
    if let Some(ringfence) = &options.ringfence {
        cases.extend(programs::exec(ringfence, scratch)?);
    }
    cases.extend(options.peers.iter().map(programs::peer));
    Ok(cases)
}

#[cfg(not(target_os = "linux"))]
fn run() -> Result<(), Box<dyn Error>> {
    Err("only the sandbox of Linux is measured".into())
}
