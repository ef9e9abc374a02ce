//! A host that is killed while its sandbox runs.

use ringfence_capability::{
    Capability, Grant, GrantSet, MethodClass, Origin, PathScope, Port, Profile,
};
use ringfence_sandbox::{
    Command, LinuxExecutor, PlanContext, ProcessLimits, Program, SandboxError, SandboxExecutor,
    SandboxPlan, StageDirs, Stdio, WriteMode,
};
use std::io::Write;
use std::path::Path;

/// Starts a daemon and a waiting program in a staged sandbox, says `up` and waits.
pub(crate) fn hold(base: &Path, mark: &str) -> Result<(), String> {
    let run = || -> Result<(), SandboxError> {
        let line = format!(
            "echo x > left; echo x > /tmp/{mark}; setsid sleep 600.{mark} & echo up; sleep 500.{mark}"
        );
        let (plan, command) = staged(base, "/bin/sh", &["sh", "-c", &line])?;
        let mut run = LinuxExecutor::new().spawn(&plan, command)?;
        run.wait().map(drop)
    };
    run().map_err(|error| error.to_string())?;
    std::io::stdout().flush().map_err(|error| error.to_string())
}

/// Forks a sandbox ahead and lets it go, then forks one, says `up` and waits.
pub(crate) fn ahead() -> Result<(), String> {
    let fails = |error: std::io::Error| error.to_string();
    let own = std::process::id();
    let children = || std::fs::read_to_string(format!("/proc/self/task/{own}/children"));
    let first = LinuxExecutor::forking_ahead();
    let child = children().map_err(fails)?.trim().to_owned();
    if child.is_empty() || child.contains(' ') {
        return Err(format!("these were forked: `{child}`"));
    }
    drop(first);
    // Ended, and collected or not.
    let stands = || {
        let stat = std::fs::read_to_string(format!("/proc/{child}/stat"));
        stat.is_ok_and(|stat| !stat.contains(") Z "))
    };
    if (0..200_000).all(|_| stands()) {
        return Err("it stands although nobody holds it".to_owned());
    }
    let _second = LinuxExecutor::forking_ahead();
    let after = children().map_err(fails)?;
    if after.split_whitespace().all(|one| one == child) {
        return Err("there is no second one".to_owned());
    }
    println!("up");
    std::thread::sleep(std::time::Duration::from_mins(10));
    Ok(())
}

/// Returns a start in a staged sandbox over `base/ws`.
pub(crate) fn staged(
    base: &Path,
    program: &str,
    argv: &[&str],
) -> Result<(SandboxPlan, Command), SandboxError> {
    let plan = plan(base, Profile::WorkspaceWrite, false)?;
    let mut command = Command::new(Program::open(program.as_ref())?, words(argv));
    let stage = |name: &str| base.join("stage").join(name);
    command.stage = Some(StageDirs { upper: stage("upper"), work: stage("work") });
    command.stdio = [Stdio::Null, Stdio::Inherit, Stdio::Inherit];
    Ok((plan, command))
}

/// Returns the plan of a workspace at `base/ws`.
pub(crate) fn plan(
    base: &Path,
    profile: Profile,
    proxied: bool,
) -> Result<SandboxPlan, SandboxError> {
    let workspace = base.join("ws");
    let path = |_| SandboxError::Path { path: workspace.clone(), why: "it cannot be granted" };
    let scope = PathScope::workspace(".", "/").map_err(path)?;
    let files = if profile >= Profile::WorkspaceWrite {
        Capability::FsWrite(scope)
    } else {
        Capability::FsRead(scope)
    };
    let host = "example.com".parse().map_err(path)?;
    let http = Capability::Http { host, port: Port::Default, methods: MethodClass::Read };
    let wanted = std::iter::once(files).chain(proxied.then_some(http));
    let grants = wanted.map(|one| Grant::new(one, Origin::BuiltIn)).collect();
    let context = PlanContext {
        profile,
        workspace: workspace.clone(),
        working_directory: workspace.clone(),
        protected: vec![".git".to_owned()],
        write: WriteMode::Staged,
        environment: Vec::new(),
        limits: ProcessLimits::default(),
    };
    SandboxPlan::from_grants(&GrantSet::new(grants), &context)
}

/// Returns words as arguments.
pub(crate) fn words(argv: &[&str]) -> Vec<std::ffi::OsString> {
    argv.iter().map(Into::into).collect()
}
