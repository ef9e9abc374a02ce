//! `cargo xtask test` and `cargo xtask ci`: the stages a change must pass.

use std::process::Command;

use crate::failure::Failure;
use crate::guests::{self, Selection};
use crate::stages::Stages;
use crate::workspace::Workspace;
use crate::{process, reference, setup, skips, tidy};

/// Workspaces apart from the host's, whose tests run natively.
const GUEST_WORKSPACES: [&str; 5] =
    ["plugins", "sdk", "sdk/templates/rust", "sdk/templates/agent", "sdk/templates/step"];

/// How long each fuzz-smoke test may look for a crash.
const FUZZ_SECONDS: &str = "10";

/// Systems the sandbox is written for besides the one the checks run on.
const SANDBOX_TARGETS: [&str; 3] =
    ["aarch64-apple-darwin", "x86_64-pc-windows-gnu", "x86_64-unknown-linux-musl"];

/// What the stage `tidy` says it does.
const TIDY: &str = "layers, lengths, frozen WIT, words";

/// Whether `ci` runs the tests itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tests {
    /// Yes, last, so that the summary of the runner is what is left on the screen.
    Run,
    /// No: they ran before.
    Leave,
}

/// Sets up, builds the guests and runs every test.
pub(crate) fn test(workspace: &Workspace) -> Result<(), Failure> {
    let mut stages = Stages::start("test");
    prepare(&mut stages, workspace)?;
    stages.run("tidy", TIDY, || tidy::run(workspace));
    run_tests(&mut stages, workspace);
    stages.finish()
}

/// Runs everything a change must pass.
pub(crate) fn ci(workspace: &Workspace, tests: Tests) -> Result<(), Failure> {
    let mut stages = Stages::start("ci");
    prepare(&mut stages, workspace)?;
    stages.run("format", "rustfmt changes nothing", || format(workspace));
    stages.run("tidy", TIDY, || tidy::run(workspace));
    stages.run("lints", "clippy without warnings; checks every crate once", || lints(workspace));
    stages.run("other systems", "the sandbox compiles for macOS, Windows and musl", || {
        other_systems(workspace)
    });
    stages.run("docs", "every page builds without warnings", || docs(workspace));
    stages.run("reference", "the command line pages match the program", || {
        reference::run(workspace, reference::Mode::Check)
    });
    stages.run("fuzz-smoke", "parsers of untrusted bytes, a few seconds each", || {
        fuzz_smoke(workspace)
    });
    if tests == Tests::Run {
        run_tests(&mut stages, workspace);
    }
    stages.finish()
}

fn prepare(stages: &mut Stages, workspace: &Workspace) -> Result<(), Failure> {
    stages.need("setup", "the tools a build needs", || setup::run(workspace))?;
    stages.need("guests", "components the tests run; unchanged ones are not built again", || {
        guests::run(workspace, Selection::All)
    })
}

fn run_tests(stages: &mut Stages, workspace: &Workspace) {
    for dir in GUEST_WORKSPACES {
        let why = "natively; the first build compiles the libraries once more for this machine";
        stages.run(dir, why, || {
            let args = ["test", "--quiet", "--workspace"];
            process::run(&mut process::guest_cargo(workspace, dir, &args))
        });
    }
    stages.run("doc tests", "the examples in the documentation", || {
        let args = ["test", "--quiet", "--workspace", "--doc"];
        process::run(&mut process::cargo(workspace, ".", &args))
    });
    let why = "the first build compiles the WebAssembly engine, five to ten minutes on two cores";
    stages.run("host tests", why, || {
        skips::clear(workspace)?;
        let args: &[&str] = if has_nextest(workspace) {
            &["nextest", "run", "--workspace", "--no-fail-fast"]
        } else {
            &["test", "--workspace", "--no-fail-fast", "--lib", "--bins", "--tests"]
        };
        let mut cargo = process::cargo(workspace, ".", args);
        process::run(cargo.env("RINGFENCE_SKIP_LIST", skips::list(workspace)))
    });
    stages.run("skipped tests", "only those this kind of runner has to skip", || {
        skips::compare(workspace)
    });
}

fn format(workspace: &Workspace) -> Result<(), Failure> {
    for dir in [&["."][..], &GUEST_WORKSPACES, &["tests/guests"]].concat() {
        process::run(&mut process::cargo(workspace, dir, &["fmt", "--all", "--check"]))?;
    }
    Ok(())
}

fn lints(workspace: &Workspace) -> Result<(), Failure> {
    let args = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
    process::run(&mut process::cargo(workspace, ".", &args))?;
    for dir in GUEST_WORKSPACES {
        process::run(&mut process::guest_cargo(workspace, dir, &args))?;
    }
    Ok(())
}

/// Checks types and lints of what the compiler leaves out on this system.
fn other_systems(workspace: &Workspace) -> Result<(), Failure> {
    for target in SANDBOX_TARGETS {
        setup::need_target(workspace, target)?;
        let args = ["clippy", "-p", "ringfence-sandbox", "--lib", "--tests", "--target", target];
        let mut cargo = process::cargo(workspace, ".", &args);
        process::run(cargo.args(["--", "-D", "warnings"]))?;
    }
    Ok(())
}

fn docs(workspace: &Workspace) -> Result<(), Failure> {
    // The program and the library share a name, and so would their pages.
    let args = ["doc", "--workspace", "--no-deps", "--exclude", "ringfence-cli"];
    let mut cargo = process::cargo(workspace, ".", &args);
    process::run(cargo.env("RUSTDOCFLAGS", "-D warnings"))
}

/// Runs the tests called `fuzz_smoke…` with more time than the ordinary run gives them.
fn fuzz_smoke(workspace: &Workspace) -> Result<(), Failure> {
    let args = ["test", "--quiet", "--workspace", "--tests", "fuzz_smoke"];
    let mut cargo = process::cargo(workspace, ".", &args);
    process::run(cargo.env("RINGFENCE_FUZZ_SECONDS", FUZZ_SECONDS))
}

fn has_nextest(workspace: &Workspace) -> bool {
    let mut command: Command = process::cargo(workspace, ".", &["nextest", "--version"]);
    process::capture(&mut command).is_ok_and(|output| output.status.success())
}
