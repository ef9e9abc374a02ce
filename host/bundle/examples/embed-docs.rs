//! Puts the doc comments of a plugin's WIT into its component: the linker drops them.
//!
//! `embed-docs FROM TO WIT-DIR…`: the last directory is the plugin's own, with its one world; those
//! before it hold the packages it uses. `TO` is replaced in one step, and only when its bytes change.
//! A first-party plugin gets its descriptions this way, see `cargo xtask guests`.
#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "a build step reads the files it is told to")]

use std::error::Error;
use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use ringfence_bundle::inspect::docs;
use wit_parser::Resolve;

const USAGE: &str = "usage: embed-docs FROM.wasm TO.wasm WIT-DIR…";

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // With the whole chain: the reader of WIT puts the place and the cause into it.
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[OsString]) -> Result<(), Box<dyn Error>> {
    let [from, to, dirs @ ..] = arguments else { return Err(USAGE.into()) };
    let mut resolve = Resolve::default();
    let mut last = None;
    for dir in dirs {
        last = Some(resolve.push_dir(Path::new(dir))?.0);
    }
    let package = last.ok_or(USAGE)?;
    let world = resolve.select_world(&[package], None)?;
    let component = docs::embed(&std::fs::read(from)?, &resolve, world);
    write(Path::new(to), &component)
}

fn write(to: &Path, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    if std::fs::read(to).is_ok_and(|present| present == bytes) {
        return Ok(());
    }
    let temporary = to.with_extension(format!("{}.tmp", std::process::id()));
    std::fs::write(&temporary, bytes)?;
    Ok(std::fs::rename(&temporary, to)?)
}
