//! The program of the escape battery: it starts itself in a sandbox and attacks from there.
//!
//! `attack NAME` makes one attack, or `all`, in every room beside its twin and prints a line of JSON
//! for each; `against LAUNCHER…` makes them on another sandbox; `refuse NAME` takes one feature of
//! the kernel away and tries to start; `hold` keeps a sandbox running until it is killed, `ahead` one
//! that has no plan yet. `inside` is what the others start.
#![cfg_attr(
    target_os = "linux",
    allow(unsafe_code, reason = "taking features of the kernel away is a system call")
)]
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for tests: it reads its arguments, opens files and prints"
)]

#[cfg(target_os = "linux")]
mod battery;
#[cfg(target_os = "linux")]
mod hold;
#[cfg(target_os = "linux")]
mod refuse;

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["inside", name] => {
            use ringfence_sandbox::attack::{Guard, main};
            main(name, Guard::Anyone).map_err(|error| error.to_string())
        }
        ["attack", base, name] => battery::attack(base.as_ref(), name),
        ["against", base, ref launcher @ ..] => battery::against(base.as_ref(), launcher),
        ["list"] => {
            battery::list();
            Ok(())
        }
        ["refuse", base, name] => refuse::refuse(base.as_ref(), name),
        ["hold", base, mark] => hold::hold(base.as_ref(), mark),
        ["ahead"] => hold::ahead(),
        _ => Err("usage: attack BASE NAME | against BASE LAUNCHER… | list".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!("the battery attacks the Linux back end; `sandbox/tests/elsewhere` has the others");
    ExitCode::SUCCESS
}
