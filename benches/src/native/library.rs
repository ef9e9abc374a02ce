//! The sandbox as a library: no policy, no approval, no log around it.

use ringfence_capability::{Capability, Grant, GrantSet, Origin, PathScope, Profile};
use ringfence_sandbox::{
    Command, Exit, LinuxExecutor, PlanContext, ProcessLimits, Program, SandboxExecutor as _,
    SandboxPlan, StageDirs, Stdio, WriteMode,
};
use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::programs::TRUE;
use crate::turns::Case;

/// Returns the start of `/bin/true` in the full sandbox, from the call to the end of the program.
pub(crate) fn sandboxed(scratch: &Path) -> Result<Case, Box<dyn Error>> {
    let workspace = scratch.join("library");
    fs::create_dir(&workspace)?;
    let plan = plan(Profile::Offline, &workspace.canonicalize()?, WriteMode::Direct)?;
    let executor = LinuxExecutor::new();
    Ok(Case::new("library, full sandbox", move || run(&executor, &plan, TRUE, &["true"], None)))
}

/// Returns the plan for a workspace under a profile.
pub(crate) fn plan(
    profile: Profile,
    workspace: &Path,
    write: WriteMode,
) -> Result<SandboxPlan, Box<dyn Error>> {
    let scope = || PathScope::workspace(".", "/");
    let mut grants = vec![Grant::new(Capability::FsRead(scope()?), Origin::BuiltIn)];
    if profile >= Profile::WorkspaceWrite {
        grants.push(Grant::new(Capability::FsWrite(scope()?), Origin::BuiltIn));
    }
    let context = PlanContext {
        profile,
        workspace: workspace.to_owned(),
        working_directory: workspace.to_owned(),
        protected: vec![".git".to_owned()],
        write,
        environment: Vec::new(),
        limits: ProcessLimits::default(),
    };
    Ok(SandboxPlan::from_grants(&GrantSet::new(grants), &context)?)
}

/// Runs a program and returns how long it took; opening and hashing it is not counted.
pub(crate) fn run(
    executor: &LinuxExecutor,
    plan: &SandboxPlan,
    program: &str,
    argv: &[&str],
    stage: Option<StageDirs>,
) -> Result<Duration, Box<dyn Error>> {
    let program = Program::open(Path::new(program))?;
    let mut command = Command::new(program, argv.iter().map(Into::into).collect());
    command.stdio = [Stdio::Null, Stdio::Null, Stdio::Null];
    command.stage = stage;
    let start = Instant::now();
    let exit = executor.spawn(plan, command)?.wait()?;
    let took = start.elapsed();
    if exit == Exit::Code(0) { Ok(took) } else { Err(format!("it ended with {exit:?}").into()) }
}
